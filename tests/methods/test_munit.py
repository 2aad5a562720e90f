import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.pictures import photo
from zoo.errors import InputError
from zoo.methods.munit import MUNIT, AutoEncoder, MUNITConfig, PublishedLayerNorm, StyledResidual
from zoo.pipeline import Pipeline


def weights(*networks: nn.Module) -> int:
    return sum(p.numel() for network in networks for p in network.parameters())


@pytest.fixture
def method() -> MUNIT:
    torch.manual_seed(0)
    return MUNIT(MUNITConfig(width=4, blocks=1)).eval().requires_grad_(False)


def test_the_published_network_has_the_papers_weights() -> None:
    with torch.device("meta"):
        domain = AutoEncoder(MUNITConfig(published=True))
        repaired = AutoEncoder(MUNITConfig())
    parts = (
        weights(domain.content_encoder),
        weights(domain.style_encoder),
        weights(domain.statistics),
        weights(domain.blocks, domain.up, domain.last),
    )
    assert parts == (5_385_856, 2_764_936, 1_120_768, 5_754_627)
    assert sum(parts) == weights(domain) == 15_026_187
    # Less the biases before a normalisation of each channel.
    assert weights(repaired) == 15_026_187 - (64 + 128 + 256 + 8 * 256) - 8 * 256


def test_the_layers_are_the_papers() -> None:
    with torch.device("meta"):
        domain = AutoEncoder(MUNITConfig())
    layers = [
        (conv.kernel_size[0], conv.stride[0], conv.out_channels, conv.padding_mode)
        for conv in domain.modules()
        if isinstance(conv, nn.Conv2d)
    ]
    halving = [(7, 1, 64), (4, 2, 128), (4, 2, 256)]
    content = [*halving, *8 * [(3, 1, 256)]]
    style = [*halving, (4, 2, 256), (4, 2, 256)]
    decoder = [*8 * [(3, 1, 256)], (5, 1, 128), (5, 1, 64), (7, 1, 3)]
    reflected = [(*row, "reflect") for row in (*content, *style)]
    assert layers == [*reflected, (1, 1, 8, "zeros"), *((*row, "reflect") for row in decoder)]
    sizes = [row.out_features for row in domain.statistics if isinstance(row, nn.Linear)]
    assert sizes == [256, 256, 4096]
    assert not any(isinstance(m, nn.InstanceNorm2d) for m in domain.style_encoder.modules())


def test_statistics_are_bias_then_weight_of_each_normalisation_in_order() -> None:
    block = StyledResidual(3, bias=True)
    features, numbers = torch.randn(2, 3, 6, 5), torch.randn(2, 12)

    def by_hand(x: Tensor, bias: Tensor, weight: Tensor) -> Tensor:
        out = torch.empty_like(x)
        for b in range(2):
            for c in range(3):
                plane = x[b, c]
                spread = (plane.var(correction=0) + 1e-5).sqrt()
                out[b, c] = weight[b, c] * (plane - plane.mean()) / spread + bias[b, c]
        return out

    x = F.relu(by_hand(block.first(features), numbers[:, :3], numbers[:, 3:6]))
    expected = features + by_hand(block.second(x), numbers[:, 6:9], numbers[:, 9:])
    found = block(features, numbers.unflatten(1, (4, 3)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    swapped = block(features, numbers.unflatten(1, (4, 3))[:, [1, 0, 3, 2]])
    assert (swapped - expected).abs().max() > 0.1


def test_the_decoder_gives_each_layer_its_own_numbers() -> None:
    torch.manual_seed(0)
    domain = AutoEncoder(MUNITConfig(width=2, blocks=2))
    content, numbers = torch.randn(1, 8, 4, 4), torch.randn(2 * 4 * 8)
    last = domain.statistics[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(numbers)
        found = domain.decode(content, torch.zeros(1, 8))
        x = domain.blocks[0](content, numbers[:32].view(1, 4, 8))
        x = domain.blocks[1](x, numbers[32:].view(1, 4, 8))
        torch.testing.assert_close(found, torch.tanh(domain.last(domain.up(x))))


def test_the_published_layer_norm_adds_eps_to_the_unbiased_deviation() -> None:
    norm, x = PublishedLayerNorm(3), 0.01 * torch.randn(2, 3, 4, 5)
    for b in range(2):
        whole = (x[b] - x[b].mean()) / (x[b].std() + 1e-5)
        torch.testing.assert_close(norm(x)[b], whole * norm.weight[:, None, None])


@pytest.mark.parametrize("spectral", [False, True])
@torch.no_grad()
def test_results_change_with_the_code_and_evenly(spectral: bool) -> None:
    torch.manual_seed(0)
    method = MUNIT(MUNITConfig(width=4, blocks=1, spectral=spectral)).eval()
    content = torch.rand(1, 3, 32, 40)
    first, second = method.codes(0, 2).split(1)
    way = torch.cat([torch.lerp(first, second, share) for share in torch.linspace(0, 1, 17)])
    made = method.render(content, way)
    assert torch.equal(made[:1], method.render(content, first))
    far = (made[-1] - made[0]).abs().mean()
    assert far > 1e-3
    assert (made[1:] - made[:-1]).abs().mean((1, 2, 3)).max() < far / 2


@torch.no_grad()
def test_a_picture_gives_a_code_that_is_its_own_text(method: MUNIT) -> None:
    for size in ((20, 90), (64, 64), (131, 77)):
        style = torch.rand(1, 3, *size)
        code = method.code_of(style, "AtoB")
        assert code.shape == (1, 8)
        assert torch.equal(method.code_from_text(method.text_from_code(code)), code)
        content = torch.rand(1, 3, 16, 24)
        assert torch.equal(method(content, style), method.render(content, code))
        assert torch.equal(
            method(content, code=method.text_from_code(code)), method(content, style)
        )
    assert not torch.equal(method.code_of(style, "AtoB"), method.code_of(style, "BtoA"))


@torch.no_grad()
def test_codes_far_from_any_drawn_one_are_shortened(method: MUNIT) -> None:
    head = method.domain("B").style_encoder[-2]
    assert isinstance(head, nn.Conv2d)
    head.weight.mul_(1e4)
    code = method.code_of(torch.rand(1, 3, 64, 64))
    assert 4.9 < code.norm() < 5.1


def test_any_size_comes_back(method: MUNIT) -> None:
    pipeline = Pipeline(method)
    for size in ((65, 49), (16, 16), (30, 101)):
        made = pipeline(content=photo(*size), samples=2)
        assert [picture.size for picture in made] == [size, size]
    (guided,) = pipeline(content=photo(), style=photo(40, 90), direction="BtoA")
    assert guided.size == (65, 49)
    alone = pipeline(content=photo(), samples=1, seed=1)
    assert alone[0].tobytes() == pipeline(content=photo(), samples=2)[1].tobytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"code": "1 2 3"}, "these are 3 numbers"),
        ({"code": "one 2 3 4 5 6 7 8"}, "“one” is not a number"),
        ({"code": "1 2 3 4 5 6 7 8", "style": photo()}, "style picture as well"),
        ({"style": b"no picture"}, "picture"),
        ({"seed": "x"}, "not a whole number"),
    ],
)
def test_what_cannot_be_used_is_named(method: MUNIT, given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Pipeline(method)(content=photo(), **given)
