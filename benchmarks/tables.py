"""Writes the benchmarks' tables into the documents: ``python -m benchmarks.tables``.

A table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->`` and comes from ``results/NAME.json``
alone; a test fails when the two disagree. Where nothing was measured yet, the place is empty. Plots
are drawn from the same results.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.machine import RESULTS
from zoo.methods import METHODS

ROOT = Path(__file__).parents[1]


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def gatys(results: dict[str, Any]) -> str:
    """Our loss beside the peer's, by size."""
    head = ["longer side", "T", "our loss after T", "the peer's after 2T", "ratio"]
    rows = [
        [f"{r['size']} px", f"{r['seconds']} s", f"{r['ours']:.3g}", f"{r['peer']:.3g}", r["ratio"]]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results)


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
    return table(head, rows) + "\n\n" + on(results)


def training(results: dict[str, Any]) -> str:
    """Images/s of a training step beside the published loop."""
    head = ["step", "batch", "width", "published loop", "ours", "ratio"]
    rows: list[list[object]] = [
        [
            r["step"],
            f"{r['batch']} × {r['size']} px",
            r["width"],
            f"{r['published']:.2f} images/s",
            f"{r['ours']:.2f} images/s",
            f"{r['ratio']:.2f}",
        ]
        for r in results["rows"]
    ]
    if any("compiled" in r for r in results["rows"]):
        head.append("ours with --compile")
        for row, r in zip(rows, results["rows"], strict=True):
            row.append(f"{r['compiled']:.2f} images/s" if "compiled" in r else "–")
    if all("ours_mb" in r for r in results["rows"]):
        head.append("peak memory, both")
        for row, r in zip(rows, results["rows"], strict=True):
            row.append(f"{r['published_mb']} MB, {r['ours_mb']} MB")
    return table(head, rows) + "\n\n" + on(results)


def inference(results: dict[str, Any]) -> str:
    """Milliseconds for a picture, by network and size."""
    sizes = list(dict.fromkeys(r["size"] for r in results["rows"]))
    times: dict[tuple[str, int], list[object]] = {}
    for r in results["rows"]:
        times.setdefault((r["network"], r["width"]), []).append(f"{r['ms']} ms")
    rows = [[name, width, *found] for (name, width), found in times.items()]
    return table(["network", "width", *sizes], rows) + "\n\n" + on(results)


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
    return table(head, rows) + "\n\n" + on(results)


def smoothing(results: dict[str, Any]) -> str:
    """Our smoothing beside SciPy's direct solve."""
    exact, speed = results["exactness"], results["speed"]
    head = ["picture", "ours", "SciPy, matrix included", "factor and solve alone", "ratio", "apart"]
    rows: list[list[object]] = [
        [f"{exact['width']}×{exact['height']}", "", "", "", "", f"{exact['difference_255']}/255"],
        [
            f"{speed['width']}×{speed['height']}",
            f"{speed['seconds']} s",
            f"{speed['peer_seconds']} s",
            f"{speed['peer_factor_and_solve_seconds']} s",
            speed["ratio"],
            f"{speed['difference_255']}/255",
        ],
    ]
    return table(head, rows) + "\n\n" + on(results)


def site(results: dict[str, Any]) -> str:
    """How long a visitor waits."""
    rows: list[list[object]] = [["start of the site", f"{results['start']} s", ""]]
    for name, key in (("first paint, empty cache", "first_paint"), ("Stop", "stop")):
        rows.append([name, f"{results[key]['median']} s", f"{results[key]['worst']} s"])
    return table(["wait", "median", "longest"], rows) + "\n\n" + on(results)


def allocator(results: dict[str, Any]) -> str:
    """Networks with and without the memory that they free."""
    head = ["checkpoint", "longer side", "handed back", "kept", "ratio"]
    rows: list[list[object]] = [
        [
            r["checkpoint"],
            f"{r['size']} px",
            duration(r["seconds"]),
            duration(r["kept"]),
            f"{r['kept'] / r['seconds']:.2f}",
        ]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results)


def colors(results: dict[str, Any]) -> str:
    """Ways of taking a picture's colours over."""
    head = ["way", "time", "colours off the style's", "content error", "SSIM with the photo"]
    rows: list[list[object]] = [
        [
            r["way"],
            "" if r["seconds"] is None else duration(r["seconds"]),
            f"{r['drift_from_style']:.3f}",
            f"{r['content_error_vgg19']:.3f}",
            f"{r['ssim']:.3f}",
        ]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results)


