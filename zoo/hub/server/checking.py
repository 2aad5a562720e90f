"""A look at everything the hub keeps: is it all there, and is it what its hash says?"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from dulwich.errors import ChecksumMismatch, ObjectFormatException
from dulwich.objects import Commit, ObjectID, Tag, Tree

from zoo.hub.server.contents import parse_pointer
from zoo.hub.server.objects import FolderStore, ObjectStore
from zoo.hub.server.repository import Repositories, Repository
from zoo.hub.server.store import Repo, Store


def check(data: Path, *, hashes: bool = True, objects: ObjectStore | None = None) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong; reading only, beside a running hub too.

    Args:
        data: The hub's folder.
        hashes: Whether large files are hashed, or only their sizes compared.
        objects: Where large files lie, ``None`` for the folder in ``data``.
    """
    store = Store(data / "hub.sqlite")
    repositories = Repositories(data / "repos")
    objects = objects or FolderStore(data / "lfs")
    for row in store.rows("PRAGMA integrity_check"):
        if row[0] != "ok":
            yield f"hub.sqlite: {row[0]}"
    for row in store.rows("SELECT DISTINCT oid, size FROM lfs_links"):
        size = objects.size(row["oid"])
        if size is None:
            yield f"large file {row['oid']} is missing"
        elif size != row["size"]:
            yield f"large file {row['oid']} has {size} bytes instead of {row['size']}"
        elif hashes and _sha256(objects, row["oid"], size) != row["oid"]:
            yield f"large file {row['oid']} is damaged"
    for repo in store.repos():
        if not repositories.path(repo.uid).is_dir():
            yield f"{repo.id}: its git folder is missing"
            continue
        with repositories.open(repo.uid) as repository:
            yield from _check_repository(store, repo, repository)
    repositories.close()
    store.close()


def _sha256(objects: ObjectStore, oid: str, size: int) -> str:
    digest = hashlib.sha256()
    for chunk in objects.open_range(oid, 0, size):
        digest.update(chunk)
    return digest.hexdigest()


def _check_repository(store: Store, repo: Repo, repository: Repository) -> Iterator[str]:
    """Follow every ref to every object."""
    seen: set[ObjectID] = set()
    stack = []
    for ref, sha in repository.git.get_refs().items():
        stack.append((sha, ref.decode("utf-8", "replace")))
    if not repository.refs():
        yield f"{repo.id}: it has no branch"
    while stack:
        sha, origin = stack.pop()
        if sha in seen:
            continue
        seen.add(sha)
        try:
            found = repository.objects[sha]
            found.check()
        except (KeyError, ChecksumMismatch, ObjectFormatException, OSError) as error:
            yield f"{repo.id}: object {sha.decode()} of {origin} cannot be read: {error!r}"
            continue
        if isinstance(found, Commit):
            stack += [(found.tree, origin), *((parent, origin) for parent in found.parents)]
        elif isinstance(found, Tag):
            stack.append((found.object[1], origin))
        elif isinstance(found, Tree):
            for item in found.iteritems():
                if item.sha is not None and item.path is not None:
                    stack.append((item.sha, f"{origin}:{item.path.decode('utf-8', 'replace')}"))
        else:
            pointer = parse_pointer(found.as_raw_string())
            if pointer and store.linked(repo.uid, pointer[0]) != pointer[1]:
                yield f"{repo.id}: {origin} points to {pointer[0]}, which it does not hold"
