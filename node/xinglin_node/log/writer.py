"""
The one thread that writes.

Callers hand it units of work; it runs as many as are waiting in one transaction, gives
positions to the entries they append, syncs once, and only then answers them. So a
thousand small units cost one sync, a unit that fails undoes itself and nothing else, and
positions, counters and rows can never disagree.

    def work(write: Write) -> Sequenced:
        write.session.execute(...)                  # read and write your own rows
        return write.append(PendingEntry(attestation=a, salt=s, kind="access", subject=who))

    sequenced = await writer.write(work)            # from a coroutine
    sequenced = writer.submit(work).result()        # from a thread

What an answer means: the transaction that holds it is on disk. What an exception means:
nothing of this unit is. A unit runs in the writer's thread and holds up all others: it
does database work alone, never network, never a long computation.

The queue is bounded by the weight of its units (entries, roughly). Beyond that `submit`
raises `QueueFull`, which is answered 503 with Retry-After: nothing is ever dropped.
"""

import asyncio
import contextlib
import logging
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection, NestedTransaction
from sqlalchemy.exc import SQLAlchemyError

from xinglin.errors import UsageError
from xinglin.hashes import SALT_SIZE, Digest
from xinglin.history import history_digest, tag
from xinglin.merkle import leaf_hash
from xinglin.names import (
    Commitment,
    EntryTag,
    Generation,
    HistoryKey,
    LeafHash,
    Origin,
    RootHash,
    Salt,
    SubjectId,
    UnixTime,
)
from xinglin.statement import Entry, HistoryFrom, HistoryTo, Reason, commit, new_salt
from xinglin_node.database import Database, WriteSession, storage_refused
from xinglin_node.log.repository import check_entry_count, read_edge
from xinglin_node.log.tables import DisclosureRow, EntryRow, HistoryRow, TileRow
from xinglin_node.log.tree import Edge, Tile
from xinglin_node.problems import QueueFull, RuleBroken, StorageRefused

_logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_WEIGHT = 20_000
"""Entries that may wait; at 10,000 a second some two seconds of work."""

BATCH_WEIGHT = 4_000
"""Entries in one transaction: bounds how long the first of them waits for its answer."""

HISTORIES_KEPT = 50_000
"""Subjects whose key and counter stay in memory, so that an append reads no row."""

_SET_COUNTER = (
    update(HistoryRow.__table__)  # type: ignore[arg-type]
    .where(HistoryRow.__table__.c.id == bindparam("row"))
    .values(counter=bindparam("taken"))
)
"""Many subjects' counters in one statement."""

AttestHistory = Callable[[str, HistoryFrom, HistoryTo], bytes]
"""Returns the canonical attestation of a `history` statement: kind, from, to."""

RETRY_AFTER = 1
"""Seconds after which a full queue is worth another try."""


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """What a caller wants logged."""

    attestation: bytes
    """Canonical attestation."""
    salt: Salt
    """32 random bytes; part of the disclosure."""
    kind: str
    """Statement type, for finding it again."""
    subject: SubjectId | None
    """Whose history it belongs to. None: about nobody, and the tag is 32 random bytes."""
    reason: Reason | None = None
    """Free text with its salt, kept beside the commitment."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Where an entry stands. Durable once the unit that appended it was answered."""

    index: int
    entry: Entry
    leaf: LeafHash
    n: int | None
    sequenced_at: UnixTime


@dataclass(frozen=True, slots=True)
class Head:
    """The log as it is on disk."""

    origin: Origin
    generation: Generation
    size: int
    root: RootHash


@dataclass(slots=True)
class _History:
    """One subject's current key and counter, as the writer keeps it."""

    id: int
    key: HistoryKey
    origin: Origin
    counter: int


@dataclass(slots=True)
class _Rows:
    """What a unit, and then a batch, adds at its end."""

    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    disclosures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    leaves: list[LeafHash] = field(default_factory=list[LeafHash])
    histories: dict[UUID, _History] = field(default_factory=dict[UUID, _History])


