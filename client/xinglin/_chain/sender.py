"""
One account's transactions: built, signed, sent, followed; each of them once.

The steps are separate and keep nothing between them, so that a durable outbox can stand
around them: write the signed bytes down, then send them, as often as it takes.

1. `build_and_sign` fixes nonce, gas and fee, and signs. Nothing has left.
2. (The caller makes `SignedTransaction.raw` durable.)
3. `broadcast` hands the same bytes to every RPC node. Doing it again is harmless: the
   nonce lets one transaction with it into the chain, whichever node mined it.
4. `state` says pending, mined, final, or lost. What is lost by *all* nodes goes back to
   step 3 with the same bytes, unless its nonce was used by another (`superseded`), when
   a new one is signed in step 1. What is pending for `Sender.resend_seconds` goes back to
   step 3 as well: the node that has it may be cut off.

Why every node and not one: a node that accepted a transaction may die before its peers
have it, and on networks with a price of zero some engines do not pass it on at all.
"""

import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, cast

from eth_account import Account as EthAccount
from eth_account.datastructures import SignedTransaction as EthSignedTransaction
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from xinglin._chain.answers import View, block_parameter, data, quantity, view_of
from xinglin._chain.contract import Call
from xinglin._chain.profile import FeeRule
from xinglin._chain.rpc import RpcPool
from xinglin._chain.waiting import wait_for
from xinglin.errors import ChainError, ContractError, TransactionLost, UsageError
from xinglin.hashes import keccak256
from xinglin.names import Address

GAS_MARGIN_PERCENT = 20
"""Added to an estimate: state may move between estimate and block (a log grows, a slot fills)."""

BLOCK_GAS_SHARE = 2
"""A transaction asks for at most this fraction of the block's gas limit."""

RESEND_BLOCKS = 5
"""Blocks after which what is still pending is sent again."""

REPLACEMENT_PERCENT = 13
"""Nodes ask for a price 10 % higher before they let one transaction replace another."""


