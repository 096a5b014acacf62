"""One transaction of the writer: what its units add, and how that is stored at its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, insert, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from xinglin.names import Generation, LeafHash, Origin, UnixTime
from xinglin_node.log.histories import Histories, History
from xinglin_node.log.tables import DisclosureRow, EntryRow, HistoryRow, TileRow
from xinglin_node.log.tree import Edge, Tile

_SET_COUNTER = (
    update(HistoryRow.__table__)  # type: ignore[arg-type]
    .where(HistoryRow.__table__.c.id == bindparam("row"))
    .values(counter=bindparam("taken"))
)
"""Many subjects' counters in one statement."""


@dataclass(slots=True)
class Rows:
    """What a unit, and then a batch, adds at its end."""

    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    disclosures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    leaves: list[LeafHash] = field(default_factory=list[LeafHash])
    histories: dict[UUID, History] = field(default_factory=dict[UUID, History])


@dataclass(slots=True)
class Batch:
    """Units that share one transaction."""

    origin: Origin
    generation: Generation
    edge: Edge
    now: UnixTime
    """What the entries are sequenced at."""

    histories: Histories
    refuse_when_halted: Callable[[], None]
    """Raises the reason for which the log may not sequence, if there is one."""

    rows: Rows = field(default_factory=Rows)

    def knows(self, subject: UUID) -> bool:
        """Return whether a unit of this batch moved the subject's history."""
        return subject in self.rows.histories

    def take(self, rows: Rows) -> None:
        """Add the rows of a unit that succeeded."""
        self.rows.entries += rows.entries
        self.rows.disclosures += rows.disclosures
        self.rows.leaves += rows.leaves
        self.rows.histories.update(rows.histories)


def store(batch: Batch, connection: Connection, *, is_sqlite: bool) -> None:
    """Write the rows of all units, their counters and the tiles that they fill."""
    rows = batch.rows
    if rows.entries:
        connection.execute(insert(EntryRow), rows.entries)
    if rows.disclosures:
        connection.execute(insert(DisclosureRow), rows.disclosures)
    if rows.histories:
        connection.execute(
            _SET_COUNTER,
            [{"row": one.id, "taken": one.counter} for one in rows.histories.values()],
        )
    tiles = batch.edge.extend(rows.leaves)
    if tiles:
        _store_tiles(batch, connection, tiles, is_sqlite=is_sqlite)


def _store_tiles(
    batch: Batch, connection: Connection, tiles: list[Tile], *, is_sqlite: bool
) -> None:
    dialect_insert = sqlite_insert if is_sqlite else postgresql_insert
    statement = cast(Any, dialect_insert(TileRow))
    statement = statement.on_conflict_do_update(
        index_elements=["generation", "level", "number"],
        set_={"hashes": statement.excluded.hashes},
    )
    connection.execute(
        statement,
        [
            {
                "generation": batch.generation,
                "level": tile.level,
                "number": tile.number,
                "hashes": tile.hashes,
            }
            for tile in tiles
        ],
    )
