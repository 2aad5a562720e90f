"""The yardsticks, where the answer is known."""

import pytest
import torch
from torch import Tensor

from benchmarks.quality import by_heart


def test_a_network_that_does_nothing_has_the_objective_of_the_photo() -> None:
    torch.manual_seed(0)
    photos, styles = ([torch.rand(1, 3, 48, 48) for _ in range(2)] for _ in range(2))
    seen: list[int] = []

    def nothing(photo: Tensor, which: int) -> Tensor:
        seen.append(which)
        return photo

    found = by_heart(nothing, photos, styles, style_weight=20, ours=True)
    assert seen == [0, 1]
    assert found["network"] == pytest.approx(found["untouched"])
    assert found["optimised"] < 0.2 * found["untouched"]
    assert found["ours"] < 0.2 * found["untouched"]
    heavier = by_heart(nothing, photos[:1], styles, style_weight=40)
    lighter = by_heart(nothing, photos[:1], styles, style_weight=20)
    assert heavier["untouched"] == pytest.approx(2 * lighter["untouched"])
    assert "ours" not in lighter
