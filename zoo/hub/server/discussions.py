"""Discussions and pull requests. A pull request is a discussion with a branch ``refs/pr/N``."""

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from dulwich.refs import Ref
from starlette.responses import Response

from zoo.hub.server.access import (
    Caller,
    contributed_repo,
    find_repo,
    readable_repo,
    writable_repo,
)
from zoo.hub.server.errors import (
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    RevisionNotFoundError,
    UnprocessableError,
)
from zoo.hub.server.formats import timestamp
from zoo.hub.server.indexing import index_head
from zoo.hub.server.merging import base_of, conflicts, diff, merge
from zoo.hub.server.repository import MAIN, Repository, Signature
from zoo.hub.server.routing import API, Call, Routes, answer
from zoo.hub.server.store import Repo, Row

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

routes = Routes()

_NUM = r"/discussions/(?P<num>[0-9]{1,9})"
_PAGE = 50
_MAX_TEXT = 65_536


def pull_ref(num: int) -> Ref:
    """Return the branch of pull request ``num``."""
    return Ref(b"refs/pr/%d" % num)


def open_pull_request(
    hub: "Hub", repo: Repo, repository: Repository, author: str, words: Signature, made: str
) -> int:
    """Open a pull request whose branch is commit ``made``; the repository's lock is held."""
    title, _, description = words.message.partition("\n\n")
    with hub.store.transaction():
        num = _open(hub, repo, repository, author, title, description, "open", made)
        _add_event(hub, repo.uid, num, "commit", author, {"subject": title, "oid": made})
    return num


def record_commit(hub: "Hub", repo: Repo, ref: Ref, author: str, made: str, message: str) -> None:
    """Note a commit to a pull request's branch among its events."""
    if ref.startswith(b"refs/pr/"):
        num = int(ref.rpartition(b"/")[2])
        data = {"subject": message.split("\n")[0], "oid": made}
        _add_event(hub, repo.uid, num, "commit", author, data)


def may_commit_to(hub: "Hub", repo: Repo, caller: Caller, ref: Ref) -> bool:
    """Say whether the caller may move ``ref``: members any, others their own pull requests."""
    if caller.owns(repo.namespace):
        return True
    if not ref.startswith(b"refs/pr/") or not ref[8:].isdigit():
        return False
    row = _row(hub, repo.uid, int(ref[8:]))
    return row is not None and row["author"] == caller.name


def _row(hub: "Hub", uid: str, num: int) -> Row | None:
    return hub.store.row("SELECT * FROM discussions WHERE uid = ? AND num = ?", uid, num)


def _open(
    hub: "Hub",
    repo: Repo,
    repository: Repository | None,
    author: str,
    title: str,
    description: str,
    status: str,
    start: str | None,
) -> int:
    """Insert a discussion, with a branch at ``start`` if it is a pull request."""
    store = hub.store
    row = store.row("SELECT MAX(num) AS last FROM discussions WHERE uid = ?", repo.uid)
    num = ((row["last"] if row else 0) or 0) + 1
    store.run(
        "INSERT INTO discussions VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        *(repo.uid, num, title, author, status, start is not None),
        *(MAIN.decode() if start else None, time.time()),
    )
    if description:
        _add_event(hub, repo.uid, num, "comment", author, _comment(description, author))
    if repository is not None and start is not None:
        # A ref may be left from a process that was killed before its row was committed.
        repository.move(pull_ref(num), repository.ref(pull_ref(num)), start)
    return num


def _comment(text: str, author: str) -> dict[str, Any]:
    return {
        "edited": False,
        "hidden": False,
        "history": [],
        "latest": {
            "raw": text,
            "html": "",
            "updatedAt": timestamp(time.time()),
            "author": {"name": author},
        },
    }


def _add_event(
    hub: "Hub", uid: str, num: int, kind: str, author: str, data: dict[str, Any]
) -> dict[str, Any]:
    key, now = secrets.token_hex(12), time.time()
    hub.store.run(
        "INSERT INTO events SELECT ?, uid, num, ?, ?, ?, ? FROM discussions"
        " WHERE uid = ? AND num = ?",
        *(key, kind, author, now, json.dumps(data), uid, num),
    )
    return _event(key, kind, author, now, data)


def _event(
    key: str, kind: str, author: str, created: float, data: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": key,
        "type": kind,
        "author": {"name": author},
        "createdAt": timestamp(created),
        "data": data,
    }


