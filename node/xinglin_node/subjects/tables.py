"""
Data subjects and their enrolments.

A subject here is a random number. Which person it is stands in the hospital's own system,
never in this database. History keys and counters are in `log.tables.HistoryRow`.
"""

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base, BigInt


class SubjectRow(Base):
    """One data subject's file at this institution."""

    __tablename__ = "subjects"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[int]
    enrolment: Mapped[int | None]
    """`EnrolmentRow.id` of the enrolment in force; null before the first."""


class EnrolmentRow(Base):
    """One enrolment of a subject; the newest is in force, the others stay readable."""

    __tablename__ = "enrolments"
    __table_args__ = (Index("ix_enrolments_subject_id", "subject", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    subject: Mapped[UUID]
    generation: Mapped[int]
    index: Mapped[int] = mapped_column("idx")
    """Its entry in the log."""
    commitment: Mapped[bytes] = mapped_column(unique=True)
    """Names it in records and in the terms of grants."""
    account: Mapped[str | None] = mapped_column(index=True)
    """The subject's account; null without a device."""
    public_key: Mapped[bytes | None]
    key_digest: Mapped[bytes | None]
    proxies: Mapped[bytes]
    """Canonical JSON: [{"account","until"}]."""
    issued_at: Mapped[int]
    request: Mapped[bytes]
    """Digest of what was submitted, so that the same again is known."""
