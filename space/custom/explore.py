"""The Explore tab: many results of one photo by their codes, and the ways between them.

Three things belong together on this page. The sheet is what the server has drawn for a visitor,
and stays with the server. The viewer shows it in the browser, where a way between two results can
be walked without asking anybody; its value is what the visitor picked there, which is a stranger's
text. A plan is what one press of a button asks to be drawn.
"""

import html
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from space import parts, photo, status
from space.components import Dropdown, Slider
from space.controls import GLUE, TELLING, Entry, entry
from space.jobs import Finished, Job, Stopped, Working
from space.links import settings_from
from space.pictures import check_upload, picture_box
from space.race import unexpected
from space.results import save
from space.tab import Site, Updates
from space.words import say, spoken, t, tell
from zoo.codes import Coded
from zoo.errors import InputError, ZooError
from zoo.explore import Codes, Series, draw
from zoo.form import Field, Form
from zoo.method import Method
from zoo.methods import METHODS
from zoo.pipeline import Progress, form_for

NAME = "explore"
SCRIPT = Path(__file__).parents[1] / "static" / "explore.js"
FIELDS = ("direction", "samples", "seed", "truncation", "size", "strength")  # on the page, so
SEEDS = "Of the first picture; the others have the seeds that follow."
MOST_PICKED = 8
MOST_FRAMES = 49  # of a way
LEAST_TO_SEND = 128  # pixels of the shorter side; the style tabs want as much
FRAME, PAUSE = 110, 700  # milliseconds of an animation's pictures, and of its two ends
ANIMATED_AT = 256  # pixels that small pictures are enlarged to, in an animation


@dataclass(frozen=True)
class Model:
    """A checkpoint of a method that has codes.

    Args:
        repo_id: Its name.
        method: What draws.
        form: The method's, with this site's defaults.
        codes: What can be done with its codes.
    """

    repo_id: str
    method: type[Method]
    form: Form
    codes: Codes

    @property
    def takes_photo(self) -> bool:
        """Whether there is a photo to repaint."""
        return "content" in self.form.by_name

    def limit(self, truncation: float) -> float | None:
        """How far its codes go, where they are to be squeezed."""
        field = self.form.by_name.get("truncation")
        return truncation if field and truncation < field.default else None


@dataclass(frozen=True)
class Drawing:
    """A finished picture of a visitor's.

    Args:
        key: Names it in the browser.
        label: What it is called.
        code: What it was drawn from.
        seed: Of its code, where it has one.
        path: The PNG with its record inside.
        thumbnail: A smaller copy.
        width: In pixels.
        height: In pixels.
    """

    key: str
    label: str
    code: str
    seed: int | None
    path: str
    thumbnail: str
    width: int
    height: int

    def shown(self) -> dict[str, Any]:
        """As the browser gets it."""
        return {
            "key": self.key,
            "label": self.label,
            "code": self.code,
            "seed": self.seed,
            "src": served(self.path),
            "thumbnail": served(self.thumbnail),
            "name": Path(self.path).name,
            "width": self.width,
            "height": self.height,
        }


@dataclass(frozen=True)
class Sheet:
    """What has been drawn: samples, a way between some of them, and its animations."""

    samples: tuple[Drawing, ...] = ()
    way: tuple[Drawing, ...] = ()
    animations: tuple[str, ...] = ()

    def find(self, key: object) -> Drawing | None:
        """The drawing of that name, which a browser sent."""
        return next((one for one in (*self.samples, *self.way) if one.key == key), None)


@dataclass(frozen=True)
class Row:
    """A picture to draw: of a code, or of the code that a style picture has."""

    label: str
    code: str | None = None
    seed: int | None = None
    style: str | None = None

    def inputs(self) -> dict[str, Any]:
        """What :func:`zoo.explore.draw` takes."""
        found = {"code": self.code, "seed": self.seed, "style": self.style}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Pick:
    """A picture that was picked in the browser."""

    label: str
    code: str
    seed: int | None
    weight: float


