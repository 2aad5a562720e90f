"""``git clone`` and ``git push`` over HTTP, served by dulwich: no ``git`` program is needed."""

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from dulwich.errors import GitProtocolError, HangupException
from dulwich.graph import can_fast_forward
from dulwich.objects import S_ISGITLINK, Commit, ObjectID, Tag, Tree
from dulwich.protocol import ReceivableProtocol
from dulwich.refs import Ref
from dulwich.repo import Repo as GitRepo
from dulwich.server import BackendRepo, DictBackend, ReceivePackHandler, UploadPackHandler
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from zoo.hub.server.access import readable_repo, writable_repo
from zoo.hub.server.contents import parse_pointer
from zoo.hub.server.discussions import record_commit
from zoo.hub.server.errors import (
    BadRequestError,
    ForbiddenError,
    HubError,
    TooLargeError,
    UnprocessableError,
)
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import split_path
from zoo.hub.server.receiving import disk_full_is_said, receive
from zoo.hub.server.repository import MAIN, Repository
from zoo.hub.server.routing import Call, Routes
from zoo.hub.server.store import Repo

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

routes = Routes()

_GIT = r"/(?:(?P<kind>dataset|space)s/)?(?P<repo>[^/]+/[^/]+?)(?:\.git)?"
_SERVICES = ("git-upload-pack", "git-receive-pack")
_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}
_ZERO = b"0" * 40
# What a push may hold beside large files, which travel on their own.
_MAX_PUSH_BYTES = 1 << 30
_IN_MEMORY = 1 << 20


def _repo(call: Call, service: str) -> tuple[Repo, str]:
    """Return the repository and who pushes; git sends a password only when asked for one."""
    try:
        if service == "git-receive-pack":
            repo, caller = writable_repo(call)
            return repo, str(caller.name)
        return readable_repo(call), ""
    except HubError as error:
        if error.status == 401:
            error.headers["WWW-Authenticate"] = 'Basic realm="hub", charset="UTF-8"'
        raise


@routes.get(_GIT + "/info/refs")
def info_refs(call: Call) -> Response:
    """List the refs, for git to choose from."""
    service = call.query("service") or ""
    if service not in _SERVICES:
        raise ForbiddenError("This hub speaks git’s smart protocol only.")
    repo, _ = _repo(call, service)
    out = BytesIO()
    with call.hub.repositories.open(repo.uid) as repository:
        handler = _handler(call.hub, repo, "", repository, service, BytesIO(), out, True)
        handler.proto.write_pkt_line(f"# service={service}\n".encode())
        handler.proto.write_pkt_line(None)
        handler.handle()
    kind = f"application/x-{service}-advertisement"
    return Response(out.getvalue(), media_type=kind, headers=_NO_CACHE)


@routes.add("POST", _GIT + "/(?P<service>git-upload-pack|git-receive-pack)", body="stream")
async def service(call: Call) -> Response:
    """Run one exchange: the request is on disk before the answer begins."""
    name = call.params["service"]
    repo, author = await run_in_threadpool(_repo, call, name)
    expected = f"application/x-{name}-request"
    if call.request.headers.get("content-type") != expected:
        raise ForbiddenError("This address is for git.")
    received = await receive(call.request, call.hub.temporary, limit=_MAX_PUSH_BYTES)
    try:
        with disk_full_is_said():
            out = await run_in_threadpool(_exchange, call, repo, author, name, received.path)
    finally:
        received.path.unlink(missing_ok=True)
    kind = f"application/x-{name}-result"
    return StreamingResponse(_chunks(out), media_type=kind, headers=_NO_CACHE)


def _exchange(call: Call, repo: Repo, author: str, service: str, body: Path) -> IO[bytes]:
    gzipped = call.request.headers.get("content-encoding") in ("gzip", "x-gzip")
    # An answer is a pack of everything but large files; small ones never touch the disk.
    out = SpooledTemporaryFile(_IN_MEMORY, dir=str(call.hub.temporary))  # noqa: SIM115 - sent later
    repositories = call.hub.repositories
    lend = repositories.writing if service == "git-receive-pack" else repositories.open
    try:
        with body.open("rb") as file, lend(repo.uid) as repository:
            source = cast("IO[bytes]", _Inflated(file)) if gzipped else file
            handler = _handler(call.hub, repo, author, repository, service, source, out, False)
            handler.handle()
            if service == "git-receive-pack":
                index_head(call.hub.store, repository, repo.uid)
    except (GitProtocolError, HangupException, zlib.error, ValueError, KeyError) as error:
        out.close()
        raise BadRequestError("Git’s request cannot be understood: {e}", e=error) from None
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return cast("IO[bytes]", out)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_IN_MEMORY):
            yield chunk


