"""Where the site has its checkpoints from: a hub inside its own process, or one elsewhere.

Either way they come through the stock client's path, so a site and its own hub talk as strangers
would. What ships with the code fills in where no hub answers.
"""

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import PlainTextResponse, RedirectResponse

from space.pictures import kept
from zoo import card
from zoo.card import is_thumbnail
from zoo.errors import HubUnavailableError, RepoNotFoundError, ZooError
from zoo.files import write_atomic
from zoo.hub.cache import File, Place, Report, Transfer
from zoo.hub.client import HUGGING_FACE, HubClient, Model, connect
from zoo.hub.server import Hub
from zoo.methods import METHODS
from zoo.runtime import Listed, list_shipped, shipped

log = logging.getLogger(__name__)

ROUTE = "/hub"
OWNER = "zoo"  # whose the checkpoints are that come with the code
SITE_TOKEN = "the site itself"  # noqa: S105 a name, not a token
FRESH = 2.0  # seconds for which the hub is not asked again what it has
PATIENCE = 1.5  # seconds that a page waits for the hub's answer
TICK = 0.3  # seconds between two looks at a download
MOST = 500  # checkpoints shown of a hub
LARGEST_THUMBNAIL = 64 << 10  # bytes
MOST_THUMBNAILS = 64  # of a checkpoint

Scope = MutableMapping[str, Any]


