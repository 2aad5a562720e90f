"""How fast the hub moves a large file, and how much memory its server takes for that.

``python -m benchmarks.hub`` prints a table and writes JSON. Everything runs on this machine over
loopback: uploads are compared with ``cp`` and ``sha256sum`` of the same file, downloads with nginx
serving it. Rates are in MB/s (10^6 bytes). Downloads are medians over turns of hub and nginx;
uploads are single runs of the stock client, less the time it takes to start.
"""

import argparse
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.machine import save

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
TOKEN = "hf_benchmark_token"  # of a hub that lives for this run
REPO = "bench/large"


class PeakMemory:
    """The largest resident size of a process in bytes, sampled every 10 ms."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self.peak = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            try:
                self.peak = max(self.peak, self._process.memory_info().rss)
            except psutil.NoSuchProcess:
                return

    def stop(self) -> int:
        """Stop watching and return the peak."""
        self._stop.set()
        self._thread.join()
        return self.peak


@contextmanager
def running_hub(data: Path) -> Iterator[tuple[str, int]]:
    """Run the hub over ``data``; yields its address and process id."""
    hub = [sys.executable, "-m", "zoo.hub.cli"]
    token = [*hub, "token", "create", "bench", "--value", TOKEN, "--data", str(data)]
    subprocess.run(token, check=True, stdout=subprocess.DEVNULL)
    serve = [*hub, "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.terminate()


@contextmanager
def running_nginx(folder: Path, root: Path) -> Iterator[str]:
    """Run nginx over the files in ``root``; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"""daemon off; worker_processes 1; error_log {folder}/error.log; pid {folder}/pid;
        events {{}}
        http {{
            access_log off; sendfile on; tcp_nopush on;
            client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
            fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            server {{ listen 127.0.0.1:{port}; root {root}; }}
        }}"""
    )
    if os.geteuid() == 0:
        # The worker gives up root, and has to read what only root may enter by default.
        text = (folder / "nginx.conf").read_text()
        (folder / "nginx.conf").write_text(f"user root;\n{text}")
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    raise RuntimeError((folder / "error.log").read_text())
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def best(runs: int, action: Callable[[], None]) -> float:
    """Return the shortest time in seconds that ``action`` took."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def fetch(url: str) -> None:
    """Receive a file and throw it away, so that the receiver is not what is measured."""
    parts = urlsplit(url)
    buffer = memoryview(bytearray(1 << 20))
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        head = bytearray()
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        headers, _, rest = bytes(head).partition(b"\r\n\r\n")
        assert headers.startswith(b"HTTP/1.1 200"), headers[:200]
        length = next(
            int(line.split(b":")[1])
            for line in headers.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        length -= len(rest)
        while length and (count := connection.recv_into(buffer)):
            length -= count
        assert length == 0


def client(code: str, url: str, home: Path, *, xet: bool) -> None:
    """Run ``code`` with the stock client in a fresh process."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "0" if xet else "1",
    }
    script = f"from huggingface_hub import HfApi, hf_hub_download\n{code}"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def write_random(path: Path, size: int) -> None:
    """Write ``size`` bytes that do not compress."""
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, 8 << 20)))


def sha256sum(path: Path) -> str:
    """Hash with the system's own program, or without it here."""
    if program := shutil.which("sha256sum"):
        return subprocess.run(
            [program, path], capture_output=True, text=True, check=True
        ).stdout.split()[0]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Printed(dict[str, float]):
    """Results that are shown as they come: the slower ones take minutes."""

    def __setitem__(self, name: str, value: float) -> None:
        super().__setitem__(name, value)
        unit = "" if name.endswith("MB") or " / " in name else " MB/s"
        print(f"{name:48} {value:10.2f}{unit}", flush=True)


