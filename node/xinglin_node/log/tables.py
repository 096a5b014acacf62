"""
Entries, tiles, disclosures and the counters of histories.

What everyone may see (entries, tiles) and what only those concerned may see (disclosures,
histories) are apart, so that an erasure deletes rows of the second kind and touches none
of the first. An entry's state is not stored with it: it follows from the checkpoints
that cover it (`xinglin_node.anchoring`), so anchoring a million entries changes one row.
"""

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base, BigInt


class EntryRow(Base):
    """One leaf. Public, and says nothing by itself."""

    __tablename__ = "entries"

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Which log of this member."""
    index: Mapped[int] = mapped_column("idx", primary_key=True, autoincrement=False)
    """Position in the log, from zero."""
    entry: Mapped[bytes]
    """tag ‖ commitment, 64 bytes."""
    sequenced_at: Mapped[int]
    """When the node acknowledged it."""


class TileRow(Base):
    """
    Up to 256 hashes of one level of the tree (C2SP tlog-tiles).

    Complete tiles of every level; incomplete ones of levels above zero, whose row grows
    once in 256 entries. The incomplete tile of level zero is read from the entries.
    """

    __tablename__ = "tiles"

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes]


class DisclosureRow(Base):
    """What opens one entry: shown to those whom it concerns, and deleted by erasure."""

    __tablename__ = "disclosures"
    __table_args__ = (
        Index("ix_disclosures_subject_idx", "subject", "generation", "idx"),
        Index("ix_disclosures_commitment", "commitment"),
    )

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column("idx", primary_key=True, autoincrement=False)
    commitment: Mapped[bytes]
    """Second half of the entry, by which enrolments are named."""
    kind: Mapped[str]
    """Statement type: `record`, `access`, …"""
    attestation: Mapped[bytes]
    """Canonical attestation."""
    salt: Mapped[bytes]
    subject: Mapped[UUID | None]
    """Whose history it belongs to; null if about nobody."""
    n: Mapped[int | None]
    """Counter of its tag in that history."""
    history: Mapped[int | None]
    """`HistoryRow.id` under whose key the tag was made."""
    reason: Mapped[str | None]
    """Free text outside the commitment, so that it can go."""
    reason_salt: Mapped[bytes | None]


class HistoryRow(Base):
    """One history key of one subject under one origin, with its counter."""

    __tablename__ = "histories"
    __table_args__ = (Index("ix_histories_subject", "subject", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    subject: Mapped[UUID]
    key: Mapped[bytes]
    """32 random bytes."""
    digest: Mapped[bytes]
    """The history digest of the key."""
    origin: Mapped[str]
    counter: Mapped[int] = mapped_column(default=0)
    """The next tag's n."""
    current: Mapped[bool] = mapped_column(default=True)
    """One row of a subject is current: the newest."""
