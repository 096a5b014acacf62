"""
The signed tree head: origin, size and root of a log, in the form of C2SP tlog-checkpoint.

    xinglin.network/<networkId hex>/<member>/<generation>
    <size>
    <root, base64>

    — <origin> <key id and Ed25519 signature, base64>

A signature alone proves nothing about history: the log could sign two. Anchoring does
(https://c2sp.org/tlog-checkpoint; docs/spec/checkpoint.md).
"""

import base64
import hashlib
from dataclasses import dataclass

from xinglin import note
from xinglin.errors import CheckpointError, UsageError
from xinglin.names import Origin, RootHash
from xinglin.note import LogKey

MAX_SIZE = 2**40
"""Largest tree that `CheckpointRegistry` takes."""

ROOT_SIZE = 32
"""Bytes of a root hash."""

_EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of a tree without leaves (RFC 9162, section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size."""

    origin: Origin
    """Name of the log; also the name of the key that signs."""

    size: int
    """Number of leaves."""

    root: RootHash
    """Hash at the top of the tree over them."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise UsageError(f"expected a size from 0 to 2^40, got {self.size}")
        if len(self.root) != ROOT_SIZE:
            raise UsageError(f"expected a root of {ROOT_SIZE} bytes, got {len(self.root)}")
        if self.size == 0 and self.root != _EMPTY_ROOT:
            raise UsageError("expected the empty tree's root, SHA-256 of nothing, at size 0")


def write(checkpoint: Checkpoint, key: LogKey) -> bytes:
    """Sign a checkpoint."""
    root = base64.b64encode(checkpoint.root).decode()
    return note.sign(f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n", checkpoint.origin, key)


def read(data: bytes, origin: Origin, public_key: bytes) -> Checkpoint:
    """
    Check that `data` is a checkpoint of the log `origin`, signed by `public_key`.

    Extension lines are refused: nobody could audit them. Raises `CheckpointError`.
    """
    lines = note.verify(data, origin, public_key).split("\n")
    if len(lines) != 4 or lines[0] != origin:
        raise CheckpointError("expected three lines: this log's origin, a size and a root")
    size, root = note.decode_decimal(lines[1], MAX_SIZE), note.decode_base64(lines[2])
    try:
        return Checkpoint(origin, size, RootHash(root))
    except UsageError as error:
        raise CheckpointError(str(error)) from error
