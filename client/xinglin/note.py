"""
C2SP signed notes: a text, a blank line, and signatures.

Checkpoints and receipts are written as these (https://c2sp.org/signed-note), so that the tools
of other transparency logs read ours. One algorithm, Ed25519 (0x01).

>>> key = LogKey.generate()
>>> note = sign("one line\\n", "example.org/log", key)
>>> verify(note, "example.org/log", key.public)
'one line\\n'
"""

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from xinglin.errors import CheckpointError, InvalidEncoding, UsageError

ED25519 = 0x01
"""Signature type of Ed25519 over the note's text (c2sp.org/signed-note, signature types)."""

KEY_ID_SIZE = 4
"""Bytes of a key id."""

SEED_SIZE = PUBLIC_KEY_SIZE = 32
"""Bytes of an Ed25519 private and public key (RFC 8032, section 5.1.5)."""

SIGNATURE_SIZE = 64
"""Bytes of an Ed25519 signature (RFC 8032, section 5.1.6)."""

MAX_SIGNATURES = 16
"""Signature lines that a reader accepts: the least that the specification asks for."""

MAX_NOTE = 1 << 16
"""Bytes that a reader accepts; our notes have a few hundred, and cosignatures up to 5 kB each."""

_DASH = "\u2014"
_LINE = re.compile(rf"{_DASH} (\S+) ([A-Za-z0-9+/]+={{0,2}})")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_BAD_NAME = re.compile(r"[\s+\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class LogKey:
    """The Ed25519 key by which a member signs its log. Its `repr` shows the public half."""

    public: bytes
    """32 bytes, which the chain knows as the member's `logKey`."""

    seed: bytes = field(repr=False)
    """32 bytes that are the whole secret (RFC 8032, section 5.1.5)."""

    _private: ed25519.Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a key from fresh randomness."""
        return cls.from_seed(secrets.token_bytes(SEED_SIZE))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Load a key of 32 bytes. Raises `InvalidEncoding` for another length."""
        if len(seed) != SEED_SIZE:
            raise InvalidEncoding(f"expected a seed of {SEED_SIZE} bytes, got {len(seed)}")
        private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        return cls(private.public_key().public_bytes_raw(), bytes(seed), private)

    def sign(self, message: bytes) -> bytes:
        """Sign bytes; 64 bytes. Use `note.sign`, which also checks what is signed."""
        return self._private.sign(message)


def key_id(name: str, public_key: bytes) -> bytes:
    """SHA-256(name ‖ 0A ‖ 01 ‖ public key)[:4]: tells signature lines apart, proves nothing."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key).digest()[
        :KEY_ID_SIZE
    ]


def sign(text: str, name: str, key: LogKey) -> bytes:
    """
    Sign `text`, which ends in a newline, under the key name `name`.

    Raises `UsageError` for a text or a name that no reader would accept.
    """
    if not text.endswith("\n") or _CONTROL.search(text):
        raise UsageError("expected a text that ends in a newline and has no control characters")
    _check_name(name)
    try:
        message = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("expected Unicode text, got a lone surrogate") from error
    signature = base64.b64encode(key_id(name, key.public) + key.sign(message)).decode()
    return message + f"\n{_DASH} {name} {signature}\n".encode()


def verify(note: bytes, name: str, public_key: bytes) -> str:
    """
    Check that `note` is signed by the key `public_key` under `name`, and return its text.

    Lines by other keys are passed over, as the specification demands, so that cosigners may
    add theirs; they must be well formed. A second line by this key is refused. Raises
    `CheckpointError`.
    """
    _check_name(name)
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise UsageError(f"expected a log key of {PUBLIC_KEY_SIZE} bytes, got {len(public_key)}")
    text, lines = _split(note)
    wanted = (name, key_id(name, public_key))
    found = [blob for line_name, blob in lines if (line_name, blob[:KEY_ID_SIZE]) == wanted]
    if len(found) != 1:
        raise CheckpointError(f"expected one signature by {name}'s log key, got {len(found)}")
    if len(found[0]) != KEY_ID_SIZE + SIGNATURE_SIZE:
        raise CheckpointError(f"expected an Ed25519 signature of {SIGNATURE_SIZE} bytes")
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(
            found[0][KEY_ID_SIZE:], text.encode()
        )
    except (InvalidSignature, ValueError) as error:
        raise CheckpointError(f"the signature is not one by {name}'s log key") from error
    return text


def _check_name(name: str) -> None:
    if not name or _BAD_NAME.search(name):
        raise UsageError("expected a key name without spaces, plus signs and control characters")


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Part a note into its text and its signature lines. Raises `CheckpointError`."""
    if len(note) > MAX_NOTE:
        raise CheckpointError(f"expected a note of at most {MAX_NOTE} bytes, got {len(note)}")
    try:
        content = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError("expected a note in UTF-8") from error
    if _CONTROL.search(content):
        raise CheckpointError("expected a note without control characters")
    head, blank, tail = content.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise CheckpointError("expected a text, a blank line, and signature lines")
    signatures = tail[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise CheckpointError(f"expected at most {MAX_SIGNATURES} signature lines")
    return head + "\n", [_signature(line) for line in signatures]


def _signature(line: str) -> tuple[str, bytes]:
    match = _LINE.fullmatch(line)
    if match is None or _BAD_NAME.search(match[1]):
        raise CheckpointError("expected a signature line: dash, key name, base64")
    blob = decode_base64(match[2])
    if len(blob) <= KEY_ID_SIZE:
        raise CheckpointError("expected a key id and a signature, got fewer bytes")
    return match[1], blob


def decode_base64(text: str) -> bytes:
    """Parse padded base64 (RFC 4648, section 4) in its one form. Raises `CheckpointError`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointError("expected base64 with padding") from error
    if base64.b64encode(data).decode() != text:
        raise CheckpointError("expected base64 in its one form")
    return data


def decode_decimal(text: str, limit: int) -> int:
    """Parse a decimal number without sign or leading zeros. Raises `CheckpointError`."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text) or int(text) > limit:
        raise CheckpointError(f"expected a decimal number of at most {limit}")
    return int(text)
