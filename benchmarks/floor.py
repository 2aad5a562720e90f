"""How near to pictures of its kind a set of results can come: what KID says of real pictures.

    python -m benchmarks.floor --data DIR

KID is 0 for two sets that are alike, but of some fifty or hundred pictures each it says so only
roughly. So training pictures are compared with the held-out ones of their kind, set by set, as
results are by `benchmarks.translation`, `cartoongan` and `generation`, on the features that decide
what ships: what lies within their range cannot be told from real pictures by this figure. Those of
what ships, and of the untouched photos that it is made of, are from the cards.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch
from torch import Tensor

from benchmarks import cartoongan, generation, machine, translation
from benchmarks.cards import row_of
from benchmarks.quality import evenly, load
from benchmarks.tables import split
from training.data import pictures_in
from training.jobs import JOBS, Job, Session
from training.sources import pictures
from zoo import card, checkpoint
from zoo.metrics import PooledEfficientNet, PooledVGG, kid
from zoo.nn.vgg import vgg19

SETS = 8  # of training pictures, at most; none has a picture of another


Extractor = PooledVGG | PooledEfficientNet


def vgg() -> PooledVGG:
    """The features that KID stands on where nothing else is said."""
    return PooledVGG(vgg19())


@dataclass(frozen=True)
class Kind:
    """One kind of picture that results are compared with.

    Args:
        name: What people call it.
        place: Of the pictures, as a job has it.
        opened: Reads a picture as ``(1, 3, H, W)`` in [0, 1], as the benchmark of that job does.
        count: Held-out pictures, at most, likewise.
        extractor: Whose features are compared, likewise.
    """

    name: str
    place: str
    opened: Callable[[Path], Tensor]
    count: int
    extractor: Callable[[], Extractor] = vgg


def aims(job: Job) -> dict[str, Kind]:
    """What results of ``job`` are compared with, by the name of the figure; none without a KID."""
    if job.judge == "translation":
        opened, count = partial(load, size=translation.SIZE), translation.COUNT
        return {
            f"Independent KID, {way}": Kind(
                *(job.flags[f"name_{to}"], job.data[f"domain_{to}"], opened, count),
                PooledEfficientNet,
            )
            for way, to in (("AtoB", "b"), ("BtoA", "a"))
        }
    if job.judge == "generation":
        opened = partial(generation.square, size=job.flags["size"])
        return {"KID": Kind("portrait", job.data["portraits"], opened, generation.COUNT)}
    if job.judge == "cartoongan" and "KID" in job.measure:
        opened = partial(load, size=cartoongan.SIZE)
        return {"KID": Kind("cartoon", job.data["cartoons"], opened, cartoongan.COUNT)}
    return {}


@torch.no_grad()
def distances(kind: Kind, known: list[Path], held_out: list[Path]) -> list[float]:
    """The KID of each set of ``known`` pictures to those that were held out.

    Args:
        kind: Which they are.
        known: Pictures that were trained on.
        held_out: Pictures that were not; each set has as many.
    """
    wanted = [kind.opened(path) for path in evenly(held_out, kind.count)]
    mixed = random.Random(0).sample(known, len(known))
    size = len(wanted)
    starts = range(0, len(mixed) - size + 1, size)[:SETS]
    sets = [[kind.opened(path) for path in mixed[start : start + size]] for start in starts]
    extractor = kind.extractor()
    return [kid(made, wanted, extractor) for made in sets]


def shipped(name: str, figure: str) -> dict[str, float | None]:
    """A figure of a card as ``value``, and as ``untouched`` that of the photos, if it is there."""
    facts = card.parse((checkpoint.SHIPPED / name / checkpoint.CARD).read_text())
    (found,) = (one for one in row_of(name, facts)["measures"] if one["name"] == figure)
    return {key: found[key] for key in ("value", "untouched")}


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
def main(data: Path) -> None:
    """Measure every kind, print and save."""
    session = Session(data=data)
    rows: dict[str, dict[str, Any]] = {}
    for job in JOBS:
        for figure, kind in aims(job).items():
            if kind.place not in rows:
                known, held_out = (
                    pictures_in(pictures(session, job, kind.place, test=test))
                    for test in (False, True)
                )
                found = distances(kind, known, held_out)
                rows[kind.place] = {
                    "kind": kind.name,
                    "figure": split(figure)[0],
                    "pictures": min(kind.count, len(held_out)),
                    "kid": [round(value, 4) for value in found],
                    "ships": {},
                }
                print(f"{kind.name:18} {len(found)} sets, mean {mean(found):.4f}", flush=True)
            rows[kind.place]["ships"][job.name] = shipped(job.name, figure)
    machine.save("floor", {"device": "cpu", "rows": list(rows.values())})


if __name__ == "__main__":
    main()
