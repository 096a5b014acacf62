"""
The chain's present state, as of the final view, and the outbox.

Each row remembers the block at which it was read, so that the indexer can read again what
a lost block had changed. Nothing here is personal: it is all on the chain.
"""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.database import Base, BigInt


class ViewRow(Base):
    """The final view up to which events were applied: one row, with id 1."""

    __tablename__ = "chain_view"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[bytes]
    time: Mapped[int]
    """The block's timestamp."""
    head_number: Mapped[int]
    head_time: Mapped[int]
    """Timestamp of the newest block, final or not: what the wall clock is held against."""
    seen_at: Mapped[int]
    """Wall clock when the chain last answered."""


class BlockRow(Base):
    """Hashes of the final blocks at which state was read: where to step back to."""

    __tablename__ = "chain_blocks"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]
    time: Mapped[int]


class MemberRow(Base):
    """A member of the consortium."""

    __tablename__ = "members"

    member: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[int]
    name: Mapped[str]
    url: Mapped[str]
    log_key: Mapped[bytes]
    key_digest: Mapped[bytes]
    generation: Mapped[int]
    """The member's current log."""
    frozen: Mapped[bool]
    block: Mapped[int]


class MemberStatusRow(Base):
    """From when a member had which status; never overwritten."""

    __tablename__ = "member_statuses"

    member: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[int]
    block: Mapped[int]


class AccountRow(Base):
    """An account of a member, with its powers, from when until when."""

    __tablename__ = "accounts"

    address: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[int]
    powers: Mapped[int]
    since: Mapped[int]
    until: Mapped[int]
    """0 while it has no end."""
    block: Mapped[int]


class WithdrawalRow(Base):
    """An appointment that was withdrawn."""

    __tablename__ = "withdrawals"

    member: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    at: Mapped[int]
    block: Mapped[int]


class GrantRow(Base):
    """A grant, as the chain has it; the terms are off chain."""

    __tablename__ = "chain_grants"

    grant_id: Mapped[bytes] = mapped_column(primary_key=True)
    custodian: Mapped[int]
    grantor: Mapped[str]
    terms_digest: Mapped[bytes]
    how: Mapped[int]
    """1 signed, 2 witnessed."""
    given_at: Mapped[int]
    not_before: Mapped[int]
    expires_at: Mapped[int]
    revoked_at: Mapped[int]
    """0 while it stands."""
    revoked_by: Mapped[int]
    block: Mapped[int]


class ModelRow(Base):
    """A model manifest that was registered."""

    __tablename__ = "chain_models"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    predecessor: Mapped[bytes]
    registrar: Mapped[int]
    status: Mapped[int]
    """1 proposed, 2 approved, 3 retired, 4 withdrawn."""
    since: Mapped[int]
    """When the status began."""
    block: Mapped[int]


class CheckpointRow(Base):
    """A checkpoint that some log anchored, in a final block."""

    __tablename__ = "chain_checkpoints"

    member: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    time: Mapped[int]
    """Block time of the anchor."""
    block: Mapped[int]
    """Block number of the anchor."""


class AnchorRow(Base):
    """
    One checkpoint of our own log on its way to the chain: the outbox of the anchor worker.

    Kept from the moment it is decided until it is final. `block` is null until mined;
    a row whose block was lost goes back to null and is sent again.
    """

    __tablename__ = "anchors"
    __table_args__ = (Index("ix_anchors_final", "generation", "final_at"),)

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    decided_at: Mapped[int]
    sent_at: Mapped[int | None]
    transaction: Mapped[bytes | None]
    """Hash of the newest transaction that carried it."""
    raw: Mapped[bytes | None]
    """Its signed bytes, on disk before they leave: sent again they take effect once."""
    nonce: Mapped[int | None]
    block: Mapped[int | None]
    block_hash: Mapped[bytes | None]
    time: Mapped[int | None]
    """Time of the block that anchored it."""
    anchored_at: Mapped[int | None]
    """Wall clock when the node saw it mined."""
    final_at: Mapped[int | None]
    """Wall clock when the node saw it final."""


class OutboxRow(Base):
    """
    A transaction that must reach the chain: relayed revocations, grants, witnessed grants.

    Payload and addressee are all the chain will see anyway. Sent by the sender of `account`
    in order of `id`; done once final, or once a final view refuses it for good.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_state_id", "state", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """What it does, so that the same is never queued twice: `revoke:<grant id hex>`."""
    account: Mapped[str]
    """Which of the node's accounts sends it: `anchor` or `witness`."""
    to: Mapped[str]
    payload: Mapped[bytes]
    not_before: Mapped[int]
    """Wall clock before which it is not sent (DESIGN 3.8)."""
    state: Mapped[str]
    """waiting, sent, final, refused."""
    transaction: Mapped[bytes | None]
    """Hash of the newest transaction that carried it."""
    raw: Mapped[bytes | None]
    """Its signed bytes, on disk before they leave."""
    nonce: Mapped[int | None]
    block: Mapped[int | None]
    """Where it was mined; forgotten when that block is lost."""
    error: Mapped[str | None]
    """Name of the contract's error that refused it."""
    created_at: Mapped[int]
