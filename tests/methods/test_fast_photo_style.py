from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.sparse import csc_matrix, diags, identity
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.pictures import halves, photo
from training.faults import frame
from zoo import checkpoint
from zoo.__main__ import main
from zoo.methods import METHODS
from zoo.methods.fast_photo_style import (
    BETA,
    CHUNK,
    REACH,
    STEPS,
    FastPhotoStyle,
    FastPhotoStyleConfig,
    affinity,
    covering,
    guided_filter,
    multiplication,
    smooth,
    system,
    wct,
)
from zoo.nn.blocks import encode
from zoo.nn.vgg import vgg19
from zoo.pipeline import Pipeline


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


def direct(photo: Tensor, colored: Tensor, published: bool) -> Tensor:
    """The smoothing step by SciPy's sparse LU."""
    matrix = matting_matrix(photo[0])
    sums = np.asarray(matrix.sum(1)).ravel()
    right = (1 - BETA) * colored[0].double().flatten(1).T.numpy()
    if published:
        root = diags(1 / np.sqrt(sums))
        system = identity(matrix.shape[0]) - BETA * root @ matrix @ root
    else:
        system, right = diags(sums) - BETA * matrix, sums[:, None] * right
    return torch.from_numpy(spsolve(system.tocsc(), right)).T.reshape(colored.shape)


def test_the_diagonals_are_the_matting_matrix() -> None:
    photo = texture(0, 9, 12)
    matrix = matting_matrix(photo[0]).toarray()
    bands = affinity(photo[0])
    found = np.zeros_like(matrix)
    for band, (dy, dx) in zip(bands, STEPS, strict=True):
        for y, x in np.ndindex(9, 12):
            if y + dy < 9 and 0 <= x + dx < 12:
                here, there = 12 * y + x, 12 * (y + dy) + x + dx
                found[here, there] = found[there, here] = band[y, x]
            else:
                assert band[y, x] == 0
    np.testing.assert_allclose(found, matrix, atol=1e-8)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (3, 7), (4, 9), (9, 12)])
def test_row_sums_are_numbers_of_windows(height: int, width: int) -> None:
    sums = np.asarray(matting_matrix(texture(0, height, width)[0]).sum(1)).reshape(height, width)
    np.testing.assert_allclose(covering(height, width).numpy(), sums, atol=1e-8)


def test_the_product_is_that_of_the_scaled_system() -> None:
    height, width = 7, 11
    photo = texture(4, height, width)
    matrix = matting_matrix(photo[0])
    plain = (diags(np.asarray(matrix.sum(1)).ravel()) - BETA * matrix).toarray()
    bands, scale = system(photo[0])
    x = torch.rand(2, height, width, generator=torch.Generator().manual_seed(0))
    padded, out = (torch.zeros(2, height, width + REACH) for _ in range(2))
    padded[..., :width] = x
    multiplication(bands, padded.flatten(1), out.flatten(1), width + REACH)()
    factor = scale.flatten().numpy()
    expected = factor[:, None] * plain * factor @ x.flatten(1).double().numpy().T
    np.testing.assert_allclose(out[..., :width].flatten(1).numpy().T, expected, atol=1e-5)
    assert not out[..., width:].any()


@pytest.mark.parametrize("published", [False, True])
def test_smoothing_equals_a_direct_solve(published: bool) -> None:
    photo = texture(1, 54, 96)
    colored = 0.5 * texture(2, 54, 96) + 0.5 * photo.flip(1)
    expected = direct(photo, colored, published)
    assert 255 * (smooth(photo, colored, published=published) - expected).abs().max() < 0.1


def test_smoothing_leaves_no_frame_and_the_published_way_does() -> None:
    photo, colored = texture(5, 48, 64), torch.full((1, 3, 48, 64), 0.6)
    assert 255 * (smooth(photo, colored) - colored).abs().max() < 0.1
    assert frame(smooth(photo, colored, published=True), colored, 1) > 0.1


def test_smoothing_keeps_edges_of_the_photo_and_gives_up_edges_it_has_not() -> None:
    photo = torch.full((1, 3, 32, 48), 0.2)
    photo[..., 24:] = 0.8
    photo = photo + 0.01 * texture(3, 32, 48)
    noisy = photo + 0.2 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    smoothed = smooth(photo, noisy)
    flat = smoothed[..., 4:28, 4:20]
    assert flat.std() < 0.3 * noisy[..., 4:28, 4:20].std()
    assert smoothed[..., 28:].mean() - smoothed[..., :20].mean() > 0.5


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


