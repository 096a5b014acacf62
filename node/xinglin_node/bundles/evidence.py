"""
The chain's word for a bundle: which words of contract state it needs, and their proofs.

The list follows `xinglin.verify`: whatever that asks of the chain is proven here, at the
newest final view, from today's state. What is absent is proven as well: a proof of zero
is how an appointment is shown not to be withdrawn.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from xinglin import storage
from xinglin._chain.deploy import slots_of
from xinglin._chain.evidence import collect, headers_between
from xinglin._chain.models import Models
from xinglin._chain.rpc import RpcPool, View, block_parameter, data
from xinglin.bundle import Evidence, ModelState
from xinglin.hashes import Digest
from xinglin.names import Address, Generation, GrantId, Member, UnixTime
from xinglin.statement import ViewOfChain
from xinglin.storage import Place
from xinglin_node.anchoring.worker import pool_of as new_pool
from xinglin_node.house import NodeHouse

MAX_HEADERS = 4_096
"""
Headers put into one bundle: two to three MiB. On a longer chain the verifier follows the
headers itself, and says that the bundle alone does not show who sealed its block.
"""

_guard = threading.Lock()


@dataclass(slots=True)
class Needed:
    """What a bundle's claims rest on."""

    anchors: set[tuple[Member, Generation, int]] = field(
        default_factory=set[tuple[Member, Generation, int]]
    )
    members: set[Member] = field(default_factory=set[Member])
    """Whose status history is asked for."""
    officers: set[Address] = field(default_factory=set[Address])
    """Accounts that signed appointments."""
    withdrawals: set[tuple[Member, bytes]] = field(default_factory=set[tuple[Member, bytes]])
    log_keys: set[Member] = field(default_factory=set[Member])
    grant: GrantId | None = None
    model: bytes | None = None
    view: ViewOfChain | None = None
    """The block that an access statement names."""


def pool_of(house: NodeHouse) -> RpcPool:
    """The RPC nodes that evidence is read from."""
    with _guard:
        pool: RpcPool | None = house.parts.get("pool")
        if pool is None:
            pool = house.parts["pool"] = new_pool(house)
        return pool


def gather(house: NodeHouse, needed: Needed) -> Evidence:
    """
    Prove everything in `needed` at the newest final view.

    Raises `Unreachable` or `ChainError`: half of the evidence is none.
    """
    pool = pool_of(house)
    at = pool.final_view()
    places = [*_fixed(needed), *_counted(pool, needed, at)]
    view = None
    if needed.view is not None:
        view = View(needed.view.number, needed.view.hash, UnixTime(needed.view.time))
    return collect(pool, _distinct(places), at=at, view=view, headers=_headers(house, pool, at))


def model_state(house: NodeHouse, model: Digest) -> ModelState | None:
    """A model's registrar and status history; None if it was never registered."""
    pool = pool_of(house)
    found = Models(pool).model(model, at=pool.final_view())
    if found is None:
        return None
    return ModelState.from_json(
        {
            "registrar": found.registrar,
            "history": [{"status": status.text, "at": at} for status, at in found.history],
        }
    )


def _fixed(needed: Needed) -> Sequence[Place]:
    """Places that are known without asking the chain."""
    places = [storage.anchored_place(*anchor) for anchor in sorted(needed.anchors)]
    places += [storage.account_place(officer) for officer in sorted(needed.officers)]
    places += [storage.withdrawn_place(*one) for one in sorted(needed.withdrawals)]
    if needed.grant is not None:
        places += [storage.grant_place(needed.grant, offset) for offset in range(3)]
    return places


def _counted(pool: RpcPool, needed: Needed, at: View) -> Sequence[Place]:
    """Histories: their length, and each item of them."""
    places: list[Place] = []
    for member in sorted(needed.members):
        length = storage.statuses_length_place(member)
        places.append(length)
        places += [storage.status_place(member, index) for index in range(_read(pool, length, at))]
    for member in sorted(needed.log_keys):
        length = storage.log_keys_length_place(member)
        places.append(length)
        places += [
            storage.log_key_place(member, index, offset=1)
            for index in range(_read(pool, length, at))
        ]
    if needed.model is not None:
        length = storage.model_statuses_length_place(needed.model)
        places.append(length)
        places += [
            storage.model_status_place(needed.model, index)
            for index in range(_read(pool, length, at))
        ]
    return places


def _read(pool: RpcPool, place: Place, at: View) -> int:
    """One word of storage, as a number."""
    contract = dict(pool.profile.deployed.items())[place.contract]
    slot = place.slot(slots_of(place.contract))
    word = pool.request(
        "eth_getStorageAt", [contract.address, "0x" + slot.hex(), block_parameter(at)]
    )
    return int.from_bytes(data(word))


def _headers(house: NodeHouse, pool: RpcPool, at: View) -> Sequence[bytes]:
    """Headers from genesis past the view, where blocks are sealed and they are not too many."""
    profile = house.profile
    last = at.number + profile.finality.depth
    if not profile.validators or last >= MAX_HEADERS:
        return ()
    with _guard:
        kept: list[bytes] = house.parts.setdefault("headers", [])
        # Blocks up to the view are final and are read once; those on top may yet change.
        if len(kept) <= at.number:
            kept += headers_between(pool, len(kept), at.number)
        final = kept[: at.number + 1]
    return (*final, *headers_between(pool, at.number + 1, last))


def _distinct(places: Collection[Place]) -> Sequence[Place]:
    return list(dict.fromkeys(places))
