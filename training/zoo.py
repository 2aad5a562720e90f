"""Train what ships further, as far as the time goes: one command for the whole zoo.

    python -m training.zoo --data DIR --minutes 60 [--only adain --only munit-chinese]
    python -m training.zoo --data DIR --measure [--only adain]
    python -m training.zoo --data DIR --pack OUT
    python -m training.zoo --retell [--only adain]

The checkpoint that is furthest from its budget of steps goes on where it stopped. Then it is
measured, and takes the place of the one in ``zoo/checkpoints`` if it passes every gate and is
better by the measure that :data:`training.jobs.JOBS` names; else that one stays as it is. What
came of it is in ``zoo/checkpoints/LEDGER.md``. With ``--pack`` nothing is trained: small copies of
the pictures, of the size that they are used at, are written to a folder that can be given as
``--data`` elsewhere. With ``--measure`` nothing is trained either: all figures and samples of the
cards are made anew, from the weights as they ship; with ``--retell`` only what they say of
departures from the papers, from the comments of today.
"""

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch

from training.carry import carry
from training.cli import mistakes_told
from training.faults import bounds_of
from training.jobs import JOBS, WORK, Job, Session
from training.ledger import SHIPPED, enter, write_ledger
from training.loop import CHECKPOINT, RUN, Trainer, fit, write
from training.publish import publish, recipe_in, renew, retell
from training.recipe import Run
from training.sheet import Sheet
from training.sources import pictures
from zoo import card, checkpoint
from zoo.card import Metric
from zoo.errors import CheckpointError, InputError, ZooError
from zoo.files import replace_folder
from zoo.methods import METHODS

log = logging.getLogger(__name__)

EXAMPLES = Path("space/examples")
SETTLED = "settled.json"  # in a run: the step at which it was last measured
QUALITY = "quality.json"
MEASURED = "measured"  # beside the runs: figures of what ships
KNOWN = "optimised.json"  # beside the runs: what those have in common that are judged by Gatys
KEPT = "kept the earlier one"
# What decides whether weights fit.
SHAPE = ("width", "blocks", "convs_per_block", "skip", "norm", "loose")


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
    """A checkpoint to start the run of ``job`` from: the one that ships, if it has its shape."""
    own = session.shipped / job.name
    return own if _fits(job, own) else None


def _fits(job: Job, folder: Path) -> bool:
    try:
        made = json.loads((folder / "recipe.json").read_text())
    except (OSError, ValueError):
        return False
    fields = recipe_in(import_module(f"training.{job.recipe}")).__dataclass_fields__
    usual = {name: fields[name].default for name in SHAPE if name in fields}
    # A recipe of before a field was there has its default.
    return all(made.get(name, usual[name]) == job.flags.get(name, usual[name]) for name in usual)


