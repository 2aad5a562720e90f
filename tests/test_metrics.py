import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.machine import EXAMPLES
from benchmarks.quality import load
from tests.pictures import texture
from zoo.color import luminance
from zoo.methods.gatys import Objective
from zoo.metrics import (
    FIGURES,
    SEEN_AT,
    STYLE_LAYERS,
    PooledEfficientNet,
    PooledVGG,
    Reference,
    checkerboard,
    color_drift,
    content_error_vgg19,
    fid_vgg19,
    fingerprints,
    kid,
    kid_vgg19,
    luminance_correlation,
    perceptual_distance_vgg19,
    ssim,
    style_error_vgg19,
    warp_error,
)
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


def test_kid_on_other_features_is_the_same_estimator() -> None:
    made, wanted = flecks(3, 0), flecks(3, 1, scale=8)
    extractor = PooledEfficientNet()
    features = [torch.cat([extractor(x) for x in group]).double() for group in (made, wanted)]
    assert features[0].shape == (3, PooledEfficientNet.num_features)
    assert kid(made, wanted, extractor) == pytest.approx(reference_kid(*features), rel=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(
    ("photo", "classes"), [("cat", range(281, 286)), ("coffee", range(967, 969))]
)
def test_the_other_judge_knows_what_it_sees(photo: str, classes: range) -> None:
    extractor = PooledEfficientNet()
    picture = load(EXAMPLES / "photos" / f"{photo}.jpg", 512)
    assert int(extractor.network.classifier(extractor(picture)).argmax()) in classes


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


@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("axis", [2, 3])
def test_uneven_kernels_are_seen_and_an_even_blur_is_not(stride: int, axis: int) -> None:
    photo = texture(0)
    marks = torch.zeros(photo.shape[axis])
    marks[::stride] = 0.02
    uneven = photo + marks.view((-1, 1) if axis == 2 else (1, -1))
    assert checkerboard(uneven, photo) > 0.5
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    even = (kernel[:, None] * kernel).expand(3, 1, 3, 3)
    blurred = F.conv2d(F.pad(photo, (1, 1, 1, 1), mode="reflect"), even, groups=3)
    assert checkerboard(blurred, photo) < 0.2
    assert checkerboard(uneven, uneven) == 0  # the photo's own fence


def test_a_shifted_channel_is_seen() -> None:
    photo = texture(2)
    shifted = photo.clone()
    shifted[:, 1] += 0.25
    assert color_drift(shifted, photo) == pytest.approx(0.25, abs=1e-5)
    assert color_drift(photo.flip(3), photo) == pytest.approx(0, abs=1e-6)


def test_a_negative_is_seen_and_a_repainted_photo_is_not() -> None:
    photo = texture(3)
    assert luminance_correlation(photo, photo) == pytest.approx(1)
    assert luminance_correlation(1 - photo, photo) == pytest.approx(-1)
    repainted = 0.6 * photo.pow(1.8).flip(1) + 0.1 + 0.05 * torch.rand(photo.shape)
    assert luminance_correlation(repainted, photo) > 0.5
    assert abs(luminance_correlation(texture(4), photo)) < 0.5
    assert luminance_correlation(torch.full_like(photo, 0.5), photo) == pytest.approx(0)


def test_a_fingerprint_knows_no_size_and_no_brightness() -> None:
    encoder = vgg19()
    photo = texture(0, 128, 128)
    small = F.interpolate(photo, (64, 64), mode="bilinear", antialias=True)
    near = (fingerprints(photo, encoder) - fingerprints(small, encoder)).norm()
    dark = (fingerprints(photo, encoder) - fingerprints(0.8 * photo, encoder)).norm()
    other = (fingerprints(photo, encoder) - fingerprints(texture(1, 128, 128), encoder)).norm()
    assert near < 0.1 * other
    assert dark < 0.5 * other


def picture(seed: int, height: int = 64, width: int = 80) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 8, width // 8, generator=source)
    return F.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


@torch.no_grad()
def test_the_content_error_is_its_sum() -> None:
    encoder, result, photo = vgg19(), picture(0), picture(1)
    found, wanted = (encoder(x, ["relu4_2"])["relu4_2"][0].tolist() for x in (result, photo))
    pairs = [
        (a, b)
        for plane, other in zip(found, wanted, strict=True)
        for row, beside in zip(plane, other, strict=True)
        for a, b in zip(row, beside, strict=True)
    ]
    expected = sum((a - b) ** 2 for a, b in pairs) / sum(b**2 for _, b in pairs)
    assert content_error_vgg19(result, photo, encoder) == pytest.approx(expected, rel=1e-4)
    assert content_error_vgg19(photo, photo, encoder) == 0


@torch.no_grad()
def test_the_style_error_is_that_of_the_published_code() -> None:
    encoder, result, style = vgg19(), picture(0, 32, 32), picture(1, 32, 48)
    expected = 0.0
    for layer in STYLE_LAYERS:
        grams = []
        for image in (result, style):
            (features,) = encoder(image, [layer])[layer].double()
            columns = features.flatten(1).T  # the features of one pixel each
            total = torch.zeros(len(features), len(features), dtype=torch.float64)
            for column in columns:
                total += column[:, None] * column[None]
            grams.append(total / len(columns))
        count = len(grams[0])
        expected += float((grams[0] - grams[1]).square().sum()) / count**2 / count**2
    assert style_error_vgg19(result, style, encoder) == pytest.approx(expected, rel=1e-4)
    objective = Objective(encoder, result, [(style, 1.0)], style_weight=1.0)
    assert style_error_vgg19(result, style, encoder) == pytest.approx(
        float(objective.terms(result)["style"]), rel=1e-5
    )
    # Where things are does not matter.
    assert style_error_vgg19(style.flip(3), style, encoder) < 0.5 * expected


@torch.no_grad()
def test_the_perceptual_distance_is_that_of_directions() -> None:
    encoder, result, photo = vgg19(), picture(0, 32, 32), picture(1, 32, 32)
    expected = 0.0
    for layer in SEEN_AT:
        (a,), (b,) = (encoder(x, [layer])[layer].double() for x in (result, photo))
        height, width = a.shape[1:]
        for y in range(height):
            for x in range(width):
                one, other = a[:, y, x], b[:, y, x]
                difference = one / one.norm() - other / other.norm()
                expected += float(difference.square().sum()) / (height * width)
    assert perceptual_distance_vgg19(result, photo, encoder) == pytest.approx(expected, rel=1e-4)
    (first,), (second,) = (fingerprints(x, encoder, side=32) for x in (result, photo))
    assert float((first - second).square().sum()) == pytest.approx(expected, rel=1e-4)
    assert 0 < perceptual_distance_vgg19(0.9 * photo, photo, encoder) < 0.5 * expected


def test_ssim_is_the_papers_formula() -> None:
    result, photo = picture(0, 40, 44), picture(1, 40, 44)
    a, b = (
        F.pad(luminance(x.double()), (5, 5, 5, 5), mode="reflect")[0, 0] for x in (result, photo)
    )
    offsets = torch.arange(11, dtype=torch.float64) - 5
    line = (-offsets.square() / (2 * 1.5**2)).exp()
    window = (line[:, None] * line) / line.sum() ** 2
    values = []
    for y in range(40):
        for x in range(44):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mean_p, mean_q = (window * p).sum(), (window * q).sum()
            var_p = (window * p * p).sum() - mean_p**2
            var_q = (window * q * q).sum() - mean_q**2
            both = (window * p * q).sum() - mean_p * mean_q
            values.append(
                (2 * mean_p * mean_q + 0.01**2)
                * (2 * both + 0.03**2)
                / ((mean_p**2 + mean_q**2 + 0.01**2) * (var_p + var_q + 0.03**2))
            )
    assert ssim(result, photo) == pytest.approx(float(torch.stack(values).mean()), abs=1e-6)
    assert ssim(photo, photo) == pytest.approx(1)
    assert ssim(1 - photo, photo) < 0


def test_all_figures_of_a_result_at_once_are_the_figures_one_by_one() -> None:
    encoder, photo, style, result = vgg19(), picture(0), picture(1), picture(2)
    reference = Reference(photo, encoder, style)
    found = reference.measure(result)
    unpainted = style_error_vgg19(photo, style, encoder)
    assert list(found) == [figure.key for figure in FIGURES]
    assert found == pytest.approx(
        {
            "content_error_vgg19": content_error_vgg19(result, photo, encoder),
            "style_error_vgg19": style_error_vgg19(result, style, encoder) / unpainted,
            "perceptual_distance_vgg19": perceptual_distance_vgg19(result, photo, encoder),
            "ssim": ssim(result, photo),
            "checkerboard": checkerboard(result, photo),
            "color_drift": color_drift(result, photo),
            "luminance_correlation": luminance_correlation(result, photo),
        },
        rel=1e-4,
    )
    assert reference.measure(result) == found  # to the last digit
    same = reference.measure(photo)
    assert (same["content_error_vgg19"], same["color_drift"], same["checkerboard"]) == (0, 0, 0)
    assert (same["style_error_vgg19"], same["ssim"]) == pytest.approx((1, 1))
    wanted = Reference(style, encoder, style).measure(style)
    assert wanted["style_error_vgg19"] is None  # a share of nothing


def test_what_cannot_be_said_is_left_out() -> None:
    encoder = vgg19()
    found = Reference(picture(0, 48, 48), encoder).measure(picture(1, 48, 48))
    assert [key for key, value in found.items() if value is None] == [
        "style_error_vgg19",
        "checkerboard",
    ]


def test_a_large_result_is_reduced_before_the_encoder_sees_it() -> None:
    encoder, photo, result = vgg19(), picture(0, 16, 640), picture(1, 16, 640)
    found = Reference(photo, encoder).measure(result)
    small = [F.interpolate(x, (16, 512), mode="bilinear", antialias=True) for x in (result, photo)]
    expected = content_error_vgg19(small[0], small[1], encoder)
    assert found["content_error_vgg19"] == pytest.approx(expected, rel=1e-4)
    assert expected != pytest.approx(content_error_vgg19(result, photo, encoder), rel=1e-2)


def moving(shift: int) -> Tensor:
    """A window of 96 × 96 pixels on a wide picture, moved to the right."""
    return picture(3, 96, 160)[..., 16 + shift : 112 + shift]


def test_a_result_that_moves_with_its_photo_does_not_flicker() -> None:
    photos = (moving(0), moving(5))
    dark = (0.5 * photos[0], 0.5 * photos[1])
    steady, still = warp_error(photos, dark), warp_error(photos, (dark[0], dark[0]))
    flickering = warp_error(photos, (dark[0], (dark[1] + 0.1).clamp(0, 1)))
    assert steady < 1e-3
    assert still > 3 * steady  # a result that stays where it was lags behind
    assert flickering == pytest.approx(0.01, rel=0.25)
    assert warp_error((photos[0], photos[0]), (dark[0], dark[0])) < 1e-6


def test_what_comes_into_sight_does_not_count() -> None:
    photos = (moving(0), moving(12))
    changed = photos[1].clone()
    changed[..., -8:] = 1 - changed[..., -8:]  # what the first frame has not shown
    assert warp_error(photos, (photos[0], changed)) == pytest.approx(
        warp_error(photos, photos), abs=2e-4
    )
    seen = photos[1].clone()
    seen[..., 40:48] = 1 - seen[..., 40:48]
    assert warp_error(photos, (photos[0], seen)) > 1e-3
