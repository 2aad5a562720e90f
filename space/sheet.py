"""The sheet: what the server has drawn of style codes for a visitor, and its files."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from space.plans import Row
from space.results import save
from zoo.pipeline import Progress

FRAME, PAUSE = 110, 700  # milliseconds of an animation's pictures, and of its two ends
ANIMATED_AT = 256  # pixels that small pictures are enlarged to, in an animation
COLOURS_AT = (128, 96)  # pixels in which the colours of a GIF are looked for


@dataclass(frozen=True)
class Drawing:
    """A finished picture of a visitor's.

    Args:
        key: Names it in the browser.
        label: What it is called.
        code: What it was drawn from.
        seed: Of its code, where it has one.
        path: The PNG with its record inside.
        thumbnail: A smaller copy.
        width: In pixels.
        height: In pixels.
    """

    key: str
    label: str
    code: str
    seed: int | None
    path: str
    thumbnail: str
    width: int
    height: int

    def shown(self) -> dict[str, Any]:
        """As the browser gets it."""
        return {
            "key": self.key,
            "label": self.label,
            "code": self.code,
            "seed": self.seed,
            "src": served(self.path),
            "thumbnail": served(self.thumbnail),
            "name": Path(self.path).name,
            "width": self.width,
            "height": self.height,
        }


@dataclass(frozen=True)
class Sheet:
    """What has been drawn: samples, a way between some of them, and its animations."""

    samples: tuple[Drawing, ...] = ()
    way: tuple[Drawing, ...] = ()
    animations: tuple[str, ...] = ()

    def find(self, key: object) -> Drawing | None:
        """The drawing of that name, which a browser sent."""
        return next((one for one in (*self.samples, *self.way) if one.key == key), None)


def placed(sheet: Sheet, place: str, drawn: Sequence[Drawing]) -> Sheet:
    """The sheet with what was drawn in its place."""
    match place:
        case "samples":
            return replace(sheet, samples=tuple(drawn))
        case "more":
            return replace(sheet, samples=(*sheet.samples, *drawn))
    return replace(sheet, way=tuple(drawn), animations=())


def keep(progress: Progress, row: Row) -> Drawing:
    """Save a finished picture."""
    result = save(replace(progress, content=None), "", {})
    settings = result.record["settings"]
    width, height = result.record["width"], result.record["height"]
    path = result.files[0]
    return Drawing(
        key=uuid.uuid4().hex,
        label=row.label,
        code=settings["code"],
        seed=row.seed,
        path=path,
        # A small picture is its own thumbnail, and sharper so.
        thumbnail=result.thumbnail if max(width, height) > ANIMATED_AT else path,
        width=width,
        height=height,
    )


def animate(paths: Sequence[str], record: str) -> tuple[str, str]:
    """Write the pictures there and back as animated WebP and GIF, beside the first one.

    Args:
        paths: Of the pictures, all of one size.
        record: How the last of them was made, kept inside.
    """
    frames = []
    for path in paths:
        with Image.open(path) as picture:
            frame = picture.convert("RGB")
        scale = ANIMATED_AT // max(frame.size)
        if scale > 1:  # as it is drawn on the page
            size = (scale * frame.width, scale * frame.height)
            frame = frame.resize(size, Image.Resampling.NEAREST)
        frames.append(frame)
    # The 256 colours of a GIF are those of a small copy, found far sooner.
    indexed = [
        frame.quantize(palette=frame.resize(COLOURS_AT).quantize(), dither=Image.Dither.NONE)
        for frame in frames
    ]
    pauses = [PAUSE, *[FRAME] * (len(frames) - 2), PAUSE, *[FRAME] * (len(frames) - 2)]
    exif = Image.Exif()
    exif[0x010E] = record  # ImageDescription
    kinds: dict[str, tuple[list[Image.Image], dict[str, Any]]] = {
        ".webp": (frames, {"quality": 88, "method": 2, "exif": exif}),
        ".gif": (indexed, {"comment": record.encode()}),
    }
    made = []
    for suffix, (there, words) in kinds.items():
        target = Path(paths[0]).with_suffix(suffix)
        loop = [*there[1:], *there[-2:0:-1]]
        there[0].save(target, save_all=True, append_images=loop, duration=pauses, loop=0, **words)
        made.append(str(target))
    return made[0], made[1]


def served(path: str) -> str:
    """Address of a result, relative to the page."""
    return f"gradio_api/file={path}"
