"""Results as files: under paths nobody can guess, gone after an hour."""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from zoo.pipeline import Progress

log = logging.getLogger(__name__)

LIFETIME = 3600.0  # seconds
SWEEP_EVERY = 60.0
THUMBNAIL = 320  # pixels


@dataclass(frozen=True)
class Result:
    """One finished run of this session.

    Args:
        files: The pictures as PNG with the settings inside.
        thumbnail: A small copy of the first.
        before: The photo at the size of the result, where there was one.
        record: How it was made.
        line: The status line that went with it.
        picks: Examples that were picked, by field.
        names: What each picture is called, where there are several with names.
        small: Small copies of them all, where each has a style of its own.
    """

    files: tuple[str, ...]
    thumbnail: str
    before: str | None
    record: Mapping[str, Any]
    line: str
    picks: Mapping[str, str]
    names: tuple[str, ...] = ()
    small: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether the files have not been swept away yet."""
        return all(Path(path).is_file() for path in (*self.files, self.thumbnail))


def folder() -> Path:
    """Where the results lie, below the folder that Gradio serves from."""
    return Path(get_upload_folder()) / "results"


def fresh() -> Path:
    """A new folder there, under a name that nobody can guess; the sweep takes it as a whole."""
    place = folder() / uuid.uuid4().hex
    place.mkdir(parents=True)
    return place


def save(
    progress: Progress, line: str, picks: Mapping[str, str], names: Sequence[str] = ()
) -> Result:
    """Write the pictures of a finished ``progress``; the rest as in :class:`Result`."""
    if progress.record is None:
        raise ValueError("only a finished result can be saved")
    place = fresh()
    record = asdict(progress.record)
    now = datetime.now()
    files = []
    for index in range(len(progress.tensors)):
        path = place / file_name(record, now, index if len(progress.tensors) > 1 else None)
        path.write_bytes(progress.png(index))
        files.append(str(path))
    before = progress.before()
    if before is not None:
        before.save(place / "before.png", compress_level=1)
    small = progress.pictures()[0]
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(place / "thumbnail.jpg", quality=85)
    return Result(
        files=tuple(files),
        thumbnail=str(place / "thumbnail.jpg"),
        before=None if before is None else str(place / "before.png"),
        record=record,
        line=line,
        picks=dict(picks),
        names=tuple(names),
    )


def together(results: Sequence[Result], names: Sequence[str], line: str) -> Result:
    """Results of one photo in several styles as one, with a name for each picture."""
    return replace(
        results[0],
        files=tuple(result.files[0] for result in results),
        line=line,
        names=tuple(names),
        small=tuple(result.thumbnail for result in results),
    )


def file_name(
    record: Mapping[str, Any],
    now: datetime,
    index: int | None = None,
    *,
    what: str = "photo",
    suffix: str = ".png",
) -> str:
    """Name of a download: ``photo_fast-candy_s1.00_20260101-120000.png``, numbered in a batch."""
    checkpoint = record["checkpoint"].removeprefix("zoo/").replace("/", "-")
    parts = [what, "".join(c for c in checkpoint if c.isalnum() or c in "-_.")]
    if "strength" in record["settings"]:
        parts.append(f"s{record['settings']['strength']:.2f}")
    parts.append(now.strftime("%Y%m%d-%H%M%S"))
    if index is not None:
        parts.append(str(index + 1))
    return "_".join(parts) + suffix


def sweep(older_than: float = LIFETIME) -> int:
    """Delete the results made more than that many seconds ago; returns how many."""
    place, gone = folder(), 0
    for one in place.iterdir() if place.is_dir() else ():
        try:
            if time.time() - one.stat().st_mtime > older_than:
                shutil.rmtree(one)
                gone += 1
        except FileNotFoundError:  # another sweep was faster
            continue
    return gone


class Sweeper:
    """Sweeps now and then, from :meth:`start` to :meth:`stop`."""

    def __init__(self, every: float = SWEEP_EVERY) -> None:
        self._every = every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what lies there goes with the process's temporary folder."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._every):
            try:
                if gone := sweep():
                    log.info("deleted %d results", gone)
            except OSError:
                log.exception("could not delete old results")
