"""Large files over the Git LFS protocol, for git-lfs and for clients without Xet."""

import hashlib
import math
import secrets
import time
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from zoo.hub.server.access import (
    contributed_repo,
    find_repo,
    readable_repo,
    required_caller,
    writable_repo,
)
from zoo.hub.server.contents import siblings
from zoo.hub.server.errors import (
    BadRequestError,
    ForbiddenError,
    HubError,
    NotFoundError,
    TooLargeError,
    UnauthorizedError,
    UnprocessableError,
    UnsupportedError,
)
from zoo.hub.server.formats import timestamp
from zoo.hub.server.names import split_path
from zoo.hub.server.objects import OID
from zoo.hub.server.receiving import Received, disk_full_is_said, receive, temporary
from zoo.hub.server.routing import API, Call, Routes, answer, take
from zoo.hub.server.sending import RangeResponse, file_headers, parse_range
from zoo.hub.server.signing import sign, verify
from zoo.hub.server.store import Repo, Row

routes = Routes()

_LFS = r"/(?:(?P<kind>dataset|space)s/)?(?P<repo>[^/]+/[^/]+?)(?:\.git)?/info/lfs"
_SIGNED = r"/api/lfs/(?P<signed>[A-Za-z0-9_=.-]+)"
# A slow line needs hours for a large checkpoint.
_UPLOAD_SECONDS = 24 * 3600
_MAX_OBJECTS = 10_000
# Each is told an address of its own.
_MAX_PARTS = 10_000


def lfs_answer(value: object, status: int = 200) -> Response:
    """Answer the way git-lfs expects."""
    response = answer(value, status=status)
    response.headers["Content-Type"] = "application/vnd.git-lfs+json"
    return response


def _challenge(error: HubError) -> None:
    """Ask for a password: git-lfs sends none before it was asked."""
    error.headers |= {"WWW-Authenticate": 'Basic realm="hub"', "LFS-Authenticate": "Basic"}


@routes.post(_LFS + "/objects/batch")
def batch(call: Call) -> Response:
    """Tell where each object is to be sent to or fetched from."""
    operation = call.value("operation", str)
    if operation not in ("upload", "download"):
        raise UnprocessableError(
            "“{operation}” is neither upload nor download.", operation=operation
        )
    if call.value("hash_algo", str, "sha256") != "sha256":
        raise UnprocessableError("Objects are named by their sha256.")
    try:
        repo = contributed_repo(call)[0] if operation == "upload" else readable_repo(call)
    except HubError as error:
        if error.status == 401:
            _challenge(error)
        raise
    objects = call.value("objects", list)
    if len(objects) > _MAX_OBJECTS:
        raise TooLargeError("Ask for at most {n} objects at once.", n=_MAX_OBJECTS)
    transfers = call.value("transfers", list, ["basic"])
    results = []
    multipart = False
    for item in objects:
        if not isinstance(item, dict):
            raise BadRequestError("“objects” must be a list of objects.")
        oid, size = take(item, "oid", str), take(item, "size", int)
        parts = 0 < call.hub.part_bytes < size and "multipart" in transfers
        wrong: dict[str, Any] = {}
        if not OID.fullmatch(oid) or size < 0:
            wrong = {"code": 422, "message": "Not a sha256 and a size."}
        elif parts and size > _MAX_PARTS * call.hub.part_bytes:
            wrong = {"code": 422, "message": f"That would be more than {_MAX_PARTS} parts."}
        if wrong:
            results.append({"oid": oid, "size": size, "error": wrong})
        elif operation == "download":
            results.append(_download(call, repo, oid, size))
        else:
            multipart = multipart or parts
            results.append(_upload(call, repo, oid, size, parts=parts))
    return lfs_answer({"transfer": "multipart" if multipart else "basic", "objects": results})


