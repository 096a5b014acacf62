"""A chain, two hospitals' nodes and forty notes submitted to them: processes and real ports."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from xinglin._demo import consent, intake
from xinglin._demo.consent import Granted
from xinglin._demo.intake import Filed
from xinglin._demo.records import own_notes
from xinglin._demo.telling import Telling
from xinglin._demo.world import World, built
from xinglin._network.anvil import find_anvil
from xinglin.errors import UsageError


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands, and what was submitted."""

    world: World
    filed: Filed
    telling: Telling


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    folder: Path = tmp_path_factory.mktemp("integration")
    telling = Telling(Console(stderr=True), quiet=True)
    notes = own_notes()[:16]
    with built(folder, "anvil", keep=False, report=telling.say) as world:
        filed = intake.appoint_staff(world)
        intake.enrol(world, filed, notes, telling, wallets=True)
        intake.submit(world, filed, notes, telling)
        intake.wait_until_final(world, telling)
        yield Stage(world, filed, telling)


@pytest.fixture(scope="package")
def granted(stage: Stage) -> Granted:
    """Two grants, given on the chain."""
    return consent.give(stage.world, stage.filed, stage.telling)
