"""Seconds and peak memory of every method at still and video sizes.

    python -m benchmarks.matrix [--device cpu] [--method adain] [--size 640x480] [--again]

Each cell is a process of its own (Linux): it loads the method's usual checkpoint, repaints a small
picture, which loads what methods share, and then repaints the photo. Time is from the opened
picture to the finished one, as in :mod:`zoo.compare`: the median of a few runs after a first one,
or that first one where it took long. Memory on the CPU is how far the process grew from before
it had loaded anything, as in :mod:`zoo.memory`; on a GPU it is the most that the allocator gave,
with the weights.

A cell whose runs go on beyond the limit is ended and has the reason in place of figures, and so
have larger pictures with the same method.

Results are saved after every cell, and a cell that this machine has measured with the same
checkpoint and settings is not measured again, so a pass that was ended goes on where it was.
"""

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
from PIL import Image, ImageOps

from benchmarks import machine
from benchmarks.machine import EXAMPLES
from zoo import checkpoint, images, memory
from zoo.compare import ALLOCATOR, PROCESS, Meter, comparable, takes_style
from zoo.errors import RepoNotFoundError, ZooError
from zoo.files import write_atomic
from zoo.method import Method
from zoo.methods import METHODS
from zoo.pipeline import Pipeline, Progress
from zoo.runtime import Fetch, shipped

Size = tuple[int, int]  # width and height in pixels
STILLS: tuple[Size, ...] = ((256, 256), (512, 512), (1024, 1024))
FRAMES: tuple[Size, ...] = ((640, 480), (1280, 720), (1920, 1080))
SETTINGS: dict[str, dict[str, Any]] = {"gatys": {"steps": 20}}  # where defaults take minutes
RUNS = 2  # timed ones, after the first
PATIENCE = 2.0  # seconds; what takes longer is timed once
SMALL = 128  # longer side, at most, of the picture that loads what is shared
LIMIT = 60.0  # seconds
ASKED = ("method", "revision", "width", "height", "settings")  # of a row: what makes it the same


def cells(
    names: Sequence[str],
    sizes: Sequence[Size],
    device: str,
    *,
    runs: int = RUNS,
    limit: float = LIMIT,
    before: Sequence[Mapping[str, Any]] = (),
    fetch: Fetch = shipped,
    load: Callable[[Path], Method] = checkpoint.load,
) -> Iterator[dict[str, Any]]:
    """A row for each method and size, as soon as it is measured.

    Args:
        names: Of methods. One whose checkpoint ``fetch`` does not find has no rows, nor has one
            that takes no photo.
        sizes: Of the pictures.
        device: "cpu" or "cuda".
        runs: Timed ones.
        limit: Seconds for the runs of a cell.
        before: Rows of an earlier pass with the same runs and limit, which are not measured again.
        fetch: Finds checkpoints.
        load: Loads them, in the process of the cell; can be pickled.

    Yields:
        Rows with ``seconds`` and ``memory`` in bytes, or with the reason as ``skipped``.
    """
    known = {_asked(row): dict(row) for row in before}
    too_long = f"takes more than {limit:g} s"
    for name in names:
        method = METHODS[name]
        if not comparable(method):
            continue
        try:
            folder, revision = fetch(method.checkpoint, "main")
        except RepoNotFoundError:
            continue
        too_large = ""
        for width, height in sorted(sizes, key=math.prod):
            row: dict[str, Any] = {
                "method": name,
                "title": method.title,
                "checkpoint": method.checkpoint,
                "revision": revision,
                "width": width,
                "height": height,
                "settings": SETTINGS.get(name, {}),
            }
            if too_large:
                yield row | {"skipped": f"{too_large} take more than {limit:g} s already"}
                continue
            found = known.get(_asked(row))
            if found is None:
                asked = inputs(method, (width, height))
                found = measured(partial(cell, load, folder, asked, device, runs), limit)
                found = found or {"skipped": too_long}
                found["date"] = datetime.now(UTC).date().isoformat()
            if found.get("skipped") == too_long:
                too_large = f"{width}×{height} pixels"
            yield row | found


def _asked(row: Mapping[str, Any]) -> str:
    return json.dumps([row[key] for key in ASKED], sort_keys=True)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["method"], row["width"], row["height"]


def inputs(method: type[Method], size: Size) -> dict[str, Any]:
    """What a method gets: the photo cut to ``size``, and a painting if it needs one."""
    photo = images.open_picture(EXAMPLES / "photos" / "pagoda.jpg").image
    found: dict[str, Any] = {
        "content": ImageOps.fit(photo, size, Image.Resampling.LANCZOS),
        "size": max(size),
    }
    if takes_style(method):
        painting = EXAMPLES / "paintings" / "turner-venice.jpg"
        found["style"] = images.open_picture(painting).image
    return found | SETTINGS.get(method.name, {})


