"""
The verb `seal`: encrypt a record to named recipients, or open it.

>>> import io, uuid
>>> from xinglin.keys import HpkeIdentity
>>> alice, record = HpkeIdentity.generate(), RecordId(uuid.uuid4())
>>> sealed, opened = io.BytesIO(), io.BytesIO()
>>> blob, envelope = seal(
...     io.BytesIO(b"three days of headache"), sealed,
...     recipients=[alice.recipient], record=record, version=1,
... )
>>> _ = sealed.seek(0)
>>> open(sealed, opened, envelope=envelope, identity=alice, record=record, version=1, blob=blob)
>>> opened.getvalue()
b'three days of headache'

Payloads of any size and kind stream through, in a few megabytes of memory. The format is
docs/spec/seal.md.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID

from xinglin import padding
from xinglin._cipher import (
    BLOCK_SIZE,
    blocks,
    ciphertext_size,
    decrypt_stream,
    encrypt_stream,
    write_all,
)
from xinglin.envelope import Envelope, unwrap_any, wrap_for
from xinglin.errors import SealError, UsageError
from xinglin.hashes import Digest
from xinglin.keys import Identity, Recipient, new_data_key
from xinglin.names import DataKey, Member, RecordId, UnixTime

SEAL_LABEL = b"xinglin/seal/v1"

SEAL_FORMAT = "xinglin.seal/1"
"""What a record statement's `seal` says."""

MAX_VERSION = 2**32 - 1
"""Versions count from 1 and are 32 bits wide in the seal context."""


@dataclass(frozen=True, slots=True)
class SealedBlob:
    """A ciphertext, by what names it."""

    digest: Digest
    """SHA-256 of the ciphertext: the blob's name."""

    size: int
    """Bytes of the ciphertext."""


def seal(
    source: BinaryIO,
    sink: BinaryIO,
    *,
    recipients: Sequence[Recipient],
    record: RecordId,
    version: int,
    statement: Callable[[SealedBlob], bytes] | None = None,
) -> tuple[SealedBlob, Envelope]:
    """
    Encrypt `source` into `sink` under a fresh data key, and wrap that key for `recipients`.

    The wraps are bound to the manifest, which names the blob, which is known only once it is
    written: so `statement` is called with the blob and returns the canonical record
    statement. Without one, `bare_statement` is used. No recipients would mean a record that
    nobody opens again: `UsageError`.
    """
    if not recipients:
        raise UsageError("expected at least one recipient, got none")
    if len({recipient.key_digest for recipient in recipients}) != len(recipients):
        raise UsageError("expected each recipient once")
    data_key = new_data_key()
    blob = encrypt(source, sink, data_key=data_key, record=record, version=version)
    manifest = Digest.of(
        bare_statement(blob, record=record, version=version)
        if statement is None
        else statement(blob)
    )
    wraps = tuple(wrap_for(data_key, recipient, manifest) for recipient in recipients)
    return blob, Envelope(manifest, wraps)


def open(
    sealed: BinaryIO,
    sink: BinaryIO,
    *,
    envelope: Envelope,
    identity: Identity,
    record: RecordId,
    version: int,
    blob: SealedBlob | None = None,
) -> None:
    """
    Decrypt `sealed` into `sink`, which receives nothing before all of it is proven.

    1. Find the envelope's wrap for `identity`, and unwrap the data key; the wrap is bound to
       the envelope's manifest. Raises `UnwrapError`.
    2. Decrypt to a spool that is deleted when closed: each chunk is authenticated at its
       place, under this record and version, and the end is authenticated too.
    3. Check that the padding is the only one this payload can have.
    4. If `blob` is given, check that the ciphertext is that very one. Whoever shares the data
       key could have made another; the record statement says which is meant.
    5. Only then copy to `sink`.

    Steps 2 to 4 raise `SealError`. Left to the caller: that the manifest is the record's,
    which its attestation and the log show.
    """
    data_key = unwrap_any(envelope, identity)
    with tempfile.SpooledTemporaryFile(max_size=BLOCK_SIZE) as spool:
        decrypt(
            sealed,
            cast(BinaryIO, spool),
            data_key=data_key,
            record=record,
            version=version,
            blob=blob,
        )
        spool.seek(0)
        for block in blocks(cast(BinaryIO, spool)):
            write_all(sink, block)


