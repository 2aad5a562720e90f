"""Comparing: planted methods are ranked as they are, and figures are those of the pictures."""

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests import planted
from tests.pictures import photo
from tests.test_cli import zoo
from zoo import checkpoint, images, memory
from zoo.compare import (
    Bench,
    Entry,
    Row,
    chosen,
    comparable,
    compare,
    contestants_of,
    picture,
    plain,
    ranked,
    takes_style,
    to_csv,
    to_json,
)
from zoo.errors import InputError
from zoo.methods import METHODS
from zoo.methods.dcgan import DCGAN
from zoo.methods.munit import MUNIT
from zoo.metrics import FIGURES, content_error_vgg19, ssim
from zoo.nn.vgg import vgg19
from zoo.pipeline import Progress
from zoo.runtime import Listed, Runtime

SIZE = (80, 72)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    with pytest.MonkeyPatch.context() as patch:
        for method in planted.ALL:
            patch.setitem(METHODS, method.name, method)
        yield planted.plant(tmp_path_factory.mktemp("planted"))


def all_of(
    runtime: Runtime, *names: str, runs: int = 0, photos: int = 1, styles: int = 1
) -> list[tuple[Entry, Progress | None]]:
    return list(
        compare(
            runtime,
            chosen(names, runtime),
            {f"photo {i}": photo(*SIZE, seed=i) for i in range(photos)},
            {f"style {i}": photo(64, 90, seed=5 + i) for i in range(styles)},
            runs=runs,
        )
    )


def test_slow_and_hungry_methods_are_ranked_so(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "load", planted.load)
    rows = []
    for name in ("slow", "hungry", "quick"):
        fetch = None if name == "slow" else runtime.fetch  # a process takes seconds to start
        *_, last = Bench(photo(*SIZE), runs=3, fetch=fetch).work(runtime.pipeline(f"zoo/{name}"))
        assert last.row is not None
        assert (last.row.runs, last.row.warm) == (3, True)
        assert last.row.memory_of == ("fresh process" if fetch else "")
        rows.append(last.row)
    assert ranked(rows)[-1].method == "slow"
    assert [row.method for row in ranked(rows, "memory")] == ["quick", "hungry", "slow"]
    slow, hungry, quick = rows
    assert slow.seconds is not None
    assert slow.seconds >= planted.SLOWNESS
    assert hungry.memory is not None
    assert quick.memory is not None
    assert planted.HUNGER < hungry.memory < 2 * planted.HUNGER
    assert 0 < quick.memory < planted.HUNGER / 2


def test_a_method_is_run_as_often_as_it_says(runtime: Runtime) -> None:
    pipeline = runtime.pipeline("zoo/quick")
    for runs, patience, total, counted, warm in (
        (3, 1e9, 4, 3, True),
        (0, 1e9, 1, 1, False),
        (3, 0.0, 1, 1, False),
    ):
        planted.Quick.runs = 0
        looks = list(Bench(photo(*SIZE), runs=runs, patience=patience).work(pipeline))
        row = looks[-1].row
        assert row is not None
        assert (planted.Quick.runs, row.runs, row.warm) == (total, counted, warm)
        # The picture is there before the figures are.
        first = next(look.row for look in looks if look.row)
        assert first.seconds is not None
        assert not first.figures
        assert row.memory is None


def test_figures_are_those_of_the_pictures_and_the_same_again(runtime: Runtime) -> None:
    (entry, progress), (_, other) = all_of(runtime, "painted", "quick")
    assert progress is not None
    assert other is not None
    assert progress.content is not None
    figures = entry.row.figures
    assert list(figures) == [figure.key for figure in FIGURES]
    wanted = content_error_vgg19(progress.tensors, progress.content, vgg19())
    assert figures["content_error_vgg19"] == pytest.approx(wanted, rel=1e-4)
    assert figures["ssim"] == pytest.approx(ssim(progress.tensors, progress.content))
    style = figures["style_error_vgg19"]
    assert style is not None
    assert style > 0
    (again, _), (by_heart, _) = all_of(runtime, "painted", "quick", runs=1)
    assert again.row.figures == figures  # to the last digit
    assert by_heart.row.figures["style_error_vgg19"] is None


