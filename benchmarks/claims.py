"""What five student reports said of these methods, beside what is measured here.

    python -m benchmarks.claims [--steps 150] [--rounds 5]

Reports, by their numbers here: 000, NTHU CVFX homework 2, team 20 (MUNIT, DRIT, FastPhotoStyle,
Gatys, CycleGAN); 001, CVFX-HW2 (MUNIT between seasons); 002, Image-Style-Transfer (Gatys, Johnson,
style-swap, and videos); 003, CartoonGAN and experiments (dehazing too); 004, portraits from a
DCGAN. Three things are measured here: how long Gatys paints at 256×256 pixels, how long Johnson and
style-swap take from file to file, and how long a frame takes with the checkpoint that is made for
cameras, as `benchmarks.matrix` measures the usual ones. All else is taken from the results of that,
`cards` and `training`, which have to be there. What no shipped checkpoint can answer has no row.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import click
from PIL import Image, ImageOps

from benchmarks import machine, matrix
from benchmarks.machine import EXAMPLES, RESULTS
from zoo import checkpoint, images
from zoo.methods import METHODS
from zoo.runtime import Runtime, list_shipped, shipped

SIDE = 256
CAMERA = "zoo/many-styles-camera"
FRAMES = {(640, 480): "110 → 44 ms", (1280, 720): "274 → 165 ms", (1920, 1080): "354 → 273 ms"}
FIVE = {  # report 000: training, memory in GB, quality
    "munit": ("very long", "4 GB", "fair"),
    "drit": ("very long", "10 GB, batch 128", "poor"),
    "fast_photo_style": ("fast", "1 GB", "poor"),
    "gatys": ("3 min", "4 GB", "fair"),
    "cyclegan": ("very long", "5 GB", "good"),
}


@dataclass(frozen=True)
class Found:
    """One figure: what it is of, its value, the untouched photo's, and a unit: s, bytes or none."""

    what: str
    value: float
    unit: str = ""
    untouched: float | None = None


@dataclass(frozen=True)
class Claim:
    """What a report said of a method, and the figures that answer it."""

    report: str
    method: str
    question: str
    claim: str
    found: list[Found] = field(default_factory=list)
    note: str = ""


class Measured:
    """Results of the other benchmarks, by method and checkpoint; what is missing is empty."""

    def __init__(self, folder: Path) -> None:
        def rows(name: str) -> list[dict[str, Any]]:
            path = folder / f"{name}.json"
            return json.loads(path.read_text())["rows"] if path.exists() else []

        self.cells = {(r["method"], r["width"], r["height"]): r for r in rows("matrix")}
        self.cards = {r["checkpoint"]: r for r in rows("cards")}
        self.training = {r["step"]: r for r in rows("training")}

    def of(self, method: str) -> list[dict[str, Any]]:
        """Cards of a method, its usual checkpoint's first."""
        usual = METHODS[method].checkpoint.removeprefix("zoo/") if method in METHODS else ""
        mine = [card for card in self.cards.values() if card["method"] == method]
        return sorted(mine, key=lambda card: card["checkpoint"] != usual)

    def times(self, method: str, sizes: Iterable[tuple[int, int]]) -> list[Found]:
        """Seconds at each size that was measured."""
        cells = [self.cells.get((method, *size), {}) for size in sizes]
        return [
            Found(f"{cell['width']}×{cell['height']}", cell["seconds"], "s")
            for cell in cells
            if "seconds" in cell
        ]


def schedule(card: Mapping[str, Any], per: int = 0) -> list[Found]:
    """Steps and time of a training, and the time of ``per`` pictures in it if asked for."""
    if not card["seconds"] or not card["steps"]:
        return []
    found = [
        Found(f"{card['steps']} steps of batch {card['batch']}", card["seconds"], "s"),
        Found("a step", card["seconds"] / card["steps"], "s"),
    ]
    if per and card["batch"]:
        pace = card["seconds"] / (card["steps"] * card["batch"])
        found.append(Found(f"an epoch of {per} pictures", per * pace, "s"))
    return found


def schedule_note(card: Mapping[str, Any]) -> str:
    """How a training was done."""
    words = f"{card['checkpoint']}, {card['size']} px, on {card['device']}"
    return f"{words}; after earlier weights" if card["earlier_weights"] else words


def figures(card: Mapping[str, Any], *names: str) -> list[Found]:
    """Figures of a card that have one of ``names``, in any direction."""
    wanted = {name + way for name in names for way in ("", ", AtoB", ", BtoA")}
    return [
        Found(measure["name"], measure["value"], "", measure["untouched"])
        for measure in card["measures"]
        if measure["name"] in wanted
    ]


