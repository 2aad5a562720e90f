"""Repositories are created, renamed, opened and closed to others, and deleted."""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import Response

from zoo.hub.server.access import (
    Caller,
    readable_repo,
    required_caller,
    writable_repo,
    writing_caller,
)
from zoo.hub.server.attributes import DEFAULT_ATTRIBUTES
from zoo.hub.server.errors import BadRequestError, ConflictError
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import KINDS, check_repo_name
from zoo.hub.server.repository import Signature
from zoo.hub.server.routing import API, Call, Routes, answer
from zoo.hub.server.spaces import set_values
from zoo.hub.server.store import Repo

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

routes = Routes()

_COPIED = (b"refs/heads/", b"refs/tags/")
_SDKS = ("gradio", "streamlit", "docker", "static")


@dataclass(frozen=True)
class Content:
    """A commit to make: its files, pointers among them, and the large files these point to.

    Attributes:
        message: What the commit says.
        files: Contents by path.
        large: Sizes in bytes of the large files by their sha256; the hub has them already.
    """

    message: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    large: Mapping[str, int] = field(default_factory=dict)


_NOTHING = Content("initial commit")


def create_repository(
    hub: "Hub",
    kind: str,
    repo_id: str,
    author: str,
    *,
    private: bool = False,
    sdk: str | None = None,
    content: Content = _NOTHING,
) -> Repo | None:
    """Create a repository with its first commit; ``None`` if the name is taken.

    Git comes first: a row without a repository would answer every request with an error, while a
    repository without a row is merely collected later. The row comes with its links and its index,
    so nobody ever meets a repository that is not whole.

    Args:
        hub: Where to.
        kind: What it holds, one of ``KINDS``.
        repo_id: Its owner and name.
        author: Who makes the first commit.
        private: Whether only its owner may read it.
        sdk: What a space runs on.
        content: What the first commit holds besides what every repository has.
    """
    if hub.store.row("SELECT 1 FROM repos WHERE kind = ? AND id = ?", kind, repo_id):
        return None
    uid = secrets.token_hex(12)
    files = {".gitattributes": DEFAULT_ATTRIBUTES, **content.files}
    if sdk:
        name = repo_id.partition("/")[2]
        files["README.md"] = f"---\ntitle: {name}\nsdk: {sdk}\n---\n".encode()
    hub.repositories.create(uid, files, Signature(author, content.message))
    with hub.repositories.open(uid) as repository, hub.store.transaction():
        if added := hub.store.add_repo(uid, kind, repo_id, private, sdk):
            for oid, size in content.large.items():
                hub.store.link(uid, oid, size)
            index_head(hub.store, repository, uid)
    if not added:
        remove_git(hub, uid)
        return None
    return hub.store.repo_by_uid(uid)


def remove_git(hub: "Hub", uid: str) -> None:
    """Remove a repository's git folder, first out of sight and then for good."""
    hub.repositories.forget(uid)
    gone = hub.temporary / f"deleted-{uid}-{secrets.token_hex(4)}"
    hub.repositories.path(uid).rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _kind(call: Call) -> str:
    kind = call.value("type", str, "model")
    if kind not in KINDS:
        raise BadRequestError("“{kind}” is no kind of repository on this hub.", kind=kind)
    return kind


def _named(call: Call, caller: Caller) -> str:
    """Return the id that ``name`` and ``organization`` of the body stand for."""
    name = call.value("name", str)
    namespace = call.value("organization", str, "") or str(caller.name)
    if "/" in name:
        namespace, _, name = name.partition("/")
    return f"{namespace}/{name}"


def _is_private(call: Call, default: bool) -> bool:
    visibility = call.value("visibility", str, "")
    if visibility not in ("", "private", "public", "protected"):
        raise BadRequestError("“{word}” is no visibility.", word=visibility)
    return visibility == "private" if visibility else call.value("private", bool, default)


@routes.post("/api/repos/create")
def create(call: Call) -> Response:
    """Create a repository."""
    caller = required_caller(call)
    kind = _kind(call)
    namespace, _, name = _named(call, caller).partition("/")
    check_repo_name(name)
    writing_caller(call, namespace)
    owner = call.hub.store.user(namespace)
    repo_id = f"{owner['name'] if owner else namespace}/{name}"
    sdk = call.value("sdk", str, "") if kind == "space" else ""
    if kind == "space" and sdk not in _SDKS:
        raise BadRequestError("A space needs an sdk: {sdks}.", sdks=", ".join(_SDKS))
    private = _is_private(call, False)
    repo = create_repository(
        call.hub, kind, repo_id, str(caller.name), private=private, sdk=sdk or None
    )
    prefix = "" if kind == "model" else f"{kind}s/"
    url = f"{call.base_url}/{prefix}{repo_id}"
    if repo is None:
        message = "You already created this {kind} repo: {id}"
        raise ConflictError(message, extra={"url": url}, kind=kind, id=repo_id)
    _set_space_values(call, kind, repo.uid)
    return answer({"url": url, "name": repo_id, "id": repo.uid})


