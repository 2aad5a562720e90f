"""Commits as the client makes them: one line of JSON per file, in one request.

A body can be far larger than memory, so it goes to disk first. It is read twice, one line at a
time: once to learn what the commit changes, once more to store the contents.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dulwich.objects import Blob, ObjectID
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from zoo.hub.server.access import Caller, contributed_repo, writing_caller
from zoo.hub.server.attributes import REGULAR_MAX_BYTES, Attributes, Ignored
from zoo.hub.server.contents import blob_rows, pointer_text
from zoo.hub.server.discussions import may_commit_to, open_pull_request, record_commit
from zoo.hub.server.edits import Edits
from zoo.hub.server.errors import (
    BadRequestError,
    PreconditionFailedError,
    RevisionNotFoundError,
    TooLargeError,
    UnprocessableError,
)
from zoo.hub.server.formats import check_card
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import branch_ref, split_path
from zoo.hub.server.objects import OID
from zoo.hub.server.receiving import disk_full_is_said, receive
from zoo.hub.server.repository import MAIN, Repository, Signature
from zoo.hub.server.routing import API, REVISION, Call, Routes, answer, take
from zoo.hub.server.store import Repo

routes = Routes()

# The client sends files of up to 10 MB this way, in base64 inside JSON.
_MAX_LINE = 64 << 20
_MAX_FILES = 25_000
MAX_PREUPLOAD = 1000


@dataclass
class Plan:
    """What a commit's body asks for.

    Attributes:
        signature: The message, and who sent it.
        parent: The commit that the sender believes to be the head.
        deletions: Paths to remove, and whether only a folder will do.
        files: Path to blob.
        large: Path to oid and size in bytes (``None`` if the sender did not say).
        contents: Blob to a function that reads its bytes from the body again.
    """

    signature: Signature
    parent: str | None
    deletions: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)
    files: dict[tuple[str, ...], ObjectID] = field(default_factory=dict)
    large: dict[tuple[str, ...], tuple[str, int | None]] = field(default_factory=dict)
    contents: dict[ObjectID, Callable[[], bytes]] = field(default_factory=dict)


@routes.post("/api/validate-yaml")
def validate_yaml(call: Call) -> Response:
    """Check the metadata at the head of a README."""
    errors, warnings = check_card(call.value("content", str))
    result = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    if not errors:
        return answer(result)
    headers = {"X-Error-Message": "Invalid metadata in README.md"}
    return answer({"error": "Invalid metadata in README.md", **result}, status=400, headers=headers)


@routes.post(API + "/preupload/" + REVISION)
def preupload(call: Call) -> Response:
    """Tell for each file whether it goes into the commit itself or is uploaded as a large file."""
    repo, _ = contributed_repo(call)
    files = call.value("files", list)
    if len(files) > MAX_PREUPLOAD:
        raise TooLargeError("Ask about at most {n} files at once.", n=MAX_PREUPLOAD)
    with call.hub.repositories.open(repo.uid) as repository:
        commit = repository.resolve(call.params["revision"])
        attributes = Attributes(repository.read(commit, ".gitattributes"))
        sent = call.value("gitIgnore", str, "")
        ignored = Ignored(
            sent.encode("utf-8", "replace") if sent else repository.read(commit, ".gitignore")
        )
        results: list[dict[str, Any]] = []
        for file in files:
            if not isinstance(file, dict):
                raise BadRequestError("“files” must be a list of objects.")
            path = "/".join(split_path(file.get("path")))
            size = take(file, "size", int)
            large = size > 0 and (size > REGULAR_MAX_BYTES or attributes.large(path))
            result: dict[str, Any] = {
                "path": path,
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": path in ignored,
            }
            entry = repository.entry(commit, path)
            if entry is not None and not entry.folder:
                row = blob_rows(call.hub.store, repository, [entry])[entry.sha]
                result["oid"] = row["lfs_oid"] or entry.sha
            results.append(result)
    return answer({"files": results})


@routes.post(API + "/commit/" + REVISION, body="stream")
async def commit(call: Call) -> Response:
    """Make a commit."""
    # Rights first: nobody fills the disk with a body that would be refused anyway.
    repo, caller = await run_in_threadpool(_permitted, call)
    received = await receive(call.request, call.hub.temporary)
    try:
        with disk_full_is_said():
            return await run_in_threadpool(_commit, call, repo, str(caller.name), received.path)
    finally:
        received.path.unlink(missing_ok=True)


def _permitted(call: Call) -> tuple[Repo, Caller]:
    repo, caller = contributed_repo(call)
    ref = branch_ref(call.params["revision"])
    if not call.flag("create_pr") and not may_commit_to(call.hub, repo, caller, ref):
        writing_caller(call, repo.namespace)
    return repo, caller


def _commit(call: Call, repo: Repo, author: str, body: Path) -> Response:
    hub = call.hub
    plan = read_plan(body, author)
    with hub.repositories.writing(repo.uid) as repository:
        ref = branch_ref(call.params["revision"])
        head = repository.ref(ref)
        create_pr = call.flag("create_pr")
        if create_pr and head is None:
            head = repository.resolve(call.params["revision"])
        if head is None:
            raise RevisionNotFoundError(
                "Invalid rev id: {revision}", revision=call.params["revision"]
            )
        if plan.parent is not None and repository.resolve(plan.parent) != head:
            raise PreconditionFailedError(
                "The branch was updated since you opened this page. Please refresh and try again."
            )
        made = _apply(call, repo, repository, plan, head)
        result: dict[str, Any] = {
            "success": True,
            "commitOid": made,
            "commitUrl": f"{call.base_url}/{repo.prefix}{repo.id}/commit/{made}",
            "hookOutput": "",
        }
        if create_pr:
            num = open_pull_request(hub, repo, repository, author, plan.signature, made)
            pull = f"{call.base_url}/{repo.prefix}{repo.id}/discussions/{num}"
            result["pullRequestUrl"] = pull
        else:
            repository.move(ref, head, made)
            record_commit(hub, repo, ref, author, made, plan.signature.message)
            if ref == MAIN:
                index_head(hub.store, repository, repo.uid)
    return answer(result)


def _apply(call: Call, repo: Repo, repository: Repository, plan: Plan, head: str) -> str:
    """Store the planned commit on top of ``head`` and return its sha."""
    edits = Edits(repository, repository.commit(head).tree)
    for parts, folder_only in plan.deletions:
        edits.remove(parts, folder_only=folder_only)
    files, contents = dict(plan.files), dict(plan.contents)
    for parts, (oid, size) in plan.large.items():
        linked = call.hub.store.linked(repo.uid, oid)
        if linked is None or (size is not None and size != linked):
            # Were it enough to name a hash, a hash would be a key to private files.
            raise UnprocessableError(
                "“{path}” refers to an object that was not uploaded to this repository.",
                path="/".join(parts),
            )
        files[parts] = _add(contents, pointer_text(oid, linked))
    if plan.large:
        _mark_large(repository, plan, head, files, contents)
    for parts, sha in files.items():
        edits.put(parts, sha)
    root, trees = edits.write()
    return repository.commit_tree([head], root, plan.signature, trees, contents).id.decode()


def _mark_large(
    repository: Repository,
    plan: Plan,
    head: str,
    files: dict[tuple[str, ...], ObjectID],
    contents: dict[ObjectID, Callable[[], bytes]],
) -> None:
    """Extend ``.gitattributes`` so that a clone smudges every pointer of the plan."""
    name = (".gitattributes",)
    sent = files.get(name)
    text = contents[sent]() if sent else repository.read(head, name[0])
    attributes = Attributes(text)
    missing = [path for parts in plan.large if not attributes.large(path := "/".join(parts))]
    if missing:
        files[name] = _add(contents, attributes.with_large(missing))


def _add(contents: dict[ObjectID, Callable[[], bytes]], content: bytes) -> ObjectID:
    sha = Blob.from_string(content).id
    contents[sha] = lambda: content
    return sha


def read_plan(body: Path, author: str) -> Plan:
    """Read a commit's body.

    Raises:
        BadRequestError: It is not what a commit looks like.
        UnprocessableError: A path or hash in it cannot be accepted.
    """
    plan: Plan | None = None
    for offset, length, line in _lines(body):
        key, value = _parse(line)
        if plan is None:
            if key != "header":
                raise BadRequestError("A commit begins with its header.")
            summary = take(value, "summary", str)
            description = take(value, "description", str, "")
            message = f"{summary}\n\n{description}" if description else summary
            if not summary.strip():
                raise BadRequestError("A commit needs a summary.")
            plan = Plan(Signature(author, message), take(value, "parentCommit", str, "") or None)
        elif key == "file":
            parts = split_path(value.get("path"))
            sha = Blob.from_string(_content(value)).id
            plan.files[parts] = sha
            plan.large.pop(parts, None)
            plan.contents[sha] = _Reader(body, offset, length)
        elif key == "lfsFile":
            parts = split_path(value.get("path"))
            oid = take(value, "oid", str).lower()
            if take(value, "algo", str, "sha256") != "sha256" or not OID.fullmatch(oid):
                raise UnprocessableError("“{oid}” is not a sha256.", oid=oid)
            plan.large[parts] = (oid, take(value, "size", int, -1) if "size" in value else None)
            plan.files.pop(parts, None)
        elif key in ("deletedFile", "deletedFolder"):
            path = take(value, "path", str)
            folder_only = key == "deletedFolder" or path.endswith("/")
            plan.deletions.append((split_path(path.removesuffix("/")), folder_only))
        else:
            raise BadRequestError("“{key}” is no operation of a commit.", key=key)
        if len(plan.files) + len(plan.large) + len(plan.deletions) > _MAX_FILES:
            raise TooLargeError("A commit may change at most {n} files.", n=_MAX_FILES)
    if plan is None:
        raise BadRequestError("The commit is empty.")
    return plan


@dataclass(frozen=True)
class _Reader:
    """Reads one file's bytes from its line of the body."""

    body: Path
    offset: int
    length: int

    def __call__(self) -> bytes:
        with self.body.open("rb") as file:
            file.seek(self.offset)
            return _content(_parse(file.read(self.length))[1])


def _lines(body: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield offset, length in bytes, and text of every line that is not empty."""
    offset = 0
    with body.open("rb") as file:
        while line := file.readline(_MAX_LINE + 1):
            if len(line) > _MAX_LINE:
                raise TooLargeError("A line of the commit is larger than {n} bytes.", n=_MAX_LINE)
            if line.strip():
                yield offset, len(line), line
            offset += len(line)


def _parse(line: bytes) -> tuple[object, dict[str, Any]]:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequestError("A line of the commit is not JSON.") from None
    if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
        raise BadRequestError("A line of the commit needs “key” and “value”.")
    return item.get("key"), item["value"]


def _content(value: dict[str, Any]) -> bytes:
    content, encoding = take(value, "content", str), take(value, "encoding", str, "utf-8")
    try:
        if encoding == "base64":
            return base64.b64decode(content, validate=True)
        if encoding in ("utf-8", "utf8"):
            return content.encode()
    except (binascii.Error, ValueError):
        raise BadRequestError("A file’s content is not {encoding}.", encoding=encoding) from None
    raise BadRequestError("“{encoding}” is no encoding of content.", encoding=encoding)
