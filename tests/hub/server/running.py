"""Hubs that run in a thread of the tests, or in a process that can be killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from zoo.hub.server import Hub
from zoo.hub.server.sending import SendfileProtocol


@dataclass
class Server:
    """A hub in a thread: two users in one organisation, and a stranger."""

    hub: Hub
    url: str
    alice: str
    carol: str
    reader: str


@contextmanager
def serve(hub: Hub) -> Iterator[str]:
    """Serve ``hub`` on a free port while the block runs."""
    config = uvicorn.Config(
        hub.asgi, port=0, http=SendfileProtocol, loop="asyncio", ws="none", log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def process(data: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run ``serve`` over ``data`` on a free port; yields its address once it listens."""
    command = [sys.executable, "-m", "zoo.hub.cli", "serve", "--data", str(data), "--port", "0"]
    running = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env={**os.environ, "HF_TOKEN": ""}
    )
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert line.startswith("Hub on http"), line
        yield line.split()[-1], running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
        running.wait(20)
        assert running.stdout is not None
        running.stdout.close()
