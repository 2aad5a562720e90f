"""Search the style weight of a Johnson network: short trainings, measured on photos held out.

    python -m training.search --held-out DIR --out runs/search --weight 3 --weight 6 --weight 12
        --photos DIR --style PICTURE --steps 150 --start-from FOLDER

One weight does not fit all styles: a pale drawing hardly shows at a weight at which a bold painting
leaves nothing of the photo. Flags that are not of the search go to each `training.johnson`. Of the
weights the largest is chosen whose results still hold the photo, by their error at relu4_2; where
none does, the smallest. All are listed in ``search.json``, for who wants to choose by eye: each
training is in its folder, with sample grids.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

import click
import torch

from training.cli import mistakes_told
from training.data import pictures_in
from training.loop import write
from zoo import checkpoint, images
from zoo.errors import InputError
from zoo.metrics import content_error_vgg19, style_error_vgg19
from zoo.nn.vgg import vgg19

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tried:
    """What a weight led to, as means over the photos.

    Args:
        weight: Of the style term.
        content: Error at relu4_2 over the photo's power.
        style: Distance of Gram matrices over the untouched photo's.
    """

    weight: float
    content: float
    style: float


def choose(tried: Sequence[Tried], bound: float) -> Tried:
    """The largest weight whose content error is at most ``bound``; else the smallest weight."""
    in_order = sorted(tried, key=lambda one: one.weight)
    return ([in_order[0]] + [one for one in in_order if one.content <= bound])[-1]


@torch.no_grad()
def measure(folder: Path, weight: float, photos: Sequence[Path], style: Path, size: int) -> Tried:
    """Measure the checkpoint in ``folder``, with pictures whose longer side is ``size`` pixels."""
    method, encoder = checkpoint.load(folder), vgg19()
    pictures = [
        images.to_tensor(images.fit(images.open_picture(path).image, size))
        for path in (style, *photos)
    ]
    contents, styles = [], []
    for photo in pictures[1:]:
        height, width = (side // method.multiple * method.multiple for side in photo.shape[2:])
        part = photo[..., :height, :width]
        made = method(part)
        contents.append(content_error_vgg19(made, part, encoder))
        untouched = style_error_vgg19(part, pictures[0], encoder)
        styles.append(style_error_vgg19(made, pictures[0], encoder) / untouched)
    return Tried(weight, round(mean(contents), 4), round(mean(styles), 4))


def search(
    weights: Sequence[float],
    flags: Sequence[str],
    out: Path,
    *,
    style: Path,
    held_out: Path,
    size: int,
    bound: float,
    count: int = 8,
) -> Tried:
    """Train and measure at each of ``weights``; a search that was stopped goes on where it was.

    Args:
        weights: Of the style term.
        flags: Of `training.johnson`, as on its command line.
        out: Folder of the trainings and of ``search.json``.
        style: The style picture.
        held_out: Folder of photos to measure on.
        size: Of pictures when measured, longer side in pixels.
        bound: Of the content error.
        count: Of photos, at most.

    Returns:
        What was chosen.

    Raises:
        InputError: A training ended with an error, which it has told already, or there are no
            photos to measure on.
    """
    photos = pictures_in(held_out)[:count]
    tried = []
    for weight in weights:
        folder = out / f"weight-{weight:g}"
        asked = ["--style", str(style), "--style-weight", f"{weight:g}", "--out", str(folder)]
        command = [sys.executable, "-m", "training.johnson", *flags, *asked]
        if subprocess.run(command, check=False).returncode:
            raise InputError("The training with weight {weight} failed.", weight=f"{weight:g}")
        tried.append(measure(folder / "checkpoint", weight, photos, style, size))
        log.info("weight %g: content error %g, style %g", *asdict(tried[-1]).values())
    chosen = choose(tried, bound)
    found = {
        "chosen": chosen.weight,
        "bound": bound,
        "photos": len(photos),
        "size": size,
        "tried": [asdict(one) for one in tried],
    }
    write(out / "search.json", json.dumps(found, indent=2).encode() + b"\n")
    return chosen


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--held-out", type=Path, required=True, help="Folder of photos to measure on.")
@click.option("--style", type=Path, required=True, help="The style picture.")
@click.option("--out", type=Path, required=True, help="Folder for the trainings.")
@click.option("--weight", "weights", type=float, multiple=True, default=(3.0, 6.0, 12.0, 24.0))
@click.option("--bound", default=0.9, show_default=True, help="Of the content error at relu4_2.")
@click.option("--measured-size", "size", default=256, show_default=True, help="Pixels.")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def main(
    held_out: Path,
    style: Path,
    out: Path,
    weights: tuple[float, ...],
    bound: float,
    size: int,
    flags: tuple[str, ...],
) -> None:
    """Try style weights; FLAGS are those of `training.johnson`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with mistakes_told():
        chosen = search(weights, flags, out, style=style, held_out=held_out, size=size, bound=bound)
        click.echo(f"{chosen.weight:g}")


if __name__ == "__main__":
    main()
