"""The pipeline's own business: sizes, notices, records, memory."""

import io
import json
from collections.abc import Generator
from typing import Annotated

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from pydantic import Field
from torch import Tensor

from tests.pictures import photo
from zoo.errors import DeviceError
from zoo.method import Content, Method, Paper, Style
from zoo.pipeline import Pipeline


class Config:
    """Nothing to say."""


class Look(Method):
    """Remembers what it was given and returns the photo."""

    name = "look"
    title = "Look"
    summary = "Looks."
    paper = Paper("None", "Nobody", 2026, "0000.00000")
    checkpoint = "zoo/look"
    Config = Config
    multiple = 8
    seen: tuple[Content, Style | None, list[Style]]

    def forward(
        self,
        content: Content,
        style: Style | None = None,
        *,
        more: list[Style] = [],  # noqa: B006
        gain: Annotated[float, Field(ge=0, le=2)] = 1.0,
    ) -> Tensor:
        """Return the photo times ``gain``."""
        self.seen = (content, style, more)
        if gain == 2:
            raise torch.OutOfMemoryError
        if gain == 0:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] not enough memory: you tried")
        return content * gain


@pytest.fixture
def look() -> Pipeline:
    return Pipeline(Look(Config()), checkpoint="zoo/look", revision="ab" * 20)


def run(pipeline: Pipeline, **inputs: object) -> object:
    *_, last = pipeline.stream(**inputs)
    return last


def seen(pipeline: Pipeline) -> tuple[Content, Style | None, list[Style]]:
    """What the method was given last."""
    assert isinstance(pipeline.method, Look)
    return pipeline.method.seen


def test_photo_is_padded_for_the_method_and_cropped_for_people(look: Pipeline) -> None:
    (made,) = look(content=photo(65, 49))
    assert seen(look)[0].shape == (1, 3, 56, 72)
    assert made.tobytes() == photo(65, 49).tobytes()


def test_large_photos_are_shrunk_with_a_notice(look: Pipeline) -> None:
    *_, last = look.stream(content=photo(200, 100), size=64)
    assert last.pictures()[0].size == (64, 32)
    before = last.before()
    assert before is not None
    assert before.size == (64, 32)
    (notice,) = last.notices
    assert str(notice).startswith("Your photo is 200×100. We worked at 64×32; choose a larger size")


def test_original_size_is_kept_up_to_the_limit(look: Pipeline) -> None:
    *_, last = look.stream(content=Image.new("RGB", (2500, 1000)), size=0)
    assert last.pictures()[0].size == (2048, 819)
    (notice,) = last.notices
    assert str(notice).endswith("at 2048×819, which is as large as results get.")
    *_, last = look.stream(content=photo(200, 100), size=0)
    assert last.pictures()[0].size == (200, 100)
    assert not last.notices


def test_style_pictures_follow_the_scale(look: Pipeline) -> None:
    run(look, content=photo(128, 96), style=photo(300, 200), style_scale=0.5)
    _, style, more = seen(look)
    assert style is not None
    assert (tuple(style.shape[2:]), more) == ((43, 64), [])
    run(look, content=photo(128, 96), more=[photo(300, 200), photo(30, 30)])
    _, style, more = seen(look)
    assert style is None
    assert [tuple(s.shape[2:]) for s in more] == [(85, 128), (30, 30)]


def test_record_is_in_the_file_and_names_no_picture(look: Pipeline) -> None:
    *_, last = look.stream(content=photo(), gain=0.5, bits="16")
    with Image.open(io.BytesIO(last.png())) as picture:
        assert isinstance(picture, PngImageFile)
        picture.load()
        stored = json.loads(picture.text["parameters"])
    assert stored["checkpoint"] == "zoo/look"
    assert stored["revision"] == "ab" * 20
    assert stored["settings"]["gain"] == 0.5
    assert (stored["width"], stored["height"]) == (65, 49)
    assert not {"content", "style", "more"} & set(stored["settings"])


@pytest.mark.parametrize("gain", [0, 2])
def test_no_memory_is_a_sentence(look: Pipeline, gain: float) -> None:
    with pytest.raises(DeviceError, match="too large for the memory"):
        run(look, content=photo(), gain=gain)


def test_gradients_are_off_for_methods_and_untouched_for_callers(look: Pipeline) -> None:
    stream = look.stream(content=photo())
    assert isinstance(stream, Generator)
    next(stream)
    assert torch.is_grad_enabled()
    stream.close()
