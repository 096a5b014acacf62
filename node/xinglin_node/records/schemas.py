"""
What is submitted, and how a batch is framed (docs/spec/node-routes.md).

A batch is `xinglin/batch/v1` 00, then frames until the end:

    subject[16] ‖ u32 length ‖ envelope ‖ u32 length ‖ attestation ‖ u64 length ‖ ciphertext

Envelope and attestation are canonical JSON. One encoding, nothing after the end.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from xinglin.document import Count, DigestText, Document, ShortText, Time, Uuid4
from xinglin.names import SubjectId
from xinglin_node import examples
from xinglin_node.inferences.schemas import LOGGED, LoggedInference
from xinglin_node.problems import Malformed, RuleBroken, body_of

BATCH_LABEL = b"xinglin/batch/v1\x00"
"""First bytes of a batch; the format's version is in them."""

BATCH_MEDIA_TYPE = "application/vnd.xinglin.batch"

_ACCEPTED: dict[str, Any] = {
    "index": examples.INDEX,
    "sequencedAt": examples.TIME,
    "manifest": examples.MANIFEST,
    "receipt": examples.RECEIPT,
    "correction": None,
}
_REFUSED: dict[str, Any] = body_of(RuleBroken("a subject that is known here", "another"))
_LISTED: dict[str, Any] = {
    "record": examples.RECORD,
    "version": 1,
    "subject": examples.SUBJECT,
    "manifest": examples.MANIFEST,
    "blob": examples.BLOB,
    "size": 4384,
    "category": "outpatient-note",
    "mediaType": "text/plain; charset=utf-8",
    "claimedAt": examples.TIME,
    "generation": 0,
    "index": examples.INDEX,
    "state": "sequenced",
}
_TAKEN_IN: dict[str, Any] = {
    "record": examples.RECORD,
    "version": 1,
    "accepted": _ACCEPTED,
    "inference": LOGGED | {"accessIndex": None},
    "skipped": None,
}

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Frame:
    """One submission of a batch, as it came."""

    subject: SubjectId
    envelope: bytes
    attestation: bytes
    ciphertext: bytes


class AcceptedCorrection(Document):
    """A correction that is on disk, with the version that it puts in place."""

    index: Count
    """Its entry in the log."""
    receipt: str


class Accepted(Document):
    """A submission that is on disk."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                _ACCEPTED,
                _ACCEPTED | {"correction": {"index": 42, "receipt": examples.RECEIPT}},
            ]
        }
    )

    index: Count
    """Its entry in the log."""
    sequenced_at: Time
    manifest: DigestText
    receipt: str
    """The log's signed promise to anchor it."""
    correction: AcceptedCorrection | None = None
    """Where the correction stands that came with it."""


class BatchItem(Document):
    """What became of one submission of a batch, in the order in which they came."""

    status: int
    """As the single route would answer: 201, 200 for the same again, or a refusal."""
    accepted: Accepted | None = None
    problem: dict[str, str] | None = None
    """`type`, `expected` and `got`, as the single route would answer."""


class BatchAnswer(Document):
    """What became of a batch: all accepted ones are durable together."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {"status": 201, "accepted": _ACCEPTED, "problem": None},
                        {
                            "status": 422,
                            "accepted": None,
                            "problem": {key: _REFUSED[key] for key in ("type", "expected", "got")},
                        },
                    ]
                }
            ]
        }
    )

    results: tuple[BatchItem, ...]


class ListedRecord(Document):
    """One version of a record, as its subject and care staff see it."""

    record: Uuid4
    version: Annotated[int, Field(ge=1)]
    subject: Uuid4 | None
    manifest: DigestText
    blob: DigestText
    size: Count
    category: ShortText
    media_type: ShortText
    claimed_at: Time
    generation: Count
    """Which log of the custodian, 0 unless a vote retired one."""
    index: Count
    state: Literal["sequenced", "anchored", "final"]


class RecordList(Document):
    """A page of records, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"records": [_LISTED], "next": 42},
                {"records": [_LISTED], "next": None},
            ]
        }
    )

    records: tuple[ListedRecord, ...]
    next: Count | None
    """Pass it as `from` for the next page; null at the end."""


class IntakeAnswer(Document):
    """A record that the node sealed, and what its method found in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                _TAKEN_IN,
                _TAKEN_IN | {"inference": None, "skipped": "no method reads image/png"},
            ]
        }
    )

    record: Uuid4
    version: Annotated[int, Field(ge=1)]
    accepted: Accepted
    inference: LoggedInference | None
    """What was found and logged; null where no approved method reads this media type."""
    skipped: str | None
    """Why there is no inference."""


def split_batch(body: bytes, *, limit: int) -> Sequence[Frame]:
    """Parse a batch. Raises `Malformed`; an empty batch is refused, it would say nothing."""
    if not body.startswith(BATCH_LABEL):
        raise Malformed(f"a body that begins with {BATCH_LABEL[:-1].decode()}", "another")
    frames = list(_frames(memoryview(body), len(BATCH_LABEL), limit))
    if not frames:
        raise Malformed("at least one submission", "none")
    return frames


def join_batch(frames: Sequence[Frame]) -> bytes:
    """Write a batch."""
    parts = [BATCH_LABEL]
    for frame in frames:
        parts += (
            frame.subject.bytes,
            _U32.pack(len(frame.envelope)),
            frame.envelope,
            _U32.pack(len(frame.attestation)),
            frame.attestation,
            _U64.pack(len(frame.ciphertext)),
            frame.ciphertext,
        )
    return b"".join(parts)


def _frames(body: memoryview, at: int, limit: int) -> Iterator[Frame]:
    count = 0
    while at < len(body):
        count += 1
        if count > limit:
            raise Malformed(f"at most {limit} submissions", "more")
        subject, at = _take(body, at, 16)
        envelope, at = _take_sized(body, at, _U32)
        attestation, at = _take_sized(body, at, _U32)
        ciphertext, at = _take_sized(body, at, _U64)
        yield Frame(SubjectId(UUID(bytes=subject)), envelope, attestation, ciphertext)


def _take_sized(body: memoryview, at: int, length: struct.Struct) -> tuple[bytes, int]:
    raw, at = _take(body, at, length.size)
    return _take(body, at, length.unpack(raw)[0])


def _take(body: memoryview, at: int, count: int) -> tuple[bytes, int]:
    end = at + count
    if end > len(body):
        raise Malformed("a whole submission", "one that is cut short")
    return bytes(body[at:end]), end
