from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from tests.training.toys import free_port, processes, recipe_of, run_in, trainer_of
from training.adversarial import (
    AdversarialRecipe,
    AdversarialTrainer,
    ImagePool,
    discriminator_loss,
    exposed,
    frozen,
    generator_loss,
    mean_of_processes,
    share_batches,
)
from training.loop import CHECKPOINT, STATE, fit
from zoo.errors import CheckpointError


@pytest.fixture
def trainer(photos: Path, paintings: Path, tmp_path: Path) -> AdversarialTrainer[Any]:
    recipe = recipe_of("cyclegan", photos, paintings, discriminator_rate=4.0, weight_decay=0.1)
    made = trainer_of("cyclegan", recipe, run_in(tmp_path / "run"))
    assert isinstance(made, AdversarialTrainer)
    return made


@dataclass(frozen=True, kw_only=True)
class Long(AdversarialRecipe):
    steps: int = 200_000


def test_the_rate_is_constant_and_then_falls_to_zero() -> None:
    recipe = Long()  # 200 epochs of a thousand pictures
    epochs = {1: 2e-4, 100: 2e-4, 150: 1e-4, 199: 2e-6}
    for epoch, rate in epochs.items():
        assert recipe.rate(epoch * 1000) == pytest.approx(rate)
    assert recipe.rate(199_999) == pytest.approx(2e-9)
    halving = Long(cooldown=0.0, halve_every=100_000, lr=1e-4)
    found = [halving.rate(step) for step in (0, 99_999, 100_000, 199_999, 200_000)]
    assert found == pytest.approx([1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5])


def test_each_side_has_its_rate_and_memory(trainer: AdversarialTrainer[Any]) -> None:
    trainer.step()
    rates = {}
    for name in ("forgers", "judges"):
        (group,) = trainer.shared[name].state_dict()["param_groups"]
        rates[name] = group["lr"]
        assert group["betas"] == (0.5, 0.999)
        assert group["weight_decay"] == 0.1
    assert rates["forgers"] == trainer.recipe.rate(0)
    assert rates["judges"] == 4 * rates["forgers"]


def test_what_is_shared_counts_once(trainer: AdversarialTrainer[Any]) -> None:
    shared, own = nn.Linear(2, 2), nn.Linear(2, 2)
    both = trainer.optimizer([shared, nn.Sequential(shared, own)], "both")
    assert len(both.param_groups[0]["params"]) == 4


