"""Which commit last changed each file of a folder.

Git does not store this. It is found by walking back from a commit until every name in the folder
has been seen to change, which is remembered per commit and folder: later walks stop at the first
remembered ancestor, so each new commit is looked at once.
"""

import json
from typing import Any

from zoo.hub.server.formats import timestamp
from zoo.hub.server.repository import Repository
from zoo.hub.server.store import Store


def last_commits(
    store: Store, repository: Repository, uid: str, head: str, folder: str
) -> dict[str, dict[str, Any]]:
    """Return by name the last commit (``id``, ``title``, ``date``) in the history of ``head``.

    Args:
        store: Where findings are remembered.
        repository: The repository, lent to this thread.
        uid: Its uid.
        head: Whole sha of a commit.
        folder: Path of a folder in it, ``""`` for the root.
    """
    found: dict[str, dict[str, Any]] = {}
    commit = head
    current = _names(repository, commit, folder)
    open_names = dict(current)
    while open_names:
        if known := _remembered(store, uid, commit, folder):
            found.update({name: known[name] for name in open_names if name in known})
            break
        # First parents only: a merge is the commit that brought a change to this branch.
        parents = repository.commit(commit).parents
        parent = parents[0].decode() if parents else None
        before = _names(repository, parent, folder) if parent else {}
        changed = [name for name, sha in open_names.items() if before.get(name) != sha]
        if changed:
            made = repository.commit(commit)
            last = {
                "id": commit,
                "title": made.message.decode("utf-8", "replace").split("\n")[0],
                "date": timestamp(made.commit_time),
            }
            for name in changed:
                found[name] = last
                del open_names[name]
        if parent is None:
            break
        commit = parent
    store.attempt(
        "INSERT OR REPLACE INTO last_commits VALUES (?, ?, ?, ?)",
        (uid, head, folder, json.dumps(found)),
    )
    return found


def _remembered(store: Store, uid: str, head: str, folder: str) -> dict[str, Any] | None:
    row = store.row(
        "SELECT entries FROM last_commits WHERE uid = ? AND head = ? AND folder = ?",
        *(uid, head, folder),
    )
    return json.loads(row["entries"]) if row else None


def _names(repository: Repository, commit: str, folder: str) -> dict[str, str]:
    top = repository.entry(commit, folder)
    if top is None or not top.folder:
        return {}
    prefix = len(folder) + 1 if folder else 0
    return {entry.path[prefix:]: entry.sha for entry in repository.listing(commit, folder)}
