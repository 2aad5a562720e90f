"""What a pull request changes, whether that still fits, and putting it onto its target.

Files are merged whole: weights and configurations have no lines to weave together.
"""

from dataclasses import dataclass
from io import BytesIO

from dulwich.graph import find_merge_base
from dulwich.objects import ObjectID
from dulwich.patch import write_blob_diff

from zoo.hub.server.edits import FILE_MODE, Edits
from zoo.hub.server.errors import ConflictError
from zoo.hub.server.repository import Repository, Signature

_DIFFED_MAX_BYTES = 100 << 10
_DIFF_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Change:
    """A file before and after, and its mode then; ``None`` where it does not exist."""

    path: str
    old: ObjectID | None
    new: ObjectID | None
    mode: int | None


def changes(repository: Repository, old: str | None, new: str) -> list[Change]:
    """List the files that differ between two commits; with ``None`` all that ``new`` has."""
    found = []
    steps = repository.objects.tree_changes(
        repository.commit(old).tree if old else None, repository.commit(new).tree
    )
    for (before, after), (_, mode), (old_sha, new_sha) in steps:
        path = after or before or b""
        found.append(Change(path.decode("utf-8", "replace"), old_sha, new_sha, mode))
    return found


def base_of(repository: Repository, one: str, other: str) -> str | None:
    """Return the newest commit in the history of both, ``None`` if they share none.

    They share none where the history of one was squashed since: what either of them deleted
    cannot be told any more, and files that both have in the same form fit.
    """
    shas = [ObjectID(one.encode()), ObjectID(other.encode())]
    bases = find_merge_base(repository.git, shas)
    return bases[0].decode() if bases else None


def conflicts(repository: Repository, target: str, source: str) -> list[str]:
    """List the files that both sides changed, differently."""
    base = base_of(repository, target, source)
    theirs = {change.path: change.new for change in changes(repository, base, target)}
    return [
        change.path
        for change in changes(repository, base, source)
        if change.path in theirs and theirs[change.path] != change.new
    ]


def merge(repository: Repository, target: str, source: str, signature: Signature) -> str:
    """Store the commit that brings ``source`` onto ``target``, and return its sha.

    Raises:
        ConflictError: Both changed the same file.
    """
    clashing = conflicts(repository, target, source)
    if clashing:
        raise ConflictError(
            "This pull request has conflicts: {files}.", files=", ".join(clashing[:10])
        )
    edits = Edits(repository, repository.commit(target).tree)
    wanted = changes(repository, base_of(repository, target, source), source)
    for change in wanted:
        here = repository.entry(target, change.path)
        if change.new is None and here is not None:
            edits.remove(change.path.split("/"))
    for change in wanted:
        if change.new is not None:
            edits.put(change.path.split("/"), change.new, change.mode or FILE_MODE)
    root, trees = edits.write()
    return repository.commit_tree([target, source], root, signature, trees).id.decode()


def diff(repository: Repository, old: str | None, new: str) -> str:
    """Return `changes` as a unified diff of the smaller files."""
    out = BytesIO()
    for change in changes(repository, old, new):
        blobs = [repository.objects[sha] if sha else None for sha in (change.old, change.new)]
        path = change.path.encode()
        if any(blob is not None and blob.raw_length() > _DIFFED_MAX_BYTES for blob in blobs):
            out.write(b"diff --git a/%s b/%s\nLarge file differs\n" % (path, path))
            continue
        sides = [(path if blob else None, 0o100644 if blob else None, blob) for blob in blobs]
        write_blob_diff(out, *sides)  # type: ignore[arg-type]
        if out.tell() > _DIFF_MAX_BYTES:
            break
    return out.getvalue().decode("utf-8", "replace")
