"""Writes that are whole or not at all."""

import errno
from pathlib import Path

import pytest

from zoo import files
from zoo.files import replace_folder, staged, write_atomic


def make(folder: Path, words: str) -> Path:
    folder.mkdir()
    for name in ("config", "weights"):
        (folder / name).write_text(words)
    return folder


def read(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.iterdir()}


def test_a_name_may_be_as_long_as_the_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".png")
    write_atomic(path, b"picture")
    assert path.read_bytes() == b"picture"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_is_replaced_whole(
    in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    for words in ("first", "second"):
        replace_folder(make(tmp_path / ".fresh", words), tmp_path / "shipped")
        assert read(tmp_path / "shipped") == {words}
        assert [path.name for path in tmp_path.iterdir()] == ["shipped"]


def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = make(tmp_path / "shipped", "first")
    fresh = make(tmp_path / ".fresh", "second")
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self == fresh:
            raise OSError(errno.EIO, "the disk is broken")
        return rename(self, target)

    monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="broken"):
        replace_folder(fresh, shipped)
    assert read(shipped) == {"first"}


def test_a_staged_folder_takes_its_place_at_the_end_only(tmp_path: Path) -> None:
    shipped = make(tmp_path / "shipped", "first")
    with staged(shipped) as fresh:
        (fresh / "weights").write_text("second")
        assert read(shipped) == {"first"}
        assert fresh.name.startswith("."), "half a checkpoint would be listed"
    assert read(shipped) == {"second"}
    with pytest.raises(FileNotFoundError), staged(shipped) as fresh:
        (fresh / "no folder" / "weights").write_text("third")
    assert read(shipped) == {"second"}
    assert [path.name for path in tmp_path.iterdir()] == ["shipped"]
