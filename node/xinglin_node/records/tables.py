"""Versions of records, as they were accepted."""

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base


class RecordRow(Base):
    """
    One version of a record.

    `custodian_wrap` is destroyed by erasure together with everything else of the row; the
    entry in the log stays.
    """

    __tablename__ = "records"
    __table_args__ = (
        Index("ix_records_subject_idx", "subject", "generation", "idx"),
        Index("ix_records_author", "author", "idx"),
    )

    record: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[UUID | None]
    """Whose record it is; null if about nobody."""
    generation: Mapped[int]
    index: Mapped[int] = mapped_column("idx")
    """Its entry in the log."""
    manifest: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the record statement."""
    enrolment: Mapped[bytes | None]
    """Commitment of the enrolment it names."""
    blob: Mapped[bytes]
    """Name of the ciphertext."""
    size: Mapped[int]
    category: Mapped[str]
    media_type: Mapped[str]
    claimed_at: Mapped[int]
    author: Mapped[str]
    """Account that attested it."""
    custodian_wrap: Mapped[bytes]
    """The data key, wrapped to the institution: 1,168 bytes."""
    recovery_wrap: Mapped[bytes]
    """The same to the offline recovery recipient."""
    recovery_digest: Mapped[bytes]
    """Key digest of that recovery recipient: it may change over the years."""
    custodian_digest: Mapped[bytes]
    """Key digest of the institution's key at the time."""
    read_record: Mapped[UUID | None]
    """For the output of an inference: the record that was read."""