class Signer(Protocol):
    """Who pays for and signs a transaction: an account with its private key at hand."""

    @property
    def address(self) -> Address:
        """The account's address."""
        ...

    @property
    def key(self) -> bytes:
        """The account's private key, 32 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Fee:
    """The price that a transaction names, in wei of the network's coin (EIP-1559)."""

    maximum: int
    """Highest total price of one unit of gas."""

    tip: int
    """Highest part of it that goes to the block's author."""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Bytes that can be sent any number of times and take effect once."""

    raw: bytes
    hash: bytes
    """32 bytes, known before anything is sent."""

    nonce: int
    sender: Address
    gas: int
    fee: Fee


class Phase(StrEnum):
    """How far a transaction has come."""

    PENDING = "pending"
    """A node holds it, or its block is not yet known."""

    MINED = "mined"
    """In a block that can still be replaced."""

    FINAL = "final"
    """In a final block."""

    LOST = "lost"
    """No node that can be asked knows it."""


@dataclass(frozen=True, slots=True)
class TransactionState:
    """One transaction, as the chain shows it now."""

    phase: Phase
    block: View | None = None
    """Where it was mined; none while pending or lost."""

    succeeded: bool = True
    """False where it was mined and reverted: its nonce is used and it had no effect."""

    superseded: bool = False
    """Lost for good: a final block has another transaction with its nonce."""

    gas_used: int = 0

    first_knows: bool = False
    """Whether the node that is asked first has it in a block: others may be ahead of it."""


PENDING = TransactionState(Phase.PENDING)

_ORDER = (Phase.LOST, Phase.PENDING, Phase.MINED, Phase.FINAL)


class Sender:
    """
    The transactions of one account. One sender an account: two would take the same nonces.

    Safe to share between threads; only `build_and_sign` has an order to keep.
    """

    def __init__(self, pool: RpcPool, account: Signer) -> None:
        self.pool = pool
        self.account = account
        self._lock = threading.Lock()

    @property
    def resend_seconds(self) -> int:
        """How long what is pending is waited for before it is sent again."""
        return RESEND_BLOCKS * self.pool.profile.block_period

    # -- step 1 -------------------------------------------------------------------------

    def next_nonce(self) -> int:
        """Return the first nonce that no node has seen used, pending ones included."""
        answers = self.pool.each("eth_getTransactionCount", [self.account.address, "pending"])
        counts = [quantity(answer) for answer in answers if not isinstance(answer, ChainError)]
        if not counts:
            raise next(answer for answer in answers if isinstance(answer, ChainError))
        return max(counts)

    def build_and_sign(
        self,
        call: Call,
        *,
        nonce: int | None = None,
        gas: int | None = None,
        fee: Fee | None = None,
    ) -> SignedTransaction:
        """
        Sign one transaction; nothing is sent.

        The estimate runs the call, so what would revert raises `ContractError` here and
        costs nothing. Callers with an outbox pass the `nonce` they reserved in it.
        """
        with self._lock:
            chosen = self.next_nonce() if nonce is None else nonce
            limit = self._estimate(call) if gas is None else gas
            return self._sign(call, chosen, limit, fee or self.fee())

    def replacement(self, signed: SignedTransaction, call: Call) -> SignedTransaction:
        """
        Sign another transaction with the nonce of `signed`, at a price that nodes accept.

        Either may be mined, never both. Raises `UsageError` where the price is zero, as
        zero cannot be raised: there the first stays and is sent again.
        """
        if signed.fee.maximum == 0:
            raise UsageError("a transaction of price zero cannot be replaced; send it again")
        now = self.fee()
        raised = Fee(
            max(now.maximum, _raise(signed.fee.maximum)), max(now.tip, _raise(signed.fee.tip))
        )
        return self._sign(call, signed.nonce, self._estimate(call), raised)

    def fee(self) -> Fee:
        """Return the price that this network's fee rule asks for now."""
        return _FEES[self.pool.profile.fee](self.pool)

    def _estimate(self, call: Call) -> int:
        transaction = {"from": self.account.address, "data": "0x" + call.data.hex()}
        if call.to is not None:
            transaction["to"] = call.to
        needed = quantity(self.pool.request("eth_estimateGas", [transaction]))
        head = self.pool.block(self.pool.head().hash)
        ceiling = quantity(head["gasLimit"]) // BLOCK_GAS_SHARE
        return max(needed, min(ceiling, needed * (100 + GAS_MARGIN_PERCENT) // 100))

    def _sign(self, call: Call, nonce: int, gas: int, fee: Fee) -> SignedTransaction:
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.pool.profile.chain_id,
            "nonce": nonce,
            "gas": gas,
            # Said outright: where they are left out, web3 and nodes fill in a price.
            "maxFeePerGas": fee.maximum,
            "maxPriorityFeePerGas": fee.tip,
            "value": 0,
            "data": call.data,
        }
        if call.to is not None:
            transaction["to"] = call.to
        signed = cast(
            EthSignedTransaction, EthAccount.sign_transaction(transaction, self.account.key)
        )
        return SignedTransaction(
            bytes(signed.raw_transaction), bytes(signed.hash), nonce, self.account.address, gas, fee
        )

    # -- steps 3 and 4 ------------------------------------------------------------------

    def broadcast(self, signed: SignedTransaction) -> None:
        """
        Hand the bytes to every node that can be asked; harmless to repeat.

        Returns when at least one node has it, before or now. Nodes word "I have that"
        in as many ways as there are nodes, so a refusal is judged by asking for the
        transaction. Raises the first refusal, or `Unreachable`, where no node took it.
        """
        answers = self.pool.each("eth_sendRawTransaction", ["0x" + signed.raw.hex()])
        refusals = [answer for answer in answers if isinstance(answer, ChainError)]
        if len(refusals) < len(answers):
            return
        if self.state(signed).phase is Phase.LOST:
            raise refusals[0]

    def state(self, signed: SignedTransaction) -> TransactionState:
        """Return how far `signed` has come. Looks at every node before it says lost."""
        return transaction_state(self.pool, signed.hash, sender=signed.sender, nonce=signed.nonce)

    def send(self, call: Call, *, final: bool = False, timeout: float = 60.0) -> TransactionState:
        """
        Sign, send and wait until mined, or final where `final` says so.

        For programs that have nothing durable to keep. Raises `ContractError` where it
        would revert or was mined and did, `TransactionLost` where another took its place.
        """
        signed = self.build_and_sign(call)
        return self.deliver(signed, final=final, timeout=timeout)

    def deliver(
        self, signed: SignedTransaction, *, final: bool = False, timeout: float = 60.0
    ) -> TransactionState:
        """
        Send `signed` as often as it takes and wait for it. Raises as `send`.

        The node that is asked first must have it in a block too: what is built on this
        transaction would otherwise be refused by a node that has not heard of it.
        """
        wanted = {Phase.FINAL} if final else {Phase.MINED, Phase.FINAL}
        sent = time.monotonic()

        def look() -> TransactionState | None:
            nonlocal sent
            state = self.state(signed)
            if state.phase in wanted and state.first_knows:
                return state
            if state.superseded:
                raise TransactionLost(
                    f"another transaction took nonce {signed.nonce} of {signed.sender}"
                )
            pending = state.phase is Phase.PENDING
            if state.phase is Phase.LOST or (
                pending and time.monotonic() - sent >= self.resend_seconds
            ):
                sent = time.monotonic()
                self.broadcast(signed)
            return None

        self.broadcast(signed)
        state = wait_for(look, timeout=timeout, what="the transaction's block")
        if not state.succeeded:
            raise ContractError("Revert", {"transaction": signed.hash})
        return state


def read_signed(raw: bytes) -> SignedTransaction:
    """Read what was written down before it was sent; for outboxes after a restart."""
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return SignedTransaction(
        raw,
        keccak256(raw),
        int(fields["nonce"]),
        Address(EthAccount.recover_transaction(raw)),
        int(fields["gas"]),
        Fee(int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"])),
    )


def transaction_state(
    pool: RpcPool, transaction: bytes, *, sender: Address, nonce: int
) -> TransactionState:
    """Return how far a transaction has come, by its hash alone."""
    asked = ["0x" + transaction.hex()]
    receipts = pool.each("eth_getTransactionReceipt", asked)
    states = [
        _mined(pool, cast(dict[str, Any], answer))
        for answer in receipts
        if isinstance(answer, dict)
    ]
    if states:
        # Nodes on two sides of a fork name two blocks; the one that stands counts.
        furthest = max(states, key=lambda state: _ORDER.index(state.phase))
        return replace(furthest, first_knows=isinstance(receipts[0], dict))
    known = pool.each("eth_getTransactionByHash", asked)
    if any(isinstance(answer, dict) for answer in known):
        return PENDING
    final = pool.final_view(agree=1)
    used = quantity(pool.request("eth_getTransactionCount", [sender, block_parameter(final)]))
    return TransactionState(Phase.LOST, superseded=used > nonce)


def _mined(pool: RpcPool, receipt: dict[str, Any]) -> TransactionState:
    number, block_hash = quantity(receipt["blockNumber"]), data(receipt["blockHash"])
    final = pool.final_view(agree=1)
    # What is final stands on the final view's chain, and not on the one of whoever is asked first.
    on = final if number <= final.number else None
    standing = pool.request("eth_getBlockByNumber", [hex(number), False], on=on)
    if standing is None:
        return PENDING
    view = view_of(cast(dict[str, Any], standing))
    if view.hash != block_hash:
        # Reorganised between two answers, or a fork's: it is in no block that stands.
        return PENDING
    return TransactionState(
        Phase.MINED if on is None else Phase.FINAL,
        view,
        succeeded=quantity(receipt["status"]) == 1,
        gas_used=quantity(receipt["gasUsed"]),
    )


def _zero_fee(_: RpcPool) -> Fee:
    return Fee(0, 0)


def _funded_fee(pool: RpcPool) -> Fee:
    price = quantity(pool.request("eth_gasPrice", []))
    return Fee(price, price)


def _base_fee(pool: RpcPool) -> Fee:
    head = pool.block(pool.head().hash)
    tip = quantity(pool.request("eth_maxPriorityFeePerGas", []))
    # Twice the base fee outlasts six full blocks, which raise it by an eighth each.
    return Fee(2 * quantity(head["baseFeePerGas"]) + tip, tip)


_FEES = {FeeRule.ZERO: _zero_fee, FeeRule.FUNDED: _funded_fee, FeeRule.BASE_FEE: _base_fee}


def _raise(price: int) -> int:
    return price * (100 + REPLACEMENT_PERCENT) // 100 + 1
