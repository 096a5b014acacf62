"""
Accounts: secp256k1 keys, and the one form of their signatures.

A signature is r ‖ s ‖ v, 65 bytes, with s in the lower half of the curve's order and v 27
or 28. Every signature has a twin (r, n - s) with the other v that recovers to the same
account; admitting both would let anyone make a second, different, valid copy of what a
person signed. The contracts refuse the twin (EIP-2, and OpenZeppelin's `ECDSA`), so it is
refused here, whatever the libraries below would accept.

>>> signer = Account.from_key(b"\\x01" * 32)
>>> signature = signer.sign_digest(bytes(32))
>>> recover_digest(bytes(32), signature) == signer.address
True
"""

import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import coincurve

from xinglin.errors import InvalidEncoding, SignatureError, UsageError
from xinglin.hashes import keccak256
from xinglin.names import Address, Signature

KEY_SIZE = 32
"""Bytes of a private key."""

DIGEST_SIZE = 32
"""Bytes of what is signed."""

SIGNATURE_SIZE = 65
"""Bytes of a signature: r, s, v."""

ADDRESS_SIZE = 20
"""Bytes of an address: the last of the public key's Keccak-256 (Yellow Paper, appendix F)."""

V_OFFSET = 27
"""v of a signature whose point has an even y; 28 where it is odd (Yellow Paper, appendix F)."""

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Order n of secp256k1's base point (SEC 2, section 2.4.1)."""

_MAX_S = (CURVE_ORDER // 2).to_bytes(32, "big")
_ADDRESS = re.compile(r"0x[0-9A-Fa-f]{40}")


@dataclass(frozen=True, slots=True)
class Account:
    """One who can sign on the chain's curve. Its `repr` shows the address alone."""

    address: Address
    """What the account is known by."""

    _private: coincurve.PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Make an account from fresh randomness."""
        while True:
            key = secrets.token_bytes(KEY_SIZE)
            if 0 < int.from_bytes(key, "big") < CURVE_ORDER:
                return cls.from_key(key)

    @classmethod
    def from_key(cls, key: bytes) -> Self:
        """Load a private key of 32 bytes. Raises `InvalidEncoding` for what is none."""
        if len(key) != KEY_SIZE or not 0 < int.from_bytes(key, "big") < CURVE_ORDER:
            raise InvalidEncoding(f"expected a secp256k1 private key of {KEY_SIZE} bytes")
        private = coincurve.PrivateKey(key)
        return cls(_address_of(private.public_key), private)

    @property
    def key(self) -> bytes:
        """The private key, 32 bytes."""
        return self._private.secret

    def sign_digest(self, digest: bytes) -> Signature:
        """
        Sign 32 bytes, deterministically (RFC 6979) and with low s.

        The digest must come from a labelled hash, such as EIP-712: signing raw bytes that
        another party chose would sign whatever those bytes mean elsewhere.
        """
        if len(digest) != DIGEST_SIZE:
            raise UsageError(f"expected a digest of {DIGEST_SIZE} bytes, got {len(digest)}")
        signed = self._private.sign_recoverable(digest, hasher=None)
        return Signature(signed[:64] + bytes([V_OFFSET + signed[64]]))


def recover_digest(digest: bytes, signature: Signature) -> Address:
    """
    Return the account that signed `digest`.

    Raises `SignatureError` for a signature of another length, a high s, a v that is
    neither 27 nor 28, and for values that are no signature at all.
    """
    return _address_of(_recover(digest, signature))


def verify_digest(digest: bytes, signature: Signature, expected: Address) -> None:
    """Check that `expected` signed `digest`. Raises `SignatureError`, as `recover_digest`."""
    wanted = address_bytes(expected)
    signer = _address_bytes_of(_recover(digest, signature))
    if signer != wanted:
        raise SignatureError(f"expected a signature by {expected}, got one by another account")


def to_address(value: bytes) -> Address:
    """Write 20 bytes as an address with its checksum (EIP-55)."""
    if len(value) != ADDRESS_SIZE:
        raise InvalidEncoding(f"expected an address of {ADDRESS_SIZE} bytes, got {len(value)}")
    return _checksummed(value)


@lru_cache(maxsize=4096)
def address_bytes(address: Address) -> bytes:
    """Parse an address. Raises `InvalidEncoding` without the right checksum (EIP-55)."""
    if _ADDRESS.fullmatch(address) is None:
        raise InvalidEncoding("expected an address: 0x and 40 hexadecimal digits")
    value = bytes.fromhex(address[2:])
    if _checksummed(value) != address:
        raise InvalidEncoding("expected an address with its EIP-55 checksum, got another case")
    return value


@lru_cache(maxsize=4096)
def _checksummed(value: bytes) -> Address:
    digits = value.hex()
    nibbles = keccak256(digits.encode()).hex()
    return Address(
        "0x"
        + "".join(
            digit.upper() if nibble >= "8" else digit
            for digit, nibble in zip(digits, nibbles, strict=False)
        )
    )


def _recover(digest: bytes, signature: bytes) -> coincurve.PublicKey:
    if len(digest) != DIGEST_SIZE:
        raise UsageError(f"expected a digest of {DIGEST_SIZE} bytes, got {len(digest)}")
    if len(signature) != SIGNATURE_SIZE:
        raise SignatureError(
            f"expected a signature of {SIGNATURE_SIZE} bytes, got {len(signature)}"
        )
    v = signature[64]
    if v not in (V_OFFSET, V_OFFSET + 1):
        raise SignatureError(f"expected v 27 or 28, got {v}")
    if signature[32:64] > _MAX_S:
        raise SignatureError("expected s in the lower half of the order, got a malleated signature")
    try:
        return coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([v - V_OFFSET]), digest, hasher=None
        )
    except Exception as error:
        # coincurve raises bare `Exception` or `ValueError`, according to the step.
        raise SignatureError("expected a signature, got values that recover to no key") from error


def _address_bytes_of(public: coincurve.PublicKey) -> bytes:
    return keccak256(public.format(compressed=False)[1:])[-ADDRESS_SIZE:]


def _address_of(public: coincurve.PublicKey) -> Address:
    return _checksummed(_address_bytes_of(public))
