import pytest
import torch
from torch import nn
from torch.nn import functional as F

from zoo.nn.translation import (
    LayerNorm,
    Residual,
    block,
    enlarge,
    initialise,
    spectral,
)


@pytest.mark.parametrize("reflect", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (4, 2), (7, 1)])
def test_a_block_is_a_padded_convolution_a_norm_and_an_activation(
    kernel: int, stride: int, reflect: bool
) -> None:
    layer = block(3, 5, kernel, stride, activation="leaky", slope=0.3, reflect=reflect)
    pictures = torch.randn(2, 3, 16, 12)
    convolution = layer[0]
    assert isinstance(convolution, nn.Conv2d)
    edge = (kernel - 1) // 2
    padded = F.pad(pictures, (edge,) * 4, mode="reflect" if reflect else "constant")
    expected = F.conv2d(padded, convolution.weight, convolution.bias, stride)
    expected = F.leaky_relu(F.instance_norm(expected), 0.3)
    found = layer(pictures)
    assert found.shape == (2, 5, 16 // stride, 12 // stride)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_padding_can_be_given() -> None:
    assert block(3, 4, 7, 2, padding=1)(torch.rand(1, 3, 54, 54)).shape == (1, 4, 25, 25)
    assert block(3, 4, 4, 1, padding=0)(torch.rand(1, 3, 8, 8)).shape == (1, 4, 5, 5)


def test_layer_norm_takes_the_whole_map() -> None:
    features = 3 * torch.randn(2, 4, 5, 6) + torch.arange(4.0)[:, None, None]
    norm = LayerNorm(4)
    with torch.no_grad():
        norm.weight.uniform_()
    for found, map_ in zip(norm(features), features, strict=True):
        scaled = (map_ - map_.mean()) / (map_.var(correction=0) + 1e-5).sqrt()
        torch.testing.assert_close(found, scaled * norm.weight[:, None, None])


@pytest.mark.parametrize("published", [False, True])
def test_enlarging_doubles_the_size(published: bool) -> None:
    layer = enlarge(6, 4, published=published)
    assert layer(torch.rand(1, 6, 5, 7)).shape == (1, 4, 10, 14)
    kinds = {type(m) for m in layer.modules()}
    assert (nn.ConvTranspose2d in kinds) == published


def test_a_residual_block_adds_to_what_it_is_given() -> None:
    residual = Residual(4)
    features = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(residual(features), features + residual.body(features))
    assert residual(features).min() < 0  # nothing is activated after the sum
    counts = [
        sum(p.numel() for p in Residual(4, bias=bias, norm="affine").parameters())
        for bias in (True, False)
    ]
    assert counts == [2 * (4 * 4 * 9 + 4 + 8), 2 * (4 * 4 * 9 + 8)]


@torch.no_grad()
def test_weights_start_as_asked() -> None:
    torch.manual_seed(0)
    first = block(32, 64, norm="affine")
    convolution, norm = first[0], first[1]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.InstanceNorm2d)
    linear, batch_norm = nn.Linear(64, 64), nn.BatchNorm2d(256)
    network = nn.Sequential(first, linear, batch_norm)
    initialise(network, scales="uniform")
    assert convolution.weight.std() == pytest.approx(0.02, rel=0.05)
    assert 0 < norm.weight.min() < 0.1
    assert 0.9 < norm.weight.max() < 1
    initialise(network, "kaiming", scales="normal")
    assert convolution.weight.std() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    assert linear.weight.std() == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    assert batch_norm.weight.std() == pytest.approx(0.02, rel=0.15)
    biases = [value for name, value in network.named_parameters() if name.endswith("bias")]
    assert len(biases) == 4
    assert all(not bias.any() for bias in biases)


@torch.no_grad()
def test_spectral_normalisation_bounds_every_layer() -> None:
    torch.manual_seed(0)
    first, last = block(3, 8, norm="none"), nn.Linear(8 * 16, 5)
    network = nn.Sequential(first, nn.Flatten(), last)
    initialise(network, deviation=1.0)
    spectral(network)
    for _ in range(30):
        network(torch.rand(2, 3, 4, 4))
    for layer in (first[0], last):
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest == pytest.approx(1, abs=0.02)
