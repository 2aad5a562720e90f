"""Small pictures that tests share: deterministic, with edges, gradients and colour."""

from PIL import Image


def photo(width: int = 65, height: int = 49, seed: int = 0) -> Image.Image:
    """A colourful picture whose sides are odd on purpose."""
    bands = [
        Image.effect_mandelbrot((width, height), (-2 + 0.1 * seed + 0.2 * i, -1.5, 1, 1.5), 20)
        for i in range(3)
    ]
    return Image.merge("RGB", bands)
