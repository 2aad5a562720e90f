"""The ledger of what ships: ``LEDGER.md``, written from the cards and ``ledger.json``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from training.jobs import JOBS, Job
from training.loop import write
from zoo import card, checkpoint
from zoo.card import CardFacts

LEDGER, BOOK = "LEDGER.md", "ledger.json"
SHIPPED = "shipped"  # the outcome of a session whose checkpoint ships


def entries(shipped: Path) -> list[dict[str, Any]]:
    """What earlier sessions came to, oldest first."""
    path = shipped / BOOK
    return list(json.loads(path.read_text())) if path.is_file() else []


def enter(shipped: Path, entry: Mapping[str, Any]) -> None:
    """Put an outcome into the ledger, and write it anew."""
    book = [*entries(shipped), dict(entry)]
    write(shipped / BOOK, json.dumps(book, indent=1).encode() + b"\n")
    write_ledger(shipped)


def write_ledger(shipped: Path) -> None:
    """Bring the ledger up to date with the cards and the outcomes."""
    write(shipped / LEDGER, ledger(shipped, JOBS).encode())


def ledger(shipped: Path, jobs: Sequence[Job]) -> str:
    """The ledger as Markdown: what ships, from the cards, and what the sessions came to."""
    rows = []
    # A card has the steps that were planned; a session those that were made.
    made = {e["name"]: e["steps"] for e in entries(shipped) if e["outcome"] == SHIPPED}
    for job in jobs:
        path = shipped / job.name / checkpoint.CARD
        facts = card.parse(path.read_text()) if path.is_file() else CardFacts()
        told = job.figures(facts.metrics)
        steps = made.get(job.name, facts.recipe.get("steps"))
        rows.append(
            (
                job.name,
                f"{steps} of {job.steps}" if steps else f"none of {job.steps}",
                _hours(facts.seconds),
                facts.device,
                " and ".join(job.measure),
                _figure(mean(m.value for m in told) if told else None),
            )
        )
    lines = [
        "# Ledger",
        "",
        "Written by `python -m training.zoo` from the cards and from `ledger.json`.",
        "",
        *_table(("Checkpoint", "Steps", "Time", "Device", "Measure", "Value"), rows),
    ]
    sessions = [
        (
            entry["date"], entry["name"], str(entry["steps"]), _hours(entry["seconds"]),
            entry["device"], entry["measure"], _figure(entry["before"]), _figure(entry["after"]),
            entry["outcome"],
        )
        for entry in reversed(entries(shipped))
    ]  # fmt: skip
    if sessions:
        heads = ("Date", "Checkpoint", "Steps", "Time", "Device", "Measure", "Before", "After")
        lines += ["", "## Sessions", "", *_table((*heads, "Outcome"), sessions)]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *cells)]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _hours(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 3600:.2f} h"
