"""The site as a web application: languages, headers, example pictures, and Gradio below them."""

import contextlib
import html
import importlib.util
import ipaddress
import json
import logging
import os
import re
import shutil
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
import uvicorn
from fastapi import FastAPI
from filelock import BaseFileLock, FileLock, Timeout
from starlette.requests import Request
from starlette.staticfiles import StaticFiles

from space.app import build_app, share
from space.filming import MAX_BYTES
from space.hub import Beside, Shelf
from space.pictures import EXAMPLES, ROUTE
from space.results import Sweeper
from space.speed import sample_inputs
from space.theme import make_theme, read
from space.words import COOKIE, catalogue, choose, table
from zoo import allocator
from zoo.runtime import Runtime

log = logging.getLogger(__name__)

PLACE = "style-zoo-site-"  # how the names of folders begin in which pictures lie
YEAR = 365 * 24 * 3600  # seconds
# The browser itself keeps the page from asking anybody else. Gradio writes scripts into the page
# and makes functions from templates.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


def make_site(
    runtime: Runtime,
    shelf: Shelf | None = None,
    *,
    auth: tuple[str, str] | None = None,
    root_path: str = "",
    private: bool = False,
    measure: bool = True,
) -> FastAPI:
    """The whole site as an ASGI application.

    Args:
        runtime: Runs the methods.
        shelf: Has the checkpoints, and perhaps a hub to show below /hub; open already.
        auth: User and password that everybody has to give; None for no such thing.
        root_path: Path under which a proxy shows the site, such as ``/studio``.
        private: Whether only people at this machine can come: they may remove downloads.
        measure: On a CPU, find out in the background how long the methods take.
    """
    site = share(runtime, shelf, private=private)
    blocks = build_app(runtime, site)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper = Sweeper()
        sweeper.start()
        site.shelf.begin()
        if measure and not runtime.on_gpu:
            here = [tab for tab in site.tabs if site.shelf.model(tab.method.checkpoint)]
            site.speed.start({tab.name: sample_inputs(tab.form) for tab in here})
        yield
        site.speed.stop()
        sweeper.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount(f"/{ROUTE}", StaticFiles(directory=EXAMPLES), name=ROUTE)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        auth=auth,
        root_path=root_path or None,
        show_error=False,
        max_file_size=MAX_BYTES,  # of a video; what opens pictures takes less
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        footer_links=["api", "settings"],
        i18n=catalogue(),
        mcp_server=importlib.util.find_spec("mcp") is not None,
        theme=make_theme(),
        css=read("site.css") + read("compare.css"),
        head=f"<script>{read('page.js')}</script>",
    )
    app.add_middleware(Front)
    app.add_middleware(Beside, shelf=site.shelf, root_path=root_path)
    return app


