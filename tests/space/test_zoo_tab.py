"""The Zoo tab in a real browser, over a hub inside the site."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from space.custom.zoo import is_owner
from tests.space.conftest import Visit, WithHub
from tests.space.test_hub import make_checkpoint
from tests.space.test_site import violations
from zoo.hub.client import HubClient

Visits = Callable[..., Visit]
CARD = "#zoo-cards .sz-zoo-card"


def put(with_hub: WithHub, folder: Path, repo_id: str, **content: Any) -> None:
    folder = make_checkpoint(folder / repo_id.replace("/", "-"), repo_id, **content)
    Image.effect_noise((90, 60), 60).save(folder / "sample.png")
    HubClient(with_hub.hub, folder.parent / "none", with_hub.token).push(folder, repo_id)
    with_hub.shelf.forget()


def names(visitor: Visit) -> list[str]:
    return [str(text) for text in visitor.page.locator(f"{CARD} h3").all_inner_texts()]


def state(visitor: Visit, repo_id: str) -> str:
    cards = visitor.page.locator(CARD).filter(has_text=repo_id)
    return str(cards.locator(".sz-zoo-state").inner_text())


def press(visitor: Visit, do: str, repo_id: str, where: str = "#zoo-cards") -> None:
    visitor.page.click(f"{where} button[data-do={do}][data-id='{repo_id}']")


@pytest.mark.browser
def test_search_read_download_and_try(visit: Visits, with_hub: WithHub, tmp_path: Path) -> None:
    put(with_hub, tmp_path, "ada/meadow", weights=os.urandom(3_000_000))
    put(with_hub, tmp_path, "ada/future", method="tomorrow")
    visitor = visit(at=with_hub.address).go("?tab=zoo", first=CARD)
    page = visitor.page
    page.wait_for_selector(f"{CARD} >> text=ada/meadow")

    # Search and filters.
    everything = names(visitor)
    assert {"zoo/gatys", "ada/meadow", "ada/future"} <= set(everything)
    page.fill("#zoo-search input, #zoo-search textarea", "MEADOW soft")
    page.wait_for_function(f"document.querySelectorAll('{CARD}').length === 1")
    assert names(visitor) == ["ada/meadow"]
    assert visitor.text("#zoo-cards .sz-zoo-count") == f"1 of {len(everything)} checkpoints"
    assert state(visitor, "ada/meadow") == "Not downloaded"
    page.check("#zoo-ready input")
    page.wait_for_selector("text=No checkpoint fits")
    page.uncheck("#zoo-ready input")
    page.wait_for_selector(CARD)
    page.fill("#zoo-search input, #zoo-search textarea", "")
    page.click("#zoo-license input")
    page.click("[role=option] >> text=mit")
    page.wait_for_function(
        f"[...document.querySelectorAll('{CARD}')].every(one => one.innerText.includes('mit'))"
    )
    assert "zoo/gatys" not in names(visitor)
    page.click("#zoo-license input")
    page.click("[role=option] >> text=All")
    page.wait_for_selector(f"{CARD} >> text=zoo/gatys")

    # What the card says; the pictures come from this site.
    press(visitor, "show", "ada/meadow")
    page.wait_for_selector("#zoo-rest .sz-zoo-samples img")
    assert page.evaluate("document.activeElement.innerText") == "ada/meadow"
    panel = visitor.text("#zoo-panel")
    for word in ("Softer", "Meadows", "extra.safetensors", "3.0 MB", "sha256:", "mit"):
        assert word in panel
    page.wait_for_function("document.querySelector('#zoo-rest img').naturalWidth === 90")

    # A download tells how far it is, here and on the card, and so does everybody else's page.
    with_hub.gate.gate = threading.Event()
    press(visitor, "get", "ada/meadow")
    page.wait_for_selector("#zoo-status progress[value]")
    assert "Downloading ada/meadow — 0." in visitor.text("#zoo-status")
    assert "of 3.0 MB" in visitor.text("#zoo-status")
    page.wait_for_selector(f"{CARD} .sz-zoo-state[data-state=downloading]")
    other = visit(at=with_hub.address).go("?tab=zoo", first=CARD)
    assert state(other, "ada/meadow").startswith("Downloading ")
    with_hub.gate.gate.set()
    page.wait_for_selector("#zoo-status >> text=ada/meadow is ready.")
    other.page.wait_for_selector(f"{CARD}:has-text('ada/meadow') [data-state=ready]")
    page.wait_for_selector("#zoo-panel [data-state=ready]")

    # One for a later version is shown, and cannot be tried.
    assert not page.query_selector("button[data-do=try][data-id='ada/future']")
    press(visitor, "try", "ada/meadow")
    page.wait_for_selector("#gatys-go", state="visible")
    page.click("#gatys-more button >> nth=0")
    assert page.input_value("#gatys-checkpoint input") == "ada/meadow"
    assert not visitor.troubles
    assert not visitor.outside


@pytest.mark.browser
def test_a_new_checkpoint_is_offered_after_a_reload_and_removed_by_the_owner(
    visit: Visits, with_hub: WithHub, tmp_path: Path
) -> None:
    visitor = visit(at=with_hub.address).go("?tab=gatys")
    put(with_hub, tmp_path, "ada/later")
    visitor.go("?tab=gatys&checkpoint=ada/later&size=128&steps=10")
    page = visitor.page
    page.click("#gatys-more button >> nth=0")
    assert page.input_value("#gatys-checkpoint input") == "ada/later"
    page.click("#gatys-examples button >> nth=1")
    page.wait_for_selector("#gatys-content img")
    visitor.run()
    status = visitor.text("#gatys-status")
    assert "s of it downloading and loading) on CPU" in status
    assert "ada/later@" in status

    page.click("#methods [role=tab] >> text=Zoo")
    page.wait_for_selector(f"{CARD}:has-text('ada/later') [data-state=ready]")
    press(visitor, "show", "ada/later")
    press(visitor, "drop", "ada/later", "#zoo-panel")
    page.wait_for_selector("#zoo-status >> text=ada/later was removed from this machine.")
    page.wait_for_selector("#zoo-panel [data-state=absent]")
    assert not visitor.troubles


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_no_accessibility_violations(
    visit: Visits, with_hub: WithHub, tmp_path: Path, width: int, dark: bool
) -> None:
    put(with_hub, tmp_path, "ada/seen")
    visitor = visit(width=width, dark=dark, at=with_hub.address).go("?tab=zoo", first=CARD)
    page = visitor.page
    page.wait_for_selector(f"{CARD} >> text=ada/seen")
    assert not violations(visitor)
    # With the keyboard alone.
    page.focus("button[data-do=show][data-id='ada/seen']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#zoo-rest table")
    page.wait_for_function("document.activeElement.matches('#zoo-panel h3')")
    assert not violations(visitor)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 640:
        assert (
            page.evaluate("document.querySelector('#zoo-panel').getBoundingClientRect().top") < 90
        )


@pytest.mark.parametrize(
    ("private", "client", "headers", "owner"),
    [
        (True, "127.0.0.1", {}, True),
        (True, "::1", {}, True),
        (False, "127.0.0.1", {}, False),
        (True, "10.0.0.7", {}, False),
        (True, "127.0.0.1", {"x-forwarded-for": "10.0.0.7"}, False),
    ],
)
def test_only_the_owner_of_the_machine_removes(
    private: bool, client: str, headers: dict[str, str], owner: bool
) -> None:
    site: Any = SimpleNamespace(private=private)
    request: Any = SimpleNamespace(client=SimpleNamespace(host=client), headers=headers)
    assert is_owner(site, request) is owner
