"""The explorer of style codes: its handlers, and the page in a real browser."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image, ImageChops, ImageStat

from space import plans
from space.app import build_app, share
from space.custom import explore
from space.custom.explore import ExploreTab
from space.explorer import NAME
from space.hub import Shelf
from space.jobs import Job
from space.sheet import Drawing, Sheet
from space.site import Site
from tests.space.conftest import PAINTING, PHOTO, Visit, only, serving
from tests.space.test_site import violations
from zoo import checkpoint
from zoo.methods.dcgan import DCGAN, DCGANConfig
from zoo.methods.gatys import Gatys
from zoo.methods.munit import MUNIT, MUNITConfig
from zoo.runtime import Runtime

Visits = Callable[..., Visit]
REQUEST: Any = SimpleNamespace(cookies={}, headers={}, session_hash="a", query_params={})
MUNIT_ID, DCGAN_ID = "zoo/munit-seasons", "zoo/dcgan"


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two methods with codes and random weights, and one without."""
    shipped = tmp_path_factory.mktemp("shipped")
    with torch.random.fork_rng(), pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        checkpoint.save(
            MUNIT(MUNITConfig(width=4, domains=("Summer", "Winter"))), shipped / "munit-seasons"
        )
        # Somebody else's, whose names look like fields of a sentence.
        other = MUNITConfig(width=4, domains=("{0}", "winter"))
        checkpoint.save(MUNIT(other), shipped / "munit-strange")
        portraits = DCGAN(DCGANConfig(width=2, size=64))
        for weight in portraits.parameters():
            if weight.dim() == 4:  # or every picture is as grey as the next
                torch.nn.init.kaiming_normal_(weight)
        checkpoint.save(portraits, shipped / "dcgan")
        patch.setattr(checkpoint, "SHIPPED", shipped)
        with only(Gatys, MUNIT, DCGAN):
            yield


@pytest.fixture(scope="module")
def site(registered: None, runtime: Runtime) -> Site:
    return share(Runtime("cpu"))


@pytest.fixture(scope="module")
def tab(site: Site) -> ExploreTab:
    made: list[ExploreTab] = []

    def keep(given: Site) -> ExploreTab:
        made.append(ExploreTab(given))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "ExploreTab", keep)
        build_app(site.runtime, site)
    return made[0]


def press(
    tab: ExploreTab,
    plan: plans.Plan,
    place: str = "more",
    *,
    repo_id: str = MUNIT_ID,
    sheet: Sheet = Sheet(),  # noqa: B008 frozen
    picked: Any = (),
    **given: Any,
) -> tuple[Sheet, str]:
    """Press a button; the sheet afterwards, and what the page says."""
    values = {
        "content": str(PHOTO), "style": None, "code": "", "steps": 3, "base": "", "plus": "",
        "minus": "", "direction": "AtoB", "samples": 3, "seed": 5, "truncation": 4.0,
        "size": 64, "strength": 1.0,
    } | given  # fmt: skip
    names = ["content", "style", "code", "steps", "base", "plus", "minus"]
    names += [one.field.name for one in tab.entries]
    viewer = {"picked": list(picked)}
    run = tab.runs(plan, tab.note, place)
    said = ""
    for updates in run(REQUEST, sheet, viewer, repo_id, *(values[name] for name in names)):
        sheet = updates.get(tab.sheet, sheet)
        for where in (tab.note, tab.status):
            text = updates.get(where)
            said = text if isinstance(text, str) and text else said
    assert updates[tab.go].interactive
    return sheet, re.sub("<[^>]+>", " ", said).strip()


def pick(one: Drawing, weight: float = 50) -> dict[str, Any]:
    return {"label": one.label, "code": one.code, "seed": one.seed, "weight": weight}


def pixels(one: Drawing) -> bytes:
    with Image.open(one.path) as picture:
        return picture.tobytes()


def test_same_seed_same_grid_and_every_picture_knows_its_own_settings(tab: ExploreTab) -> None:
    sheet, said = press(tab, plans.plan_samples, "samples")
    again, _ = press(tab, plans.plan_samples, "samples")
    assert [one.label for one in sheet.samples] == ["seed 5", "seed 6", "seed 7"]
    assert [pixels(one) for one in sheet.samples] == [pixels(one) for one in again.samples]
    assert len({pixels(one) for one in sheet.samples}) == 3
    assert said.startswith("Done in ")
    alone, _ = press(tab, plans.plan_samples, "samples", seed=6, samples=1)
    assert pixels(alone.samples[0]) == pixels(sheet.samples[1])
    with Image.open(sheet.samples[2].path) as picture:
        record = json.loads(picture.info["parameters"])
    assert (record["method"], record["settings"]["seed"]) == ("munit", 7)
    assert record["settings"]["code"] == sheet.samples[2].code


