"""The site in a real browser."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tests.space.conftest import PAINTING, Visit, huge_png, wait_until
from zoo.methods import METHODS
from zoo.pipeline import form_for

pytestmark = pytest.mark.browser

Visits = Callable[..., Visit]
QUICK = "?tab=gatys&size=128&steps=10"
LONG = "?tab=gatys&size=128&steps=2000"
CONFORMANCE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(visit: Visit) -> list[str]:
    # What is still fading in has too little contrast.
    visit.page.wait_for_function(
        "document.getAnimations().every((one) => one.playState !== 'running'"
        " || one.effect.getComputedTiming().endTime === Infinity)"
    )
    found = Axe().run(visit.page, options={"runOnly": {"type": "tag", "values": CONFORMANCE}})
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def test_a_photo_becomes_a_painting(visit: Visits, photo: Path) -> None:
    visitor = visit().go("?tab=gatys&size=128&steps=60")
    page = visitor.page
    visitor.upload(photo)
    # An uploaded painting takes the place of the picked one.
    page.wait_for_timeout(1000)  # Gradio can drop an update that comes close to another's
    page.set_input_files("#gatys-style input[type=file]", PAINTING)
    page.wait_for_selector("#gatys-style img")
    page.wait_for_function("!document.querySelector('#gatys-style-pick input:checked')")
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-preview img", state="visible", timeout=60_000)
    page.wait_for_selector("#gatys-status progress[value]", state="visible")
    page.wait_for_selector("#gatys-slider", state="visible", timeout=60_000)

    page.wait_for_selector("#gatys-status >> text=Done in")  # a little later than the picture
    status = visitor.text("#gatys-status")
    assert status.startswith("Done in ")
    assert "on CPU · 128×85 px · gatys@" in status
    assert "· seed 0" in status
    assert "Your photo is 150×100. We worked at 128×85" in status

    with page.expect_download() as download:
        page.click("#gatys-download")
    assert download.value.suggested_filename.startswith("photo_gatys_")
    with Image.open(download.value.path()) as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (128, 85), "RGB")
        record = json.loads(picture.info["parameters"])
    assert record["method"] == "gatys"
    assert record["settings"]["steps"] == 60
    assert record["settings"]["size"] == 128
    assert "holiday" not in json.dumps(record)
    assert not visitor.outside
    assert not visitor.troubles


def test_the_handle_of_the_slider_moves_with_the_keyboard(visit: Visits, photo: Path) -> None:
    visitor = visit().go(QUICK)
    visitor.upload(photo)
    visitor.run()
    handle = visitor.page.wait_for_selector("[role=slider].outer[aria-valuenow='50']")
    before = handle.bounding_box()["x"]
    handle.focus()
    for _ in range(4):
        visitor.page.keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "70"
    wait_until(lambda: handle.bounding_box()["x"] > before + 20, "the handle to move")


def test_stop_acts_and_leaves_the_form_ready(visit: Visits, photo: Path) -> None:
    visitor = visit().go(LONG)
    visitor.upload(photo)
    for press in ("#gatys-stop", "Escape"):
        visitor.page.click("#gatys-go")
        visitor.page.wait_for_selector("#gatys-stop", state="visible")
        visitor.page.wait_for_function(
            "!document.querySelector('#gatys-status').innerText.includes('Stopped')"
        )
        visitor.page.wait_for_selector("#gatys-preview img", state="visible", timeout=60_000)
        if press == "Escape":
            visitor.page.keyboard.press(press)
        else:
            visitor.page.click(press)
        # The second run may be stopped before its first preview: then the first run's stays.
        visitor.page.wait_for_function(
            "document.querySelector('#gatys-status').innerText.includes('Stopped')"
        )
        visitor.page.wait_for_selector("#gatys-stop", state="hidden")
        assert visitor.page.is_visible("#gatys-preview img")
        wait_until(lambda: visitor.page.is_enabled("#gatys-go"), "the form to be ready again")
    assert not visitor.troubles


def test_escape_out_of_a_full_screen_or_a_list_stops_nothing(visit: Visits, photo: Path) -> None:
    visitor = visit().go(LONG)
    page = visitor.page
    visitor.upload(photo)
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-preview img", state="visible", timeout=60_000)
    page.evaluate(
        "window.stops = 0;"
        "document.getElementById('gatys-stop').addEventListener('click', () => { stops += 1; })"
    )
    page.click("#gatys-preview [aria-label=Fullscreen]")
    page.wait_for_selector("#gatys-preview.fullscreen")
    page.keyboard.press("Escape")
    page.wait_for_selector("#gatys-preview:not(.fullscreen)")
    page.click("#gatys-size input")
    page.wait_for_selector("#gatys-size input[aria-expanded=true]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#gatys-size input[aria-expanded=false]")
    assert page.evaluate("stops") == 0
    page.keyboard.press("Escape")
    assert page.evaluate("stops") == 1
    page.wait_for_selector("#gatys-stop", state="hidden")
    assert not visitor.troubles


def test_previews_are_seen_on_a_slow_line(visit: Visits, photo: Path) -> None:
    visitor = visit().go(LONG)
    page = visitor.page
    visitor.upload(photo)
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    # An answer takes longer than the next preview.
    slow = {"offline": False, "latency": 3000, "downloadThroughput": -1, "uploadThroughput": -1}
    line.send("Network.emulateNetworkConditions", slow)
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-preview img", state="visible", timeout=60_000)
    drawn = "document.querySelector('#gatys-preview img').naturalWidth > 0"
    for _ in range(3):
        assert page.evaluate(drawn)
        page.wait_for_timeout(1200)
    page.click("#gatys-stop")
    page.wait_for_selector("#gatys-stop", state="hidden")


def test_missing_pictures_are_named(visit: Visits) -> None:
    visitor = visit().go(QUICK)
    visitor.page.click("#gatys-go")
    visitor.page.wait_for_selector("#gatys-note [role=alert]")
    assert visitor.text("#gatys-note") == "Add a photo first."
    assert visitor.page.is_enabled("#gatys-go")
    assert not visitor.troubles


def bad_files(folder: Path) -> list[tuple[Path, str]]:
    """Six files that are no pictures for us, and the sentence that each must get."""
    Image.effect_noise((300, 200), 90).save(folder / "whole.png")
    files = {
        "empty.jpg": (b"", "“empty.jpg” is empty (0 bytes). Choose another picture."),
        "letter.jpg": (
            b"Dear Vincent, " * 50,
            "“letter.jpg” is not a picture we can read. Use a JPEG, PNG, WebP or GIF file.",
        ),
        "cut.png": (
            (folder / "whole.png").read_bytes()[:9000],
            "“cut.png” is damaged and could not be opened. Choose another picture.",
        ),
        "poster.png": (
            huge_png(30000, 30000),
            "“poster.png” is 30000×30000 pixels (900 megapixels). The limit is 40 megapixels. "
            "Make it smaller and try again.",
        ),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (900, 20)).save(folder / "rope.png")
    return [
        *((folder / name, sentence) for name, (_, sentence) in files.items()),
        (
            folder / "dot.png",
            "“dot.png” is only 1×1 pixels. The shorter side must be at least 16 pixels.",
        ),
        (
            folder / "rope.png",
            "“rope.png” is 900×20 pixels, which is too long and thin. Crop it first.",
        ),
    ]


def test_six_bad_files_are_refused_with_words(visit: Visits, tmp_path: Path, photo: Path) -> None:
    visitor = visit().go(QUICK)
    page = visitor.page
    for path, sentence in bad_files(tmp_path):
        page.set_input_files("#gatys-content input[type=file]", path)
        toast = page.wait_for_selector("[data-testid=toast-body]")
        assert sentence in toast.inner_text()
        page.click("[data-testid=toast-close]")
        page.wait_for_selector("[data-testid=toast-body]", state="detached")
        # The box is free for another picture.
        page.wait_for_selector("#gatys-content input[type=file]", state="attached")
        assert not page.query_selector("#gatys-content img")
    visitor.upload(photo)
    assert not visitor.outside


@pytest.mark.parametrize(
    ("locale", "go", "missing", "title"),
    [
        ("zh-TW", "開始轉換", "請先加入照片。", "前後對比"),
        ("zh-HK", "開始轉換", "請先加入照片。", "前後對比"),
        ("zh-SG", "开始转换", "请先添加照片。", "前后对比"),
        ("fr-FR", "Stylize", "Add a photo first.", "Before / after"),
    ],
)
def test_the_browser_chooses_the_language(
    visit: Visits, locale: str, go: str, missing: str, title: str
) -> None:
    visitor = visit(locale=locale).go(QUICK)
    assert visitor.text("#gatys-go") == go
    visitor.page.click("#gatys-go")
    visitor.page.wait_for_selector("#gatys-note [role=alert]")
    assert visitor.text("#gatys-note") == missing
    assert not visitor.troubles


def test_the_visitor_switches_the_language(visit: Visits, photo: Path) -> None:
    visitor = visit().go(QUICK)
    page = visitor.page
    page.click("text=繁體中文")
    page.wait_for_function("document.querySelector('#gatys-go')?.innerText === '開始轉換'")
    assert page.evaluate("document.documentElement.lang") == "zh-TW"
    assert "雷諾瓦" in visitor.text("#gatys-style-pick")
    assert "照片的（完全相同）" in visitor.text("#gatys-colors")
    page.wait_for_selector("body.sz-arrived")
    visitor.upload(photo)
    visitor.run()
    assert visitor.text("#gatys-status").startswith("完成，共 ")
    # Remembered without the link, also for texts that Python makes.
    page.goto(f"{visitor.address}/?tab=gatys")
    page.wait_for_function("document.querySelector('#gatys-go')?.innerText === '開始轉換'")
    page.click("text=English")
    page.wait_for_function("document.querySelector('#gatys-go')?.innerText === 'Stylize'")


def test_a_link_brings_settings_back_and_no_picture(visit: Visits, photo: Path) -> None:
    visitor = visit().go(QUICK)
    page = visitor.page
    visitor.upload(photo)
    page.check("#gatys-style-pick input[value=turner-venice]", force=True)
    page.check("#gatys-colors input[value=luminance]", force=True)
    page.fill("#gatys-style_weight input[type=number]", "2500")
    visitor.run()
    page.click("#gatys-link")
    page.wait_for_function("document.querySelector('#gatys-link').innerText === 'Link copied'")
    link = page.evaluate("navigator.clipboard.readText()")
    assert {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()} == {
        "tab": "gatys",
        "style": "turner-venice",
        "steps": "10",
        "style_weight": "2500",
        "size": "128",
        "colors": "luminance",
    }

    other = visit().go("?" + urlsplit(link).query)
    page = other.page
    assert page.is_checked("#gatys-style-pick input[value=turner-venice]")
    assert page.is_checked("#gatys-colors input[value=luminance]")
    assert page.input_value("#gatys-style_weight input[type=number]") == "2500"
    assert page.input_value("#gatys-steps input[type=number]") == "10"
    assert page.input_value("#gatys-size input") == "128"
    assert not page.query_selector("#gatys-content img")


def test_a_link_is_clamped_and_its_nonsense_ignored(visit: Visits) -> None:
    visitor = visit().go(
        "?tab=gatys&steps=999999&size=abc&colors=<script>&seed=-5&style=../../etc&x=1"
    )
    page = visitor.page
    assert page.input_value("#gatys-steps input[type=number]") == "2000"
    assert page.input_value("#gatys-size input") == "512"
    assert page.is_checked("#gatys-colors input[value=style]")
    assert page.is_checked("#gatys-style-pick input[value=van-gogh-bouquet]")
    assert not visitor.troubles


def test_a_field_without_effect_is_not_there(visit: Visits) -> None:
    page = visit().go("?tab=style_swap", "#style_swap-go").page
    page.click("#style_swap-more button")
    page.wait_for_selector("#style_swap-mode")
    assert not page.is_visible("#style_swap-steps")
    page.check("#style_swap-mode input[value=optimise]")
    page.wait_for_selector("#style_swap-steps")
    assert page.input_value("#style_swap-steps input[type=number]") == "60"
    page.check("#style_swap-mode input[value=network]")
    page.wait_for_selector("#style_swap-steps", state="hidden")

    page = visit().go("?tab=style_swap&mode=optimise&steps=20", "#style_swap-go").page
    page.click("#style_swap-more button")
    page.wait_for_selector("#style_swap-steps")
    assert page.input_value("#style_swap-steps input[type=number]") == "20"


def test_a_link_to_a_checkpoint_that_is_gone_says_so(visit: Visits) -> None:
    visitor = visit().go("?tab=gatys&checkpoint=zoo/gone")
    visitor.page.wait_for_selector("#gatys-status >> text=This site has no checkpoint zoo/gone")
    assert not visitor.troubles


def test_our_own_picture_offers_its_settings(visit: Visits, photo: Path) -> None:
    visitor = visit().go(QUICK)
    visitor.upload(photo)
    visitor.run()
    with visitor.page.expect_download() as download:
        visitor.page.click("#gatys-download")
    made = photo.parent / "mine.png"
    download.value.save_as(made)

    other = visit().go()
    page = other.page
    assert page.input_value("#gatys-steps input[type=number]") == "60"
    other.upload(photo)
    assert not page.is_visible("#gatys-use")
    page.click("#gatys-content [aria-label='Remove Image'], #gatys-content [aria-label=Clear]")
    other.upload(made)
    page.click("#gatys-use")
    page.wait_for_selector("#gatys-use", state="hidden")
    assert page.input_value("#gatys-steps input[type=number]") == "10"
    assert page.input_value("#gatys-size input") == "128"


def test_earlier_results_come_back_with_their_settings(visit: Visits, photo: Path) -> None:
    visitor = visit().go(QUICK)
    page = visitor.page
    visitor.upload(photo)
    visitor.run()
    assert not page.is_visible("#gatys-history")
    page.check("#gatys-colors input[value=luminance]", force=True)
    page.check("#gatys-style-pick input[value=renoir-seashore]", force=True)
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-history button.thumbnail-item >> nth=1", timeout=60_000)
    page.click("#gatys-history button.thumbnail-item >> nth=1")
    page.wait_for_function("document.querySelector('#gatys-colors input[value=style]').checked")
    page.wait_for_function(
        "document.querySelector('#gatys-style-pick input[value=van-gogh-bouquet]').checked"
    )
    assert not visitor.troubles


def test_the_last_photo_comes_back(visit: Visits) -> None:
    visitor = visit().go(QUICK)
    page = visitor.page
    assert not page.is_visible("#gatys-last")
    page.click("#gatys-examples button >> nth=2")
    page.wait_for_selector("#gatys-content img")
    page.click("#gatys-content [aria-label='Remove Image'], #gatys-content [aria-label=Clear]")
    page.wait_for_selector("#gatys-content img", state="detached")
    page.click("#gatys-last")
    page.wait_for_selector("#gatys-content img")
    assert not visitor.troubles


def test_a_photo_that_was_deleted_meanwhile_is_asked_for_again(
    visit: Visits, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.png"
    Image.new("RGB", (40, 40), "green").save(gone)
    visitor = visit().go(QUICK)
    page, sentence = visitor.page, "The upload is no longer on this server."
    visitor.upload(gone)
    page.wait_for_function("document.getElementById('methods').dataset.photo")
    for path in Path(os.environ["GRADIO_TEMP_DIR"]).glob("*/gone.png"):
        path.unlink()
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-note [role=alert]")
    assert sentence in visitor.text("#gatys-note")
    page.click("#gatys-content [aria-label='Remove Image'], #gatys-content [aria-label=Clear]")
    page.wait_for_selector("#gatys-content img", state="detached")
    page.click("#gatys-last")
    assert sentence in page.wait_for_selector("[data-testid=toast-body]").inner_text()
    assert not visitor.troubles


def test_the_site_opens_on_a_method_that_takes_no_time(visit: Visits) -> None:
    assert visit().go("", first="#johnson-go").page.is_hidden("#gatys-go")


def test_arrow_keys_pick_a_style(visit: Visits) -> None:
    page = visit().go().page
    page.focus("#gatys-style-pick input:checked")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#gatys-style-pick input[value=cezanne-mountain]:checked")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#gatys-style-pick input[value=redon-vase]:checked")


def test_tabs_opened_later_are_whole(visit: Visits) -> None:
    visitor = visit().go()
    page = visitor.page
    for name in METHODS:
        page.get_by_role("tab", name=METHODS[name].title, exact=True).click()
        page.wait_for_selector(f"#{name}-go", state="visible")
        if "style" in form_for(METHODS[name]).by_name:
            third = page.locator(f"#{name}-style-pick input >> nth=2")
            third.check(force=True)
            assert third.is_checked()
        assert "Error rendering" not in page.inner_text(f"#tab-{name}")
    assert not visitor.troubles


def test_a_pick_counts_as_soon_as_there_is_one(visit: Visits) -> None:
    page = visit().go().page
    page.evaluate("""() => new MutationObserver((changes, observer) => {
        const third = document.querySelectorAll('#adain-style-pick input')[2];
        if (third) { observer.disconnect(); third.click(); }
    }).observe(document.body, {childList: true, subtree: true})""")
    page.get_by_role("tab", name=METHODS["adain"].title, exact=True).click()
    page.wait_for_selector("#adain-go", state="visible")
    page.wait_for_timeout(500)  # Gradio gives all values once more
    assert page.locator("#adain-style-pick input >> nth=2").is_checked()


def test_violations_would_be_found(visit: Visits) -> None:
    visitor = visit().go()
    visitor.page.evaluate(
        "document.querySelector('.sz-title p').style.color = '#cccccc';"
        "document.querySelector('#methods').insertAdjacentHTML('beforeend', '<input>')"
    )
    found = {one.split(":")[0] for one in violations(visitor)}
    assert {"color-contrast", "label"} <= found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_accessibility_violations(visit: Visits, photo: Path, width: int, dark: bool) -> None:
    visitor = visit(width=width, dark=dark).go(LONG)
    page = visitor.page
    page.click("#gatys-more button >> nth=0")
    assert not violations(visitor)
    visitor.page.click("#gatys-go")
    page.wait_for_selector("#gatys-note [role=alert]")
    visitor.upload(photo)
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-preview img", state="visible", timeout=60_000)
    page.wait_for_function(
        "document.querySelector('#gatys-result').getBoundingClientRect().top < innerHeight / 2"
    )
    assert not violations(visitor)
    page.click("#gatys-stop")
    page.wait_for_selector("#gatys-go:not([disabled])")
    page.fill("#gatys-steps input[type=number]", "10")
    page.keyboard.press("Tab")
    for number in range(2):
        page.click("#gatys-go")
        page.wait_for_selector("#gatys-slider", state="visible", timeout=60_000)
        page.wait_for_selector("#gatys-go:not([disabled])")
        if number:
            page.wait_for_selector("#gatys-history button >> nth=1")
    assert not violations(visitor)
    # Nothing to scroll sideways, and everything can be hit with a thumb.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
