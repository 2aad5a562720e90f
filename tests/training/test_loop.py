import json
import random
import shutil
import sysconfig
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

from tests.training.toys import (
    NAMES,
    free_port,
    processes,
    recipe_of,
    run_in,
    start,
    train,
    train_together,
    trainer_of,
)
from training.loop import (
    CHECKPOINT,
    METRICS,
    STATE,
    Trainer,
    fit,
    forget_after,
    offered,
    write,
)
from training.recipe import Recipe
from zoo import checkpoint
from zoo.errors import CheckpointError, DiskFullError, InputError
from zoo.methods import METHODS
from zoo.methods.adain import AdaIN
from zoo.methods.johnson import Johnson
from zoo.methods.many_styles import ManyStyles
from zoo.methods.style_swap import StyleSwap


def state_of(folder: Path) -> dict[str, Any]:
    return torch.load(folder / STATE, weights_only=True)


def flat(state: Any, path: str = "") -> dict[str, Any]:
    """A nested state as one level, so that a difference is named."""
    if isinstance(state, dict):
        return {
            k: v for key, value in state.items() for k, v in flat(value, f"{path}/{key}").items()
        }
    if isinstance(state, list | tuple):
        return {
            k: v for i, value in enumerate(state) for k, v in flat(value, f"{path}/{i}").items()
        }
    return {path: state}


