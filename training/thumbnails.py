"""Small pictures to pick a style by, made by the network itself from one photo.

    python -m training.thumbnails zoo/checkpoints/many-styles space/examples/photos/pagoda.jpg

A checkpoint may hold ``thumbnail.jpg``, what it makes of a photo, and
``thumbnails/FIELD-VALUE.jpg``, the same with a setting at a value that its method marks as a look.
The site shows them where the style is picked; nothing else has to know of them.
"""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from PIL import Image, ImageOps

from training.cli import mistakes_told
from training.loop import write
from zoo import card, checkpoint
from zoo.form import form_of
from zoo.images import open_picture
from zoo.method import Method
from zoo.pipeline import Pipeline

log = logging.getLogger(__name__)

SIZE = (192, 144)  # pixels: twice what is drawn
WORKED_AT = 256  # longer side: strokes keep the size that training gave them


def make(method: Method, folder: Path, photo: Path) -> list[str]:
    """Write the thumbnails of ``method`` into its checkpoint's folder; earlier ones are replaced.

    Args:
        method: Makes them.
        folder: Of the checkpoint.
        photo: What of; it must be free to be shown.

    Returns:
        Their names, relative to ``folder``; none for a method that needs other pictures as well,
        or none at all.

    Raises:
        InputError: The photo cannot be used.
    """
    needed = [one.name for one in form_of(type(method).forward) if one.is_picture and one.required]
    made = []
    if needed == ["content"]:
        pipeline = Pipeline(method)
        shown = ImageOps.fit(open_picture(photo).image, (WORKED_AT, WORKED_AT * 3 // 4))
        for name, settings in _looks(method):
            (picture, *_) = pipeline(content=shown, size=WORKED_AT, **settings)
            buffer = io.BytesIO()
            picture.resize(SIZE, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=70)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write(folder / name, buffer.getvalue())
            made.append(name)
    earlier = [folder / card.thumbnail_name(), *(folder / "thumbnails").glob("*")]
    for path in earlier:
        if path.relative_to(folder).as_posix() not in made:
            path.unlink(missing_ok=True)
    return made


def _looks(method: Method) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each thumbnail, and the settings that it shows."""
    yield card.thumbnail_name(), {}
    offers = method.offers(method.config)
    for field in form_of(type(method).forward):
        if field.control.looks:
            for _, value in offers.get(field.name, ()):
                yield card.thumbnail_name(field.name, value), {field.name: value}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("photo", type=click.Path(path_type=Path))
def main(folder: Path, photo: Path) -> None:
    """Give the checkpoint in FOLDER thumbnails made of PHOTO."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with mistakes_told():
        log.info("wrote %s", ", ".join(make(checkpoint.load(folder), folder, photo)) or "none")


if __name__ == "__main__":
    main()
