import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from training.faults import (
    checkerboard,
    color_drift,
    contrast,
    diversity,
    fingerprints,
    frame,
    luminance_correlation,
    memorisation,
    nearest,
)
from zoo.nn.vgg import vgg19


def texture(seed: int, height: int = 128, width: int = 160) -> Tensor:
    """Noise with the falling spectrum of a photo."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, height, width)
    for octave in range(2, 8):
        noise = torch.randn(1, 3, 2**octave, 2**octave, generator=generator)
        total += F.interpolate(noise, (height, width), mode="bicubic") / 2**octave
    return (total - total.min()) / (total.max() - total.min())


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


def test_a_frame_is_seen_and_a_picture_that_darkens_outwards_is_not() -> None:
    photo = texture(1)
    framed = photo.clone()
    framed[..., :4, :] *= 0.8
    framed[..., :4] *= 0.8
    framed[..., -4:, :] *= 0.8
    framed[..., -4:] *= 0.8
    assert frame(framed, photo) > 0.05
    assert frame(photo * torch.linspace(0.5, 1, 160), photo) < 0.02


def test_drift_and_contrast() -> None:
    photo = texture(2)
    shifted = photo.clone()
    shifted[:, 1] += 0.25
    assert color_drift(shifted, photo) == pytest.approx(0.25, abs=1e-5)
    assert contrast(0.5 * photo + 0.2, photo) == pytest.approx(0.5, abs=1e-4)


def test_a_negative_is_seen_and_a_repainted_photo_is_not() -> None:
    photo = texture(3)
    assert luminance_correlation(photo, photo) == pytest.approx(1)
    assert luminance_correlation(1 - photo, photo) == pytest.approx(-1)
    repainted = 0.6 * photo.pow(1.8).flip(1) + 0.1 + 0.05 * torch.rand(photo.shape)
    assert luminance_correlation(repainted, photo) > 0.5
    assert abs(luminance_correlation(texture(4), photo)) < 0.5
    assert luminance_correlation(torch.full_like(photo, 0.5), photo) == pytest.approx(0)


def textures(seeds: range, side: int = 64) -> Tensor:
    return torch.cat([texture(seed, side, side) for seed in seeds])


def test_results_that_are_all_alike_are_seen() -> None:
    encoder = vgg19()
    varied = diversity(textures(range(6)), encoder)
    generator = torch.Generator().manual_seed(0)
    alike = textures(range(1)).expand(6, -1, -1, -1)
    alike = (alike + 0.01 * torch.randn(alike.shape, generator=generator)).clamp(0, 1)
    assert diversity(alike, encoder) < 0.6 * varied
    two = torch.cat([textures(range(1)), textures(range(1))])
    assert diversity(two, encoder) == pytest.approx(0, abs=1e-3)


def test_a_fingerprint_knows_no_size_and_no_brightness() -> None:
    encoder = vgg19()
    photo = texture(0, 128, 128)
    small = F.interpolate(photo, (64, 64), mode="bilinear", antialias=True)
    near = (fingerprints(photo, encoder) - fingerprints(small, encoder)).norm()
    dark = (fingerprints(photo, encoder) - fingerprints(0.8 * photo, encoder)).norm()
    other = (fingerprints(photo, encoder) - fingerprints(texture(1, 128, 128), encoder)).norm()
    assert near < 0.1 * other
    assert dark < 0.5 * other


def test_copies_of_training_pictures_are_seen() -> None:
    encoder = vgg19()
    known, fresh = textures(range(8)), textures(range(8, 11))
    distance, index = nearest(known[[3, 7]].flip(3), known, encoder)
    assert index.tolist() == [[3], [7]]
    assert distance.max() < 1e-3
    generator = torch.Generator().manual_seed(0)
    copied = known[:3] + 0.01 * torch.randn(known[:3].shape, generator=generator)
    copied[0] = copied[0].flip(2)
    assert memorisation(copied, known, encoder) < 0.6
    assert memorisation(fresh, known, encoder) > 0.9