@pytest.mark.parametrize("name", ["cyclegan", "munit", "drit", "cartoongan", "dcgan"])
def test_generators_are_trained_with_muon_where_the_recipe_asks(
    name: str, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    phases = {"munit": {"judge_warmup": 0}, "cartoongan": {"warmup": 0}}.get(name, {})
    recipe = recipe_of(name, photos, paintings, optimizer="muon", **phases)
    trainer = trainer_of(name, recipe, run_in(tmp_path / "run"))
    before = deepcopy(trainer.method.state_dict())
    trainer.step()
    kept = trainer.shared["forger" if name == "dcgan" else "forgers"].state_dict()
    inner, others = kept["param_groups"]
    assert inner["lr"] == 10 * others["lr"] == 10 * recipe.rate(0)
    assert inner["use_muon"]
    assert others["use_fallback"]
    moved = [
        (now.detach() - before[key]).abs().max()
        for key, now in trainer.method.named_parameters()
        if now.ndim == 4 and min(now.shape[:2]) > 3
    ]
    assert len(inner["params"]) >= len(moved) > 0
    assert sum(bool(change > 0) for change in moved) >= 0.8 * len(moved)


@pytest.mark.parametrize("name", ["cyclegan", "munit", "drit"])
def test_stripes_of_translations_count_by_their_weight(name: str, tmp_path: Path) -> None:
    fences, source = tmp_path / "fences", np.random.default_rng(0)
    fences.mkdir()
    for number in range(4):
        pixels = 64 * (source.random((72, 72, 3)) + (np.arange(72) % 4 < 2)[None, :, None])
        Image.fromarray(pixels.astype(np.uint8)).save(fences / f"{number}.png")
    losses, moved = [], []
    for weight in (0.0, 3.0):
        changes = {"judge_warmup": 0, "size": 64, "load_size": 72, "skip": True}
        recipe = recipe_of(name, fences, fences, checkerboard_weight=weight, **changes)
        trainer = trainer_of(name, recipe, run_in(tmp_path / str(weight)))
        losses.append({key: float(loss.detach()) for key, loss in trainer.step().items()})
        moved.append(_sum(trainer.method))
    plain, striped = losses
    assert "checkerboard" not in plain
    assert striped["checkerboard"] > 0
    assert striped["total"] - plain["total"] == pytest.approx(3 * striped["checkerboard"], rel=1e-3)
    assert moved[0] != moved[1]


@pytest.mark.parametrize("name", ["cyclegan", "munit", "drit", "cartoongan", "dcgan"])
def test_discriminators_of_a_run_come_along(
    name: str, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(name, photos, paintings)
    fit(trainer_of(name, recipe, run_in(tmp_path / "a")))
    kept = torch.load(tmp_path / "a" / STATE)["shared"]
    judges = [part for part in kept if "judge" in part and "param_groups" not in kept[part]]
    assert judges

    def begun(folder: Path, **changes: Any) -> dict[str, Any]:
        recipe = recipe_of(name, photos, paintings, start_from=folder, seed=5, **changes)
        shared = trainer_of(name, recipe, run_in(tmp_path / "b")).shared
        return {part: shared[part].state_dict() for part in judges}

    def equal(found: dict[str, Any], part: str) -> bool:
        return all(torch.equal(found[part][key], value) for key, value in kept[part].items())

    assert all(equal(begun(tmp_path / "a"), part) for part in judges)
    assert not any(equal(begun(tmp_path / "a" / CHECKPOINT), part) for part in judges)
    with pytest.raises(CheckpointError, match=r"cannot start from .*judge.* does not fit"):
        begun(tmp_path / "a", discriminator_width=recipe.discriminator_width + 4)  # type: ignore[attr-defined]


def test_frozen_networks_get_no_gradient_but_pass_it_on() -> None:
    judge, forger = nn.Linear(3, 1), nn.Linear(3, 3)
    with frozen(judge):
        judge(forger(torch.rand(2, 3))).sum().backward()
    assert judge.weight.grad is None
    assert forger.weight.grad is not None
    assert judge.weight.requires_grad
    with pytest.raises(ZeroDivisionError), frozen(judge):
        _ = 1 / 0
    assert judge.weight.requires_grad


def test_a_step_trains_each_side_on_its_own_loss(trainer: AdversarialTrainer[Any]) -> None:
    seen: list[set[str]] = []
    update = trainer.update

    def watched(loss: Tensor, optimizer: Any) -> None:
        nets = {"generators": trainer.method, "judge_a": trainer.shared["judge_a"]}
        before = {n: _sum(net) for n, net in nets.items()}
        update(loss, optimizer)
        seen.append({n for n, net in nets.items() if _sum(net) != before[n]})

    trainer.update = watched  # type: ignore[method-assign]
    trainer.step()
    assert seen == [{"generators"}, {"judge_a"}]


def _sum(network: Any) -> float:
    return float(sum(p.detach().double().abs().sum() for p in network.parameters()))


def test_randomness_belongs_to_a_place_in_the_data(trainer: AdversarialTrainer[Any]) -> None:
    first = trainer.normal("codes", 8)
    assert first.shape == (2, 8)
    assert torch.equal(trainer.normal("codes", 8), first)
    assert not torch.equal(trainer.normal("others", 8), first)
    assert not torch.equal(first[0], first[1])
    trainer.done = 1
    assert not torch.equal(trainer.normal("codes", 8), first)
    assert 0 <= trainer.uniform("codes", 1000).min() < 0.01


def constant(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def sources(step: int, batch: int) -> list[np.random.Generator]:
    return [np.random.default_rng((step, i)) for i in range(batch)]


def test_exposure_is_in_stops_and_can_be_undone() -> None:
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    stops = torch.tensor([-1.0, 0.7])
    changed = exposed(images, stops)
    assert (changed[0] <= images[0]).all()
    assert (changed[1] >= images[1]).all()
    torch.testing.assert_close(exposed(changed, -stops), images, atol=1e-3, rtol=0)
    ends = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2).expand(2, 3, 1, 2)
    torch.testing.assert_close(exposed(ends, stops), ends)
    dark = torch.full((1, 3, 1, 1), 2 * 0.1 - 1)  # where nothing is rolled off yet
    light = (0.5 + 0.5 * exposed(dark, torch.ones(1))) ** 2.2
    assert float(light.mean()) == pytest.approx(2 * 0.1**2.2, rel=0.01)


def test_a_pool_shows_earlier_results_half_of_the_time() -> None:
    pool = ImagePool(50)
    fresh, ages = 0, []
    for step in range(4000):
        shown = pool(constant([step]), sources(step, 1))
        found = int(shown[0, 0, 0, 0])
        if step < 50:
            assert found == step
        else:
            fresh += found == step
            ages.append(step - found)
    assert fresh / 3950 == pytest.approx(0.5, abs=0.03)
    # Each stored result is as likely as any other and stays for 100 results on average.
    old = [age for age in ages if age]
    assert np.mean(old) == pytest.approx(100, rel=0.15)
    assert len(set(pool.state_dict()["kept"][0, :, 0, 0, 0].tolist())) == 50


def test_every_place_of_a_batch_has_a_pool_of_its_own() -> None:
    together, alone = ImagePool(5), [ImagePool(5) for _ in range(3)]
    for step in range(40):
        images = constant([10 * step + i for i in range(3)])
        shown = together(images, sources(step, 3))
        for i, pool in enumerate(alone):
            expected = pool(images[i, None], [sources(step, 3)[i]])
            assert torch.equal(shown[i, None], expected)


def test_a_pool_goes_on_where_it_stopped_and_is_never_shown_itself() -> None:
    pool = ImagePool(3)
    for step in range(7):
        shown = pool(constant([step, -step]), sources(step, 2))
    again = ImagePool(3)
    again.load_state_dict(deepcopy(pool.state_dict()))
    for step in range(7, 20):
        shown = pool(constant([step, -step]), sources(step, 2))
        assert torch.equal(again(constant([step, -step]), sources(step, 2)), shown)
        shown.fill_(99)
    assert pool.kept is not None
    assert pool.kept.max() < 99
    nothing = ImagePool(0)
    assert torch.equal(nothing(constant([5]), sources(0, 1)), constant([5]))


def naive(scores: list[Tensor], term: Callable[[float], float]) -> float:
    return sum(float(np.mean([term(float(s)) for s in scale.flatten()])) for scale in scores)


def test_losses_equal_their_formulas_summed_over_scales() -> None:
    torch.manual_seed(0)
    real, fake = ([torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)] for _ in range(2))

    def sigmoid(s: float) -> float:
        return 1 / (1 + float(np.exp(-s)))

    expected = {
        "lsgan": naive(real, lambda s: (s - 1) ** 2) + naive(fake, lambda s: s**2),
        "hinge": naive(real, lambda s: max(0, 1 - s)) + naive(fake, lambda s: max(0, 1 + s)),
        "bce": naive(real, lambda s: -np.log(sigmoid(s)))
        + naive(fake, lambda s: -np.log(1 - sigmoid(s))),
    }
    wanted = {
        "lsgan": naive(fake, lambda s: (s - 1) ** 2),
        "hinge": naive(fake, lambda s: -s),
        "bce": naive(fake, lambda s: -np.log(sigmoid(s))),
    }
    for objective in ("lsgan", "hinge", "bce"):
        found = discriminator_loss(real, fake, objective)
        assert float(found) == pytest.approx(expected[objective], rel=1e-4)
        found = generator_loss(fake, objective)
        assert float(found) == pytest.approx(wanted[objective], rel=1e-4)
    smooth = discriminator_loss(real[0], fake[0], "bce", smooth=0.9)
    first = naive(
        real[:1], lambda s: -0.9 * np.log(sigmoid(s)) - 0.1 * np.log(1 - sigmoid(s))
    ) + naive(fake[:1], lambda s: -np.log(1 - sigmoid(s)))
    assert float(smooth) == pytest.approx(first, rel=1e-4)
    for objective in ("lsgan", "hinge", "bce"):  # large scores of half precision do no harm
        large = torch.full((1, 1), 200.0, dtype=torch.bfloat16)
        assert discriminator_loss(-large, large, objective).isfinite()  # type: ignore[arg-type]


def half_of_a_batch(rank: int, port: int, results: Any) -> None:
    """One of two processes: batch normalisation, a mean and their gradients."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    features, norm = batch_and_norm()
    share_batches(norm)
    mine = features[2 * rank : 2 * rank + 2].requires_grad_()
    made = norm(mine)
    loss = made.square().mul(torch.arange(1.0, 4)[:, None, None]).mean()
    loss = loss + mean_of_processes(mine.mean()).exp()
    loss.backward()
    assert mine.grad is not None
    assert norm.running_var is not None
    results[rank] = (made.detach().numpy(), mine.grad.numpy(), norm.running_var.numpy())
    torch.distributed.destroy_process_group()


def batch_and_norm() -> tuple[Tensor, nn.BatchNorm2d]:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    with torch.no_grad():
        norm.weight.uniform_()
        norm.bias.uniform_()
    return 2 * torch.randn(4, 3, 5, 5) + 1, norm


def test_batch_normalisation_sees_the_batches_of_all_processes() -> None:
    with processes.Manager() as manager:
        results = manager.dict()
        port = free_port()
        workers = [
            processes.Process(target=half_of_a_batch, args=(rank, port, results))
            for rank in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        found = dict(results)
    features, norm = batch_and_norm()
    features.requires_grad_()
    made = norm(features)
    expected = F.batch_norm(features, None, None, norm.weight, norm.bias, training=True)
    torch.testing.assert_close(made, expected)
    loss = made.square().mul(torch.arange(1.0, 4)[:, None, None]).mean()
    (loss + features.mean().exp()).backward()
    assert features.grad is not None
    assert norm.running_var is not None
    for rank, (part, gradient, variance) in found.items():
        rows = slice(2 * rank, 2 * rank + 2)
        np.testing.assert_allclose(part, made.detach()[rows].numpy(), atol=1e-5)
        # The loss of a step is the mean of the two processes' losses.
        np.testing.assert_allclose(gradient / 2, features.grad[rows].numpy(), atol=1e-6)
        np.testing.assert_allclose(variance, norm.running_var.numpy(), rtol=1e-4)