def differing(first: Any, second: Any) -> list[str]:
    first, second = flat(first), flat(second)
    assert first.keys() == second.keys()
    return [
        name
        for name, value in first.items()
        if not (
            torch.equal(value, second[name])
            if isinstance(value, torch.Tensor)
            else value == second[name]
        )
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_run_ends_bit_for_bit_like_an_uninterrupted_one(
    name: str, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(name, photos, paintings)
    whole, killed = run_in(tmp_path / "whole"), run_in(tmp_path / "killed")
    assert start(train, name, recipe, whole) == 0
    step = random.randrange(2, recipe.steps)
    assert start(train, name, recipe, killed, step) == -9
    assert state_of(killed.out)["step"] == step // 2 * 2, f"killed in step {step}"
    assert start(train, name, recipe, killed) == 0
    ended, expected = state_of(killed.out), state_of(whole.out)
    for state in (ended, expected):
        state.pop("seconds")
    assert differing(ended, expected) == [], f"killed in step {step}"
    steps = [json.loads(line)["step"] for line in (killed.out / METRICS).read_text().splitlines()]
    assert steps == list(range(1, recipe.steps + 1))


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_equal_one_with_the_double_batch(
    name: str, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    # At larger rates the toy networks are chaotic: Adam makes full steps also of a gradient that is
    # all rounding, and 1e-8 becomes 1e-3 in ten of them.
    rates = {"fast_photo_style": 1e-6, "cartoongan": 2e-6}
    rates |= dict.fromkeys(("adain", "cyclegan", "drit", "johnson"), 5e-6)
    rate = rates.get(name, 2e-5)
    values: dict[str, Any] = {"steps": 10, "lr": rate}
    if name == "adain":
        values["warmup"] = 0
    one = recipe_of(name, photos, paintings, batch_size=4, **values)
    two = recipe_of(name, photos, paintings, batch_size=2, **values)
    alone, together = run_in(tmp_path / "one"), run_in(tmp_path / "two")
    port = free_port()
    workers = [
        processes.Process(target=train_together, args=(name, two, together, rank, 2, port))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    assert start(train, name, one, alone) == 0
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    expected, found = (state_of(run.out)["shared"] for run in (alone, together))
    first = trainer_of(name, one, alone).method.state_dict()
    apart, moved = torch.zeros(()), torch.zeros(())
    strays = total = 0
    bound = min(rate, 1e-5)
    for part in ("method", "averaged"):
        for key, value in expected[part].items():
            near = torch.isclose(found[part][key], value, atol=bound, rtol=0)
            strays += int((~near).sum())
            total += value.numel()
            torch.testing.assert_close(found[part][key], value, atol=10 * bound, rtol=0)
    # A few of it have a gradient that is all rounding at any rate; the processor decides which.
    assert strays <= (1e-5 * total if name == "fast_photo_style" else 0)
    for key, value in expected["method"].items():
        apart += (found["method"][key] - value).square().sum()
        moved += (value - first[key]).square().sum()
    assert apart.sqrt() < 0.02 * moved.sqrt()  # what the processes did is the same, and not nothing
    assert len(state_of(together.out)["local"]) == 2


# What one side of DCGAN gains the other loses: it has no sum that falls.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "dcgan"])
def test_training_lowers_the_loss_on_one_batch(
    name: str, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    special: dict[str, dict[str, Any]] = {
        "adain": {"lr": 5e-4, "warmup": 0},
        "munit": {"judge_warmup": 0},
    }
    recipe = recipe_of(name, photos, paintings, **{"lr": 3e-3} | special.get(name, {}))
    trainer = trainer_of(name, recipe, run_in(tmp_path / "run"))
    losses = [trainer.step()["total"].item() for _ in range(12)]  # `done` stays: the same batch
    assert losses[-1] < 0.97 * losses[0]


def test_minutes_stop_with_a_state_that_goes_on(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of("adain", photos, paintings, steps=3)
    fit(trainer_of("adain", recipe, run_in(tmp_path / "run", minutes=1e-6, save_every=100)))
    assert state_of(tmp_path / "run")["step"] == 1
    fit(trainer_of("adain", recipe, run_in(tmp_path / "run", save_every=100)))
    assert state_of(tmp_path / "run")["step"] == 3
    assert list((tmp_path / "run" / "samples").iterdir())


def test_a_dry_run_writes_nothing(
    photos: Path, paintings: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run = run_in(tmp_path / "run", dry_run=True)
    fit(trainer_of("johnson", recipe_of("johnson", photos, paintings), run))
    assert not run.out.exists()
    assert "images/s" in caplog.text


def test_a_dry_run_measures_steps_after_the_warm_up(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    run = run_in(tmp_path / "run", dry_run=True)
    recipe = recipe_of("cartoongan", photos, paintings, warmup=100, steps=200)
    trainer = trainer_of("cartoongan", recipe, run)
    losses = []
    step = trainer.step

    def watched() -> dict[str, torch.Tensor]:
        losses.append(step())
        return losses[-1]

    trainer.step = watched  # type: ignore[method-assign]
    fit(trainer)
    assert ["discriminator" in one for one in losses] == [True] * 3


def test_a_state_of_other_settings_is_refused_and_kept(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    run = run_in(tmp_path / "run")
    fit(trainer_of("adain", recipe_of("adain", photos, paintings, steps=2), run))
    before = (run.out / STATE).read_bytes()
    other = trainer_of("adain", recipe_of("adain", photos, paintings, steps=2, lr=0.1), run)
    with pytest.raises(CheckpointError, match=r"lr: 0\.001, now 0\.1"):
        fit(other)
    swapped = trainer_of("adain", recipe_of("adain", paintings, photos, steps=2), run)
    with pytest.raises(CheckpointError, match="photos"):
        fit(swapped)
    with pytest.raises(CheckpointError, match="method"):
        fit(trainer_of("johnson", recipe_of("johnson", photos, paintings), run))
    assert (run.out / STATE).read_bytes() == before
    (run.out / STATE).write_bytes(before[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        fit(trainer_of("adain", recipe_of("adain", photos, paintings, steps=2), run))


@pytest.mark.parametrize(("name", "needed"), [("cyclegan", 40), ("style_swap", 36)])
def test_a_size_that_the_network_does_not_give_back_is_refused(
    name: str, needed: int, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(name, photos, paintings, size=34)
    with pytest.raises(InputError, match=f"--size is 34; .* such as {needed}"):
        trainer_of(name, recipe, run_in(tmp_path / "run"))


def test_a_run_does_not_go_on_with_another_style_picture(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    run = run_in(tmp_path / "run")
    fit(trainer_of("johnson", recipe_of("johnson", photos, paintings, steps=2), run))
    other = recipe_of("johnson", photos, paintings, steps=4, style=paintings / "painting1.png")
    with pytest.raises(CheckpointError, match="styles: "):
        fit(trainer_of("johnson", other, run))
    moved = tmp_path / "moved.png"
    shutil.copyfile(paintings / "painting0.png", moved)
    same = trainer_of("johnson", recipe_of("johnson", photos, paintings, steps=3, style=moved), run)
    fit(same)
    assert same.done == 3


def test_a_state_from_before_a_field_goes_on_with_its_default(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    run = run_in(tmp_path / "run")

    def asking(weight: float, steps: int) -> Trainer[Recipe]:
        values = {"checkerboard_weight": weight, "steps": steps}
        return trainer_of("adain", recipe_of("adain", photos, paintings, **values), run)

    fit(asking(0.0, 2))
    state = state_of(run.out)
    del state["recipe"]["checkerboard_weight"]
    torch.save(state, run.out / STATE)
    with pytest.raises(CheckpointError, match=r"checkerboard_weight: 0\.0, now 0\.1"):
        fit(asking(0.1, 2))
    longer = asking(0.0, 3)
    fit(longer)
    assert longer.done == 3


def test_a_full_disk_leaves_the_earlier_state(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path / "run")
    fit(trainer_of("johnson", recipe_of("johnson", photos, paintings, steps=2), run))
    state, weights = run.out / STATE, run.out / CHECKPOINT / "model.safetensors"
    before = state.read_bytes(), weights.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    trainer = trainer_of("johnson", recipe_of("johnson", photos, paintings, steps=4), run)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match="untouched"):
        fit(trainer)
    assert (state.read_bytes(), weights.read_bytes()) == before
    assert sorted(p.name for p in run.out.iterdir() if p.name.startswith(".")) == []


def test_a_last_step_without_room_for_the_checkpoint_is_done_again(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path / "run")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    recipe = recipe_of("johnson", photos, paintings, steps=2)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", full)
        with pytest.raises(DiskFullError, match="start again"):
            fit(trainer_of("johnson", recipe, run))
    fit(trainer_of("johnson", recipe, run))
    assert (run.out / CHECKPOINT / "model.safetensors").is_file()


def test_losses_that_are_no_numbers_end_the_run(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    run = run_in(tmp_path / "run")
    trainer = trainer_of("johnson", recipe_of("johnson", photos, paintings), run)
    assert isinstance(trainer.method, Johnson)
    bias = trainer.method.transform.last.bias
    assert bias is not None
    with torch.no_grad():
        bias.fill_(float("nan"))
    with pytest.raises(InputError, match=r"step 1 .*another --out"):
        fit(trainer)
    assert not (run.out / STATE).exists()


CAN_COMPILE = (
    shutil.which("g++") is not None and Path(sysconfig.get_path("include"), "Python.h").is_file()
)


@pytest.mark.skipif(not CAN_COMPILE, reason="needs a C++ compiler and Python's headers")
def test_compiled_steps_are_those_of_plain_ones(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of("johnson", photos, paintings, steps=2, spike_weight=0.1)
    lines = []
    for fused in (False, True):
        run = run_in(tmp_path / str(fused), compile=fused)
        fit(trainer_of("johnson", recipe, run))
        lines.append([json.loads(line) for line in (run.out / METRICS).read_text().splitlines()])
    assert len(lines[0]) == 2
    for plain, compiled in zip(*lines, strict=True):
        for name in ("content", "style", "spikes", "total"):
            assert compiled[name] == pytest.approx(plain[name], rel=1e-3), name


def test_a_machine_that_cannot_compile_is_named(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    recipe = recipe_of("johnson", photos, paintings)
    with pytest.raises(InputError, match="Python's headers"):
        fit(trainer_of("johnson", recipe, run_in(tmp_path / "run", compile=True)))
    assert not (tmp_path / "run" / STATE).exists()


def test_bfloat16_is_only_used_where_it_is_fast(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    assert offered("bf16", torch.device("cpu")) == "bf16"
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    assert offered("fp16", torch.device("cpu")) == "fp16"
    recipe = recipe_of("johnson", photos, paintings, precision="bf16")
    trainer = trainer_of("johnson", recipe, run_in(tmp_path / "run"))
    assert trainer.precision == "fp32"
    assert trainer.encoder_dtype == torch.float32
    assert trainer.accelerator.mixed_precision == "no"


def test_the_rate_falls_as_the_recipe_says(photos: Path, paintings: Path) -> None:
    recipe = recipe_of("adain", photos, paintings, steps=100, lr=1.0, lr_decay=0.01, cooldown=0.5)
    assert recipe.rate(0) == 1.0
    assert recipe.rate(50) == pytest.approx(1 / 1.5)
    assert recipe.rate(75) == pytest.approx(0.5 / 1.75)
    assert recipe.rate(99) == pytest.approx(0.02 / 1.99)


def test_torn_metrics_are_repaired(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    write(path, b'{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    forget_after(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_new_styles_are_fitted_without_touching_the_known_ones(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "many_styles", ManyStyles)
    fit(
        trainer_of(
            "many_styles", recipe_of("many_styles", photos, paintings), run_in(tmp_path / "a")
        )
    )
    known = tmp_path / "a" / CHECKPOINT
    recipe = recipe_of("many_styles", photos, paintings, add_to=known, average=0.0)
    trainer = trainer_of("many_styles", recipe, run_in(tmp_path / "b"))
    before = {name: value.clone() for name, value in trainer.method.state_dict().items()}
    fit(trainer)
    for name, value in trainer.method.state_dict().items():
        if "norms" in name:
            assert torch.equal(value[:4], before[name][:4]), name
            assert not torch.equal(value[4:], before[name][4:]), name
        else:
            assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("name", ["adain", "style_swap"])
def test_decoders_go_on_with_the_scale_that_they_are_used_with(
    name: str, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    fit(trainer_of(name, recipe_of(name, photos, paintings, steps=1), run_in(tmp_path / "a")))
    made = tmp_path / "a" / CHECKPOINT
    method = cast(AdaIN | StyleSwap, checkpoint.load(made))
    method.scale.mul_(3)
    checkpoint.save(method, made, torch.float16)
    recipe = recipe_of(name, photos, paintings, start_from=made, seed=5)
    trainer: Any = trainer_of(name, recipe, run_in(tmp_path / "b"))
    layer = trainer.features.layers[-1]
    assert torch.equal(trainer.features.scale[layer], checkpoint.load(made).scale)  # type: ignore[arg-type]
    trained = cast(AdaIN | StyleSwap, fit(trainer))
    assert torch.equal(trained.scale, trainer.features.scale[layer])


def test_training_starts_from_a_checkpoint_that_fits(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    fit(trainer_of("johnson", recipe_of("johnson", photos, paintings), run_in(tmp_path / "a")))
    made = tmp_path / "a" / CHECKPOINT
    recipe = recipe_of("johnson", photos, paintings, start_from=made)
    started = trainer_of("johnson", recipe, run_in(tmp_path / "b")).method.state_dict()
    stored = load_file(made / "model.safetensors")
    assert all(torch.equal(value, stored[name].float()) for name, value in started.items())
    for other, reason in (
        ({"width": 8}, "size mismatch"),
        ({"loose": True}, "loose: False, now True"),
        ({"published": True}, "published: False, now True"),
    ):
        recipe = recipe_of("johnson", photos, paintings, start_from=made, **other)
        with pytest.raises(CheckpointError, match=f"(?s)cannot start from .*{reason}"):
            trainer_of("johnson", recipe, run_in(tmp_path / "c"))
    recipe = recipe_of("many_styles", photos, paintings, start_from=made)
    with pytest.raises(CheckpointError, match="method: johnson, now many_styles"):
        trainer_of("many_styles", recipe, run_in(tmp_path / "c"))
