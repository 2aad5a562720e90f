"""Images/s of a training step, beside a straight reading of the published loop.

    python -m benchmarks.training [--device cuda] [--size 256] [--steps 5] [--threads 2]

The straight reading does what the authors' scripts do, with the same VGG-19, batch, crop and
widths: pictures decoded and resized by a data loader for every batch, float32, features of photo,
style and result one after the other. What makes the difference is in `training/`: a pack instead
of JPEG files, channels-last and bfloat16 throughout, only the layers that are needed, and
statistics and Gram matrices whose gradients are written out. Batches and crops are the papers'.
Both take turns, so that what else the machine does hits both alike.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks import machine
from training.adain import AdaINRecipe, AdaINTrainer
from training.johnson import JohnsonRecipe, JohnsonTrainer
from training.loop import Trainer
from training.recipe import Recipe, Run
from zoo.nn.blocks import Transform, decoder
from zoo.nn.vgg import CONVS, VGG19, vgg19


class Folder(Dataset[Tensor]):
    """Pictures as the published scripts read them."""

    def __init__(self, folder: Path, load_size: int, size: int) -> None:
        self.paths = sorted(folder.iterdir())
        self.transform = transforms.Compose(
            [transforms.Resize(load_size), transforms.RandomCrop(size), transforms.ToTensor()]
        )

    def __len__(self) -> int:
        return 10**6

    def __getitem__(self, number: int) -> Tensor:
        with Image.open(self.paths[number % len(self.paths)]) as picture:
            return self.transform(picture.convert("RGB"))


def batches(folder: Path, load_size: int, size: int, batch_size: int) -> Iterator[Tensor]:
    """Endless batches ``(B, 3, size, size)`` in [0, 1]."""
    return iter(DataLoader(Folder(folder, load_size, size), batch_size, num_workers=2))


class PlainVGG(nn.Module):
    """VGG-19 as a list of layers, run to the end of the list, whatever is asked for."""

    def __init__(self, encoder: VGG19, last: str, wanted: tuple[str, ...]) -> None:
        super().__init__()
        self.matrix, self.mean, self.wanted = encoder.matrix, encoder.mean, wanted
        self.names = CONVS[: CONVS.index(last) + 1]
        self.layers = nn.ModuleList(nn.Conv2d(1, 1, 1) for _ in self.names)
        for layer, name in zip(self.layers, self.names, strict=True):
            layer.weight = nn.Parameter(encoder.convs[name].weight.contiguous())  # type: ignore[operator]
            layer.bias = encoder.convs[name].bias
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map ``(B, 3, H, W)`` in [0, 1] to the features wanted, shallowest first."""
        x, found = F.conv2d(x - self.mean, self.matrix), []
        for name, layer in zip(self.names, self.layers, strict=True):
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))  # type: ignore[arg-type]
            if name in self.wanted:
                found.append(x)
        return found


