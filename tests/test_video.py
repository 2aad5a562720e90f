"""Videos in, videos out."""

import errno
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor

from tests.films import film, seen
from zoo import flow, video
from zoo.errors import DiskFullError, InputError
from zoo.method import Content, Method, Paper, Style
from zoo.methods.adain import AdaIN
from zoo.methods.cyclegan import CycleGAN
from zoo.methods.gatys import Gatys
from zoo.methods.many_styles import ManyStyles
from zoo.methods.munit import MUNIT
from zoo.metrics import warp_error
from zoo.pipeline import Pipeline, Progress
from zoo.video import Clip, Steady, restyle


class Config:
    """Nothing to say."""


class Inverse(Method):
    """The negative of a frame, in a grain that is another one each time."""

    name = "inverse"
    title = "Inverse"
    summary = "For tests."
    paper = Paper("None", "Nobody", 2026, "0000.00000")
    checkpoint = "zoo/inverse"
    Config = Config

    def forward(
        self,
        content: Content,
        style: Style | None = None,
        *,
        grain: Annotated[float, Field(ge=0, le=1)] = 0.0,
    ) -> Tensor:
        return (1 - content + grain * (torch.rand_like(content) - 0.5)).clamp(0, 1)


@pytest.fixture
def inverse() -> Pipeline:
    return Pipeline(Inverse(Config()))


def made(pipeline: Pipeline, path: Path, **inputs: Any) -> tuple[Progress, Path]:
    out = path.with_name("out.mp4")
    *_, last = restyle(pipeline, clip=Clip(path), out=out, **inputs)
    return last, out


def test_every_frame_is_repainted_and_keeps_its_time(inverse: Pipeline, tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 0.5, 0.6, 1.0]  # a camera's frames do not come like clockwork
    path = film(tmp_path / "a.mp4", times=times)
    last, out = made(inverse, path, smooth=0.0)
    before, _ = seen(path)
    after, found = seen(out)
    assert found == pytest.approx(times, abs=1e-3)
    for one, other in zip(before, after, strict=True):
        assert np.abs((255 - one).astype(float) - other).mean() < 8
    assert last.number == last.total == 6
    assert last.record is not None
    assert last.record.settings["frames"] == 6
    assert last.record.settings["smooth"] == 0
    assert (last.record.width, last.record.height) == (64, 48)


def test_the_file_is_what_browsers_play(inverse: Pipeline, tmp_path: Path) -> None:
    path = film(tmp_path / "a.webm", codec="libvpx-vp9", size=(75, 51))
    _, out = made(inverse, path, size=64)
    with av.open(str(out)) as container:
        stream: Any = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (64, 44)
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays before all of it has come
    assert out.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("suffix", "given", "found"),
    [("mp4", "aac", "aac"), ("mov", "pcm_s16le", "aac"), ("mkv", "mp3", "mp3")],
)
def test_the_sound_goes_along(
    suffix: str, given: str, found: str, inverse: Pipeline, tmp_path: Path
) -> None:
    path = film(tmp_path / f"a.{suffix}", frames=16, sound=given)
    _, out = made(inverse, path)
    with av.open(str(out)) as container:
        heard: Any = container.streams.best("audio")
        assert heard.codec.canonical_name == found
        waves = [frame.to_ndarray().mean(0) for frame in container.decode(heard)]
    wave = np.concatenate(waves)[4800:86_400]
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() * 48_000 / len(wave) == pytest.approx(440, abs=2)


