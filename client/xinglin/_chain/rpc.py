"""
Several JSON-RPC nodes, asked as if they were one.

    pool = RpcPool(profile)
    view = pool.final_view()
    code = pool.code(address, at=view)

What a pool promises:

1. A node on another chain id or genesis is never asked for anything else.
2. A node that does not answer, that lags, or whose head is old is set aside and named
   (`states`); it is asked again later, and counts only where no better one is left, so
   that a halted chain can still be read and its age be seen.
3. A read goes to the first good node, and on failure to the next. A revert is an answer,
   not a failure.
4. A final view is one that as many nodes as asked for agree on, by number and hash.
5. What is read of a view comes from a node whose chain has the view's block: state at the
   block's hash, events and older blocks from one that has it before and after it answers.

Safe to share between threads.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, cast

from web3 import Web3

from xinglin._chain.answers import View, block_parameter, data, json_object, view_of
from xinglin._chain.nodes import (
    NoAnswer,
    Node,
    NodeCondition,
    NodeState,
    ask,
    connect,
    describe,
    judge,
    look,
    put_to_sleep,
)
from xinglin._chain.profile import NetworkProfile, finalized_block
from xinglin.errors import ChainError, ContractError, Unreachable, WrongChain
from xinglin.names import Address

REQUEST_SECONDS = 10.0
"""Time given to one request."""

SURVEY_LASTS = 2.0
"""Seconds for which the order of nodes found by one survey serves for plain reads."""

LOGS_RANGE = 2_000
"""Blocks in one request for events: below the limits of Besu (5,000) and of public nodes."""


class RpcPool:
    """The RPC nodes of one profile."""

    def __init__(
        self,
        profile: NetworkProfile,
        *,
        timeout: float = REQUEST_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.profile = profile
        self._clock = clock
        self._nodes = [connect(url, timeout) for url in profile.rpc]
        self._lock = threading.Lock()
        self._surveying = threading.Lock()
        self._surveyed_at = -SURVEY_LASTS
        self._states: tuple[NodeState, ...] = ()
        self._workers = ThreadPoolExecutor(len(self._nodes), thread_name_prefix="xinglin-rpc")

    def close(self) -> None:
        """Let go of the threads that survey."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    # -- who can be asked ---------------------------------------------------------------

    def states(self, *, fresh: bool = False) -> tuple[NodeState, ...]:
        """Return what each node is worth now, in the profile's order."""
        due = fresh or time.monotonic() - self._surveyed_at >= SURVEY_LASTS
        if not due or (not fresh and self._states and self._surveying.locked()):
            return self._states
        with self._surveying:
            self._survey()
        with self._lock:
            self._states = judge(self._nodes, self.profile, now=self._clock())
            self._surveyed_at = time.monotonic()
            return self._states

    def _survey(self) -> None:
        """Look at every node that is not asleep; wait for those that answered the last time."""
        started: list[tuple[Node, Future[None]]] = []
        for node in self._nodes:
            # One that is slow to fail may still be looked at from before.
            if node.looking is None or node.looking.done():
                node.looking = self._workers.submit(look, node, self.profile)
            started.append((node, node.looking))
        # A node that was silent must not hold up the others: its answer counts the next time.
        answering = [future for node, future in started if not node.rest]
        wait(answering or [future for _, future in started], timeout=REQUEST_SECONDS)

    def _in_order(self, *, fresh: bool = False) -> list[tuple[Node, NodeState]]:
        """Return the nodes that may be asked, the best first. Raises where there is none."""
        states = self.states(fresh=fresh)
        order = [NodeCondition.GOOD, NodeCondition.LAGGING, NodeCondition.OLD_HEAD]
        pairs = [
            (node, state)
            for condition in order
            for node, state in zip(self._nodes, states, strict=True)
            if state.condition is condition
        ]
        if pairs:
            return pairs
        named = describe(states)
        if all(state.condition is NodeCondition.WRONG_CHAIN for state in states):
            raise WrongChain(f"no RPC node serves this chain: {named}")
        raise Unreachable(f"no RPC node can be asked: {named}")

    # -- views --------------------------------------------------------------------------

    def head(self) -> View:
        """Return the newest block of the best node. It may yet be replaced."""
        _, state = self._in_order(fresh=True)[0]
        if state.head is None:
            raise Unreachable(f"no RPC node gave its head: {describe(self._states)}")
        return state.head

    def final_view(self, *, agree: int | None = None) -> View:
        """
        Return the newest final block on which `agree` nodes agree by hash.

        By default two, where two or more are configured (invariants I4 and I5). Its age is
        the caller's to judge. Raises `Unreachable` where fewer than `agree` answer, and
        `ChainError` where they do not agree.
        """
        needed = min(2, len(self._nodes)) if agree is None else agree
        pairs = self._in_order(fresh=True)
        good = [pair for pair in pairs if pair[1].condition is NodeCondition.GOOD]
        chosen = good if len(good) >= needed else pairs
        if len(chosen) < needed:
            raise Unreachable(
                f"expected {needed} RPC nodes that agree, got {len(chosen)}: "
                f"{describe(self._states)}"
            )
        heads = sorted((state.head.number for _, state in chosen if state.head), reverse=True)
        number = finalized_block(self.profile, heads[needed - 1])
        return self._agreed([node for node, _ in chosen], number, needed)

    def _agreed(self, nodes: Sequence[Node], number: int, needed: int) -> View:
        views: list[View] = []
        for node in nodes:
            try:
                found = ask(node, "eth_getBlockByNumber", [hex(number), False])
            except (NoAnswer, ChainError):
                continue
            if found is not None:
                views.append(view_of(json_object(found)))
        tally = Counter(view.hash for view in views)
        best, count = tally.most_common(1)[0] if tally else (b"", 0)
        if count < needed:
            raise ChainError(
                f"expected {needed} RPC nodes that agree on block {number}, "
                f"got {len(views)} answers with {len(tally)} hashes"
            )
        return next(view for view in views if view.hash == best)

    def view_at(self, number: int, *, on: View | None = None) -> View:
        """
        Return block `number` of the best node's chain, or of the chain that has block `on`.

        Raises `ChainError` where unknown.
        """
        return view_of(self.block(number, on=on))

    def stands(self, number: int, block_hash: bytes, *, on: View) -> bool:
        """Return whether the chain that has block `on` has this block too, below or above it."""
        found = self.request("eth_getBlockByNumber", [hex(number), False], on=on)
        return found is not None and data(json_object(found).get("hash")) == block_hash

    # -- reads --------------------------------------------------------------------------

    def request(self, method: str, params: Sequence[object], *, on: View | None = None) -> object:
        """
        Ask the first good node, and the next where it fails, refuses or knows nothing.

        Nodes are never equally far: null from one may be a block that the next one has. With
        `on` only those count whose chain has that block before and after they answer: where
        the answer is a list, a node that is behind leaves out what it does not know.
        Returns none where all say null. Raises `ContractError` for a revert, the first
        node's `ChainError` where all refuse, and `Unreachable` where none answers.
        """
        refused: ChainError | None = None
        failed: list[str] = []
        unknown = False
        for node, _ in self._in_order():
            try:
                answer = ask(node, method, params, on=on)
                if answer is not None:
                    return answer
                unknown = True
            except ContractError:
                raise
            except ChainError as error:
                # A node may refuse because it is behind; another may know the block.
                refused = refused or error
            except NoAnswer as error:
                failed.append(f"{node.url} {error}")
                with self._lock:
                    put_to_sleep(node, str(error))
                    self._states = judge(self._nodes, self.profile, now=self._clock())
        if unknown:
            return None
        if refused is not None:
            raise refused
        raise Unreachable(f"no RPC node answered {method}: " + "; ".join(failed))

    def each(self, method: str, params: Sequence[object]) -> list[object | ChainError]:
        """Ask every node that may be asked; refusals and silence come back as errors."""
        answers: list[object | ChainError] = []
        for node, _ in self._in_order():
            try:
                answers.append(ask(node, method, params))
            except ChainError as error:
                answers.append(error)
            except NoAnswer as error:
                answers.append(ChainError(f"{node.url} {error}"))
                with self._lock:
                    put_to_sleep(node, str(error))
                    self._states = judge(self._nodes, self.profile, now=self._clock())
        return answers

    def block(self, which: int | bytes, *, on: View | None = None) -> Mapping[str, Any]:
        """Return a block's fields by number or hash. Raises `ChainError` where unknown."""
        if isinstance(which, bytes):
            found = self.request("eth_getBlockByHash", ["0x" + which.hex(), False], on=on)
        else:
            found = self.request("eth_getBlockByNumber", [hex(which), False], on=on)
        if found is None:
            shown = which.hex() if isinstance(which, bytes) else str(which)
            raise ChainError(f"expected block {shown}, the node has none")
        return json_object(found)

    def call(
        self, to: Address, payload: bytes, *, at: View | None = None, sender: Address | None = None
    ) -> bytes:
        """Run a call without sending it, at a view or the head. Raises as `request`."""
        transaction = {"to": to, "data": "0x" + payload.hex()}
        if sender is not None:
            transaction["from"] = sender
        return data(self.request("eth_call", [transaction, block_parameter(at)]))

    def code(self, address: Address, *, at: View | None = None) -> bytes:
        """Return the code of an account; empty where there is none."""
        return data(self.request("eth_getCode", [address, block_parameter(at)]))

    def logs(
        self, address: Address, topics: Sequence[bytes | None], first: int, at: View
    ) -> list[Mapping[str, Any]]:
        """
        Return the events of one contract from block `first` up to the view, both included.

        Raises `ChainError` where no node has the view's block.
        """
        found: list[Mapping[str, Any]] = []
        encoded = [None if topic is None else "0x" + topic.hex() for topic in topics]
        for start in range(first, at.number + 1, LOGS_RANGE):
            end = min(at.number, start + LOGS_RANGE - 1)
            asked = {
                "address": address,
                "topics": encoded,
                "fromBlock": hex(start),
                "toBlock": hex(end),
            }
            # Beyond its head geth answers with what it has, and on a fork with its own.
            answer = self.request("eth_getLogs", [asked], on=at)
            if not isinstance(answer, list):
                raise ChainError(f"expected a list of events, got {type(answer).__name__}")
            found.extend(json_object(item) for item in cast(list[object], answer))
        return found

    @property
    def web3(self) -> Web3:
        """The best node as web3 speaks to it, for what this class does not cover."""
        node, _ = self._in_order()[0]
        return node.web3


def check_contracts(pool: RpcPool, *, at: View | None = None) -> None:
    """Raise `WrongChain` unless every contract of the profile has its code on this chain."""
    from xinglin.hashes import keccak256

    for name, contract in pool.profile.deployed.items():
        code = pool.code(contract.address, at=at)
        if not code:
            raise WrongChain(f"expected {name} at {contract.address}, found no code there")
        if keccak256(code) != contract.code_hash:
            raise WrongChain(
                f"expected {name} at {contract.address} with code hash "
                f"{contract.code_hash.hex()}, got {keccak256(code).hex()}"
            )
