"""
Headers of a Clique network (EIP-225), as go-ethereum writes them: who sealed which block.

One starts from a genesis header whose hash, epoch length and block period come from
the trust root, and follows every header after it.

    view = genesis(headers[0], rules=Rules(epoch_length=30000, block_period=1))
    for header_rlp in headers[1:]:
        view = view.follow(header_rlp)

One signer seals a block alone, so one block proves one signer's word. A block counts
as final when more than half of the signers have sealed it or blocks above it; no signer
can seal two of any floor(n / 2) + 1 blocks in a row. Forks are ordinary: keep the older
view, which never changes, and follow the other branch from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from xinglin.errors import HeaderError, UsageError
from xinglin.headers.header import (
    ADDRESS_SIZE,
    BERLIN,
    ELASTICITY,
    LONDON,
    NO_OMMERS,
    NONCE_SIZE,
    ZERO_HASH,
    BlockHash,
    Fork,
    Header,
    SealHash,
    StateRoot,
    check_constant,
    check_shape,
    check_succession,
    hash_with_extra,
    parse,
)
from xinglin.headers.validators import (
    SEAL_SIZE,
    Account,
    ValidatorSet,
    Vote,
    account_of,
    recover,
)
from xinglin.names import Address

VANITY_SIZE = 32
"""Free bytes at the start of the extra data (EIP-225, EXTRA_VANITY)."""

IN_TURN, OUT_OF_TURN = 2, 1
"""Difficulty of a block by the signer whose turn it is, and by another (EIP-225)."""

NONCE_ADD = b"\xff" * NONCE_SIZE
"""Vote to add the account in the coinbase field (EIP-225, NONCE_AUTH)."""

NONCE_DROP = bytes(NONCE_SIZE)
"""Vote to remove it; also no vote, with a coinbase of zeros (EIP-225, NONCE_DROP)."""

NOBODY = Account(bytes(ADDRESS_SIZE))
"""Coinbase of a block without a vote."""

FIRST_BASE_FEE = 1_000_000_000
"""Base fee of the block in which a chain turns to London (EIP-1559)."""

FEE_STEP = 8
"""A base fee moves by this fraction at most (EIP-1559)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the genesis hash does not cover and a follower has to be told."""

    epoch_length: int
    """Votes are dropped in every block whose number this divides."""

    block_period: int
    """Seconds at least between two blocks; zero if they come with transactions."""

    forks: tuple[Fork, ...] = ()
    """When headers took other items; empty if all have as many as the genesis header."""

    def __post_init__(self) -> None:
        if self.epoch_length < 1 or self.block_period < 0:
            raise UsageError(
                "rules: expected an epoch length from 1 and a block period from 0, "
                f"got {self.epoch_length} and {self.block_period}"
            )
        if any(count not in (BERLIN, LONDON) for fork in self.forks for count in fork.items):
            raise UsageError("rules: expected forks up to London, the last that Clique knows")


@dataclass(frozen=True, slots=True)
class Sealing:
    """Who sealed one of the last blocks, and has to wait."""

    number: int
    sealer: Account


@dataclass(frozen=True, slots=True)
class View:
    """What is known after a header: its block, and who may seal the next. Immutable."""

    rules: Rules
    header: Header
    block_hash: BlockHash
    followed: ValidatorSet
    """Signers after this block's vote: one of them seals the next block."""

    sealers: ValidatorSet
    """Signers of whom one had to seal this block."""

    sealed_by: tuple[Address, ...]
    """The one that did; none for a genesis block."""

    votes: tuple[Vote, ...]
    """Votes of this epoch that have not decided anything yet, sorted."""

    recent: tuple[Sealing, ...]
    """The last sealings, oldest first; their sealers may not seal again yet."""

    known_from: int
    """Number of the block whose signers were taken from the trust root; 0 is genesis."""

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
        """Signers that may seal the next block, ascending by bytes."""
        return self.followed.addresses

    def follow(self, header_rlp: bytes) -> "View":
        """
        The view after the next header.

        1. The header parses, has the items of its fork, and constants where they belong.
        2. It follows this block: number, hash, time, gas, base fee.
        3. A block that ends an epoch votes for nothing and lists the signers followed so
           far; no other block lists any.
        4. One of them sealed it, who sealed none of the last blocks, at the difficulty of
           its turn.
        5. Its vote is counted, or all votes are dropped at the end of an epoch.

        Raises `HeaderError`, naming the field, and leaves this view as it is.
        """
        header = parse(header_rlp)
        check_shape(header, self.genesis_items, self.rules.forks)
        _check_constants(header)

        check_succession(header, self.header, self.block_hash, self.rules.block_period)
        _check_base_fee(header, self.header)

        _check_epoch(header, self.followed, self.rules)

        sealer = _sealer(header, self.followed)
        # A signer has to wait for as many blocks as make a majority, less its own.
        waited = header.number - _majority(len(self.followed))
        recent = tuple(sealing for sealing in self.recent if sealing.number != waited)
        for sealing in recent:
            if sealing.sealer == sealer:
                raise HeaderError(
                    f"seal: expected a signer of none of the last {len(recent)} blocks, "
                    f"got {sealer.hex()} of block {sealing.number}"
                )
        _check_turn(header, sealer, self.followed)

        signers, votes = _count(self, header, sealer)
        recent = (*recent, Sealing(header.number, sealer))
        if len(signers) < len(self.followed):
            waited = header.number - _majority(len(signers))
            recent = tuple(sealing for sealing in recent if sealing.number != waited)
        return View(
            rules=self.rules,
            header=header,
            block_hash=header.block_hash,
            followed=signers,
            sealers=self.followed,
            sealed_by=(_text(sealer, self.followed),),
            votes=votes,
            recent=recent,
            known_from=self.known_from,
            known_hash=self.known_hash,
            genesis_items=self.genesis_items,
        )