class Write:
    """
    The handle of one unit of work.

    `session` reads and writes rows in the writer's transaction. Never commit it; raising
    from the unit undoes all of it.
    """

    def __init__(self, writer: "LogWriter", connection: Connection, batch: "_Batch") -> None:
        self._writer = writer
        self._batch = batch
        self._rows = _Rows()
        self._session: WriteSession | None = None
        self._connection = connection
        self.now = batch.now
        """The time of the batch: what its entries are sequenced at."""

    @property
    def session(self) -> WriteSession:
        """The session of this unit."""
        if self._session is None:
            self._session = WriteSession(
                self._connection, join_transaction_mode="rollback_only", expire_on_commit=False
            )
        return self._session

    @property
    def origin(self) -> Origin:
        """Name of the log that is being written."""
        return self._writer.head.origin

    @property
    def generation(self) -> Generation:
        """Which log of this member is being written."""
        return self._writer.head.generation

    def append(self, pending: PendingEntry) -> Sequenced:
        """
        Log one entry, taking the next tag of its subject's history (DESIGN 3.7).

        Raises `StorageRefused` while the log may not sequence, `RuleBroken` for a subject
        that is not registered here, `UsageError` for a salt of another size.
        """
        self._writer.refuse_when_halted()
        if len(pending.salt) != SALT_SIZE:
            raise UsageError(f"expected a salt of {SALT_SIZE} bytes, got {len(pending.salt)}")
        history: _History | None = None
        n: int | None = None
        if pending.subject is None:
            entry_tag = EntryTag(secrets.token_bytes(32))
        else:
            history = self._history(pending.subject)
            n = history.counter
            entry_tag = tag(history.key, history.origin, n)
            history.counter = n + 1
        entry = Entry(entry_tag, commit(pending.attestation, pending.salt))
        sequenced = self._append(entry, n)
        self._rows.disclosures.append(
            {
                "generation": self.generation,
                "idx": sequenced.index,
                "commitment": entry.commitment,
                "kind": pending.kind,
                "attestation": pending.attestation,
                "salt": pending.salt,
                "subject": pending.subject,
                "n": n,
                "history": history.id if history else None,
                "reason": pending.reason.text if pending.reason else None,
                "reason_salt": pending.reason.salt if pending.reason else None,
            }
        )
        return sequenced

    def append_padding(self) -> Sequenced:
        """Log one random entry that nothing ever opens (DESIGN 3.8)."""
        self._writer.refuse_when_halted()
        noise = secrets.token_bytes(64)
        return self._append(Entry(EntryTag(noise[:32]), Commitment(noise[32:])), None)

    def next_index(self) -> int:
        """The index that the next entry will have."""
        return self._batch.edge.size + len(self._batch.rows.leaves) + len(self._rows.leaves)

    def counter(self, subject: SubjectId) -> int:
        """How many tags of the subject's current history are taken."""
        return self._history(subject).counter

    def start_history(self, subject: SubjectId, key: HistoryKey, origin: Origin) -> int:
        """
        Give `subject` a history key, from n = 0; an earlier one is current no more.

        Returns the new history's row id. The statement that joins the two is the caller's.
        """
        self.session.execute(
            update(HistoryRow)
            .where(HistoryRow.subject == subject, HistoryRow.current.is_(True))
            .values(current=False)
        )
        row = HistoryRow(
            subject=subject,
            key=key,
            digest=history_digest(key),
            origin=origin,
            counter=0,
            current=True,
        )
        self.session.add(row)
        self.session.flush()
        self._rows.histories[subject] = _History(row.id, key, origin, 0)
        return row.id

    def go_on(self, subject: SubjectId, key: HistoryKey, kind: str) -> Sequenced:
        """
        End the subject's list of tags and go on under `key` in this log, from 0.

        The `history` statement that joins the two is entry 0 of the new list.
        """
        old = self._history(subject, moving=True)
        joined = self._writer.attest_history(
            kind,
            HistoryFrom(origin=old.origin, history=Digest(history_digest(old.key)), n=old.counter),
            HistoryTo(origin=self.origin, history=Digest(history_digest(key))),
        )
        self.start_history(subject, key, self.origin)
        return self.append(
            PendingEntry(attestation=joined, salt=new_salt(), kind="history", subject=subject)
        )

    def preload(self, subjects: Iterable[SubjectId]) -> None:
        """Read the histories of many subjects in one statement, before appending for each."""
        missing = [
            subject
            for subject in set(subjects)
            if not self._batch.knows(subject) and self._writer.kept_history(subject) is None
        ]
        for start in range(0, len(missing), 500):
            statement = select(HistoryRow).where(
                HistoryRow.subject.in_(missing[start : start + 500]), HistoryRow.current.is_(True)
            )
            for row in self.session.scalars(statement):
                self._writer.keep_history(row.subject, _from_row(row))

    def _append(self, entry: Entry, n: int | None) -> Sequenced:
        encoded = entry.encode()
        leaf = leaf_hash(encoded)
        sequenced = Sequenced(self.next_index(), entry, leaf, n, self.now)
        self._rows.leaves.append(leaf)
        self._rows.entries.append(
            {
                "generation": self.generation,
                "idx": sequenced.index,
                "entry": encoded,
                "sequenced_at": self.now,
            }
        )
        return sequenced

    def _history(self, subject: SubjectId, *, moving: bool = False) -> _History:
        mine = self._rows.histories.get(subject)
        if mine is None:
            mine = self._load_history(subject)
        if mine.origin != self.origin and not moving:
            # The log has a new generation: the list goes on there before anything else.
            self.go_on(subject, mine.key, "moved")
            mine = self._rows.histories[subject]
        return mine

    def _load_history(self, subject: SubjectId) -> _History:
        found = self._batch.rows.histories.get(subject) or self._writer.kept_history(subject)
        if found is None:
            row = self.session.scalars(
                select(HistoryRow).where(
                    HistoryRow.subject == subject, HistoryRow.current.is_(True)
                )
            ).one_or_none()
            if row is None:
                raise RuleBroken("a subject registered here", "an unknown subject")
            found = _from_row(row)
            self._writer.keep_history(subject, found)
        # A copy: if this unit fails, the counter has not moved.
        mine = _History(found.id, found.key, found.origin, found.counter)
        self._rows.histories[subject] = mine
        return mine

    def finish(self) -> None:
        """Send what the session holds. The writer calls it; a unit need not."""
        if self._session is not None:
            self._session.flush()

    def close(self) -> None:
        """Let the session go. The writer calls it."""
        if self._session is not None:
            self._session.close()

    def take_rows(self) -> _Rows:
        """What the unit appended. The writer calls it once the unit succeeded."""
        return self._rows


