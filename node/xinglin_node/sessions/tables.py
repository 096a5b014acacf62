"""Nonces that were used, for as long as a message with them could be shown again."""

from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base


class UsedNonceRow(Base):
    """One sign-in message that was accepted. Written only after its signature was checked."""

    __tablename__ = "used_nonces"

    nonce: Mapped[str] = mapped_column(primary_key=True)
    ends_at: Mapped[int] = mapped_column(index=True)
    """From then on the nonce is refused by its own end, and the row can go."""
