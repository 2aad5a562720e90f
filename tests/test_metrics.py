import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.metrics import PooledVGG, fid_vgg19, kid_vgg19
from zoo.nn.vgg import vgg19


def flecks(count: int, seed: int, scale: int = 4) -> list[Tensor]:
    """Pictures of coloured squares; ``scale`` is their side in pixels."""
    source = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 48 // scale, 48 // scale, generator=source)
    large = small.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return list(large.split(1))


def reference_kid(made: Tensor, wanted: Tensor) -> float:
    """The unbiased estimator of arXiv:1801.01401, section 4, written as its sums."""

    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / len(a) + 1) ** 3

    n = len(made)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    inside = sum(
        kernel(s[i], s[j]) / (n * (n - 1)) for s in (made, wanted) for i, j in pairs if i != j
    )
    return inside - 2 * sum(kernel(made[i], wanted[j]) for i, j in pairs) / n**2


def test_kid_is_the_papers_estimator() -> None:
    encoder = vgg19()
    made, wanted = flecks(5, 0), flecks(5, 1, scale=8)
    extractor = PooledVGG(encoder, 32)
    features = [torch.cat([extractor(x) for x in group]).double() for group in (made, wanted)]
    expected = reference_kid(*features)
    assert kid_vgg19(made, wanted, encoder, 32) == pytest.approx(expected, rel=1e-6)


def test_fid_of_two_gaussians_is_known() -> None:
    encoder = vgg19()
    made, wanted = flecks(6, 0), flecks(6, 1, scale=8)
    extractor = PooledVGG(encoder, 32)
    a, b = (torch.cat([extractor(x) for x in group]).double() for group in (made, wanted))
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    root = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()
    expected = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root
    assert fid_vgg19(made, wanted, encoder, 32) == pytest.approx(float(expected), rel=1e-3)


def test_sets_that_are_alike_are_nearer_than_others() -> None:
    encoder = vgg19()
    wanted, alike, others = flecks(6, 0), flecks(6, 1), flecks(6, 2, scale=8)
    for distance in (kid_vgg19, fid_vgg19):
        near, far = distance(alike, wanted, encoder, 32), distance(others, wanted, encoder, 32)
        assert far > 2 * abs(near)
    assert fid_vgg19(wanted, wanted, encoder, 32) == pytest.approx(0, abs=1e-3)


def test_few_pictures_and_sets_of_different_number_are_fine() -> None:
    encoder = vgg19()
    state = torch.random.get_rng_state()
    found = [kid_vgg19(flecks(3, 0), flecks(7, 1), encoder, 32) for _ in range(2)]
    assert math.isfinite(found[0])
    assert found[0] == found[1]  # the same subsets each time
    assert torch.equal(torch.random.get_rng_state(), state)
    assert math.isfinite(fid_vgg19(flecks(2, 0), flecks(3, 1), encoder, 32))
    for distance in (kid_vgg19, fid_vgg19):
        with pytest.raises(ValueError, match="at least two"):
            distance(flecks(1, 0), flecks(4, 1), encoder, 32)


@torch.no_grad()
def test_sizes_hardly_matter() -> None:
    extractor = PooledVGG(vgg19(), 32)
    picture, other = torch.rand(2, 1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    small, large = (F.interpolate(picture, size, mode="bilinear") for size in (48, 96))
    changed = (extractor(small) - extractor(large)).norm()
    assert changed < 0.3 * (extractor(small) - extractor(F.interpolate(other, 48))).norm()
