"""Small pictures that tests share: deterministic, with edges, gradients and colour."""

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def photo(width: int = 65, height: int = 49, seed: int = 0) -> Image.Image:
    """A colourful picture whose sides are odd on purpose."""
    bands = [
        Image.effect_mandelbrot((width, height), (-2 + 0.1 * seed + 0.2 * i, -1.5, 1, 1.5), 20)
        for i in range(3)
    ]
    return Image.merge("RGB", bands)


def texture(seed: int, height: int = 128, width: int = 160) -> Tensor:
    """Noise with the falling spectrum of a photo."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for octave in range(2, 8):
        noise = torch.randn(1, 3, 2**octave, 2**octave, generator=generator)
        total += F.interpolate(noise, (height, width), mode="bicubic") / 2**octave
    return (total - total.min()) / (total.max() - total.min())


def halves(left: str, right: str, width: int = 48, height: int = 48) -> Image.Image:
    """One colour beside another."""
    picture = Image.new("RGB", (width, height), left)
    picture.paste(right, (width // 2, 0, width, height))
    return picture