def _download(call: Call, repo: Repo, oid: str, size: int) -> dict[str, Any]:
    linked = call.hub.store.linked(repo.uid, oid)
    if linked is None:
        error = {"code": 404, "message": "Object does not exist"}
        return {"oid": oid, "size": size, "error": error}
    claims = {"get": oid, "uid": repo.uid}
    href = f"{call.base_url}/api/lfs/{sign(call.hub.store.secret, claims, _UPLOAD_SECONDS)}"
    actions = {"download": {"href": href, "expires_in": _UPLOAD_SECONDS}}
    return {"oid": oid, "size": linked, "authenticated": True, "actions": actions}


def _upload(call: Call, repo: Repo, oid: str, size: int, *, parts: bool) -> dict[str, Any]:
    """Describe the upload of an object, unless this very repository has it.

    Whether another one has the same bytes is not for this caller to know.
    """
    result: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if call.hub.store.linked(repo.uid, oid) == size and call.hub.objects.size(oid) == size:
        return result
    claims = {"put": oid, "size": size, "uid": repo.uid}
    secret, base = call.hub.store.secret, f"{call.base_url}/api/lfs"
    upload: dict[str, Any] = {"expires_in": _UPLOAD_SECONDS}
    if parts:
        claims["parts"] = secrets.token_hex(16)
        each = call.hub.part_bytes
        upload["header"] = {"chunk_size": str(each)}
        for number in range(1, math.ceil(size / each) + 1):
            signed = sign(secret, {**claims, "part": number, "limit": each}, _UPLOAD_SECONDS)
            upload["header"][f"{number:05d}"] = f"{base}/{signed}"
    upload["href"] = f"{base}/{sign(secret, claims, _UPLOAD_SECONDS)}"
    check = {"verify": oid, "size": size, "uid": repo.uid}
    verify_url = f"{base}/{sign(secret, check, _UPLOAD_SECONDS)}"
    result["actions"] = {"upload": upload, "verify": {"href": verify_url}}
    return result


@routes.put(_SIGNED, body="stream")
async def put(call: Call) -> Response:
    """Take an object, or one part of it."""
    claims = verify(call.hub.store.secret, call.params["signed"])
    if "put" not in claims:
        raise ForbiddenError("This address is not for uploads.")
    limit = claims.get("limit", claims["size"])
    received = await receive(call.request, call.hub.temporary, limit=limit)
    return await run_in_threadpool(_keep, call, claims, received)


def _keep(call: Call, claims: dict[str, Any], received: Received) -> Response:
    with disk_full_is_said():
        if "part" not in claims:
            store_object(call, claims["uid"], received, claims["put"])
            return Response(status_code=200, headers={"ETag": f'"{received.sha256}"'})
        folder = call.hub.temporary / f"parts-{claims['parts']}"
        folder.mkdir(exist_ok=True)
        received.path.replace(folder / str(claims["part"]))
    return Response(status_code=200, headers={"ETag": f'"{received.sha256}"'})


def store_object(call: Call, uid: str, received: Received, oid: str) -> None:
    """Keep received bytes as object ``oid`` of a repository.

    Raises:
        UnprocessableError: They are not the bytes that were announced.
        RepoNotFoundError: The repository was deleted meanwhile.
    """
    try:
        if received.sha256 != oid:
            raise UnprocessableError(
                "The bytes received have the sha256 {found}, not {oid}.",
                found=received.sha256,
                oid=oid,
            )
        if call.hub.store.repo_by_uid(uid) is None:
            raise NotFoundError("The repository was deleted during the upload.")
        with call.hub.linking:  # an old one that nobody held may be about to be collected
            if call.hub.objects.size(oid) == received.size:
                call.hub.store.link(uid, oid, received.size)
        # First the bytes, then the link: what is linked is there, whatever happens in between.
        call.hub.objects.put_file(oid, received.path)
        call.hub.store.link(uid, oid, received.size)
    finally:
        received.path.unlink(missing_ok=True)


