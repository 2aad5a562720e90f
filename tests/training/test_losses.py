import torch

from training.losses import PerceptualLoss
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
