"""The gallery shows all that ships, and names no picture that is missing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from benchmarks import gallery, sheets
from training.jobs import JOBS
from zoo import checkpoint
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig
from zoo.methods.dcgan import DCGAN, DCGANConfig
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.pipeline import Pipeline
from zoo.sheet import Block

GRIDS = gallery.grids(checkpoint.SHIPPED)
AGAIN = "run: python -m benchmarks.gallery"


def test_the_page_shows_every_checkpoint_that_ships() -> None:
    page = gallery.PAGE.read_text()
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (gallery.PAGE.parent / picture).is_file(), f"{picture} is missing; {AGAIN}"
    for grid in GRIDS:
        assert f"(gallery/{grid.name}.jpg)" in page, AGAIN
        for folder in grid.folders:
            assert f"[{folder.name}](../zoo/checkpoints/{folder.name}/README.md)" in page, AGAIN
    shown = {folder for grid in GRIDS for folder in grid.folders}
    for folder in gallery.folders_in(checkpoint.SHIPPED):
        assert folder in shown or gallery.downloads(folder)
    for anchor in re.findall(r"\]\(#(.*?)\)", page):
        assert f"### {anchor}\n" in page


def test_the_gallery_is_small() -> None:
    files = list(gallery.FOLDER.glob("*.jpg"))
    assert {path.stem for path in files} == {grid.name for grid in GRIDS}, AGAIN
    assert sum(path.stat().st_size for path in files) < 3_000_000


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Toy checkpoints of three kinds, and a gallery of their own."""
    torch.manual_seed(0)
    folder = tmp_path / "zoo" / "checkpoints"
    names = ("photo", "Chinese painting")
    for name, method in (
        ("cyclegan-chinese", CycleGAN(CycleGANConfig(width=4, blocks=1, domains=names))),
        ("johnson-udnie", Johnson(JohnsonConfig(width=4, style="picabia_udnie"))),
        ("dcgan", DCGAN(DCGANConfig(width=4, size=16)).eval()),
    ):
        checkpoint.save(method, folder / name, torch.float16)
        (folder / name / checkpoint.CARD).write_text("")
    monkeypatch.setattr(checkpoint, "SHIPPED", folder)
    monkeypatch.setattr(gallery, "SIZE", 48)
    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "docs" / "gallery")
    monkeypatch.setattr(gallery, "PAGE", tmp_path / "docs" / "gallery.md")
    return folder


def test_the_same_weights_give_the_same_files(shipped: Path) -> None:
    def draw(*words: str) -> dict[str, bytes]:
        done = CliRunner().invoke(gallery.main, words)
        assert done.exit_code == 0, done.output
        return {path.name: path.read_bytes() for path in gallery.FOLDER.glob("*.jpg")}

    first = draw()
    assert set(first) == {"cyclegan-chinese.jpg", "johnson.jpg", "dcgan.jpg"}
    assert draw("--again") == first
    book = gallery.FOLDER / gallery.DRAWN
    before = json.loads(book.read_text())
    checkpoint.save(Johnson(JohnsonConfig(width=4, style="x")), shipped / "johnson-udnie")
    second = draw()
    assert {name for name in first if first[name] != second[name]} == {"johnson.jpg"}
    after = json.loads(book.read_text())
    assert {name for name in before if before[name] != after[name]} == {"johnson"}
    with Image.open(gallery.FOLDER / "cyclegan-chinese.jpg") as grid:
        assert grid.width <= gallery.WIDEST < grid.height  # two blocks of three by three


def test_contact_sheets_are_of_pictures_held_out(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "OUT", tmp_path / "sheets")
    monkeypatch.setattr(sheets, "SIZE", 48)
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []
    pair = sheets.pair

    def noted(pipeline: Pipeline, path: Path, *words: str, **settings: Any) -> Block:
        seen.append(path.stem)
        return pair(pipeline, path, *words, **settings)

    monkeypatch.setattr(sheets, "pair", noted)
    data = tmp_path / "data"
    (job,) = (job for job in JOBS if job.name == "cyclegan-chinese")
    for place, count in (("a", 30), (job.data["domain_b"], 20), ("contents", 3)):
        (data / place).mkdir(parents=True)
        for number in range(count):
            color = (12 * number % 256, 90, 200)
            Image.new("RGB", (64, 48), color).save(data / place / f"{place[0]}{number:02}.png")
    listed = "\n".join(f"../a/a{number:02}.png" for number in range(30))
    (data / job.data["domain_a"]).write_text(listed)
    done = CliRunner().invoke(sheets.main, ["--data", str(data), "--count", "3"])
    assert done.exit_code == 0, done.output
    assert {path.stem for path in sheets.OUT.glob("*.jpg")} == {
        "cyclegan-chinese",
        "johnson-udnie",
        "dcgan",
    }
    assert {"a09", "a19", "a29", "c09", "c19"} <= set(seen)
    assert "a00" not in seen