def five(measured: Measured, painted: Found) -> Iterator[Claim]:
    """Report 000: training, time of a picture, memory and quality of five methods."""
    for method, (training, memory, quality) in FIVE.items():
        cards = measured.of(method)
        card = cards[0] if cards else None
        if card:
            found, note = schedule(card), schedule_note(card)
            yield Claim("000", method, "training", training, found, note)
        elif method == "gatys":
            note = "it trains nothing; its time is that of a picture"
            yield Claim("000", method, "training", training, [painted], note)
        small, large = (SIDE, SIDE), (2 * SIDE, 2 * SIDE)
        times = measured.times(method, (small, large))
        steps = measured.cells.get((method, *large), {}).get("settings", {}).get("steps")
        note = f"{steps} steps" if steps else ""
        yield Claim("000", method, "a picture", "fast", times, note)
        found = []
        cell = measured.cells.get((method, *large), {})
        if cell.get("memory"):
            found.append(Found("a picture of 512×512", cell["memory"], "bytes"))
        title = METHODS[method].title if method in METHODS else ""
        step = measured.training.get(title, {})
        if "ours_mb" in step:
            words = f"a training step, {step['size']} px, batch {step['batch']}"
            found.append(Found(words, step["ours_mb"] * 10**6, "bytes"))
        yield Claim("000", method, "memory", memory, found)
        if card:
            names = (
                *("Independent KID", "KID", "Style loss, share of the photo's"),
                "Content error, relative",
            )
            yield Claim(
                "000", method, "quality", quality, figures(card, *names), card["checkpoint"]
            )
        elif method == "gatys":
            name = "Gatys objective of 50 steps of our Gatys"
            for judge in measured.of("many_styles"):
                note = f"on the pictures of {judge['checkpoint']}, whose objective it is"
                yield Claim("000", method, "quality", quality, figures(judge, name), note)
    for card in measured.cards.values():
        if card["checkpoint"] in ("cyclegan-chinese", "munit-chinese", "drit-chinese"):
            claim = "photo → painting works better than painting → photo"
            found = figures(card, "Independent KID", "KID", "FID")
            note = f"{card['checkpoint']}; AtoB is photo → painting"
            yield Claim("000", card["method"], "direction", claim, found, note)


def seasons(measured: Measured) -> Iterator[Claim]:
    """Report 001: how long MUNIT trains, and which season is easier."""
    for card in measured.of("munit"):
        claim = "500 000 steps in 2.5 days, 0.43 s a step"
        yield Claim("001", "munit", "training", claim, schedule(card), schedule_note(card))
        if card["checkpoint"].endswith("-seasons"):
            claim, note = "summer → winter works better than back", "AtoB is summer → winter"
            found = figures(card, "Independent KID", "KID", "FID")
            yield Claim("001", "munit", "direction", claim, found, note)


def desktop(
    measured: Measured, painted: Found, files: Mapping[str, Found], filmed: Sequence[Found]
) -> Iterator[Claim]:
    """Report 002: Gatys, Johnson and style-swap, pictures and frames."""
    yield Claim("002", "gatys", "a picture of 256×256", "1500 steps in 4 min", [painted])
    for method, claim in (("johnson", "90 ms"), ("style_swap", "150 ms")):
        if method in files:
            found, note = [files[method]], "file read and written, as in the report"
            yield Claim("002", method, "a picture of 256×256", claim, found, note)
    for size, claim in FRAMES.items():
        frame = f"{size[0]}×{size[1]}"
        for method in ("johnson", "many_styles"):
            yield Claim("002", method, f"a frame of {frame}", claim, measured.times(method, [size]))
        found, note = [one for one in filmed if one.what == frame], CAMERA.removeprefix("zoo/")
        yield Claim("002", "many_styles", f"a frame of {frame}", claim, found, note)
    for method, claim in (
        ("johnson", "10 000 steps of batch 4 in 1.5 h"),
        ("style_swap", "60 000 steps in 4 h"),
    ):
        for card in measured.of(method)[:1]:
            yield Claim("002", method, "training", claim, schedule(card), schedule_note(card))
            claim = "results are dark and faded" if method == "style_swap" else ""
            if claim:
                found = figures(
                    card, "Contrast, share of the style's", "Colour drift from the style"
                )
                yield Claim("002", method, "quality", claim, found, card["checkpoint"])


