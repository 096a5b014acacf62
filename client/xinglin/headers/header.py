"""
A block header as Ethereum writes it, read strictly.

Fifteen items have stood in every header since the first (Ethereum's yellow paper,
section 4.3); later forks append to them (EIP-1559, EIP-4895, EIP-4844, EIP-4788,
EIP-7685). Reading proves nothing: `xinglin.headers.qbft` and `xinglin.headers.clique`
say who sealed a header.

>>> genesis = from_rpc({
...     "parentHash": "0x" + "00" * 32, "sha3Uncles": "0x" + NO_OMMERS.hex(),
...     "miner": "0x" + "00" * 20, "stateRoot": "0x" + "11" * 32,
...     "transactionsRoot": "0x" + "00" * 32, "receiptsRoot": "0x" + "00" * 32,
...     "logsBloom": "0x" + "00" * 256, "difficulty": "0x1", "number": "0x0",
...     "gasLimit": "0x1c9c380", "gasUsed": "0x0", "timestamp": "0x65000000",
...     "extraData": "0x", "mixHash": "0x" + "00" * 32, "nonce": "0x" + "00" * 8,
... })
>>> parse(genesis).gas_limit
30000000
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from xinglin.errors import HeaderError, UsageError
from xinglin.hashes import keccak256
from xinglin.headers import _items

BlockHash = NewType("BlockHash", bytes)
"""32 bytes that name a block. On QBFT they say nothing about its seals."""

StateRoot = NewType("StateRoot", bytes)
"""Root of the trie of all accounts after a block, 32 bytes."""

SealHash = NewType("SealHash", bytes)
"""The 32 bytes that a validator signs when it seals a header."""

HASH_SIZE = 32
ADDRESS_SIZE = 20
BLOOM_SIZE = 256
NONCE_SIZE = 8

WORD_SIZE = 8
"""Bytes of the largest number, gas amount or time that a node keeps (64 bits)."""

WIDE_SIZE = 32
"""Bytes of the largest difficulty or fee that a node keeps (256 bits)."""

NO_OMMERS = keccak256(_items.EMPTY_LIST)
"""Hash of an empty list of ommers: proof of authority has none."""

QBFT_MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""Mix hash of every QBFT header: it marks the engine ("ctical byzantine fault tolerance")."""

_QBFT_KEPT = 3
"""Vanity, validators and vote: the parts of the extra data that a QBFT block hash covers."""

ZERO_HASH = bytes(HASH_SIZE)
"""Parent of a genesis block."""

MIN_GAS_LIMIT = 5000
"""Lowest gas limit of a block (yellow paper, section 4.3.4)."""

GAS_LIMIT_STEP = 1024
"""A gas limit moves by less than this fraction of its parent's (yellow paper, 4.3.4)."""

ELASTICITY = 2
"""London counts gas limits at twice the former (EIP-1559)."""

BERLIN, LONDON, SHANGHAI, PRAGUE = 15, 16, 17, 21
"""Number of items that a header has under each fork."""

CANCUN = (19, 20)
"""Cancun has 20 items; Besu until 25.9 left the last one out, and Prague's with it."""

MOST_ITEMS = 23
"""Forks beyond Prague are announced with two items more; a later one needs a new reader."""

_EXTRA = 12
"""Position of the extra data."""


