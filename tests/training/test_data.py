import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.training.conftest import paint
from training.data import INDEX, PIXELS, Pack, Stream, open_pack, pack
from training.pack import main
from zoo.errors import DiskFullError, InputError


def test_a_pack_holds_the_pictures_and_works_without_them(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    paint(folder / "a.png", 1)
    paint(folder / "deeper" / "b.png", 2, 300, 200)
    made = pack(folder, tmp_path / "pack", 100)
    assert [(e.name, e.height, e.width) for e in made.entries] == [
        ("a.png", 48, 60),
        ("deeper/b.png", 100, 150),
    ]
    np.testing.assert_array_equal(made.picture(0), np.asarray(Image.open(folder / "a.png")))
    for path in folder.rglob("*.png"):
        path.unlink()
    assert len(open_pack(tmp_path / "pack", 100, tmp_path / "unused")) == 2
    assert not (tmp_path / "unused").exists()


def test_a_folder_is_decoded_once_and_again_when_it_changes(tmp_path: Path) -> None:
    folder, packs = tmp_path / "photos", tmp_path / "packs"
    folder.mkdir()
    paint(folder / "a.png", 1)
    first = open_pack(folder, 64, packs)
    (made,) = packs.iterdir()
    stamp = (made / PIXELS).stat().st_mtime_ns
    assert open_pack(folder, 64, packs).digest == first.digest
    assert (made / PIXELS).stat().st_mtime_ns == stamp
    paint(folder / "a.png", 2)
    assert open_pack(folder, 64, packs).digest != first.digest
    assert len(list(packs.iterdir())) == 2


def test_the_digest_is_that_of_the_content_alone(tmp_path: Path) -> None:
    for name, files in (("one", ("a", "b")), ("two", ("z", "y"))):
        (tmp_path / name).mkdir()
        for seed, file in enumerate(files):
            paint(tmp_path / name / f"{file}.png", seed)
    first, second = (pack(tmp_path / n, tmp_path / f"{n}-pack", 64) for n in ("one", "two"))
    assert first.digest == second.digest


def test_broken_pictures_are_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    paint(folder / "good.png", 1)
    paint(folder / "tiny.png", 2, 5, 5)
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.jpg").touch()
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:200])
    (folder / "notes.txt").write_text("not looked at")
    assert len(pack(folder, tmp_path / "pack", 64)) == 1
    for name in ("tiny.png", "text.jpg", "empty.jpg", "cut.png"):
        assert f"skipped {name}" in caplog.text
    assert "notes.txt" not in caplog.text


def painted(folder: Path, *size: int) -> None:
    folder.mkdir()
    paint(folder / "a.png", 1, *size)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: None, "no folder"),
        (lambda folder: folder.mkdir(), "holds no pictures"),
        (lambda folder: folder.write_text("a file"), "no folder"),
        (lambda folder: (folder.mkdir(), (folder / "a.txt").write_text("x")), "holds no pictures"),
        (lambda folder: (folder.mkdir(), (folder / "a.jpg").write_text("x")), "None of the 1"),
        (lambda folder: painted(folder, 5, 5), "None of the 1"),
        (painted, "at least 2"),
    ],
)
def test_unusable_folders_are_refused_with_a_reason(
    tmp_path: Path, prepare: Callable[[Path], object], words: str
) -> None:
    prepare(tmp_path / "photos")
    with pytest.raises(InputError, match=words):
        open_pack(tmp_path / "photos", 64, tmp_path / "packs", least=2)


def test_an_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, whom nothing stops
    with pytest.raises(InputError, match="permissions"):
        open_pack(tmp_path, 64, tmp_path / "packs")


def test_a_full_disk_leaves_no_half_a_pack(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match="No space left"):
        pack(photos, tmp_path / "pack", 64)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_pack_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        pack(photos, tmp_path / "precious", 64)
    assert (tmp_path / "precious" / "file").read_text() == "mine"


def test_damaged_packs_are_refused(photos: Path, tmp_path: Path) -> None:
    pack(photos, tmp_path / "pack", 64)
    with (tmp_path / "pack" / PIXELS).open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="damaged"):
        Pack(tmp_path / "pack")
    (tmp_path / "pack" / INDEX).write_text(json.dumps({"name": "x"}))
    with pytest.raises(InputError, match="no pack"):
        Pack(tmp_path / "pack")


def test_a_pack_of_another_size_is_refused(photos: Path, tmp_path: Path) -> None:
    pack(photos, tmp_path / "pack", 40)
    with pytest.raises(InputError, match=r"40 pixels, and 64 .* set --load-size to 40"):
        open_pack(tmp_path / "pack", 64, tmp_path / "packs")
    assert len(open_pack(tmp_path / "pack", 40, tmp_path / "packs")) == 5


def test_crops_are_parts_of_their_picture_and_every_picture_comes_once_an_epoch(
    photos: Path, tmp_path: Path
) -> None:
    made = pack(photos, tmp_path / "pack", 64)
    found = []
    for position in range(len(made)):
        crop = made.crop(position, 16, seed=3)
        for number in range(len(made)):
            picture = made.picture(number)
            windows = np.lib.stride_tricks.sliding_window_view(picture, (16, 16, 3))
            if any((windows == view).all((-1, -2, -3)).any() for view in (crop, crop[:, ::-1])):
                found.append(number)
    assert sorted(found) == list(range(len(made)))


def test_small_pictures_are_enlarged_to_the_crop(photos: Path, tmp_path: Path) -> None:
    assert pack(photos, tmp_path / "pack", 64).crop(0, 100, seed=0).shape == (100, 100, 3)


def test_two_processes_share_what_one_sees(photos: Path, tmp_path: Path) -> None:
    made = pack(photos, tmp_path / "pack", 64)
    whole = Stream(made, 16, 4, 7, 0, 1)
    halves = [Stream(made, 16, 2, 7, process, 2) for process in range(2)]
    for step in (0, 1, 2, 7, 3):  # also out of order, as after a resume
        together = np.concatenate([half(step) for half in halves])
        np.testing.assert_array_equal(whole(step), together)


def test_the_pack_command(photos: Path, tmp_path: Path) -> None:
    arguments = [str(photos), str(tmp_path / "pack"), "--size", "40"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert Pack(tmp_path / "pack").size == 40
    result = CliRunner().invoke(main, [str(tmp_path / "none"), str(tmp_path / "pack2")])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: There is no folder")
