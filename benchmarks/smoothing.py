"""Our smoothing step of FastPhotoStyle beside a direct solve of the same linear system by SciPy.

    python -m benchmarks.smoothing [--rounds 3] [--shrink 1]

SciPy's side is the published way: the matting matrix as a sparse matrix, factorised once by
SuperLU, then solved for the three colours. It is assembled here on its own, window by window, and
shares no code with ours. Each side's time is from the pictures to the smoothed picture, building
its matrix included; the peer's factor and solve are given alone as well. The two take turns on as
many threads, and the medians of the rounds are compared.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy import __version__ as scipy_version
from scipy.sparse import coo_matrix, csc_matrix, diags, identity
from scipy.sparse.linalg import splu

from benchmarks import machine
from zoo import images
from zoo.methods.fast_photo_style import BETA, smooth

EXAMPLES = Path(__file__).parents[1] / "space" / "examples"
EXACT_AT = (480, 270)
TIMED_AT = (960, 540)
WINDOW = 3  # side of a window of the matting matrix
EPSILON = 1e-7


def matting(photo: np.ndarray) -> csc_matrix:
    """The matting matrix of an ``(H, W, 3)`` photo in [0, 1], from all 3 × 3 windows at once."""
    height, width = photo.shape[:2]
    area = WINDOW * WINDOW
    numbers = np.arange(height * width).reshape(height, width)
    view = np.lib.stride_tricks.sliding_window_view
    members = view(numbers, (WINDOW, WINDOW)).reshape(-1, area)
    windows = photo.reshape(-1, 3)[members]  # (windows, 9, 3)
    centred = windows - windows.mean(1, keepdims=True)
    covariance = np.einsum("wpi,wpj->wij", centred, centred) / area + EPSILON / area * np.eye(3)
    values = (1 + centred @ np.linalg.solve(covariance, centred.transpose(0, 2, 1))) / area
    rows, columns = np.repeat(members, area, 1).ravel(), np.tile(members, (1, area)).ravel()
    return coo_matrix((values.ravel(), (rows, columns)), shape=(numbers.size,) * 2).tocsc()


def direct(photo: np.ndarray, colored: np.ndarray) -> tuple[np.ndarray, float]:
    """The smoothed ``(H, W, 3)`` picture in float64, and the seconds of factor and solve alone."""
    matrix = matting(photo)
    root = diags(1 / np.sqrt(np.asarray(matrix.sum(1)).ravel()))
    system = (identity(matrix.shape[0]) - BETA * root @ matrix @ root).tocsc()
    right = (1 - BETA) * colored.reshape(-1, 3)
    started = time.perf_counter()
    solved = splu(system).solve(right)
    return solved.reshape(colored.shape), time.perf_counter() - started


def pair(photo: Path, painting: Path, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """A photo, and what stands in for its stylisation: half a painting, with edges of its own.

    The rest of it is the photo with its colours exchanged.
    """
    content, style = (
        ImageOps.fit(images.open_picture(p).image, size, Image.Resampling.LANCZOS)
        for p in (photo, painting)
    )
    red, green, blue = content.split()
    return content, Image.blend(style, Image.merge("RGB", (blue, green, red)), 0.5)


def arrays(pictures: tuple[Image.Image, Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures as ``(H, W, 3)`` in [0, 1]."""
    content, colored = (np.asarray(p, dtype=np.float64) / 255 for p in pictures)
    return content, colored


def ours(pictures: tuple[Image.Image, Image.Image], device: str) -> tuple[np.ndarray, float]:
    """Our smoothed ``(H, W, 3)`` picture, and the seconds it took."""
    content, colored = (images.to_tensor(p).to(device) for p in pictures)
    started = time.perf_counter()
    smoothed = smooth(content, colored, published=True)[0].permute(1, 2, 0).cpu()
    return smoothed.double().numpy(), time.perf_counter() - started


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference, in units of 1/255."""
    return round(float(255 * np.abs(first - second).max()), 3)


def main() -> None:
    """Compare exactness, then speed; print both and save them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shrink", type=int, default=1, help="Divide both sizes by this.")
    parser.add_argument("--photo", type=Path, default=EXAMPLES / "photos" / "pagoda.jpg")
    parser.add_argument(
        "--painting", type=Path, default=EXAMPLES / "paintings" / "turner-venice.jpg"
    )
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    exact_at, timed_at = (
        (width // options.shrink, height // options.shrink)
        for width, height in (EXACT_AT, TIMED_AT)
    )
    exact = pair(options.photo, options.painting, exact_at)
    error = difference(ours(exact, device)[0], direct(*arrays(exact))[0])
    print(f"{exact_at[0]}×{exact_at[1]}: largest difference {error}/255", flush=True)

    timed = pair(options.photo, options.painting, timed_at)
    mine, theirs, solving = [], [], []
    for _ in range(options.rounds):
        found, seconds = ours(timed, device)
        mine.append(seconds)
        started = time.perf_counter()
        expected, alone = direct(*arrays(timed))
        theirs.append(time.perf_counter() - started)
        solving.append(alone)
        print(f"ours {mine[-1]:.2f} s, SciPy {theirs[-1]:.1f} s ({alone:.1f} s)", flush=True)
    seconds, peer, alone = (statistics.median(times) for times in (mine, theirs, solving))
    results = {
        "pictures": {"photo": options.photo.name, "painting": options.painting.name},
        "scipy": scipy_version,
        "exactness": {"width": exact_at[0], "height": exact_at[1], "difference_255": error},
        "speed": {
            "width": timed_at[0],
            "height": timed_at[1],
            "rounds": options.rounds,
            "seconds": round(seconds, 2),
            "peer_seconds": round(peer, 1),
            "peer_factor_and_solve_seconds": round(alone, 1),
            "ratio": round(alone / seconds, 1),
            "difference_255": difference(found, expected),
        },
    }
    print(f"SciPy's factor and solve takes {results['speed']['ratio']} times as long")
    machine.save("smoothing", results)


if __name__ == "__main__":
    main()