def measured(work: Callable[[Path], None], limit: float) -> dict[str, Any] | None:
    """What ``work`` says in a fresh process; None where its runs go on beyond ``limit`` seconds.

    Args:
        work: A :func:`cell` that lacks only the folder for its answer.
        limit: Seconds from when it has loaded all; loading has no limit.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), None
        grown: int | None = None
        with closing(memory.growth(partial(work, folder))) as growing:  # type: ignore[type-var]
            for told in growing:
                grown, now = told, time.monotonic()
                if began is None and (folder / "loaded").exists():
                    began = now
                if began is not None and now - began > limit:
                    return None
        answer = folder / "answer.json"
        found = json.loads(answer.read_text()) if answer.exists() else {}
    if not found:
        return {"skipped": "the process ended before its time"}
    if "skipped" not in found and found["memory_of"] == PROCESS:
        found["memory"] = grown
    return dict(found)


def cell(
    load: Callable[[Path], Method],
    folder: Path,
    asked: dict[str, Any],
    device: str,
    runs: int,
    place: Path,
) -> None:
    """What the process of a cell does; it leaves its answer in ``place``."""

    def answer(found: dict[str, Any]) -> None:
        write_atomic(place / "answer.json", json.dumps(found).encode())

    try:
        pipeline = Pipeline(load(folder), device)
        repaint(pipeline, asked | {"size": min(SMALL, asked["size"] // 2)})
        (place / "loaded").touch()
        meters = [repaint(pipeline, asked)]
        again = runs if meters[0][0] <= PATIENCE else 0
        meters += [repaint(pipeline, asked) for _ in range(again)]
    except ZooError as error:
        answer({"skipped": str(error)})
        return
    counted = meters[1:] or meters
    peaks = [peak for _, peak, _ in meters if peak is not None]
    last = meters[-1][2]
    wanted = asked["content"].size
    if last.record is None or (last.record.width, last.record.height) != wanted:
        answer({"skipped": "the result has another size"})
        return
    answer(
        {
            "seconds": round(median(seconds for seconds, _, _ in counted), 4),
            "runs": len(counted),
            "warm": bool(again),
            "memory": max(peaks) if peaks else None,
            "memory_of": ALLOCATOR if peaks else PROCESS,
            "precision": last.record.precision,
        }
    )


def repaint(pipeline: Pipeline, asked: dict[str, Any]) -> tuple[float, int | None, Progress]:
    """One run: seconds, the allocator's peak where there is one, and the result."""
    if "samples" in pipeline.form.by_name:
        asked = asked | {"samples": 1}
    meter = Meter(pipeline)
    *_, last = pipeline.stream(**asked)
    return *meter.read(), last


class SizeType(click.ParamType[Size]):
    """WIDTHxHEIGHT in pixels."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> Size:
        """Read "640x480"."""
        if isinstance(value, tuple):
            return value
        width, _, height = value.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            self.fail("give a size as 640x480", param, ctx)
        return int(width), int(height)


@click.command()
@click.option("--device", "devices", multiple=True, help="cpu, cuda; all there are if not given.")
@click.option("--method", "names", multiple=True, type=click.Choice(list(METHODS)))
@click.option("--size", "sizes", multiple=True, type=SizeType(), default=STILLS + FRAMES)
@click.option("--runs", default=RUNS, show_default=True, help="Timed runs after the first.")
@click.option("--limit-seconds", default=LIMIT, show_default=True, help="For the runs of a cell.")
@click.option("--again", is_flag=True, help="Measure what this machine has measured before, too.")
def main(
    devices: tuple[str, ...],
    names: tuple[str, ...],
    sizes: tuple[Size, ...],
    runs: int,
    limit_seconds: float,
    again: bool,
) -> None:
    """Measure every method at every size; with --method nothing is saved."""
    there = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices or there:
        file = "matrix" if device == "cpu" else "matrix-gpu"
        results: dict[str, Any] = {"device": device, "limit_seconds": limit_seconds, "runs": runs}
        earlier = {} if again or names else machine.measured_here(file)
        before = earlier.get("rows", []) if earlier.items() >= results.items() else []
        rows: list[dict[str, Any]] = []
        for row in cells(
            names or list(METHODS), sizes, device, runs=runs, limit=limit_seconds, before=before
        ):
            rows.append(row)
            told = (
                row.get("skipped") or f"{row['seconds']:.3f} s, {(row['memory'] or 0) / 1e6:.0f} MB"
            )
            print(
                f"{device:5} {row['method']:18} {row['width']}×{row['height']:<5} {told}",
                flush=True,
            )
            if not names:
                # Should this pass end here, what is known of the cells to come stays.
                done = {_place(one) for one in rows}
                later = [one for one in before if _place(one) not in done]
                machine.save(file, results | {"rows": rows + later})
        if not names:
            machine.save(file, results | {"rows": rows})


if __name__ == "__main__":
    # Under its own name, by which the processes of the cells find it.
    from benchmarks import matrix

    matrix.main()