def test_a_method_that_fails_says_so_and_the_others_go_on(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    found = all_of(runtime, "refusing", "broken", "quick")
    rows = [entry.row for entry, _ in found]
    assert [row.method for row in rows] == ["refusing", "broken", "quick"]
    assert rows[0].error == "This photo is not to my taste."
    assert rows[1].error == "ZeroDivisionError: a secret"
    assert "a method failed" in caplog.text
    assert [progress is None for _, progress in found] == [True, True, False]
    assert not rows[2].error
    assert ranked(rows)[0].method == "quick"
    bench = Bench(photo(*SIZE))
    with pytest.raises(InputError, match="Add a style picture"):
        next(bench.work(runtime.pipeline("zoo/painted")))


def test_photos_and_paintings_make_a_grid_for_each_method(runtime: Runtime) -> None:
    found = all_of(runtime, "painted", "quick", "refusing", photos=2, styles=3)
    rows = [entry.row for entry, _ in found]
    assert [(row.method, row.content, row.style) for row in rows] == [
        *(("painted", f"photo {i}", f"style {j}") for i in range(2) for j in range(3)),
        *(("quick", f"photo {i}", "") for i in range(2)),
        *(("refusing", f"photo {i}", "") for i in range(2)),
    ]
    assert [row.loading is None for row in rows] == [False, *[True] * 5, False, True, True, True]
    contents = {f"photo {i}": photo(*SIZE, seed=i) for i in range(2)}
    styles = {f"style {i}": photo(64, 90, seed=5 + i) for i in range(3)}
    whole = picture([entry for entry, _ in found], contents, styles)
    one = picture([entry for entry, _ in found[:1]], {"photo 0": contents["photo 0"]}, {})
    assert whole.width > 3 * 300
    assert whole.height > 3 * one.height
    # Each result stands in it: its colours are found at the place of its row and column.
    small = whole.resize((whole.width // 4, whole.height // 4))
    assert len(small.getcolors(1 << 20) or ()) > 1000


def test_tables_hold_every_number(runtime: Runtime) -> None:
    rows = [entry.row for entry, _ in all_of(runtime, "painted", "refusing")]
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [one["method"] for one in read] == ["painted", "refusing"]
    assert float(read[0]["seconds"]) == rows[0].seconds
    assert float(read[0]["ssim"]) == rows[0].figures["ssim"]
    assert read[0]["memory_bytes"] == ""  # not measured, and so empty
    assert json.loads(read[0]["settings"])["size"] == 512
    assert read[1]["error"] == "This photo is not to my taste."
    assert read[1]["seconds"] == ""
    told = json.loads(to_json(rows))
    assert told["rows"][0]["figures"] == rows[0].figures
    assert {one["key"] for one in told["figures"]} < set(plain(rows[0]))
    assert all(one["features"] for one in told["figures"])


def test_what_was_not_measured_comes_last() -> None:
    rows = [
        Row(method=name, checkpoint=name, seconds=seconds, figures={"ssim": similar})
        for name, seconds, similar in (("a", 2.0, None), ("b", None, 0.5), ("c", 1.0, 0.0))
    ]
    assert [row.method for row in ranked(rows)] == ["c", "a", "b"]
    assert [row.method for row in ranked(rows, "ssim")] == ["c", "b", "a"]


def test_what_can_be_compared(runtime: Runtime) -> None:
    assert comparable(MUNIT)
    assert not takes_style(MUNIT)
    assert not comparable(DCGAN)
    assert takes_style(METHODS["adain"])
    assert not takes_style(METHODS["many_styles"])
    found = chosen(["quick", "zoo/painted", "zoo/quick"], runtime)
    assert [one.name for one in found] == ["zoo/quick", "zoo/painted"]
    found = chosen(["several", "zoo/several:2", "several:0", "several:1"], runtime)
    assert [(one.name, one.painting) for one in found] == [
        ("zoo/several:0", "Night"),
        ("zoo/several:2", "Day"),
        ("zoo/several:1", "Noon"),
    ]
    for wrong in ("cubism", "several:3", "several:", "several:noon", "quick:0"):
        with pytest.raises(InputError, match=f"There is no method or checkpoint “{wrong}”"):
            chosen([wrong], runtime)
    with pytest.raises(InputError, match="repaints no photo"):
        chosen(["dcgan"], runtime)


def test_paintings_known_by_heart_take_part_apart(runtime: Runtime) -> None:
    found = all_of(runtime, "several:2", "quick", "several")
    rows = [entry.row for entry, _ in found]
    assert [(row.method, row.painting) for row in rows] == [
        ("several", "Day"),
        ("quick", ""),
        ("several", "Night"),
    ]
    assert rows[0].settings["painting"] == 2
    day, quick, night = (progress.tensors for _, progress in found if progress)
    assert day.allclose(quick)
    assert night.allclose(quick / 3)
    entries = [entry for entry, _ in found]
    pictures = {"photo 0": photo(*SIZE)}, {"style 0": photo(64, 90, seed=5)}
    whole, fewer = picture(entries, *pictures), picture(entries[:2], *pictures)
    assert whole.width * whole.height > fewer.width * fewer.height  # not one cell for both


def test_strange_configs_have_no_paintings(runtime: Runtime) -> None:
    for config in ({"paintings": 3}, {"other": ()}, {"paintings": ("One",)}):
        (one,) = contestants_of(Listed(repo_id="ada/odd", method="several", config=config))
        assert (one.name, one.painting, one.settings) == ("ada/odd", "", {})


def test_memory_is_measured_once_for_pictures_of_the_same_sizes(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def growth(work: object) -> Iterator[int | None]:
        measured.append(len(measured))
        yield 100 + measured[-1]

    monkeypatch.setattr(memory, "growth", growth)
    sizes = [(80, 72), (80, 72), (96, 60)]
    found = compare(
        runtime,
        chosen(["painted", "quick"], runtime),
        {f"photo {i}": photo(*size, seed=i) for i, size in enumerate(sizes)},
        {f"style {i}": photo(64, side, seed=i) for i, side in enumerate((90, 90, 50))},
        size=0,
        runs=0,
        fetch=runtime.fetch,
    )
    peaks: dict[str, list[int | None]] = {"painted": [], "quick": []}
    for entry, _ in found:
        assert entry.row.memory_of == "fresh process"
        peaks[entry.row.method].append(entry.row.memory)
    assert peaks == {
        "painted": [100, 100, 101, 100, 100, 101, 102, 102, 103],
        "quick": [104, 104, 105],
    }


def test_a_fresh_process_grows_by_what_it_needs(caplog: pytest.LogCaptureFixture) -> None:
    *ticks, grown = memory.growth(partial(os.urandom, 60 * 10**6))
    assert set(ticks) <= {None}
    assert grown is not None
    assert 58e6 <= grown < 90e6
    assert set(memory.growth(partial(int, "no number"))) <= {None}
    assert "memory was not measured" in caplog.text


def test_closing_ends_the_fresh_process() -> None:
    before = psutil.Process().children()
    growing = memory.growth(partial(time.sleep, 600))
    next(growing)
    (child,) = (one for one in psutil.Process().children() if one not in before)
    growing.close()  # type: ignore[attr-defined]
    assert not child.is_running()


def test_the_command_writes_tables_and_pictures(tmp_path: Path) -> None:
    for name, seed in (("photo.png", 0), ("style.png", 3)):
        photo(*SIZE, seed=seed).save(tmp_path / name)
    out = tmp_path / "new" / "out"
    done = zoo(
        "compare", "--content", tmp_path / "photo.png", "--style", tmp_path / "style.png",
        "--methods", "many_styles:2,adain", "--size", "64", "--runs", "1", "--no-memory",
        "--device", "cpu", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "all.png",
        "photo_many-styles_great-wave-hokusai.png",
        "photo_style_adain.png",
        "table.csv",
        "table.json",
    ]
    head, *lines = done.stdout.splitlines()
    assert head.split()[:3] == ["checkpoint", "pictures", "seconds"]
    assert {line.split()[0] for line in lines} == {"zoo/many-styles", "zoo/adain"}
    rows = json.loads((out / "table.json").read_text())["rows"]
    assert [row["memory"] for row in rows] == [None, None]
    with Image.open(out / "photo_style_adain.png") as made:
        assert made.size == (64, 58)
        assert images.open_picture(made).image.size == (64, 58)


def test_pictures_with_long_names_have_results_of_their_own(tmp_path: Path) -> None:
    contents = [tmp_path / f"{'風' * 80}-{number}.png" for number in range(2)]
    style = tmp_path / f"{'s' * 250}.png"
    for seed, path in enumerate([*contents, style]):
        photo(*SIZE, seed=seed).save(path)
    done = zoo(
        "compare", "--content", contents[0], "--content", contents[1], "--style", style,
        "--methods", "adain", "--size", "64", "--runs", "0", "--no-memory", "--device", "cpu",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = [path.name for path in (tmp_path / "out").glob("風*_s*_adain_*.png")]
    assert len(made) == 2


def test_a_wrong_method_ends_the_command_before_it_begins(tmp_path: Path) -> None:
    photo(*SIZE).save(tmp_path / "p.png")
    done = zoo(
        "compare", "--content", tmp_path / "p.png", "--methods", "x", "--out", tmp_path / "o"
    )
    assert done.returncode == 2
    assert "There is no method or checkpoint “x”" in done.stderr
    assert not (tmp_path / "o").exists()
