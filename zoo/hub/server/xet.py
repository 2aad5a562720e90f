"""Uploads over the Xet protocol, which today's clients use by default; kept as plain objects.

The client remembers on its own disk which chunks it sent to which address, and does not send them
again. So the address holds the repository's uid and the day: what the client remembers lives
exactly as long as what was sent. Downloads go over plain HTTP, as no Xet hash is ever announced.
"""

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from zoo.hub.server.access import contributed_repo
from zoo.hub.server.errors import (
    ForbiddenError,
    NoSpaceError,
    NotFoundError,
    UnauthorizedError,
    UnprocessableError,
)
from zoo.hub.server.lfs import store_object
from zoo.hub.server.objects import sync
from zoo.hub.server.receiving import Received, disk_full_is_said, receive, temporary
from zoo.hub.server.routing import API, REVISION, Call, Routes, answer
from zoo.hub.server.signing import sign, verify
from zoo.hub.server.xorb import (
    MAX_SHARD_BYTES,
    MAX_XORB_BYTES,
    XetFile,
    chunk_table,
    materialise,
    parse_shard,
)

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

routes = Routes()

_CAS = r"/api/xet/(?P<uid>[0-9a-f]{24})-(?P<epoch>[0-9]{1,6})"
_HASH = r"(?P<hash>[0-9a-f]{64})"
_EPOCH_SECONDS = 24 * 3600
_TOKEN_SECONDS = 4 * 3600
# An upload that began yesterday goes on with yesterday's address.
_EPOCHS_KEPT = 2


def _epoch() -> int:
    return int(time.time() // _EPOCH_SECONDS)


@routes.get(API + "/xet-write-token/" + REVISION)
def write_token(call: Call) -> Response:
    """Hand out the address to upload to, and a token for it."""
    repo, _ = contributed_repo(call)
    epoch = _epoch()
    expires = int(time.time()) + _TOKEN_SECONDS
    claims = {"cas": repo.uid, "epoch": epoch}
    token = sign(call.hub.store.secret, claims, _TOKEN_SECONDS)
    url = f"{call.base_url}/api/xet/{repo.uid}-{epoch}"
    headers = {
        "X-Xet-Cas-Url": url,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(expires),
    }
    return answer({"casUrl": url, "exp": expires, "accessToken": token}, headers=headers)


def _checked(call: Call) -> Path:
    """Return the folder of the xorbs that a call may use.

    Raises:
        UnauthorizedError: It has no token, or one for something else.
    """
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    try:
        claims = verify(call.hub.store.secret, token.strip() if scheme.lower() == "bearer" else "")
    except ForbiddenError as error:
        # hf_xet fetches a new token when it reads 401.
        raise UnauthorizedError(error.message) from None
    epoch = int(call.params["epoch"])
    # The client keeps its address when it renews its token over midnight.
    if claims.get("cas") != call.params["uid"] or not 0 <= claims["epoch"] - epoch < _EPOCHS_KEPT:
        raise UnauthorizedError("This token is for another address.")
    if call.hub.store.repo_by_uid(call.params["uid"]) is None:
        raise NotFoundError("The repository was deleted.")
    return call.hub.xorbs / f"{call.params['uid']}-{epoch}"


@routes.post(_CAS + "/v1/xorbs/default/" + _HASH, body="stream")
async def put_xorb(call: Call) -> Response:
    """Keep a xorb."""
    folder = await run_in_threadpool(_checked, call)
    received = await receive(call.request, call.hub.temporary, limit=MAX_XORB_BYTES)
    return await run_in_threadpool(_keep_xorb, folder, received, call.params["hash"])


def _keep_xorb(folder: Path, received: Received, name: str) -> Response:
    target = folder / name
    try:
        chunk_table(received.path)
        folder.mkdir(parents=True, exist_ok=True)
        inserted = not target.exists()
        # The client will not send this again today, so it has to outlive a power cut.
        with disk_full_is_said():
            sync(received.path)
            received.path.replace(target)
            sync(folder)
    finally:
        received.path.unlink(missing_ok=True)
    return answer({"was_inserted": inserted})


@routes.post(_CAS + "/v1/shards", body="stream")
async def put_shard(call: Call) -> Response:
    """Make the files of a shard from their chunks."""
    folder = await run_in_threadpool(_checked, call)
    received = await receive(call.request, call.hub.temporary, limit=MAX_SHARD_BYTES)
    try:
        files = await run_in_threadpool(lambda: parse_shard(received.path.read_bytes()))
        for file in files:
            # Not among the other workers' threads: building large files must not starve them.
            await to_thread.run_sync(_make, call, folder, file, limiter=call.hub.materialising)
    finally:
        received.path.unlink(missing_ok=True)
    return answer({"result": 1})


def _make(call: Call, folder: Path, file: XetFile) -> None:
    hub = call.hub
    # An unchanged file comes again with every upload; it need not be built twice.
    size = sum(segment.size for segment in file.segments)
    known = file.sha256 and hub.store.linked(call.params["uid"], file.sha256) == size
    if known and hub.objects.size(str(file.sha256)) == size:
        return
    # A few megabytes of a shard can stand for petabytes.
    if size > shutil.disk_usage(hub.temporary).free:
        raise NoSpaceError("The hub’s disk has no room for a file of {n} bytes.", n=size)
    target = temporary(hub.temporary)
    try:
        with disk_full_is_said():
            sha256, size = materialise(file, lambda name: folder / name, target)
            if file.sha256 not in (None, sha256):
                raise UnprocessableError("A file’s chunks do not make up its sha256.")
            store_object(call, call.params["uid"], Received(target, sha256, size), sha256)
    finally:
        target.unlink(missing_ok=True)


@routes.post(_CAS + "/v1/telemetry", body="none")
def telemetry(call: Call) -> Response:
    """Accept the client's measurements, and keep none of them."""
    return answer({})


def remove_old_xorbs(hub: "Hub") -> None:
    """Remove xorbs that no valid address refers to any more."""
    for folder in hub.xorbs.iterdir():
        epoch = re.fullmatch(r"[0-9a-f]{24}-([0-9]{1,6})", folder.name)
        if epoch is None or int(epoch[1]) <= _epoch() - _EPOCHS_KEPT:
            shutil.rmtree(folder, ignore_errors=True)
