"""
Headers of a QBFT network, as Hyperledger Besu writes them: who sealed which block.

One starts from a genesis header whose hash, epoch length and block period come from
the trust root, and follows every header after it. A header that `View.follow` returns
from was sealed by a quorum of the validators that the headers before it lead to, and
is final.

    view = genesis(headers[0], rules=Rules(epoch_length=30000, block_period=2))
    for header_rlp in headers[1:]:
        view = view.follow(header_rlp)

What a header says of itself is checked and never believed: the list of validators in
block N must be the one that the votes up to N - 1 led to. The rules are written out in
docs/spec/headers.md. Not followed: networks whose validators a contract chooses, and
overrides of the set in a node's own configuration; both are refused at the first
header that shows them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from xinglin.errors import HeaderError, UsageError
from xinglin.headers import _items
from xinglin.headers.header import (
    ADDRESS_SIZE,
    NO_OMMERS,
    NONCE_SIZE,
    QBFT_MIX_HASH,
    ZERO_HASH,
    BlockHash,
    Fork,
    Header,
    SealHash,
    StateRoot,
    check_constant,
    check_shape,
    check_succession,
    parse,
)
from xinglin.headers.qbft_extra import (
    ExtraData,
    block_hash_of,
    genesis_extra_data,
    listed,
    read_extra_data,
    seal_hash,
)
from xinglin.headers.validators import Account, ValidatorSet, Vote, account_of, recover
from xinglin.names import Address

__all__ = [
    "Rules",
    "View",
    "block_hash",
    "check_one_history",
    "genesis",
    "genesis_extra_data",
    "quorum",
    "restore",
    "resume",
]

MIX_HASH = QBFT_MIX_HASH
"""Mix hash of every header, the genesis block's too."""

DIFFICULTY = 1
"""Difficulty of every header."""

NO_NONCE = bytes(NONCE_SIZE)
"""Nonce of every header: nothing is mined."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the genesis hash does not cover and a follower has to be told."""

    epoch_length: int
    """Votes are dropped in every block whose number this divides."""

    block_period: int
    """Seconds at least between two blocks."""

    forks: tuple[Fork, ...] = ()
    """When headers took other items; empty if all have as many as the genesis header."""

    def __post_init__(self) -> None:
        if self.epoch_length < 1 or self.block_period < 1:
            raise UsageError(
                "rules: expected an epoch length and a block period from 1, "
                f"got {self.epoch_length} and {self.block_period}"
            )


@dataclass(frozen=True, slots=True)
class View:
    """What is known after a header: its block, and who may seal the next. Immutable."""

    rules: Rules
    header: Header
    block_hash: BlockHash
    followed: ValidatorSet
    """Validators after this block's vote: those that seal the next block."""

    sealers: ValidatorSet
    """Validators that had to seal this block."""

    sealed_by: tuple[Address, ...]
    """Those of them whose seals the header carries, in that order; none for a genesis block."""

    votes: tuple[Vote, ...]
    """Votes of this epoch that have not decided anything yet, sorted."""

    known_from: int
    """Number of the block whose validators were taken from the trust root; 0 is genesis."""

    known_hash: BlockHash
    """Hash of that block."""

    genesis_items: int = field(repr=False)
    """How many items a header has until the first fork."""

    @property
    def number(self) -> int:
        """Height of the block."""
        return self.header.number

    @property
    def state_root(self) -> StateRoot:
        """Root under which contract state after this block is proven."""
        return self.header.state_root

    @property
    def timestamp(self) -> int:
        """The block's time, in Unix seconds."""
        return self.header.timestamp

    @property
    def validators(self) -> tuple[Address, ...]:
        """Validators that have to seal the next block, ascending by bytes."""
        return self.followed.addresses

    def follow(self, header_rlp: bytes) -> "View":
        """
        The view after the next header.

        1. The header parses, has the items of its fork, and constants where they belong.
        2. It follows this block: number, hash, time, gas.
        3. It lists the validators followed so far, and its proposer is one of them.
        4. A quorum of them sealed it; every seal is good, none is doubled.
        5. Its vote is counted, or all votes are dropped at the end of an epoch.

        Raises `HeaderError`, naming the field, and leaves this view as it is.
        """
        header = parse(header_rlp)
        check_shape(header, self.genesis_items, self.rules.forks)
        _check_constants(header)
        extra = read_extra_data(header.extra_data)

        check_succession(header, self.header, self.block_hash, self.rules.block_period)

        _check_set(extra, self.followed)
        if header.coinbase not in self.followed:
            raise HeaderError(f"coinbase: expected a validator, got {header.coinbase.hex()}")

        sealed_hash = block_hash_of(header, extra)
        sealed_by = _check_seals(header, extra, self.followed, sealed_hash)

        validators, votes = _count(self, header, extra)
        return View(
            rules=self.rules,
            header=header,
            block_hash=sealed_hash,
            followed=validators,
            sealers=self.followed,
            sealed_by=sealed_by,
            votes=votes,
            known_from=self.known_from,
            known_hash=self.known_hash,
            genesis_items=self.genesis_items,
        )


