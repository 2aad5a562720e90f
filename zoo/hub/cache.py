"""Checkpoints on this machine: which files they have, and whether those are what they should be.

What is being downloaded lies in a hidden folder and takes its name with one rename when it is
whole; whoever is killed before leaves nothing that could be loaded, and the next download goes on
where that one stopped.

    <cache>/zoo--adain/4f2c…/config.json   a checkpoint, by commit
    <cache>/zoo--adain/.manifests/4f2c…    sizes and hashes of its files, as the hub said them
    <cache>/zoo--adain/.refs/main          the commit that a revision was at its last download
    <cache>/zoo--adain/.part/4f2c…/        what has arrived of a download
"""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from filelock import FileLock, Timeout

from zoo.errors import CheckpointError
from zoo.files import write_atomic

TICK = 0.2  # seconds between two looks at another one's download
BLOCK = 1 << 18

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class File:
    """One file of a checkpoint, as the hub announces it.

    Args:
        path: From the root of the repository.
        size: In bytes.
        blob: Git's hash of what the repository holds: the content, or a pointer to it.
        sha256: Hash of the content, for files that git holds a pointer to.
    """

    path: str
    size: int
    blob: str
    sha256: str | None = None

    @property
    def content(self) -> str:
        """A name for exactly these bytes."""
        return self.sha256 or self.blob

    def hasher(self) -> Any:
        """Make the hash that :attr:`content` is of, ready for the file's bytes."""
        if self.sha256:
            return hashlib.sha256()
        hasher = hashlib.sha1(usedforsecurity=False)  # git's choice
        hasher.update(b"blob %d\0" % self.size)
        return hasher

    def is_at(self, path: Path) -> bool:
        """Whether ``path`` has this content; reads all of it where the size is right."""
        if file_size(path) != self.size or not path.is_file():
            return False
        hasher = self.hasher()
        with path.open("rb") as content:
            while block := content.read(BLOCK):
                hasher.update(block)
        return bool(hasher.hexdigest() == self.content)


@dataclass(frozen=True)
class Manifest:
    """What a commit of a checkpoint consists of."""

    repo_id: str
    commit: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Transfer:
    """How far a download is, in bytes; it counts what was there before it began."""

    repo_id: str
    done: int
    total: int


Report = Callable[[Transfer], None]
Place = Literal["ready", "downloading", "damaged", "absent"]


