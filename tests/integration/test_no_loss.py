"""I3: what a node acknowledged is durable, and is anchored exactly once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from xinglin import merkle
from xinglin._chain.checkpoints import Checkpoints
from xinglin._demo import intake
from xinglin._demo.intake import Filed
from xinglin._demo.records import own_notes
from xinglin._demo.telling import Telling
from xinglin._demo.world import NETWORK, World, built, serve, wait_ready
from xinglin._network import process
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin._tiles import fetch_entries
from xinglin.errors import UsageError
from xinglin.names import Generation

NOTES = own_notes()[::5]
"""Eight notes of several subjects, so that both hospitals keep some."""


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[tuple[World, Filed, Telling]]:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    telling = Telling(Console(stderr=True), quiet=True)
    with built(tmp_path / "world", "anvil", keep=False, report=telling.say) as world:
        filed = intake.appoint_staff(world)
        intake.enrol(world, filed, NOTES, telling, wallets=False)
        yield world, filed, telling


def check_every_entry_is_anchored_once(world: World, filed: Filed) -> None:
    view = world.pool.head()
    for at, (hospital, node) in enumerate(zip(world.hospitals, world.nodes, strict=False)):
        anchored = Checkpoints(world.pool).history(hospital.member, Generation(0), at=view)
        sizes = [one.size for one in anchored]
        # Strictly growing sizes under consistent roots: an index is under one first anchor.
        assert sizes == sorted(set(sizes))
        with node.client() as client:
            entries = fetch_entries(client, sizes[-1])
        leaves = [entry.leaf for entry in entries]
        assert len(set(entries)) == len(entries)
        for one in anchored:
            assert merkle.root_of(leaves[: one.size]) == one.anchor.root
        acknowledged = [record.index for record in filed.records if record.node == at]
        assert len(set(acknowledged)) == len(acknowledged)
        assert max(acknowledged) < sizes[-1]


class TestI3NoLoss:
    """Through crashes, restarts, lost blocks and a stalled chain."""

    def test_a_chain_killed_in_the_middle_loses_nothing_that_was_acknowledged(
        self, standing: tuple[World, Filed, Telling]
    ) -> None:
        world, filed, telling = standing
        notes = NOTES
        intake.submit(world, filed, notes[:4], telling)
        (chain,) = Anvil().processes(world.folder / NETWORK)
        process.kill(chain)
        # The chain is down: what is handed in now is durable, and acknowledged as sequenced.
        intake.submit(world, filed, notes[4:], telling)
        assert len(filed.records) == 8
        Anvil().up(world.folder / NETWORK, NetworkOptions())
        intake.wait_until_final(world, telling, row=False)
        check_every_entry_is_anchored_once(world, filed)

    def test_a_node_killed_keeps_what_it_acknowledged(
        self, standing: tuple[World, Filed, Telling]
    ) -> None:
        world, filed, telling = standing
        notes = NOTES
        intake.submit(world, filed, notes[:4], telling)
        for hospital, node in zip(world.hospitals, world.nodes, strict=False):
            assert node.running is not None
            process.kill(node.running)
            serve(world, hospital, node)
        for node in world.nodes:
            wait_ready(node)
        intake.submit(world, filed, notes[4:], telling)
        intake.wait_until_final(world, telling, row=False)
        check_every_entry_is_anchored_once(world, filed)
