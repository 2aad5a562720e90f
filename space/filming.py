"""Videos and the camera: which checkpoints can repaint them, and what is done with one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from space.choice import addresses
from space.jobs import Job
from space.pictures import at_hand, within
from space.race import called, contestants
from space.results import file_name, fresh
from space.site import Site
from zoo.card import thumbnail_name
from zoo.compare import Contestant, find, takes_style
from zoo.errors import InputError
from zoo.images import fit, open_picture
from zoo.pipeline import Pipeline, Progress, form_for
from zoo.video import Clip, films, restyle

LIVE = 320  # pixels of the longer side of a camera's frame
LIVE_WAITS = 3.0  # seconds that a frame waits for its turn; there are newer ones then
USUAL = "zoo/many-styles-camera"  # picked at first where it is there: the quickest
MAX_BYTES = 100 * 2**20


def offered(site: Site) -> list[Contestant]:
    """Every checkpoint that can repaint videos, with all its paintings; the usual one first."""
    there = [one for one in contestants(site) if films(one.method)]
    return sorted(there, key=lambda one: one.repo_id != USUAL)


def chosen(site: Site, name: object) -> Contestant:
    """Who is called ``name``; raises InputError where there is nobody."""
    found = find(str(name), offered(site))
    if found is None:
        raise InputError("There is no checkpoint “{repo_id}”.", repo_id=str(name)[:80])
    return found


def options(site: Site, language: str) -> list[dict[str, str]]:
    """What is :func:`offered`, for a picker."""
    pictures = {one.repo_id: addresses(one) for one in site.runtime.listing()}

    def thumbnail(one: Contestant) -> str:
        look = next((known.name for known in form_for(one.method) if known.control.looks), "")
        name = thumbnail_name(look, one.number) if one.number else thumbnail_name()
        return pictures.get(one.repo_id, {}).get(name, "")

    return [
        {"id": one.name, "name": called(language, one), "src": thumbnail(one)}
        for one in offered(site)
    ]


def pictures_for(one: Contestant, style: str | None) -> dict[str, str]:
    """The style picture as an input, where one is taken; raises InputError where it is missing."""
    if not takes_style(one.method):
        return {}
    if not style:
        raise InputError("Add a style picture.")
    return {"style": at_hand(style)}


def opened(path: str | None) -> Clip:
    """An upload as a video; raises InputError where it cannot be used."""
    if not path:
        raise InputError("Add a video first.")
    within(path, Path(path).name, MAX_BYTES)
    return Clip(Path(path))


@dataclass(frozen=True)
class Shot:
    """A video that is being repainted.

    Args:
        job: The work.
        folder: Where the result will lie, which nobody can guess.
    """

    job: Job
    folder: Path

    def named(self, progress: Progress) -> Path:
        """The result of the finished work, under a name that says what made it."""
        if progress.record is None:
            raise ValueError("only a finished result has a name")
        made = self.folder / "video.mp4"
        name = file_name(vars(progress.record), datetime.now(), what="video", suffix=".mp4")
        return made.rename(self.folder / name)


@lru_cache(maxsize=8)
def small(path: str) -> Image.Image:
    """A style picture no larger than frames of a camera need it; uploads never change."""
    return fit(open_picture(path).image, LIVE)


def live(site: Site, one: Contestant, frame: Any, style: str | None) -> Job:
    """Begin to repaint one frame of a camera; raises InputError or BusyError as :func:`shoot`."""
    pictures = {name: small(path) for name, path in pictures_for(one, style).items()}
    inputs = {**one.settings, **pictures, "content": frame, "size": LIVE}
    return Job(site.lane, site.runtime, one.repo_id, inputs)


def shoot(
    site: Site, name: object, source: str | None, style: str | None, size: int, smooth: float
) -> Shot:
    """Begin to repaint a video.

    Args:
        site: Has the lane and the checkpoints.
        name: Of the checkpoint, perhaps with a painting's number.
        source: The video.
        style: A painting, for methods that take one.
        size: As in :func:`zoo.video.video_options`.
        smooth: Likewise.

    Raises InputError where one of them cannot be used, BusyError where too many wait.
    """
    clip = opened(source)
    one = chosen(site, name)
    inputs: dict[str, Any] = {**one.settings, **pictures_for(one, style)}
    place = fresh()

    def work(pipeline: Pipeline, **given: Any) -> Iterator[Progress]:
        yield from restyle(
            pipeline, clip=clip, out=place / "video.mp4", size=size, smooth=smooth, **given
        )

    return Shot(Job(site.lane, site.runtime, one.repo_id, inputs, work=work), place)