def measure(folder: Path, size: int, runs: int) -> dict[str, float]:
    """Run everything; returns rates in MB/s, ratios, and memory in MB."""
    source = folder / "large.safetensors"
    write_random(source, size)
    megabytes = size / 1e6
    results = Printed()

    def copy_and_hash() -> None:
        subprocess.run(["cp", source, folder / "copy"], check=True)
        subprocess.run(["sync", folder / "copy"], check=True)
        sha256sum(folder / "copy")

    results["cp + sync + sha256sum"] = baseline = megabytes / best(runs, copy_and_hash)
    (folder / "copy").unlink()
    digest = sha256sum(source)
    data = folder / "data"
    with running_hub(data) as (url, pid):
        client(f"HfApi().create_repo({REPO!r})", url, folder / "hf", xet=True)
        upload = (
            f"HfApi().upload_file(path_or_fileobj={str(source)!r}, "
            f"path_in_repo='large.safetensors', repo_id={REPO!r})"
        )
        recreate = f"HfApi().delete_repo({REPO!r}); HfApi().create_repo({REPO!r})"
        start = best(runs, lambda: client("HfApi().whoami()", url, folder / "hf", xet=True))
        for name, xet in (("upload by LFS", False), ("upload by Xet", True)):
            client(recreate, url, folder / "hf", xet=xet)
            for path in (data / "lfs").rglob(digest):
                path.unlink()  # else the second upload would find its bytes in place
            memory = PeakMemory(pid)
            took = best(1, partial(client, upload, url, folder / "hf", xet=xet))
            results[f"{name}, server peak MB"] = memory.stop() / 1e6
            # Starting Python and loading the client are not the hub's doing.
            results[name] = megabytes / max(took - start, 1e-3)
            results[f"{name} / cp + sha256sum"] = results[name] / baseline

        put = raw_put(url, source, digest, data)
        results["upload by a bare PUT"] = megabytes / put
        results["upload by a bare PUT / cp + sha256sum"] = (
            results["upload by a bare PUT"] / baseline
        )

        file_url = f"{url}/{REPO}/resolve/main/large.safetensors"
        fetch(file_url)  # both servers read from the page cache
        memory = PeakMemory(pid)
        download = f"hf_hub_download({REPO!r}, 'large.safetensors', force_download=True)"
        took = best(1, lambda: client(download, url, folder / "hf", xet=True))
        results["download by the stock client"] = megabytes / max(took - start, 1e-3)
        results["download by the stock client, server peak MB"] = memory.stop() / 1e6
        (settings := folder / "nginx").mkdir()
        with running_nginx(settings, folder) as nginx_url:
            fetch(f"{nginx_url}/large.safetensors")
            memory = PeakMemory(pid)
            rates: list[tuple[float, float]] = []
            for _ in range(3 * runs):  # in turns, so that a busy moment hits both alike
                rates.append(
                    (
                        megabytes / best(1, lambda: fetch(file_url)),
                        megabytes / best(1, lambda: fetch(f"{nginx_url}/large.safetensors")),
                    )
                )
            results["download, server peak MB"] = memory.stop() / 1e6
        results["download"] = statistics.median(hub for hub, _ in rates)
        results["download from nginx"] = statistics.median(nginx for _, nginx in rates)
        results["download / nginx"] = statistics.median(hub / nginx for hub, nginx in rates)
    return results


def raw_put(url: str, source: Path, digest: str, data: Path) -> float:
    """Time the upload of one LFS object by a client that only sends; returns seconds."""
    import httpx2

    size = source.stat().st_size
    name = "bench/put"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=600) as session:
        session.post("/api/repos/create", json={"name": "put"}).raise_for_status()
        for path in (data / "lfs").rglob(digest):
            path.rename(path.with_name("aside"))
        batch = {"operation": "upload", "objects": [{"oid": digest, "size": size}]}
        answer = session.post(f"/{name}.git/info/lfs/objects/batch", json=batch)
        href = answer.json()["objects"][0]["actions"]["upload"]["href"]
    parts = urlsplit(href)
    started = time.perf_counter()
    with (
        socket.create_connection((parts.hostname, parts.port)) as connection,
        source.open("rb") as file,
    ):
        head = f"PUT {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {size}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        connection.sendfile(file)
        answer_head = connection.recv(4096)
    took = time.perf_counter() - started
    assert answer_head.startswith(b"HTTP/1.1 200"), answer_head
    for path in (data / "lfs").rglob("aside"):
        path.unlink()
    return took


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=2.0, help="size of the file in GB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; needs four times the size")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        results = measure(Path(folder), int(options.size * 1e9), options.runs)
    save("hub", {"size_gb": options.size, "results": {k: round(v, 2) for k, v in results.items()}})


if __name__ == "__main__":
    main()
