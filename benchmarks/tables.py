"""Writes the benchmarks' tables into the documents: ``python -m benchmarks.tables``.

A table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->`` and comes from ``results/NAME.json``
alone; a test fails when the two disagree.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS

ROOT = Path(__file__).parents[1]


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def gatys(results: dict[str, Any]) -> str:
    """Our loss beside the peer's, by size."""
    head = ["longer side", "T", "our loss after T", "the peer's after 2T", "ratio"]
    rows = [
        [f"{r['size']} px", f"{r['seconds']} s", f"{r['ours']:.3g}", f"{r['peer']:.3g}", r["ratio"]]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results["machine"])


def hub(results: dict[str, Any]) -> str:
    """Transfers of one large file: speed, ratio and the server's memory."""
    found = results["results"]
    head = [f"{results['size_gb']:g} GB", "MB/s", "ratio", "server's peak memory"]
    rows: list[list[object]] = []
    for name, peer in (
        ("download", "nginx"),
        ("upload by LFS", "cp + sha256sum"),
        ("upload by Xet", "cp + sha256sum"),
    ):
        ratio, peak = found[f"{name} / {peer}"], found[f"{name}, server peak MB"]
        rows.append([name, f"{found[name]:.0f}", f"{ratio} of {peer}", f"{peak:.0f} MB"])
    return table(head, rows) + "\n\n" + on(results["machine"])


def training(results: dict[str, Any]) -> str:
    """Images/s of a training step beside the published loop."""
    head = ["step", "batch", "width", "published loop", "ours", "ratio", "peak memory, both"]
    rows: list[list[object]] = [
        [
            r["step"],
            f"{r['batch']} × {r['size']} px",
            r["width"],
            f"{r['published']:.2f} images/s",
            f"{r['ours']:.2f} images/s",
            f"{r['ratio']:.2f}",
            f"{r['published_mb']} MB, {r['ours_mb']} MB",
        ]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results["machine"])


def inference(results: dict[str, Any]) -> str:
    """Milliseconds for a picture, by network and size."""
    sizes = list(dict.fromkeys(r["size"] for r in results["rows"]))
    times: dict[tuple[str, int], list[object]] = {}
    for r in results["rows"]:
        times.setdefault((r["network"], r["width"]), []).append(f"{r['ms']} ms")
    rows = [[name, width, *found] for (name, width), found in times.items()]
    return table(["network", "width", *sizes], rows) + "\n\n" + on(results["machine"])


def memory(results: dict[str, Any]) -> str:
    """Memory beyond what the loaded method takes."""
    head = ["method", "photo", "style", "peak growth"]
    rows: list[list[object]] = [
        [
            r["method"],
            f"{r['side']}×{r['side']}",
            f"{r['style_side']}×{r['style_side']}",
            f"{r['growth_mb']} MB",
        ]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results["machine"])


def on(machine: dict[str, Any]) -> str:
    """What the figures were measured on, in one line."""
    device = machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
    return f"Measured on {device}, PyTorch {machine['torch'].split('+')[0]}, {machine['date']}."


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "gatys": ("README.md", gatys),
    "hub": ("docs/hub.md", hub),
    "training": ("docs/benchmarks.md", training),
    "inference": ("docs/benchmarks.md", inference),
    "memory": ("docs/benchmarks.md", memory),
}


def filled(name: str) -> tuple[Path, str]:
    """A document, and its text with the table of that name as the results have it."""
    document, render = TABLES[name]
    results = json.loads((RESULTS / f"{name}.json").read_text())
    path = ROOT / document
    block = f"<!-- {name} -->\n\n{render(results)}\n\n<!-- /{name} -->"
    pattern = rf"<!-- {name} -->.*?<!-- /{name} -->"
    text, count = re.subn(pattern, lambda _: block, path.read_text(), flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{document} has {count} places for the table {name}, not one")
    return path, text


def main() -> None:
    """Fill every table in."""
    for name in TABLES:
        path, text = filled(name)
        path.write_text(text)


if __name__ == "__main__":
    main()
