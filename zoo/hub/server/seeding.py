"""A folder of files into a repository, without a client: how a hub gets its first content."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dulwich.objects import Blob, ObjectID

from zoo.hub.server.attributes import DEFAULT_ATTRIBUTES, REGULAR_MAX_BYTES, Attributes
from zoo.hub.server.contents import pointer_text
from zoo.hub.server.edits import Edits
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import split_path
from zoo.hub.server.receiving import temporary
from zoo.hub.server.repository import MAIN, Signature

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub
    from zoo.hub.server.store import Repo

_MESSAGE = "Seed from the files that came with the app"


def seed(hub: "Hub", repo: "Repo", folder: Path) -> str:
    """Make a repository's main branch hold exactly the files of ``folder``.

    A repository whose newest commit somebody else made is theirs, and stays as it is.

    Returns:
        The sha of the head of main.
    """
    contents: dict[ObjectID, Callable[[], bytes]] = {}
    files: dict[tuple[str, ...], ObjectID] = {}
    attributes = Attributes(DEFAULT_ATTRIBUTES)
    missing: list[str] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        parts = split_path(path.relative_to(folder).as_posix())
        name, size = "/".join(parts), path.stat().st_size
        if size > REGULAR_MAX_BYTES or (size and attributes.large(name)):
            content = pointer_text(_keep(hub, repo, path, size), size)
            read: Callable[[], bytes] = partial(bytes, content)
            missing += [] if attributes.large(name) else [name]
        else:
            content, read = path.read_bytes(), path.read_bytes
        files[parts] = Blob.from_string(content).id
        contents[files[parts]] = read
    text = attributes.with_large(missing)
    files.setdefault((".gitattributes",), sha := Blob.from_string(text).id)
    contents.setdefault(sha, partial(bytes, text))
    with hub.repositories.writing(repo.uid) as repository:
        edits = Edits(repository, None)
        for parts, sha in files.items():
            edits.put(parts, sha)
        root, trees = edits.write()
        head = repository.resolve("main")
        newest = repository.commit(head)
        ours = newest.message == _MESSAGE.encode() or not newest.parents
        if newest.tree == root or not ours:
            return head
        signature = Signature(repo.namespace, _MESSAGE)
        commit = repository.commit_tree([head], root, signature, trees, contents).id.decode()
        repository.move(MAIN, head, commit)
        index_head(hub.store, repository, repo.uid)
    return commit


def _keep(hub: "Hub", repo: "Repo", path: Path, size: int) -> str:
    """Store a copy of a large file and return its sha256."""
    digest = hashlib.sha256()
    copy = temporary(hub.temporary)
    with path.open("rb") as source, copy.open("xb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    oid = digest.hexdigest()
    if hub.store.linked(repo.uid, oid) == size and hub.objects.size(oid) == size:
        copy.unlink()
    else:
        hub.objects.put_file(oid, copy)
        hub.store.link(repo.uid, oid, size)
    return oid
