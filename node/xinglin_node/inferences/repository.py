"""Joining an output to the record that was read."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from xinglin.names import RecordId
from xinglin_node.inferences.tables import RecordRow


def join_output(session: Session, output: RecordId, read: RecordId) -> None:
    """Remember which record an output was read from, so that they are erased together."""
    session.execute(
        update(RecordRow)
        .where(RecordRow.record == output, RecordRow.version == 1)
        .values(read_record=read)
    )


def newest_version(session: Session, record: UUID) -> RecordRow | None:
    """The newest version of a record, or none."""
    return session.scalars(
        select(RecordRow)
        .where(RecordRow.record == record)
        .order_by(RecordRow.version.desc())
        .limit(1)
    ).one_or_none()