def genesis(header_rlp: bytes, *, rules: Rules) -> View:
    """
    The view at a genesis block, whose validators are taken from its extra data.

    Compare `block_hash` with the trust root's: nobody sealed a genesis block. Raises
    `HeaderError` if the header is not that of a QBFT network's first block.
    """
    header = parse(header_rlp)
    check_constant("number", 0, header.number)
    check_constant("parentHash", ZERO_HASH, header.parent_hash)
    _check_constants(header)
    extra = read_extra_data(header.extra_data)
    validators = listed(extra)
    expected = genesis_extra_data(validators.addresses)
    if header.extra_data != expected:
        raise HeaderError(
            f"extraData: expected {expected.hex()} in a genesis block, "
            f"got {header.extra_data.hex()}"
        )
    return View(
        rules=rules,
        header=header,
        block_hash=header.block_hash,
        followed=validators,
        sealers=validators,
        sealed_by=(),
        votes=(),
        known_from=0,
        known_hash=header.block_hash,
        genesis_items=len(header.written),
    )


def resume(
    header_rlp: bytes, *, block_hash: BlockHash, validators: Iterable[Address], rules: Rules
) -> View:
    """
    The view at a later block that a trust root vouches for.

    Only the last block of an epoch will do, as no votes are open after it: its number
    must be a multiple of the epoch length (docs/adr/0041). Until the first fork in
    `rules`, headers must have as many items as this one. Raises `HeaderError`.
    """
    header = parse(header_rlp)
    if header.number % rules.epoch_length:
        raise HeaderError(
            f"number: expected a multiple of the epoch length {rules.epoch_length}, "
            f"got {header.number}"
        )
    followed = ValidatorSet.of(map(account_of, validators))
    return restore(
        header,
        sealers=followed,
        validators=followed,
        votes=(),
        rules=rules,
        known_from=header.number,
        known_hash=block_hash,
        genesis_items=len(header.written),
        block_hash=block_hash,
    )


def restore(
    header: Header,
    *,
    sealers: ValidatorSet,
    validators: ValidatorSet,
    votes: tuple[Vote, ...],
    rules: Rules,
    known_from: int,
    known_hash: BlockHash,
    genesis_items: int,
    block_hash: BlockHash,
) -> View:
    """
    A view from its parts, with all checked that the header itself can show.

    `validators` and `votes` are the caller's word. Raises `HeaderError`.
    """
    check_shape(header, genesis_items, rules.forks)
    _check_constants(header)
    extra = read_extra_data(header.extra_data)
    _check_set(extra, sealers)
    if header.coinbase not in sealers:
        raise HeaderError(f"coinbase: expected a validator, got {header.coinbase.hex()}")
    found = block_hash_of(header, extra)
    check_constant("block hash", block_hash, found)
    return View(
        rules=rules,
        header=header,
        block_hash=found,
        followed=validators,
        sealers=sealers,
        sealed_by=_check_seals(header, extra, sealers, found),
        votes=votes,
        known_from=known_from,
        known_hash=known_hash,
        genesis_items=genesis_items,
    )


def block_hash(header_rlp: bytes) -> BlockHash:
    """
    The hash by which a QBFT network names a block: round 0 and no seals.

    A genesis block's is the same as that of its bytes. Raises `HeaderError`.
    """
    header = parse(header_rlp)
    return block_hash_of(header, read_extra_data(header.extra_data))


