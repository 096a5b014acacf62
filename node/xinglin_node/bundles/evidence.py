"""
The chain's word for a bundle: the words of contract state that its verification reads.

Which these are is said by `xinglin.verify` itself, so that there is no list here to fall
behind it. They are proven at the newest final view, from today's state; what is absent is
proven as well: a proof of zero is how an appointment is shown not to be withdrawn.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress

from xinglin._chain.answers import View, block_parameter, data
from xinglin._chain.deploy import slots_of, trust_root
from xinglin._chain.evidence import collect, headers_between, state_proofs
from xinglin._chain.models import Models
from xinglin._chain.rpc import RpcPool
from xinglin.bundle import Bundle, Evidence, ModelState
from xinglin.errors import ConsentError, VerificationError
from xinglin.hashes import Digest
from xinglin.names import UnixTime
from xinglin.statement import Access, Refusal
from xinglin.storage import Place
from xinglin.verify import places_read
from xinglin_node.anchoring.worker import pool_of as new_pool
from xinglin_node.house import NodeHouse

MAX_HEADERS = 4_096
"""
Headers put into one bundle: 3.2 MiB on Clique, 4.5 MiB on QBFT (docs/spec/bundle.md). On a
longer chain `xinglin verify --network` follows them, and refuses the bundle alone, which does
not show who sealed its block.
"""

_guard = threading.Lock()


def pool_of(house: NodeHouse) -> RpcPool:
    """The RPC nodes that evidence is read from."""
    with _guard:
        pool: RpcPool | None = house.parts.get("pool")
        if pool is None:
            pool = house.parts["pool"] = new_pool(house)
        return pool


def gather(house: NodeHouse, draft: Bundle) -> Evidence:
    """
    Prove, at the newest final view, every word of state that verifying `draft` reads.

    An entry that breaks a rule is proven as well, up to the step that refuses it: its
    bundle is the evidence of the violation. Raises `Unreachable` or `ChainError`: half of
    the evidence is none.
    """
    pool = pool_of(house)
    at = pool.final_view()
    unproven = collect(pool, (), at=at, view=_view_of(draft), headers=_headers(house, pool, at))
    places: dict[Place, None] = {}

    def read(place: Place) -> bytes:
        places[place] = None
        return _read(pool, place, at)

    with suppress(VerificationError, ConsentError):
        places_read(
            draft.model_copy(update={"evidence": unproven}),
            trust=trust_root(house.profile),
            read=read,
        )
    proofs = state_proofs(pool, list(places), at=at)
    return unproven.model_copy(update={"proofs": proofs})


def _view_of(draft: Bundle) -> View | None:
    """The block that an access statement names."""
    predicate = draft.disclosure.attestation.read().predicate
    if not isinstance(predicate, Access | Refusal):
        return None
    view = predicate.view
    return View(view.number, view.hash, UnixTime(view.time))


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


def _read(pool: RpcPool, place: Place, at: View) -> bytes:
    """One word of storage."""
    contract = dict(pool.profile.deployed.items())[place.contract]
    slot = place.slot(slots_of(place.contract))
    word = pool.request(
        "eth_getStorageAt", [contract.address, "0x" + slot.hex(), block_parameter(at)]
    )
    return data(word)


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
