"""Hubs that run in a thread of the tests, or in a process that can be killed."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
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


def _serve_forever(data: Path, port: Connection) -> None:
    hub = Hub(data)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port.send(listening.getsockname()[1])
        config = uvicorn.Config(
            hub.asgi, http=SendfileProtocol, loop="asyncio", ws="none", log_level="warning"
        )
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def mortal(data: Path) -> Iterator[tuple[str, BaseProcess]]:
    """Run a hub in a process that is killed -9 at the end, if not before.

    It is forked from one that has everything imported, so that fifty of them start in seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.hub.server.running"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve_forever, args=(data, sender))
    process.start()
    sender.close()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}", process
    finally:
        receiver.close()
        process.kill()
        process.join()
        process.close()
