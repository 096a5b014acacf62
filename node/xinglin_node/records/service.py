"""
Taking submissions into the store and the log, in one transaction.

What the database must say (the rest is in `checks`):

1. The subject is registered here and enrolled, and the statement names the enrolment in
   force. A subject that is only registered is refused (FORMATS 6).
2. The same version again with the same manifest by the same author is answered as the
   first time; with anything else it is a conflict.
3. A new version follows the newest: its number is the next, its previous manifest is that
   one's, and the record belongs to the same subject.

A batch is one unit: what is accepted is durable together, what is refused says why and
takes nobody with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from sqlalchemy import insert

from xinglin.errors import XinglinError
from xinglin.hashes import Digest
from xinglin.names import Address, RecordId, SubjectId, UnixTime
from xinglin_node.blobs.store import ReceivedBlob
from xinglin_node.house import NodeHouse
from xinglin_node.log.service import entry_status, logged_receipt, receipt_of
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.writer import PendingEntry, Sequenced, Write
from xinglin_node.problems import STATUS, TYPE_PREFIX, Conflict, RuleBroken, problem_of
from xinglin_node.records.checks import Submission, check_submission
from xinglin_node.records.repository import (
    entry_of,
    list_records,
    read_record,
    versions_of,
)
from xinglin_node.records.schemas import (
    Accepted,
    BatchAnswer,
    BatchItem,
    Frame,
    ListedRecord,
    RecordList,
)
from xinglin_node.records.tables import RecordRow
from xinglin_node.subjects.repository import all_in_force

PAGE = 200
"""Records in one page of a list."""

PLACES = 1 << 40
"""Indices in one generation of a log (CheckpointRegistry): `from` counts through them all."""

Outcome = Sequenced | EntryRow | XinglinError
"""New, known from before, or refused."""


@dataclass(slots=True)
class _Known:
    """What a unit knows of the records that it touches, its own new ones included."""

    enrolments: dict[UUID, bytes | None]
    versions: dict[UUID, list[tuple[int, bytes, str, UUID | None]]]
    """For each record: version, manifest, author and subject, oldest first."""
    places: dict[bytes, Outcome] = field(default_factory=dict[bytes, Outcome])
    """By manifest: what this unit made of it already."""


def submit(
    house: NodeHouse,
    caller: Address,
    *,
    subject: SubjectId,
    envelope: bytes,
    attestation: bytes,
    blob: ReceivedBlob,
) -> tuple[Accepted, bool]:
    """
    Take one submission. Returns the receipt, and whether it is new.

    Raises `InvalidEncoding`, `SignatureError`, or a problem; a refused blob is deleted.
    """
    try:
        submission = check_submission(
            house,
            caller,
            subject=subject,
            envelope=envelope,
            attestation=attestation,
            blob=blob,
        )
        house.blobs.keep(blob)
        outcome = house.writer.submit(lambda write: take(write, house, [submission])).result()[0]
    finally:
        house.blobs.settle(blob)
    if isinstance(outcome, XinglinError):
        raise outcome
    return _accepted(house, submission.manifest, outcome), isinstance(outcome, Sequenced)


def submit_batch(house: NodeHouse, caller: Address, frames: Sequence[Frame]) -> BatchAnswer:
    """Take many submissions in one transaction. Raises `QueueFull` for the batch as a whole."""
    checked: list[Submission | XinglinError] = []
    blobs: list[ReceivedBlob] = []
    try:
        for frame in frames:
            blob = house.blobs.received(frame.ciphertext)
            blobs.append(blob)
            checked.append(_checked(house, caller, frame, blob))
        good = [one for one in checked if isinstance(one, Submission)]
        for one in good:
            house.blobs.keep(one.blob)
        outcomes: Iterator[Outcome] = iter(())
        if good:
            unit = house.writer.submit(lambda write: take(write, house, good), weight=len(good))
            outcomes = iter(unit.result())
    finally:
        for blob in blobs:
            house.blobs.settle(blob)
    return BatchAnswer(
        results=tuple(
            _batch_item(house, one, next(outcomes) if isinstance(one, Submission) else one)
            for one in checked
        )
    )


def take(write: Write, house: NodeHouse, submissions: Sequence[Submission]) -> list[Outcome]:
    """
    Take checked submissions within a unit of work.

    Returns what became of each; a refusal of one is returned, not raised.
    """
    known = _known(write, submissions)
    write.preload([one.subject for one in submissions])
    outcomes: list[Outcome] = []
    rows: list[dict[str, object]] = []
    taken: list[ReceivedBlob] = []
    for one in submissions:
        try:
            outcome = _take_one(write, one, known)
        except XinglinError as error:
            outcomes.append(error)
            continue
        outcomes.append(outcome)
        if isinstance(outcome, Sequenced) and outcome is not known.places.get(one.manifest.value):
            known.places[one.manifest.value] = outcome
            rows.append(_row(write, house, one, outcome))
            taken.append(one.blob)
    if rows:
        house.blobs.add_rows(write, taken)
        write.session.execute(insert(RecordRow), rows)
    return outcomes


def list_for_subject(house: NodeHouse, subject: SubjectId, start: int) -> RecordList:
    """A page of one subject's records."""
    generation, index = divmod(start, PLACES)
    with house.database.reading() as session:
        rows = list_records(session, subject, generation=generation, start=index, count=PAGE + 1)
        listed = tuple(
            ListedRecord(
                record=row.record,
                version=row.version,
                subject=row.subject,
                manifest=Digest(row.manifest),
                blob=Digest(row.blob),
                size=row.size,
                category=row.category,
                media_type=row.media_type,
                claimed_at=row.claimed_at,
                generation=row.generation,
                index=row.index,
                state=entry_status(session, row.generation, row.index).state.value,
            )
            for row in rows[:PAGE]
        )
    return RecordList(records=listed, next=_place(rows[PAGE]) if len(rows) > PAGE else None)


