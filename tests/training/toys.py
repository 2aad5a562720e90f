"""Every recipe at toy size, and runs of it in processes of their own."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.loop import Trainer, fit
from training.recipe import Recipe, Run

TOY = {"steps": 6, "batch_size": 2, "size": 32, "load_size": 40, "lr": 1e-3, "average": 0.9}
NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "adain": ("AdaIN", {"width": 4, "warmup": 2, "clip": 1.0, "checkerboard_weight": 0.1}),
    "johnson": (
        "Johnson",
        {"width": 4, "style_size": 40, "cooldown": 0.5, "optimizer": "muon", "margin": 8},
    ),
    "many_styles": (
        "ManyStyles",
        {
            "width": 4,
            "style_size": 40,
            "objective": "gatys",
            "frame_weight": 0.1,
            "spike_weight": 0.1,
            "loose": True,
        },
    ),
    "style_swap": ("StyleSwap", {"width": 4, "style_weight": 0.5, "checkerboard_weight": 0.1}),
    "fast_photo_style": ("FastPhotoStyle", {}),
    "dcgan": ("DCGAN", {"width": 4, "discriminator_width": 4, "size": 16, "load_size": 20}),
    "cyclegan": (
        "CycleGAN",
        {"width": 4, "blocks": 2, "discriminator_width": 4, "pool": 4, "exposure": 0.5},
    ),
    "munit": (
        "MUNIT",
        {
            "width": 4,
            "blocks": 1,
            "discriminator_width": 4,
            "discriminator_scales": 2,
            "mode_seeking_weight": 0.01,
            "judged": "features",
            "skip": True,
            "pool": 4,
            "judge_extra": 2,
            "judge_warmup": 1,
        },
    ),
    "drit": (
        "DRIT",
        {
            "width": 4,
            "discriminator_width": 4,
            "discriminator_scales": 2,
            "discriminator_rate": 0.01,
            "latent_weight": 1.0,
            "mode_seeking_weight": 0.01,
        },
    ),
    "cartoongan": (
        "CartoonGAN",
        {
            "width": 4,
            "blocks": 1,
            "discriminator_width": 4,
            "pool": 4,
            "warmup": 2,
            "warmup_gain": 1.0,
            "encoder_size": 0,
            "color_weight": 1.0,
            "style_weight": 1.0,
            "cycle_weight": 1.0,
        },
    ),
}

# Starts workers from one process that has imported torch already: seconds saved for each.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.training.toys", *(f"training.{name}" for name in NAMES)])


def recipe_of(name: str, photos: Path, paintings: Path, **changes: Any) -> Recipe:
    """The toy recipe of a method."""
    stem, values = NAMES[name]
    kind = getattr(import_module(f"training.{name}"), f"{stem}Recipe")
    folders = {
        "photos": photos,
        "paintings": paintings,
        "cartoons": paintings,
        "styles": paintings,
        "style": paintings / "painting0.png",
        "domain_a": paintings,
        "domain_b": photos,
        "portraits": paintings,
    }
    known = kind.__dataclass_fields__
    paths = {field: path for field, path in folders.items() if field in known}
    return kind(**{**TOY, **paths, **values, **changes})


def run_in(folder: Path, **changes: Any) -> Run:
    """A run on the CPU that saves at every second step."""
    values: dict[str, Any] = {"out": folder, "packs": folder.parent / "packs", "device": "cpu"}
    values |= {"save_every": 2, "sample_every": 100, "log_every": 1}
    return Run(**values | changes)


def trainer_of(name: str, recipe: Recipe, run: Run) -> Trainer[Any]:
    """The trainer of a method."""
    stem, _ = NAMES[name]
    return getattr(import_module(f"training.{name}"), f"{stem}Trainer")(recipe, run)


def train(name: str, recipe: Recipe, run: Run, die_at: int = -1) -> None:
    """Run to the end, or until the process kills itself in the middle of step ``die_at``."""
    torch.set_num_threads(1)
    trainer = trainer_of(name, recipe, run)
    update = trainer.update

    def deadly(loss: Tensor, optimizer: Any) -> None:
        update(loss, optimizer)
        if trainer.done == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    trainer.update = deadly  # type: ignore[method-assign]
    fit(trainer)


def train_together(name: str, recipe: Recipe, run: Run, rank: int, count: int, port: int) -> None:
    """One of ``count`` gloo processes that train together."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",  # accelerate would take more threads than a lone process has
    }
    train(name, recipe, run)


def start(function: Callable[..., None], *arguments: Any) -> int | None:
    """Run ``function`` in a new process; return its exit code."""
    process = processes.Process(target=function, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def moved_by_a_step(trainer: Trainer[Any], sides: Sequence[nn.Module]) -> list[float]:
    """The share of the parameters of each side that one step changes; its losses are finite."""
    before = [[p.detach().clone() for p in side.parameters()] for side in sides]
    with torch.autograd.set_detect_anomaly(True):
        losses = trainer.step()
    assert all(torch.isfinite(loss) for loss in losses.values())
    shares = []
    for side, old in zip(sides, before, strict=True):
        moved = [not torch.equal(p, q) for p, q in zip(side.parameters(), old, strict=True)]
        shares.append(sum(moved) / len(moved))
    return shares
