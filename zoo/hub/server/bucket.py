"""Large files in an S3 bucket, an optional extra (``pip install s3fs``).

The hub still hashes every upload on its own disk first; downloads go straight to the bucket.
"""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fsspec

from zoo.hub.server.objects import CHUNK_BYTES, OID

_SIGNED_SECONDS = 3600


class BucketStore:
    """Objects as keys ``ab/cd/<sha256>`` below a prefix.

    Args:
        url: ``s3://bucket/prefix``, or any other address that fsspec opens.
        **options: Passed to the file system, such as ``endpoint_url`` or ``key``.
    """

    def __init__(self, url: str, **options: Any) -> None:
        # Listings must see what another process wrote, so none is cached.
        self._files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
        self._root = root.rstrip("/")

    def _path(self, oid: str) -> str:
        if not OID.fullmatch(oid):
            raise ValueError(f"not a sha256: {oid!r}")
        return f"{self._root}/{oid[:2]}/{oid[2:4]}/{oid}"

    def put_file(self, oid: str, path: Path) -> None:
        """See `ObjectStore.put_file`; an object appears in a bucket whole or not at all."""
        if self.size(oid) is None:
            self._files.put_file(str(path), self._path(oid))
        path.unlink()

    def open_range(self, oid: str, start: int, length: int) -> Iterator[bytes]:
        """See `ObjectStore.open_range`."""
        end = start + length
        for first in range(start, end, 8 * CHUNK_BYTES):
            last = min(first + 8 * CHUNK_BYTES, end)
            yield self._files.cat_file(self._path(oid), start=first, end=last)

    def size(self, oid: str) -> int | None:
        """See `ObjectStore.size`."""
        try:
            return int(self._files.size(self._path(oid)))
        except FileNotFoundError:
            return None

    def delete(self, oid: str) -> None:
        """See `ObjectStore.delete`."""
        try:
            self._files.rm_file(self._path(oid))
        except FileNotFoundError:
            return

    def local_path(self, oid: str) -> Path | None:
        """Return ``None``: there is no file here."""
        return None

    def signed_url(self, oid: str, filename: str) -> str | None:
        """See `ObjectStore.signed_url`."""
        try:
            shown = f"attachment; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
            return str(
                self._files.sign(
                    self._path(oid), expiration=_SIGNED_SECONDS, ResponseContentDisposition=shown
                )
            )
        except NotImplementedError:
            return None

    def list(self) -> Iterator[tuple[str, int, float]]:
        """See `ObjectStore.list`."""
        for path, info in self._files.find(self._root, detail=True).items():
            name = re.sub(r".*/", "", path)
            if OID.fullmatch(name):
                changed = info.get("LastModified") or info.get("created")
                if not isinstance(changed, datetime.datetime):
                    changed = datetime.datetime.now(datetime.UTC)
                yield name, int(info["size"]), changed.timestamp()
