"""What must hold of a network after whatever was done to it (I3, I4, I5)."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.faults.trial import CATCH_UP_SECONDS, VIEW_AGE, Acknowledged, Release, Trial

from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.rpc import RpcPool
from xinglin._tiles import tile_path
from xinglin.errors import XinglinError
from xinglin.grant import GrantState
from xinglin.merkle import leaf_hash, root_of
from xinglin.names import Generation

ENTRY_SIZE = 64
TILE = 256
"""Entries of a whole tile (C2SP tlog-tiles)."""

QUEUE_SECONDS = 5
"""From a decision to the sequencing of its entry, on a crowded machine."""


def check(trial: Trial) -> dict[str, int]:
    """Wait until both logs are final, and compare everything. Raises `AssertionError`."""
    for node in (0, 1):
        _wait_until_final(trial, node)
    roots = 0
    for node in (0, 1):
        leaves = _leaves(trial, node)
        check_log([one for one in trial.acknowledged if one.node == node], leaves)
        roots += _check_roots(trial, node, leaves)
    canonical = RpcPool(trial.world.profile)
    consents, final = Consents(canonical), canonical.final_view()
    for release in list(trial.releases):
        standing = canonical.view_at(release.view_number)
        check_release(release, standing.hash, consents.grant(release.grant, at=standing))
    for grant in trial.revoked:
        assert any(one.grant == grant for one in trial.releases), "nothing was to be revoked"
        state = consents.grant(grant, at=final)
        assert state is not None, "a grant that was revoked is not on the chain"
        assert state.revoked_at, "a revocation that was final is not on the chain"
    canonical.close()
    return {
        "acknowledged": len(trial.acknowledged),
        "roots": roots,
        "releases": len(trial.releases),
        "refused": sum(trial.refusals.values()),
        "revoked": len(trial.revoked),
    }


def check_log(acknowledged: Sequence[Acknowledged], leaves: Sequence[bytes]) -> None:
    """What one node answered for is in its log, and nothing twice. Raises `AssertionError`."""
    assert len(set(leaves)) == len(leaves), "one leaf stands twice in a log"
    indices = [one.index for one in acknowledged]
    assert len(set(indices)) == len(indices), "one place was acknowledged twice"
    for one in acknowledged:
        assert one.index < len(leaves), "an acknowledged entry is not in the log"
        assert leaves[one.index] == one.leaf, "another entry stands in its place"


def check_release(release: Release, standing: bytes, given: GrantState | None) -> None:
    """
    A key left on a view that was fresh, stands, and has the grant alive.

    `standing` is the hash that the chain has at the view's number, `given` the grant's state
    there. The view is as old as it was when the entry was sequenced: the client may have
    asked long before, for a busy node is asked again, and the answer may be that of a request
    answered before, whose key leaves only after a newer view was looked at.
    Raises `AssertionError`.
    """
    during = release.asked_at - 1 < release.entered_at <= release.answered_at
    assert during, "an entry was not sequenced between its request and the answer"
    age = release.entered_at - release.view_time
    assert age <= VIEW_AGE + QUEUE_SECONDS, f"a key left on a view that was {age} s old"
    assert "0x" + standing.hex() == release.view_hash, "a key left on an orphan"
    assert given is not None, "a key left under a grant that its view does not have"
    assert not given.revoked_at, "a key left on a view that has the revocation"


def _wait_until_final(trial: Trial, node: int) -> None:
    ends = time.monotonic() + CATCH_UP_SECONDS
    while True:
        with contextlib.suppress(XinglinError):
            status = trial.status(node)
            if status["final"]["size"] == status["sequenced"]["size"]:
                return
        assert time.monotonic() < ends, f"node {node} did not drain: {trial.status(node)}"
        time.sleep(0.5)


def _leaves(trial: Trial, node: int) -> list[Any]:
    size = trial.status(node)["sequenced"]["size"]
    entries = b""
    with trial.world.nodes[node].client() as client:
        for tile in range((size + TILE - 1) // TILE):
            width = min(TILE, size - tile * TILE)
            part = "" if width == TILE else f".p/{width}"
            entries += client.get_bytes(f"/log/tile/entries/{tile_path(tile)}{part}")
    # Each entry has its length before it, in two bytes (C2SP tlog-tiles).
    step = ENTRY_SIZE + 2
    assert len(entries) == size * step
    return [leaf_hash(entries[at + 2 : at + step]) for at in range(0, len(entries), step)]


def _check_roots(trial: Trial, node: int, leaves: list[Any]) -> int:
    """Every anchored root is that of the log's own tree, on each validator alike."""
    member = trial.world.hospitals[node].member
    seen: list[list[Any]] = []
    for validator in trial.validators:
        pool = RpcPool(replace(trial.world.profile, rpc=(validator.url,)))
        view = pool.final_view(agree=1)
        seen.append(Checkpoints(pool).history(member, Generation(0), at=view))
        pool.close()
    shortest = min(len(one) for one in seen)
    assert all(one[:shortest] == seen[0][:shortest] for one in seen), "validators disagree"
    sizes = [one.size for one in max(seen, key=len)]
    assert sizes == sorted(set(sizes)), "a size was anchored twice"
    mine = [one.index + 1 for one in trial.acknowledged if one.node == node]
    newest = max(sizes, default=0)
    assert newest >= max(mine, default=0), "an acknowledged entry is under no checkpoint"
    for one in max(seen, key=len):
        assert one.anchor.root == root_of(leaves[: one.size]), "an anchored root is another's"
    return len(sizes)