def test_a_code_as_text_gives_the_picture_back(tab: ExploreTab) -> None:
    sheet, _ = press(tab, plans.plan_samples, "samples")
    more, _ = press(tab, plans.plan_code, sheet=sheet, code=f" {sheet.samples[1].code}\n")
    assert len(more.samples) == 4
    assert more.samples[3].code == sheet.samples[1].code
    assert pixels(more.samples[3]) == pixels(sheet.samples[1])


def test_a_way_leads_from_one_picked_picture_to_the_other(tab: ExploreTab) -> None:
    sheet, _ = press(tab, plans.plan_samples, "samples")
    ends = [sheet.samples[0], sheet.samples[2]]
    sheet, _ = press(tab, plans.plan_way, "way", sheet=sheet, picked=map(pick, ends))
    assert len(sheet.way) == 4
    assert [pixels(sheet.way[0]), pixels(sheet.way[-1])] == list(map(pixels, ends))
    assert len({pixels(one) for one in sheet.way}) == 4
    for path, kind in zip(sheet.animations, ("WEBP", "GIF"), strict=True):
        with Image.open(path) as moving:
            assert (moving.format, getattr(moving, "n_frames", 1)) == (kind, 6)
            record = moving.getexif()[0x010E] if kind == "WEBP" else moving.info["comment"]
            assert json.loads(record)["method"] == "munit"


def test_styles_of_pictures_mixtures_and_sums(tab: ExploreTab) -> None:
    sheet, _ = press(tab, plans.plan_style, style=str(PAINTING))
    (own,) = sheet.samples
    other, _ = press(tab, plans.plan_samples, "samples", samples=1)
    both = [pick(own, 100), pick(other.samples[0], 0)]
    mixed, _ = press(tab, plans.plan_mixture, picked=both)
    assert mixed.samples[0].code == own.code
    some, _ = press(
        tab, plans.plan_sum, repo_id=DCGAN_ID, base="1 2 3", plus="4,5,6", minus="7 8 9",
        truncation=1.0,
    )  # fmt: skip
    assert some.samples[0].label == "1 2 3 + 4 5 6 − 7 8 9"
    assert max(abs(float(word)) for word in some.samples[0].code.split()) <= 1
    assert (some.samples[0].width, some.samples[0].seed) == (64, None)


