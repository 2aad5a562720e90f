"""Gatys beside the networks, where the answer is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from benchmarks import machine, tables, yardstick
from benchmarks.quality import textbook
from zoo import checkpoint
from zoo.methods.gatys import Objective
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.style_swap import StyleSwap, StyleSwapConfig
from zoo.nn.vgg import vgg19


def test_steps_of_one_run_are_those_of_single_runs() -> None:
    torch.manual_seed(0)
    photo, style = torch.rand(1, 3, 32, 40), torch.rand(1, 3, 32, 32)
    objective = Objective(vgg19(), photo, [(style, 1.0)])
    together = textbook(photo, objective, (6, 3))
    assert list(together) == [3, 6]
    for count, picture in together.items():
        assert torch.equal(picture, textbook(photo, objective, (count,))[count])
    assert objective(together[6]) < objective(together[3]) < objective(photo)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures, results and two toy checkpoints in a folder of the test's own."""
    noise = np.random.default_rng(0)
    for name in ("contents/a", "contents/b", "styles/waves", "styles/stars"):
        path = tmp_path / "data" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(path)
    torch.manual_seed(0)
    shipped = tmp_path / "shipped"
    checkpoint.save(Johnson(JohnsonConfig(width=4, style="waves")), shipped / "waves")
    recipe = {"style_weight": 20.0, "style_size": 40}
    (shipped / "waves" / "recipe.json").write_text(json.dumps(recipe))
    checkpoint.save(StyleSwap(StyleSwapConfig(width=4)), shipped / "swap")
    monkeypatch.setattr(yardstick, "SHIPPED", shipped)
    monkeypatch.setattr(yardstick, "STEPS", (2, 4))
    for module in (machine, tables):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    return tmp_path / "data"


def run(data: Path, *words: str) -> dict[str, dict[str, object]]:
    done = CliRunner().invoke(yardstick.main, ["--data", str(data), "--size", "48", *words])
    assert done.exit_code == 0, done.output
    results = tables.read("yardstick")
    assert results
    told = tables.yardstick(results)
    assert all(f"| {row['checkpoint']} | {row['photos']} |" in told for row in results["rows"])
    return {row["checkpoint"]: row for row in results["rows"]}


def test_optimisations_are_made_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(data, "--minutes", "0")
    assert [(name, row["photos"]) for name, row in first.items()] == [("waves", 1), ("swap", 1)]
    more = run(data)
    assert [row["photos"] for row in more.values()] == [2, 2]
    monkeypatch.setattr(yardstick, "textbook", None)  # whoever calls it now fails
    assert run(data) == more
    means = more["waves"]["means"]
    assert isinstance(means, dict)
    assert means["4"]["objective"] < means["2"]["objective"] < means["photo"]["objective"]
    means = more["swap"]["means"]
    assert isinstance(means, dict)
    assert means["photo"] == {"style": 1, "content": 0}
    assert means["4"]["style"] < 1


def test_another_weight_is_another_optimisation(data: Path) -> None:
    before = run(data, "--count", "1")["waves"]["means"]
    recipe = data.parent / "shipped" / "waves" / "recipe.json"
    recipe.write_text(recipe.read_text().replace("20.0", "40.0"))
    after = run(data, "--count", "1")["waves"]["means"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert after["photo"]["objective"] == pytest.approx(2 * before["photo"]["objective"], rel=1e-3)
