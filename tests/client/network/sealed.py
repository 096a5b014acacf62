"""RPC nodes of a Clique network that exists in these tests only; its headers are truly sealed."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import rlp
from eth_utils.address import to_checksum_address
from tests.client.headers.chains import CliqueChain, Key, keys_of

from xinglin._chain.answers import View
from xinglin._chain.nodes import NodeCondition, NodeState
from xinglin._chain.profile import FeeRule, Finality, FinalityRule, NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin.errors import ChainError, Unreachable
from xinglin.headers.header import _RPC_NAMES, parse
from xinglin.names import Address, UnixTime

URL = "http://127.0.0.1:9"


class SealedNodes:
    """What is asked of a pool, answered from a chain of headers; `pool` is for the code's types."""

    def __init__(self, validators: int, blocks: int = 0, *, sealing: int | None = None) -> None:
        """Of the validators the first `sealing` seal in turn, and the others nothing."""
        self.keys = keys_of(validators)
        self._chain = CliqueChain(self.keys)
        self._headers = [self._chain.genesis]
        self._sealing = self.keys[: sealing or validators]
        self.seal(blocks)
        self.asked: list[int] = []
        self.fails_at = -1
        """The block that cannot be had; none below 0."""

        self.age = 0
        """Seconds since the newest block."""

        self.profile = NetworkProfile(
            engine="clique",
            chain_id=1,
            genesis=parse(self._chain.genesis).block_hash,
            rpc=(URL,),
            block_period=1,
            finality=Finality(FinalityRule.IMMEDIATE, 0),
            fee=FeeRule.ZERO,
            epoch_length=30_000,
            validators=tuple(Address(to_checksum_address(key.address)) for key in self.keys),
        )

    @property
    def pool(self) -> RpcPool:
        return cast(RpcPool, self)

    def seal(self, blocks: int, by: Sequence[Key] = ()) -> None:
        """Go on by so many blocks."""
        turns = by or self._sealing
        for _ in range(blocks):
            self._headers.append(self._chain.next(turns[self._chain.number % len(turns)]))

    # -- as a pool ----------------------------------------------------------------------

    def states(self, *, fresh: bool = False) -> tuple[NodeState, ...]:
        return (NodeState(URL, NodeCondition.GOOD, self.head(), ""),)

    def head(self) -> View:
        newest = parse(self._headers[-1])
        return View(newest.number, newest.block_hash, UnixTime(int(time.time()) - self.age))

    def final_view(self, *, agree: int | None = None) -> View:
        return self.head()

    def block(self, which: int | bytes) -> Mapping[str, Any]:
        number = which if isinstance(which, int) else -1
        self.asked.append(number)
        if number == self.fails_at:
            raise Unreachable(f"{URL} did not answer")
        if not 0 <= number < len(self._headers):
            raise ChainError(f"expected block {number}, the node has none")
        header = self._headers[number]
        items = zip(_RPC_NAMES, rlp.decode(header), strict=False)
        fields = {
            name: int.from_bytes(item) if size is None else item for (name, size), item in items
        }
        return {**fields, "hash": "0x" + parse(header).block_hash.hex()}

    def close(self) -> None:
        pass
