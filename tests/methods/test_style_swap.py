import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import InputError
from zoo.methods.style_swap import StyleSwap, StyleSwapConfig, match, rebuild


def features(seed: int, height: int, width: int, channels: int = 8) -> Tensor:
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed))


def published_match(content: Tensor, style: Tensor, size: int) -> Tensor:
    """As the paper writes it: a convolution with all normalised style patches, then argmax."""
    patches = F.unfold(style, size)[0].T  # (patches, C size²)
    filters = (patches / patches.norm(dim=1, keepdim=True)).view(-1, style.shape[1], size, size)
    return F.conv2d(content, filters)[0].argmax(0)


def published_rebuild(style: Tensor, chosen: Tensor, size: int, shape: tuple[int, int]) -> Tensor:
    patches = F.unfold(style, size)[0][:, chosen.flatten()][None]
    count = F.fold(torch.ones_like(patches), shape, size)
    return F.fold(patches, shape, size) / count


@pytest.mark.parametrize("size", [1, 3, 5])
def test_matching_and_rebuilding_are_the_papers(size: int) -> None:
    content, style = features(0, 13, 11), features(1, 9, 14)
    chosen = match(content, style, size)
    assert torch.equal(chosen, published_match(content, style, size))
    expected = published_rebuild(style, chosen, size, (13, 11))
    torch.testing.assert_close(rebuild(style, chosen, size), expected)


@pytest.mark.parametrize("block", [1, 500, 3000, 20_000])
def test_blocks_change_nothing(block: int) -> None:
    content, style = features(2, 24, 17, 32), features(3, 21, 26, 32)
    whole = match(content, style, 3, block=10**9)
    assert torch.equal(match(content, style, 3, block), whole)


def test_of_equal_patches_the_first_is_taken_in_every_block() -> None:
    style = features(4, 6, 6).repeat(1, 1, 3, 3)
    content = features(5, 12, 12)
    whole = match(content, style, 3, block=10**9)
    assert torch.equal(match(content, style, 3, block=1000), whole)


def test_a_picture_swapped_with_itself_stays() -> None:
    same = features(6, 12, 15)
    for published in (True, False):
        method = StyleSwap(StyleSwapConfig(width=4, published=published))
        torch.testing.assert_close(method.swapped(same, same), same, atol=2e-4, rtol=0)


def test_the_repaired_swap_has_the_styles_statistics_and_the_published_one_has_faded() -> None:
    content, style = features(7, 40, 40).relu(), 3 * features(8, 40, 40).relu()
    for published, faded in ((True, True), (False, False)):
        method = StyleSwap(StyleSwapConfig(width=4, published=published))
        found = method.swapped(content, style).std((2, 3))
        ratio = (found / style.std((2, 3))).mean()
        assert (ratio < 0.9) == faded, ratio


def test_optimising_approaches_the_target_and_counts_its_steps() -> None:
    torch.manual_seed(0)
    method = StyleSwap(StyleSwapConfig(width=4)).eval()
    content, style = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    target = method.swapped(method.encode(content), method.encode(style))
    steps = list(method(content, style, mode="optimise", steps=10))
    assert [step.number for step in steps] == list(range(1, 11))
    errors = [F.mse_loss(method.encode(s.images), target).item() for s in (steps[0], steps[-1])]
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("published", [False, True])
def test_optimising_for_the_photos_own_features_draws_no_frame(published: bool) -> None:
    method = StyleSwap(StyleSwapConfig(width=4, published=published)).eval()
    flat = torch.full((1, 3, 32, 32), 0.6)
    *_, last = method.optimised(flat, method.encode(flat), 5)
    torch.testing.assert_close(last.images, flat, atol=1e-3, rtol=0)


@torch.no_grad()
def test_styles_are_blended_by_their_shares() -> None:
    torch.manual_seed(0)
    method = StyleSwap(StyleSwapConfig(width=4)).eval()
    content, first, second = (torch.rand(1, 3, 32, 32) ** power for power in (1, 3, 0.5))
    alone, other = method(content, first), method(content, second)
    blend = {"more_styles": [first, second]}
    found = method(content, first, style_weights=[1.0, 2.0, 0.0], **blend)
    torch.testing.assert_close(found, alone, atol=1e-4, rtol=0)
    found = method(content, first, style_weights=[0.0, 0.0, 2.0], **blend)
    torch.testing.assert_close(found, other, atol=1e-4, rtol=0)
    assert not torch.allclose(method(content, first, **blend), alone, atol=1e-3)
    with pytest.raises(InputError, match="2 shares for 3 pictures"):
        method(content, first, style_weights=[1.0, 1.0], **blend)


@torch.no_grad()
def test_strength_0_is_the_photo() -> None:
    method = StyleSwap(StyleSwapConfig(width=4)).eval()
    content, style = torch.rand(1, 3, 32, 48), torch.rand(1, 3, 48, 32)
    torch.testing.assert_close(method(content, style, strength=0.0), content, atol=1e-5, rtol=0)
    assert (method(content, style, strength=1.0) - content).abs().mean() > 0.01
