"""Deposited grants, and the ids that were stopped before the chain had it."""

from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base


class GrantRow(Base):
    """A grant whose terms are known here. Its state is the chain's, and is asked there."""

    __tablename__ = "grants"
    __table_args__ = (
        Index("ix_grants_subject", "subject"),
        Index("ix_grants_grantee_member", "grantee_member"),
    )

    id: Mapped[bytes] = mapped_column(primary_key=True)
    subject: Mapped[UUID]
    grantor: Mapped[str]
    """The fresh account; the node's WITNESS account for a witnessed grant."""
    how: Mapped[str]
    """`signed` or `witnessed`."""
    terms: Mapped[bytes]
    """The very bytes whose digest the chain has."""
    not_before: Mapped[int]
    expires_at: Mapped[int]
    grantee_member: Mapped[int]
    generation: Mapped[int]
    index: Mapped[int] = mapped_column("idx")
    """Where the deposit stands in the log."""


class StopRow(Base):
    """A validly signed revocation that this node was shown (I5). Never deleted."""

    __tablename__ = "stops"

    grant_id: Mapped[bytes] = mapped_column(primary_key=True)
    signature: Mapped[bytes]
    shown_at: Mapped[int]
