"""Two comparisons: what differs is named, and what does not belong together is refused."""

from typing import Any

import pytest

from benchmarks.repeat import rows_of
from benchmarks.tables import repeat
from tests.test_tables import MACHINE


def measured(seconds: float = 1.0, ssim: float = 0.5, **other: Any) -> dict[str, Any]:
    return {
        "method": "johnson",
        "checkpoint": "zoo/johnson-udnie",
        "revision": "0123",
        "content": "cat",
        "style": "",
        "width": 64,
        "height": 48,
        "settings": {"size": 64},
        "seconds": seconds,
        "runs": 3,
        "error": "",
        "figures": {"ssim": ssim, "checkerboard": 0.25, "style_error_vgg19": None},
    } | other


def test_the_same_figures_and_the_ratio_of_the_times() -> None:
    rows = rows_of([measured()], [measured(seconds=1.25)])
    assert rows[0]["ratio"] == 1.25
    assert rows[0]["differing"] == []
    told = repeat({"device": "cpu", "machine": MACHINE, "rows": rows})
    assert "| johnson-udnie | 64×48 | 1 s | 1.25 s | 1.25 | all 2 the same |" in told


def test_the_last_digit_counts() -> None:
    rows = rows_of([measured()], [measured(ssim=0.5000000000000001)])
    assert rows[0]["differing"] == ["ssim"]
    assert "| other ssim |" in repeat({"device": "cpu", "machine": MACHINE, "rows": rows})
    (lost,) = rows_of([measured()], [measured(figures={"ssim": 0.5, "checkerboard": 0.25})])
    assert lost["differing"] == []  # not measured is not measured
    (lost,) = rows_of([measured()], [measured(figures={"ssim": 0.5})])
    assert lost["differing"] == ["checkerboard"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"checkpoint": "zoo/adain"}, "was not measured twice"),
        ({"settings": {"size": 32}}, "was not measured twice"),
        ({"error": "No place."}, "No place."),
    ],
)
def test_only_the_same_measured_twice_is_told(other: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows_of([measured()], [measured(**other)])
