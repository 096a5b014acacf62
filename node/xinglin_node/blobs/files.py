"""
Large blobs as files of one folder.

A blob is durable once `keep` returns: written under a temporary name, synced, renamed to
its digest, and the folder synced, so that a power cut leaves the whole blob or none.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from xinglin.hashes import Digest
from xinglin_node.problems import NotFound, StorageRefused

CHUNK = 1 << 20
"""Bytes read or written at a time."""

_INCOMING = "incoming"


class LargeStore(Protocol):
    """
    Where large blobs are kept.

    An implementer promises: after `keep` returns the blob survives a power cut; keeping
    the same blob twice is harmless; `delete` of an absent blob is no error; all methods
    may be called from any thread.
    """

    def keep(self, spooled: Path, digest: Digest) -> None:
        """Take the synced temporary file `spooled` as the blob `digest`."""
        ...

    def read(self, digest: Digest, start: int, length: int) -> Iterator[bytes]:
        """Return `length` bytes from `start`. Raises `NotFound`."""
        ...

    def delete(self, digest: Digest) -> None:
        """Delete the blob, if it is there."""
        ...

    def names(self) -> Iterator[Digest]:
        """The digests of all blobs kept."""
        ...


class FileStore:
    """Large blobs in a folder, two levels deep so that no folder grows without bound."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, spooled: Path, digest: Digest) -> None:
        """Rename the synced file to its digest, and sync the folder."""
        target = self._path(digest)
        try:
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _sync_folder(self._folder)
            os.replace(spooled, target)
            _sync_folder(target.parent)
        except OSError as error:
            raise _refused(error) from error

    def read(self, digest: Digest, start: int, length: int) -> Iterator[bytes]:
        """Open at once, so that an absent blob is refused before an answer begins."""
        try:
            source = self._path(digest).open("rb")
        except FileNotFoundError as error:
            raise NotFound("a blob of this store", "none") from error
        except OSError as error:
            raise _refused(error) from error
        return _read_range(source, start, length)

    def delete(self, digest: Digest) -> None:
        """Delete the file, and sync the folder so that it stays deleted."""
        path = self._path(digest)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            _sync_folder(path.parent)

    def names(self) -> Iterator[Digest]:
        """Walk the folder."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            with contextlib.suppress(ValueError):
                yield Digest(bytes.fromhex(path.name))

    def _path(self, digest: Digest) -> Path:
        name = digest.value.hex()
        return self._folder / name[:2] / name


class Spool:
    """Temporary files on the way in. What a crash left is removed at the start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _INCOMING
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in self._folder.iterdir():
                left.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(error) from error

    def create(self) -> tuple[Path, BinaryIO]:
        """A new temporary file, open for writing. Raises `StorageRefused`."""
        try:
            handle, name = tempfile.mkstemp(dir=self._folder)
        except OSError as error:
            raise _refused(error) from error
        return Path(name), os.fdopen(handle, "wb", buffering=0)

    @staticmethod
    def sync(sink: BinaryIO) -> None:
        """Write through to the disk."""
        sink.flush()
        os.fsync(sink.fileno())


def _read_range(source: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    with source:
        source.seek(start)
        while length > 0:
            chunk = source.read(min(CHUNK, length))
            if not chunk:
                raise StorageRefused("a whole blob", "one that is cut short")
            length -= len(chunk)
            yield chunk


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(error: OSError) -> StorageRefused:
    return StorageRefused(
        "a blob store that can be written", os.strerror(error.errno or 0), retry_after=5
    )
