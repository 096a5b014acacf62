"""
Large blobs as objects of an S3-compatible service, through `obstore`.

An object is written whole under its digest; the service answers once it is durable. The
local store of `obstore` never syncs, so it is not offered here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from xinglin.errors import UsageError
from xinglin.hashes import Digest
from xinglin_node.problems import NotFound, StorageRefused
from xinglin_node.settings import NodeSettings

CHUNK = 1 << 20


class ObjectStore:
    """Large blobs in one bucket, under one prefix."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    def from_settings(cls, settings: NodeSettings) -> "ObjectStore":
        """Open the bucket that the settings name; nothing is asked of it yet."""
        if settings.s3_url is None:
            raise UsageError("expected s3_url in the settings, got none")
        given: dict[str, Any] = {"region": settings.s3_region}
        if settings.s3_endpoint is not None:
            given["endpoint"] = settings.s3_endpoint
            given["virtual_hosted_style_request"] = False
        if settings.s3_access_key_id is not None:
            given["access_key_id"] = settings.s3_access_key_id.get_secret_value()
        if settings.s3_secret_access_key is not None:
            given["secret_access_key"] = settings.s3_secret_access_key.get_secret_value()
        plain = (settings.s3_endpoint or "").startswith("http://")
        options: Any = {"allow_http": True} if plain else None
        return cls(S3Store.from_url(settings.s3_url, client_options=options, **given))

    def keep(self, spooled: Path, digest: Digest) -> None:
        """Upload, in parts where it is large, then remove the local file."""
        try:
            obstore.put(self._store, digest.value.hex(), spooled)
        except (BaseError, OSError) as error:
            raise _refused(error) from error
        spooled.unlink(missing_ok=True)

    def read(self, digest: Digest, start: int, length: int) -> Iterator[bytes]:
        """Fetch a range in pieces."""
        name = digest.value.hex()
        try:
            obstore.head(self._store, name)
        except FileNotFoundError as error:
            raise NotFound("a blob of this store", "none") from error
        except BaseError as error:
            raise _refused(error) from error
        return self._pieces(name, start, length)

    def delete(self, digest: Digest) -> None:
        """Delete the object."""
        try:
            obstore.delete(self._store, digest.value.hex())
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _refused(error) from error

    def names(self) -> Iterator[Digest]:
        """List the bucket."""
        for page in obstore.list(self._store):
            for item in page:
                name = str(item["path"]).rsplit("/", 1)[-1]
                if len(name) == 64:
                    yield Digest(bytes.fromhex(name))

    def _pieces(self, name: str, start: int, length: int) -> Iterator[bytes]:
        end = start + length
        while start < end:
            count = min(8 * CHUNK, end - start)
            try:
                piece = bytes(obstore.get_range(self._store, name, start=start, length=count))
            except BaseError as error:
                raise _refused(error) from error
            if not piece:
                raise StorageRefused("a whole blob", "one that is cut short")
            start += len(piece)
            yield piece


def _refused(error: Exception) -> StorageRefused:
    return StorageRefused("an object store that answers", type(error).__name__, retry_after=5)
