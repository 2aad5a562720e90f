"""How good a generator of pictures out of nothing is: DCGAN.

    python -m benchmarks.generation FOLDER --portraits HELD_OUT [--known DIR] [--out quality.json]

As many pictures are drawn as are given, which should be held out from training, and the distance of
the two sets is measured. Beside it stands the same network before any training; and with --known an
equal number of training pictures, than which no generator can do much better. The JSON is what
`python -m training.publish --metrics` takes.
"""

from pathlib import Path

import click
import torch
from torch import Tensor

from benchmarks.quality import evenly, tell
from training.data import pictures_in
from training.dcgan import calibrate, middle_square
from training.faults import diversity
from zoo import checkpoint, images
from zoo.card import Metric
from zoo.methods.dcgan import DCGAN
from zoo.metrics import FEATURES, fid_vgg19, kid_vgg19
from zoo.nn.translation import initialise
from zoo.nn.vgg import vgg19

COUNT = 160  # pictures of each set, at most
TRIED = 32  # pictures among which diversity is measured


def square(path: Path, size: int) -> Tensor:
    """The middle of a picture, ``(1, 3, size, size)``."""
    return images.to_tensor(middle_square(images.open_picture(path).image, size))


def load(folder: Path, size: int, count: int) -> list[Tensor]:
    """At most ``count`` pictures of a folder as squares, each ``(1, 3, size, size)``."""
    return [square(path, size) for path in evenly(pictures_in(folder), count)]


@torch.no_grad()
def measure(
    method: DCGAN, untrained: DCGAN, wanted: list[Tensor], known: list[Tensor]
) -> list[Metric]:
    """The figures of ``method``, of its beginnings and of training pictures.

    Args:
        method: Trained.
        untrained: The same network with fresh weights.
        wanted: Pictures that were held out, ``(1, 3, s, s)`` each, four at least.
        known: Training pictures, as many; none, and they are not compared.
    """
    encoder = vgg19(device=wanted[0].device)
    sets = {
        "": drawn(method, len(wanted)),
        " of the untrained network": drawn(untrained, len(wanted)),
    } | ({" of training pictures": known} if known else {})
    data = f"{len(wanted)} results, {len(wanted)} held-out pictures"
    rows = []
    for whose, made in sets.items():
        for name, value, features, better in (
            ("KID", kid_vgg19(made, wanted, encoder), FEATURES, "lower"),
            ("FID", fid_vgg19(made, wanted, encoder), FEATURES, "lower"),
            ("Diversity", diversity(torch.cat(made[:TRIED]), encoder), "VGG-19", "higher"),
        ):
            rows.append(
                Metric(
                    name=name + whose,
                    value=float(f"{value:.4g}"),
                    features=features,
                    data=data,
                    better=better,  # type: ignore[arg-type]
                )
            )
    return rows


def drawn(method: DCGAN, count: int) -> list[Tensor]:
    """The pictures of the first ``count`` seeds."""
    found = [method.render(None, codes) for codes in method.codes(0, count).split(64)]
    return list(torch.cat(found).split(1))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--portraits", type=click.Path(path_type=Path), required=True, help="Held out.")
@click.option("--known", type=click.Path(path_type=Path), help="Trained on.")
@click.option("--count", default=COUNT, show_default=True, help="Pictures of each set, at most.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path))
def main(
    folder: Path, portraits: Path, known: Path | None, count: int, device: str, out: Path | None
) -> None:
    """Measure the checkpoint in FOLDER."""
    method = checkpoint.load(folder)
    if not isinstance(method, DCGAN):
        raise click.BadParameter(f"{folder} holds {method.title}, which needs a photo.")
    torch.manual_seed(0)
    untrained = DCGAN(method.config)
    initialise(untrained)
    calibrate(untrained, 256)
    size = method.config.size
    wanted = [picture.to(device) for picture in load(portraits, size, count)]
    trained_on = load(known, size, len(wanted)) if known else []
    beside = [picture.to(device) for picture in trained_on]
    metrics = measure(method.to(device), untrained.to(device), wanted, beside)
    tell(metrics, out)


if __name__ == "__main__":
    main()
