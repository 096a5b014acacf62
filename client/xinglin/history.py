"""
One subject's tags, and when their list is whole.

The tag of an entry is an HMAC under the subject's history key over the log's origin and a
counter. Who holds the key finds the entries; to all others tags are noise. The list is
*whole up to a checkpoint* when the tags 0 … n-1 each occur once in it, at the index that
was told, no later tag occurs, and each disclosure opens its commitment (DESIGN 3.7).

>>> key, origin = HistoryKey(bytes(32)), Origin("xinglin.network/00/1/0")
>>> tag(key, origin, 0) != tag(key, origin, 1)
True
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xinglin.errors import CommitmentError, HistoryError, InvalidEncoding, UsageError
from xinglin.hashes import labelled
from xinglin.names import EntryTag, Generation, HistoryKey, Member, NetworkId, Origin
from xinglin.statement import Disclosure, Entry, Erasure, open_commitment

HISTORY_LABEL = b"xinglin/history/v1"
TAG_LABEL = b"xinglin/tag/v1"

KEY_SIZE = 32
"""Bytes of a history key."""

_ORIGIN = re.compile(r"xinglin\.network/([0-9a-f]{32})/([1-9][0-9]{0,9})/(0|[1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of a subject's list, as the institution tells it."""

    index: int
    """Where it stands in the log."""

    disclosure: Disclosure | None
    """What opens it, with its counter; None if its statement was erased."""


def origin(network: NetworkId, member: Member, generation: Generation) -> Origin:
    """Name of a log (FORMATS: origin)."""
    return Origin(f"xinglin.network/{network.hex()}/{member}/{generation}")


def read_origin(text: str) -> tuple[NetworkId, Member, Generation]:
    """Read network, member and generation from a log's name. Raises `InvalidEncoding`."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise InvalidEncoding("expected xinglin.network/<network id>/<member>/<generation>")
    network, member, generation = match.groups()
    return NetworkId(bytes.fromhex(network)), Member(int(member)), Generation(int(generation))


def history_digest(key: HistoryKey) -> bytes:
    """Digest of a history key, 32 bytes: what an enrolment binds to."""
    return labelled(HISTORY_LABEL, key)


def tag(key: HistoryKey, origin: Origin, n: int) -> EntryTag:
    """The tag of this history's entry number `n` in the log `origin`."""
    if len(key) != KEY_SIZE:
        raise UsageError(f"expected a history key of {KEY_SIZE} bytes, got {len(key)}")
    name = origin.encode()
    message = TAG_LABEL + b"\x00" + len(name).to_bytes(2) + name + n.to_bytes(8)
    return EntryTag(hmac.digest(key, message, hashlib.sha256))


def verify_whole(
    key: HistoryKey, origin: Origin, entries: Sequence[Entry], told: Sequence[HistoryEntry]
) -> None:
    """
    Check that `told` is the whole history under `key` in the log's first `len(entries)`.

    Raises `HistoryError` for a gap, a repeat, a shifted index, an entry kept back, or a
    disclosure that does not open its commitment. The caller has checked that `entries`
    are under an anchored root. What this cannot show: an entry never tagged as the
    subject's, or an opening that was never logged.
    """
    # 1. Where every tag of this history could stand. One pass, one set of all m below
    #    the size: an institution that claims n = 2 and hides tag 5 is caught as well.
    where: dict[EntryTag, list[int]] = {}
    for index, entry in enumerate(entries):
        where.setdefault(entry.tag, []).append(index)
    positions = [where.get(tag(key, origin, n), []) for n in range(len(entries))]

    # 2. The tags 0 … n-1 each once, at the stated index.
    for n, item in enumerate(told):
        if n >= len(positions) or not positions[n]:
            raise HistoryError(f"tag {n} does not occur in the log up to {len(entries)}")
        if len(positions[n]) > 1:
            raise HistoryError(f"tag {n} occurs {len(positions[n])} times")
        if positions[n][0] != item.index:
            raise HistoryError(f"tag {n} stands at {positions[n][0]}, told as {item.index}")

    # 3. No tag m with n <= m < size.
    for n in range(len(told), len(entries)):
        if positions[n]:
            raise HistoryError(f"tag {n} occurs at {positions[n][0]}, the list ends before it")

    # 4. Each disclosure opens its commitment, or an erasure that is itself disclosed names it.
    erased = dict(_erased(told))
    for n, item in enumerate(told):
        commitment = entries[item.index].commitment
        if item.disclosure is None:
            if erased.get(item.index) != commitment:
                raise HistoryError(f"entry {item.index} is not disclosed, and no erasure names it")
        else:
            if item.disclosure.n not in (None, n):
                raise HistoryError(f"entry {item.index} has tag {n}, told as {item.disclosure.n}")
            try:
                open_commitment(commitment, item.disclosure)
            except CommitmentError as error:
                raise HistoryError(f"entry {item.index}: {error}") from error


def _erased(told: Iterable[HistoryEntry]) -> Iterable[tuple[int, bytes]]:
    for item in told:
        if item.disclosure is None:
            continue
        predicate = item.disclosure.attestation.read().predicate
        if isinstance(predicate, Erasure):
            for leaf in predicate.leaves:
                yield leaf.index, leaf.commitment.value
