"""Train what ships further, as far as the time goes: one command for the whole zoo.

    python -m training.zoo --data DIR --minutes 60 [--only adain --only munit-chinese]
    python -m training.zoo --data DIR --pack OUT

The checkpoint that is furthest from its budget of steps goes on where it stopped. Then it is
measured, and takes the place of the one in ``zoo/checkpoints`` if it passes every gate and is
better by the measure that the table names; else that one stays as it is. What came of it is in
``zoo/checkpoints/LEDGER.md``. With ``--pack`` nothing is trained: the pictures are decoded at the
size that they are used at and written to a folder that can be given as ``--data`` elsewhere.
"""

import csv
import io
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from training.data import INDEX, pack, pictures_in
from training.faults import BOUNDS
from training.loop import CHECKPOINT, RUN, Trainer, fit, write
from training.publish import publish, recipe_in
from training.recipe import Run
from zoo import card, checkpoint
from zoo.card import CardFacts, Metric
from zoo.errors import CheckpointError, InputError, ZooError
from zoo.files import replace_folder
from zoo.methods import METHODS

log = logging.getLogger(__name__)

WORK = Path("runs/zoo")
EXAMPLES = Path("space/examples")
LEDGER, BOOK = "LEDGER.md", "ledger.json"
SETTLED = "settled.json"  # in a run: the step at which it was last measured
QUALITY = "quality.json"
HELD_OUT = 10  # every so manyth picture is not trained on, where a job holds some out
SCENES = 5  # likewise of the scenes of pairs
LARGEST_PACK = 40_000_000  # bytes, of one job
COPIED = {"style", "styles", "pairs"}  # fields of recipes that are no streams of pictures
SHAPE = ("width", "blocks", "convs_per_block")  # what decides whether weights fit


@dataclass(frozen=True, kw_only=True)
class Job:
    """How one shipped checkpoint is made and judged.

    Args:
        name: Of its folder in ``zoo/checkpoints``.
        recipe: Module of :mod:`training`.
        data: Where the recipe's pictures are below the data folder, by field: a folder, a file, or
            a text file that lists pictures relative to itself.
        flags: Fields of the recipe that are not at their defaults.
        steps: Budget.
        measure: Names of the figures whose mean decides.
        judge: Module of the benchmarks that measures them; "" for a recipe whose gate does.
        judged_on: Its options, with places as in ``data``.
        held_out: Whether every tenth picture is kept for judging.
        some: Of a folder of styles, only those of these names.
        twin: A checkpoint to start from where the own one does not ship yet: its networks of the
            first kind of picture, for both kinds.
        licenses: What cards say of the pictures, by stream.
        limits: Known limits, for the card.
        contents: Example pictures for the samples.
        styles: Example style pictures, likewise.
        size: Longer side of a sample in pixels.
        vary: As :func:`training.publish.publish` takes it.
    """

    name: str
    recipe: str
    data: Mapping[str, str]
    flags: Mapping[str, Any]
    steps: int
    measure: tuple[str, ...]
    judge: str = ""
    judged_on: Mapping[str, str] = field(default_factory=dict)
    held_out: bool = False
    some: tuple[str, ...] = ()
    twin: str = ""
    licenses: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    contents: tuple[str, ...] = ("photos/pagoda", "photos/astronaut", "photos/cat", "photos/coffee")
    styles: tuple[str, ...] = ()
    size: int = 512
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)


PHOTOS = "mixed photo collections (Flickr8k, ImageNet sample, BSDS500 and others), for research only; not redistributed"  # noqa: E501
PAINTINGS = "reproductions of paintings by more than 200 artists, public domain; photographs of them from WikiArt and the Louvre, not redistributed"  # noqa: E501
COMMONS = (
    "reproduction of a painting in the public domain, from Wikimedia Commons; not redistributed"
)
YOSEMITE = "Flickr photos of Yosemite (CycleGAN's data), for research only; not redistributed"
LANDSCAPES = "landscape photos from mixed collections (Flickr and others), for research only; not redistributed"  # noqa: E501
CHINESE = "Chinese landscape paintings gathered from auction and gallery sites, without a licence, for research only; not redistributed"  # noqa: E501

