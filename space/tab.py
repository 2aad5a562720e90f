"""The tab every method gets, built from its form."""

import html
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from space import parts, regions, status
from space.components import Dropdown
from space.controls import GLUE, TELLING, Entry, entry, look_options
from space.hub import Shelf
from space.jobs import Finished, Job, Lane, Loading, Series, Stopped, Working
from space.links import record_in, settings_from
from space.pictures import PHOTOS, preset, refusal, served
from space.results import Result, save, together
from space.speed import Speed
from space.words import say, spoken, t, tell
from zoo.card import thumbnail_name
from zoo.errors import InputError, ZooError
from zoo.form import Field, form_of
from zoo.methods import METHODS
from zoo.pipeline import form_for
from zoo.runtime import Listed, Runtime

log = logging.getLogger(__name__)

KEPT = 12  # results of a session
TRIED_AT = 512  # pixels: as large as a picture gets while all styles are tried
PREVIEW_EVERY = 1.0  # seconds between two previews
TELL_ABOVE = 60.0  # seconds from which on a run on the CPU is announced
ON_GPU = {"size": 1024}
ON_CPU = {"size": 512, "steps": 60}

Updates = dict[Any, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """A style that a checkpoint knows by heart.

    Args:
        name: What it is called.
        repo_id: The checkpoint.
        settings: What picks it there.
    """

    name: str
    repo_id: str
    settings: Mapping[str, Any]


@dataclass
class Site:
    """What all tabs share.

    Args:
        runtime: The device and the checkpoints.
        lane: Whose turn it is.
        speed: How long work takes here.
        shelf: What checkpoints there are, and where.
        private: Whether only people at this machine can come.
        others: The tabs that no form makes.
    """

    runtime: Runtime
    lane: Lane
    speed: Speed
    shelf: Shelf = field(default_factory=Shelf)
    private: bool = False
    others: tuple[str, ...] = ()
    tabs: list["Tab"] = field(default_factory=list)
    running: dict[tuple[str | None, str], Job | Series] = field(default_factory=dict)

    def place(self, bar: gr.Tabs, last_photo: gr.State) -> None:
        """Take the row of tabs, and the session's last accepted photo."""
        self.bar, self.last_photo = bar, last_photo

    @property
    def photo_tabs(self) -> list["Tab"]:
        """The tabs that take a photo."""
        return [tab for tab in self.tabs if tab.photo is not None]

    @property
    def settable(self) -> list[Any]:
        """Everything that a link or a file can set."""
        return [self.bar, *(part for tab in self.tabs for part in tab.settable)]

    def recall(self, method: str, checkpoint: Any, settings: Mapping[str, Any]) -> Updates:
        """Open a method's tab with these settings; an unknown method changes nothing."""
        for tab in self.tabs:
            if tab.name == method:
                return {self.bar: gr.Tabs(selected=method)} | tab.recall(checkpoint, settings)
        return {}

    def recall_record(self, record: Mapping[str, Any] | None) -> Updates:
        """As :meth:`recall`, from the record inside a picture."""
        if not record:
            return {}
        return self.recall(record["method"], record["checkpoint"], record["settings"])

    def arrive(self, request: gr.Request) -> Updates:
        """When the page has loaded: what there is now, and what its link asks for."""
        updates: Updates = {tab.hint: tab.hint_for(spoken(request)) for tab in self.tabs}
        for tab in self.tabs:
            updates |= tab.choice_now()
        asked = dict(request.query_params)
        if asked.get("tab") in self.others:
            return updates | {self.bar: gr.Tabs(selected=asked["tab"])}
        return updates | self.recall(asked.get("tab", ""), asked.get("checkpoint"), asked)


def addresses(listed: Listed | None) -> dict[str, str]:
    """Where a page finds the small pictures of a checkpoint, by their names."""
    return {
        name: served(path.read_bytes(), path.suffix)
        for name, path in (listed.thumbnails if listed else {}).items()
        if path.is_file()
    }


class Tab:
    """One method's tab: :meth:`build` lays it out, :meth:`wire` connects it.

    Args:
        site: What the tabs share.
        name: The method's name.
    """

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.method = METHODS[name]
        form = form_for(self.method)
        usual = ON_GPU if site.runtime.on_gpu else ON_CPU
        form = form.with_defaults(**{k: v for k, v in usual.items() if k in form.by_name})
        self.form = form.with_offers(self.offers(self.method.checkpoint))
        self.photo: Any = None
        self.board: Any = None
        self.every: Any = None

    @property
    def checkpoints(self) -> list[Listed]:
        """The checkpoints that there are now, the default first."""
        return self.site.runtime.checkpoints(self.name)

    def offers(self, repo_id: object) -> Mapping[str, Sequence[tuple[str, Any]]]:
        """What a checkpoint has names for, by field; nothing where it does not tell."""
        return self._told(self._named_so(repo_id), self.method.offers) or {}

    def _named_so(self, repo_id: object) -> Listed | None:
        return next((one for one in self.checkpoints if one.repo_id == repo_id), None)

    def _told(self, listed: Listed | None, ask: Callable[[Any], T]) -> T | None:
        """What the method says to the config of a checkpoint; None where it makes no sense."""
        try:
            return ask(self.method.Config(**listed.config)) if listed else None
        except (TypeError, ValueError, AttributeError):  # somebody else's config.json
            log.info("%s has a config of another form", listed)
            return None

    # ---- layout

    def build(self) -> None:
        """Lay the tab out."""
        with gr.Tab(t(self.method.title), id=self.name, elem_id=f"tab-{self.name}"):
            parts.about(self.method.title, self.method.summary, self.method.paper)
            with gr.Row(equal_height=False, elem_classes="sz-work"):
                with gr.Column(scale=4, min_width=300):
                    self._build_inputs()
                with gr.Column(
                    scale=6, min_width=300, elem_classes="sz-result", elem_id=f"{self.name}-result"
                ):
                    self._build_result()

    def _build_inputs(self) -> None:
        fields = list(self.form)
        self.entries: list[Entry] = []
        for one in fields:
            if one.is_picture and not one.control.more:
                self.entries.append(entry(one, self.name))
                if one.name == "content":
                    self._build_photo_help()
        main = [f for f in fields if not f.is_picture and not f.control.more]
        self._build_looks([one for one in main if one.control.looks])
        with gr.Group(elem_classes="sz-controls"):
            self.entries += [entry(one, self.name) for one in main if not one.control.looks]
        maps = [one for one in fields if one.over]
        if maps:
            self.board, boxes = regions.lay_out(maps, self.name)
            self.entries += boxes
        self.hint = gr.HTML("", elem_classes="sz-quiet")
        self.note, self.go, self.stop = parts.run_bar(self._verb, self.name)
        more = [f for f in fields if f.control.more and not f.over]
        with gr.Accordion(t("More settings"), open=False, elem_id=f"{self.name}-more"):
            self.entries += [entry(one, self.name) for one in more]
            if not self._checkpoint_is_the_style:
                self._build_checkpoint()
        order = {one.name: place for place, one in enumerate(fields)}
        self.entries.sort(key=lambda one: order[one.field.name])
        self.inputs = [part for one in self.entries for part in one.components]

    def _build_photo_help(self) -> None:
        """Below the photo's box: examples, the last photo, and what our own pictures know."""
        self.photo = self.entries[-1].components[0]
        self.strip = parts.photo_strip(PHOTOS, f"{self.name}-examples")
        self.last = gr.Button(
            t("Use my last photo"), size="sm", elem_classes="sz-last", elem_id=f"{self.name}-last"
        )
        self.offered = gr.State(None)
        with gr.Row(visible=False, elem_classes="sz-offer") as self.offer:
            gr.Markdown(t("This picture was made here. Use its settings?"))
            self.use = gr.Button(
                t("Use its settings"), size="sm", elem_id=f"{self.name}-use", min_width=120
            )
            self.leave = gr.Button(t("No"), size="sm", min_width=60)

    @property
    def _look(self) -> str:
        """The field whose values are styles that one checkpoint has learned; "" for none."""
        return next((one.name for one in self.form if one.control.looks), "")

    @property
    def _checkpoint_is_the_style(self) -> bool:
        """Where the only picture is the photo, the checkpoint is the style."""
        pictures = [one.name for one in self.form if one.is_picture]
        return pictures == ["content"] and not self._look

    def looks(self, repo_id: str) -> list[Look]:
        """All styles known by heart: of this checkpoint, or one of each checkpoint."""
        if self._look:
            offered = self.offers(repo_id).get(self._look, ())
            return [Look(word, repo_id, {self._look: value}) for word, value in offered]
        if not self._checkpoint_is_the_style:
            return []
        return [Look(name, repo_id, {}) for name, repo_id in self._choices()]

    def _build_looks(self, fields: Sequence[Field]) -> None:
        """Thumbnails to pick the style by, and the button that tries them all."""
        thumbnails = addresses(self._named_so(self.method.checkpoint))
        self.entries += [entry(one, self.name, thumbnails) for one in fields]
        if self._checkpoint_is_the_style:
            options = self._options()
            self.checkpoint: Any = parts.picker(
                "Style", options, options[0]["id"], f"{self.name}-checkpoint"
            )
            self.checkpoint.visible = len(options) > 1
        if fields or self._checkpoint_is_the_style:
            self.every = gr.Button(
                t("Try all styles"),
                size="md",
                visible=len(self.looks(self.method.checkpoint)) > 1,
                elem_id=f"{self.name}-every",
                elem_classes="sz-every",
            )

    def _build_checkpoint(self) -> None:
        choices = self._choices()
        self.checkpoint = Dropdown(
            choices,
            value=choices[0][1],
            label=t("Checkpoint"),
            info=t("The trained weights to use."),
            visible=len(choices) > 1,
            elem_id=f"{self.name}-checkpoint",
        )

    def _choices(self, listing: Sequence[Listed] | None = None) -> list[tuple[str, str]]:
        """What the checkpoints are called, and their names."""
        listing = self.checkpoints if listing is None else listing
        if not listing:
            return [(status.short(self.method.checkpoint), self.method.checkpoint)]
        styles: list[str | None] = [None] * len(listing)
        if self._checkpoint_is_the_style:
            styles = [self._told(one, self.method.style_of) for one in listing]
        # Where two checkpoints have learned the same style, their names tell them apart.
        return [
            (
                style if style and styles.count(style) == 1 else status.short(one.repo_id),
                one.repo_id,
            )
            for one, style in zip(listing, styles, strict=True)
        ]

    def _options(self) -> list[dict[str, str]]:
        """The checkpoints for a picker."""
        listing = self.checkpoints
        known = {one.repo_id: one for one in listing}
        return [
            {"id": name, "name": words, "src": addresses(known.get(name)).get(thumbnail_name(), "")}
            for words, name in self._choices(listing)
        ]

    def choice_now(self, wanted: str | None = None) -> Updates:
        """Offer the checkpoints that there are now, and pick ``wanted``."""
        picked: dict[str, Any] = {"value": wanted} if wanted else {}
        if not self._checkpoint_is_the_style:
            choices = self._choices()
            return {self.checkpoint: Dropdown(choices, visible=len(choices) > 1, **picked)}
        options = self._options()
        properties = parts.choices_of("Style", options, f"{self.name}-checkpoint")
        several = len(options) > 1
        return {
            self.checkpoint: gr.HTML(visible=several, **properties, **picked),
            self.every: gr.Button(visible=several),
        }

    @property
    def _named(self) -> set[str]:
        """Fields whose values have other names with another checkpoint."""
        return set(self.offers(self.method.checkpoint))

    def rename(self, request: gr.Request, checkpoint: str, *values: Any) -> Any:
        """Another checkpoint was picked: offer what it has; a value that it has not is reset."""
        offers, language = self.offers(checkpoint), spoken(request)
        updates = []
        for one, value in zip(
            (e for e in self.entries if e.field.name in self._named), values, strict=True
        ):
            words = offers.get(one.field.name) or [(str(one.field.default), one.field.default)]
            there = [known for _, known in words]
            offered: dict[str, Any] = {
                "choices": [(say(language, word), known) for word, known in words]
            }
            if one.field.control.looks:
                there = [str(known) for known in there]
                field = replace(one.field, control=replace(one.field.control, offers=tuple(words)))
                options = look_options(field, addresses(self._named_so(checkpoint)))
                elem_id = one.components[0].elem_id
                offered = parts.choices_of(one.field.label, options, elem_id)
            updates.append(gr.update(value=value if value in there else there[0], **offered))
        return updates if len(updates) > 1 else updates[0]

    @property
    def _verb(self) -> str:
        return "Stylize" if "content" in self.form.by_name else "Generate"

    def _build_result(self) -> None:
        words = "Your result appears here. Add a photo, pick a style and press Stylize."
        if "content" not in self.form.by_name:
            words = "Your result appears here. Press Generate."
        self.empty = parts.empty_result(words)
        self.preview = gr.Image(
            label=t("Result"),
            visible=False,
            interactive=False,
            format="jpeg",
            buttons=["fullscreen"],
            elem_classes="sz-preview",
            elem_id=f"{self.name}-preview",
        )
        self.many = gr.Gallery(
            label=t("Results"),
            visible=False,
            columns=3,
            height="auto",
            allow_preview=False,
            buttons=["download_all"],
            elem_classes="sz-many",
            elem_id=f"{self.name}-many",
        )
        self.slider = gr.ImageSlider(
            label=t("Before / after"),
            visible=False,
            type="filepath",
            format="png",
            interactive=False,
            max_height=560,
            buttons=["fullscreen"],
            elem_id=f"{self.name}-slider",
        )
        self.status = gr.HTML("", elem_classes="sz-status sz-quiet", elem_id=f"{self.name}-status")
        self.shown = gr.State(None)
        with gr.Row(visible=False, elem_classes="sz-actions") as self.actions:
            self.download = gr.DownloadButton(
                t("Download PNG"), size="md", elem_id=f"{self.name}-download", min_width=120
            )
            self.link = gr.Button(
                t("Copy link to these settings"),
                size="md",
                elem_id=f"{self.name}-link",
                min_width=120,
            )
            self.send = Dropdown(
                [],
                value=None,
                label=t("Send to…"),
                visible=False,
                elem_id=f"{self.name}-send",
                min_width=140,
            )
        self.results = gr.State([])
        self.history = gr.Gallery(
            label=t("This session's results"),
            visible=False,
            columns=6,
            fit_columns=False,
            height="auto",
            allow_preview=False,
            object_fit="cover",
            buttons=[],
            elem_classes="sz-history",
            elem_id=f"{self.name}-history",
        )

    # ---- events

    def wire(self) -> None:
        """Connect the events; all tabs have been built."""
        site = self.site
        values = [self.results, self.checkpoint, *self.inputs]
        changed = [
            self.go, self.stop, self.note, self.empty, self.preview, self.many,
            self.slider, self.status, self.actions, self.download, self.send, self.shown,
            self.results, self.history, site.last_photo, *self.style_parts,
        ]  # fmt: skip
        starts = [(self.go, self.run)]
        if self.every:
            starts.append((self.every, self.run_all))
            changed.append(self.every)
        for button, work in starts:
            button.click(
                work,
                values,
                changed,
                show_progress="hidden",
                api_visibility="private",
                concurrency_id="studio",
                concurrency_limit=site.lane.longest + 2,
                trigger_mode="once",
            )
        self.stop.click(self.halt, None, None, **GLUE)
        if named := [one for one in self.entries if one.field.name in self._named]:
            parts_named = [one.components[0] for one in named]
            self.checkpoint.change(
                self.rename, [self.checkpoint, *parts_named], parts_named, **GLUE
            )
        self.link.click(None, self._link_inputs(), None, js=self._link_script(), **GLUE)
        self.many.select(
            self.look,
            [self.results],
            [self.slider, self.actions, self.download, self.shown, *self.style_parts],
            **GLUE,
        ).then(None, None, None, js=f"() => sz.show('{self.name}-slider')", **GLUE)
        self.history.select(
            self.go_back,
            [self.results],
            [
                self.empty, self.preview, self.many, self.slider, self.status, self.actions,
                self.download, self.shown, *self.settable,
            ],
            **GLUE,
        )  # fmt: skip
        if self.photo is not None:
            self._wire_photo()
        if self.board:
            regions.wire(self.board, {one.field.name: one for one in self.entries})
        if not site.runtime.on_gpu:
            counted = [e.components[0] for e in self.entries if e.field.name in ("size", "steps")]
            for component in counted:
                component.change(self.update_hint, counted, self.hint, **GLUE)

    def _wire_photo(self) -> None:
        site = self.site
        others = [tab for tab in site.photo_tabs if tab is not self]
        accepted = [self.photo, site.last_photo, self.offered, self.offer]
        seen = "() => { sz.photoSeen(); return []; }"
        self.photo.upload(self.accept, self.photo, accepted, preprocess=False, **TELLING).then(
            None, None, None, js=seen, **GLUE
        )
        self.strip.click(self.take_example, None, accepted, **GLUE).then(
            None, None, None, js=seen, **GLUE
        )
        self.last.click(lambda path: path or gr.skip(), site.last_photo, self.photo, **GLUE)
        self.use.click(site.recall_record, self.offered, site.settable, **GLUE).then(
            lambda: gr.Row(visible=False), None, self.offer, **GLUE
        )
        self.leave.click(lambda: gr.Row(visible=False), None, self.offer, **GLUE)
        self.send.input(
            self.send_on,
            [self.send, self.shown],
            [site.bar, self.send, *(tab.photo for tab in others)],
            **GLUE,
        )

    @property
    def settable(self) -> list[Any]:
        """What a link, a file or an earlier result can set in this tab, and the hint."""
        every = [self.every] if self.every else []
        return [self.hint, self.checkpoint, *every, *self.inputs]

    @property
    def style_parts(self) -> list[Any]:
        """The picker of styles known by heart, where there is one."""
        if self._checkpoint_is_the_style:
            return [self.checkpoint]
        return [one.components[0] for one in self.entries if one.field.name == self._look]

    def _link_inputs(self) -> list[Any]:
        return [self.checkpoint, *(e.components[0] for e in self.entries if e.shareable)]

    def _link_script(self) -> str:
        """Builds the address in the browser: nothing of a visitor's goes into it but settings."""
        names = ["checkpoint"]
        usual: list[Any] = [self.checkpoint.value]
        for one in self.entries:
            if one.shareable:
                names.append(one.field.name)
                usual.append(one.components[0].value)
        words = json.dumps([self.name, names, usual])
        return f"(...values) => sz.copyLink({words}, values)"

    # ---- handlers

    def run(
        self, request: gr.Request, earlier: list[Result], checkpoint: str, *values: Any
    ) -> Iterator[Updates]:
        """Do the work, showing it as it goes."""
        yield from self._work(request, earlier, checkpoint, values)

    def run_all(
        self, request: gr.Request, earlier: list[Result], checkpoint: str, *values: Any
    ) -> Iterator[Updates]:
        """Do it in every style that is known by heart, each result as it comes."""
        yield from self._work(request, earlier, checkpoint, values, every=True)

    def _work(
        self,
        request: gr.Request,
        earlier: list[Result],
        checkpoint: str,
        values: Sequence[Any],
        *,
        every: bool = False,
    ) -> Iterator[Updates]:
        """As :meth:`run`; no exception leaves this.

        Gradio covers the result with the word "Error" when a handler raises, and leaves the
        buttons as they were.
        """
        language = spoken(request)
        key = (request.session_hash, self.name)
        idle = {
            self.go: gr.Button(say(language, self._verb), interactive=True),
            self.stop: gr.Button(visible=False),
        }
        if self.every:
            idle[self.every] = gr.Button(interactive=True)
        shown_before = {
            self.preview: gr.Image(visible=False),
            self.status: "",
        }
        try:
            inputs = self.read(values)
            self.check(inputs)
            listed = next((c for c in self.checkpoints if c.repo_id == checkpoint), None)
            repo_id = listed.repo_id if listed else self.method.checkpoint
            job: Job | Series
            if every:
                looks = self.looks(repo_id)
                tasks = [(look.repo_id, self._tried(inputs, look)) for look in looks]
                job = Series(self.site.lane, self.site.runtime, tasks)
                following = self._follow_all(job, looks, language, earlier)
            else:
                job = Job(self.site.lane, self.site.runtime, repo_id, inputs)
                following = self._follow(job, repo_id, language, earlier, self.picks(values))
        except ZooError as error:
            yield idle | {self.note: status.alert(tell(language, error))}
            return
        self.site.running[key] = job
        yield {part: gr.Button(interactive=False) for part in idle} | {
            self.go: gr.Button(say(language, "Working…"), interactive=False),
            self.stop: gr.Button(visible=True),
            self.note: "",
            self.site.last_photo: inputs.get("content") or gr.skip(),
        }
        try:
            for updates, last in following:
                yield updates | idle if last else updates
        except ZooError as error:
            words = tell(language, error)
            yield idle | shown_before | {self.note: status.alert(words)}
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("reference %s", reference)
            words = say(
                language,
                "Something went wrong on our side and your picture was not changed. Please try "
                "again; if it happens again, report reference {reference}.",
                reference=reference,
            )
            yield idle | shown_before | {self.note: status.alert(words)}
        finally:
            job.stop()
            if self.site.running.get(key) is job:
                del self.site.running[key]

    def _follow(
        self,
        job: Job,
        repo_id: str,
        language: str,
        earlier: list[Result],
        picks: Mapping[str, str],
    ) -> Iterator[tuple[Updates, bool]]:
        """What changes on the page, and whether it is the last change."""
        told, previewed, drawn = "", 0, float("-inf")
        for state in job.follow():
            updates: Updates = {}
            if isinstance(state, Stopped):
                words = "Stopped. Nothing was changed."
                if previewed:
                    words = "Stopped. The last preview is kept."
                yield {self.status: status.plain(say(language, words))}, True
                return
            if isinstance(state, Finished):
                yield self._finished(state, language, earlier, picks), True
                return
            words = status.doing(language, state, repo_id)
            if words != told:
                told = updates[self.status] = words
            if isinstance(state, Working) and state.progress.total > 1:
                progress, now = state.progress, time.monotonic()
                if now - drawn >= PREVIEW_EVERY and progress.number > previewed:
                    previewed, drawn = progress.number, now
                    updates |= self._stage(preview=progress.pictures()[0])
            yield updates or {self.status: gr.skip()}, False

    def _tried(self, inputs: Mapping[str, Any], look: Look) -> dict[str, Any]:
        """Inputs for one of all styles: no larger than :data:`TRIED_AT`, and nothing mixed in."""
        rest = dict(inputs)
        if self._look:
            own = form_of(self.method.forward).by_name.keys() - {"content", "strength"}
            rest = {name: value for name, value in inputs.items() if name not in own}
        checked = self.form.check(rest)
        size = min(checked["size"] or TRIED_AT, TRIED_AT)
        return rest | {"size": size, **look.settings}

    def _follow_all(
        self, series: Series, looks: Sequence[Look], language: str, earlier: list[Result]
    ) -> Iterator[tuple[Updates, bool]]:
        """As :meth:`_follow`, with a result for each of ``looks``; what is done stays."""
        made: list[Result] = []
        names = [say(language, look.name) for look in looks]
        told, began = "", time.monotonic()
        counts = {"total": len(looks)}
        for number, state in series.follow():
            updates: Updates = {}
            if isinstance(state, Stopped):
                words = say(language, "Stopped. Nothing was changed.")
                if made:
                    words = "Stopped after {count} of {total} styles, which are kept."
                    words = say(language, words, count=len(made), **counts)
                yield {self.status: status.plain(words)}, True
                return
            if isinstance(state, Finished):
                made.append(self._kept(state, language, {}))
                words = say(language, "{count} of {total} styles", count=len(made), **counts)
                last = len(made) == len(looks)
                if last:
                    words = "{total} styles in {seconds} s. Pick a picture to see it large."
                    seconds = f"{time.monotonic() - began:.1f}"
                    words = say(language, words, seconds=seconds, **counts)
                whole = together(made, names, status.plain(words))
                updates = self._present(whole) | self._listed(whole, earlier, language)
                if not last:  # small copies come sooner
                    del updates[self.status]
                    updates |= self._stage(many=replace(whole, files=whole.small))
                yield updates, last
                continue
            words = status.doing(language, state, looks[number].repo_id)
            if isinstance(state, Working) or (isinstance(state, Loading) and not state.transfer):
                said = "Style {number} of {total}: {name}"
                said = say(language, said, number=number + 1, name=looks[number].name, **counts)
                words = status.bar(said, number / len(looks))
            if words != told:
                told = updates[self.status] = words
            yield updates or {self.status: gr.skip()}, False

    def _finished(
        self, state: Finished, language: str, earlier: list[Result], picks: Mapping[str, str]
    ) -> Updates:
        result = self._kept(state, language, picks)
        return self._present(result) | self._listed(result, earlier, language)

    def _kept(self, state: Finished, language: str, picks: Mapping[str, str]) -> Result:
        """Save a finished run, and learn how long it took."""
        progress = state.progress
        if progress.record:
            self.site.speed.learn(progress.record, progress.total)
        return save(progress, status.done(language, progress, state.loading), picks)

    def _listed(self, result: Result, earlier: list[Result], language: str) -> Updates:
        """Put a result in front of the earlier ones of the session."""
        results = [result, *earlier][:KEPT]
        return {
            self.results: results,
            self.history: gr.Gallery(
                [(one.thumbnail, str(number)) for number, one in enumerate(results, 1)],
                visible=len(results) > 1,
            ),
            self.send: Dropdown(
                [(say(language, tab.method.title), tab.name) for tab in self._targets],
                value=None,
                visible=bool(self._targets),
            ),
        }

    @property
    def _targets(self) -> list["Tab"]:
        return [tab for tab in self.site.photo_tabs if tab is not self]

    def _present(self, result: Result, index: int = 0) -> Updates:
        """Show a result with everything that belongs to it."""
        several = len(result.files) > 1 or bool(result.names)
        compare = (result.before, result.files[index]) if result.before else None
        if result.names:  # none of them stands out
            compare = None
        single = None if compare or several else result.files[index]
        stage = self._stage(preview=single, compare=compare, many=result if several else None)
        return stage | {
            self.status: result.line,
            self.actions: gr.Row(visible=not result.names),
            self.download: gr.DownloadButton(value=result.files[index]),
            self.shown: result.files[index],
        }

    def _stage(
        self, *, preview: Any = None, compare: Any = None, many: Result | None = None
    ) -> Updates:
        """Exactly what is given stands in the place of the result."""
        updates: Updates = {
            self.empty: gr.HTML(visible=False),
            self.preview: gr.Image(visible=False),
            self.slider: gr.ImageSlider(visible=False),
            self.many: gr.Gallery(visible=False),
        }
        if preview is not None:
            updates[self.preview] = gr.Image(preview, visible=True)
        if compare is not None:
            updates[self.slider] = gr.ImageSlider(compare, visible=True)
        if many is not None:
            pictures: list[Any] = list(many.files)
            if many.names:
                pictures = list(zip(many.files, many.names, strict=False))
            columns = 4 if many.names else 3
            updates[self.many] = gr.Gallery(pictures, visible=True, columns=columns)
        return updates

    def halt(self, request: gr.Request) -> None:
        """Stop this visitor's job in this tab."""
        if job := self.site.running.get((request.session_hash, self.name)):
            job.stop()

    def accept(self, payload: Any, request: gr.Request) -> tuple[Any, ...]:
        """A photo was put into the box: keep it or say why not, and see whether it is ours."""
        hidden = gr.Row(visible=False)
        if not payload:
            return gr.skip(), gr.skip(), None, hidden
        if reason := refusal(payload, spoken(request)):
            gr.Warning(html.escape(reason), duration=12)
            return None, gr.skip(), None, hidden
        record = record_in(payload["path"])
        return gr.skip(), payload["path"], record, gr.Row(visible=record is not None)

    def take_example(self, event: gr.EventData) -> tuple[Any, ...]:
        """An example photo was clicked."""
        example = preset("content", getattr(event, "id", None))
        if example is None:
            return gr.skip(), gr.skip(), None, gr.Row(visible=False)
        return str(example.path), str(example.path), None, gr.Row(visible=False)

    def look(self, results: list[Result], event: gr.SelectData) -> Updates:
        """One of several results was clicked: show it beside the photo, and pick its style."""
        clicked = str(event.value["image"]["path"])
        for result in results:
            if clicked in result.small:
                clicked = result.files[result.small.index(clicked)]
            if clicked in result.files:
                break
        else:
            return {self.shown: gr.skip()}
        if not result.there:
            return {self.shown: gr.skip()}
        updates: Updates = {
            self.actions: gr.Row(visible=True),
            self.download: gr.DownloadButton(value=clicked),
            self.shown: clicked,
        }
        if result.before:
            updates[self.slider] = gr.ImageSlider((result.before, clicked), visible=True)
        record = record_in(clicked) if result.names else None
        if record and self._checkpoint_is_the_style:
            updates[self.checkpoint] = gr.HTML(value=record["checkpoint"])
        elif record:
            updates |= self._shown({self._look: record["settings"][self._look]})
        return updates

    def _shown(self, settings: Mapping[str, Any]) -> Updates:
        """Updates that put settings into their places; unknown ones are left out."""
        usable = settings_from(self.form, settings)
        updates: Updates = {}
        for one in self.entries:
            if one.field.name in usable:
                shown = one.show(usable[one.field.name])
                updates |= dict(zip(one.components, shown, strict=True))
        return updates

    def go_back(self, results: list[Result], event: gr.SelectData, request: gr.Request) -> Updates:
        """An earlier result was clicked: show it, and bring its settings back."""
        result = results[event.index]
        if not result.there:
            gone = "This result is older than an hour and was deleted."
            return {self.status: status.plain(say(spoken(request), gone))}
        if result.names:  # settings of one of them are brought back when that one is picked
            return self._present(result)
        settings = {**result.record["settings"], **result.picks}
        return self._present(result) | self.recall(result.record["checkpoint"], settings)

    def send_on(self, target: str, path: str | None) -> Updates:
        """Use the result as another tab's photo."""
        for tab in self._targets:
            if tab.name == target and path and Path(path).is_file():
                return {
                    self.site.bar: gr.Tabs(selected=tab.name),
                    tab.photo: path,
                    self.send: None,
                }
        return {self.send: None}

    def recall(self, checkpoint: Any, settings: Mapping[str, Any]) -> Updates:
        """Updates that bring settings back; pictures stay, but for examples."""
        updates = self._shown(settings)
        if any(listed.repo_id == checkpoint for listed in self.checkpoints):
            updates |= self.choice_now(checkpoint)
        return updates

    def update_hint(self, request: gr.Request, *counted: Any) -> str:
        """Size or steps have changed."""
        names = [e.field.name for e in self.entries if e.field.name in ("size", "steps")]
        changed = settings_from(self.form, dict(zip(names, counted, strict=True)))
        return self.hint_for(spoken(request), changed)

    def hint_for(self, language: str, changed: Mapping[str, Any] | None = None) -> str:
        """How long this machine will take, where that is long and has been measured."""
        values = {one.name: one.default for one in self.form} | dict(changed or {})
        size, steps = values.get("size", 0), values.get("steps")
        seconds = self.site.speed.estimate(self.name, size, steps)
        if self.site.runtime.on_gpu or seconds is None or seconds < TELL_ABOVE:
            return ""
        if seconds < 120:
            words = "This machine has no GPU. At {size} px this takes about {seconds} seconds."
        else:
            words = "This machine has no GPU. At {size} px this takes about {minutes} minutes."
        said = say(
            language,
            words,
            size=size,
            seconds=round(seconds, -1 if seconds > 30 else 0).__trunc__(),
            minutes=round(seconds / 60),
        )
        return f'<p class="sz-hint-text">{html.escape(said)}</p>'

    # ---- values

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """Component values as the inputs of the form."""
        left, inputs = list(values), {}
        for one in self.entries:
            mine, left = left[: len(one.components)], left[len(one.components) :]
            inputs[one.field.name] = one.read(*mine)
        return {name: value for name, value in inputs.items() if value is not None}

    def picks(self, values: Sequence[Any]) -> dict[str, str]:
        """The examples that were picked, by field: the only pictures a setting can name."""
        left, found = list(values), {}
        for one in self.entries:
            mine, left = left[: len(one.components)], left[len(one.components) :]
            if len(mine) == 2 and not mine[1] and preset(one.field.name, mine[0]):
                found[one.field.name] = mine[0]
        return found

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Refuse before queueing; raises InputError."""
        for one in self.form:
            if one.kind == "picture" and one.required and not inputs.get(one.name):
                if one.name == "content":
                    raise InputError("Add a photo first.")
                if one.name == "style":
                    raise InputError("Add a style picture.")
        self.form.check(inputs)
