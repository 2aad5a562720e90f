from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.sparse import csc_matrix, diags, identity
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn import functional as F

from zoo.methods.fast_photo_style import (
    BETA,
    FastPhotoStyle,
    affinity,
    guided_filter,
    labels,
    normalised,
    product,
    smooth,
    wct,
    wct_by_region,
)
from zoo.nn.blocks import encode
from zoo.nn.vgg import vgg19


def texture(seed: int, height: int, width: int) -> Tensor:
    """Noise of several octaves in [0, 1], ``(1, 3, H, W)``: edges and gradients as in a photo."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for octave in range(1, 7):
        size = (max(2, 2**octave * height // width), 2**octave)
        noise = torch.randn(1, 3, *size, generator=generator)
        total += F.interpolate(noise, (height, width), mode="bicubic") / 2 ** (0.8 * octave)
    return (total - total.min()) / (total.max() - total.min())


def matting_matrix(photo: Tensor, epsilon: float = 1e-7) -> csc_matrix:
    """W of the paper, window by window as it is written."""
    _, height, width = photo.shape
    pixels = photo.double().permute(1, 2, 0).numpy()
    rows, columns, values = [], [], []
    numbers = np.arange(height * width).reshape(height, width)
    for y in range(height - 2):
        for x in range(width - 2):
            window = pixels[y : y + 3, x : x + 3].reshape(9, 3)
            centred = window - window.mean(0)
            covariance = centred.T @ centred / 9 + epsilon / 9 * np.eye(3)
            weights = (1 + centred @ np.linalg.solve(covariance, centred.T)) / 9
            members = numbers[y : y + 3, x : x + 3].ravel()
            rows.append(np.repeat(members, 9))
            columns.append(np.tile(members, 9))
            values.append(weights.ravel())
    arrays = (np.concatenate(part) for part in (values, rows, columns))
    data, row, column = arrays
    return csc_matrix((data, (row, column)), shape=(numbers.size, numbers.size))


def direct(photo: Tensor, colored: Tensor) -> Tensor:
    """The smoothing step by SciPy's sparse LU."""
    matrix = matting_matrix(photo[0])
    root = diags(1 / np.sqrt(np.asarray(matrix.sum(1)).ravel()))
    system = (identity(matrix.shape[0]) - BETA * root @ matrix @ root).tocsc()
    right = (1 - BETA) * colored[0].double().flatten(1).T.numpy()
    return torch.from_numpy(spsolve(system, right)).T.reshape(colored.shape)


def test_the_diagonals_are_the_matting_matrix() -> None:
    photo = texture(0, 9, 12)
    matrix = matting_matrix(photo[0])
    x = torch.rand(2, 9, 12, dtype=torch.float64)
    found = product(affinity(photo[0]), x)
    expected = torch.from_numpy(matrix @ x.flatten(1).T.numpy()).T.view_as(x)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
    sums = affinity(photo[0]).sum(0)
    torch.testing.assert_close(sums, sums.round(), atol=1e-8, rtol=0)  # windows over a pixel
    assert sums[0, 0].round() == 1
    assert sums[4, 5].round() == 9


def test_smoothing_equals_a_direct_solve() -> None:
    photo = texture(1, 54, 96)
    colored = 0.5 * texture(2, 54, 96) + 0.5 * photo.flip(1)
    error = 255 * (smooth(photo, colored) - direct(photo, colored)).abs().max()
    assert error < 0.1


def test_smoothing_keeps_edges_of_the_photo_and_gives_up_edges_it_has_not() -> None:
    photo = torch.full((1, 3, 32, 48), 0.2)
    photo[..., 24:] = 0.8
    photo = photo + 0.01 * texture(3, 32, 48)
    noisy = photo + 0.2 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    smoothed = smooth(photo, noisy)
    flat = smoothed[..., 4:28, 4:20]
    assert flat.std() < 0.3 * noisy[..., 4:28, 4:20].std()
    assert smoothed[..., 28:].mean() - smoothed[..., :20].mean() > 0.5


def test_the_system_is_symmetric_and_its_rows_bounded() -> None:
    bands = normalised(affinity(texture(4, 12, 10)[0]))
    x, y = torch.rand(2, 1, 12, 10, dtype=torch.float64)
    torch.testing.assert_close((x * product(bands, y)).sum(), (y * product(bands, x)).sum())


def guided_by_loops(photo: Tensor, colored: Tensor, radius: int, epsilon: float) -> Tensor:
    guide, wanted = (p[0].double().permute(1, 2, 0).numpy() for p in (photo, colored))
    height, width, _ = guide.shape
    slopes, offsets = np.zeros((height, width, 3, 3)), np.zeros((height, width, 3))

    def window(y: int, x: int) -> tuple[slice, slice]:
        return (
            slice(max(0, y - radius), y + radius + 1),
            slice(max(0, x - radius), x + radius + 1),
        )

    for y in range(height):
        for x in range(width):
            i, p = (a[window(y, x)].reshape(-1, 3) for a in (guide, wanted))
            covariance = np.cov(i.T, bias=True) + epsilon * np.eye(3)
            cross = (i - i.mean(0)).T @ (p - p.mean(0)) / len(i)
            slopes[y, x] = np.linalg.solve(covariance, cross)
            offsets[y, x] = p.mean(0) - i.mean(0) @ slopes[y, x]
    result = np.zeros_like(guide)
    for y in range(height):
        for x in range(width):
            slope = slopes[window(y, x)].reshape(-1, 3, 3).mean(0)
            offset = offsets[window(y, x)].reshape(-1, 3).mean(0)
            result[y, x] = guide[y, x] @ slope + offset
    return torch.from_numpy(result).permute(2, 0, 1)[None]


