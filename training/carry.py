"""Small copies of the pictures of jobs, to train on where the pictures themselves are not."""

import json
import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from training.data import ORIGINALS, content_hash, originals, shrunk
from training.jobs import Job, Session
from training.sources import listed, pictures, source
from zoo.errors import InputError
from zoo.files import staged

log = logging.getLogger(__name__)

MOST = 40_000_000  # bytes, of one job
QUALITY = 90  # of WebP: about an eighth of the decoded bytes
COPIED = {"style", "styles", "pairs"}  # fields of recipes that are no streams of pictures


def carry(session: Session, job: Job, out: Path, most: int = MOST) -> int:
    """Write the pictures of ``job`` to ``out``, at the size used; returns the bytes.

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
        target = _target(out, job, place, test=False)
        room = (most - total) // (len(streams) - number)
        total += _copy(listed(folder), target, job.flags["load_size"], room)
        if not originals(target):
            raise InputError("The pictures of {name} are too large to carry.", name=job.name)
    return total


def _target(out: Path, job: Job, place: str, test: bool) -> Path:
    path = out / job.name / place.removesuffix(".txt")
    return path.with_name(f"{path.name}-test") if test else path


def _copy(paths: Sequence[Path], out: Path, size: int, most: int) -> int:
    """Write an even choice of pictures to ``out``, as many as fit into ``most`` bytes.

    They are WebP, with a list of the digests of the originals, which is what cards tell.

    Returns:
        How many bytes they are in all.
    """
    if out.exists() and not (out / ORIGINALS).is_file():
        raise InputError("{out} is there already and holds no copies; move it away.", out=out)
    with staged(out) as fresh:

        def copy(path: Path) -> tuple[Path, str, int] | None:
            made = fresh / f"{path.name}.webp"
            try:
                shrunk(path, size).save(made, quality=QUALITY)
            except InputError as error:
                log.warning("left out %s: %s", path.name, error)
                return None
            digest = content_hash(path)
            return made, digest, made.stat().st_size + len(made.name.encode()) + len(digest) + 8

        with ThreadPoolExecutor() as pool:
            copies = list(filter(None, pool.map(copy, paths)))
        kept = copies
        while kept and sum(size for *_, size in kept) > most:
            count = min(len(kept) - 1, len(kept) * 49 // 50)
            kept = [copies[n * len(copies) // count] for n in range(count)]
        for made, *_ in set(copies) - set(kept):
            made.unlink()
        known = {made.name: digest for made, digest, _ in kept}
        (fresh / ORIGINALS).write_text(json.dumps(known))
    return sum(path.stat().st_size for path in out.iterdir())
