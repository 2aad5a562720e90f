"""Results as files."""

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import torch
from PIL import Image

from space import results
from space.bootstrap import ROOT
from space.pictures import sent
from space.serve import PLACE, locked
from space.status import done
from zoo.images import Notice
from zoo.pipeline import Progress, Record

NOON = datetime(2026, 1, 1, 12, 0, 0)


def record(**changes: object) -> Record:
    facts: dict[str, object] = {
        "method": "gatys",
        "checkpoint": "zoo/gatys",
        "revision": "0123456789abcdef",
        "settings": {"seed": 7, "bits": "8"},
        "width": 40,
        "height": 30,
        "seconds": 0.84,
        "device": "NVIDIA H100",
    }
    return Record(**(facts | changes))  # type: ignore[arg-type]


def progress(batch: int = 1, content: bool = True, **changes: object) -> Progress:
    return Progress(
        number=1,
        total=1,
        tensors=torch.rand(batch, 3, 30, 40),
        content=torch.rand(1, 3, 30, 40) if content else None,
        record=record(**changes),
    )


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))


def test_file_names_say_how_a_picture_was_made() -> None:
    facts = {"checkpoint": "zoo/fast-candy", "settings": {"strength": 1}}
    assert results.file_name(facts, NOON) == "photo_fast-candy_s1.00_20260101-120000.png"
    facts = {"checkpoint": "someone/munit <x>", "settings": {}}
    assert results.file_name(facts, NOON, 2) == "photo_someone-munitx_20260101-120000_3.png"


def test_saved_files_lie_under_paths_nobody_can_guess(tmp_path: Path) -> None:
    first, second = (results.save(progress(), "line", {}) for _ in range(2))
    folders = {Path(one.files[0]).parent for one in (first, second)}
    assert len(folders) == 2
    assert all(len(folder.name) == 32 for folder in folders)
    assert all(folder.parent == tmp_path / "results" for folder in folders)
    assert first.there
    assert first.before is not None
    assert Path(first.before).is_file()


def test_a_batch_without_a_photo_is_saved_whole() -> None:
    saved = results.save(progress(batch=3, content=False), "", {})
    assert len(saved.files) == len(set(saved.files)) == 3
    assert saved.before is None


def test_only_old_results_are_swept() -> None:
    old, fresh = (results.save(progress(), "", {}) for _ in range(2))
    hour_ago = time.time() - results.LIFETIME - 5
    os.utime(Path(old.files[0]).parent, (hour_ago, hour_ago))
    assert results.sweep() == 1
    assert not old.there
    assert fresh.there
    assert results.sweep() == 0


def test_an_enlarged_copy_that_is_sent_on_is_swept_like_a_result(tmp_path: Path) -> None:
    saved = results.save(progress(), "", {})
    larger = Path(sent(saved.files[0]))
    with Image.open(larger) as picture:
        assert picture.size == (341, 256)
    assert larger.parent.parent == tmp_path / "results"
    assert larger.parent != Path(saved.files[0]).parent
    os.utime(larger.parent, (0, 0))
    assert results.sweep() == 1
    assert not larger.exists()


def test_a_site_that_is_terminated_leaves_no_pictures(tmp_path: Path) -> None:
    killed, alive = (tmp_path / f"{PLACE}{name}" for name in ("killed", "alive"))
    for folder in (killed, alive):
        folder.mkdir()
        os.utime(folder, (0, 0))
    words = ["--port", "0", "--device", "cpu", "--data", str(tmp_path / "data")]
    with locked(alive):
        os.utime(alive, (0, 0))
        site = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), *words],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert site.stdout
            address = site.stdout.readline().decode().split()[-1]
            assert httpx.get(address, timeout=60, trust_env=False).status_code == 200
            (own,) = set(tmp_path.glob(f"{PLACE}*")) - {alive}
            (own / "photo.jpg").write_bytes(b"")
            site.terminate()
            assert site.wait(60) == 0
        finally:
            site.kill()
            site.communicate()
    assert set(tmp_path.glob(f"{PLACE}*")) == {alive}


def test_the_sweeper_sweeps_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = results.save(progress(), "", {})
    os.utime(Path(saved.files[0]).parent, (0, 0))
    sweeper = results.Sweeper(every=0.01)
    sweeper.start()
    until = time.monotonic() + 10
    while saved.there and time.monotonic() < until:
        time.sleep(0.01)
    sweeper.stop()
    assert not saved.there


def test_the_status_line_keeps_its_order() -> None:
    line = done("en", progress(precision="bf16"), 0.0)
    assert line == (
        '<p class="sz-done">Done in 0.84 s on NVIDIA H100 · 40×30 px · '
        "<code>gatys@01234567</code> · seed 7 · bf16</p>"
    )


def test_the_first_use_and_notices_are_told_and_escaped() -> None:
    made = progress(device="<b>", settings={})
    notice = Notice("Only the first frame of “{name}” was used.", {"name": "<i>.gif"})
    made = Progress(number=1, total=1, tensors=made.tensors, record=made.record, notices=(notice,))
    line = done("en", made, 2.26)
    assert "Done in 3.10 s (2.26 s of it downloading and loading) on &lt;b&gt; ·" in line
    assert "“&lt;i&gt;.gif”" in line
    assert "seed" not in line


def test_a_code_is_told_in_place_of_the_seed() -> None:
    line = done("en", progress(settings={"seed": 7, "code": "0.5 -1"}), 0.0)
    assert "Code <code>0.5 -1</code>" in line
    assert "seed" not in line
    assert "seed 7" in done("en", progress(settings={"seed": 7, "code": ""}), 0.0)
