"""How good a CartoonGAN checkpoint is, as a cartoonist, or at taking haze away or adding it.

    python -m benchmarks.cartoongan FOLDER --photos DIR --cartoons DIR [--initialised FOLDER]
    python -m benchmarks.cartoongan FOLDER --photos HAZY --cartoons CLEAR --pairs test.csv
    python -m benchmarks.cartoongan FOLDER --photos CLEAR --cartoons HAZY --pairs test.csv
        --no-restores

A cartoonist is measured by how far its results are from the cartoons in style and from the photos
in content; beside it stand the untouched photos, and the network at the end of the warm-up if it is
given. With pairs it is measured by PSNR and SSIM against what results should be, beside those of
the untouched photos, and by how well it leaves alone what needs no change, unless it is to add
haze. Take pairs that were not trained on. The JSON is what `python -m training.publish --metrics`
takes.
"""

from pathlib import Path

import click
import torch
from torch import Tensor

from benchmarks.quality import evenly, load, tell
from training.cartoongan import content_error, fidelity, paired, style_distance
from training.data import pictures_in
from zoo import checkpoint
from zoo.card import Metric
from zoo.method import Method
from zoo.metrics import FEATURES as DISTANCE
from zoo.metrics import fid_vgg19, kid_vgg19
from zoo.nn.vgg import vgg19

SIZE, COUNT = 384, 40  # pixels of the longer side, pictures of each kind; both at most
FEATURES = {
    "Style distance": "VGG-19 mean Gram relu1_1 to 4_1",
    "Content error": "VGG-19 conv4_4",
    "KID": DISTANCE,
    "FID": DISTANCE,
    "PSNR": "pixels",
    "SSIM": "pixels",
}


def likeness(made: list[Tensor], photos: list[Tensor], cartoons: list[Tensor]) -> dict[str, float]:
    """Distances from the cartoons and content error."""
    encoder = vgg19(device=photos[0].device)
    return {
        "Style distance": style_distance(made, cartoons, encoder),
        "Content error": content_error(made, photos, encoder),
        "KID": kid_vgg19(made, cartoons, encoder),
        "FID": fid_vgg19(made, cartoons, encoder),
    }


@torch.no_grad()
def measure(
    methods: dict[str, Method],
    photos: list[Tensor],
    wanted: list[Tensor],
    paired: bool,
    restores: bool = True,
) -> list[Metric]:
    """The figures of each method, by the words that come after a figure's name."""
    given = {"": photos} | ({"of clear pictures": wanted} if paired and restores else {})
    made = {
        f"{of} {words}".strip(): [method(picture).clamp(0, 1) for picture in pictures]
        for of, pictures in given.items()
        for words, method in methods.items()
    }
    made["of the untouched photos"] = photos
    count = f"{len(photos)} photos" + ("" if paired else f" and {len(wanted)} cartoons")
    metrics = []
    for words, pictures in made.items():
        found = fidelity(pictures, wanted) if paired else likeness(pictures, photos, wanted)
        metrics += [
            Metric(
                name=f"{name} {words}".strip(),
                value=value,
                features=FEATURES[name],
                data=count,
                better="higher" if paired else "lower",
            )
            for name, value in found.items()
        ]
    return metrics


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--photos", type=click.Path(path_type=Path), required=True)
@click.option("--cartoons", type=click.Path(path_type=Path), required=True)
@click.option("--pairs", type=click.Path(path_type=Path), help="Table, as for training.")
@click.option(
    "--restores/--no-restores",
    default=True,
    show_default=True,
    help="Whether pictures that are as they should be are to stay so; with pairs.",
)
@click.option("--initialised", type=click.Path(path_type=Path), help="What the warm-up made.")
@click.option("--size", default=SIZE, show_default=True, help="Longer side in pixels, at most.")
@click.option("--count", default=COUNT, show_default=True, help="Pictures of each kind, at most.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path))
def main(
    folder: Path,
    photos: Path,
    cartoons: Path,
    pairs: Path | None,
    restores: bool,
    initialised: Path | None,
    size: int,
    count: int,
    device: str,
    out: Path | None,
) -> None:
    """Measure the checkpoint in FOLDER."""
    methods = {"": checkpoint.load(folder).to(device)}
    if initialised:
        methods["after the warm-up"] = checkpoint.load(initialised).to(device)
    here, there = ({path.name: path for path in pictures_in(f)} for f in (photos, cartoons))
    if pairs:
        known = [(a, b) for a, b in paired(pairs, here, there) if a in here and b in there]
        paths = [(here[a], there[b]) for a, b in known[:count]]
        groups = [list(group) for group in zip(*paths, strict=True)]
    else:
        groups = [evenly(list(found.values()), count) for found in (here, there)]
    pictures, wanted = ([load(path, size).to(device) for path in group] for group in groups)
    metrics = measure(methods, pictures, wanted, bool(pairs), restores)
    tell(metrics, out)


if __name__ == "__main__":
    main()
