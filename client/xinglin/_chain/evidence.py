"""
What a bundle carries to show that the chain said so: headers and proofs of state.

    evidence = collect(pool, [anchored_place(member, generation, size)], at=view)

Collected from a node, believed by nobody: a verifier follows each proof to the header's
state root, and the header to a block that the validators sealed. Proofs are of the present
state (contracts store histories), because old states are not to be had for long.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from xinglin._chain.answers import View, block_parameter, data, quantity
from xinglin._chain.deploy import slots_of
from xinglin._chain.rpc import RpcPool
from xinglin.bundle import Evidence, StateProof
from xinglin.errors import ChainError
from xinglin.headers import Engine, block_hash_of
from xinglin.headers.header import from_rpc
from xinglin.storage import WORD, Place


def header_rlp(pool: RpcPool, block: Mapping[str, Any]) -> bytes:
    """
    Rebuild a header's RLP from a block's JSON.

    Nodes that can give raw headers do it under a debug interface that few open; the fields
    are everywhere. Raises `ChainError` where the result does not hash to the block's hash.
    """
    header = from_rpc(block)
    engine = cast(Engine, pool.profile.engine)
    if block_hash_of(header, engine) != data(block["hash"]):
        raise ChainError(
            f"the header of block {quantity(block['number'])}, rebuilt from its fields, has "
            "another hash than the node gives"
        )
    return header


def header_at(pool: RpcPool, at: View) -> bytes:
    """Return the header of a view's block."""
    return header_rlp(pool, pool.block(at.hash))


def headers_between(pool: RpcPool, first: int, last: int) -> tuple[bytes, ...]:
    """Return the headers of blocks `first` to `last`, both included; each is one request."""
    return tuple(header_rlp(pool, pool.block(number)) for number in range(first, last + 1))


def headers_from(pool: RpcPool, first: int) -> Iterator[bytes]:
    """Yield the headers of block `first` and on, without end, each asked for when it is needed."""
    for number in itertools.count(first):
        yield header_rlp(pool, pool.block(number))


def read_word(pool: RpcPool, place: Place, *, at: View) -> bytes:
    """Return one storage word as the node says it is, 32 bytes; to find out what to prove."""
    contract = dict(pool.profile.deployed.items())[place.contract]
    slot = "0x" + place.slot(slots_of(place.contract)).hex()
    answer = data(pool.request("eth_getStorageAt", [contract.address, slot, block_parameter(at)]))
    return answer.rjust(WORD, b"\0")


def state_proofs(pool: RpcPool, places: Sequence[Place], *, at: View) -> tuple[StateProof, ...]:
    """
    Return a proof of each place, and of the account of each contract that they are in.

    Absent values are proven too: a proof of zero is a proof.
    """
    proofs: list[StateProof] = []
    for name, contract in pool.profile.deployed.items():
        slots = [place.slot(slots_of(name)) for place in places if place.contract == name]
        if slots:
            proofs += _prove(pool, name, contract.address, sorted(set(slots)), at)
    return tuple(proofs)


def collect(
    pool: RpcPool,
    places: Sequence[Place],
    *,
    at: View,
    view: View | None = None,
    headers: Sequence[bytes] = (),
) -> Evidence:
    """
    Return a bundle's evidence, read at `at`.

    `view` is the block that an access statement names; `headers` lead from the trust
    root's block to `at`, where the verifier is not to follow the chain by itself.
    """
    return Evidence.model_validate(
        {
            "engine": pool.profile.engine,
            "header": header_at(pool, at),
            "headers": tuple(headers),
            "seals": (),
            "view": header_at(pool, view) if view is not None else None,
            "proofs": state_proofs(pool, places, at=at),
        },
        by_name=True,
    )


def _prove(
    pool: RpcPool, name: str, address: str, slots: Sequence[bytes], at: View
) -> list[StateProof]:
    # Anvil wants slots of 32 bytes, and integers without leading zeros from nobody.
    asked = ["0x" + slot.hex() for slot in slots]
    answer = cast(
        Mapping[str, Any], pool.request("eth_getProof", [address, asked, block_parameter(at)])
    )
    proofs = [_state_proof(name, None, answer["accountProof"])]
    given = {
        int(str(one["key"]), 16).to_bytes(WORD): one["proof"] for one in answer["storageProof"]
    }
    if set(given) != set(slots):
        raise ChainError(f"expected proofs of {len(slots)} slots of {name}, got {len(given)}")
    return proofs + [_state_proof(name, slot, given[slot]) for slot in slots]


def _state_proof(name: str, slot: bytes | None, nodes: object) -> StateProof:
    return StateProof.model_validate(
        {
            "contract": name,
            "slot": slot,
            "proof": tuple(data(node) for node in cast(list[object], nodes)),
        },
        by_name=True,
    )
