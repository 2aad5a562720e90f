"""The Video & camera tab: its handlers, the endpoint, and the page in a browser."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from space import filming
from space.app import build_app, share
from space.custom import video
from space.custom.video import VideoTab
from space.jobs import TICK
from space.parts import inert
from space.site import Site
from tests.films import film, seen
from tests.space.conftest import PAINTING, PHOTO, Visit, wait_until
from tests.space.test_site import violations
from zoo.errors import InputError
from zoo.pipeline import Progress
from zoo.runtime import Runtime
from zoo.video import restyle

Visits = Callable[..., Visit]
REQUEST: Any = SimpleNamespace(cookies={}, headers={}, session_hash="a", query_params={})
QUICK = "zoo/many-styles-camera:1"


@pytest.fixture(scope="module")
def tab(runtime: Runtime) -> VideoTab:
    made: list[VideoTab] = []

    def keep(given: Site) -> VideoTab:
        made.append(VideoTab(given))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video, "VideoTab", keep)
        build_app(runtime, share(runtime))
    return made[0]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return film(tmp_path / "holiday.mp4", sound="aac")


def press(
    tab: VideoTab,
    clip: Path | None,
    name: str = QUICK,
    *style: Any,
    earlier: str | None = None,
    stop: bool = False,
) -> dict[Any, Any]:
    """Press Stylize, and Stop at the first preview; everything on the page afterwards."""
    page: dict[Any, Any] = {}
    for updates in tab.run(
        REQUEST, earlier, str(clip) if clip else None, name, 320, 0.5, *(style or (None, None))
    ):
        page |= updates
        if stop and tab.preview in updates:
            tab.halt(REQUEST)
    return page


def test_a_video_is_repainted(tab: VideoTab, clip: Path) -> None:
    page = press(tab, clip)
    path = Path(page[tab.download].value["path"])
    assert path.name.startswith("video_many-styles-camera_s1.00_")
    assert path.suffix == ".mp4"
    assert len(seen(path)[0]) == 6
    assert page[tab.made].visible
    assert not page[tab.preview].visible
    assert "64×48 px" in page[tab.status]
    assert page[tab.go].interactive
    assert not page[tab.stop].visible
    assert tab.running == {}


def breaking(error: Exception) -> Callable[..., Iterator[Progress]]:
    """What repaints a video, and goes wrong after its first frame."""

    def work(*args: Any, **given: Any) -> Iterator[Progress]:
        yield next(iter(restyle(*args, **given)))
        time.sleep(3 * TICK)  # it is seen
        raise error

    return work


@pytest.mark.parametrize("ends", [InputError("It broke off."), ValueError("a secret"), None])
def test_a_video_made_before_comes_back_where_the_next_one_fails(
    tab: VideoTab, clip: Path, monkeypatch: pytest.MonkeyPatch, ends: Exception | None
) -> None:
    made = press(tab, clip)[tab.last]
    monkeypatch.setattr(filming, "restyle", breaking(ends or ValueError()))
    page = press(tab, clip, earlier=made, stop=ends is None)
    assert page[tab.made].value["path"] == made
    assert page[tab.made].visible
    assert page[tab.actions].visible
    assert not page[tab.empty].visible
    assert page[tab.preview].visible == (ends is None)
    Path(made).unlink()  # as the sweep does after an hour
    page = press(tab, clip, earlier=made, stop=ends is None)
    assert not page[tab.made].visible
    assert not page[tab.actions].visible
    assert page[tab.empty].visible != page[tab.preview].visible == (ends is None)


def test_stop_before_the_first_preview_changes_nothing(tab: VideoTab, clip: Path) -> None:
    with tab.site.lane.turn:
        page: dict[Any, Any] = {}
        for updates in tab.run(REQUEST, None, str(clip), QUICK, 320, 0.5, None, None):
            page |= updates
            tab.halt(REQUEST)
    assert "Nothing was changed." in page[tab.status]
    assert tab.preview not in page


def test_what_is_missing_is_named(tab: VideoTab, clip: Path, tmp_path: Path) -> None:
    assert "Add a video first." in press(tab, None)[tab.note]
    assert "Add a style picture." in press(tab, clip, "zoo/adain")[tab.note]
    assert "There is no checkpoint “zoo/gatys”" in press(tab, clip, "zoo/gatys")[tab.note]
    gone = press(tab, tmp_path / "gone.mp4")
    assert "no longer on this server" in gone[tab.note]
    assert gone[tab.go].interactive


def test_a_method_that_takes_a_painting_gets_it(tab: VideoTab, clip: Path) -> None:
    assert not tab.renamed(QUICK).visible
    assert tab.renamed("zoo/adain").visible
    page = press(tab, clip, "zoo/adain", None, str(PAINTING))
    assert "adain@" in page[tab.status]


def test_styles_are_picked_by_what_they_make_of_a_photo(tab: VideoTab) -> None:
    options = {one["id"]: one for one in filming.options(tab.site, "zh-TW")}
    assert next(iter(options)) == tab.name.value == "zoo/many-styles-camera:0"
    assert options[QUICK]["name"].endswith("神奈川沖浪裏（北齋）")
    drawn = tab.name.html_template
    pictures = [options[name]["src"] for name in (QUICK, "zoo/many-styles:2", "zoo/johnson-udnie")]
    assert len(set(pictures)) == 3
    assert all(inert(src) in drawn for src in pictures)


def test_a_link_brings_its_settings_back(tab: VideoTab) -> None:
    def arrive(**asked: str) -> dict[Any, Any]:
        return tab.arrive(SimpleNamespace(**vars(REQUEST) | {"query_params": asked}))  # type: ignore[arg-type]

    page = arrive(tab="video", checkpoint="zoo/adain", size="320", smooth="7", style="redon-vase")
    assert page[tab.name].value == "zoo/adain"
    style = tab.style.components[0]
    assert (page[tab.size], page[tab.smooth], page[style]) == (320, 0.95, "redon-vase")
    page = arrive(tab="video", checkpoint="zoo/gone", size="many", style="../cat")
    assert "no checkpoint zoo/gone" in page[tab.status]
    assert page[tab.name].value is None
    assert page[tab.size] == gr.skip()
    assert style not in page
    assert arrive(tab="gatys", size="320")[tab.size] == gr.skip()


def test_a_file_that_is_no_video_leaves_the_box(
    tab: VideoTab, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda words, **_: told.append(words))
    assert tab.check(str(clip), REQUEST) != None  # noqa: E711 - "leave it as it is" has no name
    assert tab.check(str(PHOTO.with_suffix(".json")), REQUEST) is None
    assert tab.check(__file__, REQUEST) is None
    monkeypatch.setattr(filming, "MAX_BYTES", 1000)
    assert tab.check(str(clip), REQUEST) is None
    words = ("no longer on this server", "is not a video we can read", "The limit is 0 MB")
    assert [word in said for word, said in zip(words, told, strict=True)] == [True] * 3


def test_frames_of_a_camera_are_repainted(tab: VideoTab) -> None:
    made, told = tab.frame(REQUEST, PHOTO.read_bytes(), QUICK, None, None)
    assert isinstance(made, Image.Image)
    assert max(made.size) == filming.LIVE
    assert "many-styles-camera@" in told
    assert "choose a larger size" not in told
    _, told = tab.frame(REQUEST, PHOTO.read_bytes(), "zoo/adain", None, None)
    assert "Add a style picture." in told


def test_what_frames_share_is_looked_for_once(
    tab: VideoTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def noting(was: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def note(given: Any) -> Any:
            asked.append(given)
            return was(given)

        return note

    for name in ("contestants", "open_picture"):
        monkeypatch.setattr(filming, name, noting(getattr(filming, name)))
    tab.chosen.cache_clear()
    filming.small.cache_clear()
    for _ in range(2):
        made, _ = tab.frame(REQUEST, PHOTO.read_bytes(), "zoo/adain", None, str(PAINTING))
        assert isinstance(made, Image.Image)
    assert asked == [tab.site, str(PAINTING)]


def test_a_frame_that_waits_too_long_is_left_out(
    tab: VideoTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filming, "LIVE_WAITS", 0.0)
    with tab.site.lane.turn:
        made, told = tab.frame(REQUEST, PHOTO.read_bytes(), QUICK, None, None)
    assert not isinstance(made, Image.Image)
    assert "before you" in told
    wait_until(lambda: tab.site.lane.empty, "that frame to be forgotten")
    made, _ = tab.frame(REQUEST, PHOTO.read_bytes(), QUICK, None, None)
    assert isinstance(made, Image.Image)


def test_programs_get_the_file_and_its_record(address: str, clip: Path, tmp_path: Path) -> None:
    client = Client(address, verbose=False, download_files=tmp_path / "got")
    job = client.submit(handle_file(clip), QUICK, size=64, smooth=0.2, api_name="/stylize_video")
    path, record = job.result(timeout=60)
    assert record["checkpoint"] == "zoo/many-styles-camera"
    assert record["settings"] | {"painting": 1, "smooth": 0.2, "frames": 6} == record["settings"]
    assert job.outputs()[-1][1] == record
    with av.open(path) as container:
        assert container.streams.best("audio")
    for given, words in (
        ({"video": "not a file"}, "give a file"),
        ({"video": handle_file(clip), "smooth": 3}, "Smooth flicker: 3 is outside"),
        ({"video": handle_file(clip), "checkpoint": "zoo/adain"}, "Add a style picture."),
        ({"video": handle_file(clip), "checkpoint": "zoo/none"}, "There is no checkpoint"),
    ):
        with pytest.raises(AppError, match=words):
            client.predict(**given, api_name="/stylize_video")
    client.close()


@pytest.mark.browser
def test_a_visitor_repaints_a_video(visit: Visits, tmp_path: Path) -> None:
    clip = film(tmp_path / "holiday.mp4", frames=24, rate=12)
    visitor = visit().go("?tab=video", first="#video-go")
    page = visitor.page
    page.click("#video-go")
    page.wait_for_selector("#video-note >> text=Add a video first.")
    page.set_input_files("#video-clip input[type=file]", clip)
    page.wait_for_selector("#video-clip video")
    assert not page.is_visible("#video-clip [aria-label^=Trim]")
    page.click("#video-go")
    page.wait_for_selector("#video-made video", timeout=60_000)
    page.wait_for_function("document.querySelector('#video-made video').readyState > 1")
    size = "(v => [v.videoWidth, v.videoHeight, v.duration])"
    found = page.evaluate(f"{size}(document.querySelector('#video-made video'))")
    assert found == [64, 48, pytest.approx(2, abs=0.1)]
    with page.expect_download() as download:
        page.click("#video-download")
    assert download.value.suggested_filename.endswith(".mp4")
    assert violations(visitor) == []
    assert not visitor.troubles
    assert not visitor.outside


@pytest.mark.browser
def test_a_visitor_sees_what_the_camera_sees(visit: Visits) -> None:
    visitor = visit().go("?tab=video", first="#video-go")
    page = visitor.page
    page.click("#video-live-button")
    page.click("#video-camera button:visible")  # asks for the camera
    page.wait_for_selector("#video-camera video")
    page.click("#video-camera button:has-text('Record')")
    page.wait_for_selector("#video-picture img", timeout=60_000)
    first = page.get_attribute("#video-picture img", "src")
    page.wait_for_function(
        "src => document.querySelector('#video-picture img').src !== src", arg=first
    )
    page.wait_for_selector("#video-told >> text=many-styles-camera@")
    assert "Done in" not in "".join(page.locator("#sz-live").all_inner_texts())
    assert not visitor.troubles


@pytest.mark.browser
def test_a_visitor_repaints_what_the_camera_recorded(visit: Visits) -> None:
    visitor = visit().go("?tab=video", first="#video-go")
    page = visitor.page
    page.click("#video-clip [aria-label='Capture from camera']")
    page.click("#video-clip button:has-text('Webcam')")
    page.click("#video-clip [aria-label='start recording']")
    page.wait_for_timeout(1500)
    page.click("#video-clip [title='stop recording']")
    page.wait_for_selector("#video-clip [aria-label='Clear']")
    page.click("#video-go")
    page.wait_for_selector("#video-made video", timeout=120_000)
    page.wait_for_function("document.querySelector('#video-made video').duration > 0.5")
    assert not visitor.troubles


@pytest.mark.browser
def test_a_copied_link_brings_style_and_settings_along(visit: Visits) -> None:
    visitor = visit(width=390).go("?tab=video", first="#video-go")
    page = visitor.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#video-checkpoint label:has([value='zoo/adain'])")
    page.click("#video-style-pick label:has([value=redon-vase])")
    assert violations(visitor) == []
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    link, bar = (page.locator(f"#video-{name}").bounding_box() for name in ("link", "run-bar"))
    assert link["y"] + link["height"] <= bar["y"]  # nothing covers it
    page.click("#video-link")
    page.wait_for_selector("#video-link >> text=Link copied")
    address = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(address).query) == {
        "tab": ["video"],
        "checkpoint": ["zoo/adain"],
        "style": ["redon-vase"],
    }
    page = visit().go(address.removeprefix(visitor.address).lstrip("/"), "#video-go").page
    page.wait_for_selector("#video-style-pick [value=redon-vase]:checked", state="attached")
    assert page.is_visible("#video-style-pick")
    assert page.is_checked("#video-checkpoint [value='zoo/adain']")
    assert not visitor.troubles
