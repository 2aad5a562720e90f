"""Checkpoints from a hub: huggingface.co, a hub of one's own, or the one inside the app.

A checkpoint is used only when it is whole and every file has the hash that the hub announced for
it. Only safetensors are fetched: a pickle can run code when it is opened.
"""

import errno
import hashlib
import io
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal
from urllib.parse import quote, urlsplit

import httpx2
from huggingface_hub import HfApi, ModelInfo, constants, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, but loaded lazily
    build_hf_headers,
    hf_raise_for_status,
    paginate,
    validate_repo_id,
)

from zoo import errors
from zoo.card import LIBRARY, CardFacts, from_front_matter
from zoo.errors import CheckpointError, DiskFullError, HubUnavailableError, InputError, ZooError
from zoo.hub.cache import BLOCK, COMMIT, Cache, Counter, File, Manifest, Report, file_size

log = logging.getLogger(__name__)

SAFE_SUFFIXES = frozenset(
    (".json", ".jsonl", ".csv", ".safetensors", ".md", ".txt", ".png", ".jpg", ".jpeg", ".webp")
)
SAFE_NAMES = frozenset(("LICENSE", "NOTICE", "CREDITS"))
PICKLE_SUFFIXES = frozenset((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"))

HUGGING_FACE = "https://huggingface.co"

TIMEOUT = 10.0  # seconds without an answer after which a hub counts as away
FRESH = 10.0  # seconds for which a hub is not asked again what a revision is
AWAY = 60.0  # seconds for which a hub that did not answer is done without, where that is possible
TRIES = 3  # in a row that get no further, before a download is given up
ROOM = 32 << 20  # bytes to leave free on the disk

_NETWORK = (httpx2.TransportError, httpx2.StreamError, httpx2.InvalidURL)


class _NoRangesError(httpx2.RemoteProtocolError):
    """A download cannot go on where it stopped; it has to begin again."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A repository as the hub describes it.

    Args:
        repo_id: Its name.
        commit: What its main branch, or the revision asked for, stands for.
        facts: What its card says.
        tags: What it is found by.
        modified: When it last changed.
        downloads: How often its weights were fetched.
        files: Its files; empty in a list of several models.
    """

    repo_id: str
    commit: str
    facts: CardFacts
    tags: tuple[str, ...] = ()
    modified: datetime | None = None
    downloads: int = 0
    files: tuple[File, ...] = ()


class HubClient:
    """One hub and the checkpoints of it that are on this machine.

    Safe for many threads, and for many processes over one cache.

    Args:
        endpoint: Address of the hub.
        cache_dir: Where checkpoints are kept; each hub has a folder of its own below it.
        token: This hub's token. None means none at all: a token that the person running this has
            for huggingface.co is never looked up and never sent.
        offline: Never ask the hub; HF_HUB_OFFLINE in the environment means the same.
        name: Of its folder in the cache, for a hub whose address changes.

    Attributes:
        cache: What is on this machine.
    """

    def __init__(
        self,
        endpoint: str,
        cache_dir: Path,
        token: str | None = None,
        *,
        offline: bool = False,
        name: str = "",
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.cache = Cache(cache_dir / (name or folder_name(self.endpoint)))
        self._offline = offline
        self._token: str | Literal[False] = token or False
        self._api = HfApi(self.endpoint, token=self._token, library_name=LIBRARY)
        self._fresh: dict[tuple[str, str], tuple[float, Manifest]] = {}
        self._away = -AWAY

    @property
    def offline(self) -> bool:
        """Whether the hub is left alone."""
        return self._offline or constants.is_offline_mode()

    def snapshot(
        self, repo_id: str, revision: str = "main", *, report: Report | None = None
    ) -> tuple[Path, str]:
        """The folder of a checkpoint, downloaded if need be and checked in any case.

        Several callers share one download and see the same progress.

        Args:
            repo_id: "zoo/adain", or "zoo/adain@v1.0" with the revision in it.
            revision: Branch, tag or commit.
            report: Called during the download; what it raises ends the download.

        Returns:
            The folder, and the 40 hex digits of the commit in it.

        Raises:
            RepoNotFoundError: There is no such repository, or not for this token.
            RevisionNotFoundError: The repository has no such revision.
            HubUnavailableError: The hub does not answer and the checkpoint is not here.
            ChecksumError: A file is not what the hub announced; it was deleted.
            CheckpointError: There are weights, but only as a pickle.
            DiskFullError: There is no room.
        """
        repo_id, revision = split_revision(repo_id, revision)
        report = report or (lambda transfer: None)
        with self._asking(repo_id, revision):
            manifest = self._manifest(repo_id, revision)
            if not self.cache.is_whole(manifest):
                with self.cache.lock(repo_id, report):
                    if not self.cache.is_whole(manifest):  # nobody brought it while we waited
                        self._download(manifest, report)
            self.cache.keep_last(revision, manifest)
        return self.cache.path(manifest), manifest.commit

    def search(self, words: str = "", *tags: str) -> list[Model]:
        """The checkpoints on the hub that are for this project, newest first.

        Args:
            words: Parts of their names.
            tags: All of which they have: "adain", "license:apache-2.0".

        Raises HubUnavailableError when the hub does not answer.
        """
        wanted: dict[str, Any] = {
            "filter": [LIBRARY, *tags],
            "sort": "lastModified",
            "expand": ["sha", "cardData", "tags", "lastModified", "downloads"],
        }
        if words:
            wanted["search"] = words
        with self._asking(self.endpoint):
            self._reach()
            # The official client's own list would end at the first card that it cannot read.
            found = paginate(f"{self.endpoint}/api/models", wanted, self._headers())
            return [_model(_info(item)) for item in found]

    def info(self, repo_id: str, revision: str = "main") -> Model:
        """What the hub says of a repository, its files included.

        Raises RepoNotFoundError, RevisionNotFoundError or HubUnavailableError.
        """
        return _model(self._ask(*split_revision(repo_id, revision)))

    def read(self, repo_id: str, commit: str, file: File, *, limit: int = 8 << 20) -> bytes:
        """The content of one small file, from this machine or the hub, checked against its hash.

        Args:
            repo_id: Whose it is.
            commit: That the file is of.
            file: As :meth:`info` announces it.
            limit: Largest size in bytes to take into memory.

        Raises:
            InputError: It is larger.
            ChecksumError: The hub sent something else.
            HubUnavailableError: It does not answer; also what :meth:`snapshot` raises.
        """
        if file.size > limit:
            raise InputError("“{name}” is too large to show.", name=file.path)
        path = self.cache.home(repo_id) / commit / file.path
        if COMMIT.fullmatch(commit) and ".." not in path.parts and file.is_at(path):
            return path.read_bytes()
        if self.offline:
            raise _unavailable(repo_id, self.endpoint)
        content = io.BytesIO()
        hasher = file.hasher()
        url = hf_hub_url(repo_id, file.path, revision=commit, endpoint=self.endpoint)
        with self._asking(repo_id, commit):
            if file.size:
                self._receive(url, file, content, hasher, None)
        if hasher.hexdigest() != file.content:
            raise errors.ChecksumError(
                "“{name}” of {repo_id} arrived damaged.", name=file.path, repo_id=repo_id
            )
        return content.getvalue()

    def push(
        self,
        folder: Path,
        repo_id: str,
        *,
        message: str = "Upload checkpoint",
        private: bool = False,
        revision: str = "main",
    ) -> str:
        """Upload a checkpoint's folder, making the repository if need be.

        Args:
            folder: With a config.json; hidden files are left out.
            repo_id: Where to.
            message: Of the commit.
            private: Whether a repository made by this is private.
            revision: Branch to commit to, made from main if need be.

        Returns:
            The commit.

        Raises:
            InputError: There is no token, the folder is no checkpoint or holds a pickle.
            RevisionNotFoundError: The revision is a pull request that nobody opened.
            ZooError: The hub does not let this token write there.
            HubUnavailableError: The hub does not answer.
        """
        check_repo_id(repo_id)
        check_uploadable(folder)
        if not self._token:
            raise InputError(
                "{endpoint} takes uploads only with a token. Give it with --token or as "
                "ZOO_HUB_TOKEN.",
                endpoint=self.endpoint,
            )
        with self._asking(self.endpoint):
            self._reach()
            self._api.create_repo(repo_id, private=private, exist_ok=True)
            if revision != "main" and not revision.startswith("refs/"):
                self._api.create_branch(repo_id, branch=revision, exist_ok=True)
            try:
                done = self._api.upload_folder(
                    repo_id=repo_id,
                    folder_path=folder,
                    commit_message=message,
                    revision=revision,
                    ignore_patterns=[".*", "**/.*"],
                )
            except RevisionNotFoundError as error:
                raise _no_revision(repo_id, revision) from error
        self._fresh.pop((repo_id, revision), None)
        return done.oid

    def _manifest(self, repo_id: str, revision: str) -> Manifest:
        """What a revision consists of, as the hub says; or as it said last, if it is away."""
        if COMMIT.fullmatch(revision):
            if known := self.cache.manifest(repo_id, revision):
                return known
        else:
            asked, manifest = self._fresh.get((repo_id, revision), (-FRESH, None))
            if manifest and time.monotonic() - asked < FRESH:
                return manifest
            known = self.cache.last(repo_id, revision)
        if known and (self.offline or time.monotonic() - self._away < AWAY):
            return known
        try:
            info = self._ask(repo_id, revision)
        except HubUnavailableError as error:
            if not known:
                raise
            self._away = time.monotonic()
            log.warning("%s Using %s@%s.", error, repo_id, known.commit[:8])
            return known
        manifest = Manifest(repo_id, str(info.sha), _wanted(repo_id, _files(info)))
        self.cache.keep_manifest(manifest)
        self._fresh[repo_id, revision] = time.monotonic(), manifest
        return manifest

    def _download(self, manifest: Manifest, report: Report) -> None:
        """Bring a checkpoint here; the caller holds its lock."""
        name = manifest.repo_id
        part, missing = self.cache.begin(manifest)
        absent = sum(file.size for file in missing)
        needed = absent - sum(file_size(part / file.path) for file in missing)
        free = shutil.disk_usage(part).free
        if needed and free < needed + ROOM:
            raise _disk_full(name, needed, free)
        if missing and self.offline:
            raise _unavailable(name, self.endpoint)
        with (
            self._asking(name, manifest.commit, needed),
            self.cache.counting(manifest, manifest.size - absent, report) as counter,
        ):
            for file in missing:
                self._fetch(manifest, file, part / file.path, counter)
        self.cache.finish(manifest)

    def _fetch(self, manifest: Manifest, file: File, path: Path, counter: Counter) -> None:
        """Download one file, going on after what is there, and check its hash."""
        url = hf_hub_url(
            manifest.repo_id, file.path, revision=manifest.commit, endpoint=self.endpoint
        )
        hasher = file.hasher()
        with path.open("a+b") as out:
            out.seek(0)
            while block := out.read(BLOCK):
                hasher.update(block)
            resumed = out.tell()
            counter.add(resumed)
            tries, reached = TRIES, resumed
            while out.tell() < file.size:
                try:
                    self._receive(url, file, out, hasher, counter)
                except _NoRangesError:
                    counter.add(-out.tell())
                    out.seek(0)
                    out.truncate()
                    hasher, resumed = file.hasher(), 0
                except _NETWORK as error:
                    tries = TRIES if out.tell() > reached else tries - 1
                    if not tries:
                        raise
                    reached = max(reached, out.tell())
                    log.info("%s: %s; going on at byte %d", url, error, out.tell())
            out.flush()
            os.fsync(out.fileno())
        if hasher.hexdigest() == file.content:
            return
        path.unlink()
        if resumed:  # perhaps only what was here before was damaged
            counter.add(-file.size)
            self._fetch(manifest, file, path, counter)
            return
        raise errors.ChecksumError(
            "The download of {name} was damaged (checksum differs). It was deleted; try again.",
            name=manifest.repo_id,
        )

    def _receive(
        self, url: str, file: File, out: BinaryIO, hasher: Any, counter: Counter | None
    ) -> None:
        """Append what one answer brings, at most up to the size of the file.

        Raises _NoRangesError when the hub, or a proxy before it, sends the file from its start
        only, and there is a part of it already.
        """
        # "identity": a compressed answer has another length and cannot be resumed.
        headers = self._headers() | {"Accept-Encoding": "identity"}
        if out.tell():
            headers["Range"] = f"bytes={out.tell()}-"
        with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
            hf_raise_for_status(response)
            if out.tell() and response.status_code != 206:
                raise _NoRangesError("a range was asked for and not sent")
            for block in response.iter_bytes():  # as they arrive
                block = block[: file.size - out.tell()]
                out.write(block)
                hasher.update(block)
                if counter:
                    counter.add(len(block))
                if out.tell() == file.size:
                    return
        raise httpx2.RemoteProtocolError("the answer ended too early")

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = build_hf_headers(token=self._token, library_name=LIBRARY)
        return headers

    def _ask(self, repo_id: str, revision: str) -> ModelInfo:
        if self.offline:
            raise _unavailable(repo_id, self.endpoint)
        with self._asking(repo_id, revision):
            path = f"models/{repo_id}/revision/{quote(revision, safe='')}"
            return _info(self._get(path, {"blobs": True}))

    def _reach(self) -> None:
        """Ask something small with a time limit: the official client's longer calls have none."""
        if self.offline:
            raise _unavailable(self.endpoint, self.endpoint)
        self._get("models", {"limit": 1})

    def _get(self, path: str, params: dict[str, Any]) -> Any:
        url = f"{self.endpoint}/api/{path}"
        answer = get_session().get(url, params=params, headers=self._headers(), timeout=TIMEOUT)
        hf_raise_for_status(answer)
        return answer.json()

    @contextmanager
    def _asking(self, repo_id: str, revision: str = "main", needed: int = 0) -> Iterator[None]:
        """Turn what goes wrong with the hub or the disk into words."""
        try:
            yield
        except RevisionNotFoundError as error:
            raise _no_revision(repo_id, revision) from error
        except GatedRepoError as error:
            raise errors.RepoNotFoundError(
                "{repo_id} is only for people whom its owner lets in.", repo_id=repo_id
            ) from error
        except RepositoryNotFoundError as error:
            raise errors.RepoNotFoundError(
                "There is no checkpoint “{repo_id}” at {endpoint}, or it is private.",
                repo_id=repo_id,
                endpoint=self.endpoint,
            ) from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (408, 429) or status >= 500:
                raise _unavailable(repo_id, self.endpoint) from error
            raise ZooError(
                "{endpoint} refused: {reason}",
                endpoint=self.endpoint,
                reason=error.server_message or f"HTTP {status}",
            ) from error
        # What answers with something else than JSON is no hub, perhaps a login page before it.
        except (*_NETWORK, OfflineModeIsEnabled, json.JSONDecodeError) as error:
            raise _unavailable(repo_id, self.endpoint) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            free = shutil.disk_usage(self.cache.folder).free
            raise _disk_full(repo_id, needed, free) from error


def connect(
    endpoint: str | None = None, *, cache_dir: Path | None = None, token: str | None = None
) -> HubClient:
    """The client for what is given, and for the rest what the environment says.

    Args:
        endpoint: Else HF_ENDPOINT, else huggingface.co.
        cache_dir: Else ZOO_CACHE, else the user's folder for caches.
        token: Else ZOO_HUB_TOKEN. HF_TOKEN and a saved login are for huggingface.co: they are not
            read, so that no other hub is ever sent them.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return HubClient(
        endpoint or os.environ.get("HF_ENDPOINT") or HUGGING_FACE,
        cache_dir or Path(os.environ.get("ZOO_CACHE") or caches / "style-zoo"),
        token or os.environ.get("ZOO_HUB_TOKEN") or None,
    )


def folder_name(endpoint: str) -> str:
    """What the folder of a hub is called: readable, and different for every address."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(endpoint).netloc)
    return f"{host}-{hashlib.sha256(endpoint.encode()).hexdigest()[:8]}"


def split_revision(repo_id: str, revision: str = "main") -> tuple[str, str]:
    """Take "zoo/adain@v1.0" apart; a revision in it counts more than the other argument.

    Raises InputError when it is no name of a repository, RevisionNotFoundError when no revision
    can be called so.
    """
    repo_id, at, given = repo_id.partition("@")
    check_repo_id(repo_id)
    revision = given if at else revision
    # Each becomes a file name in the cache.
    if not re.fullmatch(r"[\w+-][\w./+-]*", revision) or len(quote(revision, safe="")) > 200:
        raise _no_revision(repo_id, revision[:80])
    return repo_id, revision


def check_repo_id(repo_id: str) -> None:
    """Refuse, with an InputError, what cannot be the name of a repository."""
    try:
        validate_repo_id(repo_id)
        valid = "/" in repo_id
    except HFValidationError:
        valid = False
    if not valid:
        raise InputError("“{name}” is no checkpoint's name. Use owner/name.", name=repo_id[:80])


def check_uploadable(folder: Path) -> None:
    """Refuse, with an InputError, a folder that is no checkpoint or that holds a pickle."""
    if not (folder / "config.json").is_file():
        raise InputError("“{name}” is no checkpoint: it has no config.json.", name=str(folder))
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLE_SUFFIXES:
            raise InputError(
                "“{name}” may be a pickle, which can run code when it is opened. Only safetensors "
                "are published.",
                name=path.relative_to(folder).as_posix(),
            )


def _wanted(repo_id: str, files: tuple[File, ...]) -> tuple[File, ...]:
    """The files to download; raises CheckpointError where that would be unsafe."""
    names = [PurePosixPath(file.path) for file in files]
    pickles = [name for name in names if name.suffix.lower() in PICKLE_SUFFIXES]
    if pickles and not any(name.suffix == ".safetensors" for name in names):
        raise CheckpointError(
            "{repo_id} has its weights only as a pickle ({file}), which can run code when it is "
            "opened. Only safetensors are loaded.",
            repo_id=repo_id,
            file=pickles[0],
        )
    wanted = []
    for file, name in zip(files, names, strict=True):
        if name.suffix.lower() not in SAFE_SUFFIXES and name.name not in SAFE_NAMES:
            continue
        # The hub names the files; it must not thereby choose where on this machine they go.
        if name.is_absolute() or ".." in name.parts or re.search(r"[\\:\0]", file.path):
            raise CheckpointError("{repo_id} has a file with an unsafe name.", repo_id=repo_id)
        wanted.append(file)
    return tuple(wanted)


def _files(info: ModelInfo) -> tuple[File, ...]:
    return tuple(
        File(
            path=sibling.rfilename,
            size=sibling.size or 0,
            blob=sibling.blob_id or "",
            sha256=sibling.lfs.sha256 if sibling.lfs else None,
        )
        for sibling in info.siblings or ()
    )


def _info(item: dict[str, Any]) -> ModelInfo:
    """What a hub says of a model; a card that cannot be read counts as none."""
    try:
        return ModelInfo(**item)  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, AttributeError):
        return ModelInfo(**{**item, "cardData": None})  # type: ignore[no-untyped-call]


def _model(info: ModelInfo) -> Model:
    return Model(
        repo_id=info.id,
        commit=info.sha or "",
        facts=from_front_matter(info.card_data) if info.card_data else CardFacts(license=""),
        tags=tuple(info.tags or ()),
        modified=info.last_modified,
        downloads=info.downloads or 0,
        files=_files(info),
    )


def _no_revision(repo_id: str, revision: str) -> errors.RevisionNotFoundError:
    return errors.RevisionNotFoundError(
        "{repo_id} has no revision “{revision}”.", repo_id=repo_id, revision=revision
    )


def _unavailable(repo_id: str, endpoint: str) -> HubUnavailableError:
    if repo_id == endpoint:
        return HubUnavailableError(
            "The model hub {endpoint} does not answer. Try again later.", endpoint=endpoint
        )
    return HubUnavailableError(
        "{repo_id} is not on this machine and the model hub does not answer. Try again later, or "
        "pick a style marked “Ready”.",
        repo_id=repo_id,
    )


def _disk_full(name: str, needed: int, free: int) -> DiskFullError:
    return DiskFullError(
        "There is no room to download {name} ({needed} MB needed, {free} MB free).",
        name=name,
        needed=-(-max(needed, 1) // 10**6),
        free=free // 10**6,
    )
