"""Where the pictures of a job lie: those to train on, and those to judge by."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from training.data import INDEX, ORIGINALS, pictures_in
from training.jobs import Job, Session
from training.loop import write
from zoo.errors import InputError

HELD_OUT = 10  # every so manyth picture is not trained on, where a job holds some out
SCENES = 5  # likewise of the scenes of pairs


def source(session: Session, job: Job, place: str) -> Path:
    """Where the pictures of ``place`` lie: in what was packed for ``job``, else as they are.

    Raises InputError when they are nowhere.
    """
    packed = session.data / job.name / place.removesuffix(".txt")
    found = packed if packed.exists() else session.data / place
    if not found.exists():
        raise InputError("There is no {place} in {data}.", place=place, data=session.data)
    return found


def pictures(session: Session, job: Job, place: str, *, test: bool = False) -> Path:
    """A folder, pack or file of the pictures to train on, or with ``test`` of those to judge by.

    Where only some of a folder are meant, it is a folder of links to them.
    """
    found = source(session, job, place)
    held_out = job.held_out and place in job.data.values()
    if any((found / name).is_file() for name in (INDEX, ORIGINALS)):
        return found.with_name(f"{found.name}-test") if test and held_out else found
    if found.suffix == ".csv":
        return _scenes(session, job, found, test) if held_out else found
    some = job.some and found.name == "styles" and not test
    pairs = "pairs" in job.data  # of those whole scenes are held out, by their table
    if found.suffix != ".txt" and not some and (pairs or not held_out):
        return found
    paths = [p for p in listed(found) if not some or p.stem in job.some]
    if held_out:
        last = HELD_OUT - 1
        paths = [p for n, p in enumerate(paths) if (n % HELD_OUT == last) == test]
    # Of several names: digests and cards do not depend on the place, but people read it.
    name = "-".join(Path(place).with_suffix("").parts).replace("_manifest", "")
    if some:
        name = f"{job.name}-{name}"
    return link(paths, session.work / "pictures" / (f"{name}-test" if test else name))


def listed(place: Path) -> list[Path]:
    """The pictures in a folder, or of a list of them."""
    if place.suffix != ".txt":
        return [path for path in pictures_in(place) if path.parent == place]
    lines = filter(None, map(str.strip, place.read_text().splitlines()))
    return [(place.parent / line).resolve() for line in lines]


def link(paths: Iterable[Path], folder: Path) -> Path:
    """Make ``folder`` hold links to exactly these files."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {path.name: path.resolve() for path in paths}
    for stale in folder.iterdir():
        if stale.name not in wanted or stale.resolve() != wanted[stale.name]:
            stale.unlink()
    for name, path in wanted.items():
        if not (folder / name).exists():
            (folder / name).symlink_to(path)
    return folder


def _scenes(session: Session, job: Job, table: Path, test: bool) -> Path:
    """The lines of a table of pairs whose scenes are trained on, or with ``test`` are not."""
    last = SCENES - 1
    kept = [
        line
        for line in csv.reader(table.read_text().splitlines())
        if (digits := Path(line[0]).stem.partition("_")[0]).isdigit()
        and (int(digits) % SCENES == last) == test
    ]
    text = io.StringIO()
    csv.writer(text).writerows(kept)
    out = session.work / "pictures" / f"{job.name}-{'test' if test else 'train'}.csv"
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out, text.getvalue().encode())
    return out
