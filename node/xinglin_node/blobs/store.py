"""
Receiving, keeping and reading blobs.

    receiving = blobs.receive()
    receiving.feed(chunk)                    # hashed and, once large, spooled as it comes
    received = receiving.finish()            # synced, nothing kept yet
    blobs.keep(received)                     # large ones: durable under their digest
    writer.write(lambda write: blobs.add_row(write, received))     # with the entry
    blobs.settle(received)                   # a refused one is deleted again

The steps are apart so that the slow ones (spooling, syncing, uploading) happen outside the
writer's thread, and so that a row never names a blob that is not durable.
"""

import contextlib
import hashlib
import io
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import delete, exists, insert, select
from sqlalchemy.orm import Session

from xinglin.hashes import Digest
from xinglin_node.blobs.files import FileStore, LargeStore, Spool
from xinglin_node.blobs.objects import ObjectStore
from xinglin_node.blobs.tables import BlobRow
from xinglin_node.database import Database
from xinglin_node.log.unit import Write
from xinglin_node.problems import NotFound, StorageRefused, TooLarge
from xinglin_node.settings import NodeSettings


@dataclass(frozen=True, slots=True)
class ReceivedBlob:
    """A blob that came in whole: its bytes, or the synced file that holds them."""

    digest: Digest
    size: int
    content: bytes | None
    spooled: Path | None


class Receiving:
    """One blob on its way in. `finish` or `abandon` it."""

    def __init__(self, spool: Spool, *, row_limit: int, limit: int) -> None:
        self._spool = spool
        self._row_limit = row_limit
        self._limit = limit
        self._state = hashlib.sha256()
        self._size = 0
        self._buffer: io.BytesIO | None = io.BytesIO()
        self._path: Path | None = None
        self._sink: BinaryIO | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises `TooLarge` at the limit, and leaves nothing behind."""
        self._size += len(chunk)
        if self._size > self._limit:
            self.abandon()
            raise TooLarge(f"at most {self._limit} bytes", "more")
        self._state.update(chunk)
        if self._buffer is not None:
            self._buffer.write(chunk)
            if self._size > self._row_limit:
                self._path, self._sink = self._spool.create()
                self._sink.write(self._buffer.getbuffer())
                self._buffer = None
        elif self._sink is not None:
            self._sink.write(chunk)

    def finish(self) -> ReceivedBlob:
        """Sync what was spooled, and say what came."""
        digest = Digest(self._state.digest())
        if self._buffer is not None:
            return ReceivedBlob(digest, self._size, self._buffer.getvalue(), None)
        if self._sink is None:
            raise StorageRefused("a blob on its way in", "one that was finished")
        self._spool.sync(self._sink)
        self._sink.close()
        return ReceivedBlob(digest, self._size, None, self._path)

    def abandon(self) -> None:
        """Throw it away."""
        if self._sink is not None:
            self._sink.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class Blobs:
    """All blobs of one node."""

    def __init__(
        self, database: Database, large: LargeStore, spool: Spool, *, row_limit: int, limit: int
    ) -> None:
        self._database = database
        self._large = large
        self._spool = spool
        self._row_limit = row_limit
        self._limit = limit
        self._in_flight: Counter[bytes] = Counter()
        self._guard = threading.Lock()

    @classmethod
    def from_settings(cls, settings: NodeSettings, database: Database) -> "Blobs":
        """Open the stores that the settings name. Raises `StorageRefused`."""
        spool = Spool(settings.blob_folder)
        large: LargeStore
        if settings.s3_url is not None:
            large = ObjectStore.from_settings(settings)
        else:
            large = FileStore(settings.blob_folder)
        return cls(
            database,
            large,
            spool,
            row_limit=settings.row_blob_bytes,
            limit=settings.max_record_bytes,
        )

    def receive(self) -> Receiving:
        """Begin to take a blob."""
        return Receiving(self._spool, row_limit=self._row_limit, limit=self._limit)

    def received(self, content: bytes) -> ReceivedBlob:
        """A small blob that is in memory already."""
        receiving = self.receive()
        receiving.feed(content)
        return receiving.finish()

    def keep(self, received: ReceivedBlob) -> None:
        """Make a large blob durable under its digest. Raises `StorageRefused`."""
        if received.spooled is None:
            return
        with self._guard:
            self._in_flight[received.digest.value] += 1
        self._large.keep(received.spooled, received.digest)

    def add_row(self, write: Write, received: ReceivedBlob) -> None:
        """Name the blob in the unit's transaction; one that is there already stays."""
        self.add_rows(write, [received])

    def add_rows(self, write: Write, received: list[ReceivedBlob]) -> None:
        """Name many blobs at once."""
        names = [blob.digest.value for blob in received]
        known: set[bytes] = set()
        for start in range(0, len(names), 500):
            known.update(
                write.session.scalars(
                    select(BlobRow.digest).where(BlobRow.digest.in_(names[start : start + 500]))
                )
            )
        rows = {
            blob.digest.value: {
                "digest": blob.digest.value,
                "size": blob.size,
                "content": blob.content,
            }
            for blob in received
            if blob.digest.value not in known
        }
        if rows:
            write.session.execute(insert(BlobRow), list(rows.values()))

    def settle(self, received: ReceivedBlob) -> None:
        """After the unit: delete a large blob that no row names and nobody else is keeping."""
        if received.spooled is None:
            return
        received.spooled.unlink(missing_ok=True)
        with self._guard:
            self._in_flight[received.digest.value] -= 1
            if self._in_flight[received.digest.value] > 0:
                return
            del self._in_flight[received.digest.value]
            with self._database.reading() as session:
                named = session.scalar(
                    select(exists().where(BlobRow.digest == received.digest.value))
                )
            if not named:
                self._large.delete(received.digest)

    def size_of(self, session: Session, digest: Digest) -> int:
        """Bytes of a blob. Raises `NotFound`."""
        size = session.scalar(select(BlobRow.size).where(BlobRow.digest == digest.value))
        if size is None:
            raise NotFound("a blob of this store", "none")
        return size

    def read(
        self, session: Session, digest: Digest, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """
        Return a range of a blob in pieces, all of it by default. Raises `NotFound`.

        What is returned no longer needs the session.
        """
        row = session.execute(
            select(BlobRow.size, BlobRow.content).where(BlobRow.digest == digest.value)
        ).one_or_none()
        if row is None:
            raise NotFound("a blob of this store", "none")
        size, content = row
        end = size if length is None else min(size, start + length)
        if content is not None:
            return iter((content[start:end],))
        return self._large.read(digest, start, max(0, end - start))

    def delete(self, write: Write, digest: Digest) -> None:
        """
        Delete a blob: its row in the unit's transaction, its file at once.

        The file first: a crash between the two leaves a row without a file, which reads as
        gone, and never a file that no row leads to.
        """
        with self._guard:
            self._large.delete(digest)
        write.session.execute(delete(BlobRow).where(BlobRow.digest == digest.value))

    def sweep(self) -> int:
        """Delete large blobs that a crash left without a row; at the start, before serving."""
        swept = 0
        with self._database.reading() as session:
            for digest in self._large.names():
                named = session.scalar(select(exists().where(BlobRow.digest == digest.value)))
                if not named:
                    with contextlib.suppress(NotFound):
                        self._large.delete(digest)
                    swept += 1
        return swept