STYLES = (
    "delaunay_man-with-tulip", "gris_portrait-of-picasso", "hokusai_great-wave",
    "kandinsky_composition-vii", "klimt_the-kiss", "matisse_woman-with-a-hat",
    "mondrian_cubist-composition", "monet_water-lilies-1919", "munch_the-scream", "picabia_udnie",
    "seurat_grande-jatte", "turner_shipwreck-of-the-minotaur", "van-gogh_starry-night",
    "van-gogh_twelve-sunflowers", "van-gogh_wheat-field-with-cypresses",
    "wang-ximeng_thousand-li",
)  # fmt: skip
ON_STYLES = {"photos": "contents", "styles": "styles"}
SHORT = {"precision": "bf16", "lr": 1e-3}
BY_HEART: dict[str, Any] = SHORT | {
    "objective": "gatys4", "tv_weight": 0.2, "style_size": 320, "load_size": 224, "size": 160,
    "batch_size": 4, "width": 16, "cooldown": 0.3, "clip": 1.0,
}  # fmt: skip
ADVERSARIAL: dict[str, Any] = {
    "load_size": 144, "size": 128, "width": 24, "precision": "bf16", "average": 0.998,
}  # fmt: skip
PAIRS = {
    "chinese": (
        {"domain_a": "chinese/photos_manifest.txt", "domain_b": "chinese/paintings"},
        {"name_a": "photo", "name_b": "Chinese painting"},
        {"domain_a": LANDSCAPES, "domain_b": CHINESE},
    ),
    "seasons": (
        {"domain_a": "yosemite/summer", "domain_b": "yosemite/winter"},
        {"name_a": "summer", "name_b": "winter"},
        {"domain_a": YOSEMITE, "domain_b": YOSEMITE},
    ),
}
CODED = {"discriminator_width": 24, "lr": 2e-4, "mode_seeking_weight": 0.02, "cooldown": 0.4}
BETWEEN: dict[str, tuple[int, dict[str, Any]]] = {
    "cyclegan": (
        20_000,
        {"blocks": 6, "discriminator_width": 32, "batch_size": 1, "cooldown": 0.5},
    ),
    "munit": (20_000, CODED | {"blocks": 4, "batch_size": 1, "halve_every": 0, "spectral": True}),
    "drit": (12_000, CODED | {"width": 20, "batch_size": 2}),
}
EXPOSURE = {"chinese": 0.7, "seasons": 0.3}


def _johnson(name: str, style: str, weight: float) -> Job:
    return Job(
        name=f"johnson-{name}",
        recipe="johnson",
        data={"photos": "photos", "style": f"styles/{style}.jpg"},
        flags=BY_HEART | {"average": 0.98, "style_weight": weight},
        steps=6000,
        measure=("Gatys objective",),
        judge="quality",
        judged_on=ON_STYLES,
        licenses={"photos": PHOTOS, "styles": COMMONS},
        limits=("In flat or dark areas there can be a droplet of another colour.",),
    )


def _between(method: str, pair: str) -> Job:
    steps, flags = BETWEEN[method]
    data, names, licenses = PAIRS[pair]
    if method == "cyclegan":
        flags = flags | {"exposure": EXPOSURE[pair]}
    return Job(
        name=f"{method}-{pair}",
        recipe=method,
        data=data,
        flags=ADVERSARIAL | flags | names,
        steps=steps,
        measure=("KID, AtoB", "KID, BtoA"),
        judge="translation",
        judged_on=data,
        held_out=True,
        twin=f"{method}-chinese" if pair == "seasons" else "",
        licenses=licenses,
        contents=(
            "photos/pagoda", "photos/dahlia", "paintings/cezanne-mountain",
            "paintings/zhao-landscape",
        ),
        size=256,
    )  # fmt: skip