@dataclass(slots=True)
class _Batch:
    """Units that share one transaction."""

    edge: Edge
    now: UnixTime
    rows: _Rows = field(default_factory=_Rows)

    def knows(self, subject: UUID) -> bool:
        return subject in self.rows.histories

    def take(self, rows: _Rows) -> None:
        self.rows.entries += rows.entries
        self.rows.disclosures += rows.disclosures
        self.rows.leaves += rows.leaves
        self.rows.histories.update(rows.histories)


@dataclass(frozen=True, slots=True)
class _Unit:
    work: Callable[[Write], Any]
    future: "Future[Any]"
    weight: int


class LogWriter:
    """
    The thread that owns all writing.

    `clock` gives whole Unix seconds. `start` before use, `stop` at the end: what waits
    then is still written.
    """

    def __init__(
        self,
        database: Database,
        *,
        origin: Origin,
        generation: Generation,
        clock: Callable[[], float] = time.time,
        queue_weight: int = QUEUE_WEIGHT,
        batch_weight: int = BATCH_WEIGHT,
    ) -> None:
        self._database = database
        self._attest_history: AttestHistory | None = None
        self._clock = clock
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._queue_weight = queue_weight
        self._batch_weight = batch_weight
        self._waiting = 0
        self._guard = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._histories: OrderedDict[UUID, _History] = OrderedDict()
        self._edge = Edge()
        self._head = Head(origin, generation, 0, self._edge.root())
        self._halted: StorageRefused | None = None
        self._listeners: list[Callable[[Head], None]] = []
        self.batches = 0
        """Transactions committed since the start; with `entries`, the size of a batch."""
        self.entries = 0
        """Entries sequenced since the start."""

    @property
    def head(self) -> Head:
        """The log as it is on disk. Safe from any thread."""
        return self._head

    @property
    def waiting(self) -> int:
        """Weight of the queue."""
        return self._waiting

    def on_growth(self, listener: Callable[[Head], None]) -> None:
        """Call `listener` in the writer's thread after each batch that grew the log."""
        self._listeners.append(listener)

    def attest_histories_by(self, attest: "AttestHistory") -> None:
        """Who attests that a subject's list goes on elsewhere: the node's system account."""
        self._attest_history = attest

    def attest_history(self, kind: str, old: HistoryFrom, new: HistoryTo) -> bytes:
        """A canonical attestation of a `history` statement. For the writer's thread."""
        if self._attest_history is None:
            raise UsageError("expected an account that attests histories, got none")
        return self._attest_history(kind, old, new)

    def halt(self, reason: StorageRefused | None) -> None:
        """Sequence nothing, for `reason`; None ends it. Other writing goes on."""
        self._halted = reason

    @property
    def halted(self) -> StorageRefused | None:
        """Why nothing is sequenced, if so."""
        return self._halted

    def refuse_when_halted(self) -> None:
        """Raise the reason for which nothing is sequenced."""
        if self._halted is not None:
            raise StorageRefused(self._halted.expected, self._halted.got, retry_after=30)

    def start(self) -> None:
        """Read the tree's edge and start the thread. Raises `StorageRefused` for a broken log."""
        with self._database.reading() as session:
            check_entry_count(session, self._head.generation)
        self._reload()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end the thread. Later units are refused."""
        with self._guard:
            self._stopping = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def submit(self, work: Callable[[Write], T], *, weight: int = 1) -> "Future[T]":
        """
        Queue a unit; the future holds its answer once it is on disk.

        Raises `QueueFull` when more than the queue's weight waits.
        """
        future: Future[T] = Future()
        with self._guard:
            if self._stopping or (self._waiting and self._waiting + weight > self._queue_weight):
                raise QueueFull(
                    f"a queue of at most {self._queue_weight}",
                    "a node that is stopping" if self._stopping else f"{self._waiting} waiting",
                    retry_after=RETRY_AFTER,
                )
            self._waiting += weight
            # Inside the guard, so that `stop` puts its mark after every accepted unit.
            self._queue.put(_Unit(work, future, weight))
        return future

    async def write(self, work: Callable[[Write], T], *, weight: int = 1) -> T:
        """Queue a unit and wait for its answer. Raises what the unit raises, or `QueueFull`."""
        return await asyncio.wrap_future(self.submit(work, weight=weight))

    def kept_history(self, subject: UUID) -> _History | None:
        """The history kept in memory. For the writer's thread."""
        found = self._histories.get(subject)
        if found is not None:
            self._histories.move_to_end(subject)
        return found

    def keep_history(self, subject: UUID, history: _History) -> None:
        """Keep a history in memory. For the writer's thread."""
        self._histories[subject] = history
        self._histories.move_to_end(subject)
        while len(self._histories) > HISTORIES_KEPT:
            self._histories.popitem(last=False)

    def _reload(self) -> None:
        with self._database.reading() as session:
            self._edge = read_edge(session, self._head.generation)
        self._histories.clear()
        self._publish()

    def _publish(self) -> None:
        self._head = Head(
            self._head.origin, self._head.generation, self._edge.size, self._edge.root()
        )

    def _run(self) -> None:
        ended = False
        while not ended:
            units, ended = self._take()
            if units:
                self._write_batch(units)
                with self._guard:
                    self._waiting -= sum(unit.weight for unit in units)

    def _take(self) -> tuple[list[_Unit], bool]:
        """Wait for one unit, and take with it all that fit in a batch."""
        units: list[_Unit] = []
        weight = 0
        while weight < self._batch_weight:
            try:
                unit = self._queue.get(block=not units)
            except queue.Empty:
                break
            if unit is None:
                return units, True
            if unit.future.set_running_or_notify_cancel():
                units.append(unit)
            weight += unit.weight
        return units, False

    def _write_batch(self, units: list[_Unit]) -> None:
        answers: list[tuple[_Unit, object]] = []
        failures: list[tuple[_Unit, BaseException]] = []
        batch = _Batch(self._edge.copy(), UnixTime(int(self._clock())))
        try:
            with self._database.connect_writer() as connection, connection.begin():
                for unit in units:
                    self._run_unit(unit, connection, batch, answers, failures)
                self._flush(connection, batch)
            grew = bool(batch.rows.leaves)
        except BaseException as error:
            self._fail(units, failures, error)
            return
        self._edge = batch.edge
        for subject, history in batch.rows.histories.items():
            self.keep_history(subject, history)
        self._publish()
        self.batches += 1
        self.entries += len(batch.rows.leaves)
        for unit, answer in answers:
            unit.future.set_result(answer)
        for unit, failure in failures:
            unit.future.set_exception(failure)
        if grew:
            for listener in self._listeners:
                listener(self._head)

    def _run_unit(
        self,
        unit: _Unit,
        connection: Connection,
        batch: _Batch,
        answers: list[tuple[_Unit, object]],
        failures: list[tuple[_Unit, BaseException]],
    ) -> None:
        savepoint = connection.begin_nested()
        write = Write(self, connection, batch)
        try:
            answer = unit.work(write)
            write.finish()
            savepoint.commit()
        except SQLAlchemyError as error:
            _roll_back(savepoint)
            failures.append((unit, storage_refused(error)))
            if connection.invalidated or getattr(error, "connection_invalidated", False):
                raise
        except Exception as error:
            _roll_back(savepoint)
            failures.append((unit, error))
        else:
            batch.take(write.take_rows())
            answers.append((unit, answer))
        finally:
            write.close()

    def _flush(self, connection: Connection, batch: _Batch) -> None:
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
            self._store_tiles(connection, tiles)

    def _store_tiles(self, connection: Connection, tiles: list[Tile]) -> None:
        dialect_insert = sqlite_insert if self._database.is_sqlite else postgresql_insert
        statement = cast(Any, dialect_insert(TileRow))
        statement = statement.on_conflict_do_update(
            index_elements=["generation", "level", "number"],
            set_={"hashes": statement.excluded.hashes},
        )
        connection.execute(
            statement,
            [
                {
                    "generation": self._head.generation,
                    "level": tile.level,
                    "number": tile.number,
                    "hashes": tile.hashes,
                }
                for tile in tiles
            ],
        )

    def _fail(
        self,
        units: list[_Unit],
        failures: list[tuple[_Unit, BaseException]],
        error: BaseException,
    ) -> None:
        """Tell every caller that nothing was kept, and read the edge again."""
        _logger.error("batch not written", extra={"error": type(error).__name__})
        told = {id(unit): failure for unit, failure in failures}
        refused: BaseException = error
        if isinstance(error, SQLAlchemyError):
            refused = storage_refused(error)
        for unit in units:
            unit.future.set_exception(told.get(id(unit), refused))
        # A lost reply to COMMIT leaves it open whether the rows are there: ask the database.
        while True:
            try:
                self._reload()
            except StorageRefused:
                if self._stopping:
                    return
                time.sleep(1)
            else:
                return


def _roll_back(savepoint: NestedTransaction) -> None:
    # A failed flush has rolled it back already.
    if savepoint.is_active:
        with contextlib.suppress(SQLAlchemyError):
            savepoint.rollback()


def _from_row(row: HistoryRow) -> _History:
    return _History(row.id, HistoryKey(row.key), Origin(row.origin), row.counter)