def data_folder() -> Path:
    """Where the site keeps its hub unless it is told otherwise: the user's folder for data."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "style-zoo"


class Shelf:
    """The site's checkpoints: what a hub offers, and what of it is on this machine.

    Args:
        data: Folder of the hub inside this process, and of what was downloaded from it; None for
            no such hub.
        endpoint: Another hub to use instead.

    Attributes:
        hub: The hub inside this process.
        client: Asks the hub; None while there is none to ask.
        notice: Why there is no hub, for people to read.
    """

    def __init__(self, data: Path | None = None, endpoint: str = "") -> None:
        self.data = data
        self.endpoint = endpoint
        self.hub: Hub | None = None
        self.client: HubClient | None = None
        self.notice: ZooError | None = None
        self._models: list[Model] = []
        self._whole: dict[tuple[str, str], Model] = {}
        self._thumbnails: dict[tuple[str, str], Mapping[str, Path]] = {}
        self._changing = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked = float("-inf")
        self._away: ZooError | None = None
        self._seeding: threading.Thread | None = None
        self._closing = threading.Event()
        self._open_for_questions = threading.Event()

    # ---- life

    def open(self, address: str, *, closed: bool = False) -> None:
        """Open the hub, before anybody can ask it; what goes wrong becomes :attr:`notice`.

        Args:
            address: Where this process will serve the site.
            closed: Whether nobody may read without a token, as on a site with a password.
        """
        if self.endpoint:
            self.client = connect(self.endpoint)
        elif self.data is not None:
            try:
                self.hub = _open_hub(self.data, closed)
            except ZooError as error:
                self.notice = error
            except (OSError, sqlite3.Error) as error:
                self.notice = ZooError(
                    "The site's own model hub cannot be opened in {data} ({reason}).",
                    data=self.data,
                    reason=error,
                )
            else:
                token = _token_of_our_own(self.hub) if closed else None
                ask_directly(address)
                self.client = HubClient(
                    f"{address}{ROUTE}", self.data / "cache", token, name="embedded"
                )
        if self.notice:
            log.warning("%s Only what comes with the app can be used.", self.notice)

    def begin(self) -> None:
        """The site is being served from now on: fill the hub, then ask it."""
        self._open_for_questions.set()
        self._seeding = threading.Thread(target=self._begin, name="shelf", daemon=True)
        self._seeding.start()

    def close(self) -> None:
        """Give the data folder back."""
        self._closing.set()
        self._open_for_questions.clear()
        for thread in (self._seeding, self._asking):
            if thread:
                thread.join(20)
        if self.hub:
            self.hub.close()

    def _begin(self) -> None:
        if self.hub:
            began = time.perf_counter()
            try:
                count = seed_shipped(self.hub, self._closing)
            except (ZooError, OSError, sqlite3.Error):
                log.exception("The hub could not be filled with what comes with the app.")
            else:
                log.info("%d checkpoints written in %.1f s", count, time.perf_counter() - began)
        if not self._closing.is_set():
            self.models()

    # ---- what there is

    @property
    def away(self) -> ZooError | None:
        """Why the hub's list may be old or missing; None where all is well."""
        return self.notice or self._away

    @property
    def address(self) -> str:
        """Where the hub is, relative to the site or in full; "" for none."""
        return ROUTE if self.hub else self.client.endpoint if self.client else ""

    def models(self, patience: float = PATIENCE) -> list[Model]:
        """What the hub offers, newest first, and then what ships and is not there.

        Asks the hub again where its last answer is older than :data:`FRESH`, and waits for it
        only for so many seconds, not at all once it has failed.
        """
        thread = None
        with self._changing:
            if self.client and self._open_for_questions.is_set():
                running = self._asking is not None and self._asking.is_alive()
                if not running and time.monotonic() - self._asked > FRESH:
                    self._asking = threading.Thread(target=self._ask, name="ask hub", daemon=True)
                    self._asking.start()
                    running = True
                thread = self._asking if running else None
        if thread and not self._away:
            thread.join(patience)
        return list(self._merged())

    def forget(self) -> None:
        """Ask the hub again at the next occasion, however fresh its answer is."""
        self._asked = float("-inf")

    def model(self, repo_id: object) -> Model | None:
        """One of :meth:`models`, as it was listed last."""
        return next((model for model in self._merged() if model.repo_id == repo_id), None)

    def listing(self) -> list[Listed]:
        """The same for a runtime."""
        pictures = {listed.repo_id: listed.thumbnails for listed in list_shipped()}
        return [
            Listed(
                repo_id=model.repo_id,
                method=model.facts.method,
                config=model.facts.config,
                thumbnails=self._thumbnails.get((model.repo_id, model.commit))
                or pictures.get(model.repo_id, {}),
            )
            for model in self.models()
            if model.facts.method in METHODS
        ]

    def _merged(self) -> Iterator[Model]:
        ours = {listed.repo_id: listed.folder for listed in list_shipped() if listed.folder}
        # On huggingface.co somebody else may be called "zoo".
        foreign = self.client is not None and self.client.endpoint == HUGGING_FACE
        theirs = [model for model in self._models if not (foreign and model.repo_id in ours)]
        yield from theirs
        names = {model.repo_id for model in theirs}
        for repo_id, folder in ours.items():
            if repo_id not in names:
                yield _shipped_model(repo_id, folder)

    def _ask(self) -> None:
        client = self.client
        assert client is not None  # noqa: S101 - models() asks only then
        try:
            found = client.search()[:MOST]
            self._models = [self._whole.get((m.repo_id, m.commit), m) for m in found]
            # Of any size at first, then with files, as soon as those are known.
            for place, model in enumerate(self._models):
                if self._closing.is_set():
                    return
                if (model.repo_id, model.commit) not in self._whole:
                    whole = _filled_in(client, model)
                    self._whole[model.repo_id, model.commit] = whole
                    self._models[place] = whole
            for model in self._models:
                if self._closing.is_set():
                    return
                if (model.repo_id, model.commit) not in self._thumbnails:
                    found_here = self._thumbnails_of(model)
                    self._thumbnails[model.repo_id, model.commit] = found_here
            self._away = None
        except ZooError as error:
            if not self._away and not self._closing.is_set():
                log.warning("%s", error)
            self._away = error
        finally:
            self._asked = time.monotonic()

    def _thumbnails_of(self, model: Model) -> dict[str, Path]:
        """Bring the small pictures of a checkpoint here; raises what :meth:`read` raises."""
        ours = {listed.repo_id: listed.thumbnails for listed in list_shipped()}
        found: dict[str, Path] = {}
        for file in model.files:
            if not is_thumbnail(file.path) or file.size > LARGEST_THUMBNAIL:
                continue
            same = ours.get(model.repo_id, {}).get(file.path)
            if same and file.is_at(same):
                found[file.path] = same
            elif len(found) < MOST_THUMBNAILS and (content := self.read(model, file.path)):
                found[file.path] = kept(content, ".jpg")
        return found

    # ---- what is here

    def place(self, model: Model) -> tuple[Place, float]:
        """Whether a checkpoint is on this machine, and how much of it, 0 to 1."""
        if not self.client or not model.commit:
            return "ready", 1.0
        return self.client.cache.where(model.repo_id, model.commit)

    def fetch(
        self, repo_id: str, revision: str = "main", *, report: Report | None = None
    ) -> tuple[Path, str]:
        """The folder of a checkpoint and its commit: from the hub, else from what ships.

        Raises what :meth:`zoo.hub.client.HubClient.snapshot` raises.
        """
        ours = revision == "main" and any(one.repo_id == repo_id for one in list_shipped())
        if not self.client or (ours and self.client.endpoint == HUGGING_FACE):
            return shipped(repo_id, revision)
        try:
            return self.client.snapshot(repo_id, revision, report=report)
        except (HubUnavailableError, RepoNotFoundError) as error:
            if not ours:
                raise
            log.info("%s It comes with the app.", error)
            return shipped(repo_id)

    def remove(self, repo_id: str) -> None:
        """Delete what was downloaded of a checkpoint; the hub keeps it."""
        if self.client:
            self.client.cache.remove(repo_id)

    def read(self, model: Model, name: str) -> bytes | None:
        """A small file of a checkpoint; None where it has none of that name.

        Raises what :meth:`zoo.hub.client.HubClient.read` raises.
        """
        file = next((file for file in model.files if file.path == name), None)
        if file is None:
            return None
        if not self.client or not model.commit:
            return self._here(model, file).read_bytes()
        return self.client.read(model.repo_id, model.commit, file)

    def digest(self, model: Model, file: File) -> tuple[str, str]:
        """The name of a hash function and a file's hash by it: sha256 where that can be had."""
        if file.sha256:
            return "sha256", file.sha256
        path = self._here(model, file)
        if model.commit and not file.is_at(path):
            return "git", file.blob
        with path.open("rb") as content:
            return "sha256", hashlib.file_digest(content, "sha256").hexdigest()

    def _here(self, model: Model, file: File) -> Path:
        """Where a file is on this machine, if it is."""
        if self.client and model.commit:
            return self.client.cache.home(model.repo_id) / model.commit / file.path
        folders = {listed.repo_id: listed.folder for listed in list_shipped()}
        return (folders.get(model.repo_id) or Path()) / file.path


