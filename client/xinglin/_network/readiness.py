"""
Waiting until the nodes of a trial network know each other and seal.

A node that ends by itself ends the waiting, with the last words of its log.
"""

import time
from collections.abc import Callable
from pathlib import Path

from xinglin._chain.answers import quantity
from xinglin._chain.waiting import wait_for
from xinglin._network import process
from xinglin._network.probe import ask
from xinglin._network.topology import CliqueNode
from xinglin.errors import Unreachable

MESH_SECONDS = 30.0
FIRST_BLOCK_SECONDS = 60.0
STILL_SECONDS = 5.0
"""Without a block, after which a node that lacks the last one is started again."""


def wait_for_peers(folder: Path, nodes: tuple[CliqueNode, ...]) -> None:
    """Wait until no node is alone. Raises `Unreachable`."""
    if len(nodes) == 1:
        return

    def look() -> bool:
        counts = [quantity(ask(node.url, "net_peerCount")) for node in nodes]
        return min(counts) >= 1

    _wait(folder, nodes, look, seconds=MESH_SECONDS, what="every node to have a peer")


def wait_for_block(
    folder: Path, nodes: tuple[CliqueNode, ...], restart: Callable[[CliqueNode], None]
) -> None:
    """
    Wait until every node has a block that it did not have before.

    A node that starts throws away what it is told before it seals itself (seen on one start in
    twelve), and a block is told once. Where all others wait for the one that lacks it, nothing
    goes on: it is started again, for nodes that meet ask each other for what they lack.
    """
    before: list[int] = []
    last: list[int] = []
    since = time.monotonic()

    def look() -> bool:
        nonlocal before, last, since
        heads = [quantity(ask(node.url, "eth_blockNumber")) for node in nodes]
        before = before or heads
        if heads != last:
            last, since = heads, time.monotonic()
        elif time.monotonic() - since > STILL_SECONDS and min(heads) < max(heads):
            since = time.monotonic()
            for node, head in zip(nodes, heads, strict=True):
                if head < max(heads):
                    restart(node)
        return min(heads) > min(before)

    what = f"a new block from {folder}"
    _wait(folder, nodes, look, seconds=FIRST_BLOCK_SECONDS, what=what)


def _wait(
    folder: Path,
    nodes: tuple[CliqueNode, ...],
    look: Callable[[], bool],
    *,
    seconds: float,
    what: str,
) -> None:
    """Wait until it is so. Raises `Unreachable`, and at once where a node has ended by itself."""

    def came_or_ended() -> tuple[CliqueNode, ...] | None:
        ended = tuple(node for node in nodes if not _runs(folder, node))
        return ended if ended or look() else None

    for node in wait_for(came_or_ended, timeout=seconds, what=what):
        running = process.find(folder / node.name)
        if running is None:
            raise Unreachable(f"{node.name} was stopped while it came up")
        process.require_alive(running, node.name)


def _runs(folder: Path, node: CliqueNode) -> bool:
    running = process.find(folder / node.name)
    return running is not None and running.alive