def test_the_guided_filter_is_the_papers() -> None:
    photo, colored = texture(5, 14, 11), texture(6, 14, 11)
    found = guided_filter(photo, colored, radius=3, epsilon=1e-3).double()
    torch.testing.assert_close(found, guided_by_loops(photo, colored, 3, 1e-3), atol=1e-6, rtol=0)


def covariance(features: Tensor) -> Tensor:
    return torch.cov(features.double())


def test_whitening_and_colouring_gives_the_styles_covariance_and_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(2, 32, 32, generator=generator)
    content = mix[0] @ torch.randn(32, 400, generator=generator)
    style = 5 * mix[1] @ torch.randn(32, 300, generator=generator) + 3
    found = wct(content, style)
    error = (covariance(found) - covariance(style)).norm() / covariance(style).norm()
    assert error < 1e-3
    torch.testing.assert_close(found.mean(1), style.mean(1), rtol=1e-4, atol=1e-4)


def test_the_covariance_is_met_on_real_features_too() -> None:
    encoder = vgg19()
    content, style = (encode(encoder, texture(s, 96, 96), 2)[0][0].flatten(1) for s in (7, 8))
    found = wct(content, style)
    error = (covariance(found) - covariance(style)).norm() / covariance(style).norm()
    assert error < 1e-3


def test_features_without_variance_do_no_harm() -> None:
    content, style = torch.zeros(4, 50), torch.rand(4, 60)
    content[0] = torch.rand(50)
    assert wct(content, style).isfinite().all()
    assert wct(torch.ones(4, 50), style).isfinite().all()


def test_regions_are_transferred_on_their_own_and_small_ones_stay() -> None:
    content, style = torch.rand(4, 200), torch.rand(4, 300)
    mine, theirs = torch.zeros(200), torch.zeros(300)
    mine[100:195], theirs[150:] = 1, 1
    mine[195:], theirs[:5] = 2, 2
    found = wct_by_region(content, style, mine, theirs)
    for label in (0, 1):
        here, there = mine == label, theirs == label
        torch.testing.assert_close(found[:, here], wct(content[:, here], style[:, there]))
    assert torch.equal(found[:, 195:], content[:, 195:])


def test_painted_maps_become_labels_despite_soft_edges() -> None:
    painted = torch.zeros(1, 3, 40, 60)
    painted[:, 0, :, 30:] = 1.0
    other = torch.zeros(1, 3, 50, 50)
    other[:, 0, 25:] = 0.98
    soft = F.interpolate(painted, (31, 47), mode="bicubic", antialias=True)
    mine, theirs = labels(soft, other)
    assert sorted(mine.unique().tolist()) == sorted(theirs.unique().tolist()) == [0, 1]
    assert mine[5, 5] == theirs[5, 5] != mine[5, 40]
    assert mine[5, 40] == theirs[40, 5]
    assert len(mine.unique()) == 2


def test_the_encoder_reflects_and_is_otherwise_the_shared_one() -> None:
    picture = texture(9, 128, 128)
    features, pools = encode(vgg19(), picture, 4)
    shared = vgg19()(picture, ["relu4_1"])["relu4_1"]
    assert features.shape == shared.shape
    middle = (..., slice(7, 9), slice(7, 9))
    torch.testing.assert_close(features[middle], shared[middle], rtol=1e-3, atol=1.0)
    assert [pool.size for pool in pools] == [(128, 128), (64, 64), (32, 32)]


@pytest.mark.parametrize("size", [(33, 47), (64, 50)])
@pytest.mark.parametrize(
    "change", [lambda: {}, lambda: {"smoothing": "guided"}, lambda: {"smoothing": "none"}]
)
@torch.no_grad()
def test_any_size_comes_back_as_it_was(
    size: tuple[int, int], change: Callable[[], dict[str, str]]
) -> None:
    method = FastPhotoStyle().eval()
    content, style = texture(10, *size), texture(11, 40, 40)
    result = method(content, style, **change())
    assert result.shape == content.shape
    assert result.isfinite().all()
    assert torch.equal(method(content, style, strength=0.0, **change()), content)


@torch.no_grad()
def test_regions_change_the_result() -> None:
    method = FastPhotoStyle().eval()
    content, style = texture(12, 48, 48), texture(13, 48, 48)
    regions = torch.zeros(1, 3, 48, 48)
    regions[..., 24:] = 1
    whole = method(content, style, smoothing="none")
    apart = method(
        content, style, smoothing="none", content_regions=regions, style_regions=regions.flip(3)
    )
    assert (whole - apart).abs().mean() > 1e-4
