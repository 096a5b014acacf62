"""Sessions that read, the connection that writes, and clear words for what cannot be written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from xinglin_node.database import Database
from xinglin_node.log.tables import EntryRow
from xinglin_node.migrations.run import upgrade
from xinglin_node.problems import StorageRefused

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's leave to write everywhere, where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


class TestReading:
    def test_a_reading_session_cannot_write(self, database_url) -> None:
        database = Database(database_url)
        upgrade(database)
        row = {"generation": 0, "idx": 0, "entry": b"", "sequenced_at": 0}
        with database.reading() as session, pytest.raises(SQLAlchemyError, match="read"):
            session.execute(EntryRow.__table__.insert(), [row])
        database.close()


class TestWriting:
    def test_sqlite_is_synced_and_deletes_for_good(self, tmp_path) -> None:
        # I3: what was acknowledged survives a power cut; I6: what was erased is overwritten.
        database = Database(f"sqlite:///{tmp_path}/node.sqlite")
        with database.connect_writer() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "secure_delete")
            }
        database.close()
        assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}

    def test_a_read_only_database_is_said(self, tmp_path) -> None:
        path = tmp_path / "node.sqlite"
        made = Database(f"sqlite:///{path}")
        upgrade(made)
        made.close()
        database = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
        with pytest.raises(StorageRefused, match="readonly"):
            database.check_writable()
        database.close()

    def test_a_folder_without_permission_is_said(self) -> None:
        # Not below `tmp_path`, whose own folders nobody else may enter.
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o555)
            database = Database(f"sqlite:///{folder}/node.sqlite")
            with as_nobody(), pytest.raises(StorageRefused, match="Permission denied"):
                database.lock()

    def test_a_folder_that_is_not_there_is_said(self, tmp_path) -> None:
        database = Database(f"sqlite:///{tmp_path}/none/node.sqlite")
        with pytest.raises(StorageRefused, match="No such file"):
            database.lock()

    def test_a_server_that_does_not_answer_is_said_without_its_password(self) -> None:
        database = Database("postgresql://user:hunter2@127.0.0.1:1/d")
        with pytest.raises(StorageRefused) as refused:
            database.lock()
        assert "hunter2" not in str(refused.value)