@pytest.mark.parametrize(
    ("plan", "given", "sentence"),
    [
        (plans.plan_samples, {"content": None}, "Add a photo first."),
        (plans.plan_samples, {"seed": "blue"}, "Seed: “blue” is not a whole number."),
        (plans.plan_samples, {"samples": 99}, "Number of results: 99 is outside 1 to 16."),
        (plans.plan_samples, {"repo_id": "zoo/gatys"}, "There is no checkpoint “zoo/gatys”."),
        (plans.plan_code, {}, "Type or paste a code first."),
        (plans.plan_code, {"code": "1 2 x"}, "Code: “x” is not a number"),
        (plans.plan_code, {"code": "1 2 3"}, "Code: these are 3 numbers"),
        (plans.plan_style, {}, "Add a style picture."),
        (plans.plan_style, {"style": "/gone.png"}, "The upload is no longer on this server."),
        (plans.plan_samples, {"content": "/gone.png"}, "The upload is no longer on this server."),
        (plans.plan_style, {"style": __file__}, "is not a picture we can read"),
        (plans.plan_way, {"picked": [{"code": "1"}]}, "Pick two pictures first"),
        (plans.plan_way, {"picked": [{"code": "1"}] * 2}, "Code: these are 1 numbers"),
        (plans.plan_way, {"picked": ["x", {"code": 3}, None]}, "Pick two pictures first"),
        (plans.plan_mixture, {}, "Pick at least two pictures to mix."),
        (plans.plan_sum, {"base": "1 -2"}, "Start from: “-2” is not a seed."),
        (plans.plan_sum, {"base": "1"}, "Give the seeds to start from"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    tab: ExploreTab, plan: plans.Plan, given: dict[str, Any], sentence: str
) -> None:
    sheet, said = press(tab, plan, **given)
    assert sentence in said
    assert sheet == Sheet()


def test_stop_keeps_what_was_drawn(tab: ExploreTab, site: Site) -> None:
    run = tab.runs(plans.plan_samples, tab.note, "samples")
    controls = {"direction": "AtoB", "samples": 64, "seed": 0, "truncation": 4.0, "size": 64,
                "strength": 1.0}  # fmt: skip
    values = [None, None, "", 3, "", "", "", *(controls[e.field.name] for e in tab.entries)]
    said, sheet = "", Sheet()
    free: list[bool] = []  # whether another checkpoint could be chosen, which empties the sheet
    for updates in run(REQUEST, sheet, {}, DCGAN_ID, *values):
        free += [updates[tab.checkpoint].interactive] if tab.checkpoint in updates else []
        sheet = updates.get(tab.sheet, sheet)
        said += str(updates.get(tab.status, ""))
        job = site.running.get((REQUEST.session_hash, NAME))
        if isinstance(job, Job):
            tab.halt(REQUEST)
    assert "Stopped." in said
    assert free == [False, True]
    assert len(sheet.samples) < 64
    assert not site.running


def test_only_shown_pictures_are_sent_to_other_tabs(tab: ExploreTab, site: Site) -> None:
    sheet, _ = press(tab, plans.plan_samples, "samples", samples=1)
    gatys = next(one for one in site.tabs if one.name == "gatys")
    key = sheet.samples[0].key
    updates = tab.send_on("gatys", sheet, {"current": key}, REQUEST)
    with Image.open(sheet.samples[0].path) as small, Image.open(updates[gatys.photo]) as large:
        assert min(small.size) < 64 < min(large.size) == 256  # no style makes much of so few
        back = ImageChops.difference(large.resize(small.size), small.convert("RGB"))
    assert max(ImageStat.Stat(back).mean) < 16  # an untrained network draws noise
    for target, viewer in (("gatys", {"current": "/etc/passwd"}), ("dcgan", {"current": key})):
        assert tab.send_on(target, sheet, viewer, REQUEST) == {tab.send: None}
    Path(sheet.samples[0].path).unlink()  # as the sweep does after an hour
    updates = tab.send_on("gatys", sheet, {"current": key}, REQUEST)
    assert "older than an hour" in updates[tab.status]
    assert gatys.photo not in updates


def test_what_a_checkpoint_does_not_know_is_hidden(tab: ExploreTab) -> None:
    controls = {one.field.name: one.components[0] for one in tab.entries}
    updates = tab.adapt(DCGAN_ID, REQUEST)
    shown = {name for name, control in controls.items() if updates[control]["visible"]}
    assert shown == {"samples", "seed", "truncation"}
    assert updates[controls["samples"]]["maximum"] == 64
    assert not updates[tab.photo_area].visible
    directions = tab.adapt(MUNIT_ID, REQUEST)[controls["direction"]]["choices"]
    assert directions == [("Summer → Winter", "AtoB"), ("Winter → Summer", "BtoA")]
    strange = tab.adapt("zoo/munit-strange", REQUEST)[controls["direction"]]["choices"]
    assert strange[0] == ("{0} → winter", "AtoB")


def test_a_painting_to_take_the_style_of_is_one_click_away(tab: ExploreTab) -> None:
    clicked: Any = SimpleNamespace(id="zhao-landscape")
    assert Path(tab.take_painting(clicked)).name == "zhao-landscape.jpg"
    assert tab.take_painting(SimpleNamespace(id="../cat")) == gr.skip()  # type: ignore[arg-type]


def test_a_link_brings_its_settings_back(tab: ExploreTab) -> None:
    code = " ".join(["-1.23"] * 100)
    query = {"tab": "explore", "checkpoint": DCGAN_ID, "seed": "7", "samples": "900", "code": code}
    updates = tab.arrive(SimpleNamespace(**vars(REQUEST) | {"query_params": query}))  # type: ignore[arg-type]
    controls = {one.field.name: one.components[0] for one in tab.entries}
    assert updates[tab.checkpoint].value == DCGAN_ID
    assert updates[controls["seed"]]["value"] == 7
    assert updates[controls["samples"]]["value"] == 64
    assert updates[tab.code] == code


def test_a_link_to_a_checkpoint_that_is_gone_says_so(tab: ExploreTab) -> None:
    query = {"tab": "explore", "checkpoint": "zoo/gone"}
    updates = tab.arrive(SimpleNamespace(**vars(REQUEST) | {"query_params": query}))  # type: ignore[arg-type]
    assert "no checkpoint zoo/gone" in updates[tab.status]
    assert updates[tab.checkpoint].value != "zoo/gone"


def test_without_a_method_that_has_codes_there_is_no_such_tab(registered: None) -> None:
    with only(Gatys):
        site = share(Runtime("cpu"))
        page = build_app(site.runtime, site)
    assert NAME not in site.others
    assert not any(getattr(block, "elem_id", "") == "tab-explore" for block in page.blocks.values())


# ---- in a browser


@pytest.fixture(scope="module")
def address(registered: None, runtime: Runtime) -> Iterator[str]:
    with serving(Runtime("cpu"), Shelf()) as found:
        yield found


def ready(visitor: Visit) -> None:
    visitor.page.wait_for_selector("#explore-status .sz-done")
    visitor.page.wait_for_selector("#explore-go:not([disabled])")


def sources(visitor: Visit) -> list[str]:
    """The pixels of all samples, as the browser shows them."""
    return list(
        visitor.page.evaluate(
            """Promise.all([...document.querySelectorAll('.sz-samples img')].map(async (one) => {
            await one.decode();
            const sheet = document.createElement('canvas');
            sheet.width = one.naturalWidth; sheet.height = one.naturalHeight;
            sheet.getContext('2d').drawImage(one, 0, 0);
            return sheet.toDataURL();
        }))"""
        )
    )


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_draw_pick_walk_and_keep_a_code(
    visit: Visits, address: str, width: int, dark: bool
) -> None:
    query = f"?tab=explore&checkpoint={DCGAN_ID}&samples=3&seed=11"
    visitor = visit(width=width, dark=dark, at=address).go(query, first="#explore-go")
    page = visitor.page
    page.click("#explore-go")
    page.wait_for_selector(".sz-samples li >> nth=2")
    ready(visitor)
    labels = page.locator(".sz-samples label").all_inner_texts()
    assert [label.split() for label in labels] == [["Pick", "seed", str(n)] for n in (11, 12, 13)]
    first = sources(visitor)
    assert len(set(first)) == 3

    # Between two of them, with the keyboard.
    for number in (1, 3):
        page.focus(f".sz-samples li:nth-child({number}) input")
        page.keyboard.press("Space")
    page.wait_for_selector(".sz-picked li >> nth=1")
    page.click("#explore-walk")
    page.wait_for_selector(".sz-animations a >> nth=1")
    ready(visitor)
    page.focus(".sz-way input")
    page.keyboard.press("Home")
    seen = set()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        seen.add(page.get_attribute(".sz-stage img", "src"))
    assert len(seen) == 4
    assert visitor.text(".sz-stage figcaption") == "step 5 of 9"
    assert not violations(visitor)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    with page.expect_download() as download:
        page.click(".sz-save")
    shown = download.value.path()
    with Image.open(shown) as picture:
        record = json.loads(picture.info["parameters"])
    code = page.input_value(".sz-code textarea")
    assert record["settings"]["code"] == code

    # The code as text gives the same picture.
    page.click("[data-do=copy]")
    page.wait_for_selector("[data-do=copy] >> text=Code copied")
    assert page.evaluate("navigator.clipboard.readText()") == code
    page.click("#explore-code-area button >> nth=0")
    page.wait_for_timeout(500)  # a frame after it has drawn it, Gradio empties the field once more
    page.fill("#explore-code textarea", code)
    page.click("#explore-type")
    page.wait_for_selector(".sz-samples li >> nth=3")
    ready(visitor)
    assert page.input_value(".sz-code textarea") == code
    with page.expect_download() as download:
        page.click(".sz-save")
    with Image.open(download.value.path()) as same, Image.open(shown) as was:
        assert same.tobytes() == was.tobytes()

    # The same seed, the same grid.
    page.click("#explore-go")
    page.wait_for_function("document.querySelectorAll('.sz-samples li').length < 4")
    page.wait_for_selector(".sz-samples li >> nth=2")
    ready(visitor)
    assert sources(visitor) == first
    assert not visitor.troubles
    assert not visitor.outside
