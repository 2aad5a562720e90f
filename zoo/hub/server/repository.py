"""Bare git repositories, read and written without a ``git`` program."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from stat import S_ISDIR
from typing import Final, cast

from dulwich.errors import NotTreeError
from dulwich.object_store import PackBasedObjectStore
from dulwich.objects import S_ISGITLINK, Blob, Commit, ObjectID, ShaFile, Tag, Tree
from dulwich.pack import full_unpacked_object
from dulwich.refs import Ref, check_ref_format
from dulwich.repo import Repo as GitRepo

from zoo.hub.server.edits import FOLDER_MODE, Edits
from zoo.hub.server.errors import (
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    NotFoundError,
    RevisionNotFoundError,
)
from zoo.hub.server.objects import sync

MAIN: Final = Ref(b"refs/heads/main")
_SHORT_SHA_MIN = 5
_HEX = frozenset("0123456789abcdef")
# Up to this many new objects are written one by one, more of them as one pack.
_LOOSE_MAX = 32
# What housekeeping leaves as it is: each pack costs every handle four open files.
_KEPT_LOOSE, _KEPT_PACKS, _SMALL_PACK_BYTES = 2000, 10, 16 << 20
_IDLE_HANDLES, _IDLE_PER_REPOSITORY = 32, 3
# What dulwich leaves behind when a pack cannot be finished.
_UNFINISHED = ("objects/tmp_pack_*", "objects/pack/tmp*")


@dataclass(frozen=True)
class Entry:
    """A file or folder of one revision.

    Attributes:
        path: From the root of the repository, with ``/`` between parts.
        sha: Git's hash of its content.
        folder: Whether it is a folder.
        submodule: Whether it is another repository's commit, which says nothing about content.
    """

    path: str
    sha: str
    folder: bool
    submodule: bool = False


@dataclass(frozen=True)
class Signature:
    """Who made a commit, and the words that go with it."""

    author: str
    message: str


class Repository:
    """One open bare repository. Not safe for two threads: see `Repositories.open`."""

    def __init__(self, path: Path) -> None:
        self.git = GitRepo(str(path))
        self.objects = self.git.object_store
        assert isinstance(self.objects, PackBasedObjectStore)  # noqa: S101 - a repository on disk
        self.objects.fsync_object_files = True

    def close(self) -> None:
        """Close its files."""
        self.git.close()

    # Reading

    def refs(self) -> dict[Ref, str]:
        """Return every ref with the commit it stands for."""
        found = {}
        for ref, sha in self.git.get_refs().items():
            if ref != b"HEAD" and (commit := self._peel(sha)):
                found[ref] = commit
        return found

    def resolve(self, revision: str) -> str:
        """Return the commit that a branch, tag, full ref, or whole or short sha means.

        Raises:
            RevisionNotFoundError: There is none.
        """
        name, text = revision.encode("utf-8", "replace"), revision.lower()
        is_sha = len(text) == 40 and _HEX.issuperset(text)
        # Before branches: one that is called like a commit must not stand in its place.
        if is_sha and (commit := self._peel(ObjectID(text.encode()))):
            return commit
        for prefix in (b"refs/heads/", b"refs/tags/", b""):
            ref = Ref(prefix + name)
            if not ref.startswith(b"refs/") or len(ref) > 250 or not check_ref_format(ref):
                continue
            if (sha := self.ref(ref)) and (commit := self._peel(ObjectID(sha.encode()))):
                return commit
        if _SHORT_SHA_MIN <= len(text) < 40 and _HEX.issuperset(text):
            found = [
                commit
                for sha in self.objects.iter_prefix(text.encode())
                if (commit := self._peel(sha))
            ]
            if len(found) == 1:
                return found[0]
        raise RevisionNotFoundError("Invalid rev id: {revision}", revision=revision)

    def ref(self, ref: Ref) -> str | None:
        """Return the object a ref points to, ``None`` if there is no such ref."""
        try:
            sha = self.git.refs.read_loose_ref(ref)
        except (IsADirectoryError, NotADirectoryError):  # "a" where "a/b" exists, or the reverse
            return None
        sha = sha or self.git.refs.get_packed_refs().get(ref)
        return sha.decode() if sha else None

    def _peel(self, sha: ObjectID) -> str | None:
        for _ in range(8):  # a tag of a tag of a tag …
            try:
                found = self.objects[sha]
            except KeyError:
                return None
            if isinstance(found, Commit):
                return found.id.decode()
            if not isinstance(found, Tag):
                return None
            sha = found.object[1]
        return None

    def commit(self, sha: str) -> Commit:
        """Return a commit by its whole sha."""
        found = self.objects[ObjectID(sha.encode())]
        if not isinstance(found, Commit):
            raise RevisionNotFoundError("Invalid rev id: {sha}", sha=sha)
        return found

    def commits(self, sha: str) -> Iterator[Commit]:
        """Yield a commit and its ancestors, newest first."""
        for step in self.git.get_walker(include=[ObjectID(sha.encode())]):
            yield step.commit

    def tree(self, sha: ObjectID) -> Tree:
        """Return a tree, as a copy that may be changed."""
        found = self.objects[sha]
        if not isinstance(found, Tree):
            raise NotTreeError(sha)
        return cast("Tree", found.copy())

    def entry(self, commit: str, path: str) -> Entry | None:
        """Return what is at ``path`` in a commit, ``None`` if nothing is."""
        sha, mode = self.commit(commit).tree, FOLDER_MODE
        for part in path.encode("utf-8", "replace").split(b"/") if path else ():
            try:
                if not S_ISDIR(mode):
                    return None
                tree = self.objects[sha]
                assert isinstance(tree, Tree)  # noqa: S101 - its mode says so
                found = tree[part]
            except KeyError:
                return None
            mode, sha = found[0] or 0, found[1]
        return Entry(path, sha.decode(), S_ISDIR(mode), S_ISGITLINK(mode))

    def listing(self, commit: str, path: str = "", *, recursive: bool = False) -> Iterator[Entry]:
        """Yield a folder's files and folders, each folder before what is in it.

        Raises:
            EntryNotFoundError: There is no such folder.
        """
        top = self.entry(commit, path)
        if top is None or not top.folder:
            raise EntryNotFoundError("{path} does not exist at {commit}.", path=path, commit=commit)
        yield from self._children(top, recursive)

    def _children(self, folder: Entry, recursive: bool) -> Iterator[Entry]:
        tree = self.objects[ObjectID(folder.sha.encode())]
        assert isinstance(tree, Tree)  # noqa: S101 - `folder` says so
        for item in tree.iteritems(name_order=True):
            if item.path is None or item.sha is None or item.mode is None:
                continue
            name = item.path.decode("utf-8", "replace")
            path = f"{folder.path}/{name}" if folder.path else name
            link = S_ISGITLINK(item.mode)
            entry = Entry(path, item.sha.decode(), S_ISDIR(item.mode), link)
            yield entry
            if recursive and entry.folder:
                yield from self._children(entry, recursive)

    def blob(self, sha: str) -> bytes:
        """Return a blob's bytes."""
        name = ObjectID(sha.encode())
        try:
            return self.objects.get_raw(name)[1]
        except KeyError:  # packed while it was looked for, first in packs and then beside them
            return self.objects.get_raw(name)[1]

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file's bytes as git has them, ``None`` if there is no such file."""
        entry = self.entry(commit, path)
        return self.blob(entry.sha) if entry and not entry.folder else None

    # Writing: the caller holds the repository's lock

    def commit_tree(
        self,
        parents: Iterable[str],
        tree: ObjectID,
        signature: Signature,
        trees: Sequence[Tree] = (),
        blobs: Mapping[ObjectID, Callable[[], bytes]] | None = None,
    ) -> Commit:
        """Store a commit with its new trees and blobs; no ref moves yet.

        Args:
            parents: Whole shas, none for a first commit.
            tree: Root of what is committed.
            signature: Author and message.
            trees: Trees that may be new.
            blobs: Blobs that may be new, each read only when it is its turn.
        """
        commit = Commit()
        commit.tree = tree
        commit.parents = [ObjectID(parent.encode()) for parent in parents]
        commit.author = commit.committer = _identity(signature)
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = _clean(signature.message)

        new_blobs = {s: read for s, read in (blobs or {}).items() if s not in self.objects}
        new_trees = {t.id: t for t in trees if t.id not in self.objects}

        def objects() -> Iterator[ShaFile]:
            for read in new_blobs.values():
                yield Blob.from_string(read())
            yield from new_trees.values()
            yield commit

        count = len(new_blobs) + len(new_trees) + 1
        if count <= _LOOSE_MAX:
            for each in objects():
                self.objects.add_object(each)
        else:
            unpacked = (full_unpacked_object(each) for each in objects())
            self.objects.add_pack_data(count, unpacked)
        return commit

    def pack(self) -> bool:
        """Put loose objects and small packs into one where they are many; says if they were.

        dulwich's own ways of doing this hold all objects in memory.
        """
        folder, store = Path(self.git.path) / "objects", self.objects
        loose = [p.parent.name + p.name for p in folder.glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 38)]
        small = [
            pack for pack in store.packs if Path(pack._data_path).stat().st_size < _SMALL_PACK_BYTES
        ]
        if len(loose) <= _KEPT_LOOSE and len(small) <= _KEPT_PACKS:
            return False
        shas = {ObjectID(sha.encode()) for sha in loose}.union(*small)
        made = store.add_pack_data(len(shas), (full_unpacked_object(store[s]) for s in shas))
        sync(folder / "pack")
        for sha in loose:
            store.delete_loose_object(ObjectID(sha.encode()))
        for pack in small:
            if made is None or pack.name() != made.name():
                store._remove_pack(pack)
        return True

    def tag(self, name: str, commit: str, signature: Signature) -> str:
        """Store an annotated tag of a commit and return its sha; no ref moves yet."""
        tag = Tag()
        tag.name = name.encode()
        tag.object = (Commit, ObjectID(commit.encode()))
        tag.tagger = _identity(signature)
        tag.tag_time, tag.tag_timezone = int(time.time()), 0
        tag.message = _clean(signature.message) + b"\n"
        self.objects.add_object(tag)
        return tag.id.decode()

    def move(self, ref: Ref, old: str | None, new: str | None) -> None:
        """Point ``ref`` from ``old`` to ``new``; ``None`` means that it does not exist.

        Raises:
            ConflictError: It does not stand at ``old``, or its name collides with another ref's.
        """
        refs, expected = self.git.refs, ObjectID((old or "0" * 40).encode())
        try:
            if new is None:
                moved = refs.remove_if_equals(ref, expected)
            else:
                moved = refs.set_if_equals(ref, expected, ObjectID(new.encode()))
        except (NotADirectoryError, IsADirectoryError, FileExistsError):
            moved = False
        if not moved:
            raise ConflictError("Reference {ref} already exists", ref=ref.decode())

    def create_branch(self, ref: Ref, start: str) -> None:
        """Make a branch; see `move` for what else it raises.

        Raises:
            ForbiddenError: It would be a pull request's.
        """
        if self.ref(ref) is not None:
            raise ConflictError("Reference {ref} already exists", ref=ref.decode())
        if ref.startswith(b"refs/pr/"):
            raise ForbiddenError("Open the pull request first: it makes its branch.")
        self.move(ref, None, start)

    def delete_branch(self, ref: Ref) -> None:
        """Remove a branch.

        Raises:
            ForbiddenError: It is the main branch.
            NotFoundError: There is none.
        """
        if ref == MAIN:
            raise ForbiddenError("Cannot delete {ref}", ref=ref.decode())
        old = self.ref(ref)
        if old is None:
            raise RevisionNotFoundError("Invalid rev id: {ref}", ref=ref.decode())
        self.move(ref, old, None)


