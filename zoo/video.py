"""Videos: every frame repainted, what does not move kept from flickering, the sound kept.

Frame by frame a network paints what has hardly changed in another way each time. So the frame
before is carried along the optical flow of the video and mixed in, wherever that is seen again
(Ruder, Dosovitskiy & Brox, Artistic Style Transfer for Videos, arXiv:1604.08610, sections 4.2 and
4.3, for the flow and where it can be trusted).
"""

import errno
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import av
import cv2
import numpy as np
import torch
from PIL import Image
from pydantic import Field as Bounds
from torch import Tensor

from zoo import flow, images
from zoo.errors import DiskFullError, InputError
from zoo.form import Control, Field, form_of
from zoo.images import Notice
from zoo.method import Method
from zoo.pipeline import Pipeline, Progress, form_for

log = logging.getLogger(__name__)

LONGEST = 30.0  # seconds
FASTEST = 24  # frames a second
LARGEST = 1280  # pixels of the longer side
TICKS = 90_000  # a second: the unit in which frames have their times
# A list of other files passes for a video elsewhere, and would show what lies beside it.
READ = "mov,mp4,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf,gif"
COPIED = frozenset(("aac", "mp3", "opus", "ac3", "alac"))  # sound that MP4 takes as it is
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ALONE: dict[str, Any] = {"samples": 1, "way_back": False}  # a frame has one result
CUT = 0.3  # of a frame at least has to be seen again in the next, or a new scene begins


def video_options(
    size: Annotated[
        int,
        Bounds(
            ge=0,
            le=LARGEST,
            description=f"Longer side in pixels; 0 keeps the video's, up to {LARGEST}.",
        ),
        Control(
            offers=(("320", 320), ("480", 480), ("640", 640), ("960", 960), ("Original", 0)),
        ),
    ] = 480,
    smooth: Annotated[
        float,
        Bounds(
            ge=0,
            le=0.95,
            title="Smooth flicker",
            description="How much of the frame before is kept where its motion is known.",
        ),
        Control(step=0.05),
    ] = 0.5,
) -> None:
    """What there is to choose for every video."""


def fields_of(method: type[Method]) -> tuple[Field, ...]:
    """What can be chosen where ``method`` repaints a video: its own settings and the video's."""
    without = {"content", "size", "bits", *ALONE}
    # Regions are of one picture, and frames move.
    own = (f for f in form_for(method) if f.name not in without and not f.over)
    return (*own, *form_of(video_options))


def films(method: type[Method]) -> bool:
    """Whether a method can repaint videos: it takes a photo, and not long for one."""
    return method.films and "content" in form_for(method).by_name


