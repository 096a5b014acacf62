"""
Following the chain to its final block.

Events only say what to look at: the facts are then read from the contracts at the final
view, so a table row is what anyone could read there, and never a sum of events.

One step:

1. Ask for the final view and the newest block.
2. Compare the blocks that were applied with the chain's. Where one is gone, step back to
   the newest that both have, and read again everything that was read since (I3).
3. Find what the blocks in between touched, from the events of the four contracts, as a node
   has them whose chain has the final view: one that is behind would leave some out for good.
4. Read all of it at the final view, by the view's hash: a reorganisation in the middle is an
   error of this step, not a mixed state.
5. Write it, with the view, in one unit of work.
"""

import logging
from dataclasses import dataclass, field

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from xinglin._chain.answers import View, view_of
from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.consortium import Consortium, MemberRecord
from xinglin._chain.contract import Log
from xinglin._chain.models import Models
from xinglin._chain.rpc import RpcPool
from xinglin.grant import GrantState
from xinglin.hashes import Digest
from xinglin.names import GrantId, Member, UnixTime
from xinglin_node.access.repository import forget_wraps_of
from xinglin_node.chain.tables import (
    AccountRow,
    AnchorRow,
    BlockRow,
    CheckpointRow,
    GrantRow,
    MemberRow,
    MemberStatusRow,
    ModelRow,
    OutboxRow,
    ViewRow,
    WithdrawalRow,
)
from xinglin_node.house import NodeHouse
from xinglin_node.log.unit import Write

_logger = logging.getLogger(__name__)

BLOCKS_AT_ONCE = 5_000
"""Blocks in one step while catching up: keeps a unit of work short."""

BLOCKS_KEPT = 10_000
"""Applied blocks whose hashes are kept, to step back to."""

QUIET_SECONDS = 5
"""An unchanged view is written this often, so that its age is known and the disk is not busy."""

_HOW = {"signed": 1, "witnessed": 2}
_REVOKED_BY = {"nobody": 0, "grantor": 1, "witness": 2, "govern": 3}


@dataclass(slots=True)
class _Touched:
    """What some blocks touched, each with the newest block that did."""

    members: dict[Member, int] = field(default_factory=dict[Member, int])
    withdrawals: dict[tuple[Member, bytes], int] = field(
        default_factory=dict[tuple[Member, bytes], int]
    )
    grants: dict[GrantId, int] = field(default_factory=dict[GrantId, int])
    models: dict[bytes, int] = field(default_factory=dict[bytes, int])
    checkpoints: list[CheckpointRow] = field(default_factory=list[CheckpointRow])


@dataclass(slots=True)
class _Read:
    """What the contracts say of it at the final view; None where there is nothing any more."""

    members: dict[Member, MemberRecord | None]
    withdrawals: dict[tuple[Member, bytes], UnixTime]
    grants: dict[GrantId, GrantState | None]
    models: dict[bytes, ModelRow | None]


