"""How good a checkpoint is, over photos it was not trained on.

    python -m benchmarks.quality FOLDER --photos DIR --styles DIR [--size 256] [--out quality.json]

Networks that know their styles by heart (Johnson, many styles) are measured by their own paper's
yardstick: the objective that they were trained on, beside that of an optimisation of the same
objective after 50 steps of L-BFGS from the photo. Its Gram matrices are those of the style pictures
at the size that the recipe trained with, whatever the size of the photos. The optimisation is the
textbook's L-BFGS on pixels, as in the published code; our own Gatys, which gets further in as many
steps, is measured with --ours. With --known what an optimisation came to is kept in a file: it does
not depend on the network, and is nearly all of the time.
Networks for any style (AdaIN, style-swap) are measured by
the style loss of their results as a share of the untouched photo's, and by the distance from the
photo at relu4_2. The faults of `training.faults` are measured for both. The JSON is what
`python -m training.publish --metrics` takes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

import click
import torch
from torch import Tensor

from training import faults
from training.data import pictures_in
from zoo import checkpoint, images
from zoo.card import Metric
from zoo.files import write_atomic
from zoo.method import Method
from zoo.methods.gatys import Objective, optimise
from zoo.methods.many_styles import ManyStyles
from zoo.metrics import content_error_vgg19
from zoo.nn.vgg import vgg19

T = TypeVar("T")
STEPS = 50  # of the optimisation that is the yardstick
YARDSTICK = f"Gatys objective, times that of {STEPS} L-BFGS steps"


def load(path: Path, size: int, multiple: int = 8) -> Tensor:
    """A picture of at most ``size`` on the longer side, ``(1, 3, H, W)``, cut to ``multiple``."""
    picture = images.open_picture(path).image
    tensor = images.to_tensor(images.fit(picture, min(size, max(picture.size))))
    height, width = (side // multiple * multiple for side in tensor.shape[2:])
    return tensor[..., :height, :width]


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of ``items``, evenly spread."""
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def tell(metrics: Sequence[Metric], out: Path | None) -> None:
    """Print figures, and write them to ``out`` as `training.publish --metrics` takes them."""
    for metric in metrics:
        click.echo(f"{metric.name:<60} {metric.value:.4g}")
    if out:
        out.write_text(json.dumps([asdict(metric) for metric in metrics], indent=2) + "\n")


def by_heart(
    repaint: Callable[[Tensor, int], Tensor],
    photos: list[Tensor],
    styles: list[Tensor],
    *,
    style_weight: float = 1000.0,
    ours: bool = False,
    known: MutableMapping[str, float] | None = None,
) -> dict[str, float]:
    """Gatys objective of the results, of 50 steps of optimisation, and of the photos themselves.

    Args:
        repaint: Makes a result of a photo and the number of a style.
        photos: Each is tried with one style, in turn.
        styles: The pictures that the network knows by heart.
        style_weight: Of the objective; 1000 is that of Gatys et al.
        ours: Also measure the optimisation in the coordinates of :class:`gatys.Basis`.
        known: What optimisations came to, by :func:`name_of`; new ones are added.
    """
    sums: dict[str, list[float]] = {"network": [], "optimised": [], "ours": [], "untouched": []}
    known = {} if known is None else known
    encoder = vgg19(device=photos[0].device)
    for number, photo in enumerate(photos):
        which = number % len(styles)
        objective = Objective(encoder, photo, [(styles[which], 1.0)], style_weight=style_weight)
        pictures = {"untouched": photo, "network": repaint(photo, which)}
        asked = name_of(photo, styles[which], style_weight)
        if asked not in known:
            optimised = textbook(photo, objective)[STEPS]
            with torch.no_grad():
                known[asked] = float(objective(optimised))
        sums["optimised"].append(known[asked])
        if ours:
            *_, pictures["ours"] = optimise(photo, objective, STEPS, "lbfgs")
        with torch.no_grad():
            for name, picture in pictures.items():
                sums[name].append(float(objective(picture)))
    return {name: mean(values) for name, values in sums.items() if values}


def name_of(photo: Tensor, style: Tensor, style_weight: float) -> str:
    """What an optimisation depends on, as a digest: its pictures, its weight, and who computes."""
    made = hashlib.sha256(
        repr((STEPS, style_weight, photo.shape, style.shape, photo.device.type)).encode()
        + torch.__version__.encode()
    )
    for picture in (photo, style):
        made.update(picture.cpu().numpy().tobytes())
    return made.hexdigest()


def textbook(
    photo: Tensor, objective: Objective, counts: Sequence[int] = (STEPS,)
) -> dict[int, Tensor]:
    """The pictures after so many steps of L-BFGS on pixels in 0..255, clamped where they are taken.

    Args:
        photo: ``(1, 3, H, W)`` in [0, 1], where the one run for all ``counts`` begins.
        objective: What falls.
        counts: Numbers of steps.
    """
    pixels = (255 * photo).contiguous().requires_grad_()
    solver = torch.optim.LBFGS([pixels], history_size=100, tolerance_grad=0, tolerance_change=0)
    (group,) = solver.param_groups

    def closure() -> Tensor:
        solver.zero_grad()
        loss = objective(pixels / 255)
        loss.backward()
        return loss.detach()

    found, done = {}, 0
    for count in sorted(counts):
        # The solver goes on where it stopped: it keeps its history from call to call.
        group["max_iter"], group["max_eval"] = count - done, count - done + 1
        solver.step(closure)
        found[count], done = (pixels.detach() / 255).clamp(0, 1), count
    return found


