"""Finding records again."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from xinglin.statement import Correction
from xinglin_node.log.tables import DisclosureRow, EntryRow
from xinglin_node.problems import NotFound
from xinglin_node.records.tables import RecordRow

IN_ONE_STATEMENT = 500
"""Values in one IN list: below the limit of every database we use."""


def read_record(session: Session, record: UUID, version: int) -> RecordRow:
    """One version. Raises `NotFound`."""
    row = session.get(RecordRow, (record, version))
    if row is None:
        raise NotFound("a record of this custodian", "none")
    return row


def versions_of(session: Session, records: Collection[UUID]) -> Mapping[UUID, list[RecordRow]]:
    """All versions of these records, oldest first."""
    wanted = list(set(records))
    found: dict[UUID, list[RecordRow]] = {}
    for start in range(0, len(wanted), IN_ONE_STATEMENT):
        rows = session.scalars(
            select(RecordRow)
            .where(RecordRow.record.in_(wanted[start : start + IN_ONE_STATEMENT]))
            .order_by(RecordRow.record, RecordRow.version)
        )
        for row in rows:
            found.setdefault(row.record, []).append(row)
    return found


def list_records(
    session: Session, subject: UUID, *, generation: int, start: int, count: int
) -> Sequence[RecordRow]:
    """Up to `count` versions of a subject's records, from entry `start` of that log on."""
    return session.scalars(
        select(RecordRow)
        .where(
            RecordRow.subject == subject,
            or_(
                RecordRow.generation > generation,
                and_(RecordRow.generation == generation, RecordRow.index >= start),
            ),
        )
        .order_by(RecordRow.generation, RecordRow.index)
        .limit(count)
    ).all()


def entry_of(session: Session, row: RecordRow) -> EntryRow:
    """The entry of a version."""
    entry = session.get(EntryRow, (row.generation, row.index))
    if entry is None:
        raise NotFound("the record's entry", "none")
    return entry


def corrections_of(session: Session, subject: UUID) -> Sequence[DisclosureRow]:
    """Every correction in a subject's records, in the order of the log."""
    return session.scalars(
        select(DisclosureRow)
        .where(DisclosureRow.subject == subject, DisclosureRow.kind == Correction.TYPE)
        .order_by(DisclosureRow.generation, DisclosureRow.index)
    ).all()
