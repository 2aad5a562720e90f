"""Repainted videos: how much they flicker, frame by frame and smoothed, and how fast that is.

    python -m benchmarks.video --data DIR [--seconds 1] [--size 480]

Videos come from `DIR/video`. Flicker is the warp error (:func:`zoo.metrics.warp_error`) between
consecutive frames, the mean over a video; beside it stands that of the video itself. Detail is the
mean absolute Laplacian of the result as a share of that without smoothing: 1 is as sharp.
"""

import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import click
import cv2
import numpy as np
from PIL import Image
from torch import Tensor

from benchmarks import machine
from benchmarks.gallery import EXAMPLES
from zoo import images
from zoo.errors import InputError
from zoo.metrics import warp_error
from zoo.runtime import Runtime
from zoo.video import Clip, resized, restyle

CHECKPOINTS = ("zoo/many-styles-camera", "zoo/many-styles", "zoo/cartoongan", "zoo/adain")
STYLE = EXAMPLES / "paintings/hiroshige-river.jpg"  # where a painting is asked for
AMOUNTS = (0.0, 0.5, 0.9)


def flicker(photos: list[Tensor], results: list[Tensor]) -> float:
    """Mean warp error between consecutive frames."""
    pairs = zip(pairwise(photos), pairwise(results), strict=True)
    return mean(warp_error(before, after) for before, after in pairs)


def detail(results: list[Tensor]) -> float:
    """Mean absolute Laplacian of the luma."""
    grey = (cv2.cvtColor(np.asarray(images.to_pil(r)[0]), cv2.COLOR_RGB2GRAY) for r in results)
    return mean(float(np.abs(cv2.Laplacian(g, cv2.CV_32F)).mean()) for g in grey)


def measure(runtime: Runtime, clip: Clip, checkpoint: str, size: int) -> list[dict[str, Any]]:
    """A row for each amount of smoothing."""
    pipeline = runtime.pipeline(checkpoint)
    painting = {"style": STYLE} if "style" in pipeline.form.by_name else {}
    photos = [images.to_tensor(Image.fromarray(resized(array, size))) for array, _ in clip.frames()]
    rows: list[dict[str, Any]] = []
    for smooth in AMOUNTS:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.mp4"
            began = perf_counter()
            running = restyle(pipeline, clip=clip, out=out, size=size, smooth=smooth, **painting)
            *results, _ = [progress.tensors for progress in running]
            seconds = perf_counter() - began
        rows.append(
            {
                "video": clip.path.stem,
                "checkpoint": checkpoint.removeprefix("zoo/"),
                "size": f"{photos[0].shape[3]}×{photos[0].shape[2]}",
                "frames": len(results),
                "smooth": smooth,
                "seconds_a_frame": seconds / len(results),
                "flicker": flicker(photos, results),
                "own_flicker": flicker(photos, photos),
                "detail": detail(results),
            }
        )
        rows[-1]["detail_share"] = rows[-1]["detail"] / rows[0]["detail"]
        print(rows[-1], flush=True)
    return rows


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--seconds", default=1.0, show_default=True, help="Of each video.")
@click.option("--size", default=480, show_default=True, help="Longer side in pixels.")
def main(data: Path, seconds: float, size: int) -> None:
    """Measure every video with every checkpoint."""
    paths = sorted((data / "video").glob("*.mp4"))
    if not paths:
        raise InputError("There are no videos in {folder}.", folder=data / "video")
    runtime = Runtime("cpu")
    rows = [
        row
        for path in paths
        for name in CHECKPOINTS
        for row in measure(runtime, Clip(path, longest=seconds), name, size)
    ]
    machine.save("video", {"rows": rows})


if __name__ == "__main__":
    main()
