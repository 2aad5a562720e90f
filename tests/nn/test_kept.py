"""Results for style pictures that were seen before."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from zoo.method import Method
from zoo.methods.adain import AdaIN
from zoo.methods.style_swap import StyleSwap
from zoo.nn import kept
from zoo.nn.kept import Kept


class Counter:
    """Doubles pictures, and counts them."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, picture: Tensor) -> Tensor:
        self.calls += 1
        return 2 * picture


def test_the_latest_pictures_are_computed_once() -> None:
    counter = Counter()
    remembered = Kept(counter)
    pictures = [torch.rand(1, 3, 8, 8) for _ in range(kept.MOST)]
    with torch.no_grad():
        for _ in range(3):
            for picture in pictures:
                assert torch.equal(remembered(picture.clone()), 2 * picture)
        assert counter.calls == kept.MOST
        remembered(torch.rand(1, 3, 8, 9))  # takes the place of the first one
        remembered(pictures[1])
        assert counter.calls == kept.MOST + 1
        remembered(pictures[0])
        assert counter.calls == kept.MOST + 2


def test_a_picture_that_is_changed_in_place_is_another_one() -> None:
    remembered = Kept(lambda picture: 2 * picture)
    picture = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        remembered(picture)
        picture[0, 0, 0, 0] += 1
        assert torch.equal(remembered(picture), 2 * picture)


def test_large_pictures_and_gradients_are_not_kept() -> None:
    counter = Counter()
    remembered = Kept(counter)
    small, large = torch.rand(1, 3, 8, 8, requires_grad=True), torch.rand(1, 3, 1024, 513)
    for _ in range(2):
        assert remembered(small).requires_grad
        with torch.no_grad():
            remembered(large)
    assert counter.calls == 4


@torch.no_grad()
@pytest.mark.parametrize("kind", [AdaIN, StyleSwap])
def test_methods_encode_a_style_picture_once(
    kind: Callable[..., Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Tensor] = []
    plain: Any = vars(kind)["encode"]

    def encode(method: Method, images: Tensor) -> Tensor:
        counted.append(images)
        return cast(Tensor, plain(method, images))

    monkeypatch.setattr(kind, "encode", encode)
    torch.manual_seed(0)
    method = kind(vars(kind)["Config"](width=4)).eval()
    photo, other, style = torch.rand(3, 1, 3, 32, 48).unbind(0)
    first = method(photo, style)
    method(other, style)
    assert len(counted) == 3
    torch.testing.assert_close(method(photo, style), first)
    method(photo, other)
    assert len(counted) == 6
