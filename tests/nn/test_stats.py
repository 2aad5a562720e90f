"""Feature statistics against naive loops."""

import pytest
import torch

from zoo.nn.stats import by_region, gram, mean_std, moments

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gram_and_its_gradient_equal_a_naive_loop(layout: torch.memory_format) -> None:
    features = torch.randn(2, 5, 6, 7).contiguous(memory_format=layout).requires_grad_()
    naive = torch.stack(
        [
            torch.stack(
                [torch.stack([(one[i] * one[j]).sum() / 42 for j in range(5)]) for i in range(5)]
            )
            for one in features
        ]
    )
    assert torch.allclose(gram(features), naive, atol=1e-6)
    weights = torch.randn(2, 5, 5)
    (found,) = torch.autograd.grad((gram(features) * weights).sum(), features)
    (wanted,) = torch.autograd.grad((naive * weights).sum(), features)
    assert torch.allclose(found, wanted, atol=1e-6)


def test_gram_is_float32_whatever_the_features_are() -> None:
    assert gram(torch.randn(1, 3, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_mean_std() -> None:
    features = torch.randn(2, 3, 5, 4)
    mean, deviation = mean_std(features)
    assert mean.shape == deviation.shape == (2, 3, 1, 1)
    one = features[1, 2].flatten().tolist()
    average = sum(one) / 20
    variance = sum((x - average) ** 2 for x in one) / 20
    assert float(mean[1, 2]) == pytest.approx(average, rel=1e-4, abs=1e-6)
    assert float(deviation[1, 2]) == pytest.approx((variance + 1e-5) ** 0.5, rel=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_moments_and_their_gradient_are_those_of_torch(layout: torch.memory_format) -> None:
    features = 3 + torch.randn(2, 5, 6, 7, dtype=torch.float64)
    features = features.contiguous(memory_format=layout).requires_grad_()
    wanted = torch.var_mean(features, (2, 3), correction=0, keepdim=True)[::-1]
    weights = torch.randn(2, 2, 5, 1, 1, dtype=torch.float64)
    for found, value in zip(moments(features), wanted, strict=True):
        torch.testing.assert_close(found, value)
    gradients = [
        torch.autograd.grad((weights[0] * mean + weights[1] * variance).sum(), features)[0]
        for mean, variance in (moments(features), wanted)
    ]
    torch.testing.assert_close(*gradients)


def test_autocast_leaves_moments_of_large_features_as_exact_as_they_are() -> None:
    features = 3 + torch.randn(1, 2, 128, 96)  # more pixels than one running sum takes
    with torch.autocast("cpu", torch.bfloat16):
        found = moments(features.bfloat16())
    for value, wanted in zip(found, moments(features.bfloat16()), strict=True):
        assert torch.equal(value, wanted)


def test_moments_of_bfloat16_lose_nothing_but_the_features_do() -> None:
    # A mean far from 0 is what rounding would be seen in.
    features = (50 + torch.randn(1, 4, 32, 32)).bfloat16().requires_grad_()
    exact = features.detach().double().requires_grad_()
    for found, value in zip(moments(features), moments(exact), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), value, rtol=1e-5, atol=0)
    (rough,) = torch.autograd.grad(moments(features)[1].sum(), features)
    (wanted,) = torch.autograd.grad(moments(exact)[1].sum(), exact)
    assert (rough - wanted).abs().max() < 0.01 * wanted.abs().max()
    assert abs(rough.double().mean()) < 1e-3 * wanted.abs().mean()


def test_labels_go_with_their_like_and_others_with_the_whole_style() -> None:
    generator = torch.Generator().manual_seed(0)
    content, style = (torch.rand(1, 4, *s, generator=generator) for s in ((20, 10), (15, 20)))
    mine, theirs = torch.zeros(200), torch.zeros(300)
    mine[100:150], theirs[150:290] = 1, 1
    mine[150:195] = 2  # not in the style
    mine[195:], theirs[290:] = 3, 3  # too small for statistics
    maps = mine.view(1, 1, 20, 10), theirs.view(1, 1, 15, 20)

    def change(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        assert some.ndim == others.ndim == 4
        return some - some.mean((2, 3), keepdim=True) + others.mean((2, 3), keepdim=True)

    found = by_region(change, content, style, maps).flatten(2)
    for label in (0, 1):
        here = content.flatten(2)[..., mine == label]
        there = style.flatten(2)[..., theirs == label]
        wanted = here - here.mean(2, keepdim=True) + there.mean(2, keepdim=True)
        torch.testing.assert_close(found[..., mine == label], wanted)
    torch.testing.assert_close(found[..., 150:], change(content, style).flatten(2)[..., 150:])


@pytest.mark.parametrize(("count", "changed"), [(99, True), (100, False)])
def test_the_published_way_gives_up_regions_of_unlike_sizes(count: int, changed: bool) -> None:
    content, style = torch.rand(1, 2, 1, 11), torch.rand(1, 2, 1, 11 * count)
    maps = torch.zeros(1, 1, 1, 11), torch.zeros(1, 1, 1, 11 * count)
    found = by_region(lambda some, _: some + 1, content, style, maps, published=True)
    assert torch.equal(found, content + 1 if changed else content)
