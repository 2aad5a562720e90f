"""Large files by their sha256.

A hub's objects lie in a folder, or in a bucket (`zoo.hub.server.bucket`). An object never changes
once it is there, and says nothing about who may read it: links in the store do.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

OID = re.compile(r"[0-9a-f]{64}")
CHUNK_BYTES = 1 << 20


class ObjectStore(Protocol):
    """Where large files lie."""

    def put_file(self, oid: str, path: Path) -> None:
        """Take the file at ``path``, whose sha256 is ``oid``, and make it durable.

        The file is moved or copied; afterwards ``path`` is gone.
        """

    def open_range(self, oid: str, start: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from byte ``start`` on, in chunks."""

    def size(self, oid: str) -> int | None:
        """Return an object's size in bytes, or ``None`` if it is not there."""

    def delete(self, oid: str) -> None:
        """Remove an object; one that is not there is no error."""

    def local_path(self, oid: str) -> Path | None:
        """Return the file to send directly, for stores that keep files."""

    def signed_url(self, oid: str, filename: str) -> str | None:
        """Return a short-lived address to redirect a download to, for stores that have them."""

    def list(self) -> Iterator[tuple[str, int, float]]:
        """Yield oid, size in bytes and time of change in seconds since 1970 of every object."""


class FolderStore:
    """Objects as files ``ab/cd/<sha256>`` below one folder.

    Args:
        root: The folder; it is made if it is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def _path(self, oid: str) -> Path:
        if not OID.fullmatch(oid):
            raise ValueError(f"not a sha256: {oid!r}")
        return self.root / oid[:2] / oid[2:4] / oid

    def put_file(self, oid: str, path: Path) -> None:
        """See `ObjectStore.put_file`; ``path`` must be on the same file system to be moved."""
        target = self._path(oid)
        if target.exists():
            # Its age keeps the collector away from it until it is linked.
            os.utime(target)
            path.unlink()
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        sync(path)
        path.chmod(0o444)
        path.replace(target)
        # The rename and the two folders it may have needed must survive a power cut too.
        for folder in (target.parent, target.parent.parent, self.root):
            sync(folder)

    def open_range(self, oid: str, start: int, length: int) -> Iterator[bytes]:
        """See `ObjectStore.open_range`."""
        with self._path(oid).open("rb") as file:
            file.seek(start)
            while length > 0 and (chunk := file.read(min(CHUNK_BYTES, length))):
                length -= len(chunk)
                yield chunk

    def size(self, oid: str) -> int | None:
        """See `ObjectStore.size`."""
        try:
            return self._path(oid).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, oid: str) -> None:
        """See `ObjectStore.delete`."""
        self._path(oid).unlink(missing_ok=True)

    def local_path(self, oid: str) -> Path | None:
        """See `ObjectStore.local_path`."""
        return self._path(oid)

    def signed_url(self, oid: str, filename: str) -> str | None:
        """Return ``None``: the hub sends these files itself."""
        return None

    def list(self) -> Iterator[tuple[str, int, float]]:
        """See `ObjectStore.list`."""
        for path in self.root.glob("??/??/*"):
            if OID.fullmatch(path.name):
                stat = path.stat()
                yield path.name, stat.st_size, stat.st_mtime


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def empty_folder(folder: Path) -> None:
    """Leave ``folder`` there, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