class Indexer:
    """Keeps the tables at the final view. One thread steps it."""

    def __init__(self, house: NodeHouse, pool: RpcPool) -> None:
        self._house = house
        self._pool = pool
        self._consortium = Consortium(pool)
        self._checkpoints = Checkpoints(pool)
        self._consents = Consents(pool)
        self._models = Models(pool)
        self._times: dict[bytes, UnixTime] = {}

    def step(self) -> bool:
        """
        Apply what became final. Returns whether there is more to apply at once.

        Raises `ChainError` and `Unreachable`; nothing was applied then.
        """
        # 1.
        final, head = self._pool.final_view(), self._pool.head()
        with self._house.database.reading() as session:
            known = session.get(ViewRow, 1)
            applied = self._start() - 1 if known is None else known.number
            # 2.
            back_to = applied if known is None else self._common(session, known, final)
            stepped_back = back_to < applied
            touched = self._read_since(session, back_to) if stepped_back else _Touched()
        if stepped_back:
            _logger.warning("final blocks were lost", extra={"from": applied, "to": back_to})
        elif known is not None and final.number <= known.number:
            self._write_quiet(known, head)
            return False
        # 3.
        target = final
        if final.number - back_to > BLOCKS_AT_ONCE:
            target = self._pool.view_at(back_to + BLOCKS_AT_ONCE, on=final)
        if target.number > back_to:
            self._find_touched(touched, back_to + 1, target)
        # 4.
        found = self._read_at(touched, target)

        # 5.
        def work(write: Write) -> None:
            if stepped_back:
                _forget_since(write.session, back_to)
            now = self._house.now()
            _apply(write.session, touched, found)
            _finish_anchors(write.session, self._house.member, touched.checkpoints, now)
            _write_view(write.session, target, head, now)

        self._house.writer.submit(work).result()
        return target.number < final.number

    def _start(self) -> int:
        contracts = self._pool.profile.deployed
        return min(contract.block for _, contract in contracts.items())

    def _common(self, session: Session, known: ViewRow, final: View) -> int:
        """
        The newest applied block that the chain of the final view still has.

        The view known may be above it: where a node fell silent and the others are behind,
        nothing was lost, and where a node of that chain shows another block, it was.
        """
        if final.hash == known.hash or self._pool.stands(known.number, known.hash, on=final):
            return known.number
        rows = session.scalars(
            select(BlockRow)
            .where(BlockRow.number <= min(known.number, final.number))
            .order_by(BlockRow.number.desc())
        )
        for row in rows:
            if self._pool.stands(row.number, row.hash, on=final):
                return row.number
        return self._start() - 1

    def _write_quiet(self, known: ViewRow, head: View) -> None:
        now = self._house.now()
        if now - known.seen_at < QUIET_SECONDS and head.number <= known.head_number:
            return

        def work(write: Write) -> None:
            row = write.session.get(ViewRow, 1)
            if row is not None:
                row.seen_at, row.head_number, row.head_time = now, head.number, head.time

        self._house.writer.submit(work).result()

    def _find_touched(self, touched: _Touched, first: int, at: View) -> None:
        for log in self._consortium.logs(first=first, at=at):
            member = log.fields.get("member")
            if log.event == "AppointmentWithdrawn":
                key = (Member(int(log.fields["member"])), bytes(log.fields["digest"]))
                touched.withdrawals[key] = log.block
            elif member is not None:
                touched.members[Member(int(member))] = log.block
        for log in self._consents.logs(first=first, at=at):
            if "grantId" in log.fields:
                touched.grants[GrantId(bytes(log.fields["grantId"]))] = log.block
        for log in self._models.logs(first=first, at=at):
            if "digest" in log.fields:
                touched.models[bytes(log.fields["digest"])] = log.block
        for log in self._checkpoints.logs(first=first, at=at):
            if log.event == "CheckpointAnchored":
                touched.checkpoints.append(self._checkpoint(log))

    def _checkpoint(self, log: Log) -> CheckpointRow:
        if log.block_hash not in self._times:
            if len(self._times) > BLOCKS_AT_ONCE:
                self._times.clear()
            # By hash: another node may have another block of that number.
            self._times[log.block_hash] = view_of(self._pool.block(log.block_hash)).time
        return CheckpointRow(
            member=int(log.fields["member"]),
            generation=int(log.fields["generation"]),
            size=int(log.fields["size"]),
            root=bytes(log.fields["root"]),
            time=self._times[log.block_hash],
            block=log.block,
        )

    def _read_since(self, session: Session, block: int) -> _Touched:
        """Everything that was read from blocks after `block`."""
        touched = _Touched()
        for member in session.scalars(select(MemberRow).where(MemberRow.block > block)):
            touched.members[Member(member.member)] = block
        for row in session.scalars(select(WithdrawalRow).where(WithdrawalRow.block > block)):
            touched.withdrawals[Member(row.member), row.digest] = block
        for grant in session.scalars(select(GrantRow.grant_id).where(GrantRow.block > block)):
            touched.grants[GrantId(grant)] = block
        for model in session.scalars(select(ModelRow.digest).where(ModelRow.block > block)):
            touched.models[model] = block
        return touched

    def _read_at(self, touched: _Touched, view: View) -> _Read:
        return _Read(
            members={
                member: self._consortium.member(member, at=view) for member in touched.members
            },
            withdrawals={
                key: self._consortium.withdrawn_at(*key, at=view) for key in touched.withdrawals
            },
            grants={grant: self._consents.grant(grant, at=view) for grant in touched.grants},
            models={digest: self._model(digest, view) for digest in touched.models},
        )

    def _model(self, digest: bytes, view: View) -> ModelRow | None:
        record = self._models.model(Digest(digest), at=view)
        if record is None:
            return None
        return ModelRow(
            digest=digest,
            predecessor=record.predecessor.value if record.predecessor else bytes(32),
            registrar=record.registrar,
            status=int(record.status),
            since=record.history[-1][1] if record.history else 0,
            block=0,
        )


