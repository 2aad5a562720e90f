"""Measure everything: ``python -m benchmarks``, or ``make bench``.

    python -m benchmarks [--only inference] [--limit-seconds 60] [--quick] [--fresh]

Every benchmark is a process of its own and saves its results as it ends, the matrix after each of
its cells, so a pass that was interrupted goes on where it was. One that fails, such as for want of
a peer's package, is named at the end and does not stop the others. At the end the documents' tables
are written from all results. Four run only by name: the hub's moves files of gigabytes, and those
of the yardstick, the floor and videos need pictures in ``data``.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from zoo.files import write_atomic

ROOT = Path(__file__).parents[1]
STATE = ROOT / "runs" / "benchmarks.json"  # what the present pass has done
QUICK = ROOT / "runs" / "quick"  # results of a quick look, which no document shall have


@dataclass(frozen=True)
class Benchmark:
    """One of them: its module, its flags, and those of a quick look at small sizes."""

    name: str
    flags: str = ""
    quick: str = ""
    by_default: bool = True


# `claims` needs what stands before it.
ALL = (
    Benchmark("cards"),
    Benchmark("matrix", "", "--size 256x192 --runs 1"),
    Benchmark("repeat", "", "--methods many_styles,adain --size 96 --runs 1"),
    Benchmark("training", "--steps 1", "--steps 1 --size 64"),
    Benchmark("claims", "", "--steps 10 --rounds 1"),
    Benchmark("inference", "--runs 5", "--runs 1"),
    Benchmark("gatys", "--steps 100", "--sizes 128 --steps 10"),
    Benchmark("colors", "", "--size 96 --rounds 1"),
    Benchmark("allocator", "", "--size 96 --runs 1"),
    Benchmark("memory", "", "--side 128 --style-side 64"),
    Benchmark("smoothing", "--rounds 1", "--rounds 1 --shrink 6"),
    Benchmark("site", "", "--rounds 1"),
    Benchmark("floor", by_default=False),
    Benchmark("video", "", "--seconds 0.3 --size 96", by_default=False),
    Benchmark("yardstick", "", "--size 96 --count 1", by_default=False),
    Benchmark("hub", "", "--size 0.02 --runs 1", by_default=False),
)
NAMES = [one.name for one in ALL]


def begun_before() -> dict[str, bool]:
    """What an interrupted pass has begun, and whether it came to its end."""
    return dict(json.loads(STATE.read_text())) if STATE.exists() else {}


def note(begun: dict[str, bool]) -> None:
    """Keep what the present pass has begun, for should it be interrupted."""
    STATE.parent.mkdir(exist_ok=True)
    write_atomic(STATE, json.dumps(begun).encode())


def run(benchmark: Benchmark, quick: bool, limit: float, again: bool) -> bool:
    """Run one of them, ``again`` from its beginning; whether it ended well."""
    flags = (benchmark.quick if quick else benchmark.flags).split()
    if benchmark.name == "matrix":
        flags += ["--limit-seconds", str(limit), *(["--again"] if again else [])]
    environment = os.environ | ({"BENCHMARK_RESULTS": str(QUICK)} if quick else {})
    print(f"== {benchmark.name} {' '.join(flags)}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{benchmark.name}", *flags]
    ended = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    words = "done" if ended == 0 else f"failed with {ended}"
    print(f"== {benchmark.name}: {words} after {time.monotonic() - began:.0f} s\n", flush=True)
    return ended == 0


@click.command()
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Run this; repeat for more.")
@click.option("--limit-seconds", default=60.0, show_default=True, help="For a cell of the matrix.")
@click.option("--quick", is_flag=True, help="Small sizes, one repeat; no document is changed.")
@click.option("--fresh", is_flag=True, help="Measure again what an interrupted pass has measured.")
def main(only: tuple[str, ...], limit_seconds: float, quick: bool, fresh: bool) -> None:
    """Run the benchmarks in turn and write the tables."""
    whole = not only and not quick
    begun = begun_before() if whole and not fresh else {}
    if done := [name for name, ended in begun.items() if ended]:
        print(f"Measured by the interrupted pass: {', '.join(done)} (--fresh: again)\n")
    chosen = [one for one in ALL if (one.name in only if only else one.by_default)]
    failed = []
    for benchmark in chosen:
        name = benchmark.name
        if begun.get(name):
            continue
        # What this pass had begun goes on; so does what was asked for by its name.
        again = fresh or quick or (whole and name not in begun)
        if whole:
            note(begun | {name: False})
        if not run(benchmark, quick, limit_seconds, again):
            failed.append(name)
        elif whole:
            begun[name] = True
            note(begun)
    if whole:
        STATE.unlink(missing_ok=True)
    if quick:
        print(f"Results: {QUICK.relative_to(ROOT)}")
    else:
        subprocess.run([sys.executable, "-m", "benchmarks.tables"], cwd=ROOT, check=True)
    if failed:
        print(f"Failed: {', '.join(failed)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
