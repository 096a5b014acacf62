"""Reading the log back: tiles, entries, disclosures, the edge."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from xinglin.merkle import leaf_hash
from xinglin_node.log.tables import DisclosureRow, EntryRow, TileRow
from xinglin_node.log.tree import TILE_WIDTH, Edge, TileTree
from xinglin_node.problems import NotFound, StorageRefused


def log_size(session: Session, generation: int) -> int:
    """How many entries the log has."""
    newest = session.scalar(
        select(func.max(EntryRow.index)).where(EntryRow.generation == generation)
    )
    return 0 if newest is None else newest + 1


def read_edge(session: Session, generation: int) -> Edge:
    """The tree's right edge, read back from what is stored."""
    return tile_tree(session, generation).edge(log_size(session, generation))


def tile_tree(session: Session, generation: int) -> TileTree:
    """The tree of one log, read through `session`. Make one for each request."""

    def read(level: int, number: int, width: int) -> bytes:
        return read_tile(session, generation, level, number, width)

    return TileTree(read)


def read_tile(session: Session, generation: int, level: int, number: int, width: int) -> bytes:
    """At least `width` hashes of one tile. Raises `NotFound` where the log has fewer."""
    stored = session.scalar(
        select(TileRow.hashes).where(
            TileRow.generation == generation, TileRow.level == level, TileRow.number == number
        )
    )
    if stored is None and level == 0:
        entries = read_entries(session, generation, number * TILE_WIDTH, width)
        stored = b"".join(leaf_hash(entry) for entry in entries)
    if stored is None or len(stored) < width * 32:
        raise NotFound(f"a tile of {width} hashes", "fewer")
    return stored


def read_entries(session: Session, generation: int, start: int, count: int) -> Sequence[bytes]:
    """Up to `count` entries from `start`, in order."""
    return session.scalars(
        select(EntryRow.entry)
        .where(
            EntryRow.generation == generation,
            EntryRow.index >= start,
            EntryRow.index < start + count,
        )
        .order_by(EntryRow.index)
    ).all()


def read_entry(session: Session, generation: int, index: int) -> EntryRow:
    """One entry. Raises `NotFound`."""
    row = session.get(EntryRow, (generation, index))
    if row is None:
        raise NotFound("an entry of this log", "an index beyond it")
    return row


def read_disclosure(session: Session, generation: int, index: int) -> DisclosureRow:
    """What opens one entry. Raises `NotFound` where it was erased or never was."""
    row = session.get(DisclosureRow, (generation, index))
    if row is None:
        raise NotFound("a disclosure", "none")
    return row


def check_entry_count(session: Session, generation: int) -> None:
    """
    Refuse a log with a gap: a row lost under the node's feet.

    Counting reads the whole index once, at the start of the node.
    """
    count = session.scalar(
        select(func.count()).select_from(EntryRow).where(EntryRow.generation == generation)
    )
    size = log_size(session, generation)
    if count != size:
        raise StorageRefused(f"a log of {size} entries", f"{count} rows")
