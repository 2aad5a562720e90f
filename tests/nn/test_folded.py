"""The folded network is the network."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.nn import folded
from zoo.nn.blocks import StyleNorm, Transform, conv, doubled


def network(width: int = 8, loose: bool = False) -> Transform:
    """A network of three styles with scales of both signs, some of them 0."""
    torch.manual_seed(0)
    made = Transform(width, styles=3, loose=loose).requires_grad_(False)
    for norm in made.modules():
        if isinstance(norm, StyleNorm):
            norm.weight.normal_()
            norm.weight[:, 0] = 0
            if norm.bias is not None:
                norm.bias.normal_()
    return made


def plain(made: Transform, photo: Tensor, mix: Tensor) -> Tensor:
    """Layer by layer, as in training."""
    return 0.5 + 150 / 255 * torch.tanh(made.last(made.features(2 * photo - 1, mix)))


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (40, 52), (64, 36)])
@torch.no_grad()
def test_results_are_those_of_the_plain_network(size: tuple[int, int], loose: bool) -> None:
    made, photo = network(loose=loose), torch.rand(1, 3, *size)
    mix = torch.tensor([[0.0, 0.3, 0.7]])
    torch.testing.assert_close(made(photo, mix), plain(made, photo, mix), atol=1e-5, rtol=0)


@torch.no_grad()
def test_bfloat16_blocks_move_no_pixel_far() -> None:
    torch.manual_seed(0)
    made, photo, mix = Transform(16), torch.rand(1, 3, 64, 64), torch.ones(1, 1)
    difference = (made(photo, mix, torch.bfloat16) - plain(made, photo, mix)).abs().max()
    assert 0 < difference < 4 / 255  # noise, repainted by an untrained network, is the worst case


def test_with_gradients_the_plain_network_runs() -> None:
    made, photo, mix = network().requires_grad_(True), torch.rand(1, 3, 16, 16), torch.eye(3)[:1]
    made(photo, mix).sum().backward()
    assert all(p.grad is not None for p in made.parameters())


def test_doubling_is_folded_into_the_kernel() -> None:
    layer, small = conv(5, 7, bias=False), torch.randn(1, 5, 6, 9)
    scale, sign = torch.rand(5) + 0.5, torch.tensor([1.0, -1, 1, -1, 1, 1, -1])
    x, inner = folded.bordered(small, 1, torch.float32)
    inner.copy_(small)
    found = folded.convolve_doubled(folded.repeat(x), layer.weight, scale, sign)
    wanted = layer(doubled(small * scale[:, None, None])) * sign[:, None, None]
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_four_pixels_at_a_time_are_the_same_pixels() -> None:
    layer, picture = conv(6, 3, 9), torch.randn(1, 6, 12, 16)
    x, inner = folded.bordered(picture, 4, torch.float32)
    inner.copy_(picture)
    padded = folded.reflect(x, 4)
    torch.testing.assert_close(padded, F.pad(picture, (4, 4, 4, 4), mode="reflect"))
    found = folded.convolve_to_colors(padded, layer.weight, layer.bias)
    torch.testing.assert_close(found, layer(picture), atol=1e-5, rtol=0)
