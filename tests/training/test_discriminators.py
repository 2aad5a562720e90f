import pytest
import torch
from torch import nn

from training.discriminators import BatchDeviation, MultiScale, patches, pyramid


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
