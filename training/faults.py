"""Faults that trained networks are known for, each as a number, and what is let pass.

A checkerboard from transposed convolutions, a frame from zero padding, colours that drift, and the
dark and faded pictures of a swap without statistics; of adversarial networks negatives, results
that are all alike, and copies of training pictures. All take pictures in [0, 1]; 0 is faultless but
for :func:`contrast`, :func:`luminance_correlation` and :func:`memorisation`, where 1 is, and for
:func:`diversity`, where more is better. Those that tell something of any result are defined in
:mod:`zoo.metrics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.card import Metric
from zoo.color import luminance
from zoo.errors import CheckpointError
from zoo.metrics import checkerboard, color_drift, fingerprints, luminance_correlation
from zoo.nn.vgg import VGG19

__all__ = [
    "BOUNDS",
    "Bound",
    "admitted",
    "bounds_of",
    "checkerboard",
    "color_drift",
    "contrast",
    "diversity",
    "fingerprints",
    "fitted",
    "frame",
    "luminance_correlation",
    "memorisation",
    "nearest",
]


@dataclass(frozen=True)
class Bound:
    """What is let pass of a figure.

    Args:
        name: What cards call the figure.
        fault: What is wrong beyond the bound.
        features: What it stands on.
        least: The smallest that is let pass, where more is better.
        most: The largest that is let pass, where less is better.
    """

    name: str
    fault: str
    features: str = "pixels"
    least: float | None = None
    most: float | None = None

    @property
    def better(self) -> Literal["lower", "higher"]:
        """Which direction is better."""
        return "lower" if self.least is None else "higher"

    def passes(self, value: float) -> bool:
        """Whether ``value`` is let pass."""
        return value >= self.least if self.least is not None else value <= (self.most or 0.0)


# Means over photos. Networks that resize before they convolve come to 0.5 of a checkerboard with
# strokes a pixel wide, which a photo has not, and broken ones to 1 and more.
BOUNDS = {
    "likeness": Bound(
        "Correlation of light and dark", "light and dark change places", "luma", least=0.2
    ),
    "checkerboard": Bound(
        "Checkerboard, powers of ten above the photo", "results have a checkerboard", most=0.8
    ),
    "diversity": Bound(
        "Perceptual distance among 10 codes", "all codes give the same", "VGG-19", least=0.05
    ),
    "steadiness": Bound(
        "Steadiness from code to code", "results jump from code to code", "VGG-19", least=0.7
    ),
    "guided": Bound(
        "KID, codes of pictures over drawn ones",
        "codes of pictures do worse than drawn ones",
        "VGG-19",
        most=1.2,
    ),
    "frame": Bound("Frame of 4 px", "results have a frame", most=0.025),
    # Padding with zeros leaves a line where a style's colours hide the frame.
    "line": Bound("Frame of 1 px", "results have a line along their border", most=0.015),
    "color_drift": Bound(
        "Colour drift from the style", "results have other colours than the style", most=0.08
    ),
    "contrast": Bound("Contrast, share of the style's", "results are faded", least=0.7),
}
DECODERS = ("adain", "style_swap", "fast_photo_style")


def bounds_of(method: str) -> dict[str, Bound]:
    """:data:`BOUNDS` for results of ``method``.

    Decoders paint no strokes a pixel wide, so half a power of ten is a checkerboard already.
    """
    if method not in DECODERS:
        return BOUNDS
    return BOUNDS | {"checkerboard": replace(BOUNDS["checkerboard"], most=0.5)}


def admitted(found: Mapping[str, float], about: str, data: str) -> list[Metric]:
    """The figures ``found``, by their names in :data:`BOUNDS`, as a card has them.

    Args:
        found: Figures.
        about: What they are of, for example the direction.
        data: What they were measured on.

    Raises:
        CheckpointError: One of them is beyond its bound.
    """
    metrics = []
    for key, value in found.items():
        bound = BOUNDS[key]
        if not bound.passes(value):
            raise CheckpointError(
                "{about}: {fault} ({name}: {value}, let pass {bound}). Train it longer, or anew "
                "with another seed.",
                about=about,
                fault=bound.fault,
                name=bound.name,
                value=f"{value:.2f}",
                bound=bound.least if bound.least is not None else bound.most,
            )
        metrics.append(
            Metric(
                name=f"{bound.name}, {about}",
                value=round(value, 4),
                features=bound.features,
                data=data,
                better=bound.better,
            )
        )
    return metrics


def fitted(photo: Tensor, side: int = 256, multiple: int = 8) -> Tensor:
    """Shrink ``(1, 3, H, W)`` to a longer side of at most ``side``, both divisible."""
    factor = min(1.0, side / max(photo.shape[2:]))
    height, width = (
        max(multiple, int(factor * length) // multiple * multiple) for length in photo.shape[2:]
    )
    return F.interpolate(photo, (height, width), mode="bilinear", antialias=True)


def frame(result: Tensor, photo: Tensor, band: int = 4) -> float:
    """Largest shift of a colour channel in the outer ``band`` pixels that the photo has not.

    Args:
        result: ``(1, 3, H, W)``.
        photo: What it was made of, of the same size.
        band: In pixels; compared with the next two bands inwards.
    """
    return float((rims(result, band) - rims(photo, band)).mean((0, 1)).abs().max())


def rims(images: Tensor, band: int) -> Tensor:
    """How much lighter the outer ``band`` pixels of ``(B, 3, H, W)`` are than the next two bands.

    Returns:
        ``(B, 4, 3)``, for each side and channel.
    """
    turned = (images, images.flip(2), images.transpose(2, 3), images.transpose(2, 3).flip(2))
    sides = [
        side[:, :, :band].mean((2, 3)) - side[:, :, band : 3 * band].mean((2, 3)) for side in turned
    ]
    return torch.stack(sides, 1)


def contrast(result: Tensor, wanted: Tensor) -> float:
    """Deviation of the luma of ``result`` as a share of that of ``wanted``, ``(1, 3, ·, ·)``."""
    return float(luminance(result).std() / luminance(wanted).std().clamp(min=1e-6))


def diversity(images: Tensor, encoder: VGG19) -> float:
    """Mean perceptual distance of all pairs of ``images`` ``(n, 3, H, W)``, n at least 2.

    Near 0 all results are alike: the collapse of a style code or of a generator.
    """
    return float(torch.pdist(fingerprints(images, encoder)).mean())


@torch.no_grad()
def nearest(
    images: Tensor, training: Tensor, encoder: VGG19, count: int = 1
) -> tuple[Tensor, Tensor]:
    """Find the training pictures that each of ``images`` is nearest to; both ``(·, 3, ·, ·)``.

    Mirrored training pictures count as well, for training mirrors them.

    Returns:
        Perceptual distances and numbers of the ``count`` nearest ones, each ``(n, count)``.
    """
    found = fingerprints(images, encoder)
    columns = []
    for some in training.split(64):  # the fingerprints of thousands would not fit in memory
        known = torch.cdist(found, fingerprints(some, encoder))
        columns.append(
            torch.minimum(known, torch.cdist(found, fingerprints(some.flip(3), encoder)))
        )
    distance, index = torch.cat(columns, 1).topk(count, largest=False)
    return distance, index


def memorisation(images: Tensor, training: Tensor, encoder: VGG19, sample: int = 64) -> float:
    """How close results are to training pictures, relative to training pictures among themselves.

    The mean distance from ``images`` to the nearest training picture, over the mean distance from a
    training picture to the nearest other one. 0 are copies; about 1 or more is as new as another
    picture of the set would be.

    Args:
        images: ``(n, 3, H, W)``.
        training: All training pictures, ``(N, 3, h, w)``, N at least 2.
        encoder: VGG-19 on the same device.
        sample: How many training pictures, evenly spread, the other distance is taken from.
    """
    distance, _ = nearest(images, training, encoder)
    some = training[:: max(1, len(training) // sample)][:sample]
    among, _ = nearest(some, training, encoder, 2)  # the nearest one is the picture itself
    return float(distance.mean() / among[:, 1].mean().clamp(min=1e-6))
