"""The matrix: planted methods are measured in processes of their own, or say why not."""

import json
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from benchmarks import cards, claims, machine, matrix
from benchmarks.claims import Found, Measured, answered
from tests import planted
from zoo.card import CardFacts, Metric
from zoo.checkpoint import load as load_checkpoint
from zoo.checkpoint import save
from zoo.errors import RepoNotFoundError
from zoo.method import Content, Method
from zoo.methods import METHODS
from zoo.runtime import Fetch

FOREVER = 600.0  # seconds; no test waits that long
TINY = (64, 48)


class Endless(planted.Planted):
    name, title, checkpoint = "endless", "Endless", "zoo/endless"

    def forward(self, content: Content) -> Tensor:
        if max(content.shape[2:]) == max(TINY):  # what comes before, at another size, is quick
            time.sleep(FOREVER)
        return content * self.gain


def load(folder: Path) -> Method:
    """As checkpoint.load, in a process where nothing has been planted."""
    known: tuple[type[planted.Planted], ...] = (*planted.ALL, Endless)
    METHODS.update({method.name: method for method in known})
    return load_checkpoint(folder)


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    for method in (planted.Painted, planted.Refusing, planted.Quick, Endless):
        monkeypatch.setitem(METHODS, method.name, method)
        if method is not planted.Quick:
            save(method(), tmp_path / method.name)

    def find(repo_id: str, revision: str, *, report: object = None) -> tuple[Path, str]:
        folder = tmp_path / repo_id.removeprefix("zoo/")
        if not folder.exists():
            raise RepoNotFoundError("There is no checkpoint “{repo_id}”.", repo_id=repo_id)
        return folder, "0123456789abcdef"

    return find


def test_a_cell_has_time_and_memory_or_a_reason(fetch: Fetch) -> None:
    names = ["painted", "refusing", "quick"]
    rows = list(matrix.cells(names, [TINY], "cpu", runs=2, fetch=fetch, load=load))
    painted, refusing = rows  # the checkpoint of the third does not ship
    assert (painted["method"], painted["width"], painted["height"]) == ("painted", *TINY)
    assert 0 < painted["seconds"] < matrix.LIMIT
    assert (painted["runs"], painted["warm"]) == (2, True)
    assert painted["memory"] > 0
    assert painted["memory_of"] == "fresh process"
    assert painted["precision"] == "fp32"
    assert refusing["skipped"] == "This photo is not to my taste."
    assert "seconds" not in refusing


def test_a_cell_over_the_limit_is_skipped_and_so_are_larger_ones(fetch: Fetch) -> None:
    sizes = [(80, 80), TINY]
    began = time.monotonic()
    rows = list(matrix.cells(["endless"], sizes, "cpu", limit=0.2, fetch=fetch, load=load))
    assert time.monotonic() - began < FOREVER
    assert [(row["width"], row["skipped"]) for row in rows] == [
        (64, "takes more than 0.2 s"),
        (80, "64×48 pixels take more than 0.2 s already"),
    ]