@dataclass(frozen=True)
class Asked:
    """What the page says, checked.

    Args:
        language: Of the visitor.
        model: The checkpoint.
        inputs: What all pictures have in common.
        first: Seed of the first sample.
        count: How many samples.
        limit: How far codes go, where they are squeezed.
        picks: The picked pictures in their order.
        style: A style picture's path.
        code: A code as text.
        steps: From one picked picture to the next.
        seeds: To start from, to add, to take away; as text.
    """

    language: str
    model: Model
    inputs: dict[str, Any]
    first: int
    count: int
    limit: float | None
    picks: list[Pick]
    style: str | None
    code: str
    steps: int
    seeds: tuple[str, str, str]


Plan = Callable[[Asked], list[Row]]


# ---- plans: what each button asks for


def plan_samples(asked: Asked) -> list[Row]:
    """Samples by their seeds."""
    codes = asked.model.codes.of_seeds(asked.first, asked.count, asked.limit)
    return [
        Row(say(asked.language, "seed {seed}", seed=seed), code, seed)
        for seed, code in enumerate(codes, asked.first)
    ]


def plan_style(asked: Asked) -> list[Row]:
    """The style of a picture."""
    if not asked.style:
        raise InputError("Add a style picture.")
    return [Row(say(asked.language, "style of the picture"), style=asked.style)]


def plan_code(asked: Asked) -> list[Row]:
    """A code as text."""
    if not asked.code.strip():
        raise InputError("Type or paste a code first.")
    return [Row(say(asked.language, "typed code"), asked.model.codes.tidied(asked.code))]


