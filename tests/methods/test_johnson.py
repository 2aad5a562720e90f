import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.nn.blocks import StyleNorm, Transform, decoder


def test_style_norm_is_instance_norm_of_the_mixed_style() -> None:
    norm = StyleNorm(6, styles=3)
    assert norm.bias is not None
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    features = torch.randn(2, 6, 5, 7)
    mix = torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])
    found = norm(features, mix)
    for b in range(2):
        weight, bias = (
            sum((s * p[i] for i, s in enumerate(mix[b])), torch.zeros(6))
            for p in (norm.weight, norm.bias)
        )
        expected = F.instance_norm(features[b, None], weight=weight, bias=bias)
        torch.testing.assert_close(found[b, None], expected)


@torch.no_grad()
def test_a_patch_sets_the_contrast_of_all_the_rest_but_where_nothing_normalises() -> None:
    features, mix = torch.randn(1, 6, 12, 12), torch.ones(1, 1)
    patched = features.clone()
    patched[..., :3, :3] *= 20
    for normalise in (True, False):
        norm = StyleNorm(6, normalise=normalise)
        before, after = (norm(x, mix)[..., 3:, 3:].std() for x in (features, patched))
        assert (after < before / 2) == normalise
        assert (after == before) != normalise


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (40, 52), (64, 36)])
@torch.no_grad()
def test_the_size_stays(published: bool, size: tuple[int, int]) -> None:
    if published and min(size) <= 40:
        size = (44, 60)  # the published network reflects 40 pixels, which the picture must have
    method = Johnson(JohnsonConfig(width=4, published=published)).eval()
    photo = torch.rand(1, 3, *size)
    result = method(photo)
    assert result.shape == photo.shape
    assert 0 <= result.min() <= result.max() <= 1
    assert torch.equal(method(photo, strength=0.0), photo)


def test_the_published_network_has_the_papers_layers() -> None:
    network = Transform(32, published=True)
    kinds = [
        type(layer)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert kinds == [nn.Conv2d] * 13 + [nn.ConvTranspose2d] * 2 + [nn.Conv2d]
    weights = sum(p.numel() for p in network.parameters())
    assert weights == pytest.approx(1.68e6, rel=0.01)


def checkerboard(images: Tensor) -> float:
    """Share of the energy of ``(1, 3, H, W)`` that repeats every two pixels in both directions."""
    signs = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).expand(3, 1, 2, 2)
    return float(F.conv2d(images, signs, stride=2, groups=3).abs().mean())


def border(images: Tensor, band: int = 4) -> float:
    """How far the mean of the outer pixels is from that of the rest."""
    inner = torch.zeros(images.shape[2:], dtype=torch.bool)
    inner[band:-band, band:-band] = True
    return float((images[..., inner].mean(-1) - images[..., ~inner].mean(-1)).abs().max())


@torch.no_grad()
def test_the_repaired_network_has_neither_checkerboard_nor_frame_on_a_flat_photo() -> None:
    # Untrained, so that what shows is the architecture's: on a flat photo nothing else can.
    photo = torch.full((1, 3, 96, 96), 0.4)
    found = {}
    for published in (False, True):
        torch.manual_seed(1)
        # No norm: it would blow the frame of a flat picture up in both.
        network = Transform(8, published=published)
        for name, module in list(network.named_children()):
            if name.endswith("norms"):
                assert isinstance(module, nn.ModuleList)
                setattr(network, name, nn.ModuleList(_Pass() for _ in module))
        result = 0.5 + 0.5 * torch.tanh(
            network.last(network.features(2 * photo - 1, torch.ones(1, 1)))
        )
        found[published] = checkerboard(result), border(result)
    assert found[False][0] < 1e-6
    assert found[False][1] < 1e-6
    assert found[True][0] > 2e-5
    assert found[True][1] > 2e-5


class _Pass(nn.Module):
    def forward(self, features: Tensor, mix: Tensor) -> Tensor:
        return features


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_decoders_mirror_the_encoder(level: int) -> None:
    channels = {1: 64, 2: 128, 3: 256, 4: 512}[level]
    network = decoder(level, 8)
    side = 2 ** (level - 1)
    assert network(torch.rand(2, channels, 3, 5)).shape == (2, 3, 3 * side, 5 * side)
    if level == 4:
        convs = [m for m in decoder(4).modules() if isinstance(m, nn.Conv2d)]
        assert [(c.in_channels, c.out_channels) for c in convs] == [
            *[(512, 256), (256, 256), (256, 256), (256, 256), (256, 128)],
            *[(128, 128), (128, 64), (64, 64), (64, 3)],
        ]


def test_a_fresh_decoder_keeps_the_signal() -> None:
    torch.manual_seed(0)
    pictures = decoder(4)(torch.rand(2, 512, 16, 16) * 2)
    assert 0.01 < pictures.std() < 1