_RPC_NAMES = (
    ("parentHash", HASH_SIZE),
    ("sha3Uncles", HASH_SIZE),
    ("miner", ADDRESS_SIZE),
    ("stateRoot", HASH_SIZE),
    ("transactionsRoot", HASH_SIZE),
    ("receiptsRoot", HASH_SIZE),
    ("logsBloom", BLOOM_SIZE),
    ("difficulty", None),
    ("number", None),
    ("gasLimit", None),
    ("gasUsed", None),
    ("timestamp", None),
    ("extraData", -1),
    ("mixHash", HASH_SIZE),
    ("nonce", NONCE_SIZE),
    ("baseFeePerGas", None),
    ("withdrawalsRoot", HASH_SIZE),
    ("blobGasUsed", None),
    ("excessBlobGas", None),
    ("parentBeaconBlockRoot", HASH_SIZE),
    ("requestsHash", HASH_SIZE),
)
"""Names in an answer to `eth_getBlockByNumber`, in header order; None marks an integer."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header that parses. Nobody has said yet that it is a good one."""

    parent_hash: BlockHash
    ommers_hash: bytes
    coinbase: bytes
    """20 bytes. On QBFT the proposer; on Clique the account that a vote is about."""
    state_root: StateRoot
    transactions_root: bytes
    receipts_root: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    """Seconds since 1970, as the block's proposer wrote it."""
    extra_data: bytes
    mix_hash: bytes
    nonce: bytes
    written: tuple[bytes, ...]
    """The RLP of every item, as it stands in the header."""

    @property
    def encoded(self) -> bytes:
        """The RLP of the whole header; what `parse` was given."""
        return _items.list_of(b"".join(self.written))

    @property
    def block_hash(self) -> BlockHash:
        """
        The hash that names the block: Keccak-256 of the header.

        On QBFT, which the mix hash tells, of the header in round 0 and without seals.
        Raises `HeaderError` if such a header's extra data does not parse that far.
        """
        if self.mix_hash != QBFT_MIX_HASH or self.number == 0:
            return BlockHash(keccak256(self.encoded))
        parts = _items.items(self.extra_data, "extraData")[:_QBFT_KEPT]
        unsealed = b"".join((*parts, _items.EMPTY_STRING, _items.EMPTY_LIST))
        return BlockHash(hash_with_extra(self, _items.list_of(unsealed)))

    @property
    def base_fee(self) -> int | None:
        """Fee per gas that is burnt (EIP-1559), or None before London."""
        if len(self.written) < LONDON:
            return None
        return _items.integer(self.written[BERLIN], WIDE_SIZE, "baseFeePerGas")


@dataclass(frozen=True, slots=True)
class Fork:
    """From when on a header has other items. Pinned beside the genesis hash, which lacks it."""

    items: tuple[int, ...]
    """Numbers of items that are right from here on, such as (16,) or (19, 20)."""

    number: int = 0
    """First block of the fork, where it is known by number."""

    timestamp: int = 0
    """First time of the fork, where it is known by time; both must have come."""

    def __post_init__(self) -> None:
        if not self.items or not all(BERLIN <= count <= MOST_ITEMS for count in self.items):
            raise UsageError(
                f"fork: expected item counts from {BERLIN} to {MOST_ITEMS}, got {self.items}"
            )
        if self.number < 0 or self.timestamp < 0:
            raise UsageError("fork: expected a number and a time from zero")


def parse(header_rlp: bytes) -> Header:
    """
    Read one header: a list of 15 to 23 items, in their only form, and nothing after it.

    Items beyond those of Prague are taken as they stand, if they are strings. Raises
    `HeaderError`.
    """
    written = _items.items(bytes(header_rlp), "header")
    if not BERLIN <= len(written) <= MOST_ITEMS:
        raise HeaderError(f"header: expected {BERLIN} to {MOST_ITEMS} items, got {len(written)}")
    fixed, integer = _items.fixed, _items.integer
    fixed(written[6], BLOOM_SIZE, "logsBloom")
    _check_tail(written)
    return Header(
        parent_hash=BlockHash(fixed(written[0], HASH_SIZE, "parentHash")),
        ommers_hash=fixed(written[1], HASH_SIZE, "ommersHash"),
        coinbase=fixed(written[2], ADDRESS_SIZE, "coinbase"),
        state_root=StateRoot(fixed(written[3], HASH_SIZE, "stateRoot")),
        transactions_root=fixed(written[4], HASH_SIZE, "transactionsRoot"),
        receipts_root=fixed(written[5], HASH_SIZE, "receiptsRoot"),
        difficulty=integer(written[7], WIDE_SIZE, "difficulty"),
        number=integer(written[8], WORD_SIZE, "number"),
        gas_limit=integer(written[9], WORD_SIZE, "gasLimit"),
        gas_used=integer(written[10], WORD_SIZE, "gasUsed"),
        timestamp=integer(written[11], WORD_SIZE, "timestamp"),
        extra_data=_items.payload(written[_EXTRA], "extraData"),
        mix_hash=fixed(written[13], HASH_SIZE, "mixHash"),
        nonce=fixed(written[14], NONCE_SIZE, "nonce"),
        written=written,
    )


def hash_with_extra(header: Header, extra_data: bytes) -> bytes:
    """Keccak-256 of the header with `extra_data` in place of its own."""
    written = header.written
    return keccak256(
        _items.list_of(
            b"".join((*written[:_EXTRA], _items.string_of(extra_data), *written[_EXTRA + 1 :]))
        )
    )


