"""
A revert, as an error of ours with the contract's own name and values.

    try:
        pool.call(registry, payload)
    except ContractError as error:
        error.name, error.arguments      # "CheckpointSizeNotGrowing", {"size": 4, ...}

Engines wrap the same bytes differently: Anvil and go-ethereum give `data` with code 3,
Besu with code -32000 or 3, and some nest it once more.
Only the bytes are read; texts differ between engines and versions and decide nothing.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import cast

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address

from xinglin._chain import abi
from xinglin.errors import ChainError, ContractError
from xinglin.hashes import keccak256

SELECTOR_SIZE = 4
"""Bytes that name a function or an error (Solidity ABI specification, "Function Selector")."""

BUILT_IN: tuple[dict[str, object], ...] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)
"""What Solidity itself reverts with: `require` with a text, and failed assertions."""


def contract_error(payload: bytes) -> ContractError | None:
    """Return the declared error that `payload` encodes, or none where it is of no contract."""
    found = _declared().get(payload[:SELECTOR_SIZE])
    if found is None or len(payload) < SELECTOR_SIZE:
        return None
    name, fields = found
    try:
        values = decode([kind for _, kind in fields], payload[SELECTOR_SIZE:])
    except DecodingError:
        return None
    return ContractError(
        name,
        {
            field: _readable(kind, value)
            for (field, kind), value in zip(fields, values, strict=True)
        },
    )


def refusal(method: str, error: object) -> ChainError:
    """Return the error that a node's JSON-RPC error object stands for."""
    if not isinstance(error, Mapping):
        return ChainError(f"the node refused {method}: {error!r:.200}")
    fields = cast(Mapping[str, object], error)
    payload = _revert_data(fields.get("data"))
    message = str(fields.get("message", ""))[:200]
    if payload is not None:
        declared = contract_error(payload)
        if declared is not None:
            return declared
        return ContractError("Revert", {"data": payload})
    if "revert" in message.lower():
        # No data at all: `revert()` without a reason, or a node set not to show it.
        return ContractError("Revert", {"data": b""})
    return ChainError(f"the node refused {method}: {message} (code {fields.get('code')})")


def _revert_data(value: object) -> bytes | None:
    """Find the bytes of a revert in what a node calls `data`: text, or text in an object."""
    if isinstance(value, Mapping):
        nested = cast(Mapping[str, object], value)
        return _revert_data(nested.get("data") or nested.get("result"))
    if isinstance(value, str):
        text = value.removeprefix("Reverted ")
        if text.startswith("0x"):
            try:
                return bytes.fromhex(text[2:])
            except ValueError:
                return None
    return None


@cache
def _declared() -> dict[bytes, tuple[str, tuple[tuple[str, str], ...]]]:
    items: Iterable[Mapping[str, object]] = [*BUILT_IN, *abi.errors()]
    found: dict[bytes, tuple[str, tuple[tuple[str, str], ...]]] = {}
    for item in items:
        name = cast(str, item["name"])
        inputs = cast(list[dict[str, object]], item["inputs"])
        fields = tuple(
            (cast(str, part["name"]) or f"field{place}", collapse_if_tuple(part))
            for place, part in enumerate(inputs)
        )
        signature = f"{name}({','.join(kind for _, kind in fields)})"
        found[keccak256(signature.encode())[:SELECTOR_SIZE]] = (name, fields)
    return found


def _readable(kind: str, value: object) -> object:
    """Addresses with their checksum; everything else as decoded."""
    return to_checksum_address(cast(str, value)) if kind == "address" else value
