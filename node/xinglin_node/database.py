"""
Sessions that read, and the one connection that writes.

Every table of the node hangs on `Base`. A reading session sees one consistent state and
cannot write. All writing is done by one thread, `xinglin_node.log.writer.LogWriter`, which
runs many callers' work in one transaction with one sync to disk; there is no other way
to write, so positions in the log, counters and rows can never disagree.

SQLite: write-ahead log, `synchronous=FULL` (what was acknowledged survives a power cut),
`secure_delete=ON` (erased bytes are overwritten). PostgreSQL: by its URL, same tables.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import Connection, Dialect, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session

from xinglin_node.problems import StorageRefused

BUSY_TIMEOUT_MS = 10_000
"""How long a reader waits for SQLite's short exclusive moments."""

READERS = 16
"""Reading connections kept open; as many as the thread pool of a small machine uses."""

_ADVISORY_LOCK = 0x78696E676C696E
"""Key of PostgreSQL's session lock that keeps a second node off one database: "xinglin"."""

BigInt = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both; SQLite counts rows only under the name INTEGER."""


class Bytes(LargeBinary):
    """
    Bytes, handed to the driver as they are.

    SQLAlchemy wraps each value in a memoryview for drivers that need it. Ours do not, and the
    garbage collector counts every one of them: a quarter of the cost of a batch.
    """

    def bind_processor(self, dialect: Dialect) -> None:  # noqa: ARG002
        """Bind without a wrapper."""
        return


class Base(DeclarativeBase):
    """What every table of the node hangs on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        bytes: Bytes(),
        int: BigInt,
        str: Text(),
        bool: Boolean(),
        UUID: Uuid(),
    }


class ReadSession(Session):
    """A session that sees one consistent state and cannot write."""


class WriteSession(Session):
    """The session of one unit of work inside the writer's transaction; it never commits."""


class Database:
    """
    One node's database.

    >>> database = Database("sqlite:////tmp/example-node.sqlite")    # doctest: +SKIP
    >>> with database.reading() as session:                          # doctest: +SKIP
    ...     session.get(...)
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if not self.is_sqlite and self._url.drivername == "postgresql":
            self._url = self._url.set(drivername="postgresql+psycopg")
        self._lock_file: IO[bytes] | None = None
        self._lock_connection: Connection | None = None
        self._readers = self._engine(writes=False)
        self._writers = self._engine(writes=True)

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(str(self._url.database)) if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """Open a session that sees one consistent state. Raises `StorageRefused`."""
        try:
            with ReadSession(self._readers, expire_on_commit=False) as session:
                yield session
        except SQLAlchemyError as error:
            raise storage_refused(error) from error

    def connect_writer(self) -> Connection:
        """
        Open the connection that writes. For the writer's thread alone, after `lock`.

        Raises `StorageRefused` when the database cannot be opened for writing.
        """
        try:
            return self._writers.connect()
        except SQLAlchemyError as error:
            raise storage_refused(error) from error

    def check_writable(self) -> None:
        """
        Make sure that the database takes a change, before anything is promised.

        Raises `StorageRefused` for a file or a server that is read-only.
        """
        try:
            # BEGIN IMMEDIATE on SQLite, which a read-only file refuses.
            with self._writers.connect() as connection, connection.begin():
                if self.is_sqlite:
                    connection.exec_driver_sql("PRAGMA user_version = 1")
                elif connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on":
                    raise StorageRefused("a database that can be written", "one that is read-only")
        except SQLAlchemyError as error:
            raise storage_refused(error) from error

    def engine_for_migrations(self) -> Engine:
        """The engine that Alembic changes the tables with."""
        return self._writers

    def lock(self) -> None:
        """
        Keep a second node off this database for as long as this process lives.

        Two writers would each assign the same positions. Raises `StorageRefused`.
        """
        if self.is_sqlite:
            self._lock_sqlite()
        else:
            self._lock_postgresql()

    def close(self) -> None:
        """Close every connection and give the lock back."""
        if self._lock_connection is not None:
            self._lock_connection.close()
            self._lock_connection = None
        self._readers.dispose()
        self._writers.dispose()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def _lock_sqlite(self) -> None:
        path = f"{self._url.database}.lock"
        try:
            self._lock_file = open(path, "ab")  # noqa: SIM115 - held until `close`
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageRefused(
                "a database that no other node is using", "one that is locked"
            ) from error
        except OSError as error:
            raise StorageRefused(
                f"a folder that can be written: {Path(path).parent}", os.strerror(error.errno or 0)
            ) from error

    def _lock_postgresql(self) -> None:
        try:
            connection = self._readers.connect()
            taken = connection.execute(
                text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}
            ).scalar_one()
            connection.commit()
        except SQLAlchemyError as error:
            raise storage_refused(error) from error
        if not taken:
            connection.close()
            raise StorageRefused("a database that no other node is using", "one that is locked")
        self._lock_connection = connection

    def _engine(self, *, writes: bool) -> Engine:
        if self.is_sqlite:
            return self._sqlite_engine(writes=writes)
        return create_engine(
            self._url,
            pool_size=1 if writes else READERS,
            max_overflow=1 if writes else READERS,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
            hide_parameters=True,
            connect_args={} if writes else {"options": "-c default_transaction_read_only=on"},
        )

    def _sqlite_engine(self, *, writes: bool) -> Engine:
        engine = create_engine(
            self._url,
            pool_size=1 if writes else READERS,
            max_overflow=1 if writes else READERS,
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
            hide_parameters=True,
        )

        def on_connect(connection: Any, _record: object) -> None:
            # The driver's own transaction control starts them late and breaks savepoints.
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA foreign_keys=ON")
            if writes:
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute("PRAGMA synchronous=FULL")
                cursor.execute("PRAGMA secure_delete=ON")
            else:
                cursor.execute("PRAGMA query_only=ON")
            cursor.close()

        def on_begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        event.listen(engine, "connect", on_connect)
        event.listen(engine, "begin", on_begin)
        return engine


def storage_refused(error: SQLAlchemyError) -> StorageRefused:
    """Say what the database refused, without the statement or its values."""
    original = getattr(error, "orig", None)
    reason = str(original).split("\n")[0] if original is not None else type(error).__name__
    known = (
        "readonly",
        "read-only",
        "locked",
        "full",
        "unable to open",
        "no such table",
        "connection",
        "does not exist",
        "disk I/O",
    )
    if not any(word in reason for word in known):
        reason = type(original or error).__name__
    return StorageRefused("a database that can be read and written", reason, retry_after=5)
