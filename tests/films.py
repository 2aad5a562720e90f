"""Small videos for the tests."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIDE = (64, 48)  # width and height


def scene(seed: int, width: int = SIDE[0], height: int = SIDE[1]) -> np.ndarray:
    """Patches of colour, ``(height, width + 200, 3)`` bytes: a window moves along them."""
    random = np.random.default_rng(seed)
    colors = random.integers(40, 216, (height // 8 + 1, width // 8 + 30, 3), dtype=np.uint8)
    return colors.repeat(8, 0).repeat(8, 1)[:height, : width + 200]


def film(
    path: Path,
    frames: int = 6,
    rate: int = 8,
    *,
    size: tuple[int, int] = SIDE,
    times: list[float] | None = None,
    sound: str = "",
    turned: int = 0,
    codec: str = "libx264",
    seed: int = 0,
    cut: int | None = None,
) -> Path:
    """Write a video of a camera that moves 2 pixels a frame.

    Args:
        path: Where to; its suffix chooses the container.
        frames: How many.
        rate: A second.
        size: Width and height.
        times: Seconds of each frame, where they do not follow the rate.
        sound: Codec of a tone beside it; "" for none.
        turned: Degrees, counterclockwise, by which a player turns it.
        codec: Of the pictures.
        seed: Of the scene.
        cut: Frame at which another scene begins.
    """
    width, height = size
    with av.open(str(path), "w") as out:
        pictures: Any = out.add_stream(codec, rate=rate)
        pictures.width, pictures.height = width, height
        pictures.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        if codec == "libx264":
            pictures.options = {"crf": "8"}
        pictures.codec_context.time_base = Fraction(1, 1000)
        if turned:
            pictures.set_display_rotation(turned)
        heard: Any = out.add_stream(sound, rate=48_000) if sound else None
        place = scene(seed, *size)
        for number in range(frames):
            if number == cut:
                place = scene(seed + 1, *size)
            left = 2 * number % 200
            window = np.ascontiguousarray(place[:, left : left + width])
            frame = av.VideoFrame.from_ndarray(window, format="rgb24")
            seconds = times[number] if times else number / rate
            frame.time_base, frame.pts = Fraction(1, 1000), round(1000 * seconds)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode())
        if heard:
            tone(out, heard, frames / rate)
    return path


def tone(out: Any, stream: Any, seconds: float) -> None:
    """Add a tone of 440 Hz."""
    resampler = av.AudioResampler(stream.codec_context.format, stream.layout, 48_000)
    count = round(48_000 * seconds)
    wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(count) / 48_000)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    for piece in resampler.resample(frame):
        out.mux(stream.encode(piece))
    out.mux(stream.encode())


def seen(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """The frames of a video, and their times in seconds."""
    with av.open(str(path)) as container:
        found = [(f.to_ndarray(format="rgb24"), f.time) for f in container.decode(video=0)]
    return [array for array, _ in found], [float(time or 0) for _, time in found]