class Largest(TorchDispatchMode):
    """Notes the size of the largest float64 tensor that is made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.dtype == torch.float64:
            self.size = max(self.size, made.numel())
        return made


def test_float64_features_are_never_held_whole() -> None:
    content, style = torch.rand(3, 5 * CHUNK + 7), torch.rand(3, 2 * CHUNK)
    with Largest() as largest:
        found = wct(content, style)
    assert largest.size <= 3 * CHUNK
    torch.testing.assert_close(covariance(found), covariance(style), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.mean(1), style.mean(1), rtol=1e-4, atol=1e-4)


def test_features_without_variance_do_no_harm() -> None:
    content, style = torch.zeros(4, 50), torch.rand(4, 60)
    content[0] = torch.rand(50)
    assert wct(content, style).isfinite().all()
    assert wct(torch.ones(4, 50), style).isfinite().all()


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


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(FastPhotoStyle())


QUICK = {"size": 48, "smoothing": "none"}


def test_a_region_follows_its_own_region_of_the_style(pipeline: Pipeline) -> None:
    content = photo(48, 48)
    warm, cold = "#e08030", "#2060c0"
    style = Image.blend(halves(warm, cold), photo(48, 48, seed=3), 0.2)
    maps = {"content_regions": halves("red", "blue"), "style_regions": halves("red", "blue")}
    given = {"content": content, "style": style, **QUICK}
    (whole,) = pipeline(**given)
    (apart,) = pipeline(**given, **maps)
    (crossed,) = pipeline(**given, **maps | {"style_regions": halves("blue", "red")})
    assert whole.tobytes() != apart.tobytes()

    def sides(picture: Image.Image) -> tuple[float, float]:
        """How much more red than blue, left and right."""
        values = np.asarray(picture, dtype=float)
        difference = values[..., 0] - values[..., 2]
        return float(difference[:, :24].mean()), float(difference[:, 24:].mean())

    # The decoders are random, but the same: what each side gets swaps when the style's swap.
    straight, swapped = sides(apart), sides(crossed)
    assert abs(straight[0] - swapped[0]) > 1
    assert np.sign(straight[0] - swapped[0]) == -np.sign(straight[1] - swapped[1])


def test_regions_are_whitened_as_published_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    method = FastPhotoStyle(FastPhotoStyleConfig(published=True)).eval()
    seen: list[Tensor] = []

    def decode(moved: Tensor, *_: Any) -> Tensor:
        seen.append(moved)
        return moved

    monkeypatch.setattr(method, "decode", decode)
    content, style = texture(12, 48, 48), texture(13, 48, 40)
    mine = torch.zeros(1, 1, 48, 48)
    mine[..., 24:], mine[..., :2, :2] = 1, 2
    method.transfer(content, style, 1, (mine, torch.zeros(1, 1, 48, 40)))
    before, after = (encode(vgg19(), p, 1)[0][0] for p in (content, style))
    here = mine[0, 0] == 0
    wanted = wct(before[:, here], after.flatten(1), published=True)
    torch.testing.assert_close(seen[0][0][:, here], wanted)
    assert torch.equal(seen[0][0][:, ~here], before[:, ~here])


def test_keeping_the_colours_leaves_the_maps_alone(pipeline: Pipeline) -> None:
    given = {"content": photo(48, 48), "style": photo(48, 48, seed=2), **QUICK}
    # Of the same luma: a map that was made grey would have one region.
    maps = {name: halves("#ff0000", "#008200") for name in ("content_regions", "style_regions")}
    (plain,) = pipeline(**given, colors="luminance")
    (marked,) = pipeline(**given, **maps, colors="luminance")
    assert plain.tobytes() != marked.tobytes()


def test_the_command_line_takes_label_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "fast_photo_style", FastPhotoStyle)
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path)
    torch.manual_seed(0)
    checkpoint.save(FastPhotoStyle(), tmp_path / "photo-wct")
    files = {
        "content": photo(48, 48),
        "style": photo(48, 48, seed=2),
        "content-regions": halves("red", "blue"),
        "style-regions": halves("blue", "red"),
    }
    words = ["run", "fast_photo_style", "--size", "48", "--device", "cpu"]
    for name, picture in files.items():
        picture.save(tmp_path / f"{name}.png")
        words += [f"--{name}", str(tmp_path / f"{name}.png")]
    main.main([*words, "--out", str(tmp_path / "out.png")], standalone_mode=False)
    main.main([*words[:-4], "--out", str(tmp_path / "plain.png")], standalone_mode=False)
    assert (tmp_path / "out.png").read_bytes() != (tmp_path / "plain.png").read_bytes()
    with Image.open(tmp_path / "out.png") as out, Image.open(tmp_path / "plain.png") as plain:
        assert out.tobytes() != plain.tobytes()
