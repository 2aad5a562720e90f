"""Giving a photo another picture's colours: FastPhotoStyle beside the package colorcast.

    pip install --no-deps colorcast==2.6.0
    python -m benchmarks.colors [--size 512] [--rounds 3]

The package transfers colours by statistics alone, pixel by pixel: the means and deviations of Lab
(Reinhard et al., Color Transfer between Images, 2001), and the histogram of each channel.
FastPhotoStyle whitens and colours features of VGG-19. All get the same pictures and take turns.
Qt, which the package asks for, is needed by its window only.
"""

from collections.abc import Callable
from importlib import import_module
from statistics import mean, median
from time import perf_counter
from typing import Any

import click
import numpy as np
from PIL import Image

from benchmarks import machine
from benchmarks.machine import EXAMPLES
from zoo import images
from zoo.errors import InputError
from zoo.metrics import Reference, color_drift
from zoo.nn.vgg import vgg19
from zoo.runtime import Runtime

PEER, VERSION = "colorcast", "2.6.0"
PAIRS = (("pagoda", "turner-venice"), ("astronaut", "cezanne-mountain"), ("cat", "courbet-sea"))
FIGURES = ("content_error_vgg19", "ssim")
Recolor = Callable[[Image.Image, Image.Image], Image.Image]


def ours(smoothing: str) -> Recolor:
    """FastPhotoStyle on the CPU."""
    pipeline = Runtime("cpu").pipeline("zoo/photo-wct")

    def recolor(photo: Image.Image, style: Image.Image) -> Image.Image:
        size = max(photo.size)
        (made,) = pipeline(content=photo, style=style, size=size, smoothing=smoothing)
        return made

    return recolor


def packaged() -> dict[str, Recolor]:
    """The package's two ways that take all colours over."""
    try:
        package = import_module(PEER)
    except ImportError:
        raise InputError(
            "The peer is missing. Install it: pip install --no-deps {package}",
            package=f"{PEER}=={VERSION}",
        ) from None

    def through(transfer: Callable[[Any, Any], Any]) -> Recolor:
        def recolor(photo: Image.Image, style: Image.Image) -> Image.Image:
            pixels = (np.asarray(p, dtype=np.float32) / 255 for p in (photo, style))
            made = np.clip(transfer(*pixels), 0, 1)
            return Image.fromarray((255 * made).round().astype(np.uint8))

        return recolor

    return {
        f"{PEER}, Lab": through(package.color_transfer_lab),
        f"{PEER}, histograms": through(package.match_histograms_multichannel),
    }


@click.command()
@click.option("--size", default=512, show_default=True, help="Longer side in pixels, at most.")
@click.option("--rounds", default=3, show_default=True)
def main(size: int, rounds: int) -> None:
    """Measure all on each pair of pictures."""
    ways = packaged() | {
        "FastPhotoStyle": ours("closed"),
        "FastPhotoStyle, quick smoothing": ours("guided"),
    }
    encoder = vgg19()
    spent: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in (*ways, "untouched photo")}
    for number, (content, painting) in enumerate(PAIRS):
        photo, style = (
            images.fit(images.open_picture(path).image, size)
            for path in (
                EXAMPLES / "photos" / f"{content}.jpg",
                EXAMPLES / "paintings" / f"{painting}.jpg",
            )
        )
        made = {"untouched photo": photo}
        if number == 0:
            for way in ways.values():
                way(photo, style)  # loads and warms up
        for _ in range(rounds):
            for name, way in ways.items():
                started = perf_counter()
                made[name] = way(photo, style)
                spent[name].append(perf_counter() - started)
        wanted = images.to_tensor(style)
        reference = Reference(images.to_tensor(photo), encoder)
        for name, picture in made.items():
            pixels = images.to_tensor(picture)
            figures = reference.measure(pixels)
            told = {key: float(figures[key] or 0) for key in FIGURES}
            found[name].append(told | {"drift_from_style": color_drift(pixels, wanted)})
    rows = []
    for name, figures_of in found.items():
        row: dict[str, Any] = {
            key: round(mean(one[key] for one in figures_of), 4) for key in figures_of[0]
        }
        seconds = round(median(spent[name]), 4) if name in spent else None
        row = {"way": name, "seconds": seconds} | row
        rows.append(row)
        print(*row.values(), sep="\t", flush=True)
    machine.save("colors", {"device": "cpu", "size": size, "pairs": PAIRS, "rows": rows})


if __name__ == "__main__":
    main()
