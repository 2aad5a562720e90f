"""The Explore tab: many results of one photo by their codes, and the ways between them.

Three things belong together on this page. The sheet is what the server has drawn for a visitor,
and stays with the server. The viewer shows it in the browser, where a way between two results can
be walked without asking anybody; its value is what the visitor picked there, which is a stranger's
text. A plan is what one press of a button asks to be drawn.
"""

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from space import links, status
from space.controls import GLUE, TELLING
from space.explorer import NAME, Explorer, choices_of
from space.jobs import Finished, Job, Stopped, Working
from space.pictures import at_hand, check_upload, preset, sent
from space.plans import (
    Asked,
    Model,
    Plan,
    Row,
    model_of,
    models,
    picks_of,
    plan_code,
    plan_mixture,
    plan_samples,
    plan_style,
    plan_sum,
    plan_way,
)
from space.sheet import Drawing, Sheet, animate, keep, placed, served
from space.site import Site, Updates
from space.words import say, spoken, tell
from zoo.errors import InputError, ZooError
from zoo.explore import Series, draw


def build(site: Site) -> None:
    """Lay the tab out and connect it, where a method with codes has a checkpoint."""
    if there := models(site.runtime):
        tab = ExploreTab(site)
        tab.lay_out(there)
        tab.wire()
    else:
        site.others = tuple(name for name in site.others if name != NAME)


