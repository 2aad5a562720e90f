"""Seconds of networks whose freed memory is kept, beside glibc's own way with it.

    python -m benchmarks.allocator [--size 512] [--runs 7]

Each side is a process of its own. They take turns, so that what else the machine does hits both
alike.
"""

import json
import subprocess
import sys
import time
from statistics import median

import click

from benchmarks import machine
from benchmarks.machine import EXAMPLES
from zoo import allocator, images
from zoo.runtime import Runtime

NAMES = ("johnson-great-wave", "adain", "style-swap", "cyclegan-chinese")
PHOTO, STYLE = EXAMPLES / "photos" / "pagoda.jpg", EXAMPLES / "paintings" / "turner-venice.jpg"


def measure(name: str, size: int, runs: int, keep: bool) -> float:
    """Median seconds of a checkpoint on the CPU, after a run that pays for what is done once."""
    if keep:
        allocator.keep_freed()
    pipeline = Runtime("cpu").pipeline(f"zoo/{name}")
    inputs = {"content": images.open_picture(PHOTO).image, "size": size}
    if "style" in pipeline.form.by_name:
        inputs["style"] = images.open_picture(STYLE).image
    seconds = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        pipeline(**inputs)
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


@click.command()
@click.option("--size", default=512, show_default=True, help="Longer side in pixels.")
@click.option("--runs", default=7, show_default=True, help="Timed runs in each process.")
@click.option("--here", help="Measure this checkpoint in this process, and print seconds.")
@click.option("--keep", is_flag=True, help="With --here: keep what is freed.")
def main(size: int, runs: int, here: str | None, keep: bool) -> None:
    """Measure both ways, print and save."""
    if here:
        print(json.dumps(measure(here, size, runs, keep)))
        return
    rows = []
    for name in NAMES:
        command = [sys.executable, "-m", "benchmarks.allocator", "--here", name]
        command += ["--size", str(size), "--runs", str(runs)]
        turns = [
            [
                float(subprocess.run([*command, *more], check=True, stdout=subprocess.PIPE).stdout)
                for more in ((), ("--keep",))
            ]
            for _ in range(3)
        ]
        before, after = (median(seconds) for seconds in zip(*turns, strict=True))
        print(f"{name:20} {before:.3f} s, kept {after:.3f} s, × {after / before:.2f}", flush=True)
        rows.append({"checkpoint": name, "size": size, "seconds": before, "kept": after})
    machine.save("allocator", {"device": "cpu", "rows": rows})


if __name__ == "__main__":
    main()
