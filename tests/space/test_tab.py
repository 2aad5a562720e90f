"""The tab is made from the form: methods of tomorrow need nothing in space/."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import gradio as gr
import pytest
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from space.app import build_app, share
from space.components import Dropdown, Number, Radio, SafeImage, Slider
from space.controls import parsed, written
from space.jobs import Finished
from space.links import record_in
from space.site import Site
from space.tab import Tab
from tests import planted
from tests.space.conftest import only
from zoo.errors import InputError
from zoo.form import Control
from zoo.method import Content, Method, Paper, Seed, Step, Style
from zoo.methods import METHODS
from zoo.pipeline import Progress, Record
from zoo.runtime import Listed, Runtime


@dataclass(frozen=True, kw_only=True)
class NoConfig:
    """Nothing to rebuild."""


class Everything(Method):
    """One field of every kind."""

    name = "everything"
    title = "Everything"
    summary = "For tests."
    paper = Paper("A paper", "Somebody", 2026, "0000.00000")
    checkpoint = "zoo/everything"
    Config = NoConfig

    def forward(
        self,
        content: Content,
        style: Style | None = None,
        *,
        weight: Annotated[float, Field(ge=0, le=1e6), Control(log=True)] = 10.0,
        samples: Annotated[int, Field(ge=1, le=12)] = 6,
        direction: Annotated[
            Literal["AtoB", "BtoA"], Control(words={"AtoB": "To a painting", "BtoA": "To a photo"})
        ] = "AtoB",
        season: Literal["spring", "summer", "autumn", "winter", "none"] = "none",
        smooth: bool = True,
        words: str = "",
        shares: Annotated[list[float], Control(more=True)] = [],  # noqa: B006 read only
        seed: Seed = 0,
    ) -> Tensor:
        return content


class FromNothing(Method):
    """No picture goes in."""

    name = "fromnothing"
    title = "From nothing"
    summary = "For tests."
    paper = Everything.paper
    checkpoint = "zoo/fromnothing"
    Config = NoConfig

    def forward(
        self, *, samples: Annotated[int, Field(ge=1, le=64)] = 16, seed: Seed = 0
    ) -> Tensor:
        return torch.zeros(samples, 3, 64, 64)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Site:
    for method in (Everything, FromNothing):
        monkeypatch.setitem(METHODS, method.name, method)
    return share(Runtime("cpu"))


@pytest.fixture
def page(planned: Site) -> gr.Blocks:
    return build_app(planned.runtime, planned)


@pytest.fixture
def site(planned: Site, page: gr.Blocks) -> Site:
    return planned


def tab_of(site: Site, name: str) -> Tab:
    return next(tab for tab in site.tabs if tab.name == name)


def request(**cookies: str) -> Any:
    return SimpleNamespace(cookies=cookies, headers={}, session_hash="a", query_params={})


def test_every_kind_of_field_gets_its_control(site: Site) -> None:
    tab = tab_of(site, "everything")
    kinds = {one.field.name: type(one.components[-1]) for one in tab.inputs.entries}
    assert kinds["content"] is kinds["style"] is SafeImage
    assert kinds["samples"] is Slider
    assert kinds["direction"] is Radio
    assert kinds["season"] is kinds["size"] is Dropdown
    assert kinds["seed"] is Number
    assert [kind.__name__ for kind in (kinds["smooth"], kinds["words"], kinds["shares"])] == [
        "Checkbox",
        "Textbox",
        "Textbox",
    ]
    assert kinds["weight"].__name__ == "HTML"


def test_an_optional_style_can_be_left_out(site: Site) -> None:
    tab = tab_of(site, "everything")
    style = next(one for one in tab.inputs.entries if one.field.name == "style")
    assert style.read("", None) is None
    assert style.read("turner-venice", None).endswith("turner-venice.jpg")
    assert style.read("turner-venice", "/own.jpg") == "/own.jpg"
    assert style.read("../../../etc/passwd", None) is None


def test_a_seed_is_drawn_where_there_are_samples_and_is_at_hand(
    page: gr.Blocks, site: Site
) -> None:
    buttons = {getattr(one, "elem_id", None): one for one in page.blocks.values()}
    for name in ("dcgan", "munit", "drit"):
        (seed,) = tab_of(site, name).inputs.first("seed")
        click = (buttons[f"{name}-seed-new"]._id, "click")
        assert next(one for one in page.fns.values() if click in one.targets).outputs == [seed]
        assert not tab_of(site, name).form.by_name["seed"].control.more
    assert "explore-seed-new" in buttons
    assert "gatys-seed-new" not in buttons  # one result, and it starts from the photo


@pytest.mark.parametrize("method", ["cyclegan", "munit", "drit"])
def test_a_pair_of_kinds_of_pictures_is_picked_by_its_thumbnail(site: Site, method: str) -> None:
    choice = tab_of(site, method).choice
    shown = choice.now()[choice.picked].html_template
    for word in ("photo ↔ Chinese painting", "summer ↔ winter"):
        assert json.dumps(word) in shown
    assert shown.count("<img ") == 2
    # Beside a style picture a pair is no style of which a photo could have all.
    assert (choice.every is None) == (method != "cyclegan")


def test_the_values_of_the_page_pass_the_form(site: Site) -> None:
    for tab in site.tabs:
        values = [getattr(part, "value", None) for part in tab.inputs.components]
        inputs = tab.inputs.read(values)
        pictures = {one.name: "a.jpg" for one in tab.form if one.required and one.is_picture}
        checked = tab.form.check(inputs | pictures)
        for one in tab.form:
            if not one.is_picture:
                assert checked[one.name] == one.default, (tab.name, one.name)


def test_missing_pictures_are_named_and_others_are_not_needed(site: Site) -> None:
    with pytest.raises(InputError, match="Add a photo first"):
        tab_of(site, "everything").inputs.check({})
    with pytest.raises(InputError, match="Add a style picture"):
        tab_of(site, "gatys").inputs.check({"content": "a.jpg"})
    tab_of(site, "fromnothing").inputs.check({})


def test_pictures_that_were_deleted_are_asked_for_again(site: Site, photo: Path) -> None:
    inputs, here = tab_of(site, "gatys").inputs, str(photo)
    inputs.check({"content": here, "style": here, "more_styles": [here]})
    for name, value in (("content", "/gone.png"), ("style", "/g.png"), ("more_styles", ["/g"])):
        with pytest.raises(InputError, match="The upload is no longer on this server"):
            inputs.check({"content": here, "style": here, name: value})


def test_recall_opens_the_tab_and_sets_what_fits(site: Site) -> None:
    tab = tab_of(site, "everything")
    settings = {"samples": "99", "direction": "BtoA", "shares": "1,2"}
    updates = site.recall("everything", "", settings, "en")
    values = {one.field.name: updates.get(one.components[0]) for one in tab.inputs.entries}
    assert (values["samples"], values["direction"], values["shares"]) == (12, "BtoA", "1, 2")
    assert tab.choice.picked not in updates
    assert site.recall("nowhere", "", {"samples": 1}, "en") == {}


def test_a_checkpoint_that_is_gone_is_told(site: Site) -> None:
    tab = tab_of(site, "everything")
    updates = site.recall("everything", "zoo/<gone>", {"samples": 2}, "en")
    assert "no checkpoint zoo/&lt;gone&gt;" in updates[tab.stage.status]
    assert tab.choice.picked not in updates
    assert updates.keys() <= set(site.settable)
    assert tab.stage.status not in site.recall("everything", "", {"samples": 2}, "en")


def test_results_can_be_sent_to_other_tabs_that_take_a_photo(site: Site, tmp_path: Any) -> None:
    gatys, other = tab_of(site, "gatys"), tab_of(site, "everything")
    assert {gatys, other} <= set(site.photo_tabs)
    assert tab_of(site, "fromnothing") not in site.photo_tabs
    made = tmp_path / "made.png"
    Image.new("RGB", (300, 256)).save(made)
    updates = gatys.send_on("everything", str(made), request())
    assert updates[other.photo] == str(made)
    assert gatys.send_on("gatys", str(made), request()) == {gatys.stage.send: None}
    assert gatys.send_on("everything", None, request()) == {gatys.stage.send: None}
    made.unlink()
    told = gatys.send_on("everything", str(made), request())
    assert "older than an hour" in told[gatys.stage.status]
    assert other.photo not in told


def test_a_result_drawn_by_seed_comes_back_without_the_style_picture_of_now(site: Site) -> None:
    tab = tab_of(site, "munit")
    style = next(one for one in tab.inputs.entries if one.field.name == "style")
    for settings in ({"seed": 3, "code": ""}, {"code": "1 2 3 4 5 6 7 8"}):
        updates = site.recall("munit", "", settings, "en")
        assert [updates[part] for part in style.components] == ["", None]
    # A link leaves out what is as usual.
    updates = site.recall("munit", "", {"style": "turner-venice", "seed": "3"}, "en")
    assert updates[style.components[0]] == "turner-venice"
    assert style.components[0] not in site.recall("munit", "", {"seed": "3"}, "en")


def test_every_tab_sends_results_on_and_tells_the_time_with_a_photo(
    page: gr.Blocks, site: Site
) -> None:
    heard = [target for one in page.fns.values() for target in one.targets]
    for tab in site.tabs:
        # Also where there is no photo: what is invented can be sent on.
        assert (tab.stage.send._id, "input") in heard, tab.name
        hinted = {
            target for one in page.fns.values() if tab.hint in one.outputs for target in one.targets
        }
        # The first figures may have come after the page.
        assert tab.photo is None or (tab.photo._id, "change") in hinted, tab.name


def test_long_runs_on_a_cpu_are_announced_with_a_measured_time(site: Site) -> None:
    tab = tab_of(site, "gatys")
    assert tab.hint_for("en") == ""  # nothing has been measured
    record = Record(
        method="gatys", checkpoint="", revision="", settings={}, width=300, height=200,
        seconds=12.0, device="CPU",
    )  # fmt: skip
    site.speed.learn(record, 20)
    # 0.06 megapixels and 20 steps in 12 s: 10 s for each megapixel and step.
    assert site.speed.estimate("gatys", 300, 20) == pytest.approx(12.0)
    assert "At 512 px this takes about 105 seconds." in tab.hint_for("en").replace("100", "105")
    assert "大約需要 7 分鐘" in tab.hint_for("zh-TW", {"size": 1024})
    assert tab.hint_for("en", {"size": 256}) == ""
    told = tab.hint_for("en", {"size": 0})
    assert "At Original, up to 2048 px, this takes up to 28 minutes." in told
    # A smaller run is mostly overhead and changes nothing.
    site.speed.learn(Record(**(vars(record) | {"width": 30, "height": 20})), 20)
    assert site.speed.estimate("gatys", 300, 20) == pytest.approx(12.0)


def test_steps_without_effect_are_not_announced(site: Site) -> None:
    tab = tab_of(site, "style_swap")
    record = Record(
        method="style_swap", checkpoint="", revision="", settings={"mode": "network"}, width=500,
        height=400, seconds=4.0, device="CPU",
    )  # fmt: skip
    site.speed.learn(record, 1)
    assert site.speed.estimate("style_swap", 300) == pytest.approx(1.2)
    assert tab.hint_for("en") == ""
    assert tab.hint_for("en", {"mode": "optimise"}) == ""  # that has not been measured
    slow = {"settings": {"mode": "optimise", "steps": 20}, "seconds": 40.0}
    site.speed.learn(Record(**(vars(record) | slow)), 20)
    # 0.2 megapixels and 20 steps in 40 s; now 0.175 megapixels and 60 steps.
    assert "takes about 100 seconds" in tab.hint_for("en", {"mode": "optimise"})
    assert site.speed.estimate("style_swap", 300) == pytest.approx(1.2)
    assert tab.hint_for("en") == ""
    listened = [one.field.name for one in tab.inputs.entries if one.field.name in tab._timed]
    assert listened == ["mode", "steps", "size"]


def test_on_a_gpu_the_usual_size_is_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runtime, "on_gpu", property(lambda _: True))
    tab = Tab(share(Runtime("cpu")), "gatys")
    assert tab.form.by_name["size"].default == 1024
    assert tab.form.by_name["steps"].default == 200
    assert tab.hint_for("en") == ""


def test_a_batch_is_shown_as_a_gallery(site: Site) -> None:
    tab = tab_of(site, "fromnothing")
    record = Record(
        method="fromnothing", checkpoint="zoo/fromnothing", revision="0" * 40,
        settings={"seed": 3, "samples": 5}, width=64, height=64, seconds=1.0, device="CPU",
    )  # fmt: skip
    made = Progress(number=1, total=1, tensors=torch.rand(5, 3, 64, 64), record=record)
    saved = tab.work._saved(Finished(made, 0.0), "zh-TW", {})
    updates = tab.stage.present(saved)
    assert len(saved.files) == 5
    assert updates[tab.stage.many].visible
    assert not updates[tab.stage.slider].visible
    # Each says its seed, and brings the settings that draw it alone.
    assert saved.names == tuple(f"種子 {seed}" for seed in range(3, 8))
    found = [record_in(path) for path in saved.files]
    assert [one and one["settings"] for one in found] == [
        {"seed": seed, "samples": 1} for seed in range(3, 8)
    ]
    # Small pictures are not blurred.
    assert "sz-tiny" in updates[tab.stage.many].elem_classes
    wide = replace(saved, record={"width": 512})
    assert "sz-tiny" not in tab.stage.gallery(wide).elem_classes
    assert updates[tab.stage.many].columns > tab.stage.gallery(wide).columns
    click: Any = SimpleNamespace(value={"image": {"path": saved.files[1]}})
    assert tab.look([saved], click, request())[tab.stage.shown] == saved.files[1]
    Path(saved.files[1]).unlink()
    assert "older than an hour" in tab.look([saved], click, request())[tab.stage.status]


def test_the_way_back_is_called_so(site: Site) -> None:
    tab = tab_of(site, "cyclegan")
    record = Record(
        method="cyclegan", checkpoint="zoo/cyclegan-seasons", revision="0" * 40,
        settings={"way_back": True}, width=64, height=64, seconds=1.0, device="CPU",
    )  # fmt: skip
    made = Progress(number=1, total=1, tensors=torch.rand(2, 3, 64, 64), record=record)
    assert tab.work._saved(Finished(made, 0.0), "zh-TW", {}).names == ("結果", "再轉回來")


class Faltering(planted.Slow):
    """Does as it is told."""

    name, title, checkpoint = "faltering", "Faltering", "zoo/faltering"

    def forward(self, content: Content, *, fails: bool = False) -> Iterator[Step]:
        yield from super().forward(content)
        if fails:
            raise ZeroDivisionError("a secret")


@pytest.fixture
def faltering(tmp_path: Path) -> Iterator[Tab]:
    with only(Faltering):
        runtime = planted.plant(tmp_path, [Faltering])
        site = share(runtime)
        build_app(runtime, site)
        yield tab_of(site, "faltering")


def press(tab: Tab, earlier: list[Any], *, stopping: bool = False, **given: Any) -> dict[Any, Any]:
    """Press the button, and Stop at the first preview; everything on the page afterwards."""
    values = [
        given.get(one.field.name, getattr(part, "value", None))
        for one in tab.inputs.entries
        for part in one.components
    ]
    page: dict[Any, Any] = {}
    for updates in tab.work.run(request(), earlier, tab.method.checkpoint, *values):
        page |= updates
        if stopping and tab.stage.preview in updates:
            tab.work.halt(request())
    return page


def test_nothing_can_be_done_with_the_preview_of_a_run_that_was_stopped(
    faltering: Tab, photo: Path
) -> None:
    stage = faltering.stage
    page = press(faltering, [], content=str(photo), size=64)
    assert page[stage.actions].visible
    assert not page[stage.history].visible
    page |= press(faltering, page[stage.results], stopping=True, content=str(photo), size=64)
    assert "The last preview is kept." in page[stage.status]
    assert page[stage.preview].visible
    assert not page[stage.actions].visible
    assert page[stage.history].visible


def test_the_earlier_result_comes_back_after_an_error(faltering: Tab, photo: Path) -> None:
    stage = faltering.stage
    failed = press(faltering, [], content=str(photo), size=64, fails=True)
    assert failed[stage.empty].visible
    assert not failed[stage.preview].visible
    page = press(faltering, [], content=str(photo), size=64)
    file, line = page[stage.shown], page[stage.status]
    page |= press(faltering, page[stage.results], content=str(photo), size=64, fails=True)
    assert "your picture was not changed" in page[faltering.work.note]
    assert page[stage.slider].visible
    assert Path(page[stage.slider].value[1]["path"]).name == Path(file).name
    assert (page[stage.shown], page[stage.status]) == (file, line)
    assert page[stage.actions].visible


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", []), ("0.7, 0.3", [0.7, 0.3]), ("1 2，3", [1, 2, 3]), ("1, x", [1, "x"]), (None, [])],
)
def test_numbers_are_read_from_text(text: str | None, numbers: list[Any]) -> None:
    assert parsed(text) == numbers
    assert parsed(written([0.5, 2])) == [0.5, 2]


@dataclass(frozen=True, kw_only=True)
class Names:
    """A config with names."""

    painters: tuple[str, ...] = ("Hokusai",)


class Named(Method):
    """What there is to choose from depends on the checkpoint."""

    name = "named"
    title = "Named"
    summary = "For tests."
    paper = Everything.paper
    checkpoint = "zoo/first"
    Config = Names

    @classmethod
    def offers(cls, config: Names) -> dict[str, list[tuple[str, Any]]]:
        return {
            "painter": [(name, number) for number, name in enumerate(config.painters)],
            "way": [(f"To {config.painters[0]}", "there"), ("Back", "back")],
        }

    def forward(
        self,
        *,
        painter: Annotated[int, Field(ge=0, le=99)] = 0,
        way: Literal["there", "back"] = "there",
    ) -> Tensor:
        return torch.zeros(1, 3, 64, 64)


def test_another_checkpoint_offers_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "named", Named)
    configs: dict[str, dict[str, Any]] = {
        "zoo/first": {"painters": ("Hokusai", "Redon", "Monet")},
        "zoo/second": {"painters": ("Klimt", "Munch")},
        "zoo/odd": {"painters": 3, "more": 4},
    }
    runtime = Runtime(
        "cpu",
        listing=lambda: [
            Listed(repo_id=name, method="named", config=config) for name, config in configs.items()
        ],
    )
    site = share(runtime)
    build_app(runtime, site)
    tab = tab_of(site, "named")
    painter = tab.inputs.entries[0].components[0]
    assert isinstance(painter, Dropdown)
    assert [value for _, value in painter.choices] == [0, 1, 2]
    painters, ways = tab.rename(request(), "zoo/second", 2, "back")
    assert painters["choices"] == [("Klimt", 0), ("Munch", 1)]
    assert painters["value"] == 0  # there is no third one
    assert ways["choices"] == [("To Klimt", "there"), ("Back", "back")]
    assert ways["value"] == "back"
    assert tab.rename(request(), "zoo/first", 1, "there")[0]["value"] == 1
    assert tab.choice.offers("zoo/odd") == {}