ANY_STYLE: dict[str, Any] = {
    "judge": "quality",
    "judged_on": ON_STYLES,
    "measure": ("Style loss, share of the photo's",),
    "licenses": {"photos": PHOTOS, "paintings": PAINTINGS},
    "contents": ("photos/pagoda", "photos/astronaut", "photos/cat"),
    "styles": ("paintings/van-gogh-bouquet", "paintings/hiroshige-river", "paintings/redon-vase"),
}
JOBS: tuple[Job, ...] = (
    _johnson("great-wave", "hokusai_great-wave", 12.0),
    _johnson("sunflowers", "van-gogh_twelve-sunflowers", 8.0),
    _johnson("the-kiss", "klimt_the-kiss", 12.0),
    _johnson("udnie", "picabia_udnie", 12.0),
    Job(
        name="many-styles",
        recipe="many_styles",
        data={"photos": "photos", "styles": "styles"},
        some=STYLES,
        flags=BY_HEART | {"average": 0.995, "style_weight": 6.0, "warmup": 200},
        steps=12_000,
        measure=("Gatys objective",),
        judge="quality",
        judged_on=ON_STYLES,
        licenses={"photos": PHOTOS, "styles": COMMONS},
        size=320,
        vary={"painting": range(len(STYLES))},
    ),
    Job(
        name="adain",
        recipe="adain",
        data={"photos": "photos", "paintings": "paintings"},
        flags={
            "load_size": 256, "size": 160, "batch_size": 4, "width": 32, "precision": "bf16",
            "lr": 4e-4, "warmup": 150, "style_weight": 2.0, "pixel_weight": 10.0, "lr_decay": 0.0,
            "cooldown": 0.3, "clip": 20.0, "average": 0.998,
        },
        steps=6000,
        limits=("Faces and fine lines lose detail; use a lower strength for portraits.",),
        **ANY_STYLE,
    ),
    Job(
        name="style-swap",
        recipe="style_swap",
        data={"photos": "photos", "paintings": "paintings"},
        flags=SHORT
        | {
            "load_size": 256, "size": 128, "batch_size": 2, "width": 32, "lr_decay": 0.0,
            "cooldown": 0.25, "clip": 5.0, "average": 0.998, "pixel_weight": 10.0,
        },
        steps=6000,
        **ANY_STYLE,
    ),
    Job(
        name="photo-wct",
        recipe="fast_photo_style",
        data={"photos": "photos"},
        flags=SHORT
        | {
            "load_size": 256, "size": 128, "batch_size": 4, "cooldown": 0.4, "clip": 5.0,
            "average": 0.995,
        },
        steps=2500,
        measure=("Style loss, share of the photo's",),
        judge="quality",
        judged_on=ON_STYLES,
        licenses={"photos": PHOTOS},
        contents=("photos/pagoda", "photos/coffee", "photos/cat"),
        styles=("photos/rocket", "photos/dahlia"),
    ),
    *(_between(method, pair) for method in BETWEEN for pair in PAIRS),
    Job(
        name="dcgan",
        recipe="dcgan",
        data={"portraits": "portraits"},
        flags={
            "size": 64, "load_size": 72, "width": 32, "discriminator_width": 32, "batch_size": 32,
            "precision": "bf16", "augment": "gentle", "cooldown": 0.3, "average": 0.999,
        },
        steps=12_000,
        measure=("KID",),
        judge="generation",
        judged_on={"portraits": "portraits"},
        held_out=True,
        licenses={"portraits": PAINTINGS},
        contents=(),
    ),
    Job(
        name="dehaze",
        recipe="cartoongan",
        data={"photos": "haze/hazy", "cartoons": "haze/clear", "pairs": "haze/pairs.csv"},
        flags={
            "edges": False, "load_size": 144, "size": 112, "width": 16, "blocks": 8,
            "discriminator_width": 24, "batch_size": 2, "precision": "bf16", "encoder_size": 0,
            "content_weight": 0.01, "color_weight": 40.0, "warmup": 400, "lr": 5e-4,
            "warmup_gain": 1.0, "average": 0.995, "cooldown": 0.5, "adversarial_weight": 0.1,
        },
        steps=6000,
        measure=("PSNR",),
        judge="cartoongan",
        judged_on={"photos": "haze/hazy", "cartoons": "haze/clear", "pairs": "haze/pairs.csv"},
        held_out=True,
        contents=("photos/pagoda", "photos/rocket"),
    ),
    Job(
        name="cartoongan",
        recipe="cartoongan",
        data={"photos": "photos", "cartoons": "cartoon"},
        flags={
            "load_size": 160, "size": 112, "width": 16, "blocks": 8, "convs_per_block": 2,
            "discriminator_width": 24, "batch_size": 1, "precision": "bf16", "encoder_size": 0,
            "content_weight": 0.01, "color_weight": 60.0, "warmup": 800, "lr": 8e-5,
            "warmup_gain": 5.0, "adversarial_weight": 3.0, "style_weight": 20.0, "beta1": 0.9,
            "average": 0.998, "cooldown": 0.35,
        },
        steps=7500,
        measure=("Style distance",),
        judge="cartoongan",
        judged_on={"photos": "contents", "cartoons": "cartoon"},
        held_out=True,
        licenses={
            "photos": PHOTOS,
            "cartoons": "panels of the comic Pepper&Carrot by David Revoy, CC BY 4.0",
        },
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Session:
    """Where one call works.

    Args:
        data: The pictures.
        shipped: The checkpoints that ship.
        work: The runs.
        device: "auto" takes a GPU where there is one; or "cpu".
        save_every: Steps between saved states: what a killed process loses at most.
    """

    data: Path
    shipped: Path = checkpoint.SHIPPED
    work: Path = WORK
    device: str = "auto"
    save_every: int = 250

    def run(self, job: Job) -> Path:
        """Folder of the run of ``job``."""
        return self.work / job.name


# ---- pictures


def source(session: Session, job: Job, place: str) -> Path:
    """Where the pictures of ``place`` lie: in what was packed for ``job``, else as they are.

    Raises InputError when they are nowhere.
    """
    packed = session.data / job.name / place.removesuffix(".txt")
    found = packed if packed.exists() else session.data / place
    if not found.exists():
        raise InputError("There is no {place} in {data}.", place=place, data=session.data)
    return found


def pictures(session: Session, job: Job, place: str, *, test: bool = False) -> Path:
    """A folder, pack or file of the pictures to train on, or with ``test`` of those to judge by.

    Where only some of a folder are meant, it is a folder of links to them.
    """
    found = source(session, job, place)
    held_out = job.held_out and place in job.data.values()
    if (found / INDEX).is_file():
        return found.with_name(f"{found.name}-test") if test and held_out else found
    if found.suffix == ".csv":
        return _scenes(session, job, found, test) if held_out else found
    some = job.some and found.name == "styles" and not test
    pairs = "pairs" in job.data  # of those whole scenes are held out, by their table
    if found.suffix != ".txt" and not some and (pairs or not held_out):
        return found
    paths = [p for p in listed(found) if not some or p.stem in job.some]
    if held_out:
        last = HELD_OUT - 1
        paths = [p for n, p in enumerate(paths) if (n % HELD_OUT == last) == test]
    # Of several names: digests and cards do not depend on the place, but people read it.
    name = "-".join(Path(place).with_suffix("").parts).replace("_manifest", "")
    return link(paths, session.work / "pictures" / (f"{name}-test" if test else name))


def listed(place: Path) -> list[Path]:
    """The pictures in a folder, or of a list of them."""
    if place.suffix != ".txt":
        return [path for path in pictures_in(place) if path.parent == place]
    lines = filter(None, map(str.strip, place.read_text().splitlines()))
    return [(place.parent / line).resolve() for line in lines]


def link(paths: Iterable[Path], folder: Path) -> Path:
    """Make ``folder`` hold links to exactly these files."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {path.name: path.resolve() for path in paths}
    for stale in folder.iterdir():
        if stale.name not in wanted or stale.resolve() != wanted[stale.name]:
            stale.unlink()
    for name, path in wanted.items():
        if not (folder / name).exists():
            (folder / name).symlink_to(path)
    return folder


def _scenes(session: Session, job: Job, table: Path, test: bool) -> Path:
    """The lines of a table of pairs whose scenes are trained on, or with ``test`` are not."""
    last = SCENES - 1
    kept = [
        line
        for line in csv.reader(table.read_text().splitlines())
        if (digits := Path(line[0]).stem.partition("_")[0]).isdigit()
        and (int(digits) % SCENES == last) == test
    ]
    text = io.StringIO()
    csv.writer(text).writerows(kept)
    out = session.work / "pictures" / f"{job.name}-{'test' if test else 'train'}.csv"
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out, text.getvalue().encode())
    return out


# ---- training


def progress(session: Session, job: Job) -> tuple[int, int]:
    """How many steps a run has saved, and at which step it was measured last; -1 for never."""
    found = []
    for name in (RUN, SETTLED):
        try:
            found.append(int(json.loads((session.run(job) / name).read_text())["step"]))
        except (OSError, ValueError, LookupError, TypeError):  # none yet, or torn
            found.append(-1)
    return max(0, found[0]), found[1]


def pending(session: Session, jobs: Sequence[Job]) -> list[Job]:
    """The jobs that are not done, the one furthest from its budget first."""
    shares = []
    for job in jobs:
        done, settled = progress(session, job)
        if done < job.steps or settled != done:
            shares.append((done / job.steps, job))
    return [job for _, job in sorted(shares, key=lambda pair: pair[0])]


def beginning(session: Session, job: Job) -> Path | None:
    """A checkpoint to start the run of ``job`` from: the one that ships, or one of its twin."""
    own = session.shipped / job.name
    if _fits(job, own):
        return own
    twin = session.shipped / job.twin
    if not job.twin or not _fits(job, twin):
        return None
    # What the twin knows of photos serves both kinds here.
    state = load_file(twin / checkpoint.WEIGHTS)
    for new, known in (("generators.AtoB.", "generators.BtoA."), ("networks.B.", "networks.A.")):
        for name in [name for name in state if name.startswith(new)]:
            state[name] = state[known + name.removeprefix(new)].clone()
    folder = session.work / f"{job.name}-start"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / checkpoint.WEIGHTS)
    return folder


def _fits(job: Job, folder: Path) -> bool:
    try:
        made = json.loads((folder / "recipe.json").read_text())
    except (OSError, ValueError):
        return False
    usual = recipe_in(import_module(f"training.{job.recipe}")).__dataclass_fields__
    shape = [name for name in SHAPE if name in usual]
    wanted = {name: job.flags.get(name, usual[name].default) for name in shape}
    return all(made.get(name) == value for name, value in wanted.items())


def train(session: Session, job: Job, minutes: float) -> bool:
    """Go on with the run of ``job``; False where somebody asked to stop.

    Raises what :func:`training.loop.fit` raises, and InputError without the pictures.
    """
    module = import_module(f"training.{job.recipe}")
    places = {name: pictures(session, job, place) for name, place in job.data.items()}
    settings: dict[str, Any] = {"start_from": beginning(session, job), **job.flags, **places}
    recipe = recipe_in(module)(steps=job.steps, **settings)
    kinds = [k for k in vars(module).values() if isinstance(k, type) and issubclass(k, Trainer)]
    kind = [k for k in kinds if k.__module__ == module.__name__][-1]
    run = Run(
        out=session.run(job),
        minutes=minutes,
        save_every=session.save_every,
        device="cpu" if session.device == "cpu" else "auto",
        packs=session.work.parent / "packs",
    )
    trainer: Trainer[Any] = kind(recipe, run)
    began = time.monotonic()
    fit(trainer)
    return trainer.done >= job.steps or time.monotonic() - began >= 60 * minutes


# ---- judging


def judge(session: Session, job: Job, folder: Path, out: Path) -> list[Metric]:
    """Measure the checkpoint in ``folder`` by the benchmark of ``job``; its JSON goes to ``out``.

    Raises CheckpointError when the benchmark fails.
    """
    if not job.judge:
        return []
    options = [
        word
        for name, place in job.judged_on.items()
        for word in (
            f"--{name.replace('_', '-')}",
            str(pictures(session, job, place, test=True)),
        )
    ]
    gpu = session.device != "cpu" and torch.cuda.is_available()
    device = ["--device", "cuda" if gpu else "cpu"]
    command = [sys.executable, "-m", f"benchmarks.{job.judge}", str(folder), *options, *device]
    done = subprocess.run([*command, "--out", str(out)], check=False)
    if done.returncode:
        raise CheckpointError(
            "{name} could not be measured: benchmarks.{judge} failed.",
            name=folder.name,
            judge=job.judge,
        )
    return [Metric(**line) for line in json.loads(out.read_text())]


def figures(job: Job, metrics: Iterable[Metric]) -> list[Metric]:
    """The figures that decide on ``job``; none where one of them is missing."""
    known = {metric.name: metric for metric in metrics}
    return [known[name] for name in job.measure] if known.keys() >= set(job.measure) else []


def settle(session: Session, job: Job) -> str:
    """Measure the run of ``job`` as it is, and ship it if it is better; returns what came of it.

    Raises InputError or CheckpointError when it cannot be measured.
    """
    run, place = session.run(job), session.shipped / job.name
    done, _ = progress(session, job)
    metrics = judge(session, job, run / CHECKPOINT, run / QUALITY)
    for stale in session.shipped.parent.glob(f".{job.name}-????????"):  # of a killed process
        shutil.rmtree(stale)
    # Beside the checkpoints and not among them, on the same file system.
    fresh = Path(tempfile.mkdtemp(prefix=f".{job.name}-", dir=session.shipped.parent))
    before, after = [], figures(job, metrics)
    facts = CardFacts()
    try:
        try:
            facts = publish(
                run,
                fresh,
                f"zoo/{job.name}",
                contents=[EXAMPLES / f"{name}.jpg" for name in job.contents],
                styles=[EXAMPLES / f"{name}.jpg" for name in job.styles],
                size=job.size,
                vary=job.vary,
                metrics=metrics,
                licenses=job.licenses,
                limits=job.limits,
            )
            admit(facts.metrics)
        except CheckpointError as error:
            outcome = f"refused: {error}"
        else:
            after = figures(job, facts.metrics)
            if place.exists():
                before = _before(session, job, place, after)
            outcome = verdict(before, after, first=not place.exists())
        if outcome == SHIPPED:
            fresh.chmod(0o755)
            replace_folder(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    made = json.loads((run / RUN).read_text())
    enter(
        session,
        {
            "name": job.name,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "steps": done,
            "seconds": made["seconds"],
            "device": made["device"],
            "measure": " and ".join(job.measure),
            "before": mean(m.value for m in before) if before else None,
            "after": mean(m.value for m in after) if after else None,
            "outcome": outcome,
        },
    )
    write(run / SETTLED, json.dumps({"step": done}).encode())
    log.info("%s at step %d: %s", job.name, done, outcome)
    return outcome


SHIPPED, KEPT = "shipped", "kept the earlier one"


def verdict(before: Sequence[Metric], after: Sequence[Metric], *, first: bool) -> str:
    """Whether figures are good enough to ship; ``first`` where none shipped before."""
    if not after:
        return "refused: it was not measured"
    if first:
        return SHIPPED
    if not before:
        return "refused: there is no figure of the earlier one to compare with"
    gain = mean(m.value for m in after) - mean(m.value for m in before)
    better = gain > 0 if after[0].better == "higher" else gain < 0
    return SHIPPED if better else KEPT


def admit(metrics: Iterable[Metric]) -> None:
    """Raises CheckpointError when a figure is beyond the bound of its fault."""
    bounds = {bound.name: bound for bound in BOUNDS.values()}
    for metric in metrics:
        bound = bounds.get(metric.name)
        if bound and not bound.passes(metric.value):
            raise CheckpointError("{fault} ({value}).", fault=bound.fault, value=metric.value)


def _before(session: Session, job: Job, place: Path, after: Sequence[Metric]) -> list[Metric]:
    """Figures of what ships on the same pictures: from its card, else measured now."""
    told = figures(job, card.parse((place / checkpoint.CARD).read_text()).metrics)
    if [(m.features, m.data) for m in told] == [(m.features, m.data) for m in after]:
        return told
    return figures(job, judge(session, job, place, session.run(job) / "earlier.json"))


# ---- the ledger


def entries(shipped: Path) -> list[dict[str, Any]]:
    """What earlier sessions came to, oldest first."""
    path = shipped / BOOK
    return list(json.loads(path.read_text())) if path.is_file() else []


def enter(session: Session, entry: Mapping[str, Any]) -> None:
    """Put an outcome into the ledger, and write it anew."""
    book = [*entries(session.shipped), dict(entry)]
    write(session.shipped / BOOK, json.dumps(book, indent=1).encode() + b"\n")
    write_ledger(session)


def write_ledger(session: Session) -> None:
    """Bring the ledger up to date with the cards and the outcomes."""
    write(session.shipped / LEDGER, ledger(session.shipped, JOBS).encode())


def ledger(shipped: Path, jobs: Sequence[Job]) -> str:
    """The ledger as Markdown: what ships, from the cards, and what the sessions came to."""
    rows = []
    # A card has the steps that were planned; a session those that were made.
    made = {e["name"]: e["steps"] for e in entries(shipped) if e["outcome"] == SHIPPED}
    for job in jobs:
        path = shipped / job.name / checkpoint.CARD
        facts = card.parse(path.read_text()) if path.is_file() else CardFacts()
        told = figures(job, facts.metrics)
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


# ---- carrying pictures elsewhere


def carry(session: Session, job: Job, out: Path, most: int = LARGEST_PACK) -> int:
    """Write the pictures of ``job`` to ``out``, decoded at the size used; returns the bytes.

    Where they are more than ``most`` bytes, an even choice of those to train on goes along; style
    pictures, pairs and those to judge by go whole.

    Raises InputError when those are too many already.
    """
    inside = replace(session, work=session.work / "carried")
    total, streams = 0, []
    # Folders before what lies in them.
    wanted = {(place, True) for place in job.judged_on.values()}
    wanted |= {(place, False) for place in job.data.values()}
    for place, test in sorted(wanted, key=lambda one: (len(one[0]), one)):
        trained_on = [name for name, data in job.data.items() if data == place]
        if "pairs" not in job.data and not test and trained_on[0] not in COPIED:
            streams.append((trained_on[0], place))
            continue
        if test and trained_on and ("pairs" in job.data or not job.held_out):
            continue  # goes along for training
        found = source(inside, job, place)
        if test and trained_on:
            found = pictures(inside, job, place, test=True)
        target = _target(out, job, place, test=test and bool(trained_on))
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if found.is_dir() else shutil.copy)(found, target)
            total += sum(p.stat().st_size for p in [target, *target.rglob("*")] if p.is_file())
    for number, (_, place) in enumerate(sorted(streams)):
        folder = pictures(inside, job, place)
        size = job.flags["load_size"]
        chosen = _as_many(listed(folder), size, (most - total) // (len(streams) - number))
        if not chosen:
            raise InputError("The pictures of {name} are too large to carry.", name=job.name)
        target = _target(out, job, place, test=False)
        pack(link(chosen, inside.work / job.name / folder.name), target, size)
        total += sum(p.stat().st_size for p in target.iterdir())
    return total


def _target(out: Path, job: Job, place: str, test: bool) -> Path:
    path = out / job.name / place.removesuffix(".txt")
    return path.with_name(f"{path.name}-test") if test else path


def _as_many(paths: Sequence[Path], size: int, most: int) -> list[Path]:
    """An even choice of ``paths`` that takes at most so many bytes, decoded at ``size``."""
    sizes = []
    for path in paths:
        with Image.open(path) as picture:  # reads the header only
            scale = min(1.0, size / min(picture.size))
            sizes.append(3 * round(picture.width * scale) * round(picture.height * scale) + 256)
    count = len(paths)
    while count and sum(sizes[n * len(paths) // count] for n in range(count)) > most:
        count = min(count - 1, count * 49 // 50)
    return [paths[n * len(paths) // count] for n in range(count)]


# ---- the command


def walk(session: Session, jobs: Sequence[Job], minutes: float) -> None:
    """Train and settle one job after the other until the time is up, or somebody asks to stop."""
    until = time.monotonic() + 60 * minutes
    left = [job for job in jobs if job.recipe in METHODS]
    for job in jobs:
        if job not in left:
            log.info("%s: this version does not offer %s", job.name, job.recipe)
    while waiting := pending(session, left):
        job, remaining = waiting[0], (until - time.monotonic()) / 60
        if remaining <= 0:
            return
        log.info("%s: step %d of %d", job.name, progress(session, job)[0], job.steps)
        try:
            if progress(session, job)[0] < job.steps and not train(session, job, remaining):
                return
            settle(session, job)
        except ZooError as error:
            log.error("%s: %s", job.name, error)
            left.remove(job)


@click.command()
@click.option(
    "--minutes", default=60.0, show_default=True, help="For training; measuring is extra."
)
@click.option("--only", multiple=True, help="Name of a checkpoint; repeat it for more.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=WORK, help="Where the runs lie.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
@click.option("--pack", "out", type=click.Path(path_type=Path), help="Pack the pictures there.")
def main(
    minutes: float, only: tuple[str, ...], data: Path, work: Path, device: str, out: Path | None
) -> None:
    """Train the checkpoints that ship further, and ship what is better."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    jobs = [job for job in JOBS if not only or job.name in only]
    session = Session(data=data, work=work, device=device)
    try:
        if unknown := set(only) - {job.name for job in JOBS}:
            raise InputError(
                "There is no checkpoint “{name}” to train; use {known}.",
                name=min(unknown),
                known=", ".join(job.name for job in JOBS),
            )
        if out is None:
            write_ledger(session)
            walk(session, jobs, minutes)
            return
        for job in jobs:
            log.info("%s: %.1f MB", job.name, carry(session, job, out) / 1e6)
    except ZooError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
