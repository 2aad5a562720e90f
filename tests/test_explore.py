"""Codes out of codes, and a picture of each."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from PIL import Image

from zoo.errors import InputError
from zoo.explore import Codes, draw
from zoo.method import Direction
from zoo.methods.dcgan import DCGAN, DCGANConfig
from zoo.methods.drit import DRIT, DRITConfig
from zoo.methods.munit import MUNIT, MUNITConfig
from zoo.pipeline import Pipeline

CODES = Codes(8)


@pytest.fixture(autouse=True)
def _own_weights() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def test_the_code_of_a_seed_does_not_depend_on_its_company() -> None:
    assert CODES.of_seeds(3, 4)[2] == CODES.of_seeds(5, 1)[0]
    assert CODES.of_seeds(3, 1) != CODES.of_seeds(4, 1)
    assert max(map(abs, numbers(Codes(100).of_seeds(3, 1, 0.5)[0]))) <= 0.5


def test_a_way_leads_through_all_that_were_picked() -> None:
    stops = CODES.of_seeds(0, 3)
    way = CODES.between(stops, 4)
    assert len(way) == 9
    assert [way[0], way[4], way[8]] == stops
    assert len(set(way)) == 9
    with pytest.raises(InputError, match="Pick two pictures"):
        CODES.between(stops[:1], 4)


def test_a_mixture_heeds_its_weights() -> None:
    first, second = CODES.of_seeds(0, 2)
    assert CODES.mixture([first, second], [2, 0]) == first
    assert CODES.mixture([first, second], [1, 1]) == CODES.mixture([first, second], [50, 50])
    assert CODES.mixture([first, second], [1, 1]) != CODES.mixture([first, second], [1, 2])
    for weights in ([0, 0], [1, -1], [math.inf, 1], [math.nan, 1]):
        with pytest.raises(InputError, match="weight above 0"):
            CODES.mixture([first, second], weights)
    with pytest.raises(InputError, match="there are 1 for 2 codes"):
        CODES.mixture([first, second], [1])


def test_means_of_seeds_add_up() -> None:
    every = numbers(CODES.sum([1, 2, 3], [4, 5, 6], [7, 8, 9]))
    assert every != numbers(CODES.sum([1, 2, 3], [4, 5, 6], []))
    assert numbers(CODES.sum([1], [2], [2])) == pytest.approx(
        numbers(CODES.sum([1], [3], [3])), abs=0.011
    )
    assert sum(value**2 for value in every) == pytest.approx(8, abs=0.2)
    for base, plus in (([], [1]), ([1], [])):
        with pytest.raises(InputError, match="seeds to start from"):
            CODES.sum(base, plus, [])


def test_a_code_that_is_none_is_refused() -> None:
    assert CODES.tidied("1,2;3 4 5 6 7 8.001") == "1 2 3 4 5 6 7 8"
    with pytest.raises(InputError, match="these are 2 numbers"):
        CODES.tidied("1 2")
    with pytest.raises(InputError, match="“blue” is not a number"):
        CODES.between(["blue", "1"], 3)


@pytest.mark.parametrize("kind", [MUNIT, DRIT])
def test_pictures_of_codes_and_of_a_style_have_records_of_their_own(kind: type) -> None:
    method = kind({MUNIT: MUNITConfig, DRIT: DRITConfig}[kind](width=4))
    pipeline = Pipeline(method)
    photo, style = Image.effect_noise((50, 40), 80), Image.effect_noise((64, 64), 80)
    (code,) = CODES.of_seeds(7, 1)
    rows: list[dict[str, Any]] = [{"code": code, "seed": 7}, {"style": style}]
    looks = list(draw(pipeline, rows=rows, content=photo, size=48, direction="BtoA"))
    assert [(look.number, look.total, len(look.made)) for look in looks] == [(1, 2, 1), (2, 2, 2)]
    first, second = looks[-1].made
    assert first.record
    assert second.record
    assert (first.record.settings["code"], first.record.settings["seed"]) == (code, 7)
    assert (first.record.width, first.record.height) == (48, 38)
    assert not torch.equal(first.tensors, second.tensors)
    # What the record says gives the same again, on the method's own.
    for one in (first, second):
        assert one.record
        *_, again = pipeline.stream(content=photo, **one.record.settings)
        assert torch.equal(again.tensors, one.tensors)


@pytest.mark.parametrize("kind", [MUNIT, DRIT])
def test_a_photo_is_encoded_once_and_the_results_are_those_of_single_runs(
    kind: type[MUNIT] | type[DRIT], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    encode = kind.encoded

    def counted(self: Any, content: torch.Tensor, direction: Direction) -> torch.Tensor:
        encoded.append(direction)
        return encode(self, content, direction)

    monkeypatch.setattr(kind, "encoded", counted)
    method = MUNIT(MUNITConfig(width=4)) if kind is MUNIT else DRIT(DRITConfig(width=4))
    pipeline = Pipeline(method)
    photo = Image.effect_noise((50, 40), 80).convert("RGB")
    rows = [{"code": code} for code in CODES.of_seeds(3, 3)]
    for _ in draw(pipeline, rows=rows, content=photo, size=48):
        break  # stopped between two
    assert encoded == ["AtoB"]
    *_, last = draw(pipeline, rows=rows, content=photo, size=48)
    assert encoded == ["AtoB"] * 2
    for row, made in zip(rows, last.made, strict=True):
        *_, alone = pipeline.stream(content=photo, size=48, samples=1, **row)
        assert torch.equal(made.tensors, alone.tensors)
    assert encoded == ["AtoB"] * 5  # the pipeline itself remembers nothing


def test_another_photo_or_direction_is_encoded_anew() -> None:
    method = MUNIT(MUNITConfig(width=4)).eval()
    twin = method.remembering()
    first, second = torch.rand(2, 1, 3, 32, 32)
    code = CODES.of_seeds(0, 1)[0]
    with torch.no_grad():
        turns: list[tuple[torch.Tensor, Direction]]
        turns = [(first, "AtoB"), (second, "AtoB"), (second, "BtoA"), (first, "AtoB")]
        for photo, way in turns:
            for _ in range(2):
                made = twin.render(photo, twin.code_from_text(code), way)
                again = method.render(photo, method.code_from_text(code), way)
                assert torch.equal(made, again)


def test_without_a_photo_there_is_no_style_picture_either() -> None:
    pipeline = Pipeline(DCGAN(DCGANConfig(width=2, size=16)))
    codes = Codes(100).of_seeds(0, 2)
    *_, last = draw(pipeline, rows=[{"code": code} for code in codes])
    assert [one.tensors.shape for one in last.made] == [(1, 3, 16, 16)] * 2
    with pytest.raises(InputError, match="cannot take its code from a picture"):
        list(draw(pipeline, rows=[{"style": Image.effect_noise((64, 64), 80)}]))
