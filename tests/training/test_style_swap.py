from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.toys import recipe_of, run_in, trainer_of


@pytest.mark.parametrize("right", [True, False])
def test_the_statistics_of_a_swap_are_compared_with_those_of_its_own_painting(
    photos: Path, paintings: Path, tmp_path: Path, right: bool
) -> None:
    recipe = recipe_of("style_swap", photos, paintings, batch_size=4, style_weight=1.0)
    trainer: Any = trainer_of("style_swap", recipe, run_in(tmp_path))
    drawn: list[Tensor] = []
    draw, weight = trainer.batch, next(trainer.method.parameters())

    def remembered(stream: Any) -> Tensor:
        drawn.append(draw(stream))
        return drawn[-1]

    def painted(_: Tensor) -> Tensor:
        # As if every swap had become the painting itself, or another one.
        order = [0, 1, 0, 1, 2, 3, 2, 3] if right else [1, 0, 1, 0, 3, 2, 3, 2]
        return torch.cat([*drawn, drawn[1][order]]) + 0 * weight.sum()

    trainer.batch, trainer.decoder = remembered, painted
    style = trainer.step()["style"].item()
    assert style < 1e-6 if right else style > 0.01


def test_the_paper_compares_features_of_one_layer_only(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of("style_swap", photos, paintings, style_weight=0.0, checkerboard_weight=0.0)
    trainer: Any = trainer_of("style_swap", recipe, run_in(tmp_path))
    assert trainer.features.layers == ("relu3_1",)
    assert trainer.step().keys() == {"content", "tv", "total"}