def _open_hub(data: Path, closed: bool) -> Hub:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    hub = Hub(data / "hub", closed=closed)
    hub.ensure_user(OWNER)
    return hub


def _token_of_our_own(hub: Hub) -> str:
    """A token that lives as long as this process."""
    hub.store.run("DELETE FROM tokens WHERE user = ? AND name = ?", OWNER, SITE_TOKEN)
    return hub.create_token(OWNER, SITE_TOKEN, role="read")


def ask_directly(address: str) -> None:
    """Let no proxy of the environment stand between this process and its own address."""
    host = address.split("//")[1].rpartition(":")[0].strip("[]")
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [one for one in os.environ.get(name, "").split(",") if one]
        if host not in hosts:
            os.environ[name] = ",".join([*hosts, host])


def seed_shipped(hub: Hub, stop: threading.Event) -> int:
    """Put what ships with the code into the hub, and return how many checkpoints were written.

    Hashing them all takes seconds, so what has neither changed here nor gone there is left alone:
    names, sizes and times of its files are remembered in the hub's folder.
    """
    path = hub.data / "seeded.json"
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = json.loads(path.read_text("utf-8"))
    count = 0
    for listed in list_shipped():
        if stop.is_set():
            break
        folder = listed.folder
        assert folder is not None  # noqa: S101 - it ships
        mark = json.dumps(
            [
                (file.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns)
                for file in sorted(folder.rglob("*"))
                if file.is_file() and (stat := file.stat())
            ]
        )
        if known.get(listed.repo_id) == mark and hub.store.repo("model", listed.repo_id):
            continue
        hub.seed(listed.repo_id, folder)
        known[listed.repo_id] = mark
        write_atomic(path, json.dumps(known).encode())
        count += 1
    return count


