"""
Networks that exist in these tests only: headers written and sealed with test keys.

Each writer keeps the newest header and makes the next from it. Every field can be given,
so that a test breaks one rule and leaves the rest in order.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak
from hypothesis import HealthCheck, settings

from xinglin.headers import clique, qbft
from xinglin.headers.header import NO_OMMERS

START = 1_800_000_000
"""Time of every genesis block."""

GAS_LIMIT = 30_000_000

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For drawn examples on a machine that does other things as well."""

EMPTY_TRIE = keccak(b"\x80")


@dataclass(frozen=True, slots=True)
class Key:
    """A test key and its account."""

    secret: PrivateKey
    account: bytes

    @property
    def address(self) -> str:
        return f"0x{self.account.hex()}"

    def seal(self, digest: bytes) -> bytes:
        return self.secret.sign_recoverable(digest, hasher=None)


def key_of(name: str) -> Key:
    """A key that anyone can compute; never use it elsewhere."""
    secret = PrivateKey(keccak(f"xinglin header test key: {name}".encode()))
    return Key(secret, keccak(secret.public_key.format(compressed=False)[1:])[-20:])


def keys_of(count: int) -> list[Key]:
    """Test keys, ascending by account."""
    return sorted((key_of(f"validator {i}") for i in range(count)), key=lambda key: key.account)


@dataclass(frozen=True, slots=True)
class Draft:
    """A header before it is written: values where `Header` has them, RLP where it is nested."""

    parent_hash: bytes = bytes(32)
    ommers_hash: bytes = NO_OMMERS
    coinbase: bytes = bytes(20)
    state_root: bytes = EMPTY_TRIE
    transactions_root: bytes = EMPTY_TRIE
    receipts_root: bytes = EMPTY_TRIE
    bloom: bytes = bytes(256)
    difficulty: int = 1
    number: int = 0
    gas_limit: int = GAS_LIMIT
    gas_used: int = 0
    timestamp: int = START
    extra: bytes = b""
    mix_hash: bytes = bytes(32)
    nonce: bytes = bytes(8)
    tail: tuple[bytes | int, ...] = ()

    def items(self) -> list[bytes | int]:
        return [
            self.parent_hash, self.ommers_hash, self.coinbase, self.state_root,
            self.transactions_root, self.receipts_root, self.bloom, self.difficulty, self.number,
            self.gas_limit, self.gas_used, self.timestamp, self.extra, self.mix_hash, self.nonce,
            *self.tail,
        ]  # fmt: skip

    def encoded(self) -> bytes:
        return rlp.encode(self.items())


@dataclass(frozen=True, slots=True)
class QbftDraft:
    """A QBFT header before it is sealed."""

    header: Draft
    validators: Sequence[bytes]
    vote: list[bytes] = field(default_factory=list)
    round: int = 0
    vanity: bytes = bytes(32)

    def sealed(self, sealers: Iterable[Key], seals: Sequence[bytes] | None = None) -> bytes:
        if seals is None:
            digest = keccak(self._encoded([], self.round))
            seals = [key.seal(digest) for key in sealers]
        return self._encoded(list(seals), self.round)

    def block_hash(self) -> bytes:
        return keccak(self._encoded([], 0))

    def _encoded(self, seals: list[bytes], turn: int) -> bytes:
        extra = rlp.encode([self.vanity, list(self.validators), self.vote, turn, seals])
        return replace(self.header, extra=extra).encoded()


class QbftChain:
    """Writes a QBFT chain. The set of validators is stated by the test, not computed."""

    def __init__(
        self, keys: Sequence[Key], tail: tuple[bytes | int, ...] = (), *, start_time: int = START
    ) -> None:
        self.keys = list(keys)
        self.tail = tail
        start = Draft(mix_hash=qbft.MIX_HASH, tail=tail, timestamp=start_time)
        draft = QbftDraft(start, [key.account for key in self.keys])
        self.genesis = draft.sealed([], seals=[])
        self._header, self._hash = start, keccak(self.genesis)

    def draft(self, **changes: object) -> QbftDraft:
        """The next header, unsealed; changes go to the header or to its extra data."""
        parts = {
            name: changes.pop(name)
            for name in ("validators", "vote", "round", "vanity")
            if name in changes
        }
        header = replace(
            self._header,
            parent_hash=self._hash,
            number=self._header.number + 1,
            timestamp=self._header.timestamp + 1,
            coinbase=self.keys[(self._header.number + 1) % len(self.keys)].account,
            tail=self.tail,
        )
        draft = QbftDraft(replace(header, **changes), [key.account for key in self.keys])
        return replace(draft, **parts)

    def accept(self, draft: QbftDraft) -> None:
        """Go on from `draft`."""
        self._header, self._hash = draft.header, draft.block_hash()

    def next(self, sealers: Sequence[Key] | None = None, **changes: object) -> bytes:
        """The next header, sealed by a quorum or by `sealers`, and gone on from."""
        draft = self.draft(**changes)
        self.accept(draft)
        chosen = self.keys[: qbft.quorum(len(self.keys))] if sealers is None else sealers
        return draft.sealed(chosen)


class CliqueChain:
    """Writes a Clique chain. Signers and turns are stated by the test, not computed."""

    def __init__(self, keys: Sequence[Key], tail: tuple[bytes | int, ...] = ()) -> None:
        self.keys = list(keys)
        self.tail = tail
        extra = bytes(32) + b"".join(key.account for key in self.keys) + bytes(65)
        self._header = Draft(extra=extra, tail=tail)
        self.genesis = self._header.encoded()
        self._hash = keccak(self.genesis)

    @property
    def number(self) -> int:
        return self._header.number

    def in_turn(self) -> Key:
        """The signer whose turn the next block is."""
        return self.keys[(self._header.number + 1) % len(self.keys)]

    def draft(self, sealer: Key, **changes: object) -> Draft:
        """The next header, unsealed: 65 zero bytes stand where the seal goes."""
        number = self._header.number + 1
        header = replace(
            self._header,
            parent_hash=self._hash,
            number=number,
            timestamp=self._header.timestamp + 1,
            difficulty=2 if self.keys[number % len(self.keys)] == sealer else 1,
            coinbase=bytes(20),
            nonce=clique.NONCE_DROP,
            extra=bytes(32 + 65),
            tail=self.tail,
        )
        return replace(header, **changes)

    def next(
        self,
        sealer: Key | None = None,
        *,
        mend: Callable[[bytes], bytes] = lambda seal: seal,
        stay: bool = False,
        **changes: object,
    ) -> bytes:
        """The next header, sealed; the chain goes on from it unless it is to `stay`."""
        sealer = self.in_turn() if sealer is None else sealer
        draft = self.draft(sealer, **changes)
        unsealed = replace(draft, extra=draft.extra[:-65])
        seal = mend(sealer.seal(keccak(unsealed.encoded())))
        draft = replace(draft, extra=draft.extra[:-65] + seal)
        encoded = draft.encoded()
        if not stay:
            self._header, self._hash = draft, keccak(encoded)
        return encoded


def signers_extra(keys: Sequence[Key]) -> bytes:
    """Extra data of a block that ends an epoch, with room for the seal."""
    return bytes(32) + b"".join(key.account for key in keys) + bytes(65)
