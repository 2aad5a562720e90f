"""Regions: what belongs together on two pictures, painted in one colour or uploaded as label maps.

The board is a component of our own rather than Gradio's editor: one palette with names serves both
pictures, a keyboard can paint, and no WebGL is needed.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from space.components import within_address
from space.controls import GLUE, TELLING, Entry
from space.pictures import check_upload, picture_box
from space.words import t
from zoo.errors import InputError
from zoo.form import Field
from zoo.images import open_picture
from zoo.regions import PALETTE

SCRIPT = Path(__file__).parent / "static" / "regions.js"
SHOWN_AT = 720  # pixels of the longer side of a picture on the board
PREFIX = "data:image/png;base64,"
LONGEST = 2 << 20  # characters of a painted map; a board's has some ten thousand


def lay_out(fields: Sequence[Field], prefix: str) -> tuple[gr.HTML, list[Entry]]:
    """The board and the upload boxes for label maps ``fields``, closed at first.

    The board's value has, by field, what was painted: a PNG as data address, or nothing.
    """
    with gr.Accordion(t("Regions"), open=False, elem_id=f"{prefix}-regions"):
        given = {
            "sides": [{"name": field.name, "over": field.over} for field in fields],
            "colors": [
                {"name": name, "code": "#{:02x}{:02x}{:02x}".format(*color)}
                for name, color in PALETTE.items()
            ],
            "id": f"{prefix}-board",
        }
        board = gr.HTML(
            value={},
            elem_id=f"{prefix}-board",
            html_template='<div class="sz-board"></div>',
            js_on_load=f"const given = {json.dumps(given)};\n{SCRIPT.read_text('utf-8')}",
        )
        with gr.Row():
            entries = [entry(field, board, prefix) for field in fields]
    return board, entries


def entry(field: Field, board: gr.HTML, prefix: str) -> Entry:
    """One label map: uploaded, else painted on the board."""
    box = picture_box(field.label, f"{prefix}-{field.name}", photo=False, height=150)
    box.upload(check_upload, box, box, preprocess=False, **TELLING)

    def read(painted: Any, own: str | None) -> str | bytes | None:
        return own or painted_on(field, painted)

    return Entry(field, (board, box), read, lambda _: (gr.skip(), gr.skip()))


def painted_on(field: Field, painted: Any) -> bytes | None:
    """The file that was painted for ``field``, out of a board's value, which is a stranger's text.

    Raises InputError where there is something else.
    """
    address = painted.get(field.name) if isinstance(painted, dict) else None
    if not address:
        return None
    try:
        if not address.startswith(PREFIX) or len(address) > LONGEST:
            raise ValueError("no painted map")
        return base64.b64decode(address[len(PREFIX) :], validate=True)
    except (AttributeError, ValueError, binascii.Error):
        raise InputError("{label}: give a file.", label=field.label) from None


def wire(board: gr.HTML, entries: Mapping[str, Entry]) -> None:
    """Put the pictures onto the board when it is opened; a new picture has no regions yet.

    Args:
        board: From :func:`lay_out`.
        entries: Those of the whole form, by field.
    """
    maps = [one.field for one in entries.values() if one.field.over]
    below = [entries[field.over] for field in maps]

    def show(*values: Any) -> Any:
        left, pictures = list(values), {}
        for field, one in zip(maps, below, strict=True):
            mine, left = left[: len(one.components)], left[len(one.components) :]
            pictures[field.name] = shown(one.read(*mine))
        return gr.HTML(pictures=pictures)

    board.edit(show, [part for one in below for part in one.components], board, **GLUE)
    for field, one in zip(maps, below, strict=True):
        for part in one.components:
            part.change(
                None, board, board, js=f"(painted) => ({{...painted, {field.name}: ''}})", **GLUE
            )


def shown(path: str | None) -> str:
    """A picture as the board shows it, as data address; empty where there is none."""
    if not path:
        return ""
    try:
        picture = open_picture(path).image
    except InputError:  # its own box has said why
        return ""
    return within_address(picture, SHOWN_AT)