def _shipped_model(repo_id: str, folder: Path) -> Model:
    """What ships, described as a hub would; it has no commit."""
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    times = tuple(path.stat().st_mtime_ns for path in names)
    return _described(repo_id, folder, tuple(names), times)


@lru_cache(maxsize=256)
def _described(
    repo_id: str, folder: Path, names: tuple[Path, ...], times: tuple[int, ...]
) -> Model:
    facts = card.CardFacts(license="")
    with suppress(OSError):
        facts = card.parse((folder / "README.md").read_text("utf-8"))
    files = tuple(
        File(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, blob="")
        for path in names
    )
    model = Model(repo_id=repo_id, commit="", facts=facts, files=files)
    return _with_config(model, (folder / "config.json").read_bytes())


def _filled_in(client: HubClient, model: Model) -> Model:
    """With its files, and its method and network where the card does not tell them."""
    model = replace(model, files=client.info(model.repo_id, model.commit).files)
    config = next((file for file in model.files if file.path == "config.json"), None)
    if (model.facts.method and model.facts.config) or config is None:
        return model
    try:
        return _with_config(model, client.read(model.repo_id, model.commit, config))
    except ZooError as error:
        log.info("%s", error)
        return model


def _with_config(model: Model, config: bytes) -> Model:
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(config)
        method = model.facts.method or str(told["method"])
        facts = replace(model.facts, method=method, config=dict(told["config"]))
        return replace(model, facts=facts)
    return model


def download(shelf: Shelf, repo_id: object) -> Iterator[Transfer | None]:
    """Bring a checkpoint that the hub offers here; yields now and then how far it is.

    Nobody has to look: who stops following does not stop the download, for others may wait for it.
    Raises RepoNotFoundError when the hub has no such checkpoint, and what the client raises.
    """
    model = shelf.model(repo_id)
    if model is None:
        raise RepoNotFoundError("There is no checkpoint “{repo_id}”.", repo_id=str(repo_id)[:80])
    seen: list[Transfer | None] = [None]
    failed: list[Exception] = []

    def work() -> None:
        try:
            shelf.fetch(model.repo_id, report=lambda transfer: seen.__setitem__(0, transfer))
        except Exception as error:  # noqa: BLE001 handed to whoever follows
            failed.append(error)

    thread = threading.Thread(target=work, name=f"download {model.repo_id}", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(TICK)
        yield seen[0]
    if failed:
        raise failed[0]


class Beside:
    """Answers what is asked below /hub with the hub, and everything else with the site.

    Outermost, so that nothing of the site's changes or collects the hub's answers.

    Args:
        app: The site.
        shelf: Has the hub.
        root_path: Path under which a proxy shows the site; the proxy may have taken it off.
    """

    def __init__(self, app: Any, shelf: Shelf, root_path: str = "") -> None:
        self.app, self.shelf, self.root = app, shelf, root_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on."""
        answer = self.app
        if scope["type"] == "http":
            raw = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
            raw = raw.removeprefix(quote(self.root).encode())
            if raw == ROUTE.encode():
                answer = RedirectResponse(f"{self.root}{ROUTE}/")
            elif raw.startswith(f"{ROUTE}/".encode()):
                answer = PlainTextResponse("There is no hub here.", 404)
                if self.shelf.hub:
                    answer = self.shelf.hub.asgi
                    scope = dict(
                        scope,
                        root_path=f"{self.root}{ROUTE}",
                        path=self.root + scope["path"].removeprefix(self.root),
                        raw_path=quote(self.root).encode() + raw,
                    )
        await answer(scope, receive, send)