class Front:
    """Adds our headers to every answer, and to the page its language.

    The script goes first into the page, for Gradio chooses its language as soon as it runs.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app
        self.script = read("first.js")

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started: Message | None = None
        body = b""

        async def forward(message: Message) -> None:
            nonlocal started, body
            if message["type"] == "http.response.start":
                message["headers"] = [
                    pair for pair in message["headers"] if pair[0].lower() not in HEADERS
                ] + list(HEADERS.items())
                kind = dict(message["headers"]).get(b"content-type", b"")
                if scope["path"] == "/" and kind.startswith(b"text/html"):
                    started = message
                    return
            elif started is not None:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                body = await self._finish(scope, started, body, send)
            await send(message if started is None else {"type": "http.response.body", "body": body})

        await self.app(scope, receive, forward)

    async def _finish(self, scope: Scope, started: Message, body: bytes, send: Any) -> bytes:
        request = Request(scope)  # whose parser takes any cookie, as browsers do
        remembered = request.cookies.get(COOKIE)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("lang", [None])[0]
        language = choose(asked, remembered, request.headers.get("accept-language"))
        words = json.dumps(table(language), ensure_ascii=False).replace("</", "<\\/")
        script = self.script.replace('"LANGUAGE"', json.dumps(language)).replace('"WORDS"', words)
        body = body.replace(b"<head>", f"<head><script>{script}</script>".encode(), 1)
        tag = rf'\1"{html.escape(language)}"'.encode()
        body = re.sub(rb'(<html\s+lang=)"en"', tag, body, count=1)
        added = [(b"content-length", str(len(body)).encode())]
        if asked == language and remembered != language:
            cookie = f"{COOKIE}={language}; Path=/; Max-Age={YEAR}; SameSite=Lax"
            added.append((b"set-cookie", cookie.encode()))
        started["headers"] = [
            pair for pair in started["headers"] if pair[0].lower() != b"content-length"
        ] + added
        await send(started)
        return body


def serve(
    runtime: Runtime,
    shelf: Shelf,
    *,
    host: str,
    port: int,
    auth: tuple[str, str] | None = None,
    public: bool = False,
    root_path: str = "",
    say: Callable[[str], None],
) -> None:
    """Serve the site until it is interrupted or terminated.

    Args:
        runtime: Runs the methods.
        shelf: Has the checkpoints; it is opened here, and closed in the end.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        auth: User and password that everybody has to give.
        public: Ask for a public link as well.
        root_path: Path under which a proxy shows the site.
        say: Told where the site is.

    Raises OSError when the address cannot be had.
    """
    allocator.keep_freed()
    # Uvicorn raises the signal again after its own end; what follows it here is done so, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with own_folder() as place, contextlib.ExitStack() as ending:
        os.environ["GRADIO_TEMP_DIR"] = place
        ending.callback(shelf.close)
        with listen(host, port) as listener:
            port = listener.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else shown}:{port}"  # noqa: S104
            shelf.open(address, closed=auth is not None)
            private = is_loopback(host) and not public and not root_path
            app = make_site(runtime, shelf, auth=auth, root_path=root_path, private=private)
            config = uvicorn.Config(
                app, log_level="warning", timeout_graceful_shutdown=2, ws="none"
            )
            server = uvicorn.Server(config)
            say(f"Style Zoo on {runtime.device_name}: {address}")
            if public:
                arguments = (port, address, say)
                threading.Thread(target=share_link, args=arguments, daemon=True).start()
            server.run(sockets=[listener])


@contextlib.contextmanager
def own_folder() -> Iterator[str]:
    """A folder that goes with this process; those that killed ones have left go now."""
    place = Path(tempfile.mkdtemp(prefix=PLACE))
    with locked(place):
        for left in place.parent.glob(f"{PLACE}*"):
            # Somebody else's, a living process's, or another start was faster.
            with contextlib.suppress(OSError, Timeout):
                about = left.lstat()
                ours = about.st_uid == place.stat().st_uid
                # One that was made this minute may not be locked yet.
                if ours and stat.S_ISDIR(about.st_mode) and time.time() - about.st_mtime > 60:
                    with locked(left):
                        shutil.rmtree(left)
        try:
            yield str(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def locked(folder: Path) -> BaseFileLock:
    """The lock of a folder, which the system takes from a process that ends.

    Entering it raises Timeout where another process holds it.
    """
    return FileLock(folder / ".lock", timeout=0)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address; raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)  # who is told the address may connect before anybody answers
    except OSError:
        listener.close()
        raise
    return listener


def share_link(port: int, address: str, say: Callable[[str], None]) -> None:
    """Ask Gradio's service for a public link, and say what came of it."""
    from gradio.networking import setup_tunnel

    try:
        link = setup_tunnel("127.0.0.1", port, os.urandom(24).hex(), None, None)
    except Exception as error:  # noqa: BLE001 the service can fail in any way
        log.info("no public link: %r", error)
        say(f"No public link: the share service cannot be reached. The site is at {address}")
        return
    say(f"Public link, for a week at most: {link}")
