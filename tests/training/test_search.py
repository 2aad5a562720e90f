"""The search for a style weight."""

import json
from pathlib import Path

import pytest

from training.search import Tried, choose, search
from zoo import checkpoint
from zoo.errors import InputError

FLAGS = [
    *("--steps", "3", "--batch-size", "1", "--width", "4", "--precision", "fp32"),
    *("--size", "32", "--load-size", "40", "--style-size", "40"),
]


def test_the_strongest_that_holds_the_photo_is_chosen() -> None:
    tried = [Tried(12, 1.2, 0.1), Tried(3, 0.5, 0.4), Tried(6, 0.8, 0.2)]
    assert choose(tried, 0.9).weight == 6
    assert choose(tried, 2.0).weight == 12
    assert choose(tried, 0.1).weight == 3  # none does: the mildest


def test_each_weight_is_trained_and_measured(photos: Path, paintings: Path, tmp_path: Path) -> None:
    style = sorted(paintings.iterdir())[0]
    flags = [*FLAGS, "--photos", str(photos)]
    # A weight without effect next to one that is all there is: what is measured has to differ.
    chosen = search(
        (0.0, 1e6), flags, tmp_path, style=style, held_out=photos, size=40, bound=1e9, count=2
    )
    found = json.loads((tmp_path / "search.json").read_text())
    assert found["chosen"] == chosen.weight == 1e6
    assert found["photos"] == 2
    mild, strong = found["tried"]
    assert (mild["weight"], strong["weight"]) == (0, 1e6)
    assert mild["style"] != strong["style"]
    for name in ("weight-0", "weight-1e+06"):
        assert checkpoint.load(tmp_path / name / "checkpoint").config.style == style.stem

    with pytest.raises(InputError, match="weight 3 failed"):
        search(
            (3.0,), ["--width", "no number"], tmp_path / "b",
            style=style, held_out=photos, size=40, bound=1.0,
        )  # fmt: skip