def matrix(results: dict[str, Any]) -> str:
    """Time and memory of each method by size, and why cells are empty."""
    cells = {(r["method"], r["width"], r["height"]): r for r in results["rows"]}
    sizes = sorted({key[1:] for key in cells}, key=math.prod)
    names = {r["method"]: labelled(r) for r in results["rows"]}
    parts = []
    for quantity, told in (("time", told_time), ("peak memory", told_memory)):
        rows: list[list[object]] = [
            [label, *(told(cells.get((method, *size), {})) for size in sizes)]
            for method, label in names.items()
        ]
        parts.append(table([quantity, *(f"{w}×{h}" for w, h in sizes)], rows))
    if any(r.get("seconds") and not r["warm"] for r in results["rows"]):
        parts.append("\\* timed once; all others are medians after a first run.")
    reasons = [
        f"- {labelled(r)}, {r['width']}×{r['height']}: {r['skipped']}"
        for r in results["rows"]
        if "skipped" in r
    ]
    if reasons:
        parts.append("Not measured:\n\n" + "\n".join(reasons))
    name = "matrix" if results["device"] == "cpu" else "matrix-gpu"
    plots = [f"![{key.title()} by size](plots/{name}-{key}.svg)" for key in QUANTITIES]
    return "\n\n".join([*parts, *plots, on(results)])


def matrix_gpu(results: dict[str, Any]) -> str:
    """The same on a GPU, which not every machine has: with its heading."""
    words = "Memory is the most that the allocator gave during a run, with the weights."
    return f"### On a GPU\n\n{words}\n\n{matrix(results)}"


def labelled(row: dict[str, Any]) -> str:
    """A method with the settings that are not its defaults."""
    settings = [f"{value} {name}" for name, value in row["settings"].items()]
    return ", ".join([row["title"], *settings])


def told_time(cell: dict[str, Any]) -> str:
    """The time in a cell of the matrix."""
    if "seconds" not in cell:
        return "–"
    return duration(cell["seconds"]) + ("" if cell["warm"] else " *")


def told_memory(cell: dict[str, Any]) -> str:
    """The memory in a cell of the matrix."""
    return "–" if cell.get("memory") is None else megabytes(cell["memory"])


def repeat(results: dict[str, Any]) -> str:
    """Two comparisons beside each other."""
    head = ["checkpoint", "picture", "first time", "second time", "ratio", "figures of quality"]
    rows: list[list[object]] = []
    for r in results["rows"]:
        same = f"all {r['figures']} the same"
        rows.append(
            [
                r["checkpoint"].removeprefix("zoo/"),
                f"{r['width']}×{r['height']}",
                *map(duration, r["seconds"]),
                f"{r['ratio']:.2f}",
                f"other {', '.join(r['differing'])}" if r["differing"] else same,
            ]
        )
    return table(head, rows) + "\n\n" + on(results)


def cards(results: dict[str, Any]) -> str:
    """Quality by card: a table for each kind of measure, a row for each way a checkpoint works."""
    families: dict[tuple[str, bool], dict[tuple[str, str], dict[str, str]]] = {}
    for row in results["rows"]:
        judged = [measure for measure in row["measures"] if measure["better"]]
        kind, ways = split(judged[0]["name"]) if judged else ("", "")
        for measure in judged:
            stem, direction = split(measure["name"])
            family = families.setdefault((kind, bool(ways)), {})
            told = f"{measure['value']:.4g}"
            if measure["untouched"] is not None:
                told += f" ({measure['untouched']:.4g})"
            arrow = "↓" if measure["better"] == "lower" else "↑"
            family.setdefault((row["checkpoint"], direction), {})[f"{stem} {arrow}"] = told
    tables = []
    for family in families.values():
        head = list(dict.fromkeys(name for found in family.values() for name in found))
        rows: list[list[object]] = [
            [", ".join(filter(None, key)), *(found.get(name, "") for name in head)]
            for key, found in family.items()
        ]
        tables.append(table(["checkpoint", *head], rows))
    return "\n\n".join(tables)


def floor(results: dict[str, Any]) -> str:
    """What KID says of real pictures, and of what ships."""
    head = ["pictures of", "figure", "held out", "sets", "mean", "least to most", "what ships ↓"]
    rows: list[list[object]] = []
    for r in results["rows"]:
        ships = []
        for name, of in r["ships"].items():
            beside = "" if of["untouched"] is None else f" ({of['untouched']:.3f})"
            ships.append(f"{name} {of['value']:.3f}{beside}")
        found = r["kid"]
        spread = f"{min(found):.3f} to {max(found):.3f}"
        middle = f"{mean(found):.3f}"
        what = [r["kind"], r["figure"], r["pictures"], len(found), middle, spread]
        rows.append([*what, ", ".join(ships)])
    return table(head, rows) + "\n\n" + on(results)


