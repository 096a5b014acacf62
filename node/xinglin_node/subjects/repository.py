"""Files and enrolments."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin_node.log.tables import HistoryRow
from xinglin_node.problems import NotFound, RuleBroken
from xinglin_node.subjects.tables import EnrolmentRow, SubjectRow


def read_subject(session: Session, subject: UUID) -> SubjectRow:
    """One file. Raises `NotFound`."""
    row = session.get(SubjectRow, subject)
    if row is None:
        raise NotFound("a file of this institution", "none")
    return row


def in_force(session: Session, subject: UUID) -> EnrolmentRow | None:
    """The enrolment in force, or none before the first. Raises `NotFound`."""
    row = read_subject(session, subject)
    return None if row.enrolment is None else session.get(EnrolmentRow, row.enrolment)


def require_in_force(session: Session, subject: UUID) -> EnrolmentRow:
    """The enrolment in force. Raises `RuleBroken` before the first (FORMATS 6)."""
    row = in_force(session, subject)
    if row is None:
        raise RuleBroken("a subject that is enrolled", "one that is registered only")
    return row


def all_in_force(session: Session, subjects: Iterable[UUID]) -> Mapping[UUID, bytes | None]:
    """Commitments in force of many subjects; None before the first, absent if unknown."""
    wanted = list(set(subjects))
    found: dict[UUID, bytes | None] = {}
    for start in range(0, len(wanted), 500):
        rows = session.execute(
            select(SubjectRow.id, EnrolmentRow.commitment)
            .outerjoin(EnrolmentRow, EnrolmentRow.id == SubjectRow.enrolment)
            .where(SubjectRow.id.in_(wanted[start : start + 500]))
        )
        found.update((subject, commitment) for subject, commitment in rows)
    return found


def current_history(session: Session, subject: UUID) -> HistoryRow:
    """The history key in use and its counter. Raises `NotFound`."""
    row = session.scalars(
        select(HistoryRow).where(HistoryRow.subject == subject, HistoryRow.current.is_(True))
    ).one_or_none()
    if row is None:
        raise NotFound("a file of this institution", "none")
    return row
