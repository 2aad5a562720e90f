"""Regions on the site: painted on the board in a real browser, uploaded, or sent to the API."""

import base64
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from space.app import share
from space.hub import Shelf
from space.regions import LONGEST, PREFIX, painted_on, shown
from space.tab import Tab
from tests.space.conftest import PAINTING, PHOTO, Visit, only, serving, wait_until
from tests.space.test_site import violations
from zoo import checkpoint
from zoo.errors import InputError
from zoo.form import Field
from zoo.methods.fast_photo_style import FastPhotoStyle
from zoo.regions import PALETTE
from zoo.runtime import Runtime

Visits = Callable[..., Visit]
NAME = FastPhotoStyle.name
QUICK = f"?tab={NAME}&size=64&smoothing=none"
MAP = Field(name="content_regions", kind="picture", over="content", label="Regions of the photo")
CODES = {name: "#{:02x}{:02x}{:02x}".format(*color) for name, color in PALETTE.items()}


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The method with random weights, as the only one of the site."""
    shipped = tmp_path_factory.mktemp("shipped")
    with (
        torch.random.fork_rng(),
        pytest.MonkeyPatch.context() as patch,
        only(FastPhotoStyle),
    ):
        torch.manual_seed(0)
        checkpoint.save(FastPhotoStyle(), shipped / "photo-wct")
        patch.setattr(checkpoint, "SHIPPED", shipped)
        yield


@pytest.fixture(scope="module")
def site(registered: None, runtime: Runtime) -> Iterator[str]:
    with serving(Runtime("cpu"), Shelf()) as address:
        yield address


def png(picture: Image.Image) -> str:
    stream = BytesIO()
    picture.save(stream, "PNG")
    return PREFIX + base64.b64encode(stream.getvalue()).decode()


def test_a_painted_map_is_read_and_nonsense_refused() -> None:
    address = png(Image.new("RGBA", (20, 20)))
    data = painted_on(MAP, {"content_regions": address})
    assert data is not None
    assert Image.open(BytesIO(data)).size == (20, 20)
    nothings: list[Any] = [None, {}, {"content_regions": ""}, "", [], {"style_regions": address}]
    for nothing in nothings:
        assert painted_on(MAP, nothing) is None
    for nonsense in (7, "http://127.0.0.1/a.png", PREFIX + "!", PREFIX + "A" * LONGEST, ["x"]):
        with pytest.raises(InputError, match="Regions of the photo"):
            painted_on(MAP, {"content_regions": nonsense})


def test_a_picture_on_the_board_is_small_and_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (1600, 400), "white")
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was turned
    picture.save(tmp_path / "turned.jpg", exif=exif)
    address = shown(str(tmp_path / "turned.jpg"))
    made = Image.open(BytesIO(base64.b64decode(address.partition(",")[2])))
    assert made.size == (180, 720)
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    assert shown(None) == shown(str(tmp_path / "no.jpg")) == ""


def test_uploads_come_before_paint_and_neither_goes_into_a_link(registered: None) -> None:
    tab = Tab(share(Runtime("cpu")), NAME)
    with gr.Blocks():
        tab.build()
    entries = {one.field.name: one for one in tab.inputs.entries}
    one = entries["content_regions"]
    address = png(Image.new("RGB", (20, 20)))
    assert one.read({"content_regions": address}, "/own.png") == "/own.png"
    assert isinstance(one.read({"content_regions": address}, None), bytes)
    assert one.read({"content_regions": ""}, None) is None
    linked, _ = tab.inputs.link(tab.name, tab.choice.picked)
    assert tab.board not in linked
    for name in ("content_regions", "style_regions"):
        assert not set(entries[name].components) & set(linked)


@pytest.fixture(scope="module")
def client(site: str) -> Iterator[Client]:
    made = Client(site, verbose=False)
    yield made
    made.close()


def test_programs_send_label_maps(client: Client, tmp_path: Path) -> None:
    halves = Image.new("RGB", (150, 100), "red")
    halves.paste("blue", (0, 0, 75, 100))
    halves.save(tmp_path / "map.png")
    given: dict[str, Any] = {
        "content": handle_file(str(PHOTO)),
        "style": handle_file(str(PHOTO)),
        "size": 64,
        "smoothing": "none",
        "api_name": f"/{NAME}",
    }
    label_map = handle_file(str(tmp_path / "map.png"))
    files, record = client.predict(**given, content_regions=label_map, style_regions=label_map)
    assert len(files) == 1
    assert record["method"] == NAME
    with pytest.raises(AppError, match="Regions of the style: paint or upload them too"):
        client.predict(**given, content_regions=label_map)


def open_board(visitor: Visit) -> None:
    page = visitor.page
    if not page.is_visible(f"#{NAME}-board [data-do=open]"):
        page.click(f"#{NAME}-regions button >> nth=0")
    page.click(f"#{NAME}-board [data-do=open]")
    page.wait_for_selector(f"#{NAME}-board dialog[open]")


def close_board(visitor: Visit) -> None:
    visitor.page.keyboard.press("Escape")
    visitor.page.wait_for_selector(f"#{NAME}-board dialog", state="hidden")


def sheet(side: str) -> str:
    return f"[data-side={side}_regions] canvas"


def choose(visitor: Visit, color: str) -> None:
    visitor.page.check(f"#{NAME}-board dialog input[value='{CODES[color]}']")


def stroke(visitor: Visit, side: str, color: str) -> None:
    """Paint a thick line across the upper half."""
    choose(visitor, color)
    canvas = visitor.page.wait_for_selector(sheet(side), state="visible")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    mouse = visitor.page.mouse
    places = [(0.1, 0.2), (0.9, 0.2), (0.9, 0.35), (0.1, 0.35)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    mouse.move(*points[0])
    mouse.down()
    for point in points[1:]:
        mouse.move(*point, steps=4)
    mouse.up()


def upload(visitor: Visit, path: Path) -> None:
    visitor.page.set_input_files(f"#{NAME}-content input[type=file]", path)
    visitor.page.wait_for_selector(f"#{NAME}-content img")


def run(visitor: Visit) -> bytes:
    """Press Stylize; the result's file."""
    page = visitor.page
    page.evaluate(
        "document.querySelectorAll('.sz-done').forEach((one) => one.classList.add('sz-earlier'))"
    )
    page.click(f"#{NAME}-go")
    page.wait_for_selector(f"#{NAME}-status .sz-done:not(.sz-earlier)", timeout=60_000)
    page.wait_for_selector(f"#{NAME}-go:not([disabled])")
    with page.expect_download() as download:
        page.click(f"#{NAME}-download")
    return Path(download.value.path()).read_bytes()