def test_sound_ends_with_the_pictures(inverse: Pipeline, tmp_path: Path) -> None:
    clip = Clip(film(tmp_path / "a.mp4", frames=24, sound="aac"), longest=1.0)
    out = tmp_path / "out.mp4"
    *_, last = restyle(inverse, clip=clip, out=out)
    (notice,) = last.notices
    assert str(notice) == "Only the first 1 seconds of “a.mp4” were used."
    assert last.number == 8
    with av.open(str(out)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(1.0, abs=0.1)


def test_what_does_not_begin_at_0_stays_together(inverse: Pipeline, tmp_path: Path) -> None:
    path = film(tmp_path / "a.ts", frames=8, sound="aac")
    source: Any
    with av.open(str(path)) as source:
        assert source.start_time / av.time_base > 0.2
        first = [float(s.start_time * s.time_base) for s in source.streams]
    _, out = made(inverse, path)
    with av.open(str(out)) as source:
        begun = [float(s.start_time * s.time_base) for s in source.streams]
    assert min(begun) == pytest.approx(0, abs=0.03)
    assert begun[1] - begun[0] == pytest.approx(first[1] - first[0], abs=0.03)
    assert np.diff(seen(out)[1]) == pytest.approx(1 / 8, abs=2e-3)


def test_many_frames_a_second_are_thinned(inverse: Pipeline, tmp_path: Path) -> None:
    clip = Clip(film(tmp_path / "a.mp4", frames=60, rate=60))
    times = [seconds for _, seconds in clip.frames()]
    assert len(times) == clip.count == 24
    assert np.diff(times).max() < 3.5 / 60
    kept = Clip(film(tmp_path / "b.mp4", frames=25, rate=25))
    assert len(list(kept.frames())) == kept.count == 25  # television's, not worth a stutter


@pytest.mark.parametrize("turned", [90, -90, 180])
def test_frames_stand_upright(turned: int, inverse: Pipeline, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", frames=2, turned=turned)
    clip = Clip(path)
    assert (clip.width, clip.height) == ((48, 64) if abs(turned) == 90 else (64, 48))
    (first, _), *_ = clip.frames()
    stored, _ = seen(path)
    expected = np.rot90(stored[0], turned // 90)
    assert np.abs(first.astype(float) - expected).mean() < 1
    _, out = made(inverse, path, smooth=0.0)
    after, _ = seen(out)
    assert np.abs((255 - expected).astype(float) - after[0]).mean() < 8


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = film(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    for name in ("a.mp4", "empty.mp4", "torn.mp4", "missing.mp4", "list.mp4"):
        with pytest.raises(InputError, match=f"“{name}” is not a video we can read"):
            Clip(tmp_path / name)
    with av.open(str(tmp_path / "song.mp4"), "w") as out:
        from tests.films import tone

        tone(out, out.add_stream("aac", rate=48_000), 1)
    with pytest.raises(InputError, match="“holiday” has no moving picture"):
        Clip(tmp_path / "song.mp4", "holiday")
    with pytest.raises(InputError, match="at least 16"):
        Clip(film(tmp_path / "tiny.mp4", size=(64, 12)))


def test_of_a_damaged_video_the_beginning_is_used(inverse: Pipeline, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mov", codec="png")
    content = bytearray(path.read_bytes())
    places = [at for at in range(len(content)) if content[at : at + 8] == b"\x89PNG\r\n\x1a\n"]
    content[places[3] : places[3] + 8] = b"\0" * 8
    path.write_bytes(content)
    last, out = made(inverse, path)
    (notice,) = last.notices
    assert str(notice) == "“a.mov” is damaged; only its first 0.2 seconds were used."
    assert len(seen(out)[0]) == 3


def test_a_stopped_run_leaves_nothing(inverse: Pipeline, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")
    running = restyle(inverse, clip=Clip(path), out=out)
    look = next(running)
    assert (look.number, look.total, look.record) == (1, 6, None)
    running.close()  # type: ignore[attr-defined]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]
    assert out.read_bytes() == b"earlier"


def test_a_full_disk_is_told(
    inverse: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = film(tmp_path / "a.mp4")
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(DiskFullError, match=r"no room for out\.mp4"):
        made(inverse, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_settings_are_checked_before_anything_is_done(inverse: Pipeline, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"Smooth flicker: 2 is outside 0 to 0\.95"):
        made(inverse, path, smooth=2)
    with pytest.raises(InputError, match="is not a picture"):
        made(inverse, path, style=path)
    with pytest.raises(InputError, match="There is no setting “grane”"):
        made(inverse, path, grane=1)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def frames_of(path: Path) -> list[Tensor]:
    return [
        torch.tensor(array).permute(2, 0, 1)[None].float() / 255 for array, _ in Clip(path).frames()
    ]


def test_smoothing_takes_the_flicker_and_leaves_what_moves(tmp_path: Path) -> None:
    torch.manual_seed(0)
    photos = frames_of(film(tmp_path / "a.mp4", size=(96, 80)))
    noisy = [(photo + 0.2 * torch.randn_like(photo)).clamp(0, 1) for photo in photos]
    steady, none = Steady(0.8), Steady(0.0)
    smooth = [steady(photo, result) for photo, result in zip(photos, noisy, strict=True)]

    def flicker(results: list[Tensor]) -> float:
        pairs = zip(photos, photos[1:], results, results[1:], strict=False)
        return sum(warp_error((a, b), (c, d)) for a, b, c, d in pairs)

    assert flicker(smooth) < 0.2 * flicker(noisy)
    assert (smooth[-1] - photos[-1]).abs().mean() < 0.6 * (noisy[-1] - photos[-1]).abs().mean()
    assert torch.equal(none(photos[0], noisy[0]), noisy[0])


def test_a_cut_brings_nothing_of_the_scene_before(tmp_path: Path) -> None:
    photos = frames_of(film(tmp_path / "a.mp4", size=(96, 80), cut=3))
    steady = Steady(0.9)
    made = [steady(photo, photo) for photo in photos]
    assert flow.origins(photos[2], photos[3])[1].mean() < video.CUT
    torch.testing.assert_close(made[3], photos[3])
    smaller = torch.rand(1, 3, 40, 48)
    torch.testing.assert_close(steady(smaller, smaller), smaller)


def test_methods_that_take_seconds_for_a_frame_make_no_videos() -> None:
    assert video.films(ManyStyles)
    assert not video.films(Gatys)
    assert "samples" not in {field.name for field in video.fields_of(MUNIT)}
    assert "way_back" not in {field.name for field in video.fields_of(CycleGAN)}
    assert not any(field.over for field in video.fields_of(AdaIN))
    names = {field.name for field in video.fields_of(ManyStyles)}
    assert {"size", "smooth", "strength", "painting"} <= names
    assert not {"content", "bits"} & names


def test_what_moves_keeps_its_detail() -> None:
    random = np.random.default_rng(0)
    wide = cv2.GaussianBlur(random.random((64, 160, 3), np.float32), (0, 0), 1.2)
    wide = (wide - wide.min()) / (wide.max() - wide.min())

    def frame(number: int) -> Tensor:
        moved = np.array([[1, 0, -0.5 * number], [0, 1, 0]])  # half pixels have to be made up
        drawn = cv2.warpAffine(wide, moved, (96, 64), flags=cv2.INTER_LANCZOS4).clip(0, 1)
        return torch.from_numpy(drawn).permute(2, 0, 1)[None]

    steady = Steady(0.9)
    for number in range(10):
        result = steady(frame(number), frame(number))

    def detail(image: Tensor) -> float:
        return image.diff(dim=3).abs().mean().item()

    assert 0.9 < detail(result) / detail(frame(9)) < 1.1
    assert result.min() >= 0
    assert result.max() <= 1
