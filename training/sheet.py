"""The sample pictures of a card: what a method makes of some photos, on one sheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image

from zoo import images
from zoo.form import form_of
from zoo.method import Method
from zoo.pipeline import Pipeline
from zoo.sheet import Block, Cell, sheet

WIDEST = 640  # pixels of a sheet of both directions


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What the samples are made of.

    Args:
        contents: Photos, a column each; of a method that goes both ways, pictures of the first
            kind, a row each.
        contents_b: For such a method, pictures of the second kind; none, and the others are taken.
        styles: Style pictures, a row each; none for methods that take none.
        size: Longer side of a sample in pixels.
        options: Further settings of the method.
        vary: A setting whose values get a row each.
    """

    contents: Sequence[Path] = ()
    contents_b: Sequence[Path] = ()
    styles: Sequence[Path] = ()
    size: int = 384
    options: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """What is particular to each row."""
        rows: list[dict[str, Any]] = [{"style": style} for style in self.styles] or [{}]
        for name, values in self.vary.items():
            rows = [row | {name: value} for row in rows for value in values]
        return rows

    def some(self, method: Method) -> list[dict[str, Any]]:
        """Inputs of a few samples: every photo and every row at least once."""
        if not takes_photo(method):
            return [{"seed": 0, "samples": 8}]
        if not self.contents:
            return []
        if self.both_ways(method):
            return [
                self._inputs(path, {"direction": way})
                for way, paths in self.kinds().items()
                if way in directions(method)
                for path in paths
            ]
        rows = self.rows()
        return [
            self._inputs(self.contents[n % len(self.contents)], rows[n % len(rows)])
            for n in range(max(len(self.contents), len(rows)))
        ]

    def draw(self, method: Method) -> Image.Image | None:
        """The photos in the first row, and below each what the method makes of it.

        Style pictures stand at the left of their rows. A method that goes both ways has a block
        for each, see :func:`both_ways`. For a method that needs no photo, the pictures of the
        first seeds. None where there is nothing to show.
        """
        if not takes_photo(method):
            return invented(method)
        if not self.contents:
            return None
        pipeline, rows = Pipeline(method), self.rows()
        if self.both_ways(method):
            kinds = {
                way: [images.open_picture(path).image for path in paths]
                for way, paths in self.kinds().items()
            }
            settings = {"size": self.size, **self.options}
            return sheet(list(both_ways(pipeline, kinds, **settings)), 1, WIDEST)
        side = self.size // 2
        cells: dict[tuple[int, int], Image.Image] = {}
        for column, path in enumerate(self.contents):
            cells[0, column + bool(self.styles)] = images.open_picture(path).image
        for row, particular in enumerate(rows):
            if self.styles:
                cells[row + 1, 0] = images.open_picture(particular["style"]).image
        for row, column in product(range(len(rows)), range(len(self.contents))):
            (picture, *_) = pipeline(**self._inputs(self.contents[column], rows[row]))
            cells[row + 1, column + bool(self.styles)] = picture
        columns = 1 + max(column for _, column in cells)
        whole = Image.new("RGB", (columns * (side + 4), (1 + len(rows)) * (side + 4)), "white")
        for (row, column), picture in cells.items():
            small = images.fit(picture, side)
            left, top = column * (side + 4), row * (side + 4)
            whole.paste(small, (left + (side - small.width) // 2, top + (side - small.height) // 2))
        return whole

    def both_ways(self, method: Method) -> bool:
        """Whether each direction gets its own pictures: where no setting has a row instead."""
        known = form_of(type(method).forward).by_name
        return "direction" in known and "direction" not in self.options and not self.vary

    def kinds(self) -> dict[str, Sequence[Path]]:
        """The pictures that each direction begins with."""
        return {"AtoB": self.contents, "BtoA": self.contents_b or self.contents}

    def _inputs(self, content: Path, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"content": content, "size": self.size, **self.options, **row}


def directions(method: Method) -> Sequence[str]:
    """Those that a method with domains knows."""
    return getattr(method.config, "directions", ("AtoB", "BtoA"))


def both_ways(
    pipeline: Pipeline, kinds: Mapping[str, Sequence[Image.Image]], **settings: Any
) -> Iterator[Block]:
    """A block for each direction that a method knows, three columns wide.

    The columns are the picture, its translation, and the way back; or where results have a code,
    those of two codes.

    Args:
        pipeline: Of a method with domains.
        kinds: The pictures of each direction, a row each.
        settings: For all translations, their size for example.
    """
    known = directions(pipeline.method)
    for way, back in (("AtoB", "BtoA"), ("BtoA", "AtoB")):
        if way not in known:
            continue
        here, there = pipeline.method.config.domains[:: 1 if way == "AtoB" else -1]
        rows = []
        for picture in kinds[way]:
            if "samples" in pipeline.form.by_name:
                asked = {"samples": 2, "seed": 0, **settings}
                made = pipeline(content=picture, direction=way, **asked)
                words = [f"{there}, code {number + 1}" for number in range(len(made))]
            else:
                made = pipeline(content=picture, direction=way, **settings)
                words = [there]
                if back in known:
                    made += pipeline(content=made[0], direction=back, **settings)
                    words.append("and back")
            rows.append([Cell(p, w) for p, w in zip([picture, *made], [here, *words], strict=True)])
        yield f"{here} to {there}", rows


def takes_photo(method: Method) -> bool:
    """Whether a method repaints a photo, or makes pictures out of nothing."""
    return "content" in form_of(type(method).forward).by_name


def invented(method: Method, count: int = 32) -> Image.Image:
    """The pictures of the first seeds, for a method that needs no photo; eight in a row."""
    pictures = [image for n in range(count) for image in Pipeline(method)(seed=n, samples=1)]
    width, height = pictures[0].width + 2, pictures[0].height + 2
    sheet = Image.new("RGB", (8 * width, -(-count // 8) * height), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % 8 * width, number // 8 * height))
    return sheet
