"""
What the compiler wrote about each contract: its interface and its code.

The JSON files beside this module are made by `make abi` and held equal to the contracts
by a test. Each has `abi`, `bytecode`, `deployedBytecode` and `storageLayout`, as solc
names them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address

from xinglin.errors import ChainError, UsageError
from xinglin.hashes import keccak256

CONTRACTS = ("Consortium", "CheckpointRegistry", "ConsentRegistry", "ModelRegistry")
"""In the order of deployment."""

Arguments = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a contract: how to encode a call and decode its answer."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *arguments: object) -> bytes:
        """Return the calldata. Raises `UsageError` where the arguments do not fit."""
        return self.selector + _encode(self.name, self.inputs, arguments)

    def decode(self, answer: bytes) -> Arguments:
        """Return the answer's values. Raises `ChainError` for bytes that are no answer."""
        return _decode(self.name, self.outputs, answer)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a contract: its first topic, and how to decode the rest."""

    name: str
    topic: bytes
    fields: tuple[tuple[str, str, bool], ...]
    """Name, type, and whether it is a topic."""

    def decode(self, topics: list[bytes], payload: bytes) -> dict[str, Any]:
        """Return the fields by name. Raises `ChainError` for a log of another event."""
        indexed = [field for field in self.fields if field[2]]
        if not topics or topics[0] != self.topic or len(topics) != len(indexed) + 1:
            raise ChainError(f"expected a log of {self.name}, got another")
        values: dict[str, Any] = {}
        for (name, kind, _), topic in zip(indexed, topics[1:], strict=True):
            values[name] = _decode(self.name, (kind,), topic)[0]
        rest = [field for field in self.fields if not field[2]]
        decoded = _decode(self.name, tuple(kind for _, kind, _ in rest), payload)
        values.update({name: value for (name, _, _), value in zip(rest, decoded, strict=True)})
        return values


@dataclass(frozen=True, slots=True)
class Interface:
    """One contract, as the compiler described it."""

    name: str
    functions: Mapping[str, Function]
    events: Mapping[str, Event]
    constructor: tuple[str, ...]
    bytecode: bytes
    """What is sent to deploy it, before the constructor's arguments."""

    runtime: bytes
    """The code that then stands at its address, with zeros for immutables."""

    slots: Mapping[str, int]
    """Storage slot of each state variable of its own, by name."""

    def deployment(self, *arguments: object) -> bytes:
        """Return the data of a deploying transaction."""
        return self.bytecode + _encode("constructor", self.constructor, arguments)


@cache
def interface(name: str) -> Interface:
    """Load one contract's interface. Raises `UsageError` for a name that is none of ours."""
    if name not in CONTRACTS:
        raise UsageError(f"expected one of {', '.join(CONTRACTS)}, got {name}")
    described = _load(name)
    items = cast(list[dict[str, Any]], described["abi"])
    constructors = [item for item in items if item["type"] == "constructor"]
    return Interface(
        name,
        {item["name"]: _function(item) for item in items if item["type"] == "function"},
        {item["name"]: _event(item) for item in items if item["type"] == "event"},
        _kinds(constructors[0]["inputs"]) if constructors else (),
        bytes.fromhex(described["bytecode"].removeprefix("0x")),
        bytes.fromhex(described["deployedBytecode"].removeprefix("0x")),
        {
            one["label"]: int(one["slot"])
            for one in described["storageLayout"]["storage"]
            # OpenZeppelin's fallbacks for long names hold nothing here.
            if not one["label"].endswith("Fallback")
        },
    )


def errors() -> list[dict[str, Any]]:
    """Return every error that our contracts declare, as ABI items."""
    return [
        item
        for name in CONTRACTS
        for item in cast(list[dict[str, Any]], _load(name)["abi"])
        if item["type"] == "error"
    ]


@cache
def _load(name: str) -> dict[str, Any]:
    text = resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))


def _function(item: dict[str, Any]) -> Function:
    inputs, outputs = _kinds(item["inputs"]), _kinds(item["outputs"])
    selector = keccak256(f"{item['name']}({','.join(inputs)})".encode())[:4]
    return Function(item["name"], selector, inputs, outputs)


def _event(item: dict[str, Any]) -> Event:
    fields = tuple(
        (part["name"], collapse_if_tuple(part), bool(part["indexed"])) for part in item["inputs"]
    )
    topic = keccak256(f"{item['name']}({','.join(kind for _, kind, _ in fields)})".encode())
    return Event(item["name"], topic, fields)


def _kinds(parts: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(collapse_if_tuple(part) for part in parts)


def _encode(name: str, kinds: tuple[str, ...], arguments: tuple[object, ...]) -> bytes:
    if len(arguments) != len(kinds):
        raise UsageError(f"{name}: expected {len(kinds)} arguments, got {len(arguments)}")
    try:
        return encode(kinds, arguments)
    except Exception as error:  # eth_abi raises a dozen kinds, some of them bare
        raise UsageError(f"{name}: arguments do not fit ({','.join(kinds)})") from error


def _decode(name: str, kinds: tuple[str, ...], payload: bytes) -> Arguments:
    try:
        values = decode(kinds, payload)
    except Exception as error:  # as above
        raise ChainError(f"{name}: expected ({','.join(kinds)}), got other bytes") from error
    return tuple(
        to_checksum_address(value) if kind == "address" else value
        for kind, value in zip(kinds, values, strict=True)
    )
