"""
Taking checked submissions into the tables and the log, within one unit of work.

What the database must say (the rest is in `checks` and `corrections`):

1. The subject is registered here and enrolled, and the statement names the enrolment in
   force. A subject that is only registered is refused (FORMATS 6).
2. The same version again with the same manifest by the same author is answered as the
   first time; with anything else it is a conflict.
3. A new version follows the newest: its number is the next, its previous manifest is that
   one's, and the record belongs to the same subject.
4. The version after an inference's output comes with its correction, so that what a model
   said and what stands today are joined without a gap; and a correction changes neither
   category nor media type, for grants are given by them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import insert

from xinglin.errors import XinglinError
from xinglin_node.blobs.store import ReceivedBlob
from xinglin_node.house import NodeHouse
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.unit import PendingEntry, Sequenced, Write
from xinglin_node.problems import Conflict, RuleBroken
from xinglin_node.records.checks import Submission
from xinglin_node.records.repository import entry_of, read_record, versions_of
from xinglin_node.records.tables import RecordRow
from xinglin_node.subjects.repository import all_in_force

Outcome = Sequenced | EntryRow | XinglinError
"""New, known from before, or refused."""


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of a record, as a unit finds it or adds it."""

    version: int
    manifest: bytes
    author: str
    subject: UUID | None
    category: str
    media_type: str
    read_record: UUID | None


@dataclass(slots=True)
class _Known:
    """What a unit knows of the records that it touches, its own new ones included."""

    enrolments: dict[UUID, bytes | None]
    versions: dict[UUID, list[_Version]]
    """For each record what stands, oldest first."""
    places: dict[bytes, Outcome] = field(default_factory=dict[bytes, Outcome])
    """By manifest: what this unit made of it already."""


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
            read_record = known.versions[one.record.record][-1].read_record
            rows.append(_row(write, house, one, outcome, read_record))
            taken.append(one.blob)
    if rows:
        house.blobs.add_rows(write, taken)
        write.session.execute(insert(RecordRow), rows)
    return outcomes


def _known(write: Write, submissions: Sequence[Submission]) -> _Known:
    versions = versions_of(write.session, [one.record.record for one in submissions])
    return _Known(
        enrolments=dict(all_in_force(write.session, [one.subject for one in submissions])),
        versions={
            record: [
                _Version(
                    row.version,
                    row.manifest,
                    row.author,
                    row.subject,
                    row.category,
                    row.media_type,
                    row.read_record,
                )
                for row in rows
            ]
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
    for held in versions:
        if held.version == record.version:
            mine = (one.manifest.value, one.author, one.subject)
            if (held.manifest, held.author, held.subject) != mine:
                raise Conflict("the same content for this record and version", "other content")
            in_this_unit = known.places.get(held.manifest)
            if in_this_unit is not None:
                return in_this_unit
            return entry_of(write.session, read_record(write.session, record.record, held.version))
    if enrolment is None:
        raise RuleBroken("a subject that is enrolled", "one that is registered only")
    if record.enrolment is None or record.enrolment.value != enrolment:
        raise RuleBroken(
            "the enrolment in force",
            "no enrolment" if record.enrolment is None else "another enrolment",
        )
    # 3.
    newest = versions[-1] if versions else None
    if newest is not None and newest.subject != one.subject:
        raise Conflict("a record id of this subject", "one that is taken")
    number = 1 if newest is None else newest.version + 1
    if record.version != number:
        raise Conflict(f"version {number}", str(record.version))
    previous = None if newest is None else newest.manifest
    if (record.previous.value if record.previous else None) != previous:
        raise Conflict("the newest version's manifest as previous", "another")
    # 4.
    if newest is not None:
        _check_what_it_replaces(one, newest)
    sequenced = write.append(
        PendingEntry(attestation=one.attestation, salt=one.salt, kind="record", subject=one.subject)
    )
    versions.append(
        _Version(
            record.version,
            one.manifest.value,
            one.author,
            one.subject,
            record.category,
            record.media_type,
            # So that every version of an output goes when what was read is erased.
            None if newest is None else newest.read_record,
        )
    )
    return sequenced


def _check_what_it_replaces(one: Submission, newest: _Version) -> None:
    if one.correction is None:
        if newest.read_record is not None:
            raise RuleBroken("a correction with the version after an inference's output", "none")
        return
    record = one.record
    if (record.category, record.media_type) != (newest.category, newest.media_type):
        raise RuleBroken(
            f"a correction of category {newest.category} and media type {newest.media_type}",
            "another category or media type",
        )


def _row(
    write: Write,
    house: NodeHouse,
    one: Submission,
    sequenced: Sequenced,
    read_record: UUID | None,
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
        "read_record": read_record,
    }
