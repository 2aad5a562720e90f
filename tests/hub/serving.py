"""A real hub on a free port, with a look at what clients send to it."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from zoo.hub.server import Hub

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Serving:
    """A hub being served.

    Attributes:
        url: Its address.
        requests: "GET /path" and the headers of every request, in their order.
        gate: While set and closed, weights stop half-way.
        cut: While set, the next answer with weights breaks after so many bytes.
        cut_all: Whether not only the next one does.
        ranges: Whether a part of the weights can be asked for.
    """

    def __init__(self, hub: Hub, url: str) -> None:
        self.hub = hub
        self.url = url
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.gate: threading.Event | None = None
        self.cut: int | None = None
        self.cut_all = False
        self.ranges = True

    def count(self, ending: str) -> int:
        """How many GET requests were for paths that end so."""
        found = Counter(what for what, _ in self.requests if what.startswith("GET "))
        return sum(n for what, n in found.items() if what.endswith(ending))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        headers = {name.decode(): value.decode() for name, value in scope.get("headers", ())}
        self.requests.append((f"{scope.get('method')} {path}", headers))
        sent = 0

        async def passing(message: Message) -> None:
            nonlocal sent
            body = message.get("body", b"")
            if self.cut is not None and sent + len(body) > self.cut:
                keep = self.cut - sent
                if not self.cut_all:
                    self.cut = None
                await send({**message, "body": body[:keep], "more_body": True})
                raise ConnectionAbortedError
            if self.gate and len(body) > 1 and not self.gate.is_set():
                half, body = body[: len(body) // 2], body[len(body) // 2 :]
                await send({**message, "body": half, "more_body": True})
                waited = 0
                while not self.gate.is_set():
                    await asyncio.sleep(0.01)
                    waited += 1
                    if waited % 50 == 0:  # a silence of 10 seconds would count as a failure
                        byte, body = body[:1], body[1:]
                        await send({**message, "body": byte, "more_body": True})
            sent += len(body)
            await send({**message, "body": body} if body else message)

        weights = "/resolve/" in path and path.endswith(".safetensors")
        if weights and not self.ranges:
            scope = {**scope, "headers": [h for h in scope["headers"] if h[0] != b"range"]}
        try:
            await self.hub.asgi(scope, receive, passing if weights else send)
        except ConnectionAbortedError:
            return  # uvicorn closes the connection of an answer that was not finished


@contextmanager
def serving(data: Path, prefix: str = "", **settings: Any) -> Iterator[Serving]:
    """Serve a hub over ``data`` from a thread of this process, mounted under ``prefix``."""
    hub = Hub(data, **settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = Serving(hub, f"http://127.0.0.1:{listening.getsockname()[1]}{prefix}")
        site = Starlette(routes=[Mount(prefix, app)]) if prefix else app
        config = uvicorn.Config(site, lifespan="off", log_level="critical", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield app
        finally:
            if app.gate:
                app.gate.set()
            server.should_exit = server.force_exit = True
            thread.join()
            hub.close()