def check_one_history(one: View, other: View) -> None:
    """
    Raise `HeaderError` if two sealed blocks of one height differ.

    That cannot happen while at most floor((n - 1) / 3) validators are faulty: stop, and
    tell people. The message names those that sealed both.
    """
    if one.number != other.number or one.block_hash == other.block_hash:
        return
    both = sorted(set(one.sealed_by) & set(other.sealed_by))
    raise HeaderError(
        f"two histories: block {one.number} is sealed as {one.block_hash.hex()} and as "
        f"{other.block_hash.hex()}; sealed both: {', '.join(both) or 'nobody'}"
    )


def quorum(validators: int) -> int:
    """Seals that a block needs: two thirds of the validators, rounded up."""
    return -(-2 * validators // 3)


def _check_constants(header: Header) -> None:
    check_constant("ommersHash", NO_OMMERS, header.ommers_hash)
    check_constant("difficulty", DIFFICULTY, header.difficulty)
    check_constant("mixHash", MIX_HASH, header.mix_hash)
    check_constant("nonce", NO_NONCE, header.nonce)


def _check_set(extra: ExtraData, followed: ValidatorSet) -> None:
    """The list in a header must be the followed set, ascending, in its only form."""
    if extra.written[1] == followed.written:
        return
    shown = [
        _items.fixed(item, ADDRESS_SIZE, "validator").hex()
        for item in _items.items(extra.written[1], "validators")
    ]
    expected = [account.hex() for account in followed.accounts]
    raise HeaderError(
        f"validators: expected the followed set {', '.join(expected) or 'of none'}, "
        f"got {', '.join(shown) or 'none'}"
    )


def _check_seals(
    header: Header, extra: ExtraData, sealers: ValidatorSet, named: BlockHash
) -> tuple[Address, ...]:
    """
    Recover every seal; return the sealers in the order of their seals. One bad seal is
    one too many, even beside a quorum of good ones: an honest node writes none.

    In round 0 what is signed is the block hash, `named`; it is not computed again.
    """
    needed = quorum(len(sealers))
    if not needed <= len(extra.seals) <= len(sealers):
        raise HeaderError(
            f"seals: expected {needed} to {len(sealers)} of {len(sealers)} validators, "
            f"got {len(extra.seals)}"
        )
    first_round = extra.written[3] == _items.EMPTY_STRING
    digest = SealHash(named) if first_round else seal_hash(header, extra)
    found: list[Account] = []
    for position, seal in enumerate(extra.seals):
        sealer = recover(seal, digest, f"seal {position}")
        if sealer not in sealers:
            raise HeaderError(f"seal {position}: expected a validator, got {sealer.hex()}")
        if sealer in found:
            raise HeaderError(f"seal {position}: expected each sealer once, got {sealer.hex()}")
        found.append(sealer)
    return tuple(sealers.addresses[sealers.accounts.index(account)] for account in found)


def _count(view: View, header: Header, extra: ExtraData) -> tuple[ValidatorSet, tuple[Vote, ...]]:
    """
    The set and the open votes after a header.

    At the end of an epoch all votes are dropped and the vote in that very block is
    ignored, as Besu does it. Otherwise the proposer's vote replaces its former one about
    the same account; more than half of the set decides, and closes all votes about the
    account, and by it if it is removed.

    As in Besu, both directions are counted, whichever this vote takes: votes that fell
    short of a larger set can decide in a smaller one (docs/adr/0042).
    """
    if header.number % view.rules.epoch_length == 0:
        return view.followed, ()
    if extra.vote is None:
        return view.followed, view.votes
    recipient, add = extra.vote
    voter = Account(header.coinbase)
    kept = (v for v in view.votes if v.voter != voter or v.recipient != recipient)
    votes = tuple(sorted((*kept, Vote(voter, recipient, add))))
    adding = sum(1 for vote in votes if vote.recipient == recipient and vote.add)
    dropping = sum(1 for vote in votes if vote.recipient == recipient and not vote.add)
    limit = len(view.followed) // 2 + 1
    if max(adding, dropping) < limit:
        return view.followed, votes
    votes = tuple(v for v in votes if v.recipient != recipient)
    if adding >= limit:
        return view.followed.with_account(recipient), votes
    return (
        view.followed.without_account(recipient),
        tuple(v for v in votes if v.voter != recipient),
    )