class ExploreTab(Explorer):
    """The tab."""

    # ---- events

    def wire(self) -> None:
        """Connect the events."""
        site = self.site
        page = gr.context.Context.root_block
        assert page is not None  # noqa: S101 - a tab is built inside a page
        drawn = [
            *self.buttons, self.stop, self.checkpoint, *self.notes, self.status, self.empty,
            self.viewer, self.sheet, self.actions, self.send, site.last_photo,
        ]  # fmt: skip
        plans: list[tuple[Any, Plan, Any, str]] = [
            (self.go, plan_samples, self.note, "samples"),
            (self.take, plan_style, self.style_note, "more"),
            (self.type, plan_code, self.code_note, "more"),
            (self.add_up, plan_sum, self.sum_note, "more"),
            (self.walk, plan_way, self.status, "way"),
            (self.mix, plan_mixture, self.status, "more"),
        ]
        for button, plan, where, place in plans:
            button.click(
                self.runs(plan, where, place),
                [self.sheet, self.viewer, self.checkpoint, *self.values],
                drawn,
                show_progress="hidden",
                api_visibility="private",
                concurrency_id="studio",
                concurrency_limit=site.lane.longest + 2,
                trigger_mode="once",
            )
        self.stop.click(self.halt, None, None, **GLUE)
        changed = [
            self.photo_area, self.style_area, self.sum_area, self.sheet, self.viewer, self.empty,
            self.actions, self.status, *self.notes, *self.controls,
        ]  # fmt: skip
        # A visitor's choice only: what a link sets comes with settings of its own.
        self.checkpoint.input(self.adapt, self.checkpoint, changed, **GLUE)
        page.load(
            self.arrive,
            None,
            [
                self.photo_area, self.style_area, self.sum_area, self.checkpoint, self.code,
                self.status, *self.controls,
            ],
            **GLUE,
        )  # fmt: skip
        self.photo.wire(site.last_photo)
        self.paintings.click(self.take_painting, None, self.style, **GLUE)
        self.style.upload(check_upload, self.style, self.style, preprocess=False, **TELLING)
        for fill, box in zip(self.fills, self.seeds, strict=True):
            fill.click(self.fill, self.viewer, box, **TELLING)
        self.send.input(
            self.send_on,
            [self.send, self.sheet, self.viewer],
            [site.bar, self.send, self.status, *(tab.photo for tab in site.photo_tabs)],
            **GLUE,
        )
        controls = {one.field.name: one.components[0] for one in self.entries}
        linked = {"checkpoint": self.checkpoint, "code": self.code, **controls}
        links.wire(self.link, NAME, linked)

    # ---- handlers

    def runs(self, plan: Plan, where: Any, place: str) -> Callable[..., Iterator[Updates]]:
        """The handler of a button.

        Args:
            plan: What it asks for.
            where: The component that says what went wrong.
            place: "samples" for a new sheet, "more" for one more sample, "way" for a way.
        """

        def run(
            request: gr.Request, sheet: Sheet, viewer: Any, repo_id: str, *values: Any
        ) -> Iterator[Updates]:
            language = spoken(request)
            idle = self._idle(language)
            try:
                asked = self.read(language, viewer, repo_id, values)
                rows = plan(asked)
                inputs = asked.inputs | {"rows": [row.inputs() for row in rows]}
                site = self.site
                job = Job(site.lane, site.runtime, asked.model.repo_id, inputs, work=draw)
            except ZooError as error:
                yield idle | {where: status.alert(tell(language, error))}
                return
            key = (request.session_hash, NAME)
            site.running[key] = job
            yield {button: gr.Button(interactive=False) for button in self.buttons} | {
                self.go: gr.Button(say(language, "Working…"), interactive=False),
                self.stop: gr.Button(visible=True),
                # Another one would empty the sheet that this run still draws into.
                self.checkpoint: gr.Dropdown(interactive=False),
                **dict.fromkeys(self.notes, ""),
                self.status: "",
                site.last_photo: asked.inputs.get("content") or gr.skip(),
            }
            try:
                # The browser may see the last of several quick updates alone: that one has all.
                for updates, last in self._follow(job, asked, rows, sheet, place):
                    yield updates | idle if last else updates
            except ZooError as error:
                yield idle | {self.status: "", where: status.alert(tell(language, error))}
            except Exception:  # noqa: BLE001 logged with its reference
                yield idle | {self.status: "", where: status.alert(status.unexpected(language))}
            finally:
                job.stop()
                if site.running.get(key) is job:
                    del site.running[key]

        return run

    def _idle(self, language: str) -> Updates:
        free: Updates = {button: gr.Button(interactive=True) for button in self.buttons}
        return free | {
            self.go: gr.Button(say(language, "Draw samples"), interactive=True),
            self.stop: gr.Button(visible=False),
            self.checkpoint: gr.Dropdown(interactive=True),
        }

    def _follow(
        self, job: Job, asked: Asked, rows: Sequence[Row], sheet: Sheet, place: str
    ) -> Iterator[tuple[Updates, bool]]:
        """What changes on the page while the pictures are drawn, and whether that is all."""
        language, told = asked.language, ""
        drawn: list[Drawing] = []
        for state in job.follow():
            updates: Updates = {}
            if isinstance(state, Working | Finished) and isinstance(state.progress, Series):
                made = state.progress.made
                for progress, row in zip(made[len(drawn) :], rows[len(drawn) :], strict=False):
                    drawn.append(keep(progress, row))
                    updates = self._show(placed(sheet, place, drawn), drawn[0])
            if isinstance(state, Stopped):
                words = "Stopped. Nothing was changed."
                if drawn:
                    words = "Stopped. What was drawn is kept."
                shown = self._show(placed(sheet, place, drawn), drawn[0]) if drawn else {}
                yield shown | {self.status: status.plain(say(language, words))}, True
                return
            if isinstance(state, Finished):
                sheet = placed(sheet, place, drawn)
                line = summary(language, state, rows)
                yield from self._finish(state, language, sheet, drawn, line, place == "way")
                return
            if isinstance(state, Working):
                look = state.progress
                words = status.bar(
                    say(
                        language, "Picture {number} of {total}",
                        number=min(look.number + 1, look.total), total=look.total,
                    ),
                    look.number / look.total,
                )  # fmt: skip
            else:
                words = status.doing(language, state, asked.model.repo_id)
            if words != told:
                told = updates[self.status] = words
            yield updates or {self.status: gr.skip()}, False

    def _finish(
        self,
        state: Finished,
        language: str,
        sheet: Sheet,
        drawn: Sequence[Drawing],
        line: str,
        moving: bool,
    ) -> Iterator[tuple[Updates, bool]]:
        if moving:
            words = status.bar(say(language, "Making the animation"))
            yield self._show(sheet, drawn[0]) | {self.status: words}, False
            record = state.progress.record
            text = record.json() if record else ""
            sheet = replace(sheet, animations=animate([one.path for one in drawn], text))
        yield self._show(sheet, drawn[0]) | {self.status: line}, True

    def _show(self, sheet: Sheet, current: Drawing) -> Updates:
        """The sheet in the browser, ``current`` large."""
        return {
            self.empty: gr.HTML(visible=False),
            self.viewer: gr.HTML(
                samples=[one.shown() for one in sheet.samples],
                way=[one.shown() for one in sheet.way],
                animations=[
                    {"src": served(path), "name": Path(path).name} for path in sheet.animations
                ],
                current=current.key,
            ),
            self.sheet: sheet,
            self.actions: gr.Column(visible=True),
            self.send: gr.Dropdown(visible=bool(self.site.photo_tabs)),
        }

    def halt(self, request: gr.Request) -> None:
        """Stop this visitor's job in this tab."""
        if job := self.site.running.get((request.session_hash, NAME)):
            job.stop()

    def adapt(self, repo_id: str, request: gr.Request) -> Updates:
        """Another checkpoint was chosen: offer what it knows; codes of others mean nothing here."""
        model = model_of(self.site.runtime, repo_id)
        updates: Updates = {
            self.sheet: Sheet(),
            self.viewer: gr.HTML(value={}, samples=[], way=[], animations=[], current=""),
            self.empty: gr.HTML(visible=True),
            self.actions: gr.Column(visible=False),
            self.status: "",
            **dict.fromkeys(self.notes, ""),
        }
        return updates | self._offered(model, spoken(request))

    def _offered(self, model: Model, language: str) -> Updates:
        updates: Updates = {
            self.photo_area: gr.Column(visible=model.takes_photo),
            self.style_area: gr.Accordion(visible=model.takes_photo),
            self.sum_area: gr.Accordion(visible=not model.takes_photo),
        }
        for one in self.entries:
            field = model.form.by_name.get(one.field.name)
            changes: dict[str, Any] = {"visible": field is not None}
            if field and field.kind == "choice":
                changes["choices"] = [
                    (say(language, (field.control.words or {}).get(choice, choice)), choice)
                    for choice in field.choices
                ]
            if field and field.name == "samples":
                changes |= {"maximum": field.high, "value": field.default}
            updates[one.components[0]] = gr.update(**changes)
        return updates

    def arrive(self, request: gr.Request) -> Updates:
        """When the page has loaded: what there is now, and what its link asks for."""
        there = models(self.site.runtime)
        if not there:
            return {self.checkpoint: gr.skip()}
        choices = choices_of(there)
        asked = dict(request.query_params)
        if asked.pop("tab", None) != NAME:
            asked = {}
        wanted = asked.get("checkpoint", "")
        found = next((one for one in there if one.repo_id == wanted), None)
        model = found or there[0]
        updates = self._offered(model, spoken(request))
        usable = links.settings_from(model.form, asked)
        for one in self.entries:
            if one.field.name in usable:
                updates[one.components[0]]["value"] = one.show(usable[one.field.name])[0]
        lost = wanted and not found
        return updates | {
            self.status: status.missing(spoken(request), wanted) if lost else gr.skip(),
            self.checkpoint: gr.Dropdown(
                choices=choices, value=model.repo_id, visible=len(choices) > 1
            ),
            self.code: usable.get("code", ""),
        }

    def fill(self, viewer: Any, request: gr.Request) -> Any:
        """Write the seeds of the picked pictures into a box."""
        seeds = [str(pick.seed) for pick in picks_of(viewer) if pick.seed is not None]
        if not seeds:
            words = say(spoken(request), "Pick samples first: they are the ones that have a seed.")
            gr.Warning(html.escape(words))
            return gr.skip()
        return " ".join(seeds)

    def take_painting(self, event: gr.EventData) -> Any:
        """An example painting was clicked."""
        example = preset("style", getattr(event, "id", None))
        return str(example.path) if example else gr.skip()

    def send_on(self, target: str, sheet: Sheet, viewer: Any, request: gr.Request) -> Updates:
        """Use the picture that is shown as another tab's photo."""
        shown = sheet.find(viewer.get("current") if isinstance(viewer, dict) else None)
        for tab in self.site.photo_tabs:
            if tab.name == target and shown:
                if not Path(shown.path).is_file():
                    gone = "This result is older than an hour and was deleted."
                    told = status.plain(say(spoken(request), gone))
                    return {self.status: told, self.send: None}
                return {
                    self.site.bar: gr.Tabs(selected=tab.name),
                    tab.photo: sent(shown.path),
                    self.send: None,
                }
        return {self.send: None}

    # ---- values

    def read(self, language: str, viewer: Any, repo_id: object, values: Sequence[Any]) -> Asked:
        """What the page says; raises InputError for what cannot be used."""
        photo, style, code, steps, base, plus, minus, *controls = values
        model = model_of(self.site.runtime, repo_id)
        settings = {
            one.field.name: value
            for one, value in zip(self.entries, controls, strict=True)
            if one.field.name in model.form.by_name
        }
        if model.takes_photo:
            if not photo:
                raise InputError("Add a photo first.")
            settings["content"] = at_hand(photo)
        checked = model.form.check(settings)
        own = {"samples", "seed", "truncation"}
        return Asked(
            language=language,
            model=model,
            inputs={name: checked[name] for name in settings if name not in own},
            first=checked["seed"],
            count=checked["samples"],
            limit=model.limit(checked.get("truncation", 0.0)),
            picks=picks_of(viewer),
            style=style,
            code=str(code or ""),
            steps=steps if isinstance(steps, int) else 8,
            seeds=(str(base or ""), str(plus or ""), str(minus or "")),
        )


def summary(language: str, state: Finished, rows: Sequence[Row]) -> str:
    """The status line under all pictures of a run."""
    last = state.progress
    if not isinstance(last, Series) or last.record is None:
        raise ValueError("only a finished series has a status line")
    seconds = sum(one.record.seconds for one in last.made if one.record)
    settings = dict(last.record.settings)
    if len(rows) > 1 or rows[0].seed is None:
        settings.pop("seed")
    record = replace(last.record, seconds=round(seconds, 3), settings=settings)
    return status.done(language, replace(last, record=record), state.loading)
