import pytest
import torch
from torch import Tensor

from tests.pictures import texture
from training.faults import contrast, diversity, frame, memorisation, nearest
from zoo.nn.vgg import vgg19


def test_a_frame_is_seen_and_a_picture_that_darkens_outwards_is_not() -> None:
    photo = texture(1)
    framed = photo.clone()
    framed[..., :4, :] *= 0.8
    framed[..., :4] *= 0.8
    framed[..., -4:, :] *= 0.8
    framed[..., -4:] *= 0.8
    assert frame(framed, photo) > 0.05
    assert frame(photo * torch.linspace(0.5, 1, 160), photo) < 0.02


def test_a_faded_picture_has_less_contrast() -> None:
    photo = texture(2)
    assert contrast(0.5 * photo + 0.2, photo) == pytest.approx(0.5, abs=1e-4)


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
