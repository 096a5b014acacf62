"""
Cobblestone256 over streams: C2SP chunked encryption with SHA-512 and AES-256-GCM.

The message is cut into chunks of 16 KiB, each authenticated at its place, and the header
commits to the key: one ciphertext never opens under two keys to two texts, as a plain GCM one
can (https://c2sp.org/chunked-encryption). Only `xinglin.seal` uses this module; the published
vectors are run through it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from xinglin.errors import SealError, UsageError
from xinglin.hashes import Digest
from xinglin.names import DataKey

BLOCK_SIZE = 1 << 20
"""Bytes read at a time: large enough for speed, small enough for many streams at once."""

HEADER_SIZE = 24 + 32
"""Bytes before the first chunk: salt and commitment (chunked-encryption, key derivation)."""

CHUNK_SIZE, TAG_SIZE = 16 * 1024, 16
"""Bytes of a full chunk and of its tag (chunked-encryption, message chunking)."""


def ciphertext_size(message_size: int) -> int:
    """Bytes that a message becomes; the last chunk is always short of full, and may be empty."""
    return HEADER_SIZE + message_size + TAG_SIZE * (message_size // CHUNK_SIZE + 1)


def encrypt_stream(
    parts: Iterable[bytes], sink: BinaryIO, *, key: DataKey, context: bytes
) -> tuple[Digest, int]:
    """Encrypt `parts` into `sink`; return digest and size of the ciphertext."""
    encryptor = _encryptor(key, context)
    state, size = hashlib.sha256(), 0
    for part in parts:
        sealed = encryptor.update(part)
        state.update(sealed)
        size += len(sealed)
        write_all(sink, sealed)
    sealed = encryptor.finalize()
    state.update(sealed)
    write_all(sink, sealed)
    return Digest(state.digest()), size + len(sealed)


def decrypt_stream(parts: Iterable[bytes], *, key: DataKey, context: bytes) -> Iterator[bytes]:
    """
    Decrypt `parts`.

    What is yielded is authentic as far as it goes. That the message is *whole* is known
    only when the iterator ends without `SealError`: until then publish nothing.
    """
    try:
        decryptor = Cobblestone256Decryptor(key, context)
    except ValueError as error:
        raise UsageError("expected a data key of 32 bytes") from error
    try:
        for part in parts:
            yield decryptor.update(part)
        yield decryptor.finalize()
    except InvalidTag as error:
        raise SealError(
            "the blob does not open: altered, cut short, or of another key, record or version"
        ) from error


def blocks(source: BinaryIO) -> Iterator[bytes]:
    """Read `source` to its end. Raises `UsageError` if it does not give bytes."""
    while True:
        block = cast(object, source.read(BLOCK_SIZE))
        if not isinstance(block, bytes | bytearray | memoryview):
            raise UsageError(f"expected a source of bytes, got {type(block).__name__}")
        if not block:
            return
        yield bytes(block)


def write_all(sink: BinaryIO, data: bytes) -> None:
    """Write all of `data`, also to an unbuffered sink that takes it in parts."""
    written = cast(int | None, sink.write(data))
    while written is not None and written < len(data):
        data = data[written:]
        written = cast(int | None, sink.write(data))


def _encryptor(key: DataKey, context: bytes) -> Cobblestone256Encryptor:
    try:
        return Cobblestone256Encryptor(key, context)
    except ValueError as error:
        raise UsageError("expected a data key of 32 bytes") from error
