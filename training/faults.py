"""Faults that trained networks are known for, each as a number.

A checkerboard from transposed convolutions, a frame from zero padding, colours that drift, and the
dark and faded pictures of a swap without statistics; of adversarial networks negatives, results
that are all alike, and copies of training pictures. All take pictures in [0, 1]; 0 is faultless but
for :func:`contrast`, :func:`luminance_correlation` and :func:`memorisation`, where 1 is, and for
:func:`diversity`, where more is better.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.color import luminance
from zoo.nn.vgg import VGG19

# Where pictures are compared as people do; edges, parts and
# objects.
SEEN_AT = ("relu2_2", "relu3_3", "relu4_3")


def checkerboard(result: Tensor, photo: Tensor) -> float:
    """How far the spectrum of ``result`` sticks out where kernels of stride 2 and 4 leave traces.

    The power at half and at a quarter of the sampling rate, along each axis, relative to the
    power beside those lines, in powers of ten; less the same for the photo, which may have a
    fence of its own. The largest of the four counts.

    Args:
        result: ``(1, 3, H, W)``, at least 64 pixels a side.
        photo: What it was made of, of the same size.
    """
    return max(a - b for a, b in zip(_ridges(result), _ridges(photo), strict=True))


def _ridges(images: Tensor) -> list[float]:
    luma = luminance(images.double())[0, 0]
    ridges = []
    for plane in (luma, luma.T):
        size = plane.shape[1] // 8 * 8
        rows = plane[:, :size] - plane[:, :size].mean(1, keepdim=True)
        window = torch.hann_window(size, dtype=torch.float64, device=images.device)
        power = torch.fft.rfft(rows * window).abs().square().mean(0)  # by horizontal frequency
        for line in (size // 2, size // 4):
            band = power[max(1, line - 12) : line + 13]
            place = line - max(1, line - 12)
            beside = torch.cat([band[: max(0, place - 3)], band[place + 4 :]])
            peak = band[max(0, place - 1) : place + 2].mean()  # a window spreads a line over three
            around = beside.log().mean().exp().clamp(min=1e-12)
            ridges.append(float((peak / around).clamp(min=1e-12).log10()))
    return ridges


def frame(result: Tensor, photo: Tensor, band: int = 4) -> float:
    """Largest shift of a colour channel in the outer ``band`` pixels that the photo has not.

    Args:
        result: ``(1, 3, H, W)``.
        photo: What it was made of, of the same size.
        band: In pixels; compared with the next two bands inwards.
    """
    shifts = []
    for images in (result, photo):
        flipped = (images, images.flip(2), images.transpose(2, 3), images.transpose(2, 3).flip(2))
        sides = [
            side[:, :, :band].mean((2, 3)) - side[:, :, band : 3 * band].mean((2, 3))
            for side in flipped
        ]
        shifts.append(torch.stack(sides).mean(0))
    return float((shifts[0] - shifts[1]).abs().max())


def color_drift(result: Tensor, wanted: Tensor) -> float:
    """Largest difference of a channel's mean from that of ``wanted``; both ``(1, 3, ·, ·)``."""
    return float((result.mean((2, 3)) - wanted.mean((2, 3))).abs().max())


def contrast(result: Tensor, wanted: Tensor) -> float:
    """Deviation of the luma of ``result`` as a share of that of ``wanted``, ``(1, 3, ·, ·)``."""
    return float(luminance(result).std() / luminance(wanted).std().clamp(min=1e-6))


def luminance_correlation(result: Tensor, photo: Tensor) -> float:
    """Correlation of the luma of ``result`` and of ``photo``, both ``(1, 3, H, W)``, in [-1, 1].

    Below 0 light and dark have changed places: the negative that a cycle is as content with.
    A result or photo without any contrast has 0.
    """
    first, second = (luminance(images.double()).flatten() for images in (result, photo))
    first, second = first - first.mean(), second - second.mean()
    return float((first @ second) / (first.norm() * second.norm()).clamp(min=1e-12))


@torch.no_grad()
def fingerprints(images: Tensor, encoder: VGG19, side: int = 64, batch: int = 16) -> Tensor:
    """Where pictures lie in a space whose distances are those that people see.

    Features are scaled to length 1 at every pixel, so that only their pattern counts, as in LPIPS
    (Zhang et al., arXiv:1801.03924), without its learned weights.

    Args:
        images: ``(n, 3, H, W)``.
        encoder: VGG-19 on the same device.
        side: Pictures are resized to it, in pixels, so that figures are comparable.
        batch: How many pictures are encoded at once.

    Returns:
        ``(n, d)``; the squared distance of two rows is a sum over the layers of means over pixels,
        at most 2 for each layer.
    """
    rows = []
    for some in images.split(batch):
        small = F.interpolate(
            some, (side, side), mode="bilinear", antialias=True, align_corners=False
        )
        features = encoder(small, SEEN_AT)
        flat = []
        for layer in SEEN_AT:
            found = F.normalize(features[layer].float(), eps=1e-6)
            flat.append((found / (found.shape[2] * found.shape[3]) ** 0.5).flatten(1))
        rows.append(torch.cat(flat, 1))
    return torch.cat(rows)


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
