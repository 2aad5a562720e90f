"""Gradio's components, handing on what the browser sent: the form checks it, with words of its own.

Gradio's checks speak English only, put a traceback into the log, and cover the result with the
word "Error". Its picture box decodes before anybody can say what is wrong with a file.
"""

import base64
import io
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import component_meta
from gradio.components.api_component import Api
from gradio.data_classes import FileData, ImageData
from PIL import Image

PREVIEW = 640  # pixels of the longer side of a picture that is not finished


def within_address(picture: Image.Image, longest: int) -> str:
    """A JPEG as data address, its longer side at most so many pixels."""
    small = picture.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


# Gradio writes a stub file beside the source of every subclass; not beside ours.
_writing_stubs = component_meta.create_or_modify_pyi
component_meta.create_or_modify_pyi = lambda *_: None


# `is_template` makes Gradio serve the stock front end. No subclass has an `__init__` of its own,
# for Gradio builds the configuration of the browser from that signature.
class SafeImage(gr.Image):
    """A picture box that hands on the path of the file; only :mod:`zoo.images` opens pictures."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The path of the upload; a camera's picture may come as data instead."""
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            return super().preprocess(payload)
        return payload.path


class Camera(gr.Image):
    """A camera whose frames are handed on as they came; only :mod:`zoo.images` opens them."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The bytes of a frame, or the path of its file."""
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            return base64.b64decode(payload.url.partition(",")[2])
        return payload.path


class Video(gr.Video):
    """A video box that hands on the path of the file; only :mod:`zoo.video` opens videos.

    Gradio would start FFmpeg's programs, where they are there, to look at every result.
    """

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The path of the upload."""
        return payload and payload.path

    def postprocess(self, value: Any) -> Any:
        """The file, which browsers play as it is."""
        return value and FileData(path=str(value), orig_name=Path(value).name)


class Preview(gr.Image):
    """A picture box whose pictures come inside the message; given as paths, they stay files.

    A browser drops what it is loading when it is told of another file. Where loading takes longer
    than the next preview, it would never show any.
    """

    is_template = True

    def postprocess(self, value: Any) -> Any:
        """A small JPEG inside its own address, or the file."""
        if isinstance(value, Image.Image):
            return ImageData(url=within_address(value, PREVIEW))
        return super().postprocess(value)


class Slider(gr.Slider):
    """A slider whose number box may hold anything."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as sent."""
        return payload


class Number(gr.Number):
    """A number box that may hold anything."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as sent."""
        return payload


class Radio(gr.Radio):
    """Radio buttons whose value may be anything."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as sent."""
        return payload


class Dropdown(gr.Dropdown):
    """A dropdown whose value may be anything."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as sent."""
        return payload


class CheckboxGroup(gr.CheckboxGroup):
    """Checkboxes whose value may be anything."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as sent."""
        return payload


class Given(Api):
    """One typed value of an endpoint; nothing of it is drawn.

    Args:
        value: The default.
        schema: Its type as JSON schema.
        label: What it is called.
        example: A value to show in the documentation.
    """

    def __init__(self, value: Any, schema: dict[str, Any], label: str, example: Any) -> None:
        self._example = example
        super().__init__(value, schema, label)

    def get_block_name(self) -> str:
        """Gradio's name for what it does not draw."""
        return "api"

    def example_payload(self) -> Any:
        """A value to show in the documentation."""
        return self._example

    def example_value(self) -> Any:
        """A value to show in the documentation."""
        return self._example


component_meta.create_or_modify_pyi = _writing_stubs