def train(session: Session, job: Job, minutes: float) -> bool:
    """Go on with the run of ``job``; False where somebody asked to stop.

    Raises what :func:`training.loop.fit` raises, and InputError without the pictures.
    """
    module = import_module(f"training.{job.recipe}")
    start = beginning(session, job)
    settings: dict[str, Any] = {"start_from": start, **job.flags, **places(session, job)}
    if start and "warmup" in settings:
        settings["warmup"] = 0  # what ships has been through it, and would forget what came after
    recipe = recipe_in(module)(steps=job.steps, **settings)
    kinds = [k for k in vars(module).values() if isinstance(k, type) and issubclass(k, Trainer)]
    kind = [k for k in kinds if k.__module__ == module.__name__][-1]
    run = Run(
        out=session.run(job),
        minutes=minutes,
        save_every=session.save_every,
        compile=session.compile,
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
    if job.judge == "quality":
        options += ["--known", str(session.work / KNOWN)]
    command = [sys.executable, "-m", f"benchmarks.{job.judge}", str(folder), *options, *device]
    done = subprocess.run([*command, "--out", str(out)], check=False)
    if done.returncode:
        raise CheckpointError(
            "{name} could not be measured: benchmarks.{judge} failed.",
            name=folder.name,
            judge=job.judge,
        )
    return [Metric(**line) for line in json.loads(out.read_text())]


def settle(session: Session, job: Job) -> str:
    """Measure the run of ``job`` as it is, and ship it if it is better; returns what came of it.

    Raises InputError or CheckpointError when it cannot be measured.
    """
    run, place = session.run(job), session.shipped / job.name
    done, _ = progress(session, job)
    metrics = judge(session, job, run / CHECKPOINT, run / QUALITY)
    # Beside the checkpoints and not among them, on the same file system.
    fresh = session.shipped.parent / f".{job.name}"
    before, after = [], job.figures(metrics)
    try:
        try:
            facts = publish(
                run,
                fresh,
                f"zoo/{job.name}",
                **vars(shown(job)),
                metrics=metrics,
                licenses=job.licenses,
                limits=job.limits,
            )
            admit(facts.metrics, job.recipe)
        except CheckpointError as error:
            outcome = f"refused: {error}"
        else:
            after = job.figures(facts.metrics)
            if place.exists():
                before = _before(session, job, place, after)
            outcome = verdict(before, after, first=not place.exists())
        if outcome == SHIPPED:
            replace_folder(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    made = json.loads((run / RUN).read_text())
    enter(
        session.shipped,
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


def measure(session: Session, job: Job) -> None:
    """Measure the checkpoint that ships of ``job`` anew, and bring its card up to date.

    Raises InputError or CheckpointError when it cannot be measured, or would not be let pass; the
    card is then as it was.
    """
    place, fresh = session.shipped / job.name, session.shipped.parent / f".{job.name}"
    found = session.work / MEASURED / f"{job.name}.json"
    found.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_dir():
        raise InputError("There is no {place} to measure.", place=place)
    try:
        metrics = judge(session, job, place, found)
        facts = renew(place, fresh, places(session, job), shown(job), metrics)
        admit(facts.metrics, job.recipe)
        before = card.parse((place / checkpoint.CARD).read_text()).metrics
        replace_folder(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    for line in changes(before, facts.metrics):
        log.info("%s: %s", job.name, line)


def changes(before: Iterable[Metric], after: Iterable[Metric]) -> list[str]:
    """How figures differ from earlier ones, a line each; none where they are the same."""
    earlier = {(metric.name, metric.data): metric.value for metric in before}
    lines = []
    for metric in after:
        was = earlier.pop((metric.name, metric.data), None)
        if was != metric.value:
            told = "new" if was is None else f"was {was}"
            lines.append(f"{metric.name} ({metric.data}): {metric.value}, {told}")
    lines += [
        f"{name} ({data}): {was}, not measured any more" for (name, data), was in earlier.items()
    ]
    return lines


def places(session: Session, job: Job) -> dict[str, Path]:
    """The pictures that ``job`` trains on, by field of its recipe."""
    return {name: pictures(session, job, place) for name, place in job.data.items()}


def shown(job: Job) -> Sheet:
    """What the samples of ``job`` are made of."""
    kinds = (job.contents, job.contents_b, job.styles)
    contents, contents_b, styles = ([EXAMPLES / f"{n}.jpg" for n in names] for names in kinds)
    return Sheet(
        contents=contents, contents_b=contents_b, styles=styles, size=job.size, vary=job.vary
    )


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


def admit(metrics: Iterable[Metric], method: str) -> None:
    """Raises CheckpointError when a figure of ``method`` is beyond the bound of its fault."""
    bounds = {bound.name: bound for bound in bounds_of(method).values()}
    for metric in metrics:
        bound = bounds.get(metric.name)
        if bound and not bound.passes(metric.value):
            raise CheckpointError("{fault} ({value}).", fault=bound.fault, value=metric.value)


def _before(session: Session, job: Job, place: Path, after: Sequence[Metric]) -> list[Metric]:
    """Figures of what ships on the same pictures: from its card, else measured now."""
    told = job.figures(card.parse((place / checkpoint.CARD).read_text()).metrics)
    if [(m.features, m.data) for m in told] == [(m.features, m.data) for m in after]:
        return told
    return job.figures(judge(session, job, place, session.run(job) / "earlier.json"))


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
@click.option(
    "--steps",
    type=click.IntRange(1),
    help="Schedules of so many steps, in place of the budgets: their rates fall in time.",
)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=WORK, help="Where the runs lie.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
@click.option("--compile", is_flag=True, help="As --compile of the recipes.")
@click.option("--measure", "again", is_flag=True, help="Measure what ships anew.")
@click.option("--retell", "words", is_flag=True, help="Tell the departures of what ships anew.")
@click.option("--pack", "out", type=click.Path(path_type=Path), help="Pack the pictures there.")
def main(
    minutes: float,
    only: tuple[str, ...],
    steps: int | None,
    data: Path,
    work: Path,
    device: str,
    compile: bool,
    again: bool,
    words: bool,
    out: Path | None,
) -> None:
    """Train the checkpoints that ship further, and ship what is better."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    jobs = [replace(job, steps=steps or job.steps) for job in JOBS if not only or job.name in only]
    session = Session(data=data, work=work, device=device, compile=compile)
    with mistakes_told():
        if unknown := set(only) - {job.name for job in JOBS}:
            raise InputError(
                "There is no checkpoint “{name}” to train; use {known}.",
                name=min(unknown),
                known=", ".join(job.name for job in JOBS),
            )
        if out:
            for job in jobs:
                log.info("%s: %.1f MB", job.name, carry(session, job, out) / 1e6)
        elif words:
            for place in (session.shipped / job.name for job in jobs):
                if place.is_dir():  # of a new job there is none yet
                    retell(place)
        elif again:
            for job in jobs:
                measure(session, job)
                write_ledger(session.shipped)
        else:
            write_ledger(session.shipped)
            walk(session, jobs, minutes)


if __name__ == "__main__":
    main()