def cartoons(measured: Measured) -> Iterator[Claim]:
    """Report 003: epochs of CartoonGAN, its beginnings, and dehazing."""
    for card in measured.of("cartoongan"):
        found, note = schedule(card, per=100), schedule_note(card)
        claim = "1 s per epoch of 100 pictures, 300 s of 2000 (V100)"
        yield Claim("003", "cartoongan", "training", claim, found, note)
        if fidelity := figures(card, "PSNR", "SSIM"):
            note = card["checkpoint"]
            yield Claim("003", "cartoongan", "dehazing", "wished for", fidelity, note)
        else:
            claim = "the initialisation looked better than the adversarial phase"
            found = figures(card, "Style distance", "Content error")
            yield Claim("003", "cartoongan", "quality", claim, found, card["checkpoint"])
            claim, found = "200 epochs: not abstract enough", figures(card, "KID", "FID")
            note = f"{card['checkpoint']}; how far from cartoons"
            yield Claim("003", "cartoongan", "abstraction", claim, found, note)


def portraits(measured: Measured) -> Iterator[Claim]:
    """Report 004: portraits of a DCGAN."""
    for card in measured.of("dcgan"):
        claim, found = "5000 portraits of 64×64", figures(card, "KID", "Diversity")
        note = schedule_note(card)
        yield Claim("004", "dcgan", "training", claim, schedule(card), note)
        yield Claim("004", "dcgan", "quality", claim, found, card["checkpoint"])


def answered(
    measured: Measured, painted: Found, files: Mapping[str, Found], filmed: Sequence[Found] = ()
) -> list[Claim]:
    """Every claim that the figures have an answer to, by report."""
    claims = [
        *five(measured, painted),
        *seasons(measured),
        *desktop(measured, painted, files, filmed),
        *cartoons(measured),
        *portraits(measured),
    ]
    return [claim for claim in claims if claim.found]


def square() -> Image.Image:
    """The photo that is painted."""
    photo = images.open_picture(EXAMPLES / "photos" / "cat.jpg").image
    return ImageOps.fit(photo, (SIDE, SIDE), Image.Resampling.LANCZOS)


def painting(runtime: Runtime, steps: int) -> Found:
    """Seconds of Gatys for so many steps at 256×256 pixels; fewer steps warm up."""
    pipeline = runtime.pipeline("zoo/gatys")
    inputs = {"content": square(), "style": EXAMPLES / "paintings" / "van-gogh-bouquet.jpg"}
    pipeline(**inputs, size=SIDE, steps=10)
    started = perf_counter()
    pipeline(**inputs, size=SIDE, steps=steps)
    return Found(f"{steps} steps", perf_counter() - started, "s")


def from_file_to_file(runtime: Runtime, method: str, rounds: int) -> Found:
    """Seconds to read a JPEG of 256×256 pixels, repaint it and write the result as PNG."""
    pipeline = runtime.pipeline(METHODS[method].checkpoint)
    with tempfile.TemporaryDirectory() as name:
        photo, made = Path(name) / "photo.jpg", Path(name) / "made.png"
        square().save(photo)
        inputs: dict[str, Any] = {"content": photo, "size": SIDE}
        if "style" in pipeline.form.by_name:
            inputs["style"] = EXAMPLES / "paintings" / "van-gogh-bouquet.jpg"
        spent = []
        for _ in range(rounds + 1):
            started = perf_counter()
            *_, last = pipeline.stream(**inputs)
            made.write_bytes(last.png())
            spent.append(perf_counter() - started)
    return Found("from file to file", median(spent[1:]), "s")


def filming() -> Iterator[Found]:
    """Seconds of a frame of each size with the checkpoint for cameras."""
    folder, _ = shipped(CAMERA, "main")
    method = METHODS[checkpoint.read_config(folder)["method"]]
    for size in FRAMES:
        asked = matrix.inputs(method, size)
        work = partial(matrix.cell, checkpoint.load, folder, asked, "cpu", matrix.RUNS)
        row = matrix.measured(work, matrix.LIMIT) or {}
        if "seconds" in row:
            yield Found(f"{size[0]}×{size[1]}", row["seconds"], "s")


@click.command()
@click.option("--steps", default=150, show_default=True, help="Of Gatys.")
@click.option("--rounds", default=5, show_default=True, help="Of the pictures from file to file.")
def main(steps: int, rounds: int) -> None:
    """Measure, gather and save."""
    runtime = Runtime("cpu")
    there = {one.repo_id for one in list_shipped()}
    painted = painting(runtime, steps)
    files = {
        method: from_file_to_file(runtime, method, rounds)
        for method in ("johnson", "style_swap")
        if METHODS[method].checkpoint in there
    }
    filmed = list(filming()) if CAMERA in there else []
    claims = answered(Measured(RESULTS), painted, files, filmed)
    for claim in claims:
        found = ", ".join(f"{one.what}: {one.value:.4g} {one.unit}".strip() for one in claim.found)
        print(claim.report, claim.method, claim.question, found, sep="\t", flush=True)
    machine.save("claims", {"device": "cpu", "rows": [asdict(claim) for claim in claims]})


if __name__ == "__main__":
    main()