class _Inflated:
    """The plain bytes of a gzipped file, bounded."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._ready = b""
        self._total = 0

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._ready) < size:
            source = self._inflate.unconsumed_tail or self._file.read(1 << 16)
            if not source:
                break
            more = self._inflate.decompress(source, 1 << 20)
            self._total += len(more)
            if self._total > _MAX_PUSH_BYTES:
                raise TooLargeError("The push is larger than {n} bytes.", n=_MAX_PUSH_BYTES)
            self._ready += more
        size = len(self._ready) if size < 0 else size
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken


def _handler(
    hub: "Hub",
    repo: Repo,
    author: str,
    repository: Repository,
    service: str,
    source: Any,
    out: Any,
    advertise: bool,
) -> UploadPackHandler | ReceivePackHandler:
    protocol = ReceivableProtocol(source.read, out.write)
    backend = DictBackend({"/": cast("BackendRepo", repository.git)})
    if service == "git-upload-pack":
        return UploadPackHandler(
            backend, ["/"], protocol, stateless_rpc=True, advertise_refs=advertise
        )
    handler = _Receive(backend, ["/"], protocol, stateless_rpc=True, advertise_refs=advertise)
    handler.check = lambda ref, old, new: _refusal(hub, repo, repository, ref, old, new)
    handler.pushed = lambda ref, new: record_commit(
        hub, repo, ref, author, new.decode(), _title(repository.git, new)
    )
    return handler


def _title(git: GitRepo, sha: ObjectID) -> str:
    found = git.object_store[sha]
    return found.message.decode("utf-8", "replace") if isinstance(found, Commit) else ""


class _Receive(ReceivePackHandler):
    """Takes a push, asking the hub about every ref first."""

    check: Callable[[Ref, ObjectID, ObjectID], str | None]
    pushed: Callable[[Ref, ObjectID], None]

    def _on_update(self, ref_name: Ref, old_sha: ObjectID, new_sha: ObjectID) -> bytes | None:
        refusal = self.check(ref_name, old_sha, new_sha)
        return refusal.encode() if refusal else None

    def _on_post_receive(self, client_refs: list[tuple[ObjectID, ObjectID, Ref]]) -> None:
        for _, new, ref in client_refs:
            if new != _ZERO:
                self.pushed(ref, new)


def _refusal(
    hub: "Hub", repo: Repo, repository: Repository, ref: Ref, old: ObjectID, new: ObjectID
) -> str | None:
    """Return why a ref may not be moved, ``None`` if it may."""
    if not ref.startswith((b"refs/heads/", b"refs/tags/", b"refs/pr/")) or len(ref) > 250:
        return "only branches, tags and pull requests can be pushed"
    if ref.startswith(b"refs/pr/") and repository.ref(ref) is None:
        return "open the pull request first"
    # What the sender saw is older than the lock; dulwich would leave the ref alone and say “ok”.
    if (repository.ref(ref) or _ZERO.decode()) != old.decode():
        return "moved meanwhile: fetch first"
    if new == _ZERO:
        return "main cannot be deleted" if ref == MAIN else None
    store = repository.objects
    try:
        pushed = store[new]
        if ref.startswith(b"refs/heads/") and not isinstance(pushed, Commit):
            return "a branch must point to a commit"
        if ref == MAIN and old != _ZERO and not can_fast_forward(repository.git, old, new):
            return "non-fast-forward: main keeps its history"
        while isinstance(pushed, Tag):
            pushed = store[pushed.object[1]]
        if not isinstance(pushed, Commit):
            return "only commits can be pushed"
        return _bad_commit(hub, repo, repository, pushed)
    except KeyError:
        return "objects are missing"


def _bad_commit(hub: "Hub", repo: Repo, repository: Repository, pushed: Commit) -> str | None:
    """Look through everything that is new with a commit for what the hub does not take."""
    known = [ObjectID(sha.encode()) for sha in repository.refs().values()]
    seen: set[ObjectID] = set()
    for sha in known:
        commit = repository.objects[sha]
        if isinstance(commit, Commit):
            _walk(repository, commit.tree, "", seen, None)
    for step in repository.git.get_walker(include=[pushed.id], exclude=known):

        def look(path: str, sha: ObjectID) -> None:
            _, content = repository.objects.get_raw(sha)
            pointer = parse_pointer(content)
            if pointer and hub.store.linked(repo.uid, pointer[0]) != pointer[1]:
                raise UnprocessableError("“{path}”: its content was not uploaded.", path=path)

        try:
            _walk(repository, step.commit.tree, "", seen, look)
        except UnprocessableError as error:
            return str(error).replace("\n", " ")
    return None


def _walk(
    repository: Repository,
    tree_sha: ObjectID,
    prefix: str,
    seen: set[ObjectID],
    look: Callable[[str, ObjectID], None] | None,
) -> None:
    """Visit every blob below a tree that was not seen yet, and check every name."""
    if tree_sha in seen:
        return
    seen.add(tree_sha)
    tree = repository.objects[tree_sha]
    assert isinstance(tree, Tree)  # noqa: S101 - commits and modes say so
    for item in tree.iteritems():
        if item.path is None or item.sha is None or item.mode is None:
            continue
        try:
            path = prefix + item.path.decode()
        except UnicodeDecodeError:
            raise UnprocessableError("A file name is not valid UTF-8.") from None
        if S_ISGITLINK(item.mode):
            raise UnprocessableError("“{path}” is a submodule.", path=path)
        if look is not None:
            split_path(path)
        if item.mode == 0o040000:
            _walk(repository, item.sha, f"{path}/", seen, look)
        elif item.sha not in seen:
            seen.add(item.sha)
            if look is not None:
                look(path, item.sha)