def _apply(session: Session, touched: _Touched, found: _Read) -> None:
    for member, record in found.members.items():
        _apply_member(session, member, record, touched.members[member])
    for (member, digest), at in found.withdrawals.items():
        if at:
            block = touched.withdrawals[member, digest]
            session.merge(WithdrawalRow(member=member, digest=digest, at=at, block=block))
        else:
            session.execute(
                delete(WithdrawalRow).where(
                    WithdrawalRow.member == member, WithdrawalRow.digest == digest
                )
            )
    for grant, state in found.grants.items():
        _apply_grant(session, grant, state, touched.grants[grant])
    for digest, model in found.models.items():
        if model is None:
            session.execute(delete(ModelRow).where(ModelRow.digest == digest))
        else:
            model.block = touched.models[digest]
            session.merge(model)
    for row in touched.checkpoints:
        session.merge(row)


def _apply_member(session: Session, member: Member, record: MemberRecord | None, at: int) -> None:
    session.execute(delete(MemberStatusRow).where(MemberStatusRow.member == member))
    session.execute(delete(AccountRow).where(AccountRow.member == member))
    if record is None:
        session.execute(delete(MemberRow).where(MemberRow.member == member))
        return
    session.merge(
        MemberRow(
            member=member,
            role=int(record.role),
            name=record.name,
            url=record.url,
            log_key=record.log_key,
            key_digest=record.key_digests[-1][0] if record.key_digests else b"",
            generation=record.generation,
            frozen=record.frozen_at != 0,
            block=at,
        )
    )
    # Two changes within one block have one time: the later one is what holds from then on.
    for since, status in {since: int(status) for status, since in record.statuses}.items():
        session.add(MemberStatusRow(member=member, since=since, status=status, block=at))
    for account in record.accounts:
        session.add(
            AccountRow(
                address=account.address,
                member=member,
                powers=int(account.powers),
                since=account.since,
                until=account.until,
                block=at,
            )
        )


def _apply_grant(session: Session, grant: GrantId, state: GrantState | None, at: int) -> None:
    if state is None:
        session.execute(delete(GrantRow).where(GrantRow.grant_id == grant))
        return
    session.merge(
        GrantRow(
            grant_id=grant,
            custodian=state.custodian,
            grantor=state.grantor,
            terms_digest=state.terms_digest,
            how=_HOW[state.how],
            given_at=state.given_at,
            not_before=state.not_before,
            expires_at=state.expires_at,
            revoked_at=state.revoked_at,
            revoked_by=_REVOKED_BY[state.revoked_by],
            block=at,
        )
    )
    if state.revoked_at:
        # Revocation reaches the key: wraps made under the grant go with it (I5).
        forget_wraps_of(session, grant)


def _forget_since(session: Session, block: int) -> None:
    """Take back what lost blocks held: entries are `sequenced` again, transactions unsent."""
    session.execute(delete(BlockRow).where(BlockRow.number > block))
    session.execute(delete(CheckpointRow).where(CheckpointRow.block > block))
    session.execute(
        update(AnchorRow)
        .where(AnchorRow.block > block)
        .values(block=None, block_hash=None, time=None, anchored_at=None, final_at=None)
    )
    session.execute(
        update(OutboxRow).where(OutboxRow.block > block).values(state="sent", block=None)
    )


def _finish_anchors(
    session: Session, member: Member, checkpoints: list[CheckpointRow], now: UnixTime
) -> None:
    """Our own checkpoints among those that became final."""
    for seen in checkpoints:
        if seen.member != member:
            continue
        row = session.get(AnchorRow, (seen.generation, seen.size))
        if row is None:
            # Sent before this database was restored, or by a process that died in between.
            row = AnchorRow(
                generation=seen.generation, size=seen.size, root=seen.root, decided_at=now
            )
            session.add(row)
        row.block, row.time, row.final_at = seen.block, seen.time, now
        if row.anchored_at is None:
            row.anchored_at = now


def _write_view(session: Session, view: View, head: View, now: UnixTime) -> None:
    session.merge(
        ViewRow(
            id=1,
            number=view.number,
            hash=view.hash,
            time=view.time,
            head_number=head.number,
            head_time=head.time,
            seen_at=now,
        )
    )
    session.merge(BlockRow(number=view.number, hash=view.hash, time=view.time))
    session.execute(delete(BlockRow).where(BlockRow.number < view.number - BLOCKS_KEPT))
