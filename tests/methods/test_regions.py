"""What methods that work by region promise."""

from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.pictures import halves, photo
from zoo.errors import InputError
from zoo.method import Method
from zoo.methods.adain import AdaIN, AdaINConfig
from zoo.methods.fast_photo_style import FastPhotoStyle
from zoo.methods.gatys import Gatys, GatysConfig
from zoo.pipeline import Pipeline, Progress

QUICK: dict[type[Method], dict[str, Any]] = {
    Gatys: {"steps": 10},
    AdaIN: {},
    FastPhotoStyle: {"smoothing": "none"},
}


@pytest.fixture(scope="module", params=QUICK, ids=[method.name for method in QUICK])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    torch.manual_seed(0)
    configs = {Gatys: GatysConfig(), AdaIN: AdaINConfig(width=4)}
    made = Pipeline(request.param(*(configs[m] for m in configs if m is request.param)))
    return made


def first_look(pipeline: Pipeline, given: dict[str, Any], **maps: Image.Image) -> Progress:
    return next(pipeline.stream(**given, **maps))


@pytest.fixture
def given(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "content": photo(48, 48),
        "style": photo(48, 48, seed=2),
        "size": 48,
        **QUICK[type(pipeline.method)],
    }


def test_one_region_everywhere_is_as_none(pipeline: Pipeline, given: dict[str, Any]) -> None:
    blank = Image.new("RGBA", (48, 48))
    plain = first_look(pipeline, given)
    marked = first_look(pipeline, given, content_regions=blank, style_regions=blank)
    assert torch.equal(plain.tensors, marked.tensors)


def test_only_one_map_is_refused_by_name(pipeline: Pipeline, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"Regions of the style: .* take away Regions of the phot"):
        pipeline(**given, content_regions=halves("red", "blue"))
    with pytest.raises(InputError, match="Regions of the photo"):
        pipeline(**given, style_regions=halves("red", "blue"))


def test_a_map_of_another_shape_is_refused(pipeline: Pipeline, given: dict[str, Any]) -> None:
    given["style"] = photo(96, 48, seed=2)
    square, wide = halves("red", "blue"), halves("red", "blue", 192, 96)
    with pytest.raises(InputError, match="Regions of the style: the map is 48×48"):
        pipeline(**given, content_regions=square, style_regions=square)
    first_look(pipeline, given, content_regions=square, style_regions=wide)  # of another size


def test_a_region_that_only_one_map_has_is_told(pipeline: Pipeline, given: dict[str, Any]) -> None:
    orange, blue, white = "#e69f00", "#0072b2", "white"
    maps = {"content_regions": halves(orange, white), "style_regions": halves(blue, white)}
    look = first_look(pipeline, given, **maps)
    assert [str(notice) for notice in look.notices] == [
        "Regions of the style: “Orange” is missing, so its place in the photo took after the "
        "whole style picture.",
        "Regions of the photo: “Blue” is missing, so it was not used.",
    ]


def test_labels_lie_where_they_were_painted_on_a_photo_that_is_padded(
    pipeline: Pipeline, given: dict[str, Any]
) -> None:
    board = Image.new("RGB", (130, 98), "red")
    board.paste("blue", (60, 40, 130, 98))
    seen: list[dict[str, Any]] = []
    hook = pipeline.method.register_forward_pre_hook(
        lambda _, args, options: seen.append(options), with_kwargs=True
    )
    given |= {"content": photo(65, 49), "style": photo(), "size": 65}
    look = first_look(pipeline, given, content_regions=board, style_regions=board)
    hook.remove()
    found, padded = seen[0]["content_regions"], seen[0]["content"]
    found = F.interpolate(found.float(), padded.shape[2:], mode="nearest")
    other = found[0, 0] != found[0, 0, 0, 0]
    assert other[21:49, 31:65].all()
    assert not other[:20].any()
    assert not other[:, :30].any()
    assert look.tensors.shape[2:] == (49, 65)