@routes.post(_SIGNED)
def finish(call: Call) -> Response:
    """Confirm that an object arrived whole, or join the parts of one."""
    claims = verify(call.hub.store.secret, call.params["signed"])
    if "verify" in claims:
        if call.hub.store.linked(claims["uid"], claims["verify"]) != claims["size"]:
            raise NotFoundError("Object does not exist")
        return lfs_answer({"message": "ok"})
    if "parts" not in claims or "part" in claims:
        raise ForbiddenError("This address does not complete an upload.")
    folder = call.hub.temporary / f"parts-{claims['parts']}"
    count = math.ceil(claims["size"] / call.hub.part_bytes)
    paths = [folder / str(number) for number in range(1, count + 1)]
    if not all(path.is_file() for path in paths):
        raise UnprocessableError("Parts of the upload are missing.")
    with disk_full_is_said():
        store_object(call, claims["uid"], _join(call, paths), claims["put"])
    folder.rmdir()
    return answer({"success": True})


def _join(call: Call, paths: list[Path]) -> Received:
    target, digest, size = temporary(call.hub.temporary), hashlib.sha256(), 0
    with target.open("xb") as out:
        for path in paths:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
                    size += out.write(block)
            path.unlink()
    return Received(target, digest.hexdigest(), size)


@routes.get(_SIGNED)
def get(call: Call) -> Response:
    """Send an object to git-lfs."""
    claims = verify(call.hub.store.secret, call.params["signed"])
    if "get" not in claims:
        raise ForbiddenError("This address is not for downloads.")
    oid = claims["get"]
    size = call.hub.store.linked(claims["uid"], oid)
    if size is None or call.hub.objects.size(oid) != size:
        raise NotFoundError("Object does not exist")
    headers = file_headers(oid, size, oid)
    start, length = parse_range(call.request, size, oid) or (0, size)
    status = 200
    if length != size:
        status = 206
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        headers["Content-Length"] = str(length)
    source = call.hub.objects.local_path(oid) or call.hub.objects.open_range(oid, start, length)
    return RangeResponse(source, start, length, status=status, headers=headers)


# Locks, which git-lfs asks about at every push


def _lock(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "path": row["path"],
        "locked_at": timestamp(row["created"]),
        "owner": {"name": row["owner"]},
    }


def _locks(call: Call, repo: Repo) -> list[Row]:
    return call.hub.store.rows(
        "SELECT * FROM lfs_locks WHERE uid = ? ORDER BY created LIMIT 1000", repo.uid
    )


@routes.post(_LFS + "/locks/verify")
def verify_locks(call: Call) -> Response:
    """List locks as the pusher's own and others'."""
    try:
        repo, caller = writable_repo(call)
    except UnauthorizedError as error:
        _challenge(error)
        raise
    rows = _locks(call, repo)
    return lfs_answer(
        {
            "ours": [_lock(row) for row in rows if row["owner"] == caller.name],
            "theirs": [_lock(row) for row in rows if row["owner"] != caller.name],
        }
    )


@routes.get(_LFS + "/locks")
def list_locks(call: Call) -> Response:
    """List locks."""
    repo = readable_repo(call)
    rows = _locks(call, repo)
    for name in ("path", "id"):
        if (wanted := call.query(name)) is not None:
            rows = [row for row in rows if row[name] == wanted]
    return lfs_answer({"locks": [_lock(row) for row in rows]})


@routes.post(_LFS + "/locks")
def lock(call: Call) -> Response:
    """Lock a path."""
    repo, caller = writable_repo(call)
    path = "/".join(split_path(call.value("path", str)))
    store = call.hub.store
    with store.transaction():
        found = store.row("SELECT * FROM lfs_locks WHERE uid = ? AND path = ?", repo.uid, path)
        if found is not None:
            message = {"message": "already locked", "lock": _lock(found)}
            return lfs_answer(message, status=409)
        key = secrets.token_hex(16)
        values = (key, repo.uid, path, caller.name, time.time())
        store.run("INSERT INTO lfs_locks VALUES (?, ?, ?, ?, ?)", *values)
        row = store.row("SELECT * FROM lfs_locks WHERE id = ?", key)
    assert row is not None  # noqa: S101 - inserted above
    return lfs_answer({"lock": _lock(row)}, status=201)


