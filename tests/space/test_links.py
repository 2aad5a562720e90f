"""Settings that travel in links and files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from space.links import record_in, settings_from
from zoo.methods.gatys import Gatys
from zoo.methods.munit import MUNIT
from zoo.pipeline import form_for

FORM = form_for(Gatys)


@pytest.mark.parametrize(
    ("given", "usable"),
    [
        ({"steps": "120", "seed": 7}, {"steps": 120, "seed": 7}),
        ({"steps": "-5", "size": 10**9}, {"steps": 10, "size": 2048}),
        (
            {"style_scale": "0.5", "content_weight": "-1"},
            {"style_scale": 0.5, "content_weight": 0.0},
        ),
        ({"colors": "match", "start": "elsewhere"}, {"colors": "match"}),
        ({"coarse_to_fine": "false"}, {"coarse_to_fine": False}),
        ({"coarse_to_fine": False}, {"coarse_to_fine": False}),
        ({"style_weights": "2,1"}, {"style_weights": [2.0, 1.0]}),
        ({"style_weights": [0.5] * 99}, {"style_weights": [0.5] * 16}),
        ({"style": "turner-venice"}, {"style": "turner-venice"}),
        ({"style": ""}, {}),  # Gatys cannot do without
        ({"style": "/etc/passwd", "content": "photo.jpg", "more_styles": ["a"]}, {}),
        ({"seed": "nan", "steps": "inf", "size": "", "style_weight": None}, {}),
        ({"__class__": 1, "method": "x", "lang": "en"}, {}),
        ({"seed": [1], "steps": {}, "colors": ["style"], "coarse_to_fine": "2"}, {}),
    ],
)
def test_only_what_fits_the_form_comes_through(
    given: Mapping[str, Any], usable: dict[str, Any]
) -> None:
    assert settings_from(FORM, given) == usable


def test_a_style_picture_that_is_optional_can_be_taken_away() -> None:
    assert settings_from(form_for(MUNIT), {"style": "", "content": ""}) == {"style": ""}


def test_what_comes_through_passes_the_form() -> None:
    wild = {field.name: "-1e12" for field in FORM}
    usable = settings_from(FORM, wild)
    picture = {"content": "a.jpg", "style": "b.jpg"}
    usable.pop("style_weights")  # any numbers are valid here; the method checks their count
    assert FORM.check(usable | picture)["steps"] == 10


def png_with(path: Path, parameters: str | None) -> Path:
    words = PngImagePlugin.PngInfo()
    if parameters is not None:
        words.add_itxt("parameters", parameters)
    Image.new("RGB", (20, 20)).save(path, pnginfo=words)
    return path


RECORD = {"method": "gatys", "checkpoint": "zoo/gatys", "settings": {"steps": 10}}


def test_a_record_is_found_in_our_pictures_only(tmp_path: Path) -> None:
    assert record_in(png_with(tmp_path / "a.png", json.dumps(RECORD))) == RECORD
    for foreign in (None, "Steps: 20, Sampler: Euler", "[1]", '{"method": "gatys"}', "{"):
        assert record_in(png_with(tmp_path / "b.png", foreign)) is None
    assert record_in(tmp_path / "missing.png") is None
    (tmp_path / "text.png").write_text("no picture")
    assert record_in(tmp_path / "text.png") is None
