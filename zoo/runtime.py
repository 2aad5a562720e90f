"""One device, the checkpoints in use on it, and whose turn it is."""

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from zoo import checkpoint
from zoo.card import is_thumbnail
from zoo.errors import CheckpointError, DeviceError, RepoNotFoundError
from zoo.hub.cache import Report
from zoo.methods import get_method
from zoo.pipeline import Pipeline, device_name

log = logging.getLogger(__name__)


class Fetch(Protocol):
    """Finds a checkpoint: its folder, and the commit that it is."""

    def __call__(
        self, repo_id: str, revision: str, *, report: Report | None = None
    ) -> tuple[Path, str]:
        """Bring it here if need be; ``report`` is told how far that is."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A checkpoint that can be had.

    Args:
        repo_id: Its name.
        method: Name of its method.
        config: What its ``config.json`` says of the network, where that is known.
        thumbnails: Small pictures of what it does, by their names in
            :func:`zoo.card.thumbnail_name`.
        folder: Where it lies, for one that comes with the code.
    """

    repo_id: str
    method: str
    config: Mapping[str, Any] = field(default_factory=dict)
    thumbnails: Mapping[str, Path] = field(default_factory=dict)
    folder: Path | None = None


def list_shipped() -> list[Listed]:
    """The checkpoints that come with the code, by name; a damaged one is left out."""
    found = []
    for path in sorted(checkpoint.SHIPPED.glob(f"[!.]*/{checkpoint.CONFIG}")):
        folder = path.parent
        try:
            config = checkpoint.read_config(folder)
        except CheckpointError as error:
            log.warning("%s", error)
            continue
        found.append(
            Listed(
                repo_id=f"zoo/{folder.name}",
                method=config["method"],
                config=config["config"],
                thumbnails={
                    path.relative_to(folder).as_posix(): path
                    for path in folder.rglob("*.jpg")
                    if is_thumbnail(path.relative_to(folder).as_posix())
                },
                folder=folder,
            )
        )
    return found


def shipped(
    repo_id: str, revision: str = "main", *, report: Report | None = None
) -> tuple[Path, str]:
    """The folder of a checkpoint that comes with the code, and a name for its content.

    Nothing is downloaded, so ``report`` is never called.

    Raises RepoNotFoundError when none of that name ships.
    """
    name = repo_id.removeprefix("zoo/")
    folder = checkpoint.SHIPPED / name
    if not re.fullmatch(r"\w[\w.-]*", name) or not (folder / checkpoint.CONFIG).is_file():
        raise RepoNotFoundError("There is no checkpoint “{repo_id}”.", repo_id=repo_id)
    return folder, checkpoint.digest(folder)


class Runtime:
    """Made once, passed to whoever runs a method.

    Args:
        device: "auto" takes a GPU where there is one; or "cpu", "cuda", "cuda:1", "mps".
        fetch: Finds checkpoints.
        listing: Names those that can be had; asked anew each time.
        keep: How many checkpoints stay loaded; the one not used for longest goes first.

    Attributes:
        turn: Held by the one job that may use the device.
    """

    def __init__(
        self,
        device: str = "auto",
        fetch: Fetch = shipped,
        listing: Callable[[], list[Listed]] = list_shipped,
        keep: int = 3,
    ) -> None:
        self.device = choose_device(device)
        self.fetch = fetch
        self.listing = listing
        self.keep = keep
        self.turn = threading.Lock()
        self._loading = threading.Lock()
        self._pipelines: OrderedDict[tuple[str, str], Pipeline] = OrderedDict()

    @property
    def device_name(self) -> str:
        """What to call the device under a picture."""
        return device_name(self.device)

    @property
    def on_gpu(self) -> bool:
        """Whether large sizes are a matter of seconds."""
        return self.device.type != "cpu"

    def checkpoints(self, method: str) -> list[Listed]:
        """The checkpoints of a method, its default first; raises UnknownMethodError."""
        default = get_method(method).checkpoint
        found = [listed for listed in self.listing() if listed.method == method]
        return sorted(found, key=lambda listed: (listed.repo_id != default, listed.repo_id))

    def pipeline(
        self, repo_id: str, revision: str = "main", *, report: Report | None = None
    ) -> Pipeline:
        """The checkpoint ready to run; downloaded and loaded now if it is not.

        Args:
            repo_id: Its name.
            revision: Branch, tag or commit of it.
            report: Told how far a download is; what it raises ends the download.

        Raises what the fetch and :func:`zoo.checkpoint.load` raise.
        """
        folder, commit = self.fetch(repo_id, revision, report=report)
        key = (repo_id, commit)
        with self._loading:
            if key in self._pipelines:
                self._pipelines.move_to_end(key)
                return self._pipelines[key]
            while len(self._pipelines) >= self.keep:
                (gone, _), _ = self._pipelines.popitem(last=False)
                log.info("let go of %s", gone)
            method = checkpoint.load(folder)
            pipeline = Pipeline(method, self.device, checkpoint=repo_id, revision=commit)
            self._pipelines[key] = pipeline
            log.info("loaded %s@%s on %s", repo_id, commit[:8], self.device)
            return pipeline


def choose_device(wanted: str = "auto") -> torch.device:
    """Turn the setting into a device that is there.

    Raises DeviceError when it is not.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # how torch refuses names and absent devices
        raise DeviceError(
            "The device “{wanted}” cannot be used here. Use auto, cpu, cuda or mps.", wanted=wanted
        ) from error
    return device
