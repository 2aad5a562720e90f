"""Label maps: pictures in which a colour says which region of another picture a pixel is in.

Maps come from brushes with soft edges, from JPEG files and from programs that smooth outlines. None
of that may make a region, so a colour counts only where it is even and on enough of the map, and
every other pixel goes to the region that is nearest on the map, not nearest in colour: between red
and blue lies no strip of purple.
"""

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import InputError
from zoo.form import Field, Form
from zoo.images import Notice, pad

# Brush colours that people with any colour vision tell apart (Okabe & Ito, Color Universal Design).
PALETTE: Mapping[str, tuple[int, int, int]] = {
    "Orange": (230, 159, 0),
    "Sky blue": (86, 180, 233),
    "Green": (0, 158, 115),
    "Yellow": (240, 228, 66),
    "Blue": (0, 114, 178),
    "Red": (213, 94, 0),
    "Pink": (204, 121, 167),
    "Black": (0, 0, 0),
}
REST = "White or unpainted"
LARGEST = 1024  # pixels of the longer side at which a map is read
SAME = 38  # distance in 8-bit RGB below which two colours are one label
EVEN = 16  # most that the levels of a 3 × 3 patch inside a region differ
LEAST = 0.001  # share of a map that a colour fills evenly, to be a label
MOST = 32  # labels of a map
SHAPE = 0.03  # by how much two pictures' aspects may differ


def read(
    form: Form, opened: Mapping[str, Sequence[Image.Image]]
) -> tuple[dict[str, Tensor], tuple[Notice, ...]]:
    """Turn the label maps among ``opened`` pictures into labels that mean the same in all.

    Args:
        form: Tells which pictures are label maps, and of what.
        opened: Pictures by field.

    Returns:
        ``(1, 1, H, W)`` int64 by field, nothing where all maps are blank or of the same one
        colour; and what to tell of regions that not every map has.

    Raises:
        InputError: A map's sides are to each other as those of its picture are not.
    """
    fields = [field for field in form if field.over and field.name in opened]
    pictures = [opened[field.name][0] for field in fields]
    for field, picture in zip(fields, pictures, strict=True):
        _check_shape(field, picture, opened[field.over][0])
    labels, colors = quantised([np.asarray(_reduced(picture)) for picture in pictures])
    if len(colors) < 2:
        return {}, ()
    maps = {
        field.name: torch.from_numpy(found)[None, None]
        for field, found in zip(fields, labels, strict=True)
    }
    return maps, tuple(_missing(fields, labels, colors))


def padded(labels: Tensor, content: Tensor, multiple: int) -> Tensor:
    """Labels ``(1, 1, ·, ·)`` of ``content`` ``(1, 3, H, W)``, scaled and padded as it is."""
    return pad(F.interpolate(labels.float(), content.shape[2:], mode="nearest"), multiple).long()


def quantised(pictures: Sequence[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the labels of maps that belong together.

    Args:
        pictures: ``(H, W, 3)`` uint8 each.

    Returns:
        ``(H, W)`` int64 for each, and the colour of every label, ``(labels, 3)`` in 0 to 255.
    """
    # The median takes the noise away and leaves edges where they are.
    calm = [cv2.medianBlur(np.ascontiguousarray(picture), 5) for picture in pictures]
    even = [
        (cv2.dilate(p, np.ones((3, 3))) - cv2.erode(p, np.ones((3, 3)))).max(2) <= EVEN
        for p in calm
    ]
    palette: list[np.ndarray] = []
    for picture, flat in zip(calm, even, strict=True):
        for color in _colors(picture[flat], LEAST * flat.size):
            if all(np.linalg.norm(color - other) >= SAME for other in palette):
                palette.append(color)
    colors = np.stack(palette or [np.full(3, 255.0)])
    return [_labels(p, flat, colors) for p, flat in zip(calm, even, strict=True)], colors


def _colors(pixels: np.ndarray, least: float) -> list[np.ndarray]:
    """The colours ``(3,)`` that at least so many of ``(N, 3)`` pixels have, most frequent first."""
    bins = pixels.astype(np.int64) // 16 @ (256, 16, 1)
    counts = np.bincount(bins, minlength=4096)
    frequent = np.argsort(-counts, kind="stable")[:MOST]
    return [pixels[bins == number].mean(0) for number in frequent if counts[number] > least]


def _labels(picture: np.ndarray, even: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The label of every pixel of ``(H, W, 3)``."""
    distances = np.stack([np.linalg.norm(picture - color, axis=2) for color in colors])
    labels = distances.argmin(0)
    sure = even & (distances.min(0) < SAME)
    if not sure.any():
        return labels
    # For each pixel the number of the nearest sure one; those are numbered from 1 in their order.
    _, nearest = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return labels[sure][nearest - 1]


def _reduced(picture: Image.Image) -> Image.Image:
    """The map without mixing its colours, at :data:`LARGEST` pixels at most."""
    scale = LARGEST / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST)


def _check_shape(field: Field, labels: Image.Image, picture: Image.Image) -> None:
    ratio = labels.width / labels.height * picture.height / picture.width
    # A side that was rounded to whole pixels does not count.
    allowed = SHAPE + 1 / min(*labels.size, *picture.size)
    if abs(math.log(ratio)) > allowed:
        raise InputError(
            "{label}: the map is {width}×{height} pixels, which is not the shape of its picture, "
            "{own_width}×{own_height}. Use a map of the whole picture.",
            label=field.label,
            width=labels.width,
            height=labels.height,
            own_width=picture.width,
            own_height=picture.height,
        )


def _missing(
    fields: Sequence[Field], labels: Sequence[np.ndarray], colors: np.ndarray
) -> list[Notice]:
    """Sentences on the regions that one map has and another has not."""
    present = [set(np.unique(found).tolist()) for found in labels]
    told = []
    for number, color in enumerate(colors):
        for field, mine in zip(fields, present, strict=True):
            others = [theirs for theirs in present if theirs is not mine]
            if number in mine or not any(number in theirs for theirs in others):
                continue
            words = {"label": field.label, "color": name_of(color)}
            if field.over == "content":
                told.append(Notice("{label}: “{color}” is missing, so it was not used.", words))
            else:
                told.append(
                    Notice(
                        "{label}: “{color}” is missing, so its place in the photo took after the "
                        "whole style picture.",
                        words,
                    )
                )
    return told


def name_of(color: np.ndarray) -> str:
    """What to call a colour: as the brush that paints it, else its hexadecimal code."""
    for name, own in {**PALETTE, REST: (255, 255, 255)}.items():
        if np.linalg.norm(color - own) < SAME:
            return name
    return "#" + "".join(f"{round(float(level)):02x}" for level in color)
