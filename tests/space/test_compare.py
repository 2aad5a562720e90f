"""The Compare tab: its handlers with planted methods, the endpoint, and the page in a browser."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from space.app import build_app, share
from space.custom import compare
from space.custom.compare import CompareTab
from space.hub import Shelf
from space.jobs import Started, Waiting
from space.pictures import EXAMPLES
from space.race import USUAL, Board, Cell, called, contestants, moved, titles, usual
from space.site import Site
from tests import planted
from tests.space.conftest import Visit, only, serving, wait_until
from tests.space.test_site import violations
from zoo.compare import Contestant
from zoo.methods.adain import AdaIN
from zoo.methods.johnson import Johnson
from zoo.methods.many_styles import ManyStyles
from zoo.runtime import Listed, Runtime

Visits = Callable[..., Visit]
REQUEST: Any = SimpleNamespace(cookies={}, headers={}, session_hash="a", query_params={})
PAINTING = str(EXAMPLES / "paintings" / "sakai-rivers.jpg")


@pytest.fixture(scope="module")
def planted_runtime(
    runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    with only(*planted.ALL):
        yield planted.plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def site(planted_runtime: Runtime) -> Site:
    return share(planted_runtime)


@pytest.fixture(scope="module")
def tab(site: Site) -> CompareTab:
    made: list[CompareTab] = []

    def keep(given: Site) -> CompareTab:
        made.append(CompareTab(given))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "CompareTab", keep)
        build_app(site.runtime, site)
    return made[0]


def press(
    tab: CompareTab,
    photo: Path | None,
    *names: str,
    style: str | None = PAINTING,
    stop_at: str = "",
    size: Any = 96,
) -> dict[Any, Any]:
    """Press Compare, and Stop when the page has these words; everything on it afterwards."""
    page: dict[Any, Any] = {}
    picked = [f"zoo/{name}" for name in names]
    content = str(photo) if photo else None
    for updates in tab.run(REQUEST, content, picked, [], size, False, None, style):
        page |= updates
        if stop_at and stop_at in str(page.get(tab.cells, "")):
            tab.halt(REQUEST)
    assert not tab.running
    assert tab.site.lane.empty
    return page


def board_of(tab: CompareTab, page: dict[Any, Any]) -> Board:
    found: Board = page[tab.board]
    return found


def test_methods_take_turns_and_a_failure_stays_in_its_cell(tab: CompareTab, photo: Path) -> None:
    page = press(tab, photo, "quick", "refusing", "painted", "broken", "slow")
    board = board_of(tab, page)
    assert {cell.one.method.name: cell.place for cell in board} == {
        "quick": "done",
        "painted": "done",
        "slow": "done",
        "refusing": "failed",
        "broken": "failed",
    }
    assert "This photo is not to my taste." in page[tab.cells]
    assert "a secret" not in page[tab.cells]
    assert re.search("report reference [0-9a-f]{8}", page[tab.cells])
    assert page[tab.cells].count("<img") == 3
    assert 'data-place="failed"' in page[tab.cells]
    assert page[tab.go].interactive
    assert not page[tab.stop].visible
    files = {kind: page[button].value["path"] for kind, button in tab.files.items()}
    with Path(files["csv"]).open(encoding="utf-8") as stream:
        rows = {row["method"]: row for row in csv.DictReader(stream)}
    assert rows.keys() == {"quick", "painted", "slow", "refusing", "broken"}
    assert (
        max(("quick", "painted", "slow"), key=lambda name: float(rows[name]["seconds"])) == "slow"
    )
    assert {rows[name]["runs"] for name in ("quick", "painted", "slow")} == {"3"}
    assert rows["quick"]["memory_bytes"] == ""  # nobody asked for it
    assert rows["refusing"]["error"] == "This photo is not to my taste."
    assert len(json.loads(Path(files["json"]).read_text("utf-8"))["rows"]) == 5
    with Image.open(files["png"]) as whole:
        assert whole.width > 900


def test_the_table_has_every_number_and_empty_ones_have_none(tab: CompareTab, photo: Path) -> None:
    table = press(tab, photo, "quick", "painted", "refusing")[tab.table]
    heads = re.findall(r'<th scope="col"[^>]* data-key="(\w+)"', table)
    assert heads == ["method", *(column.key for column in compare.COLUMNS)]
    lines = re.findall(r"<tr role=\"row\"><th scope=\"row\".*?</tr>", table, re.DOTALL)
    assert [re.findall(r'data-key="memory"[^>]*>([^<]*)<', line) for line in lines] == [
        ["–"],
        ["–"],
        [],
    ]
    style = [re.findall(r'data-key="style_error_vgg19"[^>]*>([^<]*)<', line) for line in lines]
    assert style[0] == ["–"]
    assert float(style[1][0]) > 0
    assert "This photo is not to my taste." in lines[2]
    assert "VGG-19 relu4_2" in table


def test_whoever_works_is_told_before_anything_is_seen_of_it(site: Site) -> None:
    one = contestants(site)[0]
    assert "2 of 3: Quick · Painting with quick<" in compare.doing("en", 1, 3, one, Started())
    assert moved(Cell(one), Started()).place == "working"
    assert moved(Cell(one), Waiting(1)).place == "waiting"


def test_stop_keeps_what_is_done(tab: CompareTab, photo: Path) -> None:
    page = press(tab, photo, "quick", "slow", "hungry", stop_at='data-place="done"')
    assert [cell.place for cell in board_of(tab, page)] == ["done", "stopped", "stopped"]
    assert "What was done is kept." in page[tab.status]
    assert page[tab.cells].count("<img") == 1
    assert page[tab.actions].visible
    # One picture alone is laid over the photo.
    assert page[tab.sides[0]].value == compare.PHOTO
    assert page[tab.sides[1]].value == "zoo/quick"


def test_a_checkpoint_takes_part_with_several_of_its_paintings(
    tab: CompareTab, photo: Path
) -> None:
    page = press(tab, photo, "several:2", "quick", "several")
    board = board_of(tab, page)
    assert [(cell.one.name, cell.place) for cell in board] == [
        ("zoo/quick", "done"),
        ("zoo/several:0", "done"),
        ("zoo/several:2", "done"),
    ]
    assert "Several · Day" in page[tab.cells]
    assert "Several · Day" in page[tab.table]
    _, night, day = (cell.result.files[0] for cell in board if cell.result)
    assert tab.lay_over(board, "zoo/several:2", "zoo/several:0") == (
        (day, night),
        ["Several · Day", "Several · Night"],
    )
    table = Path(page[tab.files["json"]].value["path"]).read_text("utf-8")
    rows = json.loads(table)["rows"]
    assert [row["painting"] for row in rows] == ["", "Night", "Day"]
    assert [row["settings"].get("painting") for row in rows] == [None, 0, 2]


def test_a_title_is_told_part_by_part() -> None:
    one = Contestant(repo_id="a/b", method=ManyStyles, title="Many styles · Great Wave (Hokusai)")
    assert called("en", one) == one.title
    assert called("zh-TW", one).endswith(" · 神奈川沖浪裏（北齋）")


def test_any_two_can_be_laid_over_each_other(
    tab: CompareTab, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = press(tab, photo, "quick", "painted")
    board = board_of(tab, page)
    first, second = (cell.result.files[0] for cell in board if cell.result)
    assert page[tab.slider] == (first, second)
    assert tab.lay_over(board, "zoo/painted", "zoo/quick") == (
        (second, first),
        ["Painted", "Quick"],
    )
    (before, _), names = tab.lay_over(board, compare.PHOTO, "zoo/quick")
    assert names == ["Photo", "Quick"]
    with Image.open(before) as shown, Image.open(first) as made:
        assert shown.size == made.size
    told: list[str] = []
    monkeypatch.setattr("gradio.Warning", told.append)
    assert "path" not in str(tab.lay_over(board, "../../etc", "zoo/quick", REQUEST))
    Path(first).unlink()  # as the sweep does after an hour
    assert "path" not in str(tab.lay_over(board, "zoo/painted", "zoo/quick", REQUEST))
    assert told == ["This result is older than an hour and was deleted."] * 2


@pytest.mark.parametrize(
    ("names", "given", "sentence"),
    [
        ([], {}, "Pick at least one method."),
        (["cubism"], {}, "There is no checkpoint “zoo/cubism”."),
        (["several:3"], {}, "There is no checkpoint “zoo/several:3”."),
        (["painted"], {"style": None}, "Add a style picture."),
        (["painted"], {"style": "/gone.png"}, "The upload is no longer on this server."),
        (["quick"], {"size": 10**6}, "Size: 1000000 is outside 0 to 2048."),
    ],
)
def test_what_is_missing_is_named(
    tab: CompareTab, photo: Path, names: list[str], given: dict[str, Any], sentence: str
) -> None:
    page = press(tab, photo, *names, **given)
    assert sentence in page[tab.note]
    assert page[tab.go].interactive


def test_a_photo_is_needed_and_a_painting_only_where_one_is_taken(
    tab: CompareTab, photo: Path
) -> None:
    assert "Add a photo first." in press(tab, None, "quick")[tab.note]
    assert press(tab, photo, "quick", style=None)[tab.note] == ""
    gone = press(tab, Path("/gone.png"), "quick", style=None)
    assert "The upload is no longer on this server." in gone[tab.note]


def test_six_at_once(tab: CompareTab, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("space.race.MOST", 2)
    page = press(tab, photo, "quick", "painted", "slow")
    assert "Pick at most 2 methods; you picked 3." in page[tab.note]


def test_a_link_brings_methods_size_and_style_along(tab: CompareTab) -> None:
    asked = {"tab": "compare", "methods": "zoo/slow,zoo/none", "size": "256", "style": "../x"}
    methods, paintings, size, style, folder = tab.arrive(
        SimpleNamespace(**vars(REQUEST) | {"query_params": asked})  # type: ignore[arg-type]
    )
    assert (methods.value, paintings.value, size) == (["zoo/slow"], [], 256)
    assert style["__type__"] == "update"
    assert "value" not in style
    asked = {"tab": "compare", "methods": "zoo/several", "paintings": "zoo/several:1,zoo/several:9"}
    methods, paintings, *_, folder = tab.arrive(
        SimpleNamespace(**vars(REQUEST) | {"query_params": asked})  # type: ignore[arg-type]
    )
    assert (methods.value, paintings.value) == (["zoo/several:0"], ["zoo/several:1"])
    assert folder.open


@pytest.mark.parametrize(
    ("asked", "methods", "paintings"),
    [
        ({}, ["zoo/quick"], []),
        ({"paintings": "zoo/several:1"}, ["zoo/quick"], ["zoo/several:1"]),
        ({"methods": "", "paintings": "zoo/several:1"}, [], ["zoo/several:1"]),
        ({"methods": ""}, [], []),
        ({"methods": "zoo/gone"}, ["zoo/quick"], []),
    ],
)
def test_a_link_that_names_no_methods_means_the_usual_ones(
    tab: CompareTab, asked: dict[str, str], methods: list[str], paintings: list[str]
) -> None:
    asked = {"tab": "compare", **asked}
    firsts, others, *_ = tab.arrive(
        SimpleNamespace(**vars(REQUEST) | {"query_params": asked})  # type: ignore[arg-type]
    )
    assert (firsts.value, others.value) == (methods, paintings)


def test_each_checkpoint_stands_once_in_the_list_and_its_other_paintings_below(
    tab: CompareTab,
) -> None:
    listed = [str(name) for _, name in tab.methods.choices]
    assert len(listed) == len({name.partition(":")[0] for name in listed})
    assert "zoo/several:0" in listed
    assert [name for _, name in tab.paintings.choices] == ["zoo/several:1", "zoo/several:2"]


def test_checkpoints_are_named_by_what_tells_them_apart(site: Site) -> None:
    assert [one.title for one in contestants(site)][:2] == ["Quick", "Painted"]
    assert usual(contestants(site)) == ["zoo/quick"]
    listed = [Listed(repo_id=name, method="quick") for name in ("zoo/quick", "ada/quick-two")]
    assert titles(planted.Quick, listed) == ["Quick", "Quick · ada/quick-two"]


def test_the_endpoint_gives_pictures_and_the_table(
    planted_runtime: Runtime, photo: Path, tmp_path: Path
) -> None:
    with serving(planted_runtime, Shelf()) as found:
        client = Client(found, verbose=False, download_files=tmp_path / "got")
        given = {"content": handle_file(photo), "size": 64, "api_name": "/compare"}
        files, table = client.predict(
            **given, style=handle_file(PAINTING), methods=["zoo/painted", "zoo/refusing"]
        )
        names = sorted(re.sub(r"_\d{8}-\d{6}", "", Path(path).name) for path in files)
        assert names == ["compare.csv", "compare.json", "compare.png", "photo_painted.png"]
        assert [row["method"] for row in table] == ["painted", "refusing"]
        assert table[0]["seconds"] > 0
        assert table[1]["error"] == "This photo is not to my taste."
        _, table = client.predict(**given, methods=["zoo/several:1"])
        assert [(row["checkpoint"], row["painting"]) for row in table] == [("zoo/several", "Noon")]
        files, table = client.predict(**given)  # the usual methods, and no painting
        assert [row["checkpoint"] for row in table] == ["zoo/quick"]
        for wrong, sentence in (
            ({"methods": ["zoo/painted"]}, "Add a style picture."),
            ({"methods": "all"}, "Pick at least one method."),
            ({"content": {"path": "/etc/hostname"}}, "Photo: give a file."),
        ):
            with pytest.raises(AppError) as caught:
                client.predict(**given | wrong)
            assert sentence in str(caught.value)
        client.close()


def test_quick_methods_of_different_kinds_are_picked_at_first() -> None:
    assert {AdaIN.name, Johnson.name, ManyStyles.name} == set(USUAL)


# ---- in a browser


@pytest.fixture(scope="module")
def address(planted_runtime: Runtime) -> Iterator[str]:
    with serving(planted_runtime, Shelf()) as found:
        yield found


def compared(visitor: Visit, *names: str) -> Any:
    """Open the tab, take an example photo, pick these, and press Compare."""
    page = visitor.go("?tab=compare&size=256&methods=zoo/quick", "#compare-go").page
    page.click("#compare-examples button >> nth=1")
    page.wait_for_selector("#compare-content img")
    for name in names:
        page.get_by_label(name, exact=True).check()
    page.click("#compare-go")
    return page


def order(page: Any) -> list[str]:
    return [str(one).strip() for one in page.locator(".sz-measured tbody th").all_inner_texts()]


@pytest.mark.browser
def test_a_comparison_in_the_browser(visit: Visits) -> None:
    visitor = visit()
    page = compared(visitor, "Slow", "Refusing", "Painted")
    page.wait_for_selector(".sz-lap[data-place=working]")
    page.wait_for_selector("#compare-slider", state="visible")
    assert page.locator(".sz-lap img").count() == 3
    assert page.inner_text(".sz-lap[data-place=failed]").startswith("This photo is not")
    assert order(page) == ["Quick", "Painted", "Slow", "Refusing"]
    time_head = page.locator(".sz-measured th[data-key=seconds] button")
    time_head.focus()
    page.keyboard.press("Enter")
    assert order(page)[2:] == ["Slow", "Refusing"]
    page.keyboard.press("Enter")
    assert (order(page)[0], order(page)[3]) == ("Slow", "Refusing")  # what has none stays last
    assert page.get_attribute(".sz-measured th[data-key=seconds]", "aria-sort") == "descending"
    wait_until(
        lambda: page.get_attribute("#compare-slider img.fixed", "alt") == "Painted",
        "the slider's pictures to be named",
    )
    for kind, name in (("png", "compare.png"), ("csv", "compare.csv"), ("json", "compare.json")):
        with page.expect_download() as download:
            page.click(f"#compare-{kind}")
        assert download.value.suggested_filename == name
    assert not visitor.outside
    assert not visitor.troubles


@pytest.mark.browser
def test_a_copied_link_brings_all_that_was_compared(visit: Visits) -> None:
    visitor = visit()
    page = visitor.go("?tab=compare&size=256", "#compare-go").page
    page.click("#compare-examples button >> nth=1")
    page.wait_for_selector("#compare-content img")
    page.click("#compare-more button")
    page.get_by_label("Several · Noon", exact=True).check()
    page.click("#compare-go")
    page.wait_for_selector("#compare-link", state="visible")
    page.click("#compare-link")
    page.wait_for_function("document.querySelector('#compare-link').innerText === 'Link copied'")
    link = page.evaluate("navigator.clipboard.readText()")

    page = visit().go(link.removeprefix(visitor.address).lstrip("/"), "#compare-go").page
    for name in ("Quick", "Several · Noon"):
        assert page.get_by_label(name, exact=True).is_checked()
    assert page.locator("#compare-methods input:checked").count() == 1


@pytest.mark.browser
def test_stop_in_the_browser(visit: Visits) -> None:
    visitor = visit()
    page = compared(visitor, "Slow")
    page.wait_for_selector(".sz-lap[data-place=done]")
    page.keyboard.press("Escape")
    page.wait_for_function(
        "document.querySelector('#compare-status').innerText.includes('What was done is kept')"
    )
    wait_until(lambda: page.is_enabled("#compare-go"), "the form to be ready again")
    assert page.locator(".sz-lap img").count() >= 1
    assert not visitor.troubles


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)], ids=["desk", "phone"])
def test_no_accessibility_violations(visit: Visits, width: int, dark: bool) -> None:
    visitor = visit(width=width, dark=dark)
    page = compared(visitor, "Refusing", "Painted")
    page.wait_for_selector("#compare-slider", state="visible")
    page.click(".sz-measured summary")
    page.wait_for_selector("#compare-go:not([disabled])")
    assert not violations(visitor)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:
        page.select_option(".sz-sort select", "ssim")
        values = page.locator(".sz-measured td[data-key=ssim]").evaluate_all(
            "cells => cells.map((cell) => Number(cell.dataset.value))"
        )
        assert values == sorted(values)
