"""
Taking submissions and answering for them, and showing what is kept.

What a submission must be is in `checks` and `corrections`, what the database must say in
`taking`.

A batch is one unit: what is accepted is durable together, what is refused says why and
takes nobody with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from xinglin.errors import XinglinError
from xinglin.hashes import Digest
from xinglin.names import Address, RecordId, SubjectId, UnixTime
from xinglin_node.authority import Appointed
from xinglin_node.blobs.store import ReceivedBlob
from xinglin_node.house import NodeHouse
from xinglin_node.log.service import entry_status, logged_receipt, receipt_of
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.unit import Sequenced, Write
from xinglin_node.problems import STATUS, TYPE_PREFIX, RuleBroken, problem_of
from xinglin_node.records.checks import Submission, check_submission
from xinglin_node.records.corrections import (
    ShownCorrection,
    accepted_correction,
    check_correction,
    log_correction,
)
from xinglin_node.records.repository import (
    list_records,
    read_record,
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
from xinglin_node.records.taking import Outcome, take

PAGE = 200
"""Records in one page of a list."""

PLACES = 1 << 40
"""Indices in one generation of a log (CheckpointRegistry): `from` counts through them all."""


def submit(
    house: NodeHouse,
    author: Appointed,
    *,
    subject: SubjectId,
    envelope: bytes,
    attestation: bytes,
    blob: ReceivedBlob,
    correction: ShownCorrection | None = None,
) -> tuple[Accepted, bool]:
    """
    Take one submission, and what it corrects. Returns the receipts, and whether it is new.

    Raises `InvalidEncoding`, `SignatureError`, or a problem; a refused blob is deleted.
    """
    try:
        submission = check_submission(
            house,
            author.account,
            subject=subject,
            envelope=envelope,
            attestation=attestation,
            blob=blob,
        )
        if correction is not None:
            checked = check_correction(
                house,
                author,
                correction,
                record=submission.record,
                manifest=submission.manifest,
            )
            submission = replace(submission, correction=checked)
        house.blobs.keep(blob)
        outcome, corrected = house.writer.submit(
            lambda write: _take_with_correction(write, house, submission), weight=2
        ).result()
    finally:
        house.blobs.settle(blob)
    accepted = _accepted(house, submission.manifest, outcome)
    if corrected is not None:
        shown = accepted_correction(house, corrected)
        accepted = accepted.model_copy(update={"correction": shown})
    return accepted, isinstance(outcome, Sequenced)


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


def _take_with_correction(
    write: Write, house: NodeHouse, submission: Submission
) -> tuple[Sequenced | EntryRow, Sequenced | EntryRow | None]:
    """One submission and its correction, in one unit: neither stands without the other."""
    outcome = take(write, house, [submission])[0]
    if isinstance(outcome, XinglinError):
        raise outcome
    if submission.correction is None:
        return outcome, None
    fresh = isinstance(outcome, Sequenced)
    return outcome, log_correction(write, submission.correction, submission.subject, fresh=fresh)


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