@routes.delete("/api/repos/delete")
def delete(call: Call) -> Response:
    """Delete a repository and everything that belongs to it alone."""
    caller = required_caller(call)
    repo, _ = writable_repo(call, repo_id=_named(call, caller), kind=_kind(call))
    with call.hub.repositories.writing(repo.uid):
        call.hub.store.run("DELETE FROM repos WHERE uid = ?", repo.uid)
    remove_git(call.hub, repo.uid)
    for xorbs in call.hub.xorbs.glob(f"{repo.uid}-*"):
        shutil.rmtree(xorbs, ignore_errors=True)
    return answer({"success": True})


@routes.post("/api/repos/move")
def move(call: Call) -> Response:
    """Rename a repository or hand it to another namespace; its old name keeps working."""
    kind = _kind(call)
    repo, _ = writable_repo(call, repo_id=call.value("fromRepo", str), kind=kind)
    target = call.value("toRepo", str)
    namespace, slash, name = target.partition("/")
    if not slash:
        raise BadRequestError("“{id}” is not “namespace/name”.", id=target)
    check_repo_name(name)
    writing_caller(call, namespace)
    if not call.hub.store.rename_repo(repo, target):
        raise ConflictError("A {kind} repository called {id} already exists", kind=kind, id=target)
    return answer({"success": True, "url": f"{call.base_url}/{repo.prefix}{target}"})


@routes.put(API + "/settings")
def settings(call: Call) -> Response:
    """Change who may see a repository and its files."""
    repo, _ = writable_repo(call)
    gated = call.body.get("gated", repo.gated or False)
    if gated not in (False, "auto", "manual"):
        raise BadRequestError("“gated” is false, “auto” or “manual”.")
    private = _is_private(call, repo.private)
    call.hub.store.update_repo(repo.uid, private=private, gated=gated or "")
    return answer({"private": private, "gated": gated})


@routes.post(API + "/duplicate")
def duplicate(call: Call) -> Response:
    """Copy a repository with its history; large files are shared, not copied."""
    source = readable_repo(call)
    caller = required_caller(call)
    target = call.value("repository", str)
    namespace, slash, name = target.partition("/")
    if not slash:
        namespace, name = str(caller.name), target
    check_repo_name(name)
    writing_caller(call, namespace)
    private = _is_private(call, source.private)
    hub, target = call.hub, f"{namespace}/{name}"
    url = f"{call.base_url}/{source.prefix}{target}"
    taken = ConflictError("You already created this repo: {id}", extra={"url": url}, id=target)
    if hub.store.row("SELECT 1 FROM repos WHERE kind = ? AND id = ?", source.kind, target):
        raise taken
    # As in `create_repository`, a copy has no name before it is whole.
    uid = secrets.token_hex(12)
    hub.repositories.create_empty(uid)
    try:
        with hub.repositories.open(source.uid) as old, hub.repositories.writing(uid) as new:
            # Read once: whoever commits meanwhile moves a ref to what is not fetched.
            refs = {r: sha for r, sha in old.git.get_refs().items() if r.startswith(_COPIED)}
            old.git.fetch(new.git, determine_wants=lambda _refs, _depth: [*refs.values()])
            for ref, sha in refs.items():
                new.move(ref, None, sha.decode())
            with hub.store.transaction():
                if not hub.store.add_repo(uid, source.kind, target, private, source.sdk):
                    raise taken
                hub.store.run(
                    "INSERT INTO lfs_links SELECT ?, oid, size, created FROM lfs_links"
                    " WHERE uid = ?",
                    *(uid, source.uid),
                )
                index_head(hub.store, new, uid)
                _set_space_values(call, source.kind, uid)
    except BaseException:
        remove_git(hub, uid)
        raise
    return answer({"url": url})


def _set_space_values(call: Call, kind: str, uid: str) -> None:
    if kind == "space":
        for plural in ("secrets", "variables"):
            set_values(call.hub, uid, plural.removesuffix("s"), call.value(plural, list, []))
