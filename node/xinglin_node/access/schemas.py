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
from xinglin_node import examples
from xinglin_node.sessions.schemas import ShownAppointment

_ASKED: dict[str, Any] = {
    "request": examples.ACCESS_REQUEST,
    "signature": examples.SIGNATURE,
    "appointment": examples.APPOINTMENT,
    "publicKey": examples.PUBLIC_KEY,
    "reason": None,
}
_CARE: dict[str, Any] = _ASKED | {
    "request": examples.CARE_REQUEST,
    "appointment": examples.HOME_APPOINTMENT,
    "reason": examples.REASON,
}
_RELEASED: dict[str, Any] = {
    "record": examples.RECORD,
    "version": 0,
    "released": {
        "version": 1,
        "manifest": examples.MANIFEST,
        "attestation": examples.ATTESTATION,
        "salt": examples.SALT,
        "size": 4384,
        "mediaType": "text/plain; charset=utf-8",
        "category": "outpatient-note",
        "generation": 0,
        "index": examples.INDEX,
        "wrap": examples.WRAP,
    },
    "term": None,
}
_ANSWER: dict[str, Any] = {
    "request": examples.REQUEST,
    "view": examples.VIEW,
    "accessIndex": 44,
    "refusalIndex": None,
    "receipts": {"access": examples.RECEIPT, "refusal": None},
    "items": [_RELEASED],
}
_ANSWER_IN_PART: dict[str, Any] = _ANSWER | {
    "refusalIndex": 45,
    "receipts": {"access": examples.RECEIPT, "refusal": examples.RECEIPT},
    "items": [
        _RELEASED,
        {"record": examples.RESULT, "version": 0, "released": None, "term": "scope"},
    ],
}


class AccessAsked(Document):
    """A signed request, what speaks for its author, and the key to wrap for."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ASKED, _CARE]})

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

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER, _ANSWER_IN_PART]})

    request: Bytes32
    view: ViewOfChain
    """The final block that everything was checked at."""
    access_index: Count | None
    refusal_index: Count | None
    receipts: Receipts
    items: tuple[AnswerItem, ...]


__all__ = ["AccessAnswer", "AccessAsked", "AnswerItem", "Receipts", "Released"]
