"""A site on this machine, once for all tests, and browsers that visit it."""

import gc
import os
import tempfile
import warnings

# Before Gradio is imported: it reads these once.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="style-zoo-tests-")

import shutil
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import uvicorn
from PIL import Image

from space.hub import Shelf
from space.pictures import EXAMPLES
from space.serve import listen, make_site
from tests.hub.serving import Serving as HubServing
from zoo.method import Method
from zoo.methods import METHODS
from zoo.runtime import Runtime

PHOTO = EXAMPLES / "photos" / "cat.jpg"
PAINTING = EXAMPLES / "paintings" / "sakai-rivers.jpg"


def pytest_itemcollected(item: pytest.Item) -> None:
    # What Gradio asks of pandas, newer versions of pandas warn about.
    item.add_marker(pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'"))
    item.add_marker(pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"))
    # Gradio and its client leave event loops and their sockets to the garbage collector.
    item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session", autouse=True)
def _own_folder() -> Iterator[None]:
    yield
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
    # The event loops above, before pytest looks for them at its very end.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            gc.collect()


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    # Pictures here are tiny: a second thread costs more than it brings.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Runtime("cpu")
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def address(runtime: Runtime) -> Iterator[str]:
    """The site, served from this process."""
    with serving(runtime, Shelf()) as found:
        yield found


@contextmanager
def only(*methods: type[Method]) -> Iterator[None]:
    """Register these methods alone; afterwards all others are back, in their order."""
    before = dict(METHODS)
    METHODS.clear()
    METHODS.update({method.name: method for method in methods})
    try:
        yield
    finally:
        METHODS.clear()
        METHODS.update(before)


@contextmanager
def serving(
    runtime: Runtime, shelf: Shelf, auth: tuple[str, str] | None = None, private: bool = False
) -> Iterator[str]:
    """A site, served from this process."""
    with listen("127.0.0.1", 0) as listener:
        found = f"http://127.0.0.1:{listener.getsockname()[1]}"
        shelf.open(found, closed=auth is not None)
        app = make_site(runtime, shelf, auth=auth, private=private, measure=False)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, "the site to start")
        yield found
        server.should_exit = True
        thread.join(20)
        shelf.close()


@dataclass(frozen=True)
class WithHub:
    """A site with a hub inside.

    Args:
        address: Where it is.
        shelf: Its checkpoints.
        gate: Holds downloads of weights back.
        token: Lets "ada" write to the hub.
    """

    address: str
    shelf: Shelf
    gate: HubServing
    token: str

    @property
    def hub(self) -> str:
        return f"{self.address}/hub"


@pytest.fixture(scope="session")
def with_hub(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithHub]:
    """A site with a hub inside, on a machine of one's own."""
    shelf = Shelf(tmp_path_factory.mktemp("data"))
    own = Runtime("cpu", shelf.fetch, shelf.listing)
    with serving(own, shelf, private=True) as found:
        assert shelf.hub
        gate = HubServing(SimpleNamespace(asgi=shelf.hub.asgi), f"{found}/hub")  # type: ignore[arg-type]
        shelf.hub.asgi = gate  # type: ignore[assignment]
        token = shelf.hub.create_token("ada", "tests")
        # What the hub does not have yet is listed without a commit.
        wait_until(lambda: all(m.commit for m in shelf.models()), "the hub to be filled")
        yield WithHub(found, shelf, gate, token)
        if gate.gate:
            gate.gate.set()


def wait_until(true: Callable[[], Any], what: str, seconds: float = 60) -> None:
    """Poll until ``true()``; fails after so many seconds."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


def huge_png(width: int, height: int) -> bytes:
    """A PNG that claims to be this large; to encode a real one takes seconds."""
    stream = BytesIO()
    Image.new("L", (20, 20)).save(stream, "PNG")
    data = stream.getvalue()
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.jpg"
    Image.open(PHOTO).resize((150, 100)).save(path)
    return path


class Visit:
    """One visitor's page, with everything that should not happen on it.

    Args:
        page: Playwright's page.
        address: The site.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.outside: list[str] = []
        self.troubles: list[str] = []
        page.on("request", self._asked)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("console", self._said)
        page.on("response", self._answered)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status}: {response.url}")

    def go(self, query: str = "?tab=gatys", first: str = "#gatys-go") -> "Visit":
        self.page.goto(f"{self.address}/{query}")
        self.page.wait_for_selector(first, state="visible")
        # The settings of a link arrive with the first answer of the server.
        self.page.wait_for_selector("body.sz-arrived")
        return self

    def upload(self, path: Path) -> None:
        self.page.set_input_files("#gatys-content input[type=file]", path)
        self.page.wait_for_selector("#gatys-content img")

    def run(self) -> None:
        self.page.click("#gatys-go")
        self.page.wait_for_selector("#gatys-slider", state="visible", timeout=60_000)
        self.page.wait_for_selector("#gatys-go:not([disabled])")

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector)).strip()


@pytest.fixture
def visit(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visit]]:
    """Makes visitors with an empty cache: ``visit(width=390, dark=True, locale="zh-TW")``."""
    with ExitStack() as stack:

        def make(
            *, width: int = 1440, dark: bool = False, locale: str = "en-US", at: str = ""
        ) -> Visit:
            # Only now: a test of another site may have other methods registered meanwhile.
            at = at or request.getfixturevalue("address")
            context = chromium.new_context(
                viewport={"width": width, "height": 900 if width > 640 else 844},
                color_scheme="dark" if dark else "light",
                locale=locale,
                accept_downloads=True,
                reduced_motion="reduce",
                permissions=["clipboard-read", "clipboard-write"],
            )
            stack.callback(context.close)
            context.set_default_timeout(30_000)
            return Visit(context.new_page(), at)

        yield make