def _summary(repo: Repo, row: Row) -> dict[str, Any]:
    return {
        "num": row["num"],
        "title": row["title"],
        "author": {"name": row["author"]},
        "createdAt": timestamp(row["created"]),
        "status": row["status"],
        "isPullRequest": bool(row["pull"]),
        "repo": {"name": repo.id, "type": repo.kind},
    }


@routes.get(API + "/discussions")
def list_discussions(call: Call) -> Response:
    """List a repository's discussions, newest first."""
    repo = find_repo(call)
    rows = call.hub.store.rows(
        "SELECT * FROM discussions WHERE uid = ? ORDER BY num DESC", repo.uid
    )
    wanted, status, author = call.query("type"), call.query("status"), call.query("author")
    if wanted in ("discussion", "pull_request"):
        rows = [row for row in rows if bool(row["pull"]) == (wanted == "pull_request")]
    if status == "open":
        rows = [row for row in rows if row["status"] in ("open", "draft")]
    elif status == "closed":
        rows = [row for row in rows if row["status"] in ("closed", "merged")]
    if author is not None:
        rows = [row for row in rows if row["author"].lower() == author.lower()]
    start = call.number("p", 0, high=1 << 20) * _PAGE
    page = [_summary(repo, row) for row in rows[start : start + _PAGE]]
    return answer({"discussions": page, "count": len(rows), "start": start})


@routes.post(API + "/discussions")
def create(call: Call) -> Response:
    """Open a discussion or a pull request without changes."""
    repo, caller = contributed_repo(call)
    title, text = _title(call), _text(call, "description", "")
    author, store = str(caller.name), call.hub.store
    if not call.value("pullRequest", bool, False):
        with store.transaction():
            num = _open(call.hub, repo, None, author, title, text, "open", None)
    else:
        with call.hub.repositories.writing(repo.uid) as repository, store.transaction():
            head = repository.resolve("main")
            num = _open(call.hub, repo, repository, author, title, text, "draft", head)
    return answer({"num": num, "pullRequest": call.value("pullRequest", bool, False)})


def _title(call: Call) -> str:
    title = call.value("title", str).strip()
    if not 3 <= len(title) <= 200:
        raise UnprocessableError("A title has 3 to 200 characters.")
    return title


def _text(call: Call, name: str, default: str | None = None) -> str:
    text = call.value(name, str) if default is None else call.value(name, str, default)
    if len(text) > _MAX_TEXT:
        raise UnprocessableError("A comment has at most {n} characters.", n=_MAX_TEXT)
    return text


def _discussion(call: Call, repo: Repo) -> Row:
    row = _row(call.hub, repo.uid, int(call.params["num"]))
    if row is None:
        raise NotFoundError("Discussion not found")
    return row


def _changed(call: Call) -> tuple[Repo, Caller, Row]:
    """Return what a call changes, if it comes from the author or a member."""
    repo, caller = contributed_repo(call)
    row = _discussion(call, repo)
    if row["author"] != caller.name and not caller.owns(repo.namespace):
        raise ForbiddenError("Only its author and the repository’s members may change this.")
    return repo, caller, row


@routes.get(API + _NUM)
def details(call: Call) -> Response:
    """Return a discussion with its events; of a pull request also its diff."""
    # A diff holds contents of files; the talk about a gated repository is open to everybody.
    repo = readable_repo(call) if call.flag("diff") else find_repo(call)
    row = _discussion(call, repo)
    events = call.hub.store.rows(
        "SELECT * FROM events WHERE uid = ? AND num = ? ORDER BY created, rowid",
        *(repo.uid, row["num"]),
    )
    result = _summary(repo, row)
    result["events"] = [
        _event(e["id"], e["kind"], e["author"], e["created"], json.loads(e["data"])) for e in events
    ]
    if row["pull"]:
        result["changes"] = {"base": row["target"]}
        result["filesWithConflicts"] = []
        if row["merged"]:
            result["changes"]["mergeCommitId"] = row["merged"]
        with call.hub.repositories.open(repo.uid) as repository:
            target, source = repository.ref(MAIN), repository.ref(pull_ref(row["num"]))
            if target and source:
                if row["status"] in ("open", "draft"):
                    result["filesWithConflicts"] = conflicts(repository, target, source)
                if call.flag("diff"):
                    base = base_of(repository, target, source)
                    result["diff"] = diff(repository, base, source)
    return answer(result)


