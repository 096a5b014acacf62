"""
Encryption to named recipients: HPKE (RFC 9180) with ML-KEM-768 and X25519.

One suite and no negotiation: KEM MLKEM768-X25519 (0x647a, X-Wing), KDF HKDF-SHA256, AEAD
AES-256-GCM, base mode. A wrap stays secret while either half of the KEM stands, so what is
recorded today is not read by a quantum computer later. Base mode does not say who wrapped;
that is what signed statements are for. It has no public associated data either, so `info`
carries everything that a wrap must be bound to (docs/spec/envelope.md).
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from xinglin.errors import InvalidEncoding, UnwrapError, UsageError
from xinglin.hashes import labelled
from xinglin.names import DataKey

DATA_KEY_SIZE = 32
"""Bytes of a data key: Cobblestone256 takes 256 bits."""

SEED_SIZE = 32
"""Bytes from which both private keys are expanded (X-Wing: the decapsulation key)."""

KEM_ID = 0x647A
"""MLKEM768-X25519 in the HPKE registry of KEM identifiers (RFC 9180, section 7.1)."""

_MLKEM_SEED_SIZE = 64
_MLKEM_PUBLIC_SIZE = 1184
_X25519_SIZE = 32

PUBLIC_KEY_SIZE = _MLKEM_PUBLIC_SIZE + _X25519_SIZE
"""Bytes of a public key: ML-KEM-768 (FIPS 203, table 3) ‖ X25519."""

WRAP_SIZE = 1088 + 32 + DATA_KEY_SIZE + 16
"""Bytes of a wrap: ML-KEM ciphertext, X25519 share, the encrypted key and its tag."""

KEY_LABEL = b"xinglin/key/v1"

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class Recipient(Protocol):
    """
    One to whom a data key can be wrapped: the public half.

    An implementer promises that only the matching `Identity` recovers the key, only under
    the same `info`, and that wrapping twice gives two different wraps.
    """

    @property
    def key_digest(self) -> bytes:
        """32 bytes that name the public key."""
        ...

    def wrap(self, data_key: DataKey, info: bytes) -> bytes:
        """Encrypt `data_key`, bound to `info`."""
        ...


class Identity(Protocol):
    """
    One who can unwrap: the private half.

    An implementer promises to raise `UnwrapError`, and to return nothing, for a wrap that
    was made for another key or under another `info`, or that was altered in any bit.
    """

    @property
    def key_digest(self) -> bytes:
        """32 bytes that name the public key."""
        ...

    def unwrap(self, wrap: bytes, info: bytes) -> DataKey:
        """Recover the data key."""
        ...


def key_digest(public_key: bytes) -> bytes:
    """Name a public key: SHA-256(`xinglin/key/v1` 00 ‖ u16 KEM id ‖ public key)."""
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise InvalidEncoding(
            f"expected a public key of {PUBLIC_KEY_SIZE} bytes, got {len(public_key)}"
        )
    return labelled(KEY_LABEL, KEM_ID.to_bytes(2, "big"), public_key)


def new_data_key() -> DataKey:
    """Draw a fresh data key; each version of each record has its own."""
    return DataKey(secrets.token_bytes(DATA_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class HpkeRecipient:
    """
    A public key that data keys are wrapped to.

    Raises `InvalidEncoding` if made from bytes that are no public key.
    """

    public_key: bytes
    """ML-KEM-768 ‖ X25519, 1,216 bytes."""

    key_digest: bytes = field(init=False)
    """32 bytes that name the public key."""

    _parsed: hpke.MLKEM768X25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_digest", key_digest(self.public_key))
        try:
            parsed = hpke.MLKEM768X25519PublicKey(
                mlkem.MLKEM768PublicKey.from_public_bytes(self.public_key[:_MLKEM_PUBLIC_SIZE]),
                x25519.X25519PublicKey.from_public_bytes(self.public_key[_MLKEM_PUBLIC_SIZE:]),
            )
        except ValueError as error:
            raise InvalidEncoding("expected a public key of ML-KEM-768 and X25519") from error
        object.__setattr__(self, "_parsed", parsed)

    def wrap(self, data_key: DataKey, info: bytes) -> bytes:
        """
        Encrypt `data_key` to this key, bound to `info`; 1,168 bytes.

        Raises `InvalidEncoding` if the X25519 half is a point of low order, with which
        every share would be the same (RFC 7748, section 6.1).
        """
        if len(data_key) != DATA_KEY_SIZE:
            raise UsageError(f"expected a data key of {DATA_KEY_SIZE} bytes, got {len(data_key)}")
        try:
            return _SUITE.encrypt(data_key, self._parsed, info=info)
        except ValueError as error:
            raise InvalidEncoding("expected a public key, got a point of low order") from error


@dataclass(frozen=True, slots=True)
class HpkeIdentity:
    """A private key that unwraps. Its `repr` shows the public half alone."""

    recipient: HpkeRecipient
    """The public half."""

    seed: bytes = field(repr=False)
    """32 bytes that are the whole secret."""

    _parsed: hpke.MLKEM768X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Make an identity from fresh randomness."""
        return cls.from_seed(secrets.token_bytes(SEED_SIZE))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """
        Expand a seed of 32 bytes.

        SHAKE256(seed, 96) is the ML-KEM seed (d ‖ z, 64 bytes; FIPS 203, section 7.1) and
        the X25519 private key (32), as X-Wing's `expandDecapsulationKey` does.
        """
        if len(seed) != SEED_SIZE:
            raise InvalidEncoding(f"expected a seed of {SEED_SIZE} bytes, got {len(seed)}")
        expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED_SIZE + _X25519_SIZE)
        first = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_SIZE])
        second = x25519.X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_SIZE:])
        public_key = first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()
        return cls(
            HpkeRecipient(public_key), bytes(seed), hpke.MLKEM768X25519PrivateKey(first, second)
        )

    @property
    def key_digest(self) -> bytes:
        """32 bytes that name the public key."""
        return self.recipient.key_digest

    def unwrap(self, wrap: bytes, info: bytes) -> DataKey:
        """Recover a data key. Raises `UnwrapError`."""
        if len(wrap) != WRAP_SIZE:
            raise UnwrapError(f"expected a wrap of {WRAP_SIZE} bytes, got {len(wrap)}")
        try:
            return DataKey(_SUITE.decrypt(wrap, self._parsed, info=info))
        except (InvalidTag, ValueError) as error:
            raise UnwrapError(
                "the wrap does not open: altered, for another key, or for another purpose"
            ) from error
