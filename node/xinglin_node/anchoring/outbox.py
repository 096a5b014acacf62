"""
Other transactions that must reach the chain: revocations, grants, witnessed grants.

They were written with what asked for them. Here they are signed, written again, sent, and
followed until final.

What refuses one counts only as of the final view: the newest block may be lost, and what it
refused be taken by the next. Refused there it says why and is sent no more. What the chain
has already is done, whoever did it. A revocation whose grant the chain does not know waits
for it, and is never given up (I5): somebody may give that grant yet.
"""

import logging
from collections.abc import Mapping

from sqlalchemy import select, update

from xinglin._chain.contract import Call
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Phase, Sender
from xinglin.errors import ChainError, ContractError, WrongChain
from xinglin.names import Address
from xinglin_node.anchoring.delivery import Delivery
from xinglin_node.chain.tables import OutboxRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.unit import Write

_logger = logging.getLogger(__name__)

AT_ONCE = 64
"""Transactions looked after in one step."""

WAITING, SENT, FINAL, REFUSED = "waiting", "sent", "final", "refused"

_DONE = ("ConsentAlreadyGiven", "ConsentAlreadyRevoked")
"""Refusals that say that what was wanted is so."""

_NOT_YET = ("ConsentUnknownGrant", "Revert")
"""Refusals that may pass: no such grant yet, or a node that does not say why."""

RETRY_SECONDS = 5
"""Pause before a transaction that could not be sent is tried again."""

LONGEST_PAUSE = 3_600
"""It grows to this for what is old: a grant may not be given for years, or ever."""

PAUSE_SHARE = 60
"""Part of its age that a transaction pauses."""


class Outbox:
    """Sends and follows. One thread steps it."""

    def __init__(self, house: NodeHouse, pool: RpcPool, senders: Mapping[str, Sender]) -> None:
        self._house = house
        self._pool = pool
        self._senders = senders
        self._delivery = Delivery(house.clock)

    def step(self) -> None:
        """Look after every transaction that is due. Raises `Unreachable`; then ask again."""
        now = self._house.now()
        with self._house.database.reading() as session:
            rows = session.scalars(
                select(OutboxRow)
                .where(OutboxRow.state.in_((WAITING, SENT)), OutboxRow.not_before <= now)
                .order_by(OutboxRow.id)
                .limit(AT_ONCE)
            ).all()
        for row in rows:
            try:
                self._carry(row)
            except WrongChain:
                raise
            except ChainError as error:
                # Of this transaction alone, perhaps: the others must not wait for it.
                _logger.warning("transaction put off", extra={"error": type(error).__name__})
                self._put_off(row)

    def _carry(self, row: OutboxRow) -> None:
        sender = self._senders.get(row.account)
        if sender is None:
            self._mark(row, state=REFUSED, error="NoSuchAccount")
            return
        if row.raw is not None:
            state = self._delivery.follow(sender, row.raw)
            if state is not None and state.phase is not Phase.FINAL:
                return
            if state is not None and state.succeeded:
                self._mark(row, state=FINAL, block=state.block.number if state.block else None)
                return
        self._send(row, sender)

    def _send(self, row: OutboxRow, sender: Sender) -> None:
        try:
            signed = sender.build_and_sign(Call(Address(row.to), row.payload))
        except ContractError:
            self._judge(row, sender)
            return

        def work(write: Write) -> bool:
            kept = write.session.get(OutboxRow, row.id)
            if kept is None or kept.state not in (WAITING, SENT):
                return False  # taken back meanwhile
            kept.raw, kept.transaction, kept.nonce = signed.raw, signed.hash, signed.nonce
            kept.state = SENT
            return True

        if not self._house.writer.submit(work).result():
            return
        try:
            self._delivery.send(sender, signed)
        except ChainError as error:
            _logger.warning("transaction not sent", extra={"error": type(error).__name__})

    def _judge(self, row: OutboxRow, sender: Sender) -> None:
        """The newest block refuses it; see what the final one says, which stays."""
        view = self._pool.final_view(agree=1)
        try:
            self._pool.call(Address(row.to), row.payload, at=view, sender=sender.account.address)
        except ContractError as error:
            if error.name in _DONE:
                self._mark(row, state=FINAL, block=view.number)
            elif error.name in _NOT_YET:
                self._put_off(row)
            else:
                self._mark(row, state=REFUSED, error=error.name, block=view.number)
            return
        self._put_off(row)

    def _put_off(self, row: OutboxRow) -> None:
        now = self._house.now()
        pause = min(max(RETRY_SECONDS, (now - row.created_at) // PAUSE_SHARE), LONGEST_PAUSE)

        def work(write: Write) -> None:
            kept = write.session.get(OutboxRow, row.id)
            if kept is not None:
                kept.not_before = now + pause

        self._house.writer.submit(work).result()

    def _mark(
        self, row: OutboxRow, *, state: str, error: str | None = None, block: int | None = None
    ) -> None:
        def work(write: Write) -> None:
            kept = write.session.get(OutboxRow, row.id)
            if kept is None:
                return
            kept.state, kept.error, kept.block = state, error, block
            if state == FINAL and kept.key.startswith("give:"):
                # A revocation that waits for this grant need not wait any more (I5).
                write.session.execute(
                    update(OutboxRow)
                    .where(OutboxRow.key == kept.key.replace("give:", "revoke:", 1))
                    .values(not_before=write.now)
                )

        self._house.writer.submit(work).result()