def genesis(header_rlp: bytes, *, rules: Rules) -> View:
    """
    The view at a genesis block, whose signers are taken from its extra data.

    Compare `block_hash` with the trust root's: nobody sealed a genesis block. Raises
    `HeaderError` if the header is not that of a Clique network's first block.
    """
    header = parse(header_rlp)
    check_constant("number", 0, header.number)
    check_constant("parentHash", ZERO_HASH, header.parent_hash)
    check_constant("ommersHash", NO_OMMERS, header.ommers_hash)
    _check_items(header)
    listed = _listed(header.extra_data)
    signers = ValidatorSet.of(listed)
    if not listed or len(signers) != len(listed):
        raise HeaderError(
            f"extraData: expected signers, each once, got {len(listed)} of whom "
            f"{len(signers)} differ"
        )
    check_constant("seal", bytes(SEAL_SIZE), header.extra_data[-SEAL_SIZE:])
    return View(
        rules=rules,
        header=header,
        block_hash=header.block_hash,
        followed=signers,
        sealers=signers,
        sealed_by=(),
        votes=(),
        recent=(),
        known_from=0,
        known_hash=header.block_hash,
        genesis_items=len(header.written),
    )


def resume(
    header_rlp: bytes, *, block_hash: BlockHash, validators: Iterable[Address], rules: Rules
) -> View:
    """
    The view at a later block that a trust root vouches for.

    Only the last block of an epoch will do, as no votes are open after it (docs/adr/0041).
    Who sealed the blocks before it is not known, so a majority's worth of blocks must
    follow before the rule against sealing twice holds fully. Raises `HeaderError`.
    """
    header = parse(header_rlp)
    if header.number % rules.epoch_length:
        raise HeaderError(
            f"number: expected a multiple of the epoch length {rules.epoch_length}, "
            f"got {header.number}"
        )
    signers = ValidatorSet.of(map(account_of, validators))
    sealer = _sealer(header, signers)
    return restore(
        header,
        sealers=signers,
        validators=signers,
        votes=(),
        recent=(Sealing(header.number, sealer),),
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
    recent: tuple[Sealing, ...],
    rules: Rules,
    known_from: int,
    known_hash: BlockHash,
    genesis_items: int,
    block_hash: BlockHash,
) -> View:
    """
    A view from its parts, with all checked that the header itself can show.

    `validators`, `votes` and `recent` are the caller's word. Raises `HeaderError`.
    """
    check_shape(header, genesis_items, rules.forks)
    _check_constants(header)
    check_constant("block hash", block_hash, header.block_hash)
    _check_epoch(header, sealers, rules)
    sealer = _sealer(header, sealers)
    _check_turn(header, sealer, sealers)
    return View(
        rules=rules,
        header=header,
        block_hash=header.block_hash,
        followed=validators,
        sealers=sealers,
        sealed_by=(_text(sealer, sealers),),
        votes=votes,
        recent=recent,
        known_from=known_from,
        known_hash=known_hash,
        genesis_items=genesis_items,
    )


def genesis_extra_data(signers: Iterable[Address]) -> bytes:
    """
    Extra data of a genesis block: nothing but the signers, ascending.

    Raises `HeaderError` for none, or for one that is not an address.
    """
    chosen = ValidatorSet.of(map(account_of, signers))
    if not chosen.accounts:
        raise HeaderError("signers: expected at least one, got none")
    return bytes(VANITY_SIZE) + b"".join(chosen.accounts) + bytes(SEAL_SIZE)


def seal_hash(header: Header) -> SealHash:
    """What a signer signs: the header without its seal (EIP-225)."""
    return SealHash(hash_with_extra(header, header.extra_data[:-SEAL_SIZE]))


