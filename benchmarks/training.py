"""Images/s of a training step, beside a straight reading of the published loop.

    python -m benchmarks.training [--device cuda] [--size 256] [--steps 5] [--threads 2] [--compile]

The straight readings are in `benchmarks/published.py`. What makes the difference is in
`training/`: a pack instead of JPEG files, channels-last and bfloat16 throughout, only the layers
that are needed, statistics and Gram matrices whose gradients are written out, and one pass for
what has several purposes. Batches, crops and widths are the papers'. Both take turns, so that what
else the machine does hits both alike. The peak memory of each is that of a fresh
process that does nothing else.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from PIL import Image

from benchmarks import machine
from benchmarks.published import (
    published_adain,
    published_cyclegan,
    published_johnson,
    published_munit,
)
from training.adain import AdaINRecipe, AdaINTrainer
from training.cyclegan import CycleGANRecipe, CycleGANTrainer
from training.johnson import JohnsonRecipe, JohnsonTrainer
from training.loop import Trainer
from training.munit import MUNITRecipe, MUNITTrainer
from training.recipe import Recipe, Run
from zoo.memory import growth

MB = 10**6


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


Step = Callable[[], object]
Case = tuple[Recipe, Callable[[], Step], Callable[[bool], Step]]


def cases(folder: Path, size: int, precision: str, device: str, only: str) -> dict[str, Case]:
    """Recipe, and what makes the published step and ours; of the method called ``only``, if any.

    What makes ours takes whether it is compiled.
    """
    photos = folder / "photos"
    if not photos.exists():
        make_pictures(photos, 32)
    style = photos / "0.jpg"
    run = Run(out=folder / "run", packs=folder, device="cpu" if device == "cpu" else "auto")
    runs = [run, replace(run, compile=True)]
    same: dict[str, Any] = {"size": size, "precision": precision}
    pair: dict[str, Any] = same | {"domain_a": photos, "domain_b": photos}
    made: dict[str, Callable[[], Case]] = {}

    def adain() -> Case:
        recipe = AdaINRecipe(photos=photos, paintings=photos, **same)
        sizes = recipe.load_size, size, recipe.batch_size, device
        published = partial(published_adain, photos, photos, *sizes)
        return recipe, published, lambda fused: advancing(AdaINTrainer(recipe, runs[fused]))

    def johnson() -> Case:
        # The peer has no such term, so it is left out of both.
        recipe = JohnsonRecipe(photos=photos, style=style, tv_weight=0, **same)
        sizes = recipe.load_size, size, recipe.batch_size, device
        published = partial(published_johnson, photos, style, *sizes)
        return recipe, published, lambda fused: advancing(JohnsonTrainer(recipe, runs[fused]))

    def cyclegan() -> Case:
        recipe = CycleGANRecipe(**pair)
        sizes = recipe.load_size, size, recipe.width, device
        published = partial(published_cyclegan, photos, photos, *sizes)
        return recipe, published, lambda fused: advancing(CycleGANTrainer(recipe, runs[fused]))

    def munit() -> Case:
        recipe = MUNITRecipe(**pair)
        sizes = recipe.load_size, size, recipe.width, device
        published = partial(published_munit, photos, photos, *sizes)
        return recipe, published, lambda fused: advancing(MUNITTrainer(recipe, runs[fused]))

    made = {"AdaIN": adain, "Johnson": johnson, "CycleGAN": cyclegan, "MUNIT": munit}
    return {name: make() for name, make in made.items() if only in ("", name)}


def three_steps(name: str, ours: bool, size: int, precision: str, device: str, count: int) -> None:
    """Build one side alone and take three steps, on ``count`` threads."""
    torch.set_num_threads(count)
    with tempfile.TemporaryDirectory() as parent:
        _, published, own = cases(Path(parent), size, precision, device, name)[name]
        step = own(False) if ours else published()
        for _ in range(3):
            step()


def peak(name: str, ours: bool, size: int, precision: str, device: str, count: int) -> float:
    """MB that one side takes, networks and optimisers included."""
    # Not as of `__main__`, which another process has another one of.
    steps = import_module("benchmarks.training").three_steps
    work = partial(steps, name, ours, size, precision, device, count)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated() / MB
    *_, grown = growth(work)
    if grown is None:
        raise click.ClickException("This system does not tell the memory of a process.")
    return grown / MB


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--size", default=256, show_default=True)
@click.option("--steps", default=5, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--precision", default="bf16", show_default=True)
@click.option("--only", default="", help="One method.")
@click.option("--compile", "fused", is_flag=True, help="Also measure ours with --compile.")
def main(
    device: str, size: int, steps: int, threads: int, precision: str, only: str, fused: bool
) -> None:
    """Measure the steps of AdaIN, Johnson, CycleGAN and MUNIT."""
    torch.set_num_threads(threads)
    rows = []
    for name in [only] if only else ["AdaIN", "Johnson", "CycleGAN", "MUNIT"]:
        with tempfile.TemporaryDirectory() as parent:
            recipe, published, ours = cases(Path(parent), size, precision, device, name)[name]
            compiles = fused and name in ("AdaIN", "Johnson")
            made = [published(), ours(False), *([ours(True)] if compiles else [])]
            before, now, *compiled = measure(made, steps, device)
        peaks = [peak(name, side, size, precision, device, threads) for side in (False, True)]
        row = {
            "step": name,
            "batch": recipe.batch_size,
            "size": size,
            "width": recipe.width,
            "published": round(recipe.batch_size / before, 3),
            "ours": round(recipe.batch_size / now, 3),
            "ratio": round(before / now, 2),
            "published_mb": round(peaks[0]),
            "ours_mb": round(peaks[1]),
        }
        if compiled:
            row["compiled"] = round(recipe.batch_size / compiled[0], 3)
        rows.append(row)
        print(row, flush=True)
    if not only:
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
