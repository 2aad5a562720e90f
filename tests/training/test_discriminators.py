import numpy as np
import pytest
import torch
from torch import nn

from training.discriminators import SEEN, BatchDeviation, MultiScale, Projected, patches, pyramid
from zoo.nn.vgg import vgg19


def table(network: nn.Module) -> list[tuple[int, int, int, int]]:
    """Channels in and out, kernel and stride of every convolution."""
    return [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in network.modules()
        if isinstance(m, nn.Conv2d)
    ]


def weights(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def norms(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(m, kind) for m in network.modules())


def test_patches_are_those_of_cyclegan() -> None:
    network = patches()
    assert weights(network) == 2_764_737
    assert table(network) == [
        (3, 64, 4, 2),
        (64, 128, 4, 2),
        (128, 256, 4, 2),
        (256, 512, 4, 1),
        (512, 1, 4, 1),
    ]
    assert norms(network, nn.InstanceNorm2d) == 3
    assert network(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)


def test_a_score_depends_on_70_by_70_pixels() -> None:
    # Without norms, for they see the whole picture.
    network = patches(4, norm="none")
    pictures = torch.randn(1, 3, 256, 256, requires_grad=True)
    network(pictures)[0, 0, 15, 15].backward()
    assert pictures.grad is not None
    rows = pictures.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


def test_several_scales_are_those_of_munit() -> None:
    network = MultiScale()
    assert weights(network) == 8_271_171
    one = [(3, 64, 4, 2), (64, 128, 4, 2), (128, 256, 4, 2), (256, 512, 4, 2), (512, 1, 1, 1)]
    assert table(network) == one * 3
    scores = network(torch.rand(2, 3, 256, 256))
    assert [s.shape for s in scores] == [(2, 1, 16, 16), (2, 1, 8, 8), (2, 1, 4, 4)]


@pytest.mark.parametrize(("published", "count"), [(True, 2_765_568), (False, 2_764_753)])
def test_pyramids_are_those_of_dcgan(published: bool, count: int) -> None:
    network = pyramid(64, published=published)
    assert weights(network) == count
    last = 512 if published else 513
    assert table(network) == [
        (3, 64, 4, 2),
        (64, 128, 4, 2),
        (128, 256, 4, 2),
        (256, 512, 4, 2),
        (last, 1, 4, 1),
    ]
    assert norms(network, nn.BatchNorm2d) == (3 if published else 0)
    for size in (16, 64, 128):
        network = pyramid(size, 4, published)
        assert network(torch.rand(2, 3, size, size)).shape == (2, 1, 1, 1)


def test_a_batch_of_one_picture_has_no_deviation() -> None:
    layer = BatchDeviation()
    features = torch.randn(1, 3, 4, 4).expand(5, 3, 4, 4)
    assert layer(features)[:, 3].max() < 1e-3
    torch.manual_seed(0)
    varied = torch.randn(400, 3, 4, 4)
    found = layer(varied)
    assert found.shape == (400, 4, 4, 4)
    assert torch.equal(found[:, :3], varied)
    torch.testing.assert_close(found[0, 3, 0, 0], torch.tensor(1.0), atol=0.02, rtol=0)


def test_features_are_judged_at_four_depths_and_nothing_of_the_encoder_is_kept() -> None:
    network = Projected(vgg19(), 8)
    pictures = torch.rand(2, 3, 64, 64, requires_grad=True)
    scores = network(pictures)
    assert [s.shape for s in scores] == [(2, 1, side, side) for side in (16, 8, 4, 2)]
    sum(s.sum() for s in scores).backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
    assert not any(name.startswith(("borrowed", "convs")) for name in network.state_dict())
    assert {f"projection_{layer}" for layer in SEEN} <= network.state_dict().keys()
    assert all(p.grad is None for p in vgg19().parameters())
    assert table(network) == [(8, 8, 4, 2), (8, 8, 3, 1), (8, 1, 1, 1)] * 4


def test_features_tell_textures_apart_in_a_few_steps() -> None:
    torch.manual_seed(0)
    network = Projected(vgg19(), 8)
    stripes = torch.sign(torch.sin(torch.arange(64) / 2)).expand(4, 3, 64, 64)
    flat = 0.1 * torch.randn(4, 3, 64, 64)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(10):
        pairs = zip(network(stripes), network(flat), strict=True)
        gap = torch.stack([(after - before).mean() for before, after in pairs])
        optimizer.zero_grad()
        gap.sum().backward()
        optimizer.step()
    assert (gap < -0.05).all()


def test_features_are_judged_in_windows_that_move_with_each_step() -> None:
    encoder = vgg19()
    numbers = iter([0, 0, 1])
    network = Projected(encoder, 8, 6, lambda: np.random.default_rng(next(numbers)))
    usual = Projected(encoder, 8)
    usual.load_state_dict(network.state_dict())
    pictures = torch.rand(1, 3, 70, 74) * 2 - 1
    down, right = np.random.default_rng(0).integers(7, size=2)
    window = pictures[..., down : down + 64, right : right + 68]
    first, again, other = (network(pictures) for _ in range(3))
    for found, wanted, same, moved in zip(first, usual(window), again, other, strict=True):
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(found, same)
        assert not torch.equal(found, moved)
