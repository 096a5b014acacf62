"""
Digests that know their algorithm, and the labelled hashes of the formats.

>>> Digest.of(b"").text[:14]
'sha256:e3b0c44'

Every hash that is not of public bytes begins with a label and a zero byte, so that a
value made for one use never serves another (docs/spec/bytes.md).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

import sha3

from xinglin.canonical import JsonValue
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.names import Salt

SHA256_SIZE = 32
"""Bytes of a SHA-256 digest."""

SALT_SIZE = 32
"""Bytes of a salt: as many as the digest has, so that guessing it is no easier."""

_TEXT = re.compile(r"sha256:([0-9a-f]{64})")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Digest:
    """A SHA-256 digest. The algorithm is in both text forms, so that it can change one day."""

    value: bytes
    """32 bytes."""

    def __post_init__(self) -> None:
        if len(self.value) != SHA256_SIZE:
            raise InvalidEncoding(
                f"expected a digest of {SHA256_SIZE} bytes, got {len(self.value)}"
            )

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Digest `data`."""
        return cls(hashlib.sha256(data).digest())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse `sha256:<64 lower-case hexadecimal digits>`. Raises `InvalidEncoding`."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise InvalidEncoding("expected sha256:<64 lower-case hexadecimal digits>")
        return cls(bytes.fromhex(match[1]))

    @classmethod
    def from_in_toto(cls, value: JsonValue) -> Self:
        """Parse an in-toto digest map `{"sha256": "<hex>"}`. Raises `InvalidEncoding`."""
        if not isinstance(value, dict) or list(value) != ["sha256"]:
            raise InvalidEncoding('expected a digest map {"sha256": "<hex>"}')
        text = value["sha256"]
        if not isinstance(text, str) or _HEX.fullmatch(text) is None:
            raise InvalidEncoding("expected 64 lower-case hexadecimal digits")
        return cls(bytes.fromhex(text))

    @property
    def text(self) -> str:
        """`sha256:<hex>`."""
        return f"sha256:{self.value.hex()}"

    @property
    def in_toto(self) -> dict[str, JsonValue]:
        """`{"sha256": "<hex>"}`."""
        return {"sha256": self.value.hex()}


def keccak256(data: bytes) -> bytes:
    """
    Keccak-256 with the original padding, as the chain uses it: not SHA3-256.

    From a C library: the pure ones that Ethereum's packages fall back to take twenty times
    as long, and every signature needs two or three.
    """
    return bytes(sha3.keccak_256(data).digest())


def labelled(label: bytes, *parts: bytes) -> bytes:
    """SHA-256(label ‖ 00 ‖ parts…). Callers keep the parts unambiguous, by size or prefix."""
    state = hashlib.sha256(label + b"\x00")
    for part in parts:
        state.update(part)
    return state.digest()


def salted(label: bytes, salt: Salt, data: bytes) -> bytes:
    """SHA-256(label ‖ 00 ‖ salt[32] ‖ data). Raises `UsageError` for a salt of another size."""
    if len(salt) != SALT_SIZE:
        raise UsageError(f"expected a salt of {SALT_SIZE} bytes, got {len(salt)}")
    return labelled(label, salt, data)
