"""The hub itself: one data folder, owned by this process, and the ASGI app in front of it."""

import errno
import fcntl
import logging
import secrets
import sqlite3
import threading
import time
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from zoo.errors import ZooError
from zoo.hub.server import (
    accounts,
    commit,
    contents,
    discussions,
    git_http,
    history,
    lfs,
    listing,
    pages,
    repos,
    spaces,
    unsupported,
    xet,
)
from zoo.hub.server.collecting import collect
from zoo.hub.server.errors import ConflictError, HubError, NoSpaceError, error_response, header_safe
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import check_namespace, check_repo_name
from zoo.hub.server.objects import FolderStore, ObjectStore, empty_folder
from zoo.hub.server.repository import MAIN, Repositories
from zoo.hub.server.routing import Route, dispatch
from zoo.hub.server.seeding import seed
from zoo.hub.server.store import Repo, Role, Store

log = logging.getLogger(__name__)

_MODULES = (
    *(accounts, commit, xet, lfs, git_http, history, discussions, repos, spaces),
    # Last those whose patterns are the widest.
    *(listing, contents, unsupported, pages),
)
_ROUTES: Final[list[Route]] = [route for module in _MODULES for route in module.routes]
_HOUSEKEEPING_SECONDS = 3600


class HubInUseError(ZooError):
    """Another process owns the data folder."""


class Hub:
    """One data folder and the app that serves it.

    Args:
        data: Folder of everything the hub keeps; made if it is not there.
        public_url: Address under which clients reach the hub, prefix included, if it cannot be
            told from their requests.
        closed: Whether nothing can be read without a token.
        objects: Where large files go, ``None`` for a folder in ``data``.
        part_bytes: Size in bytes of the parts that uploads over plain LFS are cut into, for
            proxies that limit a request's body; 0 sends each object in one piece.

    Raises:
        HubInUseError: Another process serves this folder.

    Attributes:
        asgi: The app, to be served or mounted under any prefix.
    """

    def __init__(
        self,
        data: Path,
        *,
        public_url: str | None = None,
        closed: bool = False,
        objects: ObjectStore | None = None,
        part_bytes: int = 0,
    ) -> None:
        self.data = Path(data).absolute()
        self.public_url = public_url.rstrip("/") if public_url else None
        self.prefix = urlsplit(self.public_url or "").path
        self.closed = closed
        self.part_bytes = part_bytes
        self.data.mkdir(parents=True, exist_ok=True)
        self._owner_lock = own(self.data)
        self.temporary = self.data / "tmp"
        empty_folder(self.temporary)
        self.xorbs = self.data / "xet"
        self.xorbs.mkdir(exist_ok=True)
        self.objects = objects or FolderStore(self.data / "lfs")
        self.store = Store(self.data / "hub.sqlite")
        self.repositories = Repositories(self.data / "repos")
        # Building a file from xorbs keeps one core busy; more at once would only starve the rest.
        self.materialising = CapacityLimiter(2)
        # Nor may clones and pushes, which take long, keep everybody else's threads.
        self.exchanging = CapacityLimiter(8)
        # Between a look at an object's links and what follows from it.
        self.linking = threading.Lock()
        self.asgi = _App(self)
        stale = self.repositories.clear_stale_locks()
        if stale:
            log.warning("Removed %d files that a killed process left half-written.", stale)
        self._index_changed()
        self._closing = threading.Event()
        self._housekeeper = threading.Thread(
            target=self._keep_house, name="hub-housekeeping", daemon=True
        )
        self._housekeeper.start()

    def close(self) -> None:
        """Give the data folder back."""
        self._closing.set()
        self._housekeeper.join()
        self.repositories.close()
        self.store.close()
        self._owner_lock.close()

    def create_user(self, name: str, *, members: tuple[str, ...] = ()) -> None:
        """Create a user, or with ``members`` an organisation; an existing one is kept.

        Raises:
            BadRequestError: Nobody can be called so.
        """
        for member in members:
            self.store.add_user(check_namespace(member))
        self.store.add_user(check_namespace(name), "org" if members else "user", members)

    ensure_user = create_user

    def create_token(
        self, user: str, name: str, role: Role = "write", value: str | None = None
    ) -> str:
        """Create a token and return it; it cannot be read again later.

        Args:
            user: Whose it is; created if there is no such user.
            name: What the user calls it.
            role: ``"read"`` or ``"write"``.
            value: A given token, ``None`` for a new random one.
        """
        self.create_user(user)
        value = value or new_token()
        self.store.add_token(value, user, name, role)
        return value

    def create_repo(
        self, repo_id: str, *, kind: str = "model", private: bool = False
    ) -> Repo | None:
        """Create a repository of an existing or new user; ``None`` if there is one already."""
        namespace, _, name = repo_id.partition("/")
        self.create_user(namespace)
        return repos.create_repository(
            self, kind, f"{namespace}/{check_repo_name(name)}", namespace, private=private
        )

    def seed(self, repo_id: str, folder: Path) -> str:
        """Put the files of ``folder`` into a repository, made if it is not there.

        It may be called at every start: nothing happens if nothing changed, and a repository that
        others have committed to since is left to them.

        Returns:
            The sha of the head of its main branch.
        """
        namespace, _, name = repo_id.partition("/")
        self.create_user(namespace)
        check_repo_name(name)
        return seed(self, repo_id, folder)

    def _index_changed(self) -> None:
        """Catch up with commits whose process was killed before it could index them."""
        for repo in self.store.repos():
            if not self.repositories.path(repo.uid).is_dir():
                log.error("The git folder of %s is missing.", repo.id)
                continue
            try:
                with self.repositories.open(repo.uid) as repository:
                    if repository.ref(MAIN) != repo.head:
                        index_head(self.store, repository, repo.uid)
            except Exception:
                # One damaged repository must not keep the others from being served.
                log.exception("%s cannot be indexed.", repo.id)

    def _keep_house(self) -> None:
        while not self._closing.wait(_HOUSEKEEPING_SECONDS):
            try:
                collect(self)
            except Exception:
                # A failure now may be over in an hour, and must not end the thread.
                log.exception("Housekeeping failed.")


