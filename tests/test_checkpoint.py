"""Checkpoints: whole or not at all, and refused with words when they do not fit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.test_contract import Tint, TintConfig
from zoo import checkpoint
from zoo.errors import CheckpointError, UnknownMethodError
from zoo.methods import METHODS


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "tint", Tint)


def test_half_precision_on_disk_is_float32_in_memory(tmp_path: Path) -> None:
    method = Tint(TintConfig())
    checkpoint.save(method, tmp_path / "a", torch.float16)
    loaded = checkpoint.load(tmp_path / "a")
    assert isinstance(loaded, Tint)
    assert loaded.net.weight.dtype == torch.float32
    assert torch.equal(loaded.net.weight, method.net.weight.half().float())
    assert not any(p.requires_grad for p in loaded.parameters())


def test_saving_again_replaces_the_weights_and_keeps_the_card(tmp_path: Path) -> None:
    checkpoint.save(Tint(TintConfig()), tmp_path / "a")
    (tmp_path / "a" / "README.md").write_text("card")
    method = Tint(TintConfig())
    checkpoint.save(method, tmp_path / "a")
    loaded = checkpoint.load(tmp_path / "a")
    assert isinstance(loaded, Tint)
    assert torch.equal(loaded.net.weight, method.net.weight)
    assert (tmp_path / "a" / "README.md").read_text() == "card"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_failed_save_leaves_the_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(Tint(TintConfig()), tmp_path / "a")
    before = checkpoint.digest(tmp_path / "a")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(Tint(TintConfig()), tmp_path / "a")
    assert checkpoint.digest(tmp_path / "a") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_killed_save_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; import sys\n"
        "from tests.test_contract import Tint, TintConfig\n"
        "from zoo import checkpoint\n"
        "print('go', flush=True)\n"
        "while True: checkpoint.save(Tint(TintConfig()), Path(sys.argv[1]))\n"
    )
    folder = tmp_path / "a"
    command = [sys.executable, "-c", program, str(folder)]
    for wait in (0.05, 0.11, 0.23):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as p:
            assert p.stdout
            p.stdout.readline()
            while not folder.exists():
                time.sleep(0.005)
            time.sleep(wait)
            os.kill(p.pid, signal.SIGKILL)
    recovered = checkpoint.load(folder)
    assert isinstance(recovered, Tint)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing or damaged"),
        (lambda f: (f / "config.json").write_text("{"), "config.json is missing or damaged"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json is missing or damaged"),
        (lambda f: (f / "config.json").write_text("{}"), "config.json is missing or damaged"),
        (lambda f: (f / "model.safetensors").unlink(), "cannot be loaded"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 50), "cannot be loaded"),
        (lambda f: other_config(f, {"depth": 3}), "cannot be loaded"),
    ],
)
def test_damage_is_named(tmp_path: Path, spoil: object, words: str) -> None:
    checkpoint.save(Tint(TintConfig()), tmp_path / "mine")
    spoil(tmp_path / "mine")  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=words) as refused:
        checkpoint.load(tmp_path / "mine")
    assert "mine" in str(refused.value)


def other_config(folder: Path, config: dict[str, int]) -> None:
    (folder / "config.json").write_text(json.dumps({"method": "tint", "config": config}))


def test_unknown_method(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"method": "cubism", "config": {}}')
    with pytest.raises(UnknownMethodError, match="cubism"):
        checkpoint.load(tmp_path)


def test_digest_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = checkpoint.digest(tmp_path)
    (tmp_path / "a").write_text("2")
    second = checkpoint.digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, checkpoint.digest(tmp_path)}) == 3


def test_what_ships_stays_small() -> None:
    """Git keeps every version for ever, and each download of the code has all of it."""
    sizes = (path.stat().st_size for path in checkpoint.SHIPPED.rglob("*") if path.is_file())
    assert sum(sizes) <= 60 * 2**20