def pixels(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as picture:
        return picture.tobytes()


@pytest.mark.browser
def test_painted_regions_reach_the_method(visit: Visits, site: str, photo: Path) -> None:
    visitor = visit(at=site).go(QUICK, first=f"#{NAME}-go")
    page = visitor.page
    upload(visitor, photo)
    whole = run(visitor)

    # On one picture only.
    open_board(visitor)
    stroke(visitor, "content", "Orange")
    close_board(visitor)
    page.wait_for_selector(f"#{NAME}-board .sz-made canvas")
    page.click(f"#{NAME}-go")
    page.wait_for_selector(f"#{NAME}-note [role=alert]")
    assert visitor.text(f"#{NAME}-note") == (
        "Regions of the style: paint or upload them too, or take away Regions of the photo."
    )

    # In another colour on the other: told by name.
    open_board(visitor)
    stroke(visitor, "style", "Blue")
    close_board(visitor)
    run(visitor)
    assert "Regions of the style: “Orange” is missing" in visitor.text(f"#{NAME}-status")
    assert "Regions of the photo: “Blue” is missing" in visitor.text(f"#{NAME}-status")

    # In the same, with the keyboard.
    open_board(visitor)
    page.click("[data-side=style_regions] [data-do=clear]")
    choose(visitor, "Orange")
    page.focus(sheet("style"))
    for key in ("ArrowUp", "Space", *["Shift+ArrowRight"] * 6):
        page.keyboard.press(key)
    close_board(visitor)
    apart = run(visitor)
    assert "missing" not in visitor.text(f"#{NAME}-status")
    assert pixels(whole) != pixels(apart)

    # What was painted belongs to its picture.
    assert page.locator(f"#{NAME}-board .sz-made canvas").count() == 2
    page.click(f"#{NAME}-examples button >> nth=2")
    wait_until(
        lambda: page.locator(f"#{NAME}-board .sz-made canvas").count() == 1, "the paint to go"
    )
    page.click(f"#{NAME}-board [data-do=remove]")
    run(visitor)
    assert not visitor.outside
    assert not visitor.troubles


@pytest.mark.browser
def test_strokes_can_be_undone_and_absent_pictures_are_named(
    visit: Visits, site: str, photo: Path
) -> None:
    visitor = visit(at=site).go(QUICK, first=f"#{NAME}-go")
    page = visitor.page
    open_board(visitor)
    assert "Add a photo first." in visitor.text("[data-side=content_regions]")
    stroke(visitor, "style", "Pink")
    page.click("[data-side=style_regions] [data-do=undo]")
    assert page.is_disabled("[data-side=style_regions] [data-do=undo]")
    assert page.is_disabled("[data-side=style_regions] [data-do=clear]")
    close_board(visitor)
    assert not page.locator(f"#{NAME}-board .sz-made canvas").count()
    upload(visitor, photo)
    open_board(visitor)
    page.wait_for_selector(sheet("content"), state="visible")
    assert not visitor.troubles


@pytest.mark.browser
def test_the_colors_stay_where_they_are_when_the_pictures_come(visit: Visits, site: str) -> None:
    visitor = visit(at=site).go(QUICK, first=f"#{NAME}-go")
    page = visitor.page
    open_board(visitor)
    page.wait_for_selector(sheet("style"), state="visible")
    colors = page.locator(f"#{NAME}-board dialog fieldset")
    after = colors.bounding_box()
    page.evaluate("document.querySelectorAll('.sz-sheet').forEach((one) => { one.hidden = true; })")
    assert colors.bounding_box() == after


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_the_board_has_no_accessibility_violations(
    visit: Visits, site: str, photo: Path, width: int, dark: bool
) -> None:
    visitor = visit(at=site, width=width, dark=dark).go(QUICK, first=f"#{NAME}-go")
    upload(visitor, photo)
    visitor.page.set_input_files(f"#{NAME}-style input[type=file]", PAINTING)
    visitor.page.wait_for_selector(f"#{NAME}-style img")
    open_board(visitor)
    stroke(visitor, "content", "Green")
    stroke(visitor, "style", "Green")
    assert not violations(visitor)
    close_board(visitor)
    visitor.page.wait_for_selector(f"#{NAME}-board .sz-made canvas >> nth=1")
    assert not violations(visitor)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
