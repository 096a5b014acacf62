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
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.engine import Connection, NestedTransaction
from sqlalchemy.exc import SQLAlchemyError

from xinglin.names import Generation, Origin, RootHash, UnixTime
from xinglin_node.database import Database, storage_refused
from xinglin_node.log.batch import Batch, store
from xinglin_node.log.histories import AttestHistory, Histories
from xinglin_node.log.repository import check_entry_count, read_edge
from xinglin_node.log.tree import Edge
from xinglin_node.log.unit import Write
from xinglin_node.problems import QueueFull, StorageRefused

_logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_WEIGHT = 20_000
"""Entries that may wait; at 10,000 a second some two seconds of work."""

BATCH_WEIGHT = 4_000
"""Entries in one transaction: bounds how long the first of them waits for its answer."""

RETRY_AFTER = 1
"""Seconds after which a full queue is worth another try."""


@dataclass(frozen=True, slots=True)
class Head:
    """The log as it is on disk."""

    origin: Origin
    generation: Generation
    size: int
    root: RootHash


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
        self._clock = clock
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._queue_weight = queue_weight
        self._batch_weight = batch_weight
        self._waiting = 0
        self._guard = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._histories = Histories()
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

    def attest_histories_by(self, attest: AttestHistory) -> None:
        """Who attests that a subject's list goes on elsewhere: the node's system account."""
        self._histories.attest_by(attest)

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
        batch = Batch(
            origin=self._head.origin,
            generation=self._head.generation,
            edge=self._edge.copy(),
            now=UnixTime(int(self._clock())),
            histories=self._histories,
            refuse_when_halted=self.refuse_when_halted,
        )
        try:
            with self._database.connect_writer() as connection, connection.begin():
                for unit in units:
                    self._run_unit(unit, connection, batch, answers, failures)
                store(batch, connection, is_sqlite=self._database.is_sqlite)
            grew = bool(batch.rows.leaves)
        except BaseException as error:
            self._fail(units, failures, error)
            return
        self._edge = batch.edge
        for subject, history in batch.rows.histories.items():
            self._histories.keep(subject, history)
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
        batch: Batch,
        answers: list[tuple[_Unit, object]],
        failures: list[tuple[_Unit, BaseException]],
    ) -> None:
        savepoint = connection.begin_nested()
        write = Write(connection, batch)
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
