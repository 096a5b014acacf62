"""What goes in and out at the desk."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from xinglin.document import (
    AddressText,
    Blob64,
    Count,
    DigestText,
    Document,
    Salt32,
    Signature65,
    Time,
    Uuid4,
)
from xinglin.statement import Proxy
from xinglin_node import examples

MAX_PROXIES = 8
"""Parents and guardians; nobody needs more at once."""


class Registered(Document):
    """A new file: give both to the patient, in a file or as a QR code."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": examples.SUBJECT,
                    "historyKey": examples.SALT,
                    "origin": examples.ORIGIN,
                    "history": examples.HISTORY,
                }
            ]
        }
    )

    subject: Uuid4
    """The file number, local to this institution."""
    history_key: Salt32
    """32 bytes from which the subject's tags are derived."""
    origin: str
    """Name of the log in which they stand."""
    history: DigestText
    """Digest of the history key: what the subject's account signs."""


class EnrolmentRequest(Document):
    """
    An account that the subject brought, or nothing for who has no device.

    Either all of `account`, `publicKey`, `issuedAt` and `signature`, or none of them.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {},
                {
                    "account": examples.ACCOUNT,
                    "publicKey": examples.PUBLIC_KEY,
                    "proxies": [{"account": examples.GRANTOR, "until": 1790208000}],
                    "issuedAt": examples.TIME,
                    "signature": examples.SIGNATURE,
                },
            ]
        }
    )

    account: AddressText | None = None
    public_key: Blob64 | None = None
    """ML-KEM-768 ‖ X25519, 1,216 bytes."""
    proxies: Annotated[tuple[Proxy, ...], Field(max_length=MAX_PROXIES)] = ()
    issued_at: Time | None = None
    signature: Signature65 | None = None
    """The account's, over the typed data `Enrolment`."""


class Enrolled(Document):
    """What was logged."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "enrolment": examples.ENROLMENT,
                    "index": examples.INDEX,
                    "sequencedAt": examples.TIME,
                    "receipt": examples.RECEIPT,
                }
            ]
        }
    )

    enrolment: DigestText
    """Commitment: what record statements and the terms of grants name."""
    index: Count
    sequenced_at: Time
    receipt: str
    """The log's signed promise to anchor it."""


class HistoryRequest(Document):
    """What happens to a subject's list of tags."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "rekeyed"}]})

    kind: Literal["rekeyed", "moved"]
    """A new history key; or the same key in the log's new generation."""


class HistoryGoesOn(Document):
    """Where the list goes on, from 0. Give a new key to the patient."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "rekeyed",
                    "origin": examples.ORIGIN,
                    "historyKey": examples.SALT,
                    "index": examples.INDEX,
                    "sequencedAt": examples.TIME,
                    "receipt": examples.RECEIPT,
                }
            ]
        }
    )

    kind: Literal["rekeyed", "moved"]
    origin: str
    history_key: Salt32
    index: Count
    sequenced_at: Time
    receipt: str
