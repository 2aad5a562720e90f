"""Files of a repository: as bytes, and as lists with sizes and hashes."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from starlette.responses import RedirectResponse, Response

from zoo.hub.server.access import readable_repo
from zoo.hub.server.errors import BadRequestError, EntryNotFoundError, RevisionNotFoundError
from zoo.hub.server.last_commits import last_commits
from zoo.hub.server.repository import Entry, Repository
from zoo.hub.server.routing import API, REVISION, WEB, Call, Routes, answer
from zoo.hub.server.sending import RangeResponse, file_headers, parse_range
from zoo.hub.server.store import Repo, Row, Store

routes = Routes()

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n"
)
_PAGE, _EXPANDED_PAGE = 1000, 50
_MAX_PATHS = 10_000


def pointer_text(oid: str, size: int) -> bytes:
    """Return what git holds in place of a large file."""
    spec = "https://git-lfs.github.com/spec/v1"
    return f"version {spec}\noid sha256:{oid}\nsize {size}\n".encode()


def parse_pointer(content: bytes) -> tuple[str, int] | None:
    """Return oid and size in bytes if ``content`` is the pointer to a large file."""
    match = _POINTER.fullmatch(content) if len(content) < 200 else None
    return (match[1].decode(), int(match[2])) if match else None


def blob_rows(
    store: Store, repository: Repository, entries: Iterable[Entry]
) -> dict[str, Row | dict[str, Any]]:
    """Return size and large-file pointer of files by blob, looking into those not seen before."""
    rows: dict[str, Row | dict[str, Any]] = {}
    wanted: set[str] = set()
    for entry in entries:
        if entry.submodule:  # it can have any name, so nothing may be remembered under it
            rows[entry.sha] = {"size": 0, "lfs_oid": None, "lfs_size": None}
        else:
            wanted.add(entry.sha)
    rows |= store.blobs(wanted)
    new: dict[str, tuple[int, str | None, int | None]] = {}
    for sha in wanted - rows.keys():
        content = repository.blob(sha)
        size, (oid, large) = len(content), parse_pointer(content) or (None, None)
        new[sha] = size, oid, large
        rows[sha] = {"size": size, "lfs_oid": oid, "lfs_size": large}
    if new:
        store.add_blobs(new)
    return rows


def describe(store: Store, repository: Repository, entries: list[Entry]) -> list[dict[str, Any]]:
    """Return entries as the tree and paths-info endpoints list them."""
    rows = blob_rows(store, repository, (entry for entry in entries if not entry.folder))
    items: list[dict[str, Any]] = []
    for entry in entries:
        if entry.folder:
            items.append({"type": "directory", "oid": entry.sha, "size": 0, "path": entry.path})
            continue
        row = rows[entry.sha]
        item = {"type": "file", "oid": entry.sha, "size": row["size"], "path": entry.path}
        if row["lfs_oid"]:
            item["size"] = row["lfs_size"]
            item["lfs"] = {
                "oid": row["lfs_oid"],
                "size": row["lfs_size"],
                "pointerSize": row["size"],
            }
        items.append(item)
    return items


def siblings(
    store: Store, repository: Repository, commit: str, *, blobs: bool
) -> list[dict[str, Any]]:
    """Return every file of a commit as a repository's description lists them."""
    entries = [e for e in repository.listing(commit, recursive=True) if not e.folder]
    if not blobs:
        return [{"rfilename": entry.path} for entry in entries]
    found = []
    for item in describe(store, repository, entries):
        sibling = {"rfilename": item["path"], "size": item["size"], "blobId": item["oid"]}
        if lfs := item.get("lfs"):
            sibling["lfs"] = {
                "sha256": lfs["oid"],
                "size": lfs["size"],
                "pointerSize": lfs["pointerSize"],
            }
        found.append(sibling)
    return found


@routes.get(WEB + "/resolve/" + REVISION + "/(?P<path>.+)")
def resolve(call: Call) -> Response:
    """Send a file; for a large one its bytes, not its pointer."""
    repo = readable_repo(call)
    with call.hub.repositories.open(repo.uid) as repository:
        commit, path = split_revision(repository, call.params)
        headers = {"X-Repo-Commit": commit}
        entry = _file(repository, commit, path)
        row = blob_rows(call.hub.store, repository, [entry])[entry.sha]
        if row["lfs_oid"] is None:
            content = _content(call, repository, entry)
            return _send(call, path, entry.sha, row["size"], headers, content=content)
    oid = row["lfs_oid"]
    size = call.hub.store.linked(repo.uid, oid)
    # A pointer may have been pushed to a side ref before it was refused; knowing a hash must
    # never be enough to read another repository's file.
    if size is None:
        raise EntryNotFoundError("The file’s content was never uploaded here.", headers=headers)
    headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(size)}
    if call.request.method == "GET" and not _is_resumed(call):
        sql = "UPDATE repos SET downloads = downloads + 1 WHERE uid = ?"
        call.hub.store.attempt(sql, (repo.uid,))
    return _send(call, path, oid, size, headers)


def _is_resumed(call: Call) -> bool:
    return not call.request.headers.get("range", "bytes=0-").startswith("bytes=0-")


