"""
Key files: secrets at rest, under a passphrase.

A key file is canonical JSON with the cost of its key derivation, and a ciphertext. The key
comes from scrypt (RFC 7914) and the cipher is the one that seals records, Cobblestone256, so
that no file opens under two passphrases to two secrets. Format: docs/spec/keys.md.
"""

import os
import secrets
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url
from xinglin.errors import InvalidEncoding, KeyFileError, UsageError

KEY_FILE_FORMAT = "xinglin.keyfile/1"

KEY_FILE_LABEL = b"xinglin/keyfile/v1"

DEFAULT_LOG2_COST = 17
"""log2 of scrypt's N: 128 MiB and about half a second, with r = 8 and p = 1."""

_LOG2_COSTS = range(14, 21)
"""What a reader accepts: below is no protection, above 1 GiB a file could stall its reader."""

_SCRYPT_R, _SCRYPT_P = 8, 1
_SALT_SIZE = 32
_MAX_FILE = 1 << 20
_OWNER_ONLY = 0o600


def write_key_file(
    path: Path | str,
    secret: Mapping[str, JsonValue],
    passphrase: str,
    *,
    log2_cost: int = DEFAULT_LOG2_COST,
) -> None:
    """
    Write `secret` to a new file that only its owner may read.

    Never overwrites: a key is not replaced by accident. Raises `KeyFileError` if the file
    exists or cannot be written, `UsageError` for an empty passphrase.
    """
    _check_passphrase(passphrase)
    if log2_cost not in _LOG2_COSTS:
        raise UsageError(f"expected a cost from 2^14 to 2^20, got 2^{log2_cost}")
    salt = secrets.token_bytes(_SALT_SIZE)
    header = _header(log2_cost, salt)
    encryptor = Cobblestone256Encryptor(_derive(passphrase, log2_cost, salt), _context(header))
    ciphertext = encryptor.update(canonical.encode(secret)) + encryptor.finalize()
    _write_new(Path(path), canonical.encode({**header, "ciphertext": base64url(ciphertext)}))


def read_key_file(path: Path | str, passphrase: str) -> dict[str, JsonValue]:
    """
    Open a key file.

    Raises `KeyFileError` if it cannot be read, is no key file, was altered, or if the
    passphrase is wrong; the last two cannot be told apart.
    """
    _check_passphrase(passphrase)
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise KeyFileError(f"cannot read the key file: {error.strerror}") from error
    try:
        log2_cost, salt, ciphertext = _parse(data)
        header = _header(log2_cost, salt)
        decryptor = Cobblestone256Decryptor(_derive(passphrase, log2_cost, salt), _context(header))
        return canonical.decode_object(decryptor.update(ciphertext) + decryptor.finalize())
    except InvalidTag as error:
        raise KeyFileError("the key file does not open: wrong passphrase, or altered") from error
    except InvalidEncoding as error:
        raise KeyFileError(f"not a key file: {error}") from error
    except MemoryError as error:
        raise KeyFileError("not enough memory to derive the key file's key") from error


def _check_passphrase(passphrase: str) -> None:
    if not passphrase:
        raise UsageError("expected a passphrase, got an empty one")


def _derive(passphrase: str, log2_cost: int, salt: bytes) -> bytes:
    # NFC, so that one passphrase typed on two systems is one (RFC 8265, section 4.2.1).
    scrypt = Scrypt(salt=salt, length=32, n=1 << log2_cost, r=_SCRYPT_R, p=_SCRYPT_P)
    return scrypt.derive(unicodedata.normalize("NFC", passphrase).encode())


def _header(log2_cost: int, salt: bytes) -> dict[str, JsonValue]:
    return {
        "format": KEY_FILE_FORMAT,
        "kdf": {
            "name": "scrypt",
            "n": 1 << log2_cost,
            "p": _SCRYPT_P,
            "r": _SCRYPT_R,
            "salt": base64url(salt),
        },
    }


def _context(header: Mapping[str, JsonValue]) -> bytes:
    return KEY_FILE_LABEL + b"\x00" + canonical.encode(header)


def _parse(data: bytes) -> tuple[int, bytes, bytes]:
    """Return cost, salt and ciphertext of the one encoding there is, or raise."""
    if len(data) > _MAX_FILE:
        raise InvalidEncoding(f"expected at most {_MAX_FILE} bytes")
    value = canonical.decode_object(data)
    kdf = value.get("kdf")
    if value.get("format") != KEY_FILE_FORMAT or not isinstance(kdf, dict):
        raise InvalidEncoding(f"expected the format {KEY_FILE_FORMAT}")
    cost, salt_text = kdf.get("n"), kdf.get("salt")
    ciphertext_text = value.get("ciphertext")
    if not (
        isinstance(cost, int) and isinstance(salt_text, str) and isinstance(ciphertext_text, str)
    ):
        raise InvalidEncoding("expected kdf.n, kdf.salt and ciphertext")
    log2_cost = cost.bit_length() - 1
    if log2_cost not in _LOG2_COSTS:
        raise InvalidEncoding("expected a cost from 2^14 to 2^20")
    salt, ciphertext = from_base64url(salt_text), from_base64url(ciphertext_text)
    if len(salt) != _SALT_SIZE:
        raise InvalidEncoding(f"expected a salt of {_SALT_SIZE} bytes")
    # Rebuilding it refuses unknown members, other parameters and a cost that is no power of two.
    if {**_header(log2_cost, salt), "ciphertext": cast(JsonValue, ciphertext_text)} != value:
        raise InvalidEncoding("expected scrypt with r = 8 and p = 1, and nothing else")
    return log2_cost, salt, ciphertext


def _write_new(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError as error:
        raise KeyFileError("the key file exists already and is never overwritten") from error
    except OSError as error:
        raise KeyFileError(f"cannot write the key file: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise KeyFileError(f"cannot write the key file: {error.strerror}") from error
