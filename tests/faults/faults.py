"""What is done to the validators, each under load, and what must hold meanwhile."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator

from tests.faults.trial import VIEW_AGE, Trial

from xinglin._network import process

SETTLE_SECONDS = 6
"""After a cut: a minority of n may still seal floor(n/2) blocks (EIP-225), one a second."""


def one_killed(trial: Trial, short: bool) -> None:
    """With three of four it goes on."""
    with trial.load(4):
        trial.kill(4)
        before = max(trial.heads())
        time.sleep(8 if short else 30)
        assert max(trial.heads()) > before, "three of four went on sealing nothing"
        trial.start(4)
        trial.wait_for_blocks()


def two_killed(trial: Trial, short: bool) -> None:
    """With two it halts: nothing is lost, and nothing released on a view that is too old."""
    with trial.load(4):
        trial.kill(3, 4)
        try:
            time.sleep(VIEW_AGE + 15)
            stopped, released = max(trial.heads()), len(trial.releases)
            acknowledged = len(trial.acknowledged)
            # A refused client asks again a few times before it gives up.
            time.sleep(32 if short else 60)
            assert max(trial.heads()) == stopped, "two of four sealed a block"
            assert len(trial.releases) == released, "a key left while the view was too old"
            assert len(trial.acknowledged) > acknowledged, "nothing was taken in while it stood"
            refused = trial.refusals
            assert refused.get("view-stale"), f"expected view-stale, got {refused}"
        finally:
            trial.start(3, 4)
        trial.wait_for_blocks()


def one_paused(trial: Trial, short: bool) -> None:
    """One that stops for a minute and comes back finds its way."""
    with trial.load(4):
        paused = trial.process_of(2)
        process.pause(paused)
        try:
            time.sleep(12 if short else 60)
        finally:
            process.resume(paused)
        trial.wait_for_blocks()


def all_killed(trial: Trial, short: bool) -> None:
    """All killed while submissions come in, and started again."""
    with trial.load(6):
        time.sleep(3)
        trial.kill(1, 2, 3, 4)
        time.sleep(3 if short else 20)
        trial.start(1, 2, 3, 4)
        trial.wait_for_blocks()


def cut_two_two(trial: Trial, short: bool) -> None:
    """Two halves that do not hear each other both stand still, and join again."""
    with _cut(trial, {1, 2}):
        before = [trial.head(number) for number in (1, 2, 3, 4)]
        time.sleep(12 if short else 40)
        after = [trial.head(number) for number in (1, 2, 3, 4)]
        assert after == before, f"half of the validators sealed: {before} became {after}"


def cut_three_one(trial: Trial, short: bool) -> None:
    """Three go on without the fourth, which comes back to their chain."""
    with _cut(trial, {4}):
        before, alone = trial.head(1), trial.head(4)
        time.sleep(12 if short else 40)
        assert trial.head(1) > before, "three of four went on sealing nothing"
        assert trial.head(4) == alone, "one of four sealed by itself"


@contextlib.contextmanager
def _cut(trial: Trial, group: set[int]) -> Iterator[None]:
    """Part the validators under load, once what was under way has settled; join them after."""
    with trial.load(4):
        trial.cutter.cut(group)
        try:
            time.sleep(SETTLE_SECONDS)
            yield
        finally:
            trial.cutter.heal()
        trial.wait_for_blocks()


def one_wiped(trial: Trial, short: bool) -> None:
    """A validator without its blocks gets them from the others."""
    with trial.load(2):
        trial.wipe(3)
        trial.start(3)
        trial.wait_for_blocks()


def random_kills(trial: Trial, short: bool) -> None:
    """One validator after the other is killed at random and started again, under load."""
    chance = random.Random(1)
    kills, pause = (3, 6.0) if short else (10, 24.0)
    with trial.load(4):
        for _ in range(kills):
            number = chance.randint(1, 4)
            trial.kill(number)
            time.sleep(pause * chance.random())
            trial.start(number)
            time.sleep(pause * chance.random())
        trial.wait_for_blocks()


FAULTS: dict[str, Callable[[Trial, bool], None]] = {
    "one-killed": one_killed,
    "two-killed": two_killed,
    "one-paused": one_paused,
    "all-killed": all_killed,
    "cut-2-2": cut_two_two,
    "cut-3-1": cut_three_one,
    "one-wiped": one_wiped,
    "random-kills": random_kills,
}
