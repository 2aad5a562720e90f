from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.training.toys import recipe_of, run_in, trainer_of
from training.cyclegan import CycleGANRecipe, CycleGANTrainer, gate
from zoo.errors import CheckpointError
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig, Generator


def trainer(photos: Path, paintings: Path, folder: Path, **changes: Any) -> CycleGANTrainer:
    recipe = recipe_of("cyclegan", photos, paintings, **changes)
    return cast(CycleGANTrainer, trainer_of("cyclegan", recipe, run_in(folder)))


def test_the_losses_are_those_of_the_paper(photos: Path, paintings: Path, tmp_path: Path) -> None:
    made = trainer(photos, paintings, tmp_path / "run", identity_weight=0.25)
    real_a, real_b = (2 * made.batch(stream) - 1 for stream in (made.a, made.b))
    seen_a, seen_b = made.seen(real_a, "exposure_a"), made.seen(real_b, "exposure_b")
    assert not torch.allclose(seen_a, real_a, atol=0.01)
    there, back = made.a_to_b, made.b_to_a
    with torch.no_grad():
        fake_b, fake_a = there(seen_a), back(seen_b)
        cycle = F.l1_loss(back(fake_b), real_a) + F.l1_loss(there(fake_a), real_b)
        identity = F.l1_loss(there(real_b), real_b) + F.l1_loss(back(real_a), real_a)
        judged_a, judged_b = made.judge_a(fake_a), made.judge_b(fake_b)
        fooling = (judged_a - 1).square().mean() + (judged_b - 1).square().mean()
        telling = 0.5 * (
            (made.judge_a(real_a) - 1).square().mean()
            + judged_a.square().mean()
            + (made.judge_b(real_b) - 1).square().mean()
            + judged_b.square().mean()
        )
    expected = {
        "adversarial": fooling,
        "cycle": cycle,
        "identity": identity,
        "total": fooling + 10 * (cycle + 0.25 * identity),
        "discriminators": telling,  # the pool is not full yet
    }
    found = made.step()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].detach(), value, atol=1e-4, rtol=1e-4)


def test_the_discriminators_are_shown_earlier_results(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", pool=4)
    shown: list[Tensor] = []
    pool = made.pool_b

    def watched(images: Tensor, random: Any) -> Tensor:
        found = pool(images, random)
        shown.append((found - images).abs().amax((1, 2, 3)))
        return found

    made.pool_b = watched  # type: ignore[assignment]
    for _ in range(10):
        made.step()
        made.done += 1
    assert torch.cat(shown[:2]).max() == 0
    traded = torch.cat(shown[2:]) > 0
    assert 0 < traded.sum() < len(traded)


class Same(Generator):
    """Gives back what it gets, or its negative."""

    sign = 1.0

    def forward(self, images: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        return self.sign * images


def test_inverted_colours_are_reported_while_training(
    photos: Path, paintings: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = trainer(photos, paintings, tmp_path / "run")
    result = cast(CycleGAN, made.result)
    for way in ("AtoB", "BtoA"):
        result.generators[way].__class__ = Same
    with torch.no_grad():
        made.sample()
        assert not caplog.records
        result.generators["BtoA"].sign = -1.0  # type: ignore[assignment]
        pictures = made.sample()
    assert pictures.shape == (16, 3, 32, 32)
    assert "BtoA: light and dark have changed places (-1.00)" in caplog.text
    assert "AtoB" not in caplog.text


def test_negatives_are_not_published() -> None:
    recipe = CycleGANRecipe(domain_a=Path("a"), domain_b=Path("b"))
    method = CycleGAN(CycleGANConfig(width=4, blocks=1))
    for generator in method.generators.values():
        generator.__class__ = Same
    photos = [torch.rand(1, 3, 33, 47), torch.rand(1, 3, 16, 16)]
    measured = gate(method, photos, recipe)
    assert [metric.value for metric in measured] == [1.0, 0.0, 1.0, 0.0]
    assert gate(method, [], recipe) == []
    method.generators["BtoA"].sign = -1.0  # type: ignore[assignment]
    with pytest.raises(CheckpointError, match="BtoA: light and dark change places"):
        gate(method, photos, recipe)


def test_discriminators_can_see_other_pictures_and_learn_first(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", judge_extra=2, judge_warmup=1, pool=4)
    reals = made.reals(2)
    batch = made.recipe.batch_size
    seen: list[Tensor] = []
    made.judge_b.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    generators = [p.clone() for p in made.method.parameters()]
    assert made.step().keys() == {"discriminators"}
    with torch.no_grad():
        first = made.a_to_b(reals[0])
    torch.testing.assert_close(seen.pop(), torch.cat([reals[1], first]))
    assert not torch.equal(reals[1][:batch], reals[1][batch : 2 * batch])
    assert all(map(torch.equal, made.method.parameters(), generators))
    made.done = 1
    made.step()
    _, told = seen  # the first are the results that generators are updated on
    assert len(told) == 3 * batch + batch + 2 * batch  # real, of this step, earlier
    assert not any(map(torch.equal, made.method.parameters(), generators))


def test_without_norms_a_change_begins_with_the_photo_and_sees_its_light(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", norm="none", skip=True, judged="features")
    assert not any("Norm" in type(module).__name__ for module in made.method.modules())
    real = 1.8 * made.batch(made.a) - 0.9
    with torch.no_grad():
        assert (made.a_to_b(real) - real).abs().max() < 0.05
        dark, light = (cast(Generator, made.a_to_b).body(real + shift) for shift in (-0.1, 0.1))
    assert not torch.allclose(dark, light, atol=1e-3)
    made.step()