class Clip:
    """A video to read.

    Args:
        path: The file.
        name: What to call it in messages; its file's name by default.
        longest: Seconds to read at most.

    Attributes:
        name: As given.
        width: Of the upright frames, in pixels.
        height: Likewise.
        rate: Frames a second that are read.
        count: How many that makes, as far as the file tells; at least 1.
        longer: Whether it goes on after ``longest`` seconds.
        damaged: Seconds after which :meth:`frames` could not read on; None where it could.

    Raises InputError when it is no video, its first frame cannot be decoded, or frames have a size
    that :func:`zoo.images.check_size` refuses.
    """

    def __init__(self, path: Path, name: str | None = None, *, longest: float = LONGEST) -> None:
        self.path, self.name, self.longest = path, name or path.name, longest
        self.damaged: float | None = None
        with self._opened() as (container, stream):
            seconds = _seconds(container, stream)
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or FASTEST)
            self._thinned = self.rate > FASTEST + 1
            if self._thinned:
                self.rate = Fraction(FASTEST)
            images.check_size(stream.width, stream.height, self.name)
        first = next(self.frames(), None)
        if first is None:
            raise self._unreadable()
        self.height, self.width = first[0].shape[:2]
        images.check_size(self.width, self.height, self.name)
        self.longer = seconds > longest + 1 / FASTEST
        self.count = max(1, round(float(self.rate) * min(seconds, longest)))

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield upright frames as ``(H, W, 3)`` bytes, and the seconds each is shown from.

        :data:`FASTEST` a second at most.
        """
        self.damaged, last, place = None, -1.0, -1
        with self._opened() as (container, stream):
            start = _start(container)
            try:
                for number, frame in enumerate(container.decode(stream)):
                    seconds = number / float(self.rate)
                    if frame.time is not None:
                        seconds = max(0.0, frame.time - start)
                    if seconds >= self.longest:
                        return
                    before, place = place, int(seconds * FASTEST + 1e-6)
                    if seconds <= last or (self._thinned and place <= before):
                        place = before  # too soon after the one before
                        continue
                    last = seconds
                    yield _upright(frame), seconds
            except av.FFmpegError as error:
                log.info("%s: %r", self.path, error)
                self.damaged = max(last, 0.0)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        try:
            container = _open(self.path)
        except av.FFmpegError as error:
            log.info("%s: %r", self.path, error)
            raise self._unreadable() from None
        with container:
            stream = container.streams.best("video")
            if stream is None:
                raise InputError("“{name}” has no moving picture.", name=self.name)
            stream.thread_type = "AUTO"
            yield container, stream

    def _unreadable(self) -> InputError:
        return InputError(
            "“{name}” is not a video we can read. Use an MP4, WebM or MOV file.", name=self.name
        )


class Steady:
    """Keeps what does not move from flickering, frame after frame.

    Args:
        smooth: How much of the frame before is kept where it is seen again, 0 to 1.
    """

    def __init__(self, smooth: float) -> None:
        self.smooth = smooth
        self._before: tuple[Tensor, np.ndarray] | None = None

    def __call__(self, photo: Tensor, result: Tensor) -> Tensor:
        """The result of a frame with the one before mixed in, ``(1, 3, H, W)`` as ``photo`` is.

        At the first frame, after a cut and where the size has changed it is as it was.
        """
        if not self.smooth:
            return result
        photo = photo.cpu()
        made = result[0].permute(1, 2, 0).float().cpu().numpy()  # (H, W, 3)
        if self._before and self._before[0].shape == photo.shape:
            before, drawn = self._before
            places, seen = flow.origins(before, photo)
            if seen.mean() >= CUT:
                # Borders of what is seen would show as lines.
                share = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 2) * seen
                # In straight lines it would be blurred once more with every frame.
                carried = flow.carried(drawn, places, sharp=True).clip(0, 1)
                made = made + self.smooth * share[..., None] * (carried - made)
        self._before = photo, made
        return torch.from_numpy(made).permute(2, 0, 1)[None]


def restyle(
    pipeline: Pipeline,
    *,
    clip: Clip,
    out: Path,
    size: int = 480,
    smooth: float = 0.5,
    **inputs: Any,
) -> Iterator[Progress]:
    """Repaint a video into an MP4 file (H.264) that browsers play, and yield every frame.

    The sound goes along. The file has its name only when it is whole: closing the iterator, or a
    failure, leaves nothing.

    Args:
        pipeline: What repaints a frame.
        clip: The video.
        out: Where to; a file that is there is replaced.
        size: As in :func:`video_options`.
        smooth: Likewise.
        **inputs: Settings and pictures of the method, as :meth:`zoo.pipeline.Pipeline.stream` takes
            them, without the photo.

    Raises:
        InputError: A picture or a setting cannot be used.
        DiskFullError: There is no room for the result.
        DeviceError: There is not enough memory for this size.
    """
    options = form_of(video_options).check({"size": size, "smooth": smooth})
    for field in pipeline.form:
        if field.kind == "picture" and inputs.get(field.name) is not None:
            # Once, and not for every frame.
            inputs[field.name] = images.open_picture(inputs[field.name]).image
    inputs |= {name: value for name, value in ALONE.items() if name in pipeline.form.by_name}
    started = time.perf_counter()
    steady = Steady(options["smooth"])
    number = 0
    with tempfile.TemporaryDirectory(prefix=".video-", dir=out.parent) as folder, _room(out):
        silent, whole = Path(folder) / "silent.mp4", Path(folder) / "whole.mp4"
        with _Film(silent, clip.rate) as film:
            for array, seconds in clip.frames():
                photo = Image.fromarray(resized(array, options["size"]))
                *_, made = pipeline.stream(content=photo, **inputs | {"size": 0})
                assert made.content is not None  # noqa: S101 - the photo that was given
                drawn = steady(made.content, made.tensors[:1])
                film.add(images.to_pil(drawn)[0], seconds)
                number += 1
                look = replace(made, tensors=drawn, total=max(clip.count, number), notices=())
                yield replace(look, number=number, record=None)
        _join(silent, clip.path, whole)
        whole.chmod(0o644)
        os.replace(whole, out)
    assert made.record is not None  # noqa: S101 - every stream ends with one
    record = replace(
        made.record,
        settings={**made.record.settings, **options, "frames": number},
        seconds=round(time.perf_counter() - started, 3),
    )
    notices = (*_told(clip), *made.notices)
    yield replace(look, number=number, total=number, notices=notices, record=record)


def _told(clip: Clip) -> Iterator[Notice]:
    if clip.damaged is not None:
        words = "“{name}” is damaged; only its first {seconds} seconds were used."
        yield Notice(words, {"name": clip.name, "seconds": f"{clip.damaged:.1f}"})
    elif clip.longer:
        words = "Only the first {seconds} seconds of “{name}” were used."
        yield Notice(words, {"seconds": f"{clip.longest:g}", "name": clip.name})


class _Film:
    """A file of moving pictures without sound, written frame by frame."""

    def __init__(self, path: Path, rate: Fraction) -> None:
        self._out = _open(path, "w", format="mp4")
        self._rate = rate
        self._stream: Any = None

    def __enter__(self) -> "_Film":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._stream and kind is None:
                self._out.mux(self._stream.encode())
        finally:
            self._out.close()

    def add(self, picture: Image.Image, seconds: float) -> None:
        """Write a frame that is shown from then on; both sides are even."""
        if self._stream is None:
            self._stream = self._out.add_stream("libx264", rate=self._rate)
            self._stream.width, self._stream.height = picture.size
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "18", "preset": "fast"}
            self._stream.codec_context.time_base = Fraction(1, TICKS)
        frame = av.VideoFrame.from_image(picture)
        frame.time_base, frame.pts = Fraction(1, TICKS), round(seconds * TICKS)
        self._out.mux(self._stream.encode(frame))


def _join(pictures: Path, sound: Path, out: Path) -> None:
    """Put the moving pictures of one file and the sound of another, if it has any, into ``out``."""
    with (
        _open(pictures) as first,
        _open(sound) as second,
        _open(out, "w", format="mp4", options={"movflags": "+faststart"}) as joined,
    ):
        shown, heard = first.streams.video[0], second.streams.best("audio")
        seconds = float(shown.duration * shown.time_base)
        filmed = joined.add_stream_from_template(shown)
        recorded, resampler = None, None
        if heard and heard.codec.canonical_name in COPIED:  # "mp3", whatever decodes it
            recorded = joined.add_stream_from_template(heard)
        elif heard:
            recorded = joined.add_stream("aac", rate=48_000)
            resampler = av.AudioResampler("fltp", recorded.layout, 48_000)
        for packet in first.demux(shown):
            if packet.dts is not None:
                packet.stream = filmed
                joined.mux(packet)
        if recorded is None:
            return
        try:
            start = round(_start(second) / heard.time_base)
            for packet in second.demux(heard):
                if packet.dts is None or float((packet.dts - start) * heard.time_base) >= seconds:
                    break
                packet.dts -= start
                packet.pts = packet.dts if packet.pts is None else packet.pts - start
                if resampler is None:
                    packet.stream = recorded
                    joined.mux(packet)
                    continue
                for frame in packet.decode():
                    for piece in resampler.resample(frame):
                        joined.mux(recorded.encode(piece))
        except av.FFmpegError as error:  # the pictures are worth having without the rest of it
            if error.errno in FULL:
                raise
            log.info("the sound of %s: %r", sound, error)
        if resampler:
            for piece in resampler.resample(None):
                joined.mux(recorded.encode(piece))
            joined.mux(recorded.encode())


def _open(path: Path, mode: Literal["r", "w"] = "r", **options: Any) -> Any:
    # Any: which stream is of which kind, only the file tells.
    if mode == "r":
        options["options"] = {"format_whitelist": READ}
    return av.open(str(path), mode, metadata_errors="replace", **options)


@contextmanager
def _room(out: Path) -> Iterator[None]:
    """Say in words that there is no room for ``out``."""
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        if error.errno not in FULL:
            raise
        raise DiskFullError(
            "There is no room for {path} ({reason}).", path=out.name, reason=error.strerror
        ) from error


def _start(container: Any) -> float:
    """The time in seconds at which pictures and sound begin: not 0 in what was broadcast."""
    return float((container.start_time or 0) / av.time_base)


def _seconds(container: Any, stream: Any) -> float:
    """How long a video is; where its header does not tell, as long as it may be."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else LONGEST


def _upright(frame: Any) -> np.ndarray:
    """A decoded frame as ``(H, W, 3)`` bytes, turned as a camera that was held askew asks for."""
    array = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(array, round(frame.rotation / 90)))


def resized(array: np.ndarray, size: int) -> np.ndarray:
    """A frame ``(H, W, 3)`` with even sides, the longer one at most ``size``, or LARGEST for 0."""
    height, width = array.shape[:2]
    scale = min(1.0, (size or LARGEST) / max(height, width))
    wide, high = (max(16, 2 * round(side * scale / 2)) for side in (width, height))
    if (high, wide) == (height, width):
        return array
    return cv2.resize(array, (wide, high), interpolation=cv2.INTER_AREA)
