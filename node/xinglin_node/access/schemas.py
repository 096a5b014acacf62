"""What goes in and out of `POST /v1/access` (docs/spec/access.md)."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from xinglin.document import (
    Blob64,
    Bytes32,
    Count,
    DigestText,
    Document,
    Salt32,
    ShortText,
    Signature65,
    Uuid4,
)
from xinglin.request import AccessRequest
from xinglin.statement import Attestation, Reason, ViewOfChain
from xinglin_node.sessions.schemas import ShownAppointment

_EXAMPLE: dict[str, Any] = {
    "request": {
        "id": "0x" + "5a" * 32,
        "custodian": 1,
        "ground": "grant",
        "grantId": "0x" + "c4" * 32,
        "purpose": "HRESCH",
        "research": "DUO:0000042",
        "reasonDigest": "0x" + "00" * 32,
        "items": [{"record": "8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11", "version": 0}],
        "keyDigest": "0x" + "1f" * 32,
        "issuedAt": 1764028800,
        "deadline": 1764029100,
    },
    "signature": "base64url of 65 bytes",
    "appointment": None,
    "publicKey": "base64url of 1,216 bytes",
    "reason": None,
}


class AccessAsked(Document):
    """A signed request, what speaks for its author, and the key to wrap for."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    request: AccessRequest
    signature: Signature65
    appointment: ShownAppointment | None
    """Null on the ground `subject` alone."""
    public_key: Blob64
    """ML-KEM-768 ‖ X25519, 1,216 bytes."""
    reason: Reason | None
    """Opens `reasonDigest`; null where that is zero."""


class Released(Document):
    """What opens one item."""

    version: Annotated[int, Field(ge=1)]
    """The version that was asked for, resolved."""
    manifest: DigestText
    attestation: Attestation
    """The record's attestation: its statement is the manifest."""
    salt: Salt32
    size: Count
    """Bytes of the ciphertext."""
    media_type: ShortText
    category: ShortText
    generation: Count
    index: Count
    """Where the record's entry stands in the log: for its bundle."""
    wrap: Blob64 | None
    """The data key, wrapped to the requester's key under this grant and request."""


class AnswerItem(Document):
    """One item, in the order asked."""

    record: Uuid4
    version: Count
    """As asked: 0 is the newest."""
    released: Released | None
    term: str | None
    """The term that refused, where it may be told. Neither: not found."""


class Receipts(Document):
    """The log's promises for the entries of this request, as signed notes."""

    access: str | None
    refusal: str | None


class AccessAnswer(Document):
    """What was released, and what was not."""

    request: Bytes32
    view: ViewOfChain
    """The final block that everything was checked at."""
    access_index: Count | None
    refusal_index: Count | None
    receipts: Receipts
    items: tuple[AnswerItem, ...]


__all__ = ["AccessAnswer", "AccessAsked", "AnswerItem", "Receipts", "Released"]
