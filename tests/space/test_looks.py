"""Styles that checkpoints know by heart: picked by thumbnail, and all tried at once."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import gradio as gr
import pytest
from PIL import Image
from torch import Tensor

from space import parts
from space.app import build_app, share
from space.links import record_in
from space.results import Result
from tests import planted
from tests.space.conftest import PHOTO, Visit, WithHub, only, wait_until
from tests.space.test_site import violations
from zoo.checkpoint import facts_of
from zoo.form import Control
from zoo.hub.client import HubClient
from zoo.method import Content
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.runtime import Runtime, list_shipped

Visits = Callable[..., Visit]
ITEM = "button.thumbnail-item"
JOHNSONS = [one.repo_id for one in list_shipped() if one.method == "johnson"]


def with_photo(visitor: Visit, tab: str) -> Visit:
    visitor.page.click(f"#{tab}-examples button >> nth=1")
    visitor.page.wait_for_selector(f"#{tab}-content img")
    return visitor


def idle(visitor: Visit, tab: str) -> None:
    visitor.page.wait_for_selector(f"#{tab}-every:not([disabled])", timeout=120_000)
    visitor.page.wait_for_selector(f"#{tab}-stop", state="hidden")


def picked(visitor: Visit, group: str) -> str:
    return str(visitor.page.input_value(f"#{group} input:checked"))


@pytest.mark.browser
def test_a_checkpoint_is_picked_by_its_thumbnail(visit: Visits) -> None:
    visitor = visit().go("?tab=johnson&size=128", first="#johnson-go")
    page = visitor.page
    assert page.locator("#johnson-checkpoint input").count() == len(JOHNSONS)
    page.wait_for_function(
        "[...document.querySelectorAll('#johnson-checkpoint img')].every(i => i.naturalWidth)"
    )
    assert "Great Wave (Hokusai)" in visitor.text("#johnson-checkpoint")
    page.focus("#johnson-checkpoint input:checked")
    page.keyboard.press("ArrowRight")
    second = picked(visitor, "johnson-checkpoint")
    assert second == JOHNSONS[1]
    with_photo(visitor, "johnson")
    page.click("#johnson-go")
    page.wait_for_selector("#johnson-slider", state="visible", timeout=60_000)
    assert second.removeprefix("zoo/") in visitor.text("#johnson-status")
    page.click("#johnson-link")
    page.wait_for_function("document.querySelector('#johnson-link').innerText === 'Link copied'")
    link = urlsplit(page.evaluate("navigator.clipboard.readText()")).query
    assert parse_qs(link)["checkpoint"] == [second]
    other = visit().go(f"?{link}", first="#johnson-go")
    assert picked(other, "johnson-checkpoint") == second
    assert not visitor.troubles
    assert not visitor.outside


@pytest.mark.browser
def test_all_styles_are_tried_and_one_of_them_picked(visit: Visits) -> None:
    visitor = visit(width=390, dark=True, locale="zh-TW")
    visitor.go("?tab=many_styles&painting=3&size=128", first="#many_styles-go")
    page = visitor.page
    assert picked(visitor, "many_styles-painting") == "3"
    assert "星夜（梵谷）" in visitor.text("#many_styles-painting")
    page.click("#many_styles-every")
    page.wait_for_selector("#many_styles-note [role=alert]")  # no photo
    with_photo(visitor, "many_styles")
    page.click("#many_styles-every")
    page.wait_for_selector(f"#many_styles-many {ITEM} >> nth=15", timeout=120_000)
    idle(visitor, "many_styles")
    assert "16" in visitor.text("#many_styles-status")
    assert not violations(visitor)
    page.click(f"#many_styles-many {ITEM} >> nth=12")
    page.wait_for_selector("#many_styles-slider", state="visible")
    wait_until(lambda: picked(visitor, "many_styles-painting") == "12", "the style to be picked")
    assert page.input_value("#many_styles-size input") == "128"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # Beside an ordinary result, all of them come back from the session's results.
    page.click("#many_styles-go")
    page.wait_for_selector(f"#many_styles-history {ITEM} >> nth=1", timeout=60_000)
    page.wait_for_selector("#many_styles-many", state="hidden")
    page.click(f"#many_styles-history {ITEM} >> nth=1")
    page.wait_for_selector(f"#many_styles-many {ITEM} >> nth=15")
    assert not visitor.troubles


class Balking(planted.Several):
    """Does not know its last painting after all."""

    name, title, checkpoint = "balking", "Balking", "zoo/balking"

    def forward(
        self, content: Content, *, painting: Annotated[int, Control(looks=True)] = 0
    ) -> Tensor:
        if painting == 2:
            raise ZeroDivisionError("a secret")
        return super().forward(content, painting=painting)


def files_in(gallery: gr.Gallery) -> list[str]:
    """Names of the files that are downloaded from there."""
    return [Path(one["image"]["path"]).name for one in gallery.value]


def test_an_error_keeps_the_styles_that_are_done(tmp_path: Path) -> None:
    with only(Balking):
        site = share(planted.plant(tmp_path, [Balking]))
        build_app(site.runtime, site)
        (tab,) = site.tabs
        values = [getattr(part, "value", None) for part in tab.inputs.components]
        values[tab.inputs.components.index(tab.photo)] = str(PHOTO)
        visitor: Any = SimpleNamespace(cookies={}, headers={}, session_hash="a")
        page: dict[Any, Any] = {}
        for updates in tab.work.run_all(visitor, [], "zoo/balking", *values):
            page |= updates
    assert "report reference" in page[tab.work.note]
    (result,) = page[tab.stage.results]
    assert len(result.files) == 2
    assert files_in(page[tab.stage.many]) == [Path(path).name for path in result.files]


def test_stop_keeps_the_styles_that_are_done(runtime: Runtime) -> None:
    site = share(runtime)
    build_app(runtime, site)
    tab = next(tab for tab in site.tabs if tab.name == "many_styles")
    values = [getattr(part, "value", None) for part in tab.inputs.components]
    values[tab.inputs.components.index(tab.photo)] = str(PHOTO)
    size = next(one for one in tab.inputs.entries if one.field.name == "size")
    values[tab.inputs.components.index(size.components[0])] = 64
    visitor: Any = SimpleNamespace(cookies={}, headers={}, session_hash="a")
    results: list[Result] = []
    said, hidden = "", []
    for updates in tab.work.run_all(visitor, [], "zoo/many-styles", *values):
        results = updates.get(tab.stage.results, results)
        said = updates.get(tab.stage.status, said)
        hidden += [len(results[0].files)] if tab.stage.slider in updates else []
        if results and len(results[0].files) == 2:
            tab.work.halt(visitor)
    (result,) = results
    done = len(result.files)
    assert 2 <= done < 16
    assert f"Stopped after {done} of 16 styles, which are kept." in said
    assert result.names[:2] == ("Man with Tulip (Delaunay)", "Portrait of Picasso (Gris)")
    records = [record_in(path) for path in result.files]
    assert [one and one["settings"]["painting"] for one in records] == list(range(done))
    assert all(
        one and (one["width"], one["settings"]["second_share"]) == (64, 0) for one in records
    )
    # A picture that was picked meanwhile stays, and what is downloaded is no small copy.
    assert hidden == [1]
    assert files_in(updates[tab.stage.many]) == [Path(path).name for path in result.files]
    assert updates[tab.work.go].interactive
    assert updates[tab.choice.every].interactive


@pytest.mark.browser
def test_a_published_checkpoint_brings_its_thumbnail(
    visit: Visits, with_hub: WithHub, tmp_path: Path
) -> None:
    client = HubClient(with_hub.hub, tmp_path / "none", with_hub.token)
    styles = {"ada/dots": "ada_dots", "ada/plain": "<b>${1}</b>{{2}}`"}
    for repo_id, style in styles.items():
        folder = tmp_path / repo_id.replace("/", "-")
        method = Johnson(JohnsonConfig(width=4, style=style))
        method.save_pretrained(folder, facts=facts_of(method, repo_id))
        if style == "ada_dots":
            Image.new("RGB", (192, 144), "teal").save(folder / "thumbnail.jpg")
        client.push(folder, repo_id)
    with_hub.shelf.forget()
    wait_until(
        lambda: any(
            one.thumbnails for one in with_hub.shelf.listing() if one.repo_id == "ada/dots"
        ),
        "the thumbnail",
    )
    visitor = visit(at=with_hub.address).go("?tab=johnson&checkpoint=ada/dots", "#johnson-go")
    page = visitor.page
    assert picked(visitor, "johnson-checkpoint") == "ada/dots"
    dots = page.locator("#johnson-checkpoint label:has([value='ada/dots'])")
    assert dots.inner_text().strip() == "Dots (Ada)"
    image = dots.locator("img")
    wait_until(lambda: image.evaluate("one => one.naturalWidth") == 192, "the picture")
    # A stranger's words are words.
    plain = page.locator("#johnson-checkpoint label:has([value='ada/plain'])")
    assert plain.inner_text().strip() == "<B>${1}</B>{{2}}`"
    assert plain.locator("img").count() == 0
    assert not visitor.troubles


def test_a_name_is_no_part_of_the_template() -> None:
    said = parts.radio({"id": "a/b", "name": "${x}{{y}}`<i>", "src": ""}, "group")
    assert not set("${}`") & set(said)
    assert "<i>" not in said.replace("<i></i>", "")