def published_adain(
    photos: Path, paintings: Path, load_size: int, size: int, batch_size: int, device: str
) -> Callable[[], None]:
    """The loop of Huang & Belongie."""
    vgg = PlainVGG(vgg19(device=device), "4_1", ("1_1", "2_1", "3_1", "4_1"))
    net = decoder(4).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    contents, styles = (batches(f, load_size, size, batch_size) for f in (photos, paintings))

    def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.view(x.shape[0], x.shape[1], -1)
        return flat.mean(2)[..., None, None], (flat.var(2) + 1e-5).sqrt()[..., None, None]

    def step() -> None:
        content, style = next(contents).to(device), next(styles).to(device)
        style_features, content_feature = vgg(style), vgg(content)[-1]
        (mean, std), (m, s) = statistics(style_features[-1]), statistics(content_feature)
        target = (content_feature - m) / s * std + mean
        found = vgg(net(target))
        loss = F.mse_loss(found[-1], target)
        for a, b in zip(found, style_features, strict=True):
            (m, s), (mean, std) = statistics(a), statistics(b)
            loss = loss + 10 * (F.mse_loss(m, mean) + F.mse_loss(s, std))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def published_johnson(
    photos: Path, style: Path, load_size: int, size: int, batch_size: int, device: str
) -> Callable[[], None]:
    """The loop of Johnson et al., as pytorch/examples tells it."""
    vgg = PlainVGG(vgg19(device=device), "4_3", ("1_2", "2_2", "3_3", "4_3"))
    net = Transform(32).to(device)
    mix = torch.ones(1, 1, device=device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    contents = batches(photos, load_size, size, batch_size)

    def gram(x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        flat = x.view(b, c, h * w)
        return flat.bmm(flat.transpose(1, 2)) / (c * h * w)

    picture = transforms.ToTensor()(Image.open(style).convert("RGB").resize((256, 256)))
    targets = [gram(f) for f in vgg(picture[None].to(device))]

    def step() -> None:
        content = next(contents).to(device)
        made = net(content, mix).contiguous()
        found, wanted = vgg(made), vgg(content)
        loss = F.mse_loss(found[1], wanted[1])
        for f, g in zip(found, targets, strict=True):
            loss = loss + 5 * F.mse_loss(gram(f), g.expand(len(content), -1, -1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def make_pictures(folder: Path, count: int) -> None:
    """JPEG files of the size of a common photo collection, 640×480."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        small.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")


def seconds_of(step: Callable[[], object], device: str) -> float:
    """What one step takes."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def measure(steps: list[Callable[[], object]], count: int, device: str) -> list[float]:
    """Median seconds of each, taking turns, after one turn that pays for what is done once."""
    turns = [[seconds_of(step, device) for step in steps] for _ in range(count + 1)][1:]
    return [median(spent) for spent in zip(*turns, strict=True)]


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--size", default=256, show_default=True)
@click.option("--steps", default=5, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--precision", default="bf16", show_default=True)
def main(device: str, size: int, steps: int, threads: int, precision: str) -> None:
    """Measure the AdaIN and the Johnson step."""
    torch.set_num_threads(threads)
    rows = []
    with tempfile.TemporaryDirectory() as parent:
        photos = Path(parent) / "photos"
        make_pictures(photos, 32)
        style = photos / "0.jpg"
        run = Run(
            out=Path(parent) / "run",
            packs=Path(parent),
            device="cpu" if device == "cpu" else "auto",
        )
        same: dict[str, Any] = {"photos": photos, "size": size, "precision": precision}
        adain = AdaINRecipe(paintings=photos, **same)
        # The peer has no such term, so it is left out of both.
        johnson = JohnsonRecipe(style=style, tv_weight=0, **same)
        sizes = [(r.load_size, size, r.batch_size, device) for r in (adain, johnson)]
        cases: list[tuple[str, Recipe, Callable[[], None], Trainer[Any]]] = [
            ("AdaIN", adain, published_adain(photos, photos, *sizes[0]), AdaINTrainer(adain, run)),
            (
                "Johnson",
                johnson,
                published_johnson(photos, style, *sizes[1]),
                JohnsonTrainer(johnson, run),
            ),
        ]
        for name, recipe, published, trainer in cases:
            before, now = measure([published, advancing(trainer)], steps, device)
            row = {
                "step": name,
                "batch": recipe.batch_size,
                "size": size,
                "width": recipe.width,
                "published": round(recipe.batch_size / before, 2),
                "ours": round(recipe.batch_size / now, 2),
                "ratio": round(before / now, 2),
            }
            rows.append(row)
            print(row, flush=True)
    machine.save("training", {"device": device, "precision": precision, "rows": rows})


def advancing(trainer: Trainer[Any]) -> Callable[[], object]:
    """The trainer's step with the position in the data moving on, as in a run."""

    def advance() -> object:
        result = trainer.step()
        trainer.done += 1
        trainer.averaged.update_parameters(trainer.method)
        return result

    return advance


if __name__ == "__main__":
    main()
