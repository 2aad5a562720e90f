"""How good a translation between two kinds of picture is: CycleGAN, MUNIT, DRIT.

    python -m benchmarks.translation FOLDER --domain-a DIR --domain-b DIR [--out quality.json]

Each direction turns the pictures of one folder into those of the other; take pictures that were
not trained on. Results are measured by how far they are, as a set, from the pictures of the wanted
kind, beside how far the untouched pictures are; by what is left of the photo; and by how well the
way back undoes the way there, also after noise or a blur, which only hurts where the photo is
hidden in the result (Chu, Zhmoginov & Sandler, CycleGAN, a Master of Steganography,
arXiv:1712.02950). Where results have a code there are three more questions: whether codes make a
difference, beside that among the wanted pictures, whether results move evenly from one code to
another, and whether codes of pictures are as good as drawn ones. The JSON is what
`python -m training.publish --metrics` takes.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean

import click
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from benchmarks.quality import evenly, load, tell
from training.codes import guided_to_random, spread, steadiness
from training.data import pictures_in
from training.faults import luminance_correlation
from zoo import checkpoint
from zoo.card import Metric
from zoo.codes import Coded
from zoo.method import Direction, Method
from zoo.metrics import (
    FEATURES,
    INDEPENDENT,
    PooledEfficientNet,
    content_error_vgg19,
    fid_vgg19,
    fingerprints,
    kid,
    kid_vgg19,
)
from zoo.nn.vgg import vgg19

BACK: dict[Direction, Direction] = {"AtoB": "BtoA", "BtoA": "AtoB"}
SIZE, COUNT = 192, 120  # pixels of the longer side; pictures of each kind, at most
TRIED = 8  # pictures whose results of many codes are compared
NOISE = 5 / 255


def noisy(made: Tensor) -> Tensor:
    """``(1, 3, H, W)`` with Gaussian noise of :data:`NOISE`, which is always the same."""
    noise = torch.randn(made.shape, generator=torch.Generator().manual_seed(0))
    return made + NOISE * noise.to(made.device)


# What is done to a result before the way back.
SPOILED: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda made: made,
    " after noise of 5/255": noisy,
    " after a blur of 1 px": lambda made: gaussian_blur(made, [5, 5], [1.0, 1.0]),
}


def translate(method: Method, picture: Tensor, direction: Direction, seed: int) -> Tensor:
    """One translation of ``(1, 3, H, W)``; where results have a code, that of ``seed``."""
    if isinstance(method, Coded):
        return method.render(picture, method.codes(seed, 1), direction)
    return method(picture, direction=direction)


def back(method: Method, made: Tensor, picture: Tensor, direction: Direction) -> Tensor:
    """The way back from ``made`` to the ``picture`` that it was made of, by its own code."""
    if isinstance(method, Coded):
        return method.render(made, method.code_of(picture, BACK[direction]), BACK[direction])
    return method(made, direction=BACK[direction])


@torch.no_grad()
def measure(
    method: Method, pictures: list[Tensor], wanted: list[Tensor], direction: Direction
) -> list[Metric]:
    """The figures of one direction.

    Args:
        method: CycleGAN, MUNIT or DRIT.
        pictures: Of the kind that ``direction`` comes from, each ``(1, 3, H, W)`` in [0, 1].
        wanted: Of the kind that it leads to; four at least.
        direction: Which way.
    """
    encoder = vgg19(device=pictures[0].device)
    other = PooledEfficientNet(pictures[0].device)
    made = [translate(method, p, direction, seed) for seed, p in enumerate(pictures)]
    pairs = list(zip(made, pictures, strict=True))
    count = f"{len(pictures)} pictures, {len(wanted)} of the wanted kind"
    rows: list[tuple[str, float, str, str]] = []
    for name, distance, features in (
        ("Independent KID", partial(kid, extractor=other), INDEPENDENT),
        ("KID", partial(kid_vgg19, encoder=encoder), FEATURES),
        ("FID", partial(fid_vgg19, encoder=encoder), FEATURES),
    ):
        rows.append((name, distance(made, wanted), features, "lower"))
        rows.append((f"{name} of the untouched", distance(pictures, wanted), features, ""))
    rows.append(
        (
            "Content error, relative",
            mean(content_error_vgg19(m, p, encoder) for m, p in pairs),
            "VGG-19 relu4_2",
            "lower",
        )
    )
    for words, spoil in SPOILED.items():
        errors = [float((back(method, spoil(m), p, direction) - p).abs().mean()) for m, p in pairs]
        rows.append((f"Cycle error{words}, mean |difference|", mean(errors), "pixels", "lower"))
    likeness = mean(luminance_correlation(m, p) for m, p in pairs)
    rows.append(("Correlation of light and dark", likeness, "luma", "higher"))
    if isinstance(method, Coded):
        some = evenly(pictures, TRIED)
        rows.append(
            (
                "Diversity of 10 codes, perceptual distance",
                mean(spread(method, p, direction, encoder) for p in some),
                "VGG-19",
                "higher",
            )
        )
        real = torch.cat([fingerprints(picture, encoder) for picture in wanted])
        among = float(torch.pdist(real).mean())
        rows.append(("Diversity of the wanted, perceptual distance", among, "VGG-19", "higher"))
        rows.append(
            (
                "Steadiness from code to code, 1 = even",
                mean(steadiness(method, p, direction, encoder) for p in some),
                "VGG-19",
                "higher",
            )
        )
        least = min(len(pictures), len(wanted))
        ratio = guided_to_random(
            method, evenly(pictures, least), evenly(wanted, least), direction, encoder
        )
        rows.append(("KID of codes of pictures over that of drawn ones", ratio, FEATURES, "lower"))
    return [
        Metric(
            name=f"{name}, {direction}",
            value=float(f"{value:.4g}"),
            features=features,
            data=count,
            better=better,  # type: ignore[arg-type]
        )
        for name, value, features, better in rows
    ]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--domain-a", type=click.Path(path_type=Path), required=True)
@click.option("--domain-b", type=click.Path(path_type=Path), required=True)
@click.option("--size", default=SIZE, show_default=True, help="Longer side in pixels.")
@click.option("--count", default=COUNT, show_default=True, help="Pictures of each kind, at most.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path))
def main(
    folder: Path,
    domain_a: Path,
    domain_b: Path,
    size: int,
    count: int,
    device: str,
    out: Path | None,
) -> None:
    """Measure both directions of the checkpoint in FOLDER."""
    method = checkpoint.load(folder).to(device)
    a, b = (
        [load(path, size).to(device) for path in evenly(pictures_in(place), count)]
        for place in (domain_a, domain_b)
    )
    metrics = [*measure(method, a, b, "AtoB"), *measure(method, b, a, "BtoA")]
    tell(metrics, out)


if __name__ == "__main__":
    main()