@routes.post(API + _NUM + "/comment")
def comment(call: Call) -> Response:
    """Add a comment."""
    repo, caller = contributed_repo(call)
    row = _discussion(call, repo)
    author = str(caller.name)
    data = _comment(_text(call, "comment"), author)
    event = _add_event(call.hub, repo.uid, row["num"], "comment", author, data)
    return answer({"newMessage": event})


@routes.post(API + _NUM + "/title")
def rename(call: Call) -> Response:
    """Change the title."""
    repo, caller, row = _changed(call)
    title = _title(call)
    with call.hub.store.transaction():
        call.hub.store.run(
            "UPDATE discussions SET title = ? WHERE uid = ? AND num = ?",
            *(title, repo.uid, row["num"]),
        )
        data = {"from": row["title"], "to": title}
        event = _add_event(call.hub, repo.uid, row["num"], "title-change", str(caller.name), data)
    return answer({"newTitle": event})


@routes.post(API + _NUM + "/status")
def change_status(call: Call) -> Response:
    """Close or reopen."""
    repo, caller, row = _changed(call)
    status = call.value("status", str)
    if status not in ("open", "closed"):
        raise BadRequestError("A status is “open” or “closed”.")
    if row["status"] == "merged":
        raise UnprocessableError("This pull request is merged.")
    text = _text(call, "comment", "")
    with call.hub.store.transaction():
        if text:
            data = _comment(text, str(caller.name))
            _add_event(call.hub, repo.uid, row["num"], "comment", str(caller.name), data)
        event = _set_status(call.hub, repo, row["num"], str(caller.name), status)
    return answer({"newStatus": event})


def _set_status(hub: "Hub", repo: Repo, num: int, author: str, status: str) -> dict[str, Any]:
    hub.store.run(
        "UPDATE discussions SET status = ? WHERE uid = ? AND num = ?", status, repo.uid, num
    )
    return _add_event(hub, repo.uid, num, "status-change", author, {"status": status})


@routes.post(API + _NUM + "/merge")
def merge_pull_request(call: Call) -> Response:
    """Bring a pull request's changes onto main."""
    repo, caller = writable_repo(call)
    author = str(caller.name)
    with call.hub.repositories.writing(repo.uid) as repository:
        row = _discussion(call, repo)
        if not row["pull"] or row["status"] not in ("open", "draft"):
            raise UnprocessableError("This is not an open pull request.")
        target, source = repository.ref(MAIN), repository.ref(pull_ref(row["num"]))
        if target is None or source is None:
            raise RevisionNotFoundError("Invalid rev id: {rev}", rev=f"refs/pr/{row['num']}")
        message = f"{row['title']} (#{row['num']})"
        if text := _text(call, "comment", ""):
            message += f"\n\n{text}"
        merged = merge(repository, target, source, Signature(author, message))
        repository.move(MAIN, target, merged)
        with call.hub.store.transaction():
            call.hub.store.run(
                "UPDATE discussions SET merged = ? WHERE uid = ? AND num = ?",
                *(merged, repo.uid, row["num"]),
            )
            _set_status(call.hub, repo, row["num"], author, "merged")
        index_head(call.hub.store, repository, repo.uid)
    return answer({"success": True, "mergeCommitId": merged})


@routes.post(API + _NUM + "/comment/(?P<event>[0-9a-f]{24})/(?P<action>edit|hide)")
def change_comment(call: Call) -> Response:
    """Edit one's own comment, or hide one (which cannot be undone)."""
    repo, caller = contributed_repo(call)
    row = _discussion(call, repo)
    store = call.hub.store
    with store.transaction():
        found = store.row(
            "SELECT * FROM events WHERE id = ? AND uid = ? AND num = ? AND kind = 'comment'",
            *(call.params["event"], repo.uid, row["num"]),
        )
        if found is None:
            raise NotFoundError("Comment not found")
        hiding = call.params["action"] == "hide"
        if found["author"] != caller.name and not (hiding and caller.owns(repo.namespace)):
            raise ForbiddenError("This comment is somebody else’s.")
        data = json.loads(found["data"])
        if hiding:
            data |= {"hidden": True, "history": []}
            data["latest"] |= {"raw": "This comment has been hidden"}
        else:
            data["history"] = [*data["history"], data["latest"]]
            data |= {"edited": True, "latest": _comment(_text(call, "content"), "")["latest"]}
        data["latest"]["author"] = {"name": caller.name}
        store.run("UPDATE events SET data = ? WHERE id = ?", json.dumps(data), found["id"])
    event = _event(found["id"], "comment", found["author"], found["created"], data)
    return answer({"updatedComment": event})