def yardstick(results: dict[str, Any]) -> str:
    """Networks beside Gatys: a table of objectives, and one of style and content."""
    columns = {"photo": "untouched photo", "network": "the network"}
    columns |= {str(steps): f"Gatys, {steps} steps" for steps in results["steps"]}
    parts = []
    for key, words in (("objective", "objective ↓"), ("style", "style / content ↓")):
        rows: list[list[object]] = []
        for r in results["rows"]:
            if key in r["means"]["photo"]:
                means = [" / ".join(f"{v:.4g}" for v in r["means"][c].values()) for c in columns]
                rows.append([r["checkpoint"], r["photos"], f"{r['style_weight']:g}", *means])
        if rows:
            head = [f"{words} of", "photos", "style weight", *columns.values()]
            parts.append(table(head, rows))
    return "\n\n".join([*parts, on(results)])


def split(name: str) -> tuple[str, str]:
    """The name of a figure and the direction of translation that it is of."""
    stem, _, direction = name.rpartition(", ")
    return (stem, direction) if direction in ("AtoB", "BtoA") else (name, "")


def claims(results: dict[str, Any]) -> str:
    """What the reports said, beside what is measured here."""
    rows: list[list[object]] = []
    for r in results["rows"]:
        method = METHODS[r["method"]].title if r["method"] in METHODS else r["method"]
        found = "; ".join(map(told_figure, r["found"]))
        if r["note"]:
            found += f" ({r['note']})"
        rows.append([r["report"], method, r["question"], r["claim"], found])
    head = ["report", "method", "question", "the report", "here"]
    return table(head, rows) + "\n\n" + on(results)


def told_figure(found: dict[str, Any]) -> str:
    """A figure of a claim, in words."""
    units: dict[str, Callable[[float], str]] = {"s": duration, "bytes": megabytes}
    told = units.get(found["unit"], "{:.4g}".format)(found["value"])
    if found["untouched"] is not None:
        told += f", untouched {found['untouched']:.4g}"
    return f"{found['what']}: {told}"


