"""What KID says of real pictures: sets that share none, compared as results are."""

from pathlib import Path

import pytest
from torch import Tensor

from benchmarks import floor, tables
from benchmarks.machine import EXAMPLES
from tests.test_tables import MACHINE
from training.jobs import JOBS


def test_each_set_has_as_many_pictures_as_were_held_out_and_shares_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[list[Path], list[Path]]] = []

    def counted(made: list[Path], wanted: list[Path], extractor: object) -> float:
        assert extractor == "judge"
        compared.append((made, wanted))
        return float(len(compared))

    monkeypatch.setattr("benchmarks.floor.kid", counted)
    known, held_out = ([Path(f"{kind}{n}") for n in range(8)] for kind in ("known", "held-out"))
    kind = floor.Kind("winter", "winter", lambda path: path, 3, lambda: "judge")  # type: ignore[arg-type, return-value]
    assert floor.distances(kind, known, held_out) == [1, 2]
    first, second = (made for made, _ in compared)
    assert len({*first, *second} & {*known}) == 6
    assert all(wanted == compared[0][1] and {*wanted} < {*held_out} for _, wanted in compared)


def test_every_kid_that_decides_has_its_kind() -> None:
    for job in JOBS:
        decided = {name for name in job.measure if "KID" in name}
        found = floor.aims(job)
        assert found.keys() == decided, job.name
        for figure, kind in found.items():
            assert kind.place in job.data.values(), job.name
            assert floor.shipped(job.name, figure)["value"]


def test_pictures_are_opened_as_for_results() -> None:
    (dcgan,) = (job for job in JOBS if job.name == "dcgan")
    opened: Tensor = floor.aims(dcgan)["KID"].opened(EXAMPLES / "photos" / "cat.jpg")
    assert opened.shape == (1, 3, 64, 64)


def test_the_range_is_told_beside_what_ships() -> None:
    ships = {
        "munit": {"value": 0.0439, "untouched": 0.149},
        "dcgan": {"value": 1, "untouched": None},
    }
    row = {"kind": "winter", "figure": "KID", "pictures": 55, "kid": [-0.01, 0.04], "ships": ships}
    told = tables.floor({"device": "cpu", "machine": MACHINE, "rows": [row]})
    assert (
        "| winter | KID | 55 | 2 | 0.015 | -0.010 to 0.040 | munit 0.044 (0.149), dcgan 1.000 |"
        in told
    )