def next_base_fee(parent: Header) -> int:
    """
    The base fee that follows from a parent's (EIP-1559).

    A zero fee stays zero until a block is more than half full.
    """
    if parent.base_fee is None:
        return FIRST_BASE_FEE
    target = parent.gas_limit // ELASTICITY
    moved = parent.base_fee * abs(parent.gas_used - target) // target // FEE_STEP
    if parent.gas_used > target:
        return parent.base_fee + max(moved, 1)
    return parent.base_fee - moved


def _majority(signers: int) -> int:
    """More than half of the signers, as few as that (EIP-225, SIGNER_LIMIT)."""
    return signers // 2 + 1


def _listed(extra_data: bytes) -> tuple[Account, ...]:
    """The signers between vanity and seal. Raises `HeaderError` if they do not fit."""
    size = len(extra_data) - VANITY_SIZE - SEAL_SIZE
    if size < 0 or size % ADDRESS_SIZE:
        raise HeaderError(
            f"extraData: expected {VANITY_SIZE + SEAL_SIZE} bytes and addresses, "
            f"got {len(extra_data)}"
        )
    return tuple(
        Account(extra_data[start : start + ADDRESS_SIZE])
        for start in range(VANITY_SIZE, VANITY_SIZE + size, ADDRESS_SIZE)
    )


def _check_items(header: Header) -> None:
    if len(header.written) > LONDON:
        raise HeaderError(
            f"header: expected {BERLIN} or {LONDON} items on Clique, got {len(header.written)}"
        )


def _check_constants(header: Header) -> None:
    _check_items(header)
    check_constant("ommersHash", NO_OMMERS, header.ommers_hash)
    check_constant("mixHash", ZERO_HASH, header.mix_hash)
    if header.nonce not in (NONCE_ADD, NONCE_DROP):
        raise HeaderError(f"nonce: expected all ff or all 00, got {header.nonce.hex()}")


def _check_base_fee(header: Header, parent: Header) -> None:
    if header.base_fee is not None:
        check_constant("baseFeePerGas", next_base_fee(parent), header.base_fee)


def _check_epoch(header: Header, followed: ValidatorSet, rules: Rules) -> None:
    listed = _listed(header.extra_data)
    if header.number % rules.epoch_length:
        if listed:
            raise HeaderError(
                f"extraData: expected signers in the last block of an epoch only, got {len(listed)}"
            )
        return
    check_constant("coinbase", NOBODY, header.coinbase)
    check_constant("nonce", NONCE_DROP, header.nonce)
    if listed != followed.accounts:
        raise HeaderError(
            "extraData: expected the followed signers "
            f"{', '.join(account.hex() for account in followed.accounts) or 'of none'}, "
            f"got {', '.join(account.hex() for account in listed) or 'none'}"
        )


def _sealer(header: Header, signers: ValidatorSet) -> Account:
    # Also where the length is not checked yet: no slice may be taken for a seal.
    _listed(header.extra_data)
    sealer = recover(header.extra_data[-SEAL_SIZE:], seal_hash(header), "seal")
    if sealer not in signers:
        raise HeaderError(f"seal: expected a signer, got {sealer.hex()}")
    return sealer


def _check_turn(header: Header, sealer: Account, signers: ValidatorSet) -> None:
    """The signers take turns by number, in ascending order (EIP-225)."""
    in_turn = header.number % len(signers) == signers.accounts.index(sealer)
    check_constant("difficulty", IN_TURN if in_turn else OUT_OF_TURN, header.difficulty)


def _text(sealer: Account, signers: ValidatorSet) -> Address:
    return signers.addresses[signers.accounts.index(sealer)]


def _count(view: View, header: Header, sealer: Account) -> tuple[ValidatorSet, tuple[Vote, ...]]:
    """
    The signers and the open votes after a header.

    A vote replaces the sealer's former one about the same account, and counts only if it
    would change something. More than half of the signers decide, and that closes all
    votes about the account, and by it if it is removed.

    As in geth, the votes about an account are counted whenever somebody names it, even by
    a vote that itself counts for nothing: votes that fell short of a larger set can then
    decide in a smaller one.
    """
    if header.number % view.rules.epoch_length == 0:
        return view.followed, ()
    recipient, add = Account(header.coinbase), header.nonce == NONCE_ADD
    member = recipient in view.followed
    votes = tuple(v for v in view.votes if v.voter != sealer or v.recipient != recipient)
    if add != member:
        votes = tuple(sorted((*votes, Vote(sealer, recipient, add))))
    # All open votes about one account point one way: its entry or exit closes them.
    agreed = sum(1 for vote in votes if vote.recipient == recipient)
    if agreed < _majority(len(view.followed)):
        return view.followed, votes
    votes = tuple(v for v in votes if v.recipient != recipient)
    if not member:
        return view.followed.with_account(recipient), votes
    return view.followed.without_account(recipient), tuple(v for v in votes if v.voter != recipient)