@routes.post(_LFS + "/locks/(?P<lock>[0-9a-f]{32})/unlock")
def unlock(call: Call) -> Response:
    """Release one's own lock, or with ``force`` anybody's."""
    repo, caller = writable_repo(call)
    store = call.hub.store
    row = store.row(
        "SELECT * FROM lfs_locks WHERE id = ? AND uid = ?", call.params["lock"], repo.uid
    )
    if row is None:
        raise NotFoundError("There is no such lock.")
    if row["owner"] != caller.name and not call.value("force", bool, False):
        raise ForbiddenError("The lock belongs to {owner}.", owner=row["owner"])
    store.run("DELETE FROM lfs_locks WHERE id = ?", row["id"])
    return lfs_answer({"lock": _lock(row)})


# The hub's own list of a repository's large files


@routes.get(API + "/lfs-files")
def lfs_files(call: Call) -> Response:
    """List the large files of a repository in pages."""
    repo, _ = writable_repo(call)
    limit = call.number("limit", 1000, low=1, high=1000)
    offset = call.number("cursor", 0)
    rows = call.hub.store.rows(
        "SELECT * FROM lfs_links WHERE uid = ? ORDER BY created, oid LIMIT ? OFFSET ?",
        *(repo.uid, limit + 1, offset),
    )
    with call.hub.repositories.open(repo.uid) as repository:
        files = siblings(call.hub.store, repository, repository.resolve("main"), blobs=True)
    names = {file["lfs"]["sha256"]: file["rfilename"] for file in files if "lfs" in file}
    items = [
        {
            "fileOid": row["oid"],
            "oid": row["oid"],
            "filename": names.get(row["oid"], ""),
            "size": row["size"],
            "pushedAt": timestamp(row["created"]),
            "ref": None,
        }
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return answer(items, headers=call.next_link(cursor=offset + limit) if more else {})


@routes.post(API + "/lfs-files/batch")
def delete_lfs_files(call: Call) -> Response:
    """Give up large files: their pointers stay, their bytes are no longer served."""
    repo, _ = writable_repo(call)
    deletions = call.value("deletions", dict)
    shas = take(deletions, "sha", list)
    if take(deletions, "rewriteHistory", bool, False):
        raise UnsupportedError("This hub does not rewrite history: pass rewrite_history=False.")
    with call.hub.store.transaction():
        for sha in shas:
            if isinstance(sha, str):
                sql = "DELETE FROM lfs_links WHERE uid = ? AND oid = ?"
                call.hub.store.run(sql, repo.uid, sha)
    return answer({"success": True})


@routes.post(API + "/lfs-files/duplicate")
def duplicate_lfs_files(call: Call) -> Response:
    """Let another repository hold large files of this one, without moving a byte."""
    source = readable_repo(call)
    required_caller(call)
    target = call.value("target", dict)
    where = {"repo_id": take(target, "name", str), "kind": take(target, "type", str, "model")}
    find_repo(call, **where)
    goal, _ = writable_repo(call, **where)
    success, failed = [], []
    for file in call.value("files", list):
        if not isinstance(file, dict):
            raise BadRequestError("“files” must be a list of objects.")
        oid = take(file, "sha256", str)
        size = call.hub.store.linked(source.uid, oid)
        if size is None:
            failed.append({**file, "error": "not a file of the source"})
        else:
            call.hub.store.link(goal.uid, oid, size)
            success.append(file)
    return answer({"success": success, "failed": failed})