@torch.no_grad()
def any_style(method: Method, photos: list[Tensor], styles: list[Tensor]) -> dict[str, float]:
    """Style loss relative to the untouched photo's, and error at relu4_2 relative to its power."""
    encoder = vgg19(device=photos[0].device)
    style_losses, content_errors = [], []
    for number, photo in enumerate(photos):
        style = styles[number % len(styles)]
        objective = Objective(encoder, photo, [(style, 1.0)])
        result = method(photo, style)
        untouched = objective.terms(photo)["style"]
        style_losses.append(float(objective.terms(result)["style"] / untouched))
        content_errors.append(content_error_vgg19(result, photo, encoder))
    return {"style": mean(style_losses), "content": mean(content_errors)}


@torch.no_grad()
def faults_of(
    repaint: Callable[[Tensor, int], Tensor], photos: Iterable[Tensor], styles: list[Tensor]
) -> dict[str, float]:
    """Mean of each fault; colours and contrast are compared with the style's."""
    found: dict[str, list[float]] = {}
    for number, photo in enumerate(photos):
        which = number % len(styles)
        result = repaint(photo, which)
        for name, value in (
            ("checkerboard", faults.checkerboard(result, photo)),
            ("frame", faults.frame(result, photo)),
            ("line", faults.frame(result, photo, 1)),
            ("color_drift", faults.color_drift(result, styles[which])),
            ("contrast", faults.contrast(result, styles[which])),
        ):
            found.setdefault(name, []).append(value)
    return {name: mean(values) for name, values in found.items()}


def trained_with(folder: Path) -> dict[str, Any]:
    """The recipe of the checkpoint in ``folder``, published or of a run; empty without one."""
    for path in (folder / "recipe.json", folder.parent / "recipe.json"):
        if path.is_file():
            return dict(json.loads(path.read_text()))
    return {}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--photos", type=click.Path(path_type=Path), required=True)
@click.option("--styles", type=click.Path(path_type=Path), required=True)
@click.option(
    "--size",
    default=256,
    show_default=True,
    help="Longer side in pixels: of photos, and of style pictures where the recipe names none.",
)
@click.option("--count", default=20, show_default=True, help="Photos.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--ours", is_flag=True, help="Measure our own Gatys as well.")
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    help="A file of what optimisations came to; what is missing there is added.",
)
@click.option("--out", type=click.Path(path_type=Path))
def main(
    folder: Path,
    photos: Path,
    styles: Path,
    size: int,
    count: int,
    device: str,
    ours: bool,
    known: Path | None,
    out: Path | None,
) -> None:
    """Measure the checkpoint in FOLDER."""
    method = checkpoint.load(folder).to(device)
    names = getattr(method.config, "styles", None) or (getattr(method.config, "style", ""),)
    named = {path.stem: path for path in pictures_in(styles)}
    heart = any(names)
    paths = [named[name] for name in names] if heart else list(named.values())
    pictures = [load(path, size).to(device) for path in pictures_in(photos)[:count]]
    recipe = trained_with(folder)
    style_size = int(recipe.get("style_size", size)) if heart else size
    style_pictures = [load(path, style_size, 1 if heart else 8).to(device) for path in paths]

    def repaint(photo: Tensor, which: int) -> Tensor:
        if not heart:
            return method(photo, style_pictures[which])
        return method(photo, painting=which) if isinstance(method, ManyStyles) else method(photo)

    data = f"{len(pictures)} photos not trained on, {size} px"
    metrics = []
    if heart:
        weight = float(recipe.get("style_weight", 1000))
        found = json.loads(known.read_text()) if known and known.is_file() else {}
        values = by_heart(
            repaint, pictures, style_pictures, style_weight=weight, ours=ours, known=found
        )
        if known:
            write_atomic(known, json.dumps(found, indent=1).encode())
        layers = "VGG-19 relu4_2 and Gram relu1_1 to 5_1, {weight}, styles at {size} px"
        features = layers.format(weight=f"style weight {weight:g}", size=style_size)
        # A share compares across weights, which objectives do not.
        own = layers.format(weight="each by its own style weight", size=style_size)
        rows = [
            ("Gatys objective", "network"),
            (YARDSTICK, "share"),
            (f"Gatys objective of {STEPS} L-BFGS steps on pixels", "optimised"),
            (f"Gatys objective of {STEPS} steps of our Gatys", "ours"),
            ("Gatys objective of the photo", "untouched"),
        ]
        values["share"] = values["network"] / values["optimised"]
        for name, key in (row for row in rows if row[1] in values):
            metrics.append(
                Metric(
                    name=name,
                    value=values[key],
                    features=own if key == "share" else features,
                    data=data,
                    better="lower",
                )
            )
    else:
        values = any_style(method, pictures, style_pictures)
        metrics = [
            Metric(
                name="Style loss, share of the photo's",
                value=values["style"],
                features="VGG-19 Gram relu1_1 to 5_1",
                data=data,
                better="lower",
            ),
            Metric(
                name="Content error, relative",
                value=values["content"],
                features="VGG-19 relu4_2",
                data=data,
                better="lower",
            ),
        ]
    bounds = faults.BOUNDS
    for key, value in faults_of(repaint, pictures, style_pictures).items():
        metrics.append(Metric(name=bounds[key].name, value=value, features="pixels", data=data))
    untouched = faults_of(lambda photo, _: photo, pictures, style_pictures)
    for key in ("color_drift", "contrast"):  # of the others a photo has none
        name = f"{bounds[key].name}, of the photo"
        metrics.append(Metric(name=name, value=untouched[key], features="pixels", data=data))
    tell([replace(metric, value=float(f"{metric.value:.4g}")) for metric in metrics], out)


if __name__ == "__main__":
    main()
