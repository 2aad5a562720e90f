"""What ships beside Gatys: the objective, style and content after 50, 100 and 300 steps.

    python -m benchmarks.yardstick [--data DIR] [--minutes 10] [--count 8]

The perceptual family is measured, each network by its own yardstick (:mod:`benchmarks.quality`):
Johnson and many styles by the objective that they were trained on, networks for any style by the
style loss as a share of the untouched photo's and by the content error. Beside each stands the
textbook's L-BFGS on pixels with the same photo, style picture and objective, after so many steps
of one run.

Such a run takes a minute or more on a CPU and depends on no checkpoint, so it is saved as soon as
it is done and never made again for the same pictures and weight. After ``--minutes`` no more are
begun, and each checkpoint is measured on as many photos as have theirs: calling again measures
more of them, and after a training only the networks anew. The photos are in the order of their
hashes, which is arbitrary and stays.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch
from torch import Tensor

from benchmarks import machine, tables
from benchmarks.quality import load, textbook, trained_with
from training.data import content_hash, pictures_in
from zoo import checkpoint
from zoo.checkpoint import SHIPPED
from zoo.form import form_of
from zoo.method import Method
from zoo.methods.gatys import Gatys, Objective
from zoo.methods.many_styles import ManyStyles
from zoo.metrics import content_error_vgg19
from zoo.nn.vgg import vgg19

STEPS = (50, 100, 300)
FAMILY = ("johnson", "many_styles", "style_swap", "adain", "fast_photo_style")
USUAL_WEIGHT = float(form_of(Gatys.forward).by_name["style_weight"].default)
PHOTO = "photo"
STRIDE = 5  # from style to style: neighbours in the alphabet are often by one hand
RUNS = "yardstick-runs"
Figures = dict[str, float]  # "objective", "style" and "content" of one picture


@dataclass(frozen=True)
class Trial:
    """One checkpoint, one photo and one style picture.

    Args:
        folder: Of the checkpoint.
        photo: Where the photo is.
        style: Where the style picture is.
        which: Its number, for a network that knows it by heart; None for any style.
        size: Longer side of the photo in pixels.
        style_size: Of the style picture.
        weight: Of the style term.
    """

    folder: Path
    photo: Path
    style: Path
    which: int | None
    size: int
    style_size: int
    weight: float

    def tensors(self, device: str) -> tuple[Tensor, Tensor]:
        """The photo and the style picture as :mod:`benchmarks.quality` takes them."""
        multiple = 8 if self.which is None else 1
        photo = load(self.photo, self.size)
        return photo.to(device), load(self.style, self.style_size, multiple).to(device)

    def digest(self, photo: Tensor, style: Tensor) -> str:
        """A name for what an optimisation depends on."""
        whole = hashlib.sha256(f"{self.weight:g}".encode())
        for picture in (photo, style):
            whole.update(f"{tuple(picture.shape)}".encode())
            whole.update(picture.cpu().numpy().tobytes())
        return whole.hexdigest()[:16]


def trials(folder: Path, photos: list[Path], styles: list[Path], size: int) -> Iterator[Trial]:
    """Those of a checkpoint, a photo each; the styles take turns."""
    config = checkpoint.read_config(folder)["config"]
    recipe = trained_with(folder)
    known = {path.stem: path for path in styles}
    heart = [known[name] for name in config.get("styles") or [config.get("style")] if name]
    chosen = heart or styles
    for number, photo in enumerate(photos):
        which = STRIDE * number % len(chosen)
        yield Trial(
            folder,
            photo,
            chosen[which],
            which if heart else None,
            size,
            int(recipe.get("style_size", size)) if heart else size,
            float(recipe["style_weight"]) if heart else USUAL_WEIGHT,
        )


@torch.no_grad()
def figures(picture: Tensor, photo: Tensor, objective: Objective) -> Figures:
    """Of a picture, by the yardstick of ``objective``; the style loss as it is."""
    return {
        "objective": float(objective(picture)),
        "style": float(objective.terms(picture)["style"]),
        "content": content_error_vgg19(picture, photo, objective.encoder),
    }


def optimised(trial: Trial, device: str) -> dict[str, Figures]:
    """The figures of the photo and after each of :data:`STEPS`, by the number of steps."""
    photo, style = trial.tensors(device)
    objective = Objective(vgg19(device=device), photo, [(style, 1.0)], style_weight=trial.weight)
    pictures = {PHOTO: photo} | {
        str(count): picture for count, picture in textbook(photo, objective, STEPS).items()
    }
    return {name: figures(picture, photo, objective) for name, picture in pictures.items()}


@torch.no_grad()
def painted(method: Method, trial: Trial, device: str) -> Figures:
    """The figures of what a network makes."""
    photo, style = trial.tensors(device)
    objective = Objective(vgg19(device=device), photo, [(style, 1.0)], style_weight=trial.weight)
    if trial.which is None:
        made = method(photo, style)
    elif isinstance(method, ManyStyles):
        made = method(photo, painting=trial.which)
    else:
        made = method(photo)
    return figures(made, photo, objective)


def told(found: list[dict[str, Figures]], heart: bool) -> dict[str, dict[str, float]]:
    """Means over the photos, by whose picture it is and what is measured."""
    means: dict[str, dict[str, float]] = {}
    for name in found[0]:
        rows = [one[name] for one in found]
        if heart:
            means[name] = {"objective": mean(row["objective"] for row in rows)}
            continue
        shares = [row["style"] / one[PHOTO]["style"] for row, one in zip(rows, found, strict=True)]
        means[name] = {"style": mean(shares), "content": mean(row["content"] for row in rows)}
    return {
        name: {key: float(f"{value:.4g}") for key, value in row.items()}
        for name, row in means.items()
    }


def measure(
    folders: list[Path],
    photos: list[Path],
    styles: list[Path],
    *,
    size: int,
    minutes: float,
    device: str,
) -> list[dict[str, Any]]:
    """Save a row for each checkpoint, and each optimisation as it ends.

    Args:
        folders: Of the checkpoints.
        photos: To repaint.
        styles: Pictures to give, and those known by heart by their names.
        size: Longer side of the photos in pixels.
        minutes: For optimisations, of which at least one is made for each checkpoint.
        device: Where.
    """
    until = time.monotonic() + 60 * minutes
    runs: dict[str, dict[str, Figures]] = (tables.read(RUNS) or {"runs": {}})["runs"]
    planned = {folder: list(trials(folder, photos, styles, size)) for folder in folders}
    done: dict[Path, list[tuple[str, Trial]]] = {folder: [] for folder in folders}
    # A photo for all before the next one, so that all get equally many in the time.
    for number in range(len(photos)):
        for folder in folders:
            trial = planned[folder][number]
            digest = trial.digest(*trial.tensors("cpu"))
            if digest not in runs:
                if number and time.monotonic() > until:
                    continue
                runs[digest] = optimised(trial, device)
                machine.save(RUNS, {"runs": runs})
                print(f"{folder.name}: {trial.photo.stem}, {trial.style.stem}", flush=True)
            done[folder].append((digest, trial))
    rows = []
    for folder in folders:
        method = checkpoint.load(folder).to(device)
        found = [
            runs[digest] | {"network": painted(method, trial, device)}
            for digest, trial in done[folder]
        ]
        trial = planned[folder][0]
        heart = trial.which is not None
        rows.append(
            {
                "checkpoint": folder.name,
                "photos": len(found),
                "style_weight": trial.weight,
                "style_size": trial.style_size,
                "means": told(found, heart),
            }
        )
    machine.save("yardstick", {"size": size, "steps": STEPS, "device": device, "rows": rows})
    return rows


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--size", default=256, show_default=True, help="Longer side of photos, pixels.")
@click.option("--count", default=8, show_default=True, help="Photos, at most.")
@click.option("--minutes", default=10.0, show_default=True, help="For new optimisations.")
@click.option("--device", default="cpu", show_default=True)
def main(data: Path, size: int, count: int, minutes: float, device: str) -> None:
    """Measure the shipped networks of the perceptual family; ``contents`` and ``styles`` in DIR."""
    shipped = sorted(path.parent for path in SHIPPED.glob(f"*/{checkpoint.CONFIG}"))
    kinds = {folder: checkpoint.read_config(folder)["method"] for folder in shipped}
    folders = [folder for kind in FAMILY for folder in shipped if kinds[folder] == kind]
    photos = sorted(pictures_in(data / "contents"), key=content_hash)[:count]
    styles = pictures_in(data / "styles")
    rows = measure(folders, photos, styles, size=size, minutes=minutes, device=device)
    for row in rows:
        print(f"{row['checkpoint']:22} {row['photos']} photos  {row['means']}", flush=True)


if __name__ == "__main__":
    main()
