"""Faults that trained networks are known for, each as a number.

A checkerboard from transposed convolutions, a frame from zero padding, colours that drift, and the
dark and faded pictures of a swap without statistics. All take pictures in [0, 1]; 0 is faultless
but for :func:`contrast`, where 1 is.
"""

import torch
from torch import Tensor

from zoo.color import luminance


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