def plan_way(asked: Asked) -> list[Row]:
    """The way through the picked pictures."""
    legs = max(1, len(asked.picks) - 1)
    steps = max(1, min(asked.steps, (MOST_FRAMES - 1) // legs))
    codes = asked.model.codes.between([pick.code for pick in asked.picks], steps)
    return [
        Row(say(asked.language, "step {number} of {total}", number=number, total=len(codes)), code)
        for number, code in enumerate(codes, 1)
    ]


def plan_mixture(asked: Asked) -> list[Row]:
    """A mixture of the picked pictures."""
    weights = [pick.weight for pick in asked.picks]
    code = asked.model.codes.mixture([pick.code for pick in asked.picks], weights)
    return [Row(say(asked.language, "mixture of {count}", count=len(asked.picks)), code)]


def plan_sum(asked: Asked) -> list[Row]:
    """Mean of some seeds, plus and minus means of others."""
    labels = ("Start from", "Add", "Take away")
    base, plus, minus = map(seeds_of, labels, asked.seeds)
    code = asked.model.codes.sum(base, plus, minus, asked.limit)
    words = [" ".join(map(str, base))]
    words += [f"+ {' '.join(map(str, plus))}"] if plus else []
    words += [f"− {' '.join(map(str, minus))}"] if minus else []
    return [Row(" ".join(words), code)]


def seeds_of(label: str, text: str) -> list[int]:
    """Seeds with spaces or commas between them; raises InputError where one is none."""
    found = []
    for word in text.replace(",", " ").replace("，", " ").split():
        if not (word.isascii() and word.isdecimal() and len(word) <= 10 and int(word) < 2**31):
            raise InputError(
                "{label}: “{word}” is not a seed. Seeds are whole numbers from 0 on.",
                label=label,
                word=word[:40],
            )
        found.append(int(word))
    return found[:16]


# ---- the tab


def build(site: Site) -> None:
    """Lay the tab out and connect it, where a method with codes has a checkpoint."""
    tab = ExploreTab(site)
    if tab.models():
        tab.build()
    else:
        site.others = tuple(name for name in site.others if name != NAME)


class ExploreTab:
    """The tab.

    Args:
        site: What the tabs share.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    def models(self) -> list[Model]:
        """The checkpoints that have codes, now."""
        found = []
        usual = {"size": 512 if self.site.runtime.on_gpu else 256}
        for name, method in METHODS.items():
            if not issubclass(method, Coded):
                continue
            plain = form_for(method)
            defaults = usual if "content" in plain.by_name else {}
            plain = plain.with_defaults(**defaults, samples=6 if "content" in plain.by_name else 16)
            for listed in self.site.runtime.checkpoints(name):
                # Its config may be somebody else's, of another form.
                with suppress(TypeError, ValueError, AttributeError):
                    config = method.Config(**listed.config)
                    form = plain.with_offers(method.offers(config))
                    codes = Codes(int(config.code_size))
                    found.append(Model(listed.repo_id, method, form, codes))
        return found

    # ---- layout

    def build(self) -> None:
        """Lay the tab out and connect its events."""
        models = self.models()
        self.usual = models[0]
        with gr.Tab(t("Explore"), id=NAME, elem_id=f"tab-{NAME}"):
            gr.HTML(
                value="",
                name="Explore",
                caption="A style code decides which of many possible pictures you get. Draw some, "
                "pick those you like, and walk from one to the next, mix them, or keep a code as "
                "text.",
                html_template="""<div class="sz-about"><h2 class="sz-unseen">${sz.t(name)}</h2>
                  <p>${sz.t(caption)}</p></div>""",
                js_on_load="",
            )
            with gr.Row(equal_height=False, elem_classes="sz-work"):
                with gr.Column(scale=4, min_width=300):
                    self._build_inputs(models)
                with gr.Column(
                    scale=6, min_width=300, elem_classes="sz-result", elem_id=f"{NAME}-result"
                ):
                    self._build_result()
        self._wire()

    def _build_inputs(self, models: Sequence[Model]) -> None:
        choices = self._choices(models)
        self.checkpoint = Dropdown(
            choices,
            value=choices[0][1],
            label=t("Checkpoint"),
            visible=len(choices) > 1,
            elem_id=f"{NAME}-checkpoint",
        )
        with gr.Column(visible=self.usual.takes_photo, elem_classes="sz-plain") as self.photo_area:
            self.photo = photo.lay_out(NAME, 260)
        self.entries = self._build_controls(models)
        with gr.Column(elem_classes="sz-run-bar", elem_id=f"{NAME}-run-bar"):
            self.note = gr.HTML("", elem_classes="sz-quiet", elem_id=f"{NAME}-note")
            with gr.Row():
                self.go = gr.Button(
                    t("Draw samples"), variant="primary", elem_id=f"{NAME}-go", min_width=100
                )
                self.stop = gr.Button(
                    t("Stop"), variant="stop", visible=False, elem_id=f"{NAME}-stop", min_width=100
                )
        with gr.Accordion(
            t("Style of a picture"), open=False, visible=self.usual.takes_photo,
            elem_id=f"{NAME}-style-area",
        ) as self.style_area:  # fmt: skip
            self.style = picture_box("Style picture", f"{NAME}-style", photo=False, height=180)
            self.take = gr.Button(t("Take its style"), elem_id=f"{NAME}-take")
        with gr.Accordion(t("A code as text"), open=False, elem_id=f"{NAME}-code-area"):
            self.code = gr.Textbox(
                label=t("Code"),
                info=t("The numbers of a picture that you kept, with spaces between them."),
                lines=2,
                max_lines=6,
                elem_id=f"{NAME}-code",
            )
            self.type = gr.Button(t("Draw this code"), elem_id=f"{NAME}-type")
        with gr.Accordion(
            t("Arithmetic"), open=False, visible=not self.usual.takes_photo,
            elem_id=f"{NAME}-sum-area",
        ) as self.sum_area:  # fmt: skip
            gr.Markdown(
                t(
                    "What pictures have in common can be added and taken away: the mean of three "
                    "seeds, plus the mean of three others, less that of three more."
                )
            )
            self.seeds = [
                gr.Textbox(
                    label=t(label), info=t("Seeds, with spaces between them."), max_lines=1,
                    elem_id=f"{NAME}-{name}",
                )
                for label, name in (("Start from", "base"), ("Add", "plus"), ("Take away", "minus"))
            ]  # fmt: skip
            with gr.Row():
                self.fills = [
                    gr.Button(t(label), size="sm", min_width=120, elem_id=f"{NAME}-fill-{name}")
                    for label, name in (
                        ("Start from the picked", "base"),
                        ("Add the picked", "plus"),
                        ("Take away the picked", "minus"),
                    )
                ]
            self.add_up = gr.Button(t("Add up"), elem_id=f"{NAME}-add-up")

    def _build_controls(self, models: Sequence[Model]) -> list[Entry]:
        """Controls for the fields of all methods; those of other methods are hidden at first."""
        fields: dict[str, Field] = {}
        for model in models:
            for name in FIELDS:
                if name in model.form.by_name:
                    fields.setdefault(name, model.form.by_name[name])
        with gr.Group(elem_classes="sz-controls"):
            entries = []
            for name in FIELDS:
                if field := fields.get(name):
                    if name == "seed":
                        field = replace(field, description=SEEDS)
                    one = entry(field, NAME)
                    one.components[0].visible = name in self.usual.form.by_name
                    entries.append(one)
        return entries

    def _choices(self, models: Sequence[Model]) -> list[tuple[str, str]]:
        return [
            (f"{one.method.title} · {status.short(one.repo_id)}", one.repo_id) for one in models
        ]

    def _build_result(self) -> None:
        self.empty = parts.empty_result(
            "Your samples appear here. Press Draw samples; the same seed draws the same again."
        )
        self.viewer = gr.HTML(
            value={},
            elem_id=f"{NAME}-viewer",
            elem_classes="sz-plain",
            html_template='<div class="sz-explore"></div>',
            js_on_load=f"const given = {json.dumps({'id': NAME, 'most': MOST_PICKED})};\n"
            + SCRIPT.read_text("utf-8"),
        )
        self.status = gr.HTML("", elem_classes="sz-status sz-quiet", elem_id=f"{NAME}-status")
        with gr.Column(visible=False, elem_id=f"{NAME}-actions") as self.actions:
            self.steps = Slider(
                2, 24, value=8, step=1, label=t("Steps"),
                info=t("From one picked picture to the next."), elem_id=f"{NAME}-steps",
            )  # fmt: skip
            with gr.Row():
                self.walk = gr.Button(
                    t("Walk between the picked"), elem_id=f"{NAME}-walk", min_width=140
                )
                self.mix = gr.Button(t("Mix the picked"), elem_id=f"{NAME}-mix", min_width=140)
            with gr.Row(elem_classes="sz-actions"):
                self.link = gr.Button(
                    t("Copy link to these settings"), elem_id=f"{NAME}-link", min_width=140
                )
                self.send = Dropdown(
                    [(t(tab.method.title), tab.name) for tab in self.site.photo_tabs],
                    value=None,
                    label=t("Send to…"),
                    visible=False,
                    elem_id=f"{NAME}-send",
                    min_width=140,
                )
        self.sheet = gr.State(Sheet())

    # ---- events

    @property
    def _values(self) -> list[Any]:
        controls = [one.components[0] for one in self.entries]
        return [self.photo.box, self.style, self.code, self.steps, *self.seeds, *controls]

    @property
    def _buttons(self) -> list[Any]:
        return [self.go, self.take, self.type, self.add_up, self.walk, self.mix]

    def _wire(self) -> None:
        site = self.site
        page = gr.context.Context.root_block
        assert page is not None  # noqa: S101 - a tab is built inside a page
        drawn = [
            *self._buttons, self.stop, self.note, self.status, self.empty, self.viewer,
            self.sheet, self.actions, self.send, site.last_photo,
        ]  # fmt: skip
        plans: list[tuple[Any, Plan, Any, str]] = [
            (self.go, plan_samples, self.note, "samples"),
            (self.take, plan_style, self.note, "more"),
            (self.type, plan_code, self.note, "more"),
            (self.add_up, plan_sum, self.note, "more"),
            (self.walk, plan_way, self.status, "way"),
            (self.mix, plan_mixture, self.status, "more"),
        ]
        for button, plan, where, place in plans:
            button.click(
                self.runs(plan, where, place),
                [self.sheet, self.viewer, self.checkpoint, *self._values],
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
            self.actions, self.status, self.note, *(one.components[0] for one in self.entries),
        ]  # fmt: skip
        # A visitor's choice only: what a link sets comes with settings of its own.
        self.checkpoint.input(self.adapt, self.checkpoint, changed, **GLUE)
        page.load(
            self.arrive,
            None,
            [
                self.photo_area, self.style_area, self.sum_area, self.checkpoint, self.code,
                *(one.components[0] for one in self.entries),
            ],
            **GLUE,
        )  # fmt: skip
        self.photo.wire(site.last_photo)
        self.style.upload(check_upload, self.style, self.style, preprocess=False, **TELLING)
        for fill, box in zip(self.fills, self.seeds, strict=True):
            fill.click(self.fill, self.viewer, box, **TELLING)
        self.send.input(
            self.send_on,
            [self.send, self.sheet, self.viewer],
            [site.bar, self.send, *(tab.photo for tab in site.photo_tabs)],
            **GLUE,
        )
        linked = [self.checkpoint, self.code, *(one.components[0] for one in self.entries)]
        names = ["checkpoint", "code", *(one.field.name for one in self.entries)]
        words = json.dumps([NAME, names, [one.value for one in linked]])
        script = f"(...values) => sz.copyLink({words}, values)"
        self.link.click(None, linked, None, js=script, **GLUE)

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
            yield {button: gr.Button(interactive=False) for button in self._buttons} | {
                self.go: gr.Button(say(language, "Working…"), interactive=False),
                self.stop: gr.Button(visible=True),
                self.note: "",
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
                yield idle | {self.status: "", where: status.alert(unexpected(language))}
            finally:
                job.stop()
                if site.running.get(key) is job:
                    del site.running[key]

        return run

    def _idle(self, language: str) -> Updates:
        free: Updates = {button: gr.Button(interactive=True) for button in self._buttons}
        return free | {
            self.go: gr.Button(say(language, "Draw samples"), interactive=True),
            self.stop: gr.Button(visible=False),
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
        large_enough = min(current.width, current.height) >= LEAST_TO_SEND
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
            self.send: gr.Dropdown(visible=large_enough and bool(self.site.photo_tabs)),
        }

    def halt(self, request: gr.Request) -> None:
        """Stop this visitor's job in this tab."""
        if job := self.site.running.get((request.session_hash, NAME)):
            job.stop()

    def adapt(self, repo_id: str, request: gr.Request) -> Updates:
        """Another checkpoint was chosen: offer what it knows; codes of others mean nothing here."""
        model = self.model(repo_id)
        updates: Updates = {
            self.sheet: Sheet(),
            self.viewer: gr.HTML(value={}, samples=[], way=[], animations=[], current=""),
            self.empty: gr.HTML(visible=True),
            self.actions: gr.Column(visible=False),
            self.status: "",
            self.note: "",
        }
        return updates | self._controls(model, spoken(request))

    def _controls(self, model: Model, language: str) -> Updates:
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
        models = self.models()
        if not models:
            return {self.checkpoint: gr.skip()}
        choices = self._choices(models)
        asked = dict(request.query_params)
        if asked.pop("tab", None) != NAME:
            asked = {}
        model = next((one for one in models if one.repo_id == asked.get("checkpoint")), models[0])
        updates = self._controls(model, spoken(request))
        usable = settings_from(model.form, asked)
        for one in self.entries:
            if one.field.name in usable:
                updates[one.components[0]]["value"] = one.show(usable[one.field.name])[0]
        return updates | {
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

    def send_on(self, target: str, sheet: Sheet, viewer: Any) -> Updates:
        """Use the picture that is shown as another tab's photo."""
        shown = sheet.find(viewer.get("current") if isinstance(viewer, dict) else None)
        for tab in self.site.photo_tabs:
            if tab.name == target and shown and Path(shown.path).is_file():
                return {
                    self.site.bar: gr.Tabs(selected=tab.name),
                    tab.photo: shown.path,
                    self.send: None,
                }
        return {self.send: None}

    # ---- values

    def model(self, repo_id: object) -> Model:
        """The checkpoint of that name; raises InputError where there is none."""
        for one in self.models():
            if one.repo_id == repo_id:
                return one
        raise InputError("There is no checkpoint “{repo_id}”.", repo_id=str(repo_id)[:80])

    def read(self, language: str, viewer: Any, repo_id: object, values: Sequence[Any]) -> Asked:
        """What the page says; raises InputError for what cannot be used."""
        photo, style, code, steps, base, plus, minus, *controls = values
        model = self.model(repo_id)
        settings = {
            one.field.name: value
            for one, value in zip(self.entries, controls, strict=True)
            if one.field.name in model.form.by_name
        }
        if model.takes_photo:
            if not photo:
                raise InputError("Add a photo first.")
            settings["content"] = photo
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


def picks_of(viewer: Any) -> list[Pick]:
    """The picked pictures out of the viewer's value; what makes no sense is left out.

    Their codes are read later, by whoever uses them.
    """
    given = viewer.get("picked") if isinstance(viewer, dict) else None
    found = []
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("code"), str):
            continue
        seed, weight = one.get("seed"), one.get("weight")
        found.append(
            Pick(
                label=str(one.get("label", ""))[:80],
                code=one["code"],
                seed=seed if type(seed) is int and 0 <= seed < 2**32 else None,
                weight=float(weight) if isinstance(weight, int | float) else 1.0,
            )
        )
    return found[:MOST_PICKED]


def placed(sheet: Sheet, place: str, drawn: Sequence[Drawing]) -> Sheet:
    """The sheet with what was drawn in its place."""
    match place:
        case "samples":
            return replace(sheet, samples=tuple(drawn))
        case "more":
            return replace(sheet, samples=(*sheet.samples, *drawn))
    return replace(sheet, way=tuple(drawn), animations=())


def keep(progress: Progress, row: Row) -> Drawing:
    """Save a finished picture."""
    result = save(replace(progress, content=None), "", {})
    settings = result.record["settings"]
    width, height = result.record["width"], result.record["height"]
    path = result.files[0]
    return Drawing(
        key=uuid.uuid4().hex,
        label=row.label,
        code=settings["code"],
        seed=row.seed,
        path=path,
        # A small picture is its own thumbnail, and sharper so.
        thumbnail=result.thumbnail if max(width, height) > ANIMATED_AT else path,
        width=width,
        height=height,
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


def animate(paths: Sequence[str], record: str) -> tuple[str, str]:
    """Write the pictures there and back as animated WebP and GIF, beside the first one.

    Args:
        paths: Of the pictures, all of one size.
        record: How the last of them was made, kept inside.
    """
    frames = []
    for path in paths:
        with Image.open(path) as picture:
            frame = picture.convert("RGB")
        scale = ANIMATED_AT // max(frame.size)
        if scale > 1:  # as it is drawn on the page
            size = (scale * frame.width, scale * frame.height)
            frame = frame.resize(size, Image.Resampling.NEAREST)
        frames.append(frame)
    pauses = [PAUSE, *[FRAME] * (len(frames) - 2), PAUSE, *[FRAME] * (len(frames) - 2)]
    loop = frames + frames[-2:0:-1]
    exif = Image.Exif()
    exif[0x010E] = record  # ImageDescription
    extra: dict[str, dict[str, Any]] = {
        ".webp": {"quality": 88, "method": 2, "exif": exif},
        ".gif": {"comment": record.encode()},
    }
    made = []
    for suffix, words in extra.items():
        target = Path(paths[0]).with_suffix(suffix)
        loop[0].save(
            target, save_all=True, append_images=loop[1:], duration=pauses, loop=0, **words
        )
        made.append(str(target))
    return made[0], made[1]


def served(path: str) -> str:
    """Address of a result, relative to the page."""
    return f"gradio_api/file={path}"
