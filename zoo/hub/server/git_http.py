"""``git clone`` and ``git push`` over HTTP, served by dulwich: no ``git`` program is needed."""

import logging
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from anyio import to_thread
from dulwich.errors import (
    FileFormatException,
    GitProtocolError,
    HangupException,
    HookError,
    MissingCommitError,
)
from dulwich.graph import can_fast_forward
from dulwich.objects import S_ISGITLINK, Commit, ObjectID, Tag, Tree
from dulwich.pack import OFS_DELTA, REF_DELTA, read_pack_header, take_msb_bytes
from dulwich.protocol import (
    CAPABILITY_SIDE_BAND_64K,
    SIDE_BAND_CHANNEL_PROGRESS,
    Protocol,
    ReceivableProtocol,
)
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
from zoo.hub.server.formats import MAX_SECONDS
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import branch_ref, split_path, tag_ref
from zoo.hub.server.receiving import disk_full_is_said, receive
from zoo.hub.server.repository import MAIN, Repository
from zoo.hub.server.routing import Call, Routes
from zoo.hub.server.store import Repo

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

log = logging.getLogger(__name__)
routes = Routes()

_GIT = r"/(?:(?P<kind>dataset|space)s/)?(?P<repo>[^/]+/[^/]+?)(?:\.git)?"
_SERVICES = ("git-upload-pack", "git-receive-pack")
_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}
_ZERO = b"0" * 40
# What a push may hold beside large files, which travel on their own.
_MAX_PUSH_BYTES = 1 << 30
# To fetch, one sends a list of commits that are wanted or known; it is kept in memory.
_LIMITS = {"git-receive-pack": _MAX_PUSH_BYTES, "git-upload-pack": 4 << 20}
# git holds a file in memory, here and at everybody who clones.
_MAX_FILE_BYTES = 64 << 20
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
    received = await receive(call.request, call.hub.temporary, limit=_LIMITS[name])
    try:
        with disk_full_is_said():
            work = partial(_exchange, call, repo, author, name, received.path)
            out = await to_thread.run_sync(work, limiter=call.hub.exchanging)
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
    limit = _LIMITS[service]
    try:
        too_large = service == "git-receive-pack" and _is_too_large(body, gzipped)
        with _plain(body, gzipped, limit) as source, lend(repo.uid) as repository:
            handler = _handler(call.hub, repo, author, repository, service, source, out, False)
            if isinstance(handler, _Receive):
                handler.too_large = too_large
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


class _Inflated(RawIOBase):
    """The plain bytes of a gzipped file, bounded."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._total = 0

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        more = b""
        while not more and (source := self._inflate.unconsumed_tail or self._file.read(1 << 16)):
            more = self._inflate.decompress(source, len(target))
        self._total += len(more)
        if self._total > self._limit:
            raise TooLargeError("The body is larger than {n} bytes.", n=self._limit)
        target[: len(more)] = more
        return len(more)


def _plain(body: Path, gzipped: bool, limit: int = _MAX_PUSH_BYTES) -> BufferedReader:
    file = body.open("rb", 0)
    return BufferedReader(_Inflated(file, limit) if gzipped else file, 1 << 16)


def _is_too_large(body: Path, gzipped: bool) -> bool:
    """Say whether a push has a file that should not be held in memory, as dulwich would."""
    try:
        with _plain(body, gzipped) as push:
            return any(size > _MAX_FILE_BYTES for size in _announced(push))
    except (AssertionError, TypeError) as error:
        raise GitProtocolError("the pack is cut off") from error


def _announced(push: BufferedReader) -> Iterator[int]:
    """Yield how large the objects of a push say they are, holding none of them in memory."""
    commands = Protocol(push.read, push.write)
    while commands.read_pkt_line():
        pass
    if not push.peek(1):
        return  # it only removes refs
    _, count = read_pack_header(push.read)
    for _ in range(count):
        head, _ = take_msb_bytes(push.read)
        kind = head[0] >> 4 & 7
        yield (head[0] & 15) + sum((bits & 127) << 7 * n + 4 for n, bits in enumerate(head[1:]))
        if kind == OFS_DELTA:
            take_msb_bytes(push.read)
        elif kind == REF_DELTA:
            push.read(20)
        inflate, start = zlib.decompressobj(), b""
        while not inflate.eof:
            if not (packed := push.peek()):
                raise GitProtocolError("the pack is cut off")
            more = inflate.decompress(packed, 1 << 16)
            start = start or more
            left = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            push.read(len(packed) - len(left))
        if kind in (OFS_DELTA, REF_DELTA):
            sizes = BytesIO(start)
            take_msb_bytes(sizes.read)  # of what it builds on
            result, _ = take_msb_bytes(sizes.read)
            yield sum((bits & 127) << 7 * n for n, bits in enumerate(result))


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
    too_large = False

    def _on_pre_receive(self, client_refs: list[tuple[ObjectID, ObjectID, Ref]]) -> None:
        if self.too_large:
            limit = _MAX_FILE_BYTES >> 20
            said = f"A file is larger than {limit} MiB: use git-lfs for it.\n".encode()
            if self.has_capability(CAPABILITY_SIDE_BAND_64K):
                self.proto.write_sideband(SIDE_BAND_CHANNEL_PROGRESS, said)
            raise HookError(said.decode())

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
    if not ref.startswith((b"refs/heads/", b"refs/tags/", b"refs/pr/")):
        return "only branches, tags and pull requests can be pushed"
    if new != _ZERO and not _is_well_named(ref):
        return "nothing can be called so"
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
    except (KeyError, MissingCommitError):
        return "objects are missing"
    except (AssertionError, AttributeError, FileFormatException, TypeError, ValueError):
        # dulwich reads whatever was sent only when it needs it, and stumbles in many ways.
        log.info("A push to %s was refused.", repo.id, exc_info=True)
        return "an object is malformed"


def _is_well_named(ref: Ref) -> bool:
    try:
        name = ref.decode()
        if name.startswith("refs/tags/"):
            return tag_ref(name.removeprefix("refs/tags/")) == ref
        return branch_ref(name.removeprefix("refs/heads/")) == ref
    except (BadRequestError, UnicodeDecodeError):
        return False


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
            if len(content) > _MAX_FILE_BYTES:
                raise UnprocessableError("“{path}” is too large: use git-lfs.", path=path)
            pointer = parse_pointer(content)
            if pointer and hub.store.linked(repo.uid, pointer[0]) != pointer[1]:
                raise UnprocessableError("“{path}”: its content was not uploaded.", path=path)

        if step.commit.author is None or not 0 <= step.commit.commit_time <= MAX_SECONDS:
            return "a commit has no author or no possible date"
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
