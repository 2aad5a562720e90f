"""A folder of files into a repository, without a client: how a hub gets its first content."""

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dulwich.objects import Blob

from zoo.hub.server.attributes import DEFAULT_ATTRIBUTES, REGULAR_MAX_BYTES, Attributes
from zoo.hub.server.contents import pointer_text
from zoo.hub.server.edits import Edits
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import split_path
from zoo.hub.server.receiving import temporary
from zoo.hub.server.repos import Content, create_repository
from zoo.hub.server.repository import MAIN, Signature

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub
    from zoo.hub.server.store import Repo

_MESSAGE = "Seed from the files that came with the app"


def seed(hub: "Hub", repo_id: str, folder: Path) -> str:
    """Make a model's main branch hold exactly the files of ``folder``.

    A repository that is not there appears with all of them at once. One whose newest commit
    somebody else made is theirs, and stays as it is, unless nothing was put into it yet.

    Returns:
        The sha of the head of main.
    """
    content = _read(hub, folder)
    author = repo_id.partition("/")[0]
    made = create_repository(hub, "model", repo_id, author, content=content)
    if made:
        return made.head
    repo = hub.store.repo("model", repo_id)
    assert repo is not None  # noqa: S101 - its name is taken
    return _update(hub, repo, content)


def _update(hub: "Hub", repo: "Repo", content: Content) -> str:
    with hub.repositories.writing(repo.uid) as repository:
        edits = Edits(repository, None)
        contents = {}
        for path, data in content.files.items():
            sha = Blob.from_string(data).id
            contents[sha] = partial(bytes, data)
            edits.put(split_path(path), sha)
        root, trees = edits.write()
        head = repository.resolve("main")
        newest = repository.commit(head)
        # Their squashed history is one commit without parents, as a new repository's is.
        empty = not newest.parents and [*repository.tree(newest.tree)] == [b".gitattributes"]
        ours = newest.message == _MESSAGE.encode() or empty
        if newest.tree == root or not ours:
            return head
        for oid, size in content.large.items():
            hub.store.link(repo.uid, oid, size)
        signature = Signature(repo.namespace, _MESSAGE)
        commit = repository.commit_tree([head], root, signature, trees, contents).id.decode()
        repository.move(MAIN, head, commit)
        index_head(hub.store, repository, repo.uid)
    return commit


def _read(hub: "Hub", folder: Path) -> Content:
    """The files of a folder as a commit holds them; the large ones are put into the hub."""
    files: dict[str, bytes] = {}
    large: dict[str, int] = {}
    attributes = Attributes(DEFAULT_ATTRIBUTES)
    missing: list[str] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name, size = "/".join(split_path(path.relative_to(folder).as_posix())), path.stat().st_size
        if size > REGULAR_MAX_BYTES or (size and attributes.large(name)):
            oid = _keep(hub, path)
            large[oid] = size
            files[name] = pointer_text(oid, size)
            missing += [] if attributes.large(name) else [name]
        else:
            files[name] = path.read_bytes()
    files.setdefault(".gitattributes", attributes.with_large(missing))
    return Content(_MESSAGE, files, large)


def _keep(hub: "Hub", path: Path) -> str:
    """Store a copy of a large file and return its sha256."""
    digest = hashlib.sha256()
    copy = temporary(hub.temporary)
    with path.open("rb") as source, copy.open("xb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    oid = digest.hexdigest()
    hub.objects.put_file(oid, copy)
    return oid
