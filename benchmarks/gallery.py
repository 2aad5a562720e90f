"""Pictures of everything that ships, and the page that shows them: ``docs/gallery.md``.

    python -m benchmarks.gallery [--again] [--only munit-chinese]

Every grid is made of pictures in ``space/examples`` by a checkpoint as it ships; the figures beside
it are those of its card. A grid is drawn anew where the weights have changed since it was, and with
``--again`` in any case. On one machine the same weights give the same files to the last byte.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from PIL import Image, ImageOps

from benchmarks.cards import row_of
from benchmarks.quality import evenly
from training.jobs import KINDS
from training.sheet import both_ways
from zoo import card, checkpoint, images
from zoo.compare import takes_style
from zoo.files import write_atomic
from zoo.form import form_of
from zoo.methods import METHODS, get_method
from zoo.pipeline import Pipeline
from zoo.sheet import Block, Cell, sheet

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
FOLDER = ROOT / "docs" / "gallery"
DRAWN = "drawn.json"  # in the folder: what each grid was made of
EXAMPLES = ROOT / "space" / "examples"

WIDEST, QUALITY = 720, 85  # pixels of a grid, and of JPEG
SIZE = 512  # longer side of a result in pixels, the usual one
SMALLER = 256  # of an optimisation, for its time; and of translations, as they are judged
STEPS = 60  # of Gatys
SHAPE, UPWARDS = (4, 3), (0.5, 0.1)  # of pictures in a grid; where faces are
LOOKS = 4  # of a network with many
ACROSS, INVENTED = 8, 24  # pictures that nothing is asked for
PHOTOS = ("photos/pagoda", "photos/astronaut", "photos/cat")
PAINTINGS = ("paintings/van-gogh-bouquet", "paintings/hiroshige-river", "paintings/redon-vase")
STYLES = {"fast_photo_style": ("photos/rocket", "photos/dahlia", "paintings/turner-venice")}


@dataclass(frozen=True)
class Grid:
    """One picture of the page.

    Args:
        name: Of the file, without its ending.
        method: Name of the method.
        folders: Of the checkpoints that it shows.
    """

    name: str
    method: str
    folders: tuple[Path, ...]

    def digest(self) -> str:
        """A name for what the picture is made of."""
        whole = hashlib.sha256()
        for folder in self.folders:
            for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
                if (folder / name).is_file():
                    whole.update((folder / name).read_bytes())
        return whole.hexdigest()[:16]

    def draw(self) -> Image.Image:
        """Make the pictures and lay them out."""
        pipelines = [Pipeline(checkpoint.load(folder)) for folder in self.folders]
        names = [folder.name for folder in self.folders]
        return sheet(list(blocks(pipelines, names)), 1, WIDEST)


def grids(shipped: Path) -> list[Grid]:
    """The pictures of the page, in the order of the methods.

    Networks that take nothing but a photo share one for each method, all others have their own.
    """
    found = []
    for name in METHODS:
        folders = [f for f in folders_in(shipped) if checkpoint.read_config(f)["method"] == name]
        folders = [f for f in folders if not downloads(f)]
        if alone(name) and folders:
            found.append(Grid(name, name, tuple(folders)))
        elif not alone(name):
            found += [Grid(folder.name, name, (folder,)) for folder in folders]
    return found


def folders_in(shipped: Path) -> list[Path]:
    """Of all checkpoints there, by name."""
    return [path.parent for path in sorted(shipped.glob(f"[!.]*/{checkpoint.CONFIG}"))]


def downloads(folder: Path) -> bool:
    """Whether a checkpoint stands on an encoder that does not come with the code."""
    return bool(checkpoint.read_config(folder)["config"].get("weights") == "torchvision")


def alone(method: str) -> bool:
    """Whether a method gives a photo one look only, without a direction or a style picture."""
    form = form_of(get_method(method).forward).by_name
    others = {"direction", "style", "painting"}
    return "content" in form and not others & form.keys()


# ---- what is on a grid


def blocks(pipelines: Sequence[Pipeline], names: Sequence[str]) -> Iterator[Block]:
    """The blocks of a grid: of both directions, of photos and styles, or of what is invented."""
    first = pipelines[0]
    own = form_of(type(first.method).forward).by_name
    if "direction" in own:
        kinds = {
            way: [cut(name) for name in KINDS.get(domain, KINDS["photo"])]
            for way, domain in zip(("AtoB", "BtoA"), first.method.config.domains, strict=True)
        }
        yield from both_ways(first, kinds, size=SMALLER)
    elif "content" not in own:
        drawn = [Cell(picture) for picture in first(samples=INVENTED, seed=0)]
        yield "", [drawn[at : at + ACROSS] for at in range(0, len(drawn), ACROSS)]
    elif takes_style(type(first.method)):
        yield "", painted(first)
    else:
        rows: list[list[Cell]] = [[Cell(cut(photo)) for photo in PHOTOS]]
        for pipeline, name in zip(pipelines, names, strict=True):
            for label, settings in looks(pipeline):
                made = [result(pipeline, cut(p), **settings) for p in PHOTOS]
                rows.append([Cell(picture, label or name) for picture in made])
        yield "", rows


def painted(pipeline: Pipeline) -> list[list[Cell]]:
    """Photos across, style pictures down."""
    name = pipeline.method.name
    rows = [[Cell(), *(Cell(cut(photo)) for photo in PHOTOS)]]
    settings = {"steps": STEPS, "size": SMALLER} if name == "gatys" else {}
    for style in STYLES.get(name, PAINTINGS):
        whole = example(style)
        made = [result(pipeline, cut(p), style=whole, **settings) for p in PHOTOS]
        rows.append([Cell(cut(style)), *map(Cell, made)])
    return rows


def looks(pipeline: Pipeline, most: int = LOOKS) -> list[tuple[str, dict[str, Any]]]:
    """Settings under which a network has another look, each with its name; or its only one."""
    method = pipeline.method
    offers = method.offers(method.config)
    found = [
        (label, {one.name: value})
        for one in form_of(type(method).forward)
        if one.control.looks
        for label, value in offers.get(one.name, ())
    ]
    return evenly(found, most) or [("", {})]


def example(name: str) -> Image.Image:
    """A picture of the examples."""
    return images.open_picture(EXAMPLES / f"{name}.jpg").image


def cut(name: str) -> Image.Image:
    """A picture of the examples, cut to one shape so that all fill their cells."""
    picture = example(name)
    width, height = SHAPE
    scale = min(picture.width / width, picture.height / height)
    return ImageOps.fit(picture, (round(scale * width), round(scale * height)), centering=UPWARDS)


def result(
    pipeline: Pipeline, content: Image.Image, *, size: int = SIZE, **settings: Any
) -> Image.Image:
    """What a method makes of a picture, the first of several."""
    (made, *_) = pipeline(content=content, size=size, **settings)
    return made


# ---- the page

INTRODUCTION = """# Gallery

