import pytest
import torch
from torch import nn
from torch.nn import functional as F

from training.discriminators import cartoon
from training.faults import checkerboard
from zoo.methods.cartoongan import CartoonGAN, CartoonGANConfig, Generator
from zoo.nn.translation import InstanceNorm, initialise

# Kernel, stride, channels and what follows each convolution, as the authors' code has them.
HEAD = [("conv", 7, 1, 64, "reflect", "norm relu")]
DOWN = [
    ("conv", 3, 2, 128, "zeros", ""),
    ("conv", 3, 1, 128, "zeros", "norm relu"),
    ("conv", 3, 2, 256, "zeros", ""),
    ("conv", 3, 1, 256, "zeros", "norm relu"),
]
BLOCK = [("conv", 3, 1, 256, "reflect", "norm relu"), ("conv", 3, 1, 256, "reflect", "norm")]
UP = [
    ("transposed", 3, 2, 128, "zeros", ""),
    ("conv", 3, 1, 128, "zeros", "norm relu"),
    ("transposed", 3, 2, 64, "zeros", ""),
    ("conv", 3, 1, 64, "zeros", "norm relu"),
]
LAST = [("conv", 7, 1, 3, "reflect", "")]


def table(network: nn.Module) -> list[tuple[str, int, int, int, str, str]]:
    rows: list[tuple[str, int, int, int, str, str]] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            kind = "transposed" if isinstance(layer, nn.ConvTranspose2d) else "conv"
            if isinstance(layer, nn.Conv2d):
                assert layer.padding[0] == layer.kernel_size[0] // 2
            size = (layer.kernel_size[0], layer.stride[0], layer.out_channels)
            rows.append((kind, *size, layer.padding_mode, ""))
        elif isinstance(layer, nn.InstanceNorm2d | nn.ReLU | nn.LeakyReLU):
            words = {nn.ReLU: "relu", nn.LeakyReLU: "leaky"}.get(type(layer), "norm")
            rows[-1] = (*rows[-1][:5], f"{rows[-1][5]} {words}".strip())
    return rows


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_published_generator_is_that_of_the_authors_code() -> None:
    network = Generator(CartoonGANConfig(published=True))
    assert table(network) == HEAD + DOWN + 8 * BLOCK + UP + LAST
    scales = sum(weights(m) for m in network.modules() if isinstance(m, InstanceNorm))
    assert (weights(network), weights(network) - scales) == (11_129_667, 11_120_195)


def test_the_repaired_generator_has_the_same_layers_with_mirrors_and_no_idle_biases() -> None:
    network = Generator(CartoonGANConfig())
    published = HEAD + DOWN + 8 * BLOCK + UP + LAST
    expected = [("conv", k, 1 if kind == "transposed" else s, c, "reflect", rest)
                for kind, k, s, c, _, rest in published]  # fmt: skip
    assert table(network) == expected
    assert weights(network) == pytest.approx(11.12e6, rel=1e-3)


def test_with_a_skip_a_change_is_added_to_the_photo() -> None:
    method = CartoonGAN(CartoonGANConfig(width=4, blocks=1, skip=True, look="Clear air"))
    method.eval().requires_grad_(False)
    content = torch.rand(1, 3, 32, 40)
    method.generator.last.weight.zero_()
    method.generator.last.bias.zero_()  # type: ignore[union-attr]
    same = method(content)
    torch.testing.assert_close(same, content.clamp(0.005, 0.995))  # black and white give way
    method.generator.last.bias.fill_(0.5)  # type: ignore[union-attr]
    assert (method(content) > same).all()
    assert CartoonGAN.style_of(method.config) == "Clear air"


def test_the_discriminator_is_that_of_the_authors_code() -> None:
    network = cartoon()
    assert table(network) == [
        ("conv", 3, 1, 32, "zeros", "leaky"),
        ("conv", 3, 2, 64, "zeros", "leaky"),
        ("conv", 3, 1, 128, "zeros", "norm leaky"),
        ("conv", 3, 2, 128, "zeros", "leaky"),
        ("conv", 3, 1, 256, "zeros", "norm leaky"),
        ("conv", 3, 1, 256, "zeros", "norm leaky"),
        ("conv", 3, 1, 1, "zeros", ""),
    ]
    assert weights(network) == 1_129_665
    assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 1, 16, 24)
    assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize(("blocks", "convs"), [(8, 2), (5, 3), (1, 1)])
def test_blocks_and_their_convolutions_are_switches(blocks: int, convs: int) -> None:
    config = CartoonGANConfig(width=4, blocks=blocks, convs_per_block=convs)
    assert len(table(Generator(config))) == 10 + blocks * convs


def test_weights_start_as_published() -> None:
    torch.manual_seed(0)
    network = Generator(CartoonGANConfig(width=16, published=True))
    initialise(network, scales="uniform")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
            assert layer.bias is not None
            assert not layer.bias.any()
        elif isinstance(layer, InstanceNorm):
            assert 0 <= layer.weight.min() < 0.3 < 0.7 < layer.weight.max() <= 1
            assert not layer.bias.any()


@pytest.mark.parametrize("published", [False, True])
@torch.no_grad()
def test_size_and_range_stay(published: bool) -> None:
    torch.manual_seed(0)
    method = CartoonGAN(CartoonGANConfig(width=4, blocks=2, published=published)).eval()
    photo = torch.rand(1, 3, 24, 40)
    result = method(photo)
    assert result.shape == photo.shape
    assert 0 <= result.min() < result.max() <= 1
    assert torch.equal(method(photo, strength=0.0), photo)
    half = method(photo, strength=0.5)
    torch.testing.assert_close(half, (photo + result) / 2)


@torch.no_grad()
def test_epsilon_is_that_of_the_config() -> None:
    method = CartoonGAN(CartoonGANConfig(width=4, blocks=1, epsilon=1e-9))
    assert {m.eps for m in method.modules() if isinstance(m, InstanceNorm)} == {1e-9}


@torch.no_grad()
def test_the_repaired_network_has_no_checkerboard() -> None:
    # Untrained: what shows is the architecture's.
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(1, 3, 12, 12, generator=generator)
    photo = F.interpolate(small, (96, 96), mode="bicubic").clamp(0, 1)
    found = {}
    for published in (False, True):
        values = []
        for seed in range(4):
            torch.manual_seed(seed)
            config = CartoonGANConfig(width=8, blocks=1, published=published)
            values.append(checkerboard(CartoonGAN(config)(photo), photo))
        found[published] = sum(values) / len(values)
    assert found[False] + 0.5 < found[True], found