@dataclass(frozen=True, slots=True)
class BlobRange:
    """A range of a blob, ready to be sent."""

    pieces: Iterator[bytes]
    start: int
    length: int
    size: int
    digest: Digest


def read_blob(
    house: NodeHouse, record: RecordId, version: int, wanted: tuple[int | None, int | None] | None
) -> BlobRange:
    """
    A version's ciphertext, or a range of it (RFC 9110, section 14.1.2).

    `wanted` is (first, last), (first, None) or (None, length of the end). Raises
    `NotFound`, and `RuleBroken` for a range outside the blob.
    """
    with house.database.reading() as session:
        row = read_record(session, record, version)
        start, end = _range(wanted, row.size)
        digest = Digest(row.blob)
        pieces = house.blobs.read(session, digest, start, end - start)
    return BlobRange(pieces, start, end - start, row.size, digest)


def _place(row: RecordRow) -> int:
    return row.generation * PLACES + row.index


def _range(wanted: tuple[int | None, int | None] | None, size: int) -> tuple[int, int]:
    if wanted is None:
        return 0, size
    first, last = wanted
    if first is None:
        start, end = max(0, size - (last or 0)), size
    else:
        start, end = first, size if last is None else min(size, last + 1)
    if start >= end:
        raise RuleBroken(f"a range within {size} bytes", "one outside")
    return start, end


def _checked(
    house: NodeHouse, caller: Address, frame: Frame, blob: ReceivedBlob
) -> Submission | XinglinError:
    try:
        return check_submission(
            house,
            caller,
            subject=frame.subject,
            envelope=frame.envelope,
            attestation=frame.attestation,
            blob=blob,
        )
    except XinglinError as error:
        return error


