"""
The extra data of a QBFT header: what is in it, and the two hashes that depend on it.

    extra data = [vanity[32], [validator[20], ...], vote, round, [seal[65], ...]]
    vote       = [] or [recipient[20], ff to add or nothing to drop]

The block hash leaves out the seals and the round; what is signed leaves out the seals
alone. So one block can stand in several headers, with other seals or of another round,
and its hash says nothing about them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xinglin.errors import HeaderError
from xinglin.headers import _items
from xinglin.headers.header import ADDRESS_SIZE, BlockHash, Header, SealHash, hash_with_extra
from xinglin.headers.validators import Account, ValidatorSet, account_of
from xinglin.names import Address

VANITY_SIZE = 32
"""Free bytes at the start of the extra data."""

ROUND_SIZE = 4
"""Bytes of the largest round; with `_ROUND_LIMIT`, a positive 32-bit integer."""

_ROUND_LIMIT = 1 << 31

_ADD, _DROP = b"\xff", b""
"""How a vote's direction is written."""

_EXTRA_ITEMS = 5
"""Vanity, validators, vote, round, seals."""


@dataclass(frozen=True, slots=True)
class ExtraData:
    """The five parts of a QBFT header's extra data."""

    written: tuple[bytes, ...]
    """Their RLP, as it stands in the header."""

    vote: tuple[Account, bool] | None
    """Recipient, and whether to add it."""

    seals: tuple[bytes, ...]

    @property
    def round(self) -> int:
        """The round in which the block was committed."""
        return _items.integer(self.written[3], ROUND_SIZE, "round")


def read_extra_data(extra_data: bytes) -> ExtraData:
    """Read the extra data of a header, but for the list of validators. Raises `HeaderError`."""
    written = _items.items(extra_data, "extraData")
    if len(written) != _EXTRA_ITEMS:
        raise HeaderError(f"extraData: expected {_EXTRA_ITEMS} items, got {len(written)}")
    _items.fixed(written[0], VANITY_SIZE, "vanity")
    turn = _items.integer(written[3], ROUND_SIZE, "round")
    if turn >= _ROUND_LIMIT:
        raise HeaderError(f"round: expected less than {_ROUND_LIMIT}, got {turn}")
    seals = tuple(_items.payload(seal, "seal") for seal in _items.items(written[4], "seals"))
    return ExtraData(written, _read_vote(written[2]), seals)


def _read_vote(written: bytes) -> tuple[Account, bool] | None:
    if written == _items.EMPTY_LIST:
        return None
    parts = _items.items(written, "vote")
    if len(parts) != 2:
        raise HeaderError(f"vote: expected a recipient and a type, got {len(parts)} items")
    recipient = _items.fixed(parts[0], ADDRESS_SIZE, "vote recipient")
    kind = _items.payload(parts[1], "vote type")
    if kind not in (_ADD, _DROP):
        raise HeaderError(f"vote type: expected ff or nothing, got {kind.hex()}")
    return Account(recipient), kind == _ADD


def listed(extra: ExtraData) -> ValidatorSet:
    """The validators that the extra data lists, in whatever order."""
    return ValidatorSet.of(
        _items.fixed(item, ADDRESS_SIZE, "validator")
        for item in _items.items(extra.written[1], "validators")
    )


def genesis_extra_data(validators: Iterable[Address]) -> bytes:
    """
    Extra data of a genesis block: nothing but the validators, ascending.

    Raises `HeaderError` for none, or for one that is not an address.
    """
    chosen = ValidatorSet.of(map(account_of, validators))
    if not chosen.accounts:
        raise HeaderError("validators: expected at least one, got none")
    return _items.list_of(
        _items.string_of(bytes(VANITY_SIZE))
        + chosen.written
        + _items.EMPTY_LIST
        + _items.EMPTY_STRING
        + _items.EMPTY_LIST
    )


def seal_hash(header: Header, extra: ExtraData) -> SealHash:
    """What the validators sign: the header with its round and without seals."""
    return SealHash(_hash(header, extra, extra.written[3]))


def block_hash_of(header: Header, extra: ExtraData) -> BlockHash:
    """The name of the block: the header in round 0 and without seals."""
    return BlockHash(_hash(header, extra, _items.EMPTY_STRING))


def _hash(header: Header, extra: ExtraData, turn: bytes) -> bytes:
    vanity, validators, vote, _, _ = extra.written
    parts = _items.list_of(vanity + validators + vote + turn + _items.EMPTY_LIST)
    return hash_with_extra(header, parts)
