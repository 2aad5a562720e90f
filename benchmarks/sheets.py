"""Contact sheets to look at: what each shipped checkpoint makes of pictures not trained on.

    python -m benchmarks.sheets --data DIR [--only adain] [--count 20]

Written to ``runs/sheets/NAME.jpg``, for the eye and not for publishing: most of the pictures may
not be redistributed. Translations are shown for both directions and of the pictures that their
training held out; whatever takes a style picture gets another one for each photo.
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import click
from PIL import Image

from benchmarks.gallery import folders_in, looks, result
from benchmarks.quality import evenly
from training.cartoongan import read_table
from training.data import pictures_in
from training.jobs import JOBS, Job, Session
from training.sources import pictures
from zoo import checkpoint, images
from zoo.errors import ZooError
from zoo.method import Direction
from zoo.pipeline import Pipeline
from zoo.sheet import Block, Cell, sheet

OUT = Path("runs/sheets")
CONTENTS, STYLES = "contents", "styles"  # below the data folder; nothing trains on the contents
ACROSS, SIZE, QUALITY = 4, 384, 88
STREAMS: dict[Direction, str] = {"AtoB": "domain_a", "BtoA": "domain_b"}


def held_out(session: Session, job: Job, stream: str) -> list[Path]:
    """The pictures of a stream that its training leaves out."""
    if pairs := job.data.get("pairs"):
        folder = session.data / job.data[stream]
        lines = read_table(pictures(session, job, pairs, test=True))
        return [folder / Path(line[0]).name for line in lines]
    return pictures_in(pictures(session, job, job.data[stream], test=True))


def blocks(session: Session, job: Job, pipeline: Pipeline, count: int) -> Iterator[Block]:
    """A pair, or a triple with the style, for each of ``count`` pictures."""
    own = pipeline.form.by_name
    if "content" not in own:
        made = pipeline(samples=count, seed=0)
        yield from (("", [[Cell(picture)]]) for picture in made)
        return
    if "direction" in own:
        for direction, stream in STREAMS.items():
            for path in evenly(held_out(session, job, stream), count):
                yield pair(pipeline, path, direction=direction)
        return
    paths = (
        held_out(session, job, "photos")
        if "pairs" in job.data
        else pictures_in(session.data / CONTENTS)
    )
    if "style" in own:
        styles = evenly(pictures_in(session.data / STYLES), count)
        settings = [("", {"style": images.open_picture(path).image}) for path in styles]
    else:
        settings = looks(pipeline, count)
    for path, (label, one) in zip(evenly(paths, count), cycle(settings), strict=False):
        yield pair(pipeline, path, label, **one)


def pair(pipeline: Pipeline, path: Path, words: str = "", **settings: Any) -> Block:
    """A photo beside its result, with the style between them where there is one."""
    photo = images.open_picture(path).image
    cells = [Cell(photo), Cell(result(pipeline, photo, size=SIZE, **settings))]
    style = settings.get("style")
    if isinstance(style, Image.Image):
        cells.insert(1, Cell(style, highest=1.0))
    direction = settings.get("direction")
    return " ".join(map(str, filter(None, (path.stem, direction, words)))), [cells]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--only", multiple=True, help="Name of a checkpoint; repeat it for more.")
@click.option("--count", default=20, show_default=True, help="Pictures, of each direction.")
def main(data: Path, only: tuple[str, ...], count: int) -> None:
    """Draw the sheets of the shipped checkpoints that are trained."""
    OUT.mkdir(parents=True, exist_ok=True)
    session = Session(data=data, work=OUT)
    there = {folder.name for folder in folders_in(checkpoint.SHIPPED)}
    for job in JOBS:
        if job.name not in there or (only and job.name not in only):
            continue
        pipeline = Pipeline(checkpoint.load(checkpoint.SHIPPED / job.name))
        try:
            whole = sheet(list(blocks(session, job, pipeline, count)), ACROSS)
        except ZooError as error:
            print(f"{job.name}: {error}", flush=True)
            continue
        path = OUT / f"{job.name}.jpg"
        whole.save(path, quality=QUALITY)
        print(path, flush=True)


if __name__ == "__main__":
    main()