def _identity(signature: Signature) -> bytes:
    return f"{signature.author} <{signature.author}@users.noreply.localhost>".encode()


def _clean(message: str) -> bytes:
    """Keep a message's line breaks, drop other control characters: git refuses some of them."""
    text = "".join(c for c in message if c in "\n\t" or c >= " ")
    return text.encode("utf-8", "replace")


class Repositories:
    """All repositories of a data folder, by ``uid``.

    Args:
        root: Folder that holds ``<uid>.git``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._idle: deque[tuple[str, Repository]] = deque()
        self._rests: dict[str, int] = defaultdict(int)
        self._locks: dict[str, threading.RLock] = defaultdict(threading.RLock)

    def path(self, uid: str) -> Path:
        """Return the folder of a repository."""
        return self.root / f"{uid}.git"

    def create_empty(self, uid: str) -> None:
        """Make a repository without a commit."""
        GitRepo.init_bare(str(self.path(uid)), mkdir=True, default_branch=b"main").close()

    def create(self, uid: str, files: Mapping[str, bytes], signature: Signature) -> str:
        """Make a repository whose first commit holds ``files``; returns the commit's sha."""
        self.create_empty(uid)
        with self.writing(uid) as repository:
            edits = Edits(repository, None)
            blobs: dict[ObjectID, Callable[[], bytes]] = {}
            for path, content in files.items():
                sha = Blob.from_string(content).id
                blobs[sha] = partial(bytes, content)
                edits.put(path.split("/"), sha)
            root, trees = edits.write()
            commit = repository.commit_tree((), root, signature, trees, blobs)
            repository.move(MAIN, None, commit.id.decode())
            return commit.id.decode()

    @contextmanager
    def open(self, uid: str) -> Iterator[Repository]:
        """Lend a repository to this thread for reading."""
        repository = None
        with self._guard:
            rests = self._rests[uid]
            for item in self._idle:
                if item[0] == uid:
                    repository = item[1]
                    self._idle.remove(item)
                    break
        if repository is None:
            if not self.path(uid).is_dir():
                raise NotFoundError("The repository was just deleted.")
            repository = Repository(self.path(uid))
        try:
            yield repository
        finally:
            with self._guard:
                self._idle.append((uid, repository))
                mine = [item for item in self._idle if item[0] == uid]
                surplus = mine[:-_IDLE_PER_REPOSITORY] or [*self._idle][:-_IDLE_HANDLES]
                if rests != self._rests[uid]:  # it still counts on packs that are gone
                    surplus = [(uid, repository)]
                for item in surplus:
                    self._idle.remove(item)
            for _, repository in surplus:
                repository.close()

    @contextmanager
    def writing(self, uid: str) -> Iterator[Repository]:
        """Lend a repository to this thread alone, for a change of its refs."""
        with self._guard:
            lock = self._locks[uid]
        with lock, self.open(uid) as repository:
            try:
                yield repository
            finally:
                self._remove_unfinished(f"{uid}.git/")

    def rest(self, uid: str) -> None:
        """Close a repository's handles once they are idle: they keep removed packs on the disk."""
        with self._guard:
            self._rests[uid] += 1
            gone = [item for item in self._idle if item[0] == uid]
            for item in gone:
                self._idle.remove(item)
        for _, repository in gone:
            repository.close()

    def forget(self, uid: str) -> None:
        """Let go of a repository that is gone."""
        self.rest(uid)
        with self._guard:
            self._locks.pop(uid, None)

    def close(self) -> None:
        """Close every idle handle."""
        while self._idle:
            self.forget(self._idle[0][0])

    def clear_stale_locks(self) -> int:
        """Remove what a killed process left half-written; returns how many files that were.

        A left ``refs/heads/main.lock`` would refuse every later commit. Only the owner of the
        data folder may do this.
        """
        count = self._remove_unfinished("*.git/")
        for path in self.root.glob("*.git/**/*.lock"):
            path.unlink(missing_ok=True)
            count += 1
        return count

    def _remove_unfinished(self, prefix: str) -> int:
        paths = [path for name in _UNFINISHED for path in self.root.glob(prefix + name)]
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)
