"""Finding entries, and what lets a caller have their bundles."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from xinglin.hashes import Digest
from xinglin.names import Address
from xinglin_node.access.tables import ReleaseRow, RequestRow
from xinglin_node.bundles.tables import DisclosureRow
from xinglin_node.records.tables import RecordRow


def record_with_manifest(session: Session, manifest: Digest) -> RecordRow | None:
    """The version of a record that has this manifest."""
    return session.scalars(
        select(RecordRow).where(RecordRow.manifest == manifest.value)
    ).one_or_none()


def record_at(session: Session, generation: int, index: int) -> RecordRow | None:
    """The version of a record whose entry this is."""
    return session.scalars(
        select(RecordRow).where(RecordRow.generation == generation, RecordRow.index == index)
    ).one_or_none()


def asked_by(session: Session, generation: int, index: int, account: Address) -> bool:
    """Whether `account` made the request whose access or refusal entry this is."""
    found = session.scalar(
        select(RequestRow.id)
        .where(
            RequestRow.account == account,
            RequestRow.generation == generation,
            or_(RequestRow.access_index == index, RequestRow.refusal_index == index),
        )
        .limit(1)
    )
    return found is not None


def any_released(session: Session, account: Address, record: UUID) -> bool:
    """Whether any version of a record was released to `account`."""
    found = session.scalar(
        select(ReleaseRow.position)
        .where(ReleaseRow.record == record, ReleaseRow.account == account)
        .limit(1)
    )
    return found is not None


def of_kind(session: Session, subject: UUID, kind: str) -> list[DisclosureRow]:
    """Every entry of a subject of one type of statement, in the order of the log."""
    return list(
        session.scalars(
            select(DisclosureRow)
            .where(DisclosureRow.subject == subject, DisclosureRow.kind == kind)
            .order_by(DisclosureRow.generation, DisclosureRow.index)
        )
    )
