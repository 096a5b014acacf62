"""
Reading a log's entries from a node, as C2SP tlog-tiles serves them.

    checkpoint = fetch_checkpoint(node, origin, log_key)
    entries = fetch_entries(node, checkpoint.size)

The log is for everyone, so nothing here is believed for who sent it: the entries are
hashed, and the root must be the checkpoint's.
"""

from collections.abc import Sequence

from xinglin import checkpoint as checkpoints
from xinglin import merkle
from xinglin._http import NodeClient, Progress
from xinglin.checkpoint import Checkpoint
from xinglin.errors import CheckpointError, InvalidEncoding
from xinglin.names import Origin, RootHash
from xinglin.statement import ENTRY_SIZE, Entry

TILE_WIDTH = 256
"""Entries of a complete tile (C2SP tlog-tiles)."""

_LENGTH = ENTRY_SIZE.to_bytes(2)
"""Each entry is preceded by its length, u16."""


def fetch_checkpoint(node: NodeClient, origin: Origin, log_key: bytes) -> Checkpoint:
    """
    Fetch a log's newest checkpoint and check its signature.

    Raises `CheckpointError`. A signature alone proves nothing; an anchor does.
    """
    return checkpoints.read(node.get_bytes("/log/checkpoint"), origin, log_key)


def fetch_entries(
    node: NodeClient, size: int, *, progress: Progress | None = None
) -> Sequence[Entry]:
    """Fetch the first `size` entries. Raises `InvalidEncoding` for another number or form."""
    entries: list[Entry] = []
    for number in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        partial = "" if width == TILE_WIDTH else f".p/{width}"
        body = node.get_bytes(f"/log/tile/entries/{tile_path(number)}{partial}")
        entries += _split(body, width)
        if progress is not None:
            progress(width)
    return entries


def check_root(entries: Sequence[Entry], root: RootHash) -> None:
    """Check that these entries are the tree under `root`. Raises `CheckpointError`."""
    computed = merkle.root_of([entry.leaf for entry in entries])
    if computed != root:
        raise CheckpointError(f"the entries have the root {computed.hex()}, expected {root.hex()}")


def tile_path(number: int) -> str:
    """Write a tile's number in groups of three digits, all but the last with `x`."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def _split(body: bytes, width: int) -> list[Entry]:
    step = len(_LENGTH) + ENTRY_SIZE
    if len(body) != width * step:
        raise InvalidEncoding(f"expected {width} entries in the tile, got {len(body)} bytes")
    entries: list[Entry] = []
    for start in range(0, len(body), step):
        if body[start : start + len(_LENGTH)] != _LENGTH:
            raise InvalidEncoding(f"expected entries of {ENTRY_SIZE} bytes")
        entries.append(Entry.decode(body[start + len(_LENGTH) : start + step]))
    return entries