def _send(
    call: Call,
    path: str,
    etag: str,
    size: int,
    headers: dict[str, str],
    *,
    content: bytes | None = None,
) -> Response:
    headers = file_headers(path, size, etag) | headers
    if etag in call.request.headers.get("if-none-match", "").replace('"', "").split(", "):
        return Response(status_code=304, headers={"ETag": f'"{etag}"', **headers})
    part = parse_range(call.request, size, etag)
    start, length = part or (0, size)
    status = 200
    if part is not None:
        status = 206
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        headers["Content-Length"] = str(length)
    if content is not None:
        source = iter([content[start : start + length]])
        return RangeResponse(source, 0, length, status=status, headers=headers)
    objects = call.hub.objects
    if url := objects.signed_url(etag, path.rpartition("/")[2]):
        del headers["Content-Length"]
        return RedirectResponse(url, status_code=302, headers=headers)
    if objects.size(etag) != size:
        raise EntryNotFoundError("The file’s content is lost.", headers=headers)
    return RangeResponse(
        objects.local_path(etag) or objects.open_range(etag, start, length),
        start,
        length,
        status=status,
        headers=headers,
    )


@routes.get(WEB + "/raw/" + REVISION + "/(?P<path>.+)")
def raw(call: Call) -> Response:
    """Send a file as git has it: of a large one, the pointer."""
    repo = readable_repo(call)
    with call.hub.repositories.open(repo.uid) as repository:
        commit, path = split_revision(repository, call.params)
        entry = _file(repository, commit, path)
        size = blob_rows(call.hub.store, repository, [entry])[entry.sha]["size"]
        content = _content(call, repository, entry)
    headers = {"X-Repo-Commit": commit}
    return _send(call, path, entry.sha, size, headers, content=content)


def _content(call: Call, repository: Repository, entry: Entry) -> bytes:
    """Return a file's bytes, unless only its headers are asked for."""
    return b"" if call.request.method == "HEAD" else repository.blob(entry.sha)


def split_revision(repository: Repository, params: dict[str, str]) -> tuple[str, str]:
    """Find the commit and the path of an address ``<revision>/<path>``.

    The client quotes the slashes of a revision; people who type an address do not.

    Raises:
        RevisionNotFoundError: It names no revision.
    """
    revision, path = params["revision"], params["path"]
    try:
        return repository.resolve(revision), path
    except RevisionNotFoundError:
        parts = path.split("/")
        for count in range(1, min(len(parts), 8)):
            longer = "/".join([revision, *parts[:count]])
            with suppress(RevisionNotFoundError):
                return repository.resolve(longer), "/".join(parts[count:])
        raise


def _file(repository: Repository, commit: str, path: str) -> Entry:
    entry = repository.entry(commit, path)
    if entry is None or entry.folder or entry.submodule or not path:
        # With the commit the client can remember that this file is absent there.
        headers = {"X-Repo-Commit": commit}
        raise EntryNotFoundError("{path} does not exist.", headers=headers, path=path)
    return entry


@routes.get(API + "/tree/" + REVISION + "(?:/(?P<path>.*))?")
def tree(call: Call) -> Response:
    """List a folder in pages."""
    repo = readable_repo(call)
    expand = call.flag("expand")
    limit = call.number("limit", _PAGE, low=1, high=_PAGE)
    limit = min(limit, _EXPANDED_PAGE) if expand else limit
    offset = call.number("cursor", 0)
    folder = call.params.get("path", "").strip("/")
    with call.hub.repositories.open(repo.uid) as repository:
        commit = repository.resolve(call.params["revision"])
        entries = list(repository.listing(commit, folder, recursive=call.flag("recursive")))
        page = entries[offset : offset + limit]
        items = describe(call.hub.store, repository, page)
        if expand:
            _add_last_commits(call, repo, repository, commit, items)
    more = offset + limit < len(entries)
    headers = call.next_link(cursor=offset + limit) if more else {}
    return answer(items, headers={"X-Repo-Commit": commit, **headers})


@routes.post(API + "/paths-info/" + REVISION, body="form")
def paths_info(call: Call) -> Response:
    """Describe the given paths, leaving out those that do not exist."""
    repo = readable_repo(call)
    paths = call.body.get("paths", [])
    if not isinstance(paths, list) or len(paths) > _MAX_PATHS:
        raise BadRequestError("“paths” must be a list of at most {n}.", n=_MAX_PATHS)
    with call.hub.repositories.open(repo.uid) as repository:
        commit = repository.resolve(call.params["revision"])
        entries = []
        for path in dict.fromkeys(p for p in paths if isinstance(p, str)):
            entry = repository.entry(commit, path.strip("/"))
            if entry is not None and entry.path:
                entries.append(entry)
        items = describe(call.hub.store, repository, entries)
        if call.body.get("expand") in (["true"], ["True"], True):
            _add_last_commits(call, repo, repository, commit, items)
    for item in items:
        if "lfs" in item:
            # Not 64 hex digits, so no client takes it for a Xet hash to read by; but it is
            # there, so copies between repositories go through lfs-files/duplicate.
            item["xetHash"] = f"lfs-{item['lfs']['oid']}"
    return answer(items)


def _add_last_commits(
    call: Call, repo: Repo, repository: Repository, commit: str, items: list[dict[str, Any]]
) -> None:
    folders = {item["path"].rpartition("/")[0] for item in items}
    found = {
        folder: last_commits(call.hub.store, repository, repo.uid, commit, folder)
        for folder in folders
    }
    for item in items:
        folder, _, name = item["path"].rpartition("/")
        if last := found[folder].get(name):
            item["lastCommit"] = last