def duration(seconds: float) -> str:
    """Seconds in the unit that people would use."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def megabytes(size: float) -> str:
    """Bytes as MB of 10^6."""
    return f"{size / 1e6:.0f} MB"


def video(results: dict[str, Any]) -> str:
    """Flicker, detail and speed of repainted videos."""
    head = ["video", "checkpoint", "size", "smooth", "flicker", "detail", "a frame"]
    rows: list[list[object]] = [
        [
            f"{r['video']}, {r['frames']} frames",
            r["checkpoint"],
            r["size"],
            f"{r['smooth']:g}",
            f"{1000 * r['flicker']:.2f} ({1000 * r['own_flicker']:.2f})",
            f"{r['detail_share']:.2f}",
            duration(r["seconds_a_frame"]),
        ]
        for r in results["rows"]
    ]
    return table(head, rows) + "\n\n" + on(results)


def on(results: dict[str, Any]) -> str:
    """What the figures were measured on, in one line."""
    machine = results["machine"]
    device = f"{machine['cpu']}, {machine['cores']} cores"
    if machine["gpu"] and results.get("device") != "cpu":
        device = machine["gpu"]
    days = sorted({row["date"] for row in results.get("rows", []) if "date" in row})
    days = days or [machine["date"]]
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    return f"Measured on {device}, PyTorch {machine['torch'].split('+')[0]}, {when}."


# ---- plots

COLORS = [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#8a6d00",
    "#3a86c8",
    "#7a3e9d",
    "#555555",
    "#c02f3f",
    "#2f7d32",
]
WIDTH, HEIGHT = 720, 430
LEFT, RIGHT, TOP, BOTTOM = 70, 540, 40, 350
LINE = 15  # pixels between two labels
# Key in the rows, what the axis is of, and how it counts.
QUANTITIES: dict[str, tuple[str, str, float]] = {
    "time": ("seconds", "seconds", 1),
    "memory": ("memory", "peak memory in MB", 1e-6),
}


def plot(results: dict[str, Any], quantity: str) -> str:
    """A quantity over the number of pixels, a line for each method, as an SVG picture."""
    key, words, unit = QUANTITIES[quantity]
    lines: dict[str, list[tuple[int, float]]] = {}
    sizes = sorted({(r["width"], r["height"]) for r in results["rows"]}, key=math.prod)
    for r in sorted(results["rows"], key=lambda r: r["width"] * r["height"]):
        if r.get(key):
            point = r["width"] * r["height"], unit * r[key]
            lines.setdefault(labelled(r), []).append(point)
    values = [value for points in lines.values() for _, value in points]
    x = scale([math.prod(size) for size in sizes], LEFT, RIGHT)
    y = scale(values, BOTTOM, TOP)
    drawn = []
    for tick in ticks(values):
        drawn.append(
            f'<path d="M{LEFT} {y(tick):.1f}H{RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for number, (width, height) in enumerate(sizes):
        place = x(width * height)
        drawn.append(
            f'<path d="M{place:.1f} {TOP}V{BOTTOM}" stroke="#eee"/>'
            f'<text x="{place:.1f}" y="{BOTTOM + 18 + LINE * (number % 2)}" '
            f'text-anchor="middle">{width}×{height}</text>'
        )
    ends = spread({name: y(points[-1][1]) for name, points in lines.items()})
    for number, (name, points) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{x(pixels):.1f},{y(value):.1f}" for pixels, value in points)
        at, end = path.rpartition(" ")[2], ends[name]
        drawn.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
            f'<polyline points="{at} {RIGHT + 12},{end:.1f}" fill="none" stroke="{color}" '
            'stroke-dasharray="1 3"/>'
            f'<text x="{RIGHT + 16}" y="{end + 4:.1f}" fill="{color}">{escape(name)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f'<text x="{LEFT}" y="20">{words}, by size of the picture (both logarithmic)</text>\n'
        + "\n".join(drawn)
        + f'\n<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#555"/>\n</svg>\n'
    )


def scale(values: Iterable[float], first: float, last: float) -> Callable[[float], float]:
    """A logarithmic axis that puts the least value at ``first`` and the largest at ``last``."""
    logs = [math.log(value) for value in values] or [0.0]
    low, span = min(logs), (max(logs) - min(logs)) or 1.0
    return lambda value: first + (last - first) * (math.log(value) - low) / span


def ticks(values: Sequence[float]) -> list[float]:
    """Ones and threes times powers of ten, as far as the values go."""
    low, high = min(values, default=1), max(values, default=1)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        step * 10.0**power
        for power in powers
        for step in (1, 3)
        if low <= step * 10.0**power <= high
    ]


def spread(wanted: dict[str, float]) -> dict[str, float]:
    """Heights of labels, near to those wanted and one line apart from each other."""
    found, last = {}, -math.inf
    for name, height in sorted(wanted.items(), key=lambda one: one[1]):
        last = found[name] = max(height, last + LINE)
    return found


# ---- documents

DOCUMENT = "docs/benchmarks.md"

TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "gatys": ("README.md", gatys),
    "hub": ("docs/hub.md", hub),
    "training": (DOCUMENT, training),
    "inference": (DOCUMENT, inference),
    "memory": (DOCUMENT, memory),
    "smoothing": (DOCUMENT, smoothing),
    "video": (DOCUMENT, video),
    "site": (DOCUMENT, site),
    "colors": (DOCUMENT, colors),
    "allocator": (DOCUMENT, allocator),
    "matrix": (DOCUMENT, matrix),
    "matrix-gpu": (DOCUMENT, matrix_gpu),
    "repeat": (DOCUMENT, repeat),
    "cards": (DOCUMENT, cards),
    "floor": (DOCUMENT, floor),
    "yardstick": (DOCUMENT, yardstick),
    "claims": (DOCUMENT, claims),
}


PLOTS = {
    f"docs/plots/{name}-{quantity}.svg": (name, quantity)
    for name in ("matrix", "matrix-gpu")
    for quantity in QUANTITIES
}


def read(name: str) -> dict[str, Any] | None:
    """The results of that name; None where nothing was measured yet."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def filled(name: str) -> tuple[Path, str]:
    """A document, and its text with the table of that name as the results have it."""
    document, render = TABLES[name]
    results = read(name)
    path = ROOT / document
    body = f"{render(results)}\n\n" if results else ""
    block = f"<!-- {name} -->\n\n{body}<!-- /{name} -->"
    pattern = rf"<!-- {name} -->.*?<!-- /{name} -->"
    text, count = re.subn(pattern, lambda _: block, path.read_text(), flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{document} has {count} places for the table {name}, not one")
    return path, text


def drawn(path: str) -> tuple[Path, str | None]:
    """A plot's file, and the SVG that the results make; None where nothing was measured yet."""
    name, quantity = PLOTS[path]
    results = read(name)
    return ROOT / path, plot(results, quantity) if results else None


def main() -> None:
    """Fill every table in, and draw every plot."""
    for name in TABLES:
        path, text = filled(name)
        path.write_text(text)
    for place in PLOTS:
        path, svg = drawn(place)
        if svg:
            path.parent.mkdir(exist_ok=True)
            path.write_text(svg)


if __name__ == "__main__":
    main()
