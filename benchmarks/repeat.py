"""Whether a second comparison says what the first one said.

    python -m benchmarks.repeat [--methods many_styles,adain] [--size 512] [--runs 9]

Runs `python -m zoo compare` twice on the same photo and painting, each time in a process of its
own. The figures of quality have to be the same to the last digit; times are told beside each other.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import machine
from benchmarks.machine import EXAMPLES

USUAL = "many_styles,johnson,adain,style_swap,cyclegan,munit"
PHOTO = EXAMPLES / "photos" / "pagoda.jpg"
PAINTING = EXAMPLES / "paintings" / "turner-venice.jpg"


def compared(methods: str, size: int, runs: int) -> list[dict[str, Any]]:
    """Rows of the comparison's table, by one call of the command."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "zoo", "compare", "--content", str(PHOTO)]
        command += ["--style", str(PAINTING)]
        command += ["--methods", methods, "--size", str(size), "--runs", str(runs)]
        command += ["--no-memory", "--device", "cpu", "--out", out]
        subprocess.run(command, check=True)
        rows: list[dict[str, Any]] = json.loads((Path(out) / "table.json").read_text())["rows"]
        return rows


def row_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What two measurements of the same checkpoint say beside each other.

    Raises ValueError where one of them failed or is of something else.
    """
    asked = ("checkpoint", "revision", "content", "style", "width", "height", "settings")
    if any(first[key] != second[key] for key in asked):
        raise ValueError(f"{first['checkpoint']} was not measured twice")
    if error := first["error"] or second["error"]:
        raise ValueError(f"{first['checkpoint']}: {error}")
    figures = first["figures"].keys() | second["figures"].keys()
    return {
        "checkpoint": first["checkpoint"],
        "width": first["width"],
        "height": first["height"],
        "runs": first["runs"],
        "seconds": [first["seconds"], second["seconds"]],
        "ratio": second["seconds"] / first["seconds"],
        "figures": sum(first["figures"].get(key) is not None for key in figures),
        "differing": sorted(
            key for key in figures if first["figures"].get(key) != second["figures"].get(key)
        ),
    }


def rows_of(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each checkpoint."""
    return [row_of(*pair) for pair in zip(first, second, strict=True)]


@click.command()
@click.option("--methods", default=USUAL, show_default=True, help="As for the command.")
@click.option("--size", default=512, show_default=True, help="Longer side in pixels.")
@click.option("--runs", default=9, show_default=True, type=click.IntRange(1, 99), help="Timed.")
def main(methods: str, size: int, runs: int) -> None:
    """Compare twice, print and save."""
    rows = rows_of(compared(methods, size, runs), compared(methods, size, runs))
    for row in rows:
        told = f"differing: {', '.join(row['differing'])}" if row["differing"] else "same figures"
        print(f"{row['checkpoint']:22} time × {row['ratio']:.3f}, {told}", flush=True)
    machine.save("repeat", {"device": "cpu", "rows": rows})


if __name__ == "__main__":
    main()
