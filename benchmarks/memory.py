"""Peak memory of style-swap in a fresh process, beyond what the loaded method takes.

    python -m benchmarks.memory

The matching compares every patch of the photo with every patch of the style. Held whole, the scores
of a photo of 1024×1024 pixels and a style of 512×512 pixels alone would take 4.3 GB.
"""

import resource
import subprocess
import sys
import time

import click
import psutil
import torch
from PIL import Image

from benchmarks import machine
from benchmarks.gatys import EXAMPLES
from zoo.method import Method
from zoo.methods.style_swap import StyleSwap
from zoo.nn.vgg import vgg19
from zoo.pipeline import Pipeline

MB = 10**6


def picture(path: str, side: int) -> Image.Image:
    """The middle of a picture as a square."""
    with Image.open(EXAMPLES / path) as opened:
        whole = opened.convert("RGB")
    short = min(whole.size)
    left, top = (whole.width - short) // 2, (whole.height - short) // 2
    return whole.crop((left, top, left + short, top + short)).resize((side, side))


def peak() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def measure(side: int, style_side: int) -> tuple[float, float]:
    """Repaint once; MB beyond what there was before, and seconds."""
    torch.manual_seed(0)
    method: Method = StyleSwap()  # what the weights are does not matter here
    pipeline = Pipeline(method.requires_grad_(False))
    # The encoder belongs to the baseline: all methods share it.
    vgg19(device=pipeline.device, dtype=method.precision)
    photo = picture("photos/cat.jpg", side)
    style = picture("paintings/van-gogh-bouquet.jpg", style_side)
    before = psutil.Process().memory_info().rss / MB
    started = time.perf_counter()
    (result,) = pipeline(
        content=photo, style=style, size=side, style_scale=style_side / side, mode="network"
    )
    seconds = time.perf_counter() - started
    if result.size != (side, side):
        raise RuntimeError(f"the result is {result.width}×{result.height} pixels")
    return peak() - before, seconds


@click.command()
@click.option("--side", default=1024, show_default=True)
@click.option("--style-side", default=512, show_default=True)
@click.option("--here", is_flag=True, help="Measure in this process, and print MB and seconds.")
def main(side: int, style_side: int, here: bool) -> None:
    """Measure in a fresh process and save what it says."""
    if here:
        print(*measure(side, style_side))
        return
    command = [sys.executable, "-m", "benchmarks.memory", "--here"]
    command += ["--side", str(side), "--style-side", str(style_side)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    growth, seconds = map(float, done.stdout.split())
    sizes = f"{side}×{side} with {style_side}×{style_side}"
    print(f"style-swap, {sizes}: {growth:.0f} MB, {seconds:.0f} s")
    row = {
        "method": "style_swap",
        "side": side,
        "style_side": style_side,
        "growth_mb": round(growth),
        "seconds": round(seconds),
    }
    machine.save("memory", {"rows": [row]})


if __name__ == "__main__":
    main()