def check_shape(header: Header, genesis_items: int, forks: tuple[Fork, ...]) -> None:
    """
    Check that `header` has as many items as the pinned schedule says.

    Before the first fork that is the genesis block's own number. Raises `HeaderError`.
    """
    right: tuple[int, ...] = (genesis_items,)
    for fork in forks:
        if header.number >= fork.number and header.timestamp >= fork.timestamp:
            right = fork.items
    if len(header.written) not in right:
        raise HeaderError(
            f"header: expected {' or '.join(map(str, right))} items by the fork schedule, "
            f"got {len(header.written)}"
        )


def check_succession(header: Header, parent: Header, parent_hash: BlockHash, period: int) -> None:
    """
    Check the rules by which any header follows its parent: number, hash, time and gas.

    A chain that turns to London doubles its gas limit in that block (EIP-1559). Raises
    `HeaderError`.
    """
    if header.number != parent.number + 1:
        raise HeaderError(f"number: expected {parent.number + 1}, got {header.number}")
    if header.parent_hash != parent_hash:
        raise HeaderError(
            f"parentHash: expected {parent_hash.hex()}, got {header.parent_hash.hex()}"
        )
    if header.timestamp < parent.timestamp + period:
        raise HeaderError(
            f"timestamp: expected {parent.timestamp + period} or later, got {header.timestamp}"
        )
    if header.gas_used > header.gas_limit:
        raise HeaderError(f"gasUsed: expected {header.gas_limit} at most, got {header.gas_used}")
    turns_london = len(parent.written) < LONDON <= len(header.written)
    before = parent.gas_limit * (ELASTICITY if turns_london else 1)
    if (
        abs(header.gas_limit - before) >= before // GAS_LIMIT_STEP
        or header.gas_limit < MIN_GAS_LIMIT
    ):
        raise HeaderError(
            f"gasLimit: expected less than 1/{GAS_LIMIT_STEP} from {before} and "
            f"{MIN_GAS_LIMIT} or more, got {header.gas_limit}"
        )


def check_constant(name: str, expected: bytes | int, got: bytes | int) -> None:
    """Raise `HeaderError` if a field that never changes has another value."""
    if expected != got:
        raise HeaderError(f"{name}: expected {_shown(expected)}, got {_shown(got)}")


def from_rpc(block: Mapping[str, object]) -> bytes:
    """
    Write the header of a block as a node's `eth_getBlockByNumber` describes it.

    Takes plain JSON and web3's values alike, and its name for the extra data of proof
    of authority. The node's word is not believed: compare the hash of what is returned
    with the one expected. Raises `HeaderError` for a missing or malformed field.
    """
    written: list[bytes] = []
    for position, (name, size) in enumerate(_RPC_NAMES):
        value = block.get(name)
        if value is None and name == "extraData":
            value = block.get("proofOfAuthorityData")
        if value is None:
            if position < BERLIN:
                raise HeaderError(f"{name}: expected a value, got none")
            break
        written.append(_written_from_rpc(name, size, value))
    return _items.list_of(b"".join(written))


def _written_from_rpc(name: str, size: int | None, value: object) -> bytes:
    if size is None:
        return _items.integer_of(_number_from_rpc(name, value))
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value.removeprefix("0x"))
        except ValueError as error:
            raise HeaderError(f"{name}: expected hexadecimal digits") from error
    if not isinstance(value, bytes):
        raise HeaderError(f"{name}: expected bytes, got {type(value).__name__}")
    if size >= 0 and len(value) != size:
        raise HeaderError(f"{name}: expected {size} bytes, got {len(value)}")
    return _items.string_of(bytes(value))


def _number_from_rpc(name: str, value: object) -> int:
    if isinstance(value, str):
        try:
            value = int(value, 16)
        except ValueError as error:
            raise HeaderError(f"{name}: expected a hexadecimal quantity") from error
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise HeaderError(f"{name}: expected an integer from zero")
    return value


def _check_tail(written: tuple[bytes, ...]) -> None:
    """Check the items that London and later forks append; the meaning of none is used here."""
    for position in range(BERLIN, len(written)):
        if position >= len(_RPC_NAMES):
            _items.payload(written[position], f"item {position}")
            continue
        name, size = _RPC_NAMES[position]
        if size is None:
            _items.integer(written[position], WIDE_SIZE, name)
        else:
            _items.fixed(written[position], size, name)


def _shown(value: bytes | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
