"""What the cards of the shipped checkpoints say of their training and quality, in one file.

    python -m benchmarks.cards

Nothing is measured here: the figures are by `benchmarks.quality`, `translation`, `cartoongan` and
`generation`, which `python -m training.zoo --measure` calls for all of them. Beside a figure stands
that of the untouched photo, where the card has it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from zoo import card
from zoo.card import CardFacts, Metric
from zoo.checkpoint import SHIPPED

EARLIER = "Training started from"  # how a card's limits tell of weights that came before


def gathered(folder: Path = SHIPPED) -> list[dict[str, Any]]:
    """A row for each checkpoint in ``folder`` that was trained, by name."""
    rows = []
    for path in sorted(folder.glob("*/README.md")):
        facts = card.parse(path.read_text())
        if facts.metrics:
            rows.append(row_of(path.parent.name, facts))
    return rows


def row_of(name: str, facts: CardFacts) -> dict[str, Any]:
    """What a card says of training and quality."""
    metrics = first(facts.metrics)
    photos = {metric.name: photo_of(metric.name, metrics) for metric in metrics}
    beside = {photo.name for photo in photos.values() if photo}
    return {
        "checkpoint": name,
        "method": facts.method,
        "title": facts.title,
        "steps": facts.recipe.get("steps"),
        "batch": facts.recipe.get("batch_size"),
        "size": facts.recipe.get("size"),
        "seconds": facts.seconds,
        "device": facts.device,
        "pictures": [{"name": data.name, "pictures": data.pictures} for data in facts.datasets],
        "earlier_weights": any(limit.startswith(EARLIER) for limit in facts.limits),
        "measures": [
            {
                "name": metric.name,
                "value": metric.value,
                "untouched": photo.value if (photo := photos[metric.name]) else None,
                "better": metric.better,
                "features": metric.features,
                "data": metric.data,
            }
            for metric in metrics
            if metric.name not in beside
        ],
    }


def first(metrics: Sequence[Metric]) -> list[Metric]:
    """Those measured on the same pictures as the first, each way: gates use a few of their own."""
    data = {"": metrics[0].data}
    return [m for m in metrics if m.data == data.setdefault(direction_of(m.name), m.data)]


def direction_of(name: str) -> str:
    """AtoB or BtoA at the end of a figure's name; "" where there is none."""
    last = name.rpartition(", ")[2]
    return last if last in ("AtoB", "BtoA") else ""


def photo_of(name: str, metrics: Sequence[Metric]) -> Metric | None:
    """The same figure of the untouched photo, by what cards call it."""
    called = [f"{name} of the photo", f"{name}, of the photo", f"{name} of the untouched photos"]
    if direction := direction_of(name):
        called.append(f"{name.removesuffix(direction)[:-2]} of the untouched, {direction}")
    return next((metric for metric in metrics if metric.name in called), None)


def main() -> None:
    """Gather, print and save."""
    rows = gathered()
    for row in rows:
        print(f"{row['checkpoint']:22} {len(row['measures'])} figures", flush=True)
    machine.save("cards", {"rows": rows})


if __name__ == "__main__":
    main()
