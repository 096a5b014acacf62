"""
The whole story, chapter by chapter. `xinglin demo` tells it.

With the forty notes that ship: consent, openings, revocation, what the patient sees.
With a user's own records every subject is without a device, so nobody signs a grant; the
rest is the same.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from xinglin._demo import attacks, audit, consent, intake
from xinglin._demo.intake import Filed
from xinglin._demo.records import DemoRecord
from xinglin._demo.telling import Telling
from xinglin._demo.world import World, built
from xinglin.bundle import read_bundle

CHAPTERS = 8
"""Chapters of the telling with wallets; the progress bar counts them."""

CHAPTERS_OF_OWN_RECORDS = 6
"""Chapters of the telling of a user's own records."""


@contextmanager
def told(
    folder: Path,
    records: Sequence[DemoRecord],
    telling: Telling,
    *,
    engine: str,
    wallets: bool,
    keep: bool,
) -> Iterator[World]:
    """Tell the story, and give the world while it stands; it stays only if `keep` says so."""
    with built(folder, engine, keep=keep, report=telling.say) as world:
        with telling.shown(CHAPTERS if wallets else CHAPTERS_OF_OWN_RECORDS):
            filed = _take_in(world, records, telling, wallets=wallets)
            if wallets:
                _consent(world, filed, telling)
            else:
                _attack_without_consent(world, filed, telling)
            with telling.chapter("nothing leaks"):
                audit.search_for_leaks(world, filed, telling)
        yield world


def _take_in(
    world: World, records: Sequence[DemoRecord], telling: Telling, *, wallets: bool
) -> Filed:
    with telling.chapter("enrolment"):
        filed = intake.appoint_staff(world)
        intake.enrol(world, filed, records, telling, wallets=wallets)
    with telling.chapter("records"):
        intake.submit(world, filed, records, telling)
        intake.wait_until_final(world, telling)
    return filed


def _consent(world: World, filed: Filed, telling: Telling) -> None:
    with telling.chapter("consent"):
        granted = consent.give(world, filed, telling)
    with telling.chapter("openings"), tempfile.TemporaryDirectory(dir=world.folder) as folder:
        openings = consent.open_granted(world, filed, granted, Path(folder), telling)
    with telling.chapter("revocation"):
        consent.revoke(world, granted, telling)
        consent.look(world, filed, telling)
    with telling.chapter("audit"):
        bundles = audit.fetch_bundles(world, filed, granted, openings)
        read = audit.verify_apart(world, bundles, telling)
    with telling.chapter("attacks"):
        attacks.attack(world, filed, read["record"], telling, granted=granted, openings=openings)


def _attack_without_consent(world: World, filed: Filed, telling: Telling) -> None:
    with telling.chapter("openings"), tempfile.TemporaryDirectory(dir=world.folder) as folder:
        opened = consent.open_as_care(world, filed, Path(folder), telling)
    with telling.chapter("audit"):
        intake.wait_until_final(world, telling, row=False)
        bundles = audit.fetch_care_bundles(world, filed, opened)
        audit.verify_apart(world, bundles, telling)
    with telling.chapter("attacks"):
        bundle = read_bundle(bundles["access"].read_bytes())
        attacks.attack(world, filed, bundle, telling, granted=None, openings=None)