class Cache:
    """The checkpoints of one hub, for any number of threads and processes.

    Args:
        folder: Theirs alone; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hashed: dict[Path, tuple[str, int, int]] = {}

    def home(self, repo_id: str) -> Path:
        """The folder of a repository, with a folder for each commit in it."""
        return self.folder / repo_id.replace("/", "--")

    def path(self, manifest: Manifest) -> Path:
        """The folder of a checkpoint."""
        return self.home(manifest.repo_id) / manifest.commit

    def manifest(self, repo_id: str, commit: str) -> Manifest | None:
        """What a commit consists of, as far as this machine knows."""
        try:
            found = json.loads((self.home(repo_id) / ".manifests" / commit).read_text())
        except FileNotFoundError:
            return None
        return Manifest(repo_id, commit, tuple(File(**file) for file in found["files"]))

    def keep_manifest(self, manifest: Manifest) -> None:
        """Remember what a commit consists of."""
        path = self.home(manifest.repo_id) / ".manifests" / manifest.commit
        _write(path, json.dumps(asdict(manifest)))

    def last(self, repo_id: str, revision: str) -> Manifest | None:
        """The commit that a revision was when it was last downloaded."""
        with suppress(FileNotFoundError):
            path = self.home(repo_id) / ".refs" / quote(revision, safe="")
            return self.manifest(repo_id, path.read_text())
        return None

    def keep_last(self, revision: str, manifest: Manifest) -> None:
        """Remember which commit a revision was."""
        if revision != manifest.commit and self.last(manifest.repo_id, revision) != manifest:
            name = quote(revision, safe="")
            _write(self.home(manifest.repo_id) / ".refs" / name, manifest.commit)

    def is_whole(self, manifest: Manifest) -> bool:
        """Whether all files are there and right; each is hashed once per process and change."""
        folder = self.path(manifest)
        return folder.is_dir() and all(self._is_right(folder / f.path, f) for f in manifest.files)

    def _is_right(self, path: Path, file: File) -> bool:
        try:
            mark = _mark(path, file)
        except FileNotFoundError:
            return False
        if self._hashed.get(path) != mark:
            if not file.is_at(path):
                return False
            self._hashed[path] = mark
        return True

    def begin(self, manifest: Manifest) -> tuple[Path, list[File]]:
        """Prepare a download; the caller holds the lock.

        Returns:
            The folder to download to, and the files that are missing from it. One of them may be
            there in part.
        """
        folder, home = self.path(manifest), self.home(manifest.repo_id)
        part = home / ".part" / manifest.commit
        part.parent.mkdir(parents=True, exist_ok=True)
        for other in part.parent.iterdir():
            if other != part or folder.is_dir():
                shutil.rmtree(other)
        if folder.is_dir():  # it was whole once: keep what is still right of it
            folder.rename(part)
        part.mkdir(exist_ok=True)
        missing = []
        for file in manifest.files:
            path = part / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.is_at(path) or self._copy(manifest.repo_id, file, path):
                continue
            if path.exists() and file_size(path) >= file.size:  # all there, and wrong
                path.unlink()
            missing.append(file)
        return part, missing

    def _copy(self, repo_id: str, file: File, path: Path) -> bool:
        """Take over a file that another commit has too."""
        for commit in self.commits(repo_id):
            other = self.manifest(repo_id, commit)
            for twin in other.files if other else ():
                source = self.home(repo_id) / commit / twin.path
                if twin.content == file.content and twin.is_at(source):
                    path.unlink(missing_ok=True)
                    shutil.copyfile(source, path)
                    return True
        return False

    def finish(self, manifest: Manifest) -> None:
        """Give a download, whole and checked now, its name."""
        # The checkpoint may have been removed since the hub announced these files.
        self.keep_manifest(manifest)
        part = self.home(manifest.repo_id) / ".part" / manifest.commit
        _sync(part)
        folder = self.path(manifest)
        part.rename(folder)
        _sync(self.home(manifest.repo_id))
        for file in manifest.files:  # each was hashed while it arrived or when it was found
            self._hashed[folder / file.path] = _mark(folder / file.path, file)

    @contextmanager
    def lock(self, repo_id: str, report: Report) -> Iterator[None]:
        """Be the only one who changes a repository; reports another's download while waiting."""
        lock = self._lock(repo_id)
        while True:
            try:
                lock.acquire(timeout=TICK, poll_interval=TICK / 4)
                break
            except Timeout:
                if transfer := self._transfer(repo_id):
                    report(transfer)
        try:
            yield
        finally:
            lock.release()

    def _lock(self, repo_id: str) -> FileLock:
        self.home(repo_id).mkdir(parents=True, exist_ok=True)
        return FileLock(self.home(repo_id) / ".lock")

    @contextmanager
    def counting(self, manifest: Manifest, done: int, report: Report) -> Iterator["Counter"]:
        """Count bytes for the caller and for all who wait for the lock."""
        path = self.home(manifest.repo_id) / ".progress"
        try:
            yield Counter(manifest, done, path, report)
        finally:
            path.unlink(missing_ok=True)

    def _transfer(self, repo_id: str) -> Transfer | None:
        with suppress(FileNotFoundError):
            found = json.loads((self.home(repo_id) / ".progress").read_text())
            return Transfer(repo_id, found["done"], found["total"])
        return None

    def where(self, repo_id: str, commit: str) -> tuple[Place, float]:
        """Whether a commit is on this machine, and how much of it, 0 to 1; hashes nothing."""
        transfer = self._transfer(repo_id)
        if transfer and self._is_locked(repo_id):
            return "downloading", transfer.done / max(transfer.total, 1)
        manifest = self.manifest(repo_id, commit)
        if manifest is None or not self.path(manifest).is_dir():
            return "absent", 0.0
        folder = self.path(manifest)
        whole = all(
            (folder / file.path).is_file() and file_size(folder / file.path) == file.size
            for file in manifest.files
        )
        return ("ready", 1.0) if whole else ("damaged", 0.0)

    def _is_locked(self, repo_id: str) -> bool:
        try:
            with self._lock(repo_id).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def commits(self, repo_id: str) -> list[str]:
        """The commits of a repository that are on this machine."""
        home = self.home(repo_id)
        return sorted(p.name for p in home.iterdir() if COMMIT.fullmatch(p.name))

    def checkpoints(self) -> list[tuple[str, str]]:
        """The repo_id and commit of every checkpoint on this machine."""
        names = [home.name.replace("--", "/", 1) for home in sorted(self.folder.glob("*--*"))]
        return [(repo_id, commit) for repo_id in names for commit in self.commits(repo_id)]

    def verify(self, repo_id: str, commit: str) -> list[str]:
        """Hash every file of a checkpoint; returns the paths of those that are missing or wrong.

        Raises CheckpointError when the checkpoint is not on this machine.
        """
        manifest = self.manifest(repo_id, commit)
        if manifest is None or not self.path(manifest).is_dir():
            raise CheckpointError("{name} is not on this machine.", name=f"{repo_id}@{commit[:8]}")
        folder = self.path(manifest)
        return [file.path for file in manifest.files if not file.is_at(folder / file.path)]

    def remove(self, repo_id: str) -> None:
        """Delete every commit of a repository; waits for a download of it to end."""
        with self.lock(repo_id, lambda transfer: None):
            for path in self.home(repo_id).iterdir():
                if path.name != ".lock":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


class Counter:
    """Counts the bytes of one download."""

    def __init__(self, manifest: Manifest, done: int, path: Path, report: Report) -> None:
        self._manifest, self._done, self._path, self._report = manifest, done, path, report
        self._told = -TICK
        self.add(0)

    def add(self, count: int) -> None:
        """Count more bytes, or take some back; now and then, and at the end, tell about it."""
        self._done += count
        now, total = time.monotonic(), self._manifest.size
        if now - self._told < TICK / 2 and self._done < total:
            return
        self._told = now
        # Nobody needs this after a power cut, so it is not flushed to the disk.
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"done": self._done, "total": total}))
        fresh.replace(self._path)
        self._report(Transfer(self._manifest.repo_id, self._done, total))


def file_size(path: Path) -> int:
    """In bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _mark(path: Path, file: File) -> tuple[str, int, int]:
    """What changes when a file does."""
    stat = path.stat()
    return file.content, stat.st_size, stat.st_mtime_ns


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())


def _sync(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    if os.name == "posix":  # elsewhere folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
