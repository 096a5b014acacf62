"""
Who really seals a network's blocks, as the headers show it from genesis on.

    sealing = watch(pool, saved=folder / "headers.json")
    sealing.validators          # who may seal the next block
    sealing.recent              # how many of the last blocks each of them sealed

No node is believed: each header is followed from the genesis hash of the profile. Where
one was is kept now and then, so that the next look reads only what is new, and a first one
that is broken off need not begin anew.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from xinglin import headers
from xinglin._chain.consortium import MemberRecord
from xinglin._chain.evidence import header_rlp
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Status
from xinglin.errors import HeaderError, InvalidEncoding
from xinglin.headers import store
from xinglin.headers.header import BlockHash
from xinglin.names import Address, Member

RECENT_TURNS = 4
"""Of each validator: blocks that `recent` looks back, times the number of validators."""

CONFIRMATIONS = 8
"""Blocks below the final one that are followed again: nothing that may go is kept."""

KEEP_EVERY = 1_000
"""Blocks; so many at most are followed again after a look that was broken off."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """Who seals, up to one final block."""

    number: int
    """The block that was followed to."""

    validators: tuple[Address, ...]
    """Who may seal the next one."""

    recent: dict[Address, int]
    """Of the last blocks, how many each validator sealed."""

    span: int
    """How many blocks that were."""

    @property
    def missing(self) -> tuple[Address, ...]:
        """Validators that sealed none of them, where there were enough to tell."""
        if self.span < RECENT_TURNS * len(self.validators):
            return ()
        return tuple(one for one in self.validators if not self.recent.get(one))


@dataclass(frozen=True, slots=True)
class RecordedValidator:
    """A validator as Consortium has it on record."""

    member: Member
    name: str
    validator: Address


def watch(
    pool: RpcPool,
    *,
    saved: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Sealing | None:
    """
    Follow the headers to the newest final block.

    None where no validators seal (a development chain). `saved` is where one was the last
    time; a file that does not fit is begun anew. Raises `HeaderError` at the first block
    that the validators did not seal.
    """
    profile = pool.profile
    if not profile.validators:
        return None
    target = pool.final_view(agree=1).number
    view = _resume(pool, saved, target)
    recent: list[tuple[Address, ...]] = []
    span = RECENT_TURNS * max(1, len(view.validators))
    settled = target - max(CONFIRMATIONS, span)
    first = view.number + 1
    for number in range(first, target + 1):
        view = view.follow(header_rlp(pool, pool.block(number)))
        recent = [*recent[-span + 1 :], tuple(view.sealed_by)]
        milestone = number == settled or (number < settled and number % KEEP_EVERY == 0)
        if saved is not None and milestone:
            _keep(saved, view)
        progress(number - first + 1, target - first + 1)
    counted = Counter(address for sealers in recent for address in sealers)
    return Sealing(view.number, tuple(view.validators), dict(counted), len(recent))


def recorded(members: list[MemberRecord]) -> tuple[RecordedValidator, ...]:
    """Return the validators on record, by member. Who was removed has none that should seal."""
    return tuple(
        RecordedValidator(member.number, member.name, member.validator)
        for member in members
        if member.validator is not None and member.status is not Status.REMOVED
    )


def differences(
    record: tuple[RecordedValidator, ...], sealing: Sealing
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return who is on record and may not seal, and who may seal and is on nobody's record."""
    on_record = {one.validator for one in record}
    may_seal = set(sealing.validators)
    return tuple(sorted(on_record - may_seal)), tuple(sorted(may_seal - on_record))


def _resume(pool: RpcPool, saved: Path | None, target: int) -> headers.View:
    profile = pool.profile
    rules = headers.rules_of(
        cast(headers.Engine, profile.engine),
        epoch_length=profile.epoch_length,
        block_period=profile.block_period,
    )
    if saved is not None and saved.exists():
        try:
            view = store.load(saved.read_bytes())
            fits = view.number <= target and _of(profile, rules, view)
            if fits and pool.block(view.number)["hash"] == "0x" + view.block_hash.hex():
                return view
        except (InvalidEncoding, HeaderError, OSError):
            pass  # It is only a short cut; genesis is where trust begins.
    genesis = header_rlp(pool, pool.block(0))
    return headers.begin(genesis, block_hash=BlockHash(profile.genesis), rules=rules)


def _of(profile: NetworkProfile, rules: headers.Rules, view: headers.View) -> bool:
    known = (view.known_from, view.known_hash)
    return known == (0, profile.genesis) and view.rules == rules


def _keep(saved: Path, view: headers.View) -> None:
    # A file of its own each time: two looks at once must not write into the same one.
    descriptor, name = tempfile.mkstemp(prefix=f".{saved.name}-", dir=saved.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(store.save(view))
        beside.replace(saved)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
