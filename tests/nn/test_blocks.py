import pytest
import torch
from torch import Tensor

from zoo.nn.blocks import Transform, instance_norm

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def by_formula(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean = features.mean((2, 3), keepdim=True)
    variance = features.var((2, 3), keepdim=True, correction=0)
    normed = (features - mean) / (variance + 1e-5).sqrt()
    return normed * weight[:, None, None] + bias[:, None, None]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("layout_of_gradient", LAYOUTS)
def test_instance_norm_has_the_gradient_of_its_formula(
    batch: int, layout: torch.memory_format, layout_of_gradient: torch.memory_format
) -> None:
    features = torch.randn(batch, 8, 6, 5).to(memory_format=layout).requires_grad_()
    weight, bias = torch.randn(8).requires_grad_(), torch.randn(8).requires_grad_()
    inputs = (features, weight, bias)
    wanted = torch.randn(batch, 8, 6, 5).to(memory_format=layout_of_gradient)
    made, expected = instance_norm(*inputs), by_formula(*inputs)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)
    found = torch.autograd.grad(made, inputs, wanted)
    for a, b in zip(found, torch.autograd.grad(expected, inputs, wanted), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
    assert made.is_contiguous(memory_format=torch.channels_last)


def test_black_areas_still_learn() -> None:
    network = Transform(4)
    assert network.last.bias is not None
    torch.nn.init.constant_(network.last.bias, -100.0)
    picture, mix = torch.rand(1, 3, 16, 16), torch.ones(1, 1)
    made = network(picture, mix)
    assert (made < 0).all()
    made.sum().backward()
    assert network.last.weight.grad is not None
    assert network.last.weight.grad.abs().max() > 0.1
    with torch.no_grad():
        torch.testing.assert_close(network(picture, mix), made.detach(), atol=1e-5, rtol=0)
