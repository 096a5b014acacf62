"""
What was signed and written down is sent until a block has it.

Lost by every node, and pending for some blocks: the same bytes are sent again, as a node
that took them may be cut off or dead, and they take effect once. They are given up, and
their sender signs anew, only where they cannot be mined any more:

* another transaction has their nonce in a final block;
* another account signed them than the one that sends now: an ended one is refused;
* a nonce before theirs is used by nobody, as after a chain lost blocks;
* no node takes them, though their nonce is free: the price has risen.

Where both are mined after all, the contracts let one of them take effect.
"""

import logging
from collections.abc import Callable

from xinglin._chain.sender import Phase, Sender, SignedTransaction, TransactionState, read_signed
from xinglin.errors import ChainError, WrongChain

_logger = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Transactions whose last sending is remembered; forgotten, they are sent once more."""


class Delivery:
    """Sends and follows. One thread uses it; what it remembers may be lost."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent: dict[bytes, float] = {}
        """When each transaction was sent the last time."""

    def send(self, sender: Sender, signed: SignedTransaction) -> None:
        """Send what was written down. Raises as `Sender.broadcast`."""
        if len(self._sent) > REMEMBERED:
            self._sent.clear()
        self._sent[signed.hash] = self._clock()
        sender.broadcast(signed)

    def follow(self, sender: Sender, raw: bytes) -> TransactionState | None:
        """
        Return how far these bytes have come, sent again where that is due.

        None: they cannot be mined any more, and are to be signed anew.
        """
        signed = read_signed(raw)
        state = sender.state(signed)
        if state.block is not None:
            return state
        if state.superseded or signed.sender != sender.account.address:
            return None
        if state.phase is Phase.PENDING and not self._due(sender, signed):
            return state
        following = sender.next_nonce()
        if following < signed.nonce:
            return None
        try:
            self.send(sender, signed)
        except WrongChain:
            raise
        except ChainError as error:
            _logger.warning("transaction not sent again", extra={"error": type(error).__name__})
            if state.phase is Phase.LOST and following == signed.nonce:
                return None
        return state

    def _due(self, sender: Sender, signed: SignedTransaction) -> bool:
        sent = self._sent.get(signed.hash)
        return sent is None or self._clock() - sent >= sender.resend_seconds
