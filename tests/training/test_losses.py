import torch
from torch import nn

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
