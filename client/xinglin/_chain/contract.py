"""
One contract at one address: its calls, its answers, its events.

The four bindings (`consortium`, `checkpoints`, `consents`, `models`) give these names and
types; nobody else uses this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from xinglin._chain import abi
from xinglin._chain.answers import View, data, quantity
from xinglin._chain.profile import DeployedContract
from xinglin._chain.rpc import RpcPool
from xinglin.errors import ChainError
from xinglin.names import Address


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does: the contract that it is for, and the calldata."""

    to: Address | None
    """None where it deploys a contract."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """One event, and where it stands."""

    event: str
    fields: Mapping[str, Any]
    block: int
    block_hash: bytes
    transaction: bytes
    index: int
    """Place within the block."""


class BoundContract:
    """One of our contracts, as a pool of nodes shows it."""

    def __init__(self, pool: RpcPool, deployed: DeployedContract, name: str) -> None:
        self.pool = pool
        self.address = deployed.address
        self._interface = abi.interface(name)
        self._since = deployed.block

    def call(self, function: str, *arguments: object) -> Call:
        """Encode a transaction's call. Raises `UsageError` for arguments that do not fit."""
        return Call(self.address, self._interface.functions[function].encode(*arguments))

    def read(self, function: str, *arguments: object, at: View | None) -> tuple[Any, ...]:
        """Return a view function's answer. Raises `ContractError`, `ChainError`, `Unreachable`."""
        described = self._interface.functions[function]
        answer = self.pool.call(self.address, described.encode(*arguments), at=at)
        if not answer and described.outputs:
            raise ChainError(f"expected an answer to {function} at {self.address}, got none")
        return described.decode(answer)

    def logs(
        self,
        event: str,
        *,
        first: int | None = None,
        at: View,
        topics: tuple[bytes | None, ...] = (),
    ) -> list[Log]:
        """
        Return one kind of event up to the view, oldest first.

        From the deployment on where `first` is none. Raises as `RpcPool.logs`.
        """
        described = self._interface.events[event]
        begin = self._since if first is None else max(first, self._since)
        found = self.pool.logs(self.address, [described.topic, *topics], begin, at)
        return [_log(described, item) for item in found]

    def all_logs(self, *, first: int | None = None, at: View) -> list[Log]:
        """Return every kind of event of this contract up to the view, oldest first."""
        by_topic = {event.topic: event for event in self._interface.events.values()}
        begin = self._since if first is None else max(first, self._since)
        found = self.pool.logs(self.address, [], begin, at)
        return [
            _log(by_topic[topic], item)
            for item in found
            if (topic := data(cast(list[object], item["topics"])[0])) in by_topic
        ]


def word(value: int) -> bytes:
    """An integer as a topic: 32 bytes, big-endian."""
    return value.to_bytes(32, "big")


def _log(event: abi.Event, item: Mapping[str, Any]) -> Log:
    topics = [data(topic) for topic in cast(list[object], item["topics"])]
    return Log(
        event.name,
        event.decode(topics, data(item["data"])),
        quantity(item["blockNumber"]),
        data(item["blockHash"]),
        data(item["transactionHash"]),
        quantity(item["logIndex"]),
    )
