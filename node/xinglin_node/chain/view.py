"""
Questions to the chain, answered at the final view from the node's tables.

    view = final_view(session)
    standing = standing_of(session, digest, officer, member, at=view.time)

All of these read one session's consistent state, so that the answers of one decision
belong to one view.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.appointment import Standing
from xinglin.grant import GrantState, How
from xinglin.names import Address, GrantId, Member, UnixTime
from xinglin_node.chain.tables import (
    AccountRow,
    CheckpointRow,
    GrantRow,
    MemberRow,
    MemberStatusRow,
    ViewRow,
    WithdrawalRow,
)
from xinglin_node.problems import ViewTooOld

POWER_GOVERN, POWER_ANCHOR, POWER_APPOINT, POWER_WITNESS = 1, 2, 4, 8
"""Powers of an account (DESIGN 3.1)."""

STATUS_ACTIVE = 1
"""A member's status while it belongs (IConsortium)."""

MODEL_APPROVED = 2
"""A model's status once hospitals approved it (IModelRegistry)."""


_HOW: Mapping[int, How] = {1: "signed", 2: "witnessed"}
_REVOKED_BY: Mapping[int, Literal["nobody", "grantor", "witness", "govern"]] = {
    0: "nobody",
    1: "grantor",
    2: "witness",
    3: "govern",
}


@dataclass(frozen=True, slots=True)
class FinalView:
    """The final block up to which the node knows the chain."""

    number: int
    hash: bytes
    time: UnixTime
    """The block's timestamp."""
    head_time: UnixTime
    """The newest block's timestamp."""
    seen_at: UnixTime
    """Wall clock when the chain last answered."""


def final_view(session: Session) -> FinalView:
    """The final view. Raises `ViewTooOld` before the indexer has seen the chain at all."""
    row = session.get(ViewRow, 1)
    if row is None:
        raise ViewTooOld("a view of the chain", "none yet", retry_after=5)
    return FinalView(
        row.number, row.hash, UnixTime(row.time), UnixTime(row.head_time), UnixTime(row.seen_at)
    )


def grant_of(session: Session, grant_id: GrantId) -> GrantState | None:
    """A grant as the chain has it, or none."""
    row = session.get(GrantRow, grant_id)
    if row is None:
        return None
    return GrantState(
        custodian=row.custodian,
        grantor=row.grantor,
        terms_digest=row.terms_digest,
        given_at=row.given_at,
        not_before=row.not_before,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        how=_HOW[row.how],
        revoked_by=_REVOKED_BY[row.revoked_by],
    )


def member_of(session: Session, member: Member) -> MemberRow | None:
    """A member, or none."""
    return session.get(MemberRow, member)


def member_active(session: Session, member: Member, at: UnixTime) -> bool:
    """Whether the member was active at `at`."""
    status = session.scalar(
        select(MemberStatusRow.status)
        .where(MemberStatusRow.member == member, MemberStatusRow.since <= at)
        .order_by(MemberStatusRow.since.desc())
        .limit(1)
    )
    return status == STATUS_ACTIVE


def powers_of(session: Session, address: Address, at: UnixTime) -> tuple[Member | None, int]:
    """Member and powers of an account at `at`; (None, 0) for one that had none then."""
    row = session.get(AccountRow, address)
    if row is None or at < row.since or (row.until and at >= row.until):
        return None, 0
    return Member(row.member), row.powers


def standing_of(
    session: Session, digest: bytes, officer: Address, member: Member, *, at: UnixTime
) -> Standing:
    """
    What the chain says at `at` of an appointment and of those behind it.

    `digest` is the appointment's, `officer` who signed it; for `check_appointment`.
    """
    signer, powers = powers_of(session, officer, at)
    withdrawal = session.get(WithdrawalRow, (member, digest))
    return Standing(
        signer_member=signer if powers & POWER_APPOINT else None,
        member_active=member_active(session, member, at),
        withdrawn_at=UnixTime(withdrawal.at if withdrawal else 0),
    )


def first_checkpoint_above(
    session: Session, member: Member, generation: int, index: int
) -> CheckpointRow | None:
    """The first final checkpoint that covers `index`, or none."""
    return session.scalars(
        select(CheckpointRow)
        .where(
            CheckpointRow.member == member,
            CheckpointRow.generation == generation,
            CheckpointRow.size > index,
        )
        .order_by(CheckpointRow.size)
        .limit(1)
    ).one_or_none()
