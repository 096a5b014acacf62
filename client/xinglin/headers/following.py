"""
One way of following headers for every engine, and of saying how far the evidence reaches.

    rules = rules_of("qbft", epoch_length=30000, block_period=2)
    view = begin(genesis_rlp, block_hash=trusted_hash, rules=rules)
    view = follow(view, headers, progress=lambda view: print(view.number))
    print(describe(view))
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeVar

from xinglin.errors import HeaderError, UsageError
from xinglin.headers import clique, qbft
from xinglin.headers.header import BlockHash, Fork, parse
from xinglin.names import Address

Engine = Literal["anvil", "clique", "qbft"]
"""How a network seals its blocks. On Anvil nobody does."""

Rules = qbft.Rules | clique.Rules
"""What is pinned beside a genesis hash."""

View = qbft.View | clique.View
"""What is known after a header."""

AnyView = TypeVar("AnyView", qbft.View, clique.View)

PROGRESS_EVERY = 1000
"""Headers between two reports: some three a second."""

DEVELOPMENT = "development chain: order and time are not evidenced"
"""What is said where no validator seals."""


def rules_of(
    engine: Engine, *, epoch_length: int, block_period: int, forks: tuple[Fork, ...] = ()
) -> Rules:
    """
    The rules of a network as its trust root states them.

    Raises `UsageError` for Anvil, whose headers prove nothing, and for impossible values.
    """
    if engine == "qbft":
        return qbft.Rules(epoch_length, block_period, forks)
    if engine == "clique":
        return clique.Rules(epoch_length, block_period, forks)
    raise UsageError(f"headers: expected the engine qbft or clique, got {engine}")


def begin(header_rlp: bytes, *, block_hash: BlockHash, rules: Rules) -> View:
    """The view at a genesis block with the hash that one trusts. Raises `HeaderError`."""
    view = (
        qbft.genesis(header_rlp, rules=rules)
        if isinstance(rules, qbft.Rules)
        else clique.genesis(header_rlp, rules=rules)
    )
    if view.block_hash != block_hash:
        raise HeaderError(
            f"genesis: expected the block hash {block_hash.hex()}, got {view.block_hash.hex()}"
        )
    return view


def resume(
    header_rlp: bytes, *, block_hash: BlockHash, validators: Iterable[Address], rules: Rules
) -> View:
    """
    The view at a later block, with the hash and the validators that a trust root states.

    The block must end an epoch. Raises `HeaderError`.
    """
    if isinstance(rules, qbft.Rules):
        return qbft.resume(header_rlp, block_hash=block_hash, validators=validators, rules=rules)
    return clique.resume(header_rlp, block_hash=block_hash, validators=validators, rules=rules)


def views(view: AnyView, headers: Iterable[bytes]) -> Iterator[AnyView]:
    """Every view after `view`, one a header. Raises `HeaderError` at the first that fails."""
    for header_rlp in headers:
        view = view.follow(header_rlp)
        yield view


def follow(
    view: AnyView,
    headers: Iterable[bytes],
    *,
    progress: Callable[[AnyView], None] | None = None,
    every: int = PROGRESS_EVERY,
) -> AnyView:
    """
    The view after the last of `headers`; `view` itself if there are none.

    Calls `progress` with the newest view after every `every` headers. Keeps one view at
    a time, so a stream may be as long as the chain. Raises `HeaderError` at the first
    header that fails, and `UsageError` for an interval below one.
    """
    if every < 1:
        raise UsageError(f"progress: expected an interval from 1, got {every}")
    for count, newest in enumerate(views(view, headers), start=1):
        view = newest
        if progress is not None and count % every == 0:
            progress(view)
    return view


def block_hash_of(header_rlp: bytes, engine: Engine) -> BlockHash:
    """The hash by which a network names the block of a header. Raises `HeaderError`."""
    if engine == "qbft":
        return qbft.block_hash(header_rlp)
    return parse(header_rlp).block_hash


def describe(view: View, above: Sequence[View] = ()) -> str:
    """
    How far the evidence for a block reaches, in words.

    `above` are the views that follow it, for Clique, where one signer seals a block and
    those of the blocks above it stand in for the others.
    """
    known = "genesis" if view.known_from == 0 else f"checkpoint {view.known_from}"
    if not view.sealed_by:
        return "genesis block: taken from the trust root"
    sealed = set(view.sealed_by)
    if isinstance(view, clique.View):
        for later in above:
            sealed.update(later.sealed_by)
        sealed.intersection_update(view.sealers.addresses)
    text = f"sealed by {len(sealed)} of {len(view.sealers)} validators known from {known}"
    if isinstance(view, clique.View) and above:
        text += f", {len(above)} {'block' if len(above) == 1 else 'blocks'} deep"
    return text
