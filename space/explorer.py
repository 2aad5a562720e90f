"""The layout of the Explore tab: its components, not yet connected."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from space import parts, photo, status
from space.components import Dropdown, Slider
from space.controls import Entry, entry
from space.pictures import PAINTINGS, picture_box
from space.plans import MOST_PICKED, Model
from space.sheet import Sheet
from space.site import Site
from space.words import t
from zoo.form import Field

NAME = "explore"
SCRIPT = Path(__file__).parent / "static" / "explore.js"
FIELDS = ("direction", "samples", "seed", "truncation", "size", "strength")  # on the page, so


def choices_of(models: Sequence[Model]) -> list[tuple[str, str]]:
    """Checkpoints as the choices of a list."""
    return [(f"{one.method.title} · {status.short(one.repo_id)}", one.repo_id) for one in models]


class Explorer:
    """The components.

    Args:
        site: What the tabs share.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    def lay_out(self, models: Sequence[Model]) -> None:
        """Lay the tab out; the first of the ``models`` is chosen."""
        self.usual = models[0]
        with gr.Tab(t("Explore"), id=NAME, elem_id=f"tab-{NAME}"):
            parts.opening(
                "Explore",
                caption="A style code decides which of many possible pictures you get. Draw some, "
                "pick those you like, and walk from one to the next, mix them, or keep a code as "
                "text.",
            )
            with gr.Row(equal_height=False, elem_classes="sz-work"):
                with gr.Column(scale=4, min_width=300):
                    self._build_inputs(models)
                with gr.Column(
                    scale=6, min_width=300, elem_classes="sz-result", elem_id=f"{NAME}-result"
                ):
                    self._build_result()

    def _build_inputs(self, models: Sequence[Model]) -> None:
        choices = choices_of(models)
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
        self.note, self.go, self.stop = parts.run_bar("Draw samples", NAME)
        with gr.Accordion(
            t("Style of a picture"), open=False, visible=self.usual.takes_photo,
            elem_id=f"{NAME}-style-area",
        ) as self.style_area:  # fmt: skip
            self.style = picture_box("Style picture", f"{NAME}-style", photo=False, height=180)
            self.paintings = parts.photo_strip(PAINTINGS, f"{NAME}-paintings")
            self.style_note = self._note("style")
            self.take = gr.Button(t("Take its style"), elem_id=f"{NAME}-take")
        with gr.Accordion(t("A code as text"), open=False, elem_id=f"{NAME}-code-area"):
            self.code = gr.Textbox(
                label=t("Code"),
                info=t("The numbers of a picture that you kept, with spaces between them."),
                lines=2,
                max_lines=6,
                elem_id=f"{NAME}-code",
            )
            self.code_note = self._note("code")
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
            self.sum_note = self._note("sum")
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
                    one = entry(field, NAME)
                    one.components[0].visible = name in self.usual.form.by_name
                    entries.append(one)
        return entries

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

    @staticmethod
    def _note(place: str) -> gr.HTML:
        return gr.HTML("", elem_classes="sz-quiet", elem_id=f"{NAME}-{place}-note")

    @property
    def notes(self) -> list[Any]:
        """Where each press of a button is told what it lacks."""
        return [self.note, self.style_note, self.code_note, self.sum_note]

    @property
    def controls(self) -> list[Any]:
        """The controls of the form's fields."""
        return [one.components[0] for one in self.entries]

    @property
    def values(self) -> list[Any]:
        """Everything that says what to draw, the checkpoint and the picks apart."""
        return [self.photo.box, self.style, self.code, self.steps, *self.seeds, *self.controls]

    @property
    def buttons(self) -> list[Any]:
        """Those that start work."""
        return [self.go, self.take, self.type, self.add_up, self.walk, self.mix]
