"""Reading one subject's histories, and nobody else's."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.hashes import Digest
from xinglin.names import SubjectId
from xinglin_node.audit.tables import DisclosureRow, EntryRow, HistoryRow
from xinglin_node.problems import NotFound


def histories_of(session: Session, subject: SubjectId) -> Sequence[HistoryRow]:
    """Every list of a subject, oldest first."""
    return session.scalars(
        select(HistoryRow).where(HistoryRow.subject == subject).order_by(HistoryRow.id)
    ).all()


def history_named(histories: Sequence[HistoryRow], digest: Digest | None) -> HistoryRow:
    """The list with this digest, or the current one. Raises `NotFound`."""
    for row in reversed(histories):
        if (digest is None and row.current) or (digest is not None and row.digest == digest.value):
            return row
    raise NotFound("a history of yours", "none")


def page_of(
    session: Session, subject: SubjectId, history: int, *, start: int, count: int
) -> Sequence[tuple[DisclosureRow, EntryRow]]:
    """Up to `count` entries of a list from tag `start` on, with what opens them."""
    rows = session.execute(
        select(DisclosureRow, EntryRow)
        .join(
            EntryRow,
            (EntryRow.generation == DisclosureRow.generation)
            & (EntryRow.index == DisclosureRow.index),
        )
        .where(
            DisclosureRow.subject == subject,
            DisclosureRow.history == history,
            DisclosureRow.n >= start,
        )
        .order_by(DisclosureRow.n)
        .limit(count)
    )
    return [(disclosure, entry) for disclosure, entry in rows]
