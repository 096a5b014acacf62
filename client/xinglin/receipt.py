"""
The log's signed promise: this leaf stands at this index, and is anchored by then.

A receipt is the evidence between sequencing and anchoring. If the log's checkpoint at or
after `anchor_by` does not have the leaf at the index, receipt and checkpoint together show
that the log broke its word. It is a signed note by the log's key, as a checkpoint is; its
first line is a label that no origin equals, so neither passes for the other
(docs/spec/checkpoint.md).
"""

import base64
from dataclasses import dataclass

from xinglin import note
from xinglin.errors import CheckpointError, UsageError
from xinglin.names import LeafHash, Origin, UnixTime
from xinglin.note import LogKey

RECEIPT_LABEL = "xinglin/receipt/v1"
"""First line of every receipt."""

LEAF_SIZE = 32
"""Bytes of a leaf hash."""

MAX_INDEX = 2**40 - 1
"""Last place in the largest tree that `CheckpointRegistry` takes."""

MAX_TIME = 2**48 - 1
"""Largest time that the contracts store."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A promise by one log about one leaf."""

    origin: Origin
    """Name of the log that promises."""

    index: int
    """Where the leaf stands, counted from zero."""

    leaf: LeafHash
    """Hash of the entry."""

    sequenced_at: UnixTime
    """When the log took the entry, by the log's clock."""

    anchor_by: UnixTime
    """When a checkpoint with the entry will be on chain."""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_INDEX:
            raise UsageError(f"expected an index from 0 to 2^40 - 1, got {self.index}")
        if len(self.leaf) != LEAF_SIZE:
            raise UsageError(f"expected a leaf hash of {LEAF_SIZE} bytes, got {len(self.leaf)}")
        if not 0 <= self.sequenced_at <= self.anchor_by <= MAX_TIME:
            raise UsageError("expected 0 <= sequenced at <= anchor by < 2^48")


def write(receipt: Receipt, key: LogKey) -> bytes:
    """Sign a receipt."""
    lines = (
        RECEIPT_LABEL,
        receipt.origin,
        str(receipt.index),
        base64.b64encode(receipt.leaf).decode(),
        str(receipt.sequenced_at),
        str(receipt.anchor_by),
    )
    return note.sign("\n".join(lines) + "\n", receipt.origin, key)


def read(data: bytes, origin: Origin, public_key: bytes) -> Receipt:
    """
    Check that `data` is a receipt by the log `origin`, signed by `public_key`.

    Raises `CheckpointError`.
    """
    lines = note.verify(data, origin, public_key).split("\n")
    if len(lines) != 7 or lines[0] != RECEIPT_LABEL or lines[1] != origin:
        raise CheckpointError("expected six lines: the receipt's label, this log's origin, …")
    try:
        return Receipt(
            origin,
            note.decode_decimal(lines[2], MAX_INDEX),
            LeafHash(note.decode_base64(lines[3])),
            UnixTime(note.decode_decimal(lines[4], MAX_TIME)),
            UnixTime(note.decode_decimal(lines[5], MAX_TIME)),
        )
    except UsageError as error:
        raise CheckpointError(str(error)) from error
