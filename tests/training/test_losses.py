import torch

from training.losses import PerceptualLoss, palette, strange
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


def test_a_blot_of_a_colour_that_the_style_lacks_costs_and_has_a_gradient() -> None:
    style = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)).expand(
        1, 3, 64, 64
    )
    limits = [limit[None] for limit in palette(style)]  # greys alone
    made = style.clone()
    assert strange(made, *limits) < 1e-6
    made[..., 20:32, 20:32] = torch.tensor([0.0, 0.9, 0.0])[:, None, None]
    made.requires_grad_()
    cost = strange(made, *limits)
    cost.backward()
    assert cost > 0.01
    assert made.grad is not None
    # Less green, more red and blue; what is grey stays.
    red, green, blue = made.grad[0, :, 24, 24].tolist()
    assert green > 0 > red
    assert blue < 0
    assert not made.grad[..., 40:, 40:].any()
