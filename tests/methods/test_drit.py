from typing import cast

import pytest
import torch
from torch import nn

from tests.pictures import photo
from zoo.errors import InputError
from zoo.methods.drit import DRIT, ConcatGenerator, Domain, DRITConfig, FeatureGenerator, Mode
from zoo.pipeline import Pipeline


def tiny(mode: Mode = "concat", published: bool = False) -> DRIT:
    torch.manual_seed(0)
    config = DRITConfig(width=4, mode=mode, published=published)
    return DRIT(config).eval().requires_grad_(False)


def layers(network: nn.Module) -> list[tuple[str, int, int, int]]:
    """Convolutions in order: kind, kernel, stride, channels that go out."""
    kinds = {nn.Conv2d: "c", nn.ConvTranspose2d: "t"}
    return [
        (kinds[type(m)], m.kernel_size[0], m.stride[0], m.out_channels)
        for m in network.modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]


def domain_of(mode: Mode, published: bool = True) -> Domain:
    with torch.device("meta"):
        return cast(Domain, DRIT(DRITConfig(mode=mode, published=published)).networks["A"])


def test_the_encoders_have_the_papers_layers() -> None:
    domain = domain_of("concat")
    halving = [("c", 7, 1, 64), ("c", 3, 2, 128), ("c", 3, 2, 256)]
    assert layers(domain.content_encoder) == [*halving, *6 * [("c", 3, 1, 256)]]
    attribute = [("c", 4, 2, 64)]
    for inputs, outputs in ((64, 128), (128, 192), (192, 256)):
        attribute += [("c", 3, 1, inputs), ("c", 3, 1, outputs), ("c", 1, 1, outputs)]
    assert layers(domain.attribute_encoder) == attribute
    heads = (domain.attribute_encoder.mean, domain.attribute_encoder.log_variance)
    assert [(h.in_features, h.out_features) for h in heads if h] == [(256, 8), (256, 8)]

    domain = domain_of("feature")
    wide = [("c", 7, 1, 64), ("c", 4, 2, 128), *3 * [("c", 4, 2, 256)]]
    assert layers(domain.attribute_encoder) == wide
    assert domain.attribute_encoder.log_variance is None
    assert not [m for m in domain.attribute_encoder.modules() if isinstance(m, nn.InstanceNorm2d)]


def test_the_generators_have_the_papers_layers() -> None:
    concat = domain_of("concat").generator
    assert isinstance(concat, ConcatGenerator)
    grown = [("t", 3, 2, 136), ("t", 3, 2, 72), ("c", 1, 1, 3)]
    assert layers(concat) == [*6 * [("c", 3, 1, 264)], *grown]
    assert [c.in_channels for c in concat.modules() if isinstance(c, nn.ConvTranspose2d)] == [
        272,
        144,
    ]
    assert concat.last.in_channels == 80

    feature = domain_of("feature").generator
    assert isinstance(feature, FeatureGenerator)
    mixed = [("c", 3, 1, 256), ("c", 3, 1, 256), *2 * [("c", 1, 1, 512), ("c", 1, 1, 256)]]
    assert layers(feature) == [*4 * mixed, ("t", 3, 2, 128), ("t", 3, 2, 64), ("c", 1, 1, 3)]
    sizes = [row.out_features for row in feature.extras if isinstance(row, nn.Linear)]
    assert sizes == [256, 256, 1024]


def test_the_repaired_generators_resize_instead() -> None:
    modes: tuple[Mode, ...] = ("concat", "feature")
    for mode in modes:
        repaired = layers(domain_of(mode, published=False).generator)
        published = layers(domain_of(mode).generator)
        assert [("c", k, 1, n) for _, k, _, n in published] == repaired


@pytest.mark.parametrize("mode", ["concat", "feature"])
@torch.no_grad()
def test_results_change_with_the_code_and_evenly(mode: Mode) -> None:
    method = tiny(mode)
    content = torch.rand(1, 3, 32, 40)
    first, second = method.codes(0, 2).split(1)
    way = torch.cat([torch.lerp(first, second, share) for share in torch.linspace(0, 1, 17)])
    made = method.render(content, way)
    assert torch.equal(made[:1], method.render(content, first))
    far = (made[-1] - made[0]).abs().mean()
    assert far > 1e-4
    assert (made[1:] - made[:-1]).abs().mean((1, 2, 3)).max() < far / 2


@pytest.mark.parametrize("mode", ["concat", "feature"])
@torch.no_grad()
def test_a_picture_gives_a_code_that_is_its_own_text(mode: Mode) -> None:
    method = tiny(mode)
    for size in ((20, 90), (64, 64), (131, 77)):
        style = torch.rand(1, 3, *size)
        code = method.code_of(style)
        assert torch.equal(method.code_from_text(method.text_from_code(code)), code)
        content = torch.rand(1, 3, 16, 24)
        assert torch.equal(method(content, style), method.render(content, code))


@pytest.mark.parametrize("mode", ["concat", "feature"])
@pytest.mark.parametrize("published", [False, True])
def test_any_size_comes_back(mode: Mode, published: bool) -> None:
    pipeline = Pipeline(tiny(mode, published))
    for size in ((65, 49), (16, 16), (30, 101)):
        made = pipeline(content=photo(*size), samples=2)
        assert [picture.size for picture in made] == [size, size]
    (guided,) = pipeline(content=photo(), style=photo(40, 90), direction="BtoA")
    assert guided.size == (65, 49)


def test_what_cannot_be_used_is_named() -> None:
    pipeline = Pipeline(tiny())
    for given, words in (
        ({"code": "1 2 3"}, "these are 3 numbers"),
        ({"code": "1 2 3 4 5 6 7 8", "style": photo()}, "style picture as well"),
        ({"style": b"no picture"}, "picture"),
    ):
        with pytest.raises(InputError, match=words):
            pipeline(content=photo(), **given)
