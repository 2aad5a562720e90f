from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from tests.training.conftest import paint
from tests.training.toys import recipe_of, run_in, trainer_of
from training.data import pack
from training.dcgan import (
    DCGANRecipe,
    DCGANTrainer,
    augmented,
    calibrate,
    gate,
    known_to,
    neighbours,
    slope,
)
from zoo.errors import CheckpointError, InputError
from zoo.methods.dcgan import DCGAN, DCGANConfig


def trainer(photos: Path, paintings: Path, folder: Path, **changes: Any) -> DCGANTrainer:
    recipe = recipe_of("dcgan", photos, paintings, **changes)
    return cast(DCGANTrainer, trainer_of("dcgan", recipe, run_in(folder)))


def test_each_side_learns_while_the_other_stands_still(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    rates = {"generator": (3e-3, 1e-6), "discriminator": (3e-5, 100.0)}
    for name, (rate, share) in rates.items():
        made = trainer(photos, paintings, tmp_path / name, lr=rate, discriminator_rate=share)
        losses = [made.step()[name].item() for _ in range(15)]  # always on the same batch
        assert losses[-1] < losses[0] - 0.02


def test_crops_too_small_for_features_are_refused(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--judged pixels"):
        trainer(photos, paintings, tmp_path / "run", judged="features", size=16)


@pytest.mark.parametrize(
    "changes",
    [
        {"published": True, "objective": "bce", "spectral": False, "augment": "none"},
        {"penalty": 10.0, "noise": 0.1, "objective": "bce", "smooth": 0.9},
        {"objective": "lsgan", "augment": "gentle"},
        {"judged": "features", "penalty": 1.0, "size": 32, "load_size": 36},
    ],
    ids=["paper", "penalty", "least squares", "features"],
)
def test_every_variant_makes_finite_steps(
    photos: Path, paintings: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", **changes)
    before = made.method.generator.last[-1].weight.clone()  # type: ignore[union-attr, index]
    for _ in range(2):
        losses = made.step()
        made.done += 1
    assert all(loss.isfinite() for loss in losses.values())
    assert ("slope" in losses) == ("penalty" in changes)
    assert not torch.equal(made.method.generator.last[-1].weight, before)  # type: ignore[union-attr, index]


def test_a_side_that_is_no_power_of_two_is_refused(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="48 is not a power of two"):
        trainer(photos, paintings, tmp_path / "run", size=48)


def test_noise_fades_in_the_first_half(photos: Path, paintings: Path, tmp_path: Path) -> None:
    made = trainer(
        photos, paintings, tmp_path / "run", noise=0.2, augment="none", steps=1000, batch_size=4
    )
    black = torch.zeros(4, 3, 16, 16)
    for done, deviation in ((0, 0.2), (250, 0.1), (500, 0.0), (900, 0.0)):
        made.done = done
        assert made.shown(black, "real").std() == pytest.approx(deviation, rel=0.1)


def test_the_kept_generator_has_statistics_of_its_own() -> None:
    torch.manual_seed(0)
    method = DCGAN(DCGANConfig(width=4, size=16)).eval().requires_grad_(False)
    calibrate(method, 128)
    first, norm = method.generator.body[0], method.generator.body[1]
    assert isinstance(norm, nn.BatchNorm2d)
    features = first(method.codes(10**6, 128)[:, :, None, None])
    torch.testing.assert_close(norm.running_mean, features.mean((0, 2, 3)))
    variance = torch.stack([part.var((0, 2, 3)) for part in features.split(64)]).mean(0)
    torch.testing.assert_close(norm.running_var, variance)
    assert not norm.training
    assert norm.momentum == 0.1
    # Pictures are then normalised as in training: features have deviation 1.
    assert norm(features).std() == pytest.approx(1, abs=0.05)


def test_the_slope_of_a_linear_judge_is_its_weight() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 4)
    images = torch.randn(5, 3, 4, 4, requires_grad=True)
    found = slope((images * weight).sum((1, 2, 3)), images)
    torch.testing.assert_close(found, weight.square().sum())
    bent = slope((images**2).sum((1, 2, 3)), images)
    bent.backward()  # it can itself be learned from
    assert images.grad is not None
    torch.testing.assert_close(images.grad, 8 * images.detach() / 5)


def test_augmentation_does_what_its_numbers_say() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 16, 16) - 0.5
    # Brightness, saturation, contrast; shift down and right; middle of the hole, outside here.
    still = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0]])

    def with_(**changes: float) -> torch.Tensor:
        names = ("brightness", "saturation", "contrast", "down", "right", "top", "left")
        numbers = still.clone()
        for name, value in changes.items():
            numbers[0, names.index(name)] = value
        return augmented(images, numbers)

    plain = with_()
    torch.testing.assert_close(plain[..., 4:, :], images[..., 4:, :])
    assert not plain[..., :4, :4].any()  # a quarter of the hole
    torch.testing.assert_close(plain[..., :4, 4:], images[..., :4, 4:])
    brighter = with_(brightness=0.9)
    torch.testing.assert_close(brighter[..., 4:, :], images[..., 4:, :] + 0.4)
    gray = with_(saturation=0.0)[..., 4:, :]
    torch.testing.assert_close(gray, images.mean(1, keepdim=True).expand(-1, 3, -1, -1)[..., 4:, :])
    flat = with_(contrast=0.0)[..., 4:, :]
    expected = images.mean() + 0.5 * (images - images.mean())
    torch.testing.assert_close(flat, expected[..., 4:, :])
    shifted = with_(down=0.0, right=0.99)
    torch.testing.assert_close(shifted[..., 6:, :14], images[..., 4:14, 2:])
    assert not shifted[..., 14:].any()
    hole = with_(top=0.5, left=0.5) == 0
    assert hole.all(1).sum() == 64
    assert hole[..., 4:12, 4:12].all()
    torch.testing.assert_close(augmented(images, still, holes=False), images)
    images.requires_grad_()
    augmented(images, still).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


class Fixed(DCGAN):
    """Gives the same pictures every time."""

    pictures: Tensor

    def forward(self, *, samples: int = 16, **others: Any) -> Tensor:
        return self.pictures[:samples]


def test_collapse_and_copies_are_not_published(tmp_path: Path) -> None:
    for folder, seeds in (("known", range(8)), ("fresh", range(50, 58))):
        (tmp_path / folder).mkdir()
        for seed in seeds:
            paint(tmp_path / folder / f"{seed}.png", seed, 40, 32)
        pack(tmp_path / folder, tmp_path / f"{folder}-pack", 32)
    recipe = DCGANRecipe(portraits=tmp_path / "known-pack", size=32, load_size=32)
    known = known_to(recipe)
    assert known.shape == (8, 3, 32, 32)
    method = Fixed(DCGANConfig(width=4, size=32))
    method.pictures = known_to(replace(recipe, portraits=tmp_path / "fresh-pack"))
    measured = gate(method, [], recipe)
    assert [metric.value > 0.6 for metric in measured] == [True, True]
    nearest = neighbours(method, recipe)
    assert nearest.shape == (16, 3, 32, 32)
    assert all((known == found).flatten(1).all(1).any() for found in nearest[8:])
    method.pictures = known.flip(3)
    with pytest.raises(CheckpointError, match=r"Distance from training pictures is 0\.00"):
        gate(method, [], recipe)
    method.pictures = method.pictures[:1].expand(8, -1, -1, -1)
    with pytest.raises(CheckpointError, match=r"Diversity is 0\.00"):
        gate(method, [], recipe)
