"""
Other transactions that must reach the chain: revocations, grants, witnessed grants.

They were written with what asked for them. Here they are signed, written again, sent, and
followed until final; what the contract refuses for good says why and is sent no more.
"""

import logging
from collections.abc import Mapping

from sqlalchemy import select

from xinglin._chain.contract import Call
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Phase, Sender, transaction_state
from xinglin.errors import ChainError, ContractError
from xinglin.names import Address
from xinglin_node.chain.tables import OutboxRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.writer import Write

_logger = logging.getLogger(__name__)

AT_ONCE = 64
"""Transactions looked after in one step."""

WAITING, SENT, FINAL, REFUSED = "waiting", "sent", "final", "refused"


class Outbox:
    """Sends and follows. One thread steps it."""

    def __init__(self, house: NodeHouse, pool: RpcPool, senders: Mapping[str, Sender]) -> None:
        self._house = house
        self._pool = pool
        self._senders = senders

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
            self._carry(row)

    def _carry(self, row: OutboxRow) -> None:
        sender = self._senders.get(row.account)
        if sender is None:
            self._mark(row, state=REFUSED, error="NoSuchAccount")
            return
        if row.transaction is not None and row.nonce is not None:
            state = transaction_state(
                self._pool, row.transaction, sender=sender.account.address, nonce=row.nonce
            )
            if state.phase is Phase.PENDING:
                return
            if state.phase is not Phase.LOST:
                block = state.block.number if state.block else None
                if not state.succeeded:
                    self._mark(row, state=REFUSED, error="Revert", block=block)
                elif state.phase is Phase.FINAL:
                    self._mark(row, state=FINAL, block=block)
                return
        self._send(row, sender)

    def _send(self, row: OutboxRow, sender: Sender) -> None:
        try:
            signed = sender.build_and_sign(Call(Address(row.to), row.payload))
        except ContractError as error:
            self._mark(row, state=REFUSED, error=error.name)
            return

        def work(write: Write) -> None:
            kept = write.session.get(OutboxRow, row.id)
            if kept is not None:
                kept.raw, kept.transaction, kept.nonce = signed.raw, signed.hash, signed.nonce
                kept.state = SENT

        self._house.writer.submit(work).result()
        try:
            sender.broadcast(signed)
        except ChainError as error:
            _logger.warning("transaction not sent", extra={"error": type(error).__name__})

    def _mark(
        self, row: OutboxRow, *, state: str, error: str | None = None, block: int | None = None
    ) -> None:
        def work(write: Write) -> None:
            kept = write.session.get(OutboxRow, row.id)
            if kept is not None:
                kept.state, kept.error, kept.block = state, error, block

        self._house.writer.submit(work).result()