What the checkpoints make of the pictures in [space/examples](../space/examples/CREDITS.md), as they
ship and with their usual settings: at {size} pixels, translations between two kinds of picture at
{smaller}. All of it is made by

```sh
python -m benchmarks.gallery
```

The pictures fit some tasks only so well. Translations begin with landscapes, which is what they
were trained on, and end with what they were not. One picture is a Chinese painting, Zhao Yuan's
landscape; two Japanese prints, which are nearest to it, stand beside it. *Winter* has one with some
snow, and then what is bare or pale.

## What two reports saw

Report 000 tried five methods, on photos and Chinese paintings where they translate between two
kinds of picture; report 001 tried MUNIT between summer and winter. What they found, and where to
look here:

| report | method | it found | here |
| --- | --- | --- | --- |
{rows}

The figures at a grid are those of the checkpoint's card, and in brackets that of untouched
pictures. KID is the distance, as a set, from pictures of the wanted kind: lower is nearer, and
where it is above its bracket, the results are further away than the pictures that they were made
of. The independent one is by a network that no training looked at. [Benchmarks](benchmarks.md) has
all figures.
"""
VERDICTS = (
    ("000", "CycleGAN", "good; photo → painting better than back", "cyclegan-chinese"),
    ("000", "MUNIT", "fair", "munit-chinese"),
    ("000", "DRIT", "poor", "drit-chinese"),
    ("000", "FastPhotoStyle", "poor", "photo-wct"),
    ("000", "Gatys", "fair", "gatys"),
    ("001", "MUNIT", "summer → winter better than back", "munit-seasons"),
)
WORDS = {
    "gatys": f"Photos across, paintings down; {STEPS} steps each at {SMALLER} pixels, where usual "
    f"are 200 at {SIZE}.",
    "johnson": "A network for each painting: photos across, networks down.",
    "many_styles": "Four of the paintings that one network knows; [its card]({card}) shows all.",
    "fast_photo_style": "Photos across, pictures down whose colours they get.",
    "cartoongan": "Photos across: a painted comic, and a dehazer, here without haze to take away.",
    "cyclegan": "Picture, translation, and the way back from that.",
    "munit": "Picture, and its translations with two codes.",
    "drit": "Picture, and its translations with two codes.",
    "dcgan": "The first seeds, in their order.",
}
FIGURES = (
    *("Independent KID", "KID", "Style loss, share of the photo's", "Gatys objective"),
    *("Style distance", "PSNR"),
)


def page(shipped: Path, folder: Path, where: Path) -> str:
    """The text of the page.

    Args:
        shipped: The checkpoints.
        folder: Of the pictures.
        where: Folder of the page itself, that links start from.
    """
    drawn = grids(shipped)
    there = {grid.name for grid in drawn}
    rows = [
        f"| {report} | {method} | {found} | "
        + (f"[{name}](#{name})" if name in there else "nothing ships that answers it yet")
        + " |"
        for report, method, found, name in VERDICTS
    ]
    parts = [INTRODUCTION.format(size=SIZE, smaller=SMALLER, rows="\n".join(rows))]
    method = ""
    for grid in drawn:
        title = METHODS[grid.method].title
        if method != grid.method:
            parts.append(f"## {title}\n")
        method = grid.method
        links = {f.name: link(f / checkpoint.CARD, where) for f in grid.folders}
        words = WORDS.get(grid.method, "Photos across, paintings down.")
        if not alone(grid.method):
            parts.append(f"### {grid.name}\n")
        lines = [words.format(card=next(iter(links.values())))]
        lines += [told(f, links[f.name]) for f in grid.folders]
        parts.append("\n".join([lines[0], "", *lines[1:], ""]))
        parts.append(f"![{title}]({link(folder / f'{grid.name}.jpg', where)})\n")
    missing = [f for f in folders_in(shipped) if downloads(f)]
    if missing:
        names = ", ".join(f"[{f.name}]({link(f / checkpoint.CARD, where)})" for f in missing)
        parts.append(f"Without a grid, as its encoder has to be downloaded first: {names}.\n")
    return "\n".join(parts)


def told(folder: Path, place: str) -> str:
    """A checkpoint's line: its card, how long it was trained, and its figures."""
    facts = card.parse((folder / checkpoint.CARD).read_text())
    words = []
    if facts.metrics:
        row = row_of(folder.name, facts)
        words.append(f"{row['steps']} steps of batch {row['batch']}")
        for measure in row["measures"]:
            stem, way = measure["name"], ""
            if stem.endswith((", AtoB", ", BtoA")):
                stem, _, way = stem.rpartition(", ")
            if stem in FIGURES:
                untouched = measure["untouched"]
                beside = "" if untouched is None else f" ({untouched:.3g})"
                words.append(f"{direction(facts.config, stem, way)} {measure['value']:.3g}{beside}")
    return f"- [{folder.name}]({place})" + (": " + "; ".join(words) if words else "")


