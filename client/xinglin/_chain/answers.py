"""
What JSON-RPC nodes answer, read: quantities, data, objects, and a block as a view.

    view = view_of(pool.block(7))
    balance = quantity(pool.request("eth_getBalance", [account, block_parameter(view)]))

A node may answer anything: what has not the form that was expected is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from xinglin.errors import ChainError
from xinglin.names import UnixTime


@dataclass(frozen=True, slots=True)
class View:
    """A block at which state is read: what was looked at, and when that was."""

    number: int
    hash: bytes
    """32 bytes."""

    time: UnixTime
    """The block's timestamp."""


def block_parameter(at: View | None) -> object:
    """
    Encode where to read: by hash, so that a reorganisation is an error and not another answer.

    EIP-1898. Without a view the head is meant.
    """
    if at is None:
        return "latest"
    return {"blockHash": "0x" + at.hash.hex(), "requireCanonical": True}


def view_of(block: Mapping[str, Any]) -> View:
    """Read number, hash and time of a block's JSON. Raises `ChainError`, `KeyError` for none."""
    return View(
        quantity(block["number"]), data(block["hash"]), UnixTime(quantity(block["timestamp"]))
    )


def quantity(value: object) -> int:
    """Parse a JSON-RPC quantity. Raises `ChainError`."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ChainError(f"expected a hexadecimal quantity from the node, got {value!r:.40}")
    try:
        return int(value, 16)
    except ValueError as error:
        raise ChainError("expected a hexadecimal quantity from the node, got other text") from error


def data(value: object) -> bytes:
    """Parse JSON-RPC data. Raises `ChainError`."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ChainError(f"expected hexadecimal data from the node, got {value!r:.40}")
    try:
        return bytes.fromhex(value[2:])
    except ValueError as error:
        raise ChainError("expected hexadecimal data from the node, got other text") from error


def json_object(value: object) -> Mapping[str, Any]:
    """Take an answer for a JSON object. Raises `ChainError`."""
    if not isinstance(value, dict):
        raise ChainError(f"expected an object from the node, got {type(value).__name__}")
    return cast(Mapping[str, Any], value)