def _known(write: Write, submissions: Sequence[Submission]) -> _Known:
    versions = versions_of(write.session, [one.record.record for one in submissions])
    return _Known(
        enrolments=dict(all_in_force(write.session, [one.subject for one in submissions])),
        versions={
            record: [(row.version, row.manifest, row.author, row.subject) for row in rows]
            for record, rows in versions.items()
        },
    )


def _take_one(write: Write, one: Submission, known: _Known) -> Outcome:
    record = one.record
    # 1.
    if one.subject not in known.enrolments:
        raise RuleBroken("a subject registered here", "an unknown subject")
    enrolment = known.enrolments[one.subject]
    # 2. Before the enrolment is compared: the same again is known even after a re-enrolment.
    versions = known.versions.setdefault(record.record, [])
    for version, manifest, author, subject in versions:
        if version == record.version:
            if (manifest, author, subject) != (one.manifest.value, one.author, one.subject):
                raise Conflict("the same content for this record and version", "other content")
            in_this_unit = known.places.get(manifest)
            if in_this_unit is not None:
                return in_this_unit
            return entry_of(write.session, read_record(write.session, record.record, version))
    if enrolment is None:
        raise RuleBroken("a subject that is enrolled", "one that is registered only")
    if record.enrolment is None or record.enrolment.value != enrolment:
        raise RuleBroken(
            "the enrolment in force",
            "no enrolment" if record.enrolment is None else "another enrolment",
        )
    # 3.
    newest, previous = 0, None
    if versions:
        newest, previous, _, subject = versions[-1]
        if subject != one.subject:
            raise Conflict("a record id of this subject", "one that is taken")
    if record.version != newest + 1:
        raise Conflict(f"version {newest + 1}", str(record.version))
    if (record.previous.value if record.previous else None) != previous:
        raise Conflict("the newest version's manifest as previous", "another")
    sequenced = write.append(
        PendingEntry(attestation=one.attestation, salt=one.salt, kind="record", subject=one.subject)
    )
    versions.append((record.version, one.manifest.value, one.author, one.subject))
    return sequenced


def _row(
    write: Write, house: NodeHouse, one: Submission, sequenced: Sequenced
) -> dict[str, object]:
    record = one.record
    return {
        "record": record.record,
        "version": record.version,
        "subject": one.subject,
        "generation": write.generation,
        "index": sequenced.index,
        "manifest": one.manifest.value,
        "enrolment": record.enrolment.value if record.enrolment else None,
        "blob": record.blob.value,
        "size": record.size,
        "category": record.category,
        "media_type": record.media_type,
        "claimed_at": record.claimed_at,
        "author": one.author,
        "custodian_wrap": one.custodian_wrap,
        "recovery_wrap": one.recovery_wrap,
        "recovery_digest": house.keys.recovery.key_digest,
        "custodian_digest": house.keys.institution.key_digest,
        "read_record": None,
    }


def _accepted(house: NodeHouse, manifest: Digest, outcome: Sequenced | EntryRow) -> Accepted:
    if isinstance(outcome, Sequenced):
        receipt, at = receipt_of(house, outcome), outcome.sequenced_at
    else:
        receipt, at = logged_receipt(house, outcome), UnixTime(outcome.sequenced_at)
    return Accepted(index=outcome.index, sequenced_at=at, manifest=manifest, receipt=receipt)


def _batch_item(house: NodeHouse, one: Submission | XinglinError, outcome: Outcome) -> BatchItem:
    refused = one if isinstance(one, XinglinError) else outcome
    if isinstance(one, XinglinError) or isinstance(refused, XinglinError):
        problem = problem_of(cast(XinglinError, refused))
        return BatchItem(
            status=STATUS[problem.name],
            accepted=None,
            problem={
                "type": TYPE_PREFIX + problem.name,
                "expected": problem.expected,
                "got": problem.got,
            },
        )
    fresh = isinstance(outcome, Sequenced)
    accepted = _accepted(house, one.manifest, cast(Sequenced | EntryRow, outcome))
    return BatchItem(status=201 if fresh else 200, accepted=accepted, problem=None)