def new_token() -> str:
    """Return a new random token; its beginning makes leaked ones easy to find."""
    return f"hf_{secrets.token_urlsafe(30).replace('-', 'x').replace('_', 'y')}"


def own(data: Path) -> IO[bytes]:
    """Take the folder's lock, which the system gives back even when the process is killed.

    Raises:
        HubInUseError: Another process has it.
    """
    lock = (data / "owner.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise HubInUseError(
            "The folder {data} is in use by another hub. Stop that one first.", data=data
        ) from None
    return lock


class _App:
    """The ASGI app of a hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            response = await self._respond(request)
            response.headers["X-Request-Id"] = _request_id(request)
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            return await dispatch(self.hub, _ROUTES, request)
        except HubError as error:
            return error_response(error)
        except sqlite3.IntegrityError:
            log.warning("A request lost a race against another one.", exc_info=True)
            return error_response(ConflictError("What this is about was changed meanwhile."))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                return error_response(NoSpaceError("The hub's disk is full."))
            return _bug(request)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return error_response(NoSpaceError("The hub's disk is full."))
            return _bug(request)
        except Exception:  # noqa: BLE001 - the last line of defence: logged, and said
            return _bug(request)


def _bug(request: Request) -> Response:
    # The path only: queries and headers may carry secrets.
    log.exception("%s %s failed", request.method, header_safe(request.url.path))
    message = {"error": "Internal error of the hub; its log has the details."}
    return JSONResponse(message, status_code=500)


def _request_id(request: Request) -> str:
    """Echo the client's id of a request, by which it is found again in reports."""
    for name in ("x-amzn-trace-id", "x-request-id"):
        if sent := request.headers.get(name):
            return header_safe(sent)[:200]
    return f"{int(time.time()):x}-{secrets.token_hex(8)}"


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