def open_to_path(
    sealed: BinaryIO,
    path: Path | str,
    *,
    envelope: Envelope,
    identity: Identity,
    record: RecordId,
    version: int,
    blob: SealedBlob | None = None,
) -> None:
    """
    Decrypt `sealed` into the file `path`, which appears whole or not at all.

    The checks are those of `open`. A temporary file beside the target, which only its owner
    may read, is renamed once everything is proven, and replaces what was there. Raises
    `UsageError` where no file can be made.
    """
    target = Path(path)
    data_key = unwrap_any(envelope, identity)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".xinglin-", dir=target.parent)
    except OSError as error:
        raise UsageError(f"cannot write into {target.parent}: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            decrypt(sealed, file, data_key=data_key, record=record, version=version, blob=blob)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def encrypt(
    source: BinaryIO, sink: BinaryIO, *, data_key: DataKey, record: RecordId, version: int
) -> SealedBlob:
    """
    Pad and encrypt `source` into `sink` under a data key that was never used before.

    For those who make the envelope themselves; others call `seal`.
    """
    context = seal_context(record, version)
    digest, size = encrypt_stream(_padded(source), sink, key=data_key, context=context)
    return SealedBlob(digest, size)


def decrypt(
    sealed: BinaryIO,
    sink: BinaryIO,
    *,
    data_key: DataKey,
    record: RecordId,
    version: int,
    blob: SealedBlob | None = None,
) -> None:
    """
    Decrypt `sealed` into `sink`, which receives plaintext *before* the whole is proven.

    If this raises `SealError`, throw away what `sink` has. `open` and `open_to_path` see to
    that; call this only where you do.
    """
    context = seal_context(record, version)
    source = _Measured(blocks(sealed))
    plaintext = decrypt_stream(source, key=data_key, context=context)
    for part in padding.strip(plaintext):
        write_all(sink, part)
    if blob is not None and source.blob() != blob:
        raise SealError(f"expected the blob {blob.digest.text}, got {source.blob().digest.text}")


def seal_context(record: RecordId, version: int) -> bytes:
    """What the cipher is bound to: `xinglin/seal/v1` 00 ‖ record[16] ‖ u32 version."""
    if not isinstance(cast(object, record), UUID) or record.version != 4:
        raise UsageError("expected a record id that is a UUID of version 4")
    if not 1 <= version <= MAX_VERSION:
        raise UsageError(f"expected a version from 1 to {MAX_VERSION}, got {version}")
    return SEAL_LABEL + b"\x00" + record.bytes + version.to_bytes(4, "big")


def sealed_size(payload_size: int) -> int:
    """Bytes of the blob that a payload of this size becomes."""
    return ciphertext_size(padding.padded_size(payload_size))


def bare_statement(blob: SealedBlob, *, record: RecordId, version: int) -> bytes:
    """
    The canonical record statement that `seal` takes where there is no network.

    It is about nobody, claims no time and names member 1 as custodian, so anyone who has
    the blob can make it again and compare the manifest digest. No node accepts it.
    """
    from xinglin.statement import record_statement  # pulls in pydantic: not at import

    return record_statement(
        record=record,
        version=version,
        custodian=Member(1),
        blob=blob.digest,
        size=blob.size,
        claimed_at=UnixTime(0),
        category="other",
        media_type="application/octet-stream",
    ).encode()


class _Measured:
    """Passes a stream's blocks on, and knows digest and size of what has passed."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self._state = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._state.update(part)
            self._size += len(part)
            yield part

    def blob(self) -> SealedBlob:
        return SealedBlob(Digest(self._state.digest()), self._size)


def _padded(source: BinaryIO) -> Iterator[bytes]:
    size = 0
    for block in blocks(source):
        size += len(block)
        yield block
    yield from padding.tail(size)
