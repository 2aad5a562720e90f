"""The command line as a person meets it: output, words and exit codes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tests.films import film, seen
from tests.pictures import photo

ROOT = Path(__file__).parents[1]


def zoo(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def test_list_is_quick_and_leaves_torch_alone() -> None:
    program = (
        "import sys; sys.argv = ['zoo', 'list', '--json']\n"
        "from zoo.__main__ import main\n"
        "main.main(standalone_mode=False)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - started
    rows = json.loads(done.stdout)
    assert ("zoo/gatys", "gatys") in [(row["repo_id"], row["method"]) for row in rows]
    assert seconds < 2


def test_overview_names_every_command() -> None:
    from zoo.__main__ import COMMANDS, main

    done = zoo("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert name in done.stdout
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.help


def test_video_repaints_a_video(tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", frames=3, sound="aac")
    out = tmp_path / "new.mp4"
    done = zoo("video", "many_styles", "--clip", clip, "--painting", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "64×48 px · zoo/many-styles@" in done.stderr
    frames, _ = seen(out)
    assert len(frames) == 3
    for words, error in (
        (("many_styles", "--clip", clip, "--out", tmp_path / "new.png"), "has to end in .mp4"),
        (("gatys", "--clip", clip, "--out", out), "Gatys takes too long for a frame"),
    ):
        done = zoo("video", *words)
        assert done.returncode == 2
        assert error in done.stderr
        assert done.stderr.count("\n") == 1


def test_run_paints_a_picture(tmp_path: Path) -> None:
    photo().save(tmp_path / "photo.png")
    photo(seed=3).save(tmp_path / "style.png")
    out = tmp_path / "out.png"
    done = zoo(
        "run", "gatys", "--content", tmp_path / "photo.png", "--style", tmp_path / "style.png",
        "--more-styles", tmp_path / "photo.png", "--style-weights", "2", "--style-weights", "1",
        "--steps", "10", "--no-coarse-to-fine", "--device", "cpu", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Done in" in done.stderr
    assert "65×49 px · zoo/gatys@" in done.stderr
    with Image.open(out) as picture:
        assert isinstance(picture, PngImageFile)
        picture.load()
        assert picture.size == (65, 49)
        assert json.loads(picture.text["parameters"])["settings"]["style_weights"] == [2, 1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.png", "photo.png", "style.png"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["run", "cubism"], "There is no method “cubism”; there are johnson"),
        (["run", "gatys", "--steps", "1"], "Steps: 1 is outside 10 to 2000."),
        (["run", "gatys", "--device", "toaster"], "The device “toaster” cannot be used here."),
        (["run", "gatys", "--checkpoint", "zoo/none"], "There is no checkpoint “zoo/none”."),
        (["run", "gatys", "--content", "missing.jpg"], "“missing.jpg” cannot be opened."),
        (["run", "gatys", "--out", "a.jpg"], "“a.jpg” has to end in .png."),
        (["run", "gatys", "--out", "none/a.png"], "there is no folder “none”."),
        (["info", "zoo/none"], "There is no checkpoint “zoo/none”."),
    ],
)
def test_mistakes_end_in_one_line_and_code_2(words: list[str], error: str, tmp_path: Path) -> None:
    photo().save(tmp_path / "p.png")
    if words[:2] == ["run", "gatys"]:
        for name, value in (("content", tmp_path / "p.png"), ("style", tmp_path / "p.png")):
            words = words if f"--{name}" in words else [*words, f"--{name}", str(value)]
        if "--out" not in words:
            words = [*words, "--out", str(tmp_path / "o.png")]
    done = zoo(*words)
    assert done.returncode == 2
    assert error in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "o.png").exists()
