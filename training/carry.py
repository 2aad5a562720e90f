"""Packs of the pictures of jobs, to train on where the pictures themselves are not."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from training.data import pack
from training.jobs import Job, Session
from training.sources import link, listed, pictures, source
from zoo.errors import InputError

LARGEST_PACK = 40_000_000  # bytes, of one job
COPIED = {"style", "styles", "pairs"}  # fields of recipes that are no streams of pictures


def carry(session: Session, job: Job, out: Path, most: int = LARGEST_PACK) -> int:
    """Write the pictures of ``job`` to ``out``, decoded at the size used; returns the bytes.

    Where they are more than ``most`` bytes, an even choice of those to train on goes along; style
    pictures, pairs and those to judge by go whole.

    Raises InputError when those are too many already.
    """
    inside = replace(session, work=session.work / "carried")
    total, streams = 0, []
    # Folders before what lies in them.
    wanted = {(place, True) for place in job.judged_on.values()}
    wanted |= {(place, False) for place in job.data.values()}
    for place, test in sorted(wanted, key=lambda one: (len(one[0]), one)):
        trained_on = [name for name, data in job.data.items() if data == place]
        if "pairs" not in job.data and not test and trained_on[0] not in COPIED:
            streams.append((trained_on[0], place))
            continue
        if test and trained_on and ("pairs" in job.data or not job.held_out):
            continue  # goes along for training
        found = source(inside, job, place)
        if test and trained_on:
            found = pictures(inside, job, place, test=True)
        target = _target(out, job, place, test=test and bool(trained_on))
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if found.is_dir() else shutil.copy)(found, target)
            total += sum(p.stat().st_size for p in [target, *target.rglob("*")] if p.is_file())
    for number, (_, place) in enumerate(sorted(streams)):
        folder = pictures(inside, job, place)
        size = job.flags["load_size"]
        chosen = _as_many(listed(folder), size, (most - total) // (len(streams) - number))
        if not chosen:
            raise InputError("The pictures of {name} are too large to carry.", name=job.name)
        target = _target(out, job, place, test=False)
        pack(link(chosen, inside.work / job.name / folder.name), target, size)
        total += sum(p.stat().st_size for p in target.iterdir())
    return total


def _target(out: Path, job: Job, place: str, test: bool) -> Path:
    path = out / job.name / place.removesuffix(".txt")
    return path.with_name(f"{path.name}-test") if test else path


def _as_many(paths: Sequence[Path], size: int, most: int) -> list[Path]:
    """An even choice of ``paths`` that takes at most so many bytes, decoded at ``size``."""
    sizes = []
    for path in paths:
        with Image.open(path) as picture:  # reads the header only
            scale = min(1.0, size / min(picture.size))
            sizes.append(3 * round(picture.width * scale) * round(picture.height * scale) + 256)
    count = len(paths)
    while count and sum(sizes[n * len(paths) // count] for n in range(count)) > most:
        count = min(count - 1, count * 49 // 50)
    return [paths[n * len(paths) // count] for n in range(count)]
