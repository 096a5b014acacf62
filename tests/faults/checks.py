"""What must hold of a network after whatever was done to it (I3, I4, I5)."""

import contextlib
import time
from dataclasses import replace
from typing import Any

from tests.faults.trial import CATCH_UP_SECONDS, VIEW_AGE, Trial

from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.rpc import RpcPool
from xinglin._tiles import tile_path
from xinglin.errors import XinglinError
from xinglin.merkle import leaf_hash, root_of
from xinglin.names import Generation

ENTRY_SIZE = 64
TILE = 256
"""Entries of a whole tile (C2SP tlog-tiles)."""


def check(trial: Trial) -> dict[str, int]:
    """Wait until both logs are final, and compare everything. Raises `AssertionError`."""
    for node in (0, 1):
        _wait_until_final(trial, node)
    roots = 0
    for node in (0, 1):
        leaves = _leaves(trial, node)
        mine = [one for one in trial.acknowledged if one.node == node]
        indices = [one.index for one in mine]
        assert len(set(indices)) == len(indices), "one place was acknowledged twice"
        for one in mine:
            assert one.index < len(leaves), "an acknowledged entry is not in the log"
            assert leaves[one.index] == one.leaf, "another entry stands in its place"
        roots += _check_roots(trial, node, leaves)
    canonical = RpcPool(trial.world.profile)
    for release in trial.releases:
        age = release.at - release.view_time
        # Clocks of blocks run a few seconds ahead or behind on a crowded machine.
        assert age <= VIEW_AGE + 5, f"a key left on a view that was {age:.0f} s old"
        standing = canonical.view_at(release.view_number)
        assert "0x" + standing.hash.hex() == release.view_hash, "a key left on an orphan"
        given = Consents(canonical).grant(release.grant, at=standing)
        assert given is not None, "a key left under a grant that its view does not have"
    canonical.close()
    return {
        "acknowledged": len(trial.acknowledged),
        "roots": roots,
        "releases": len(trial.releases),
        "refused": sum(trial.refusals.values()),
    }


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
