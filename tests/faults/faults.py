"""What is done to the validators, each under load, and what must hold meanwhile."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator

from tests.faults.trial import CATCH_UP_SECONDS, VIEW_AGE, Trial, give

from xinglin._chain.answers import View
from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.rpc import RpcPool
from xinglin._network import process
from xinglin.consent import revoke_through
from xinglin.errors import ConsentError, Unreachable, XinglinError
from xinglin.names import Generation, GrantId

SETTLE_SECONDS = 6
"""After a cut: a minority of n may still seal floor(n/2) blocks (EIP-225), one a second."""

ATTEMPTS = 20
"""Blocks that are taken back until anchors and grants were among them often enough."""


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
        joined = max(trial.head(number) for number in (1, 2, 3, 4))
        # Each half may still have two who did not seal of late: two blocks, and no more. The
        # second comes late where its sealer missed the announcement of the first: go-ethereum
        # asks its peers for what it lacks every ten seconds.
        time.sleep(25)
        before = [trial.head(number) for number in (1, 2, 3, 4)]
        assert max(before) <= joined + 2, f"half of the validators went on: {joined}, {before}"
        time.sleep(12 if short else 40)
        after = [trial.head(number) for number in (1, 2, 3, 4)]
        assert after == before, f"half of the validators sealed: {before} became {after}"


def cut_three_one(trial: Trial, short: bool) -> None:
    """
    Three go on without the first, which comes back to their chain.

    It is the one that every node asks first, and it answers all the while from a chain that
    stands still. What happens meanwhile, a revocation, is to be had from the others alone.
    """
    with _cut(trial, {1}):
        before, alone = trial.head(2), trial.head(1)
        ends = time.monotonic() + (12 if short else 40)
        _revoke(trial)
        time.sleep(max(0.0, ends - time.monotonic()))
        assert trial.head(2) > before, "three of four went on sealing nothing"
        # It may not have sealed of late: then one block is its own, and no more.
        assert trial.head(1) <= alone + 1, "one of four went on sealing by itself"


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


def _revoke(trial: Trial) -> None:
    """
    Revoke under load; refused is who asks once it is final, and opened what is granted anew.

    The tear-off is shown to the other hospital, so the custodian has no stop list to go by:
    it learns of the revocation from the chain, or never.
    """
    revoked = trial.grant
    _wait_until_released(trial, revoked.id)
    anew = give(trial.world, trial.filed, trial.record)
    with trial.world.nodes[1].client() as client:
        revoke_through(client, revoked.id, revoked.revocation)
    number = _wait_until_revoked(trial, revoked.id)
    trial.revoked.append(revoked.id)
    ends = time.monotonic() + CATCH_UP_SECONDS
    while trial.status(0)["view"]["number"] < number:
        assert time.monotonic() < ends, "the custodian's node stays behind the revocation"
        time.sleep(0.2)
    told = _told(trial)
    assert told == "revoked", f"asked after the revocation was final: {told}"
    trial.grant = anew
    _wait_until_released(trial, anew.id)


def _told(trial: Trial) -> str:
    """What the physician hears who asks once: the term that refuses, or that a key left."""
    try:
        trial.ask_once(trial.filed.physicians[1])
    except ConsentError as error:
        return error.term
    return "released"


def _wait_until_revoked(trial: Trial, grant: GrantId) -> int:
    """Wait for a final view that has the revocation, and return its number."""
    pool = RpcPool(trial.world.profile)
    ends = time.monotonic() + CATCH_UP_SECONDS
    try:
        while time.monotonic() < ends:
            with contextlib.suppress(XinglinError):
                view = pool.final_view()
                state = Consents(pool).grant(grant, at=view)
                if state is not None and state.revoked_at:
                    return view.number
            time.sleep(0.2)
    finally:
        pool.close()
    raise Unreachable("the revocation came into no final block")


def one_wiped(trial: Trial, short: bool) -> None:
    """A validator without its blocks gets them from the others."""
    with trial.load(2):
        trial.wipe(3)
        trial.start(3)
        trial.wait_for_blocks()


def reorganised(trial: Trial, short: bool) -> None:
    """
    Anchors and grants are on the chain, and then are not; all comes again, once.

    What is taken back is younger than what is final: the last block, where the grant is.
    """
    wanted, anchors, grants = 1 if short else 3, 0, 0
    pool = RpcPool(trial.world.profile)
    log, member = Checkpoints(pool), trial.world.hospitals[0].member
    consents = Consents(pool)
    with trial.load(4):
        for _ in range(ATTEMPTS):
            given = give(trial.world, trial.filed, trial.record)
            # From here on the physician asks under this grant, whatever became of its block.
            trial.grant = given
            head = _head_with(pool, given.id)
            size = log.latest_size(member, Generation(0), at=head)
            trial.step_back(head.number - 1)
            left = pool.view_at(head.number - 1)
            grants += consents.grant(given.id, at=left) is None
            anchors += log.latest_size(member, Generation(0), at=left) < size
            trial.wait_for_blocks()
            assert pool.view_at(head.number).hash != head.hash, "the same block came again"
            if min(anchors, grants) >= wanted:
                break
        _wait_until_released(trial, trial.grant.id)
    pool.close()
    assert min(anchors, grants) >= wanted, f"{anchors} anchors, {grants} grants were orphaned"


def _head_with(pool: RpcPool, grant: GrantId) -> View:
    """Wait for the block that has the grant, and return it."""
    ends = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < ends:
        head = pool.head()
        if Consents(pool).grant(grant, at=head) is not None:
            return head
        time.sleep(0.05)
    raise Unreachable("the grant came into no block")


def _wait_until_released(trial: Trial, grant: GrantId) -> None:
    ends = time.monotonic() + CATCH_UP_SECONDS
    while not any(release.grant == grant for release in trial.releases):
        assert time.monotonic() < ends, "the grant opens nothing"
        time.sleep(0.5)


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
    "reorganised": reorganised,
    "random-kills": random_kills,
}
