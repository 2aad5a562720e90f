"""The Video & camera tab: a video repainted frame by frame, and the camera while it runs."""

import html
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import gradio as gr

from space import filming, links, parts, status
from space.components import Camera, Video
from space.controls import GLUE, TELLING, entry
from space.filming import Shot
from space.jobs import Finished, Stopped, Waiting, Working
from space.site import Site, Updates
from space.words import ENGLISH, say, spoken, t, tell
from space.work import PREVIEW_EVERY
from zoo.compare import find, takes_style
from zoo.errors import ZooError
from zoo.form import form_of
from zoo.method import Style
from zoo.video import video_options

NAME = "video"
PICKER = f"{NAME}-checkpoint"
FRAME_EVERY = 0.15  # seconds between two frames that the browser sends
FRAME = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}}}  # more is thrown away
CAMERAS = 4  # at once


def build(site: Site) -> None:
    """Lay the tab out and connect it, where there is something to repaint videos with."""
    if filming.offered(site):
        VideoTab(site).build()
    else:
        site.others = tuple(name for name in site.others if name != NAME)


def painting(style: Style) -> None:
    """What some methods get beside a frame."""


class VideoTab:
    """The tab.

    Args:
        site: What the tabs share.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.running: dict[str | None, Shot] = {}  # by the visitor's session
        # A camera asks at every frame, and to look through all checkpoints takes a while.
        self.chosen = cache(partial(filming.chosen, site))
        self.form = form_of(painting)
        self.options = form_of(video_options)

    # ---- layout

    def build(self) -> None:
        """Lay the tab out and connect its events."""
        there = filming.offered(self.site)
        with gr.Tab(t("Video & camera"), id=NAME, elem_id=f"tab-{NAME}"):
            parts.opening(
                "Video & camera",
                caption="A video, or what your camera sees, repainted frame by frame.",
            )
            options = filming.options(self.site, ENGLISH)
            self.name = parts.picker("Style", options, there[0].name, PICKER)
            with gr.Column(
                visible=takes_style(there[0].method), elem_classes="sz-plain"
            ) as self.painting:
                self.style = entry(self.form.by_name["style"], NAME)
            with gr.Tabs():
                with gr.Tab(t("Video"), elem_id=f"{NAME}-file"):
                    self._build_file()
                with gr.Tab(t("Camera"), elem_id=f"{NAME}-live"):
                    self._build_camera()
            with gr.Row(elem_classes="sz-actions"):
                self.link = gr.Button(
                    t("Copy link to these settings"), elem_id=f"{NAME}-link", min_width=120
                )
        self._wire()

    def _build_file(self) -> None:
        with gr.Row(equal_height=False, elem_classes="sz-work"):
            with gr.Column(scale=4, min_width=300):
                self.clip = Video(
                    label=t("Video"),
                    sources=["upload", "webcam"],
                    include_audio=True,
                    webcam_options=gr.WebcamOptions(mirror=False, constraints=FRAME),
                    buttons=[],
                    height=300,
                    elem_id=f"{NAME}-clip",
                    elem_classes="sz-clip",
                )
                with gr.Group(elem_classes="sz-controls"):
                    self.size, self.smooth = (
                        entry(self.options.by_name[name], NAME).components[0]
                        for name in ("size", "smooth")
                    )
                self.note, self.go, self.stop = parts.run_bar("Stylize", NAME)
            with gr.Column(
                scale=6, min_width=300, elem_classes="sz-result", elem_id=f"{NAME}-result"
            ):
                self.empty = parts.empty_result(
                    "Your video appears here. Add one of at most 30 seconds, pick a style and "
                    "press Stylize."
                )
                self.preview = parts.preview(f"{NAME}-preview", visible=False)
                self.made = Video(
                    label=t("Result"),
                    visible=False,
                    interactive=False,
                    buttons=[],
                    elem_id=f"{NAME}-made",
                )
                self.status = gr.HTML(
                    "", elem_classes="sz-status sz-quiet", elem_id=f"{NAME}-status"
                )
                with gr.Row(visible=False, elem_classes="sz-actions") as self.actions:
                    self.download = gr.DownloadButton(
                        t("Download MP4"), elem_id=f"{NAME}-download", min_width=120
                    )
                self.last = gr.State(None)  # the path of the latest video of the session

    def _build_camera(self) -> None:
        with gr.Row(equal_height=False, elem_classes="sz-work"):
            with gr.Column(scale=1, min_width=300):
                self.camera = Camera(
                    label=t("Camera"),
                    sources=["webcam"],
                    streaming=True,
                    format="jpeg",
                    buttons=[],
                    height=360,
                    webcam_options=gr.WebcamOptions(constraints=FRAME),
                    elem_id=f"{NAME}-camera",
                )
            with gr.Column(scale=1, min_width=300, elem_classes="sz-result"):
                self.picture = parts.preview(f"{NAME}-picture", height=360)
                self.told = gr.HTML("", elem_classes="sz-status sz-quiet", elem_id=f"{NAME}-told")
        parts.aside(
            "If the browser gives no camera, allow it in the address bar. Cameras need https or "
            "localhost."
        )

    # ---- events

    def _wire(self) -> None:
        site = self.site
        page = gr.context.Context.root_block
        assert page is not None  # noqa: S101 - a tab is built inside a page
        self.name.change(self.renamed, self.name, self.painting, **GLUE)
        self.clip.upload(self.check, self.clip, self.clip, **TELLING)
        self.go.click(
            self.run,
            [self.last, self.clip, self.name, self.size, self.smooth, *self.style.components],
            [self.go, self.stop, self.note, self.empty, self.preview, self.made, self.status,
             self.actions, self.download, self.last],
            show_progress="hidden",
            api_visibility="private",
            concurrency_id="studio",
            concurrency_limit=site.lane.longest + 2,
            trigger_mode="once",
        )  # fmt: skip
        self.stop.click(self.halt, None, None, **GLUE)
        self.camera.stream(
            self.frame,
            [self.camera, self.name, *self.style.components],
            [self.picture, self.told],
            stream_every=FRAME_EVERY,
            show_progress="hidden",
            api_visibility="private",
            concurrency_id="cameras",
            concurrency_limit=CAMERAS,
        )
        linked = {
            "checkpoint": self.name,
            "size": self.size,
            "smooth": self.smooth,
            "style": self.style.components[0],
        }
        page.load(self.arrive, None, [*linked.values(), self.status], **GLUE)
        links.wire(self.link, NAME, linked)

    # ---- handlers

    def arrive(self, request: gr.Request) -> Updates:
        """When the page has loaded: what there is now, and what its link asks for."""
        language, asked = spoken(request), dict(request.query_params)
        if asked.get("tab") != NAME:
            asked = {}
        offered = parts.choices_of("Style", filming.options(self.site, language), PICKER)
        updates: Updates = {self.name: gr.HTML(**offered)}
        if wanted := asked.get("checkpoint"):
            if found := find(wanted, filming.offered(self.site)):
                updates[self.name] = gr.HTML(value=found.name, **offered)
            else:
                updates[self.status] = status.missing(language, wanted)
        usable = links.settings_from(self.form + self.options, asked)
        for name, component in (("size", self.size), ("smooth", self.smooth)):
            updates[component] = usable.get(name, gr.skip())
        if "style" in usable:
            updates[self.style.components[0]] = self.style.show(usable["style"])[0]
        return updates

    def renamed(self, name: str) -> Any:
        """Another style was picked: whether it takes a painting."""
        one = find(name, filming.offered(self.site))
        return gr.Column(visible=bool(one and takes_style(one.method)))

    def check(self, path: str | None, request: gr.Request) -> Any:
        """A video was put into the box: it stays, or goes with a message why."""
        try:
            filming.opened(path)
        except ZooError as error:
            gr.Warning(html.escape(tell(spoken(request), error)), duration=12)
            return None
        return gr.skip()

    def run(
        self,
        request: gr.Request,
        earlier: str | None,
        clip: str | None,
        name: Any,
        size: Any,
        smooth: Any,
        *style: Any,
    ) -> Iterator[Updates]:
        """Repaint the video, showing frames as they come; no exception leaves this handler."""
        language, visitor = spoken(request), request.session_hash
        idle: Updates = {
            self.go: gr.Button(say(language, "Stylize"), interactive=True),
            self.stop: gr.Button(visible=False),
        }
        try:
            options = self.options.check({"size": size, "smooth": smooth})
            shot = filming.shoot(self.site, name, clip, self.style.read(*style), **options)
        except ZooError as error:
            yield idle | {self.note: status.alert(tell(language, error))}
            return
        self.running[visitor] = shot
        yield {
            self.go: gr.Button(say(language, "Working…"), interactive=False),
            self.stop: gr.Button(visible=True),
            self.note: "",
        }
        try:
            checkpoint = str(name).partition(":")[0]
            for updates, last in self._follow(shot, checkpoint, language, earlier):
                yield updates | idle if last else updates
        except ZooError as error:
            yield idle | self._again(earlier) | {self.note: status.alert(tell(language, error))}
        except Exception:  # noqa: BLE001 logged with its reference
            words = status.unexpected(language)
            yield idle | self._again(earlier) | {self.note: status.alert(words)}
        finally:
            shot.job.stop()
            if self.running.get(visitor) is shot:
                del self.running[visitor]

    def _again(self, earlier: str | None, *, previewed: bool = False) -> Updates:
        """What stands after a run without a result: what was there before, the preview beside."""
        there = bool(earlier and Path(earlier).is_file())  # it is deleted after an hour
        return {
            self.empty: gr.HTML(visible=not there and not previewed),
            self.preview: gr.Image(visible=previewed),
            self.made: Video(value=earlier if there else None, visible=there),
            self.actions: gr.Row(visible=there),
            self.status: "",
        }

    def _follow(
        self, shot: Shot, checkpoint: str, language: str, earlier: str | None
    ) -> Iterator[tuple[Updates, bool]]:
        """What changes on the page, and whether it is the last change."""
        told, drawn, previewed = "", float("-inf"), False
        for state in shot.job.follow():
            updates: Updates = {}
            if isinstance(state, Stopped):
                words = "Stopped. Nothing was changed."
                if previewed:
                    words = "Stopped. The last preview is kept."
                    updates = self._again(earlier, previewed=True)
                yield updates | {self.status: status.plain(say(language, words))}, True
                return
            if isinstance(state, Finished):
                path = str(shot.named(state.progress))
                yield (
                    {
                        self.empty: gr.HTML(visible=False),
                        self.preview: gr.Image(visible=False),
                        self.made: Video(value=path, visible=True),
                        self.status: status.done(language, state.progress, state.loading),
                        self.actions: gr.Row(visible=True),
                        self.download: gr.DownloadButton(value=path),
                        self.last: path,
                    },
                    True,
                )
                return
            words = status.doing(language, state, checkpoint, step="Frame {number} of {total}")
            if words != told:
                told = updates[self.status] = words
            if isinstance(state, Working) and time.monotonic() - drawn >= PREVIEW_EVERY:
                drawn, previewed = time.monotonic(), True
                updates |= {
                    self.empty: gr.HTML(visible=False),
                    self.preview: gr.Image(state.progress.pictures()[0], visible=True),
                    self.made: Video(visible=False),
                    self.actions: gr.Row(visible=False),
                }
            yield updates or {self.status: gr.skip()}, False

    def halt(self, request: gr.Request) -> None:
        """Stop this visitor's video."""
        if shot := self.running.get(request.session_hash):
            shot.job.stop()

    def frame(self, request: gr.Request, frame: Any, name: Any, *style: Any) -> tuple[Any, Any]:
        """Repaint one frame of the camera; one that has to wait too long is left out."""
        if not frame:
            return gr.skip(), gr.skip()
        language = spoken(request)
        began = time.monotonic()
        try:
            one = self.chosen(str(name))
            job = filming.live(self.site, one, frame, self.style.read(*style))
            for state in job.follow():
                if isinstance(state, Finished):
                    # That a frame was shrunk is no news.
                    progress = replace(state.progress, notices=())
                    return progress.pictures()[0], status.done(language, progress, state.loading)
                if isinstance(state, Waiting) and time.monotonic() - began > filming.LIVE_WAITS:
                    job.stop()
                    return gr.skip(), status.doing(language, state, "")
        except ZooError as error:
            return gr.skip(), status.alert(tell(language, error))
        except Exception:  # noqa: BLE001 logged with its reference
            return gr.skip(), status.alert(status.unexpected(language))
        return gr.skip(), gr.skip()
