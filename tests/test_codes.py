import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from zoo.codes import Coded, alone, arithmetic, from_text, mix, sample, slerp, to_text, truncated
from zoo.errors import InputError
from zoo.method import Direction
from zoo.methods.drit import DRIT, DRITConfig
from zoo.methods.munit import MUNIT, MUNITConfig

DIRECTIONS: tuple[Direction, ...] = ("AtoB", "BtoA")


def test_a_code_is_that_of_its_seed_whatever_the_count() -> None:
    many = sample(7, 5, 8)
    assert many.shape == (5, 8)
    for i in range(5):
        assert torch.equal(sample(7 + i, 1, 8)[0], many[i])
    assert len({to_text(code) for code in sample(0, 200, 8)}) == 200


def test_one_of_several_results_is_had_alone() -> None:
    method = MUNIT(MUNITConfig(width=4)).eval()
    content, settings = torch.rand(1, 3, 64, 64), {"seed": 5, "samples": 3, "code": ""}
    with torch.no_grad():
        many = method(content, **settings)
        for index, picture in enumerate(many):
            one = alone(settings, index)
            assert one
            assert torch.equal(method(content, **one)[0], picture)
    assert alone({"seed": 5, "samples": 3, "walk_to": -1}, 2) == {
        "seed": 7,
        "samples": 1,
        "walk_to": -1,
    }
    for other in (settings | {"code": "1 2"}, settings | {"walk_to": 9}, {"seed": 5}, {}):
        assert alone(other, 1) is None


def test_codes_are_standard_normal() -> None:
    codes = sample(0, 400, 100)
    assert codes.mean().abs() < 0.02
    assert codes.std() == pytest.approx(1, abs=0.02)
    assert codes.T.corrcoef().fill_diagonal_(0).abs().max() < 0.25


def test_a_code_as_text_is_the_code_itself() -> None:
    for code in sample(3, 20, 8):
        text = to_text(code)
        assert len(text) <= 48
        assert torch.equal(from_text(text, 8)[0], code)
    assert to_text(torch.tensor([1.0, 0.0, -0.001, 0.5, -10.0, 0.25])) == "1 0 0 0.5 -10 0.25"
    expected = torch.tensor([[1.0, -2.5, 0.03]])
    for text in ("1 -2.5 .03", " 1,-2.5,\n0.034 ", "1; -2.5; 3e-2"):
        assert torch.equal(from_text(text, 3), expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3", "these are 3 numbers, and a code of this method has 8"),
        ("", "these are 0 numbers"),
        ("1 2 3 4 5 6 7 8 9", "these are 9 numbers"),
        ("1 2 3 4 5 6 7 cat", "“cat” is not a number"),
        ("1 2 3 4 5 6 7 nan", "“nan” is not a number"),
        ("1 2 3 4 5 6 7 1e9", "“1e9” is not a number from -99 to 99"),
        ("1 2 3 4 5 6 7 -inf", "“-inf” is not a number"),
    ],
)
def test_wrong_text_is_explained(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_text(text, 8)


def test_slerp_turns_evenly_and_ends_exactly() -> None:
    start, end = sample(1, 2, 8)
    way = slerp(start, end, [0, 0.25, 0.5, 0.75, 1])
    assert torch.equal(way[0], start)
    assert torch.equal(way[-1], end)
    units = torch.nn.functional.normalize(way)
    turns = [math.acos(float(a @ b)) for a, b in pairwise(units)]
    assert turns == pytest.approx([turns[0]] * 4, abs=1e-3)
    lengths = way.norm(dim=1)
    torch.testing.assert_close(lengths[2], (lengths[0] + lengths[4]) / 2)
    # A straight line would pass through the hollow middle.
    assert lengths[2] > 1.2 * ((start + end) / 2).norm()


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_slerp_between_parallel_codes_is_a_line(factor: float) -> None:
    (start,) = sample(1, 1, 8)
    way = slerp(start, factor * start, [0, 0.5, 1])
    assert way.isfinite().all()
    torch.testing.assert_close(way[1], (1 + factor) / 2 * start)
    assert slerp(torch.zeros(8), start, [0.5]).isfinite().all()


def test_mixtures_are_as_long_as_codes() -> None:
    codes = sample(5, 3, 100)
    torch.testing.assert_close(mix(codes, [0, 1, 0])[0], codes[1])
    torch.testing.assert_close(mix(codes[:2], [0.5, 0.5]), slerp(codes[0], codes[1], [0.5]))
    mixed = mix(codes, [0.5, 0.3, 0.2])
    assert mixed.norm() == pytest.approx(10, abs=1)
    assert codes.mean(0).norm() < 7


def test_arithmetic_adds_and_takes_away() -> None:
    base, plus, minus = sample(0, 9, 100).split(3)
    found = arithmetic(base, plus, minus)
    expected = base.mean(0) + plus.mean(0) - minus.mean(0)
    assert found.norm() == pytest.approx(10)
    assert torch.cosine_similarity(found, expected[None]) == pytest.approx(1)


def test_truncation_keeps_order_and_bounds() -> None:
    codes = sample(0, 50, 100)
    near, far = truncated(codes, 0.5), truncated(codes, 3.9)
    assert near.abs().max() <= 0.5
    assert near.std() == pytest.approx(0.28, abs=0.01)  # nearly uniform
    assert torch.equal(near.flatten().argsort(stable=True), codes.flatten().argsort(stable=True))
    torch.testing.assert_close(far, codes, atol=0.05, rtol=0)
    assert truncated(torch.tensor([[-9.0, 9.0]]), 1.0).isfinite().all()


def test_a_coded_method_speaks_of_its_own_codes() -> None:
    class Eight(Coded):
        code_size = 8

    method = Eight()
    codes = method.codes(3, 2)
    assert codes.shape == (2, 8)
    assert torch.equal(method.code_from_text(method.text_from_code(codes[1])), codes[1:])
    with pytest.raises(InputError, match="has 8"):
        method.code_from_text("1 2")
    with pytest.raises(InputError, match="from a picture"):
        method.code_of(torch.rand(1, 3, 8, 8))


def last_layers(method: MUNIT | DRIT) -> list[nn.Conv2d]:
    """The layers that make the pictures of A and of B."""
    networks = [getattr(network, "generator", network) for network in method.networks.values()]
    found = [network.get_submodule("last") for network in networks]
    return [last for last in found if isinstance(last, nn.Conv2d)]


@pytest.mark.parametrize(
    "method", [MUNIT(MUNITConfig(width=4, skip=True)), DRIT(DRITConfig(width=4, skip=True))]
)
@torch.no_grad()
def test_with_a_skip_no_change_is_the_photo_and_codes_change_it(method: MUNIT | DRIT) -> None:
    torch.manual_seed(0)
    content = torch.rand(1, 3, 32, 40)
    lasts = last_layers(method)
    assert len(lasts) == 2
    changes = [last.weight.clone() for last in lasts]
    for last in lasts:
        for values in last.parameters():
            values.zero_()
    for direction in DIRECTIONS:
        same = method(content, samples=2, direction=direction)
        torch.testing.assert_close(same, content.clamp(0.005, 0.995).expand(2, -1, -1, -1))
    lasts[1].weight.copy_(changes[1])
    first, second = method(content, samples=2).split(1)
    assert (first - second).abs().max() > 1e-3
    assert (first - content).abs().max() > 1e-3