def test_a_pass_that_was_ended_goes_on_where_it_was(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path / "results")
    asked: list[int] = []
    answers: list[dict[str, Any] | None] = []

    def measured(work: object, limit: float) -> dict[str, Any] | None:
        if not answers:
            raise KeyboardInterrupt
        asked.append(1)
        return answers.pop(0)

    monkeypatch.setattr(matrix, "measured", measured)
    monkeypatch.setattr(matrix, "cells", partial(matrix.cells, fetch=fetch))
    monkeypatch.setattr(matrix, "METHODS", {"painted": METHODS["painted"]})
    sizes = [(64, 48), (80, 80), (96, 96)]

    def run(*given: dict[str, Any] | None, again: bool = False, runs: int = 2) -> list[Any]:
        """How many cells were measured, and the figures that are saved then."""
        answers[:] = given
        asked.clear()
        with suppress(KeyboardInterrupt):
            matrix.main.callback(("cpu",), (), sizes, runs, 60.0, again)  # type: ignore[misc]
        rows = json.loads((tmp_path / "results" / "matrix.json").read_text())["rows"]
        return [len(asked), *(row.get("seconds", "skipped") for row in rows)]

    def cell(seconds: float) -> dict[str, Any]:
        return {"seconds": seconds, "memory": 1}

    assert run(cell(1)) == [1, 1]  # ended in the second cell
    assert run(cell(2), None) == [2, 1, 2, "skipped"]
    assert run(cell(9)) == [0, 1, 2, "skipped"]
    assert run(cell(3), None, again=True) == [2, 3, "skipped", "skipped"]
    assert run(cell(9)) == [0, 3, "skipped", "skipped"]  # the larger ones need no answer
    assert run(cell(4), runs=1) == [1, 4]  # other settings
    monkeypatch.setattr(matrix, "SETTINGS", {"painted": {"strength": 1}})
    assert run(cell(5), runs=1) == [1, 5]
    monkeypatch.setattr(machine, "describe", lambda: {"date": "2026-01-01", "cpu": "abacus"})
    assert run(cell(6), runs=1) == [1, 6]  # another machine


FACTS = CardFacts(
    method="cyclegan",
    title="CycleGAN",
    recipe={"steps": 50, "batch_size": 2, "size": 128},
    seconds=100.0,
    device="CPU",
    limits=("Training started from the weights of an earlier run.",),
    metrics=(
        Metric(name="KID, AtoB", value=0.3, better="lower", data="90 pictures"),
        Metric(name="KID of the untouched, AtoB", value=1.0, data="90 pictures"),
        Metric(name="KID, AtoB", value=0.9, better="lower", data="4 photos"),
    ),
)


def test_cards_stand_beside_the_untouched_photo() -> None:
    row = cards.row_of("cyclegan-chinese", FACTS)
    assert (row["steps"], row["batch"], row["earlier_weights"]) == (50, 2, True)
    (kid,) = row["measures"]  # the gate's few pictures are left out
    assert (kid["name"], kid["value"], kid["untouched"]) == ("KID, AtoB", 0.3, 1.0)


def test_claims_are_answered_only_by_what_there_is(tmp_path: Path) -> None:
    measured = Measured(tmp_path)
    painted = Found("10 steps", 2.0, "s")
    assert {claim.method for claim in answered(measured, painted, {})} == {"gatys"}
    measured.cards["cyclegan-chinese"] = cards.row_of("cyclegan-chinese", FACTS)
    told = [one for one in answered(measured, painted, {}) if one.method == "cyclegan"]
    assert [one.question for one in told] == ["training", "quality", "direction"]
    total, step = told[0].found
    assert (total.value, step.value) == (100.0, 2.0)
    assert told[2].found == [Found("KID, AtoB", 0.3, "", 1.0)]
    frame = Found("640×480", 0.05, "s")
    (claim,) = [one for one in answered(measured, painted, {}, [frame]) if one.found == [frame]]
    assert (claim.report, claim.question) == ("002", "a frame of 640×480")
    assert claim.note == "many-styles-camera"


def test_frames_are_measured_with_the_checkpoint_for_cameras(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "FRAMES", {(64, 48): "fast"})
    (found,) = claims.filming()
    assert (found.what, found.unit) == ("64×48", "s")
    assert found.value > 0


def test_the_figures_of_gates_are_not_taken_for_those_of_a_benchmark() -> None:
    def told(name: str, data: str) -> Metric:
        return Metric(name=name, value=1.0, data=data)

    ways = [
        told("KID, AtoB", "56 pictures"),
        told("KID of the untouched, AtoB", "56 pictures"),
        told("KID, BtoA", "55 pictures"),
    ]
    of_gates = [
        told("Checkerboard, AtoB", "4 photos"),
        told("Checkerboard, BtoA", "4 photos"),
        told("Half precision", "4 sample pictures"),
    ]
    assert cards.first(ways + of_gates) == ways
    assert cards.photo_of("KID, AtoB", ways) == ways[1]
    assert cards.photo_of("KID, BtoA", ways) is None
