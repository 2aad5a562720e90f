import pytest
import torch
from torch import Tensor

from training.losses import NormalisedEncoder
from zoo.errors import InputError
from zoo.methods.adain import LAYER, AdaIN, AdaINConfig, adain
from zoo.nn.stats import mean_std
from zoo.nn.vgg import vgg19


@pytest.fixture(scope="module")
def method() -> AdaIN:
    torch.manual_seed(0)
    return AdaIN(AdaINConfig(width=4)).eval().requires_grad_(False)


def picture(seed: int, height: int = 48, width: int = 64) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_adain_gives_channels_the_styles_mean_and_deviation() -> None:
    content, style = torch.randn(2, 5, 9, 7), 3 * torch.randn(2, 5, 4, 8) + 2
    found = adain(content, style)
    for b in range(2):
        for c in range(5):
            mean, deviation = content[b, c].mean(), content[b, c].std(correction=0)
            target = style[b, c].std(correction=0), style[b, c].mean()
            expected = (content[b, c] - mean) / deviation * target[0] + target[1]
            torch.testing.assert_close(found[b, c], expected, atol=1e-3, rtol=1e-3)


def test_strength_goes_from_the_photo_to_the_style(method: AdaIN) -> None:
    content, style = picture(0), picture(1, 40, 40) ** 3
    torch.testing.assert_close(method(content, style, strength=0.0), content, atol=1e-5, rtol=0)
    away = [(method(content, style, strength=s) - content).abs().mean() for s in (0.02, 1.0)]
    assert 0 < away[0] < away[1]


def test_styles_are_blended_by_their_shares(method: AdaIN) -> None:
    content, first, second = picture(0), picture(1) ** 3, picture(2).sqrt()
    alone = method(content, first)
    same = method(content, first, more_styles=[first, first], style_weights=[1.0, 2.0, 3.0])
    torch.testing.assert_close(same, alone, atol=2e-3, rtol=0)
    only = method(content, second, more_styles=[first], style_weights=[0.0, 1.0])
    torch.testing.assert_close(only, alone, atol=2e-3, rtol=0)
    between = method(content, first, more_styles=[second])
    assert not torch.allclose(between, alone, atol=1e-3)
    with pytest.raises(InputError, match="3 shares for 2 pictures"):
        method(content, first, more_styles=[second], style_weights=[1.0, 1.0, 1.0])


def test_a_batch_of_two_is_two_singles(method: AdaIN) -> None:
    contents, styles = torch.cat([picture(0), picture(1)]), torch.cat([picture(2), picture(3)])
    together = method(contents, styles)
    for i in range(2):
        alone = method(contents[i, None], styles[i, None])
        torch.testing.assert_close(together[i, None], alone, atol=2e-3, rtol=0)


def test_a_flat_style_picture_does_no_harm(method: AdaIN) -> None:
    result = method(picture(0), torch.full((1, 3, 16, 16), 0.5))
    assert result.isfinite().all()
    assert 0 <= result.min() <= result.max() <= 1


def test_training_and_painting_see_the_same_features(method: AdaIN) -> None:
    picture_ = picture(5)
    normalised = NormalisedEncoder(vgg19(), picture_, [LAYER])
    found = normalised(picture_)[LAYER] * normalised.scale[LAYER]
    torch.testing.assert_close(found, method.encode(picture_), rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(normalised(picture_)[LAYER].mean((2, 3)).median(), torch.tensor(1.0))


def halves(width: int) -> Tensor:
    """Two labels side by side, ``(1, 1, 1, width)``."""
    return (torch.arange(width) >= width // 2).long().view(1, 1, 1, -1)


def test_each_region_gets_the_statistics_of_its_own_in_the_style(
    method: AdaIN, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Tensor] = []
    decode = method.decode

    def noted(features: Tensor) -> Tensor:
        decoded.append(features)
        return decode(features)

    monkeypatch.setattr(method, "decode", noted)
    content, style = picture(0, 64, 96), torch.cat([picture(1, 64) ** 3, picture(2, 64).sqrt()], 3)
    maps = {"content_regions": halves(96)}
    method(content, style, style_regions=halves(128), **maps)
    method(content, style, style_regions=1 - halves(128), **maps)
    before, looks = method.encode(content).split(6, 3), method.encode(style).split(8, 3)
    for target, sides in zip(decoded, (looks, looks[::-1]), strict=True):
        for half, mine, side in zip(target.split(6, 3), before, sides, strict=True):
            (mean, deviation), (wanted_mean, wanted) = mean_std(half), mean_std(side)
            torch.testing.assert_close(mean, wanted_mean, atol=0.1, rtol=1e-2)
            varied = mean_std(mine)[1] > 1  # what is flat in the photo stays so
            torch.testing.assert_close(deviation[varied], wanted[varied], atol=0.1, rtol=1e-2)


def test_what_is_repainted_in_one_region_of_the_style_stays_in_that_of_the_photo(
    method: AdaIN,
) -> None:
    content, style = picture(0, 48, 256), picture(1, 48, 256)
    repainted = style.clone()
    repainted[..., 192:] **= 3  # further from the left half than relu4_1 sees
    maps = {"content_regions": halves(256), "style_regions": halves(256)}
    change = (method(content, style, **maps) - method(content, repainted, **maps)).abs()
    assert change[..., :64].max() < 1e-4
    assert change[..., 160:].mean() > 1e-2


def test_regions_are_of_the_first_of_several_styles(method: AdaIN) -> None:
    content, first, second = picture(0), picture(1) ** 3, picture(2).sqrt()
    maps = {"content_regions": halves(64), "style_regions": halves(64)}
    apart, whole = method(content, first, **maps), method(content, second)
    blend = {"more_styles": [second], **maps}
    only = method(content, first, style_weights=[1.0, 0.0], **blend)
    torch.testing.assert_close(only, apart, atol=2e-3, rtol=0)
    none = method(content, first, style_weights=[0.0, 1.0], **blend)
    torch.testing.assert_close(none, whole, atol=2e-3, rtol=0)
    kept = method(content, first, strength=0.0, **maps)
    torch.testing.assert_close(kept, content, atol=1e-5, rtol=0)