def direction(config: Mapping[str, Any], stem: str, way: str) -> str:
    """The name of a figure, with its direction in words."""
    if not way:
        return stem
    here, there = config["domains"] if way == "AtoB" else config["domains"][::-1]
    return f"{stem} {here} → {there}"


def link(path: Path, where: Path) -> str:
    """The way to ``path`` from a document in ``where``."""
    return Path(os.path.relpath(path, where)).as_posix()


@click.command()
@click.option("--again", is_flag=True, help="Draw also what has not changed.")
@click.option("--only", multiple=True, help="Name of a grid; repeat it for more.")
def main(again: bool, only: tuple[str, ...]) -> None:
    """Draw what has changed, and write the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    book = FOLDER / DRAWN
    made = json.loads(book.read_text()) if book.exists() else {}
    wanted = {grid.name: grid for grid in grids(checkpoint.SHIPPED)}
    for name, grid in wanted.items():
        path, digest = FOLDER / f"{name}.jpg", grid.digest()
        same = path.exists() and made.get(name) == digest
        if (only and name not in only) or (same and not again):
            continue
        buffer = io.BytesIO()
        grid.draw().save(buffer, "JPEG", quality=QUALITY, optimize=True)
        write_atomic(path, buffer.getvalue())
        made[name] = digest
        write_atomic(book, f"{json.dumps(made, indent=1, sort_keys=True)}\n".encode())
        print(f"{path.name}: {len(buffer.getvalue()) / 1000:.0f} kB", flush=True)
    for stale in made.keys() - wanted.keys():
        (FOLDER / f"{stale}.jpg").unlink(missing_ok=True)
        del made[stale]
    write_atomic(book, f"{json.dumps(made, indent=1, sort_keys=True)}\n".encode())
    write_atomic(PAGE, page(checkpoint.SHIPPED, FOLDER, PAGE.parent).encode())
    total = sum(path.stat().st_size for path in FOLDER.glob("*.jpg"))
    print(f"{len(made)} grids, {total / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
