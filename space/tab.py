"""The tab every method gets, built from its form."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from space import parts, photo, regions
from space.choice import Choice
from space.controls import GLUE, Entry, entry
from space.inputs import Inputs
from space.links import record_in, settings_from
from space.pictures import sent
from space.results import Result
from space.site import Site, Updates
from space.stage import Stage
from space.status import missing, plain
from space.words import say, spoken, t
from space.work import Work
from zoo.methods import METHODS
from zoo.pipeline import LARGEST, form_for

TELL_ABOVE = 60.0  # seconds from which on a run on the CPU is announced
ON_GPU = {"size": 1024}
ON_CPU = {"size": 512, "steps": 60}


class Tab:
    """One method's tab: :meth:`build` lays it out, :meth:`wire` connects it.

    Args:
        site: What the tabs share.
        name: The method's name.

    Attributes:
        form: What the tab asks for.
        choice: The checkpoints.
        inputs: The controls of the form.
        work: What the buttons start.
        stage: The place of the results.
        photo: The box for the photo, where the method takes one.
        board: Where regions are painted, likewise.
    """

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.method = METHODS[name]
        form = form_for(self.method)
        usual = ON_GPU if site.runtime.on_gpu else ON_CPU
        form = form.with_defaults(**{k: v for k, v in usual.items() if k in form.by_name})
        self.choice = Choice(site.runtime, self.method, form)
        self.form = form.with_offers(self.choice.offers(self.method.checkpoint))
        self.photo: Any = None
        self.board: Any = None

    # ---- layout

    def build(self) -> None:
        """Lay the tab out."""
        verb, words = "Generate", "Your result appears here. Press Generate."
        if "content" in self.form.by_name:
            verb = "Stylize"
            words = "Your result appears here. Add a photo, pick a style and press Stylize."
        with gr.Tab(t(self.method.title), id=self.name, elem_id=f"tab-{self.name}"):
            parts.about(self.method.title, self.method.summary, self.method.paper)
            with gr.Row(equal_height=False, elem_classes="sz-work"):
                with gr.Column(scale=4, min_width=300):
                    self._build_inputs(verb)
                with gr.Column(
                    scale=6, min_width=300, elem_classes="sz-result", elem_id=f"{self.name}-result"
                ):
                    self.stage = Stage(self.name, words)

    def _build_inputs(self, verb: str) -> None:
        fields = list(self.form)
        entries: list[Entry] = []
        if "content" in self.form.by_name:
            entries.append(entry(self.form.by_name["content"], self.name))
            (self.photo,) = entries[0].components
            self.photo_box = photo.around(self.photo, self.name, offering=True)
        main = [f for f in fields if not f.control.more and f.name != "content"]
        entries += self.choice.lay_out_looks([one for one in main if one.control.looks])
        entries += [entry(one, self.name) for one in main if one.is_picture]
        with gr.Group(elem_classes="sz-controls"):
            rest = [one for one in main if not one.is_picture and not one.control.looks]
            entries += [entry(one, self.name) for one in rest]
        maps = [one for one in fields if one.over]
        if maps:
            self.board, boxes = regions.lay_out(maps, self.name)
            entries += boxes
        self.hint = gr.HTML("", elem_classes="sz-quiet")
        self.work = Work(self.site, self.choice, verb)
        more = [f for f in fields if f.control.more and not f.over]
        with gr.Accordion(t("More settings"), open=False, elem_id=f"{self.name}-more"):
            entries += [entry(one, self.name) for one in more]
            self.choice.lay_out_list()
        self.inputs = Inputs(self.form, entries)

    # ---- events

    def wire(self) -> None:
        """Connect the events; all tabs have been built."""
        site, stage, picked = self.site, self.stage, self.choice.picked
        self.inputs.wire()
        self.work.wire(self.inputs, stage, self.style_parts)
        self.renamed = self.choice.renamed(self.inputs.entries)
        if self.renamed:
            named = [one.components[0] for one in self.renamed]
            picked.change(self.rename, [picked, *named], named, **GLUE)
        linked, script = self.inputs.link(self.name, picked)
        stage.link.click(None, linked, None, js=script, **GLUE)
        stage.many.select(
            self.look,
            [stage.results],
            [*stage.picked, stage.status, *self.style_parts],
            **GLUE,
        ).then(None, None, None, js=f"() => sz.show('{self.name}-slider')", **GLUE)
        stage.history.select(
            self.go_back, [stage.results], [*stage.presented, *self.settable], **GLUE
        )
        stage.send.input(
            self.send_on,
            [stage.send, stage.shown],
            [site.bar, stage.send, stage.status, *(tab.photo for tab in site.targets(self.name))],
            **GLUE,
        )
        if self.photo is not None:
            self.photo_box.wire(site.last_photo)
            if offer := self.photo_box.offer:
                offer.wire(site.recall_record, site.settable)
        if self.board:
            regions.wire(self.board, {one.field.name: one for one in self.inputs.entries})
        if not site.runtime.on_gpu:
            counted = self.inputs.first(*self._timed)
            # With the photo as well: a page that came before the first figures tells of them then.
            for component in (*counted, *([self.photo] if self.photo is not None else [])):
                component.change(self.update_hint, counted, self.hint, **GLUE)

    @property
    def settable(self) -> list[Any]:
        """What a link, a file or an earlier result can set in this tab, and the hint."""
        every = [self.choice.every] if self.choice.every else []
        return [self.hint, self.choice.picked, *every, *self.inputs.components]

    @property
    def style_parts(self) -> list[Any]:
        """The picker of styles known by heart, where there is one."""
        return (
            [self.choice.picked]
            if self.choice.is_the_style
            else self.inputs.first(self.choice.look)
        )

    # ---- handlers

    def rename(self, request: gr.Request, checkpoint: str, *values: Any) -> Any:
        """Another checkpoint was picked."""
        updates = self.choice.rename(self.renamed, spoken(request), checkpoint, values)
        return updates if len(updates) > 1 else updates[0]

    def look(self, results: list[Result], event: gr.SelectData, request: gr.Request) -> Updates:
        """One of several results was clicked: show it beside the photo, and pick its style."""
        clicked = str(event.value["image"]["path"])
        for result in results:
            if clicked in result.small:
                clicked = result.files[result.small.index(clicked)]
            if clicked in result.files:
                break
        else:
            return {self.stage.shown: gr.skip()}
        if not result.there:
            return self._gone(request)
        updates = self.stage.pick(result, clicked)
        record = record_in(clicked) if result.small else None
        if record and self.choice.is_the_style:
            updates[self.choice.picked] = gr.HTML(value=record["checkpoint"])
        elif record:
            look = self.choice.look
            updates |= self.inputs.show({look: record["settings"][look]})
        return updates

    def go_back(self, results: list[Result], event: gr.SelectData, request: gr.Request) -> Updates:
        """An earlier result was clicked: show it, and bring its settings back."""
        result = results[event.index]
        if not result.there:
            return self._gone(request)
        shown = self.stage.present(result)
        if result.small:  # settings of one of them are brought back when that one is picked
            return shown
        settings = {**result.record["settings"], **result.picks}
        recalled = self.recall(result.record["checkpoint"], settings, spoken(request))
        return recalled | shown  # whose status line is the result's own

    def _gone(self, request: gr.Request) -> Updates:
        """What is told of a result that was swept away."""
        gone = "This result is older than an hour and was deleted."
        return {self.stage.status: plain(say(spoken(request), gone))}

    def send_on(self, target: str, path: str | None, request: gr.Request) -> Updates:
        """Use the result as another tab's photo."""
        send = self.stage.send
        if path and not Path(path).is_file():
            return {send: None} | self._gone(request)
        for tab in self.site.targets(self.name):
            if tab.name == target and path:
                bar = gr.Tabs(selected=tab.name)
                return {self.site.bar: bar, tab.photo: sent(path), send: None}
        return {send: None}

    def recall(self, checkpoint: str, settings: Mapping[str, Any], language: str) -> Updates:
        """Updates that bring settings back; pictures stay, but for examples.

        A checkpoint ("" for none) that is not there is told in the status line.

        A code takes the place of a style picture: it may be the code of one. A record without a
        code is of a result that was drawn by seed.
        """
        if settings.get("code"):
            settings = {**settings, "style": ""}
        elif "code" in settings:
            settings = {"style": "", **settings}
        updates = self.inputs.show(settings)
        if self.choice.named(checkpoint):
            updates |= self.choice.now(checkpoint)
        elif checkpoint:
            updates[self.stage.status] = missing(language, checkpoint)
        return updates

    @property
    def _timed(self) -> tuple[str, ...]:
        """Names of the fields that the hint depends on, where there are such."""
        steps = self.form.by_name.get("steps")
        return "size", "steps", *((steps and steps.control.only) or ())

    def update_hint(self, request: gr.Request, *counted: Any) -> str:
        """Size, steps or whether they have an effect has changed."""
        names = [e.field.name for e in self.inputs.entries if e.field.name in self._timed]
        changed = settings_from(self.form, dict(zip(names, counted, strict=True)))
        return self.hint_for(spoken(request), changed)

    def hint_for(self, language: str, changed: Mapping[str, Any] | None = None) -> str:
        """How long this machine will take, where that is long and has been measured."""
        values = {one.name: one.default for one in self.form} | dict(changed or {})
        if "size" not in values:
            return ""
        size = values["size"] or LARGEST  # the most that becomes of an original
        seconds = self.site.speed.estimate(self.name, size, self.form.effective("steps", values))
        if self.site.runtime.on_gpu or seconds is None or seconds < TELL_ABOVE:
            return ""
        if seconds < 120:
            words = (
                "This machine has no GPU. At {size} px this takes about {seconds} seconds."
                if values["size"]
                else "This machine has no GPU. At Original, up to {size} px, this takes up to "
                "{seconds} seconds."
            )
        else:
            words = (
                "This machine has no GPU. At {size} px this takes about {minutes} minutes."
                if values["size"]
                else "This machine has no GPU. At Original, up to {size} px, this takes up to "
                "{minutes} minutes."
            )
        said = say(
            language,
            words,
            size=size,
            seconds=round(seconds, -1 if seconds > 30 else 0).__trunc__(),
            minutes=round(seconds / 60),
        )
        return f'<p class="sz-hint-text">{html.escape(said)}</p>'
