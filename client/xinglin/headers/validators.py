"""
Who may seal, who did, and whom they vote for.

A set is built once and shared by every view until a vote changes it, so that following
a block costs nothing for the size of the set.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NewType

from coincurve import PublicKey
from eth_utils.address import to_checksum_address

from xinglin.errors import HeaderError
from xinglin.hashes import keccak256
from xinglin.headers import _items
from xinglin.headers.header import ADDRESS_SIZE, SealHash
from xinglin.names import Address

Account = NewType("Account", bytes)
"""An address as headers hold it, 20 bytes."""

SEAL_SIZE = 65
"""r[32] ‖ s[32] ‖ v[1]."""

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of secp256k1 (SEC 2, section 2.4.1)."""

_HALF_ORDER = CURVE_ORDER // 2

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")

_KNOWN_KEYS = 4096
"""Public keys whose address is remembered: more than any consortium has validators."""


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The accounts that may seal a block, ascending by bytes."""

    accounts: tuple[Account, ...]

    addresses: tuple[Address, ...] = field(init=False, compare=False)
    """The same in text."""

    written: bytes = field(init=False, compare=False, repr=False)
    """The same as an RLP list, to compare with a header's in one step."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", tuple(map(address_of, self.accounts)))
        object.__setattr__(
            self, "written", _items.list_of(b"".join(map(_items.string_of, self.accounts)))
        )

    @classmethod
    def of(cls, accounts: Iterable[bytes]) -> "ValidatorSet":
        """The set of `accounts`, in whatever order they come."""
        return cls(tuple(sorted(map(Account, set(accounts)))))

    def __contains__(self, account: object) -> bool:
        return account in self.accounts

    def __len__(self) -> int:
        return len(self.accounts)

    def with_account(self, account: bytes) -> "ValidatorSet":
        """This set and `account`; the set itself if it is in it."""
        return self if account in self else ValidatorSet.of((*self.accounts, account))

    def without_account(self, account: bytes) -> "ValidatorSet":
        """This set less `account`; the set itself if it is not in it."""
        if account not in self:
            return self
        return ValidatorSet.of(other for other in self.accounts if other != account)


@dataclass(frozen=True, slots=True, order=True)
class Vote:
    """What one validator last said about one account, in this epoch."""

    voter: Account
    recipient: Account
    add: bool


def recover(seal: bytes, digest: SealHash, name: str) -> Account:
    """
    The account whose key made `seal` over `digest`.

    Accepts one form of a signature: 65 bytes, v 0 or 1, r and s in range, s in the lower
    half. Besu and geth accept a high s too, but write none (docs/adr/0043). Raises
    `HeaderError`, naming `name`.
    """
    if len(seal) != SEAL_SIZE:
        raise HeaderError(f"{name}: expected {SEAL_SIZE} bytes, got {len(seal)}")
    if seal[64] > 1:
        raise HeaderError(f"{name}: expected a recovery id of 0 or 1, got {seal[64]}")
    r, s = int.from_bytes(seal[:32], "big"), int.from_bytes(seal[32:64], "big")
    if not 0 < r < CURVE_ORDER:
        raise HeaderError(f"{name}: expected r within the curve's order, got {r:064x}")
    if not 0 < s <= _HALF_ORDER:
        raise HeaderError(f"{name}: expected s in the lower half of the order, got {s:064x}")
    try:
        key = PublicKey.from_signature_and_message(seal, digest, hasher=None)
    except ValueError as error:
        raise HeaderError(f"{name}: expected a signature, got one that no key makes") from error
    return _account_of_key(key.format(compressed=False))


def address_of(account: bytes) -> Address:
    """The text of an account (EIP-55)."""
    return Address(to_checksum_address(account))


def account_of(address: Address) -> Account:
    """The bytes of an address, whatever its case. Raises `HeaderError`."""
    if _ADDRESS.fullmatch(address) is None:
        raise HeaderError("address: expected 0x and 40 hexadecimal digits")
    return Account(bytes.fromhex(address[2:]))


@lru_cache(maxsize=_KNOWN_KEYS)
def _account_of_key(key: bytes) -> Account:
    """Last 20 bytes of Keccak-256 over a public key without its first byte (04)."""
    return Account(keccak256(key[1:])[-ADDRESS_SIZE:])
