from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.training.toys import recipe_of, run_in, trainer_of
from training.data import Stream
from training.johnson import JohnsonTrainer
from training.losses import PerceptualLoss, Spikes
from zoo.nn.blocks import StyleNorm
from zoo.nn.vgg import vgg19


def test_a_margin_spares_results_the_black_frame_that_the_encoder_sees() -> None:
    grey = torch.full((1, 3, 64, 64), 0.6)
    layers = ["relu1_1", "relu2_1", "relu3_1"]

    def loss(margin: int) -> PerceptualLoss:
        return PerceptualLoss(
            vgg19(),
            [grey],
            content_layer="relu3_1",
            style_layers=layers,
            style_weight=1.0,
            margin=margin,
        )

    framed, spared = (loss(margin).features(grey, layers) for margin in (0, 32))
    for layer in layers:
        assert framed[layer].shape == spared[layer].shape
        power = float(spared[layer].square().mean())
        assert float(framed[layer].var((2, 3)).mean()) > 1e-3 * power
        assert float(spared[layer].var((2, 3)).mean()) < 1e-6 * power
    terms = loss(32)(grey, grey, torch.zeros(1, dtype=torch.long))
    assert max(float(term) for term in terms.values()) < 1e-3


def test_a_blot_that_turns_a_norm_costs_and_is_pushed_down() -> None:
    network = nn.Sequential(StyleNorm(2))
    spikes = Spikes(network, 30)
    calm = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    blot = calm.clone()
    blot[:, 0, 20:24, 20:24] = 50.0
    blot.requires_grad_()
    costs = []
    for features in (calm, blot):
        network[0](features, torch.ones(1, 1))
        costs.append(spikes.take())
    assert costs[0] == 0
    assert costs[1] > 1
    let_pass = Spikes(network, 300)
    network[0](blot, torch.ones(1, 1))
    assert let_pass.take() == 0
    spikes.found.clear()
    costs[1].backward()
    assert blot.grad is not None
    assert (blot.grad[:, 0, 20:24, 20:24] > 0).all()
    assert not blot.grad[:, 1].any()
    with torch.no_grad():  # results are not looked at
        network[0](blot, torch.ones(1, 1))
    assert not spikes.found
    idle = StyleNorm(2, normalise=False)
    watching = Spikes(nn.Sequential(idle), 30)
    idle(blot, torch.ones(1, 1))  # has nothing to turn
    assert not watching.found


def test_content_can_be_compared_where_the_published_code_does(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    found = {}
    for objective in ("johnson", "johnson3"):
        recipe = recipe_of("johnson", photos, paintings, objective=objective)
        trainer = trainer_of("johnson", recipe, run_in(tmp_path / objective))
        assert isinstance(trainer, JohnsonTrainer)
        found[objective] = trainer.loss.content_layer
        assert trainer.step()["content"] > 0
    assert found == {"johnson": "relu2_2", "johnson3": "relu3_3"}


def test_one_photo_of_hard_contrasts_does_not_set_the_scale_of_objectives(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scale() -> tuple[Tensor, Tensor]:
        trainer = trainer_of("johnson", recipe, run_in(tmp_path / "run"))
        assert isinstance(trainer, JohnsonTrainer)
        objectives = trainer.objective_of(trainer.examples(trainer.photos, 8), 0)
        return trainer.untouched[0], objectives.mean()

    def with_a_harsh_one(trainer: JohnsonTrainer, stream: Stream, count: int) -> Tensor:
        pictures = usual(trainer, stream, count)
        pictures[0] = torch.arange(pictures.shape[-1]).div(4, rounding_mode="floor") % 2
        return pictures

    recipe = recipe_of("johnson", photos, paintings)
    median, mean = scale()
    usual = JohnsonTrainer.examples
    monkeypatch.setattr(JohnsonTrainer, "examples", with_a_harsh_one)
    harsh_median, harsh_mean = scale()
    assert harsh_mean > 2 * mean  # which is what it would have been
    assert 0.8 < harsh_median / median < 1.25
