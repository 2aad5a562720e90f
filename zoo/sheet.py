"""A contact sheet: many pictures as one, with titles and captions."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from zoo import images

WIDTH, GAP = 300, 14  # pixels, of a cell and between cells
TITLE, CAPTION, LINE = 17, 15, 21  # pixels: sizes of the letters, height of a line
LONGEST = 5  # lines of a caption
PAPER, INK, QUIET = "white", "#1d1b19", "#5d574f"


@dataclass(frozen=True)
class Cell:
    """A picture with a caption; both can be missing.

    Args:
        picture: As wide as the cell, where it is not higher than that lets it be.
        caption: Below it.
        highest: Height that the picture may have, as a share of the cell's width.
    """

    picture: Image.Image | None = None
    caption: str = ""
    highest: float = 1.5

    @property
    def height(self) -> int:
        """Of the picture, in pixels."""
        if self.picture is None:
            return 0
        return round(WIDTH * min(self.highest, self.picture.height / self.picture.width))


Block = tuple[str, Sequence[Sequence[Cell]]]


def sheet(blocks: Sequence[Block], across: int, widest: int | None = None) -> Image.Image:
    """Draw blocks, each a title above rows of cells.

    Args:
        blocks: At least one.
        across: How many stand beside each other.
        widest: Pixels; a wider sheet is shrunk to them.
    """
    drawn = [_block(title, rows) for title, rows in blocks]
    rows = [_beside(drawn[start : start + across]) for start in range(0, len(drawn), across)]
    inner = _stack(rows, GAP)
    whole = Image.new("RGB", (inner.width + 2 * GAP, inner.height + 2 * GAP), PAPER)
    whole.paste(inner, (GAP, GAP))
    if widest is None:
        return whole
    return images.fit(whole, round(widest * max(1, whole.height / whole.width)))


def _block(title: str, rows: Sequence[Sequence[Cell]]) -> Image.Image:
    grid = _stack([_beside(_row(cells)) for cells in rows], GAP // 2)
    head = Image.new("RGB", (grid.width, TITLE + 10), PAPER)
    draw, font = ImageDraw.Draw(head), ImageFont.load_default(TITLE)
    if draw.textlength(title, font) > grid.width:
        while title and draw.textlength(title + "…", font) > grid.width:
            title = title[:-1]
        title += "…"
    draw.text((0, 2), title, INK, font)
    return _stack([head, grid], 0)


def _row(cells: Sequence[Cell]) -> list[Image.Image]:
    """Cells of one height, which is that of the highest picture."""
    height = max(cell.height for cell in cells) or WIDTH
    return [_cell(cell, height) for cell in cells]


def _cell(cell: Cell, height: int) -> Image.Image:
    font = ImageFont.load_default(CAPTION)
    lines = textwrap.wrap(cell.caption, WIDTH * 2 // CAPTION)[:LONGEST]
    drawn = Image.new("RGB", (WIDTH, height + LINE * len(lines)), PAPER)
    if cell.picture:
        scale = min(WIDTH / cell.picture.width, cell.height / cell.picture.height)
        size = (round(scale * cell.picture.width), round(scale * cell.picture.height))
        drawn.paste(images.resize(cell.picture, size), ((WIDTH - size[0]) // 2, 0))
    draw = ImageDraw.Draw(drawn)
    for number, line in enumerate(lines):
        draw.text((0, height + LINE * number + 3), line, QUIET, font)
    return drawn


def _beside(parts: Sequence[Image.Image]) -> Image.Image:
    width = sum(one.width for one in parts) + GAP * (len(parts) - 1)
    whole = Image.new("RGB", (width, max(one.height for one in parts)), PAPER)
    left = 0
    for one in parts:
        whole.paste(one, (left, 0))
        left += one.width + GAP
    return whole


def _stack(parts: Sequence[Image.Image], gap: int) -> Image.Image:
    height = sum(one.height for one in parts) + gap * (len(parts) - 1)
    whole = Image.new("RGB", (max(one.width for one in parts), height), PAPER)
    top = 0
    for one in parts:
        whole.paste(one, (0, top))
        top += one.height + gap
    return whole
