import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from training.faults import checkerboard, color_drift, contrast, frame


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
