"""
The statement itself: subjects and a predicate, in the form of in-toto Statement v1.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

from xinglin import canonical
from xinglin.document import DigestMap, Document
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.hashes import Digest
from xinglin.names import Member, RecordId, UnixTime
from xinglin.statement.predicates import PREDICATES, Correction, Predicate, Record

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
"""`_type` of every statement (in-toto Attestation Framework, Statement v1)."""

_PREDICATE_TYPE = re.compile(r"urn:xinglin:statement:([a-z]+):1")


class Subject(Document):
    """One thing that a statement is about, by its digest."""

    name: Literal["blob", "manifest", "history", "leaf", "grant"]
    digest: DigestMap


@dataclass(frozen=True, slots=True)
class Statement:
    """A typed claim about one or more digests."""

    subject: tuple[Subject, ...]
    """What it is about; never empty."""

    predicate: Predicate
    """What is claimed."""

    def __post_init__(self) -> None:
        if not self.subject:
            raise UsageError("a statement needs a subject")

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(
            {
                "_type": STATEMENT_TYPE,
                "subject": [subject.to_json() for subject in self.subject],
                "predicateType": f"urn:xinglin:statement:{self.predicate.TYPE}:1",
                "predicate": self.predicate.to_json(),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse canonical bytes. Raises `InvalidEncoding`, also for a type we do not know."""
        value = canonical.decode_object(data)
        if set(value) != {"_type", "subject", "predicateType", "predicate"}:
            raise InvalidEncoding("expected _type, subject, predicateType and predicate")
        if value["_type"] != STATEMENT_TYPE:
            raise InvalidEncoding(f"expected a statement of type {STATEMENT_TYPE}")
        predicate_type = value["predicateType"]
        match = _PREDICATE_TYPE.fullmatch(predicate_type if isinstance(predicate_type, str) else "")
        if match is None or match[1] not in PREDICATES:
            raise InvalidEncoding("expected a predicateType urn:xinglin:statement:<type>:1 we know")
        subjects = value["subject"]
        if not isinstance(subjects, list) or not subjects:
            raise InvalidEncoding("expected at least one subject")
        return cls(
            tuple(Subject.from_json(subject) for subject in subjects),
            PREDICATES[match[1]].from_json(value["predicate"]),
        )


def manifest_digest(statement: bytes) -> Digest:
    """Digest of a canonical *record* statement, which is a record's manifest."""
    return Digest.of(statement)


def record_statement(
    *,
    record: RecordId,
    version: int,
    custodian: Member,
    blob: Digest,
    size: int,
    claimed_at: UnixTime,
    category: str,
    media_type: str,
    enrolment: Digest | None = None,
    previous: Digest | None = None,
) -> Statement:
    """State that a version of a record was sealed into `blob`."""
    return Statement(
        (Subject(name="blob", digest=blob),),
        Record(
            record=record,
            version=version,
            previous=previous,
            custodian=custodian,
            enrolment=enrolment,
            blob=blob,
            size=size,
            seal="xinglin.seal/1",
            category=category,
            media_type=media_type,
            claimed_at=claimed_at,
        ),
    )


def correction_statement(
    *, of: Digest, by: Digest, reason: bytes, claimed_at: UnixTime
) -> Statement:
    """
    State that the version with the manifest `by` stands in place of the one with `of`.

    `reason` is the digest of the author's words. Raises `UsageError` where both are the same.
    """
    if of == by:
        raise UsageError("a correction names two versions, got the same twice")
    return Statement(
        (Subject(name="manifest", digest=of),),
        Correction(of=of, by=by, reason=reason, claimed_at=claimed_at),
    )
