"""A killed server loses nothing it acknowledged; and many writers at once lose nothing either."""

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.hub.server.running import Server, bearer, mortal
from zoo.hub.server import Hub
from zoo.hub.server.checking import check

KILLS = 50
TOKEN = "hf_" + "t" * 30


def commit_body(number: int, oid: str | None, parent: str | None = None) -> bytes:
    """Build a commit of one file of its own, and perhaps of a large one."""
    header: dict[str, object] = {"summary": f"Number {number}"}
    if parent:
        header["parentCommit"] = parent
    content = base64.b64encode(f"content {number}".encode()).decode()
    small = {"path": f"small/{number}.txt", "content": content, "encoding": "base64"}
    lines: list[dict[str, object]] = [
        {"key": "header", "value": header},
        {"key": "file", "value": small},
    ]
    if oid:
        large = {"path": f"large/{number}.bin", "algo": "sha256", "oid": oid}
        lines.append({"key": "lfsFile", "value": large})
    return "\n".join(map(json.dumps, lines)).encode()


class Writer(threading.Thread):
    """Uploads and commits until the server is gone, noting what was acknowledged."""

    def __init__(self, url: str, repo: str, numbers: list[int], seed: str) -> None:
        super().__init__()
        self.url, self.repo, self.numbers = url, repo, numbers
        self.dice = random.Random(seed)
        self.commits: list[tuple[int, str, str | None]] = []

    def run(self) -> None:
        with httpx2.Client(
            base_url=self.url, headers=bearer(TOKEN), timeout=20, verify=False
        ) as session:
            try:
                while True:
                    self.write(session)
            except httpx2.TransportError:
                return  # killed

    def write(self, session: httpx2.Client) -> None:
        self.numbers[0] += 1
        number = self.numbers[0]
        oid = None
        if self.dice.random() < 0.6:
            content = self.dice.randbytes(self.dice.randrange(1, 300_000))
            oid = hashlib.sha256(content).hexdigest()
            batch = {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}
            answer = session.post(f"/{self.repo}.git/info/lfs/objects/batch", json=batch)
            href = answer.json()["objects"][0]["actions"]["upload"]["href"]
            assert session.put(href, content=content).status_code == 200
        answer = session.post(
            f"/api/models/{self.repo}/commit/main", content=commit_body(number, oid)
        )
        assert answer.status_code == 200, answer.text
        self.commits.append((number, answer.json()["commitOid"], oid))


def test_killed_again_and_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    hub = Hub(data)
    hub.create_token("alice", "t", value=TOKEN)
    repo = "alice/killed"
    hub.create_repo(repo)
    hub.close()
    dice = random.Random(7)
    numbers, acknowledged = [0], list[tuple[int, str, str | None]]()
    for round_ in range(KILLS):
        with mortal(data) as (url, running):
            # Each start finds what the last kill left, and the next commit works at once.
            first = Writer(url, repo, numbers, f"{round_} first")
            with httpx2.Client(
                base_url=url, headers=bearer(TOKEN), timeout=20, verify=False
            ) as session:
                first.write(session)
            acknowledged += first.commits
            writers = [Writer(url, repo, numbers, f"{round_} {n}") for n in range(3)]
            for writer in writers:
                writer.start()
            # No condition to wait for here: the moment of death is meant to be any.
            time.sleep(dice.random() * 0.5)
            running.kill()
            running.join()
            for writer in writers:
                writer.join()
                acknowledged += writer.commits
    assert len(acknowledged) > 2 * KILLS
    hub = Hub(data)
    row = hub.store.repo("model", repo)
    assert row is not None
    git = subprocess.run(
        ["git", "fsck", "--full", "--strict"],
        cwd=hub.repositories.path(row.uid),
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        check=False,
    )
    assert git.returncode == 0, git.stderr
    with hub.repositories.open(row.uid) as repository:
        head = repository.resolve("main")
        history = {commit.id.decode() for commit in repository.commits(head)}
        for number, oid, large in acknowledged:
            assert oid in history
            assert repository.read(head, f"small/{number}.txt") == f"content {number}".encode()
            if large:
                assert hub.store.linked(row.uid, large)
                assert hub.objects.size(large)
    assert row.head == head
    hub.close()
    assert list(check(data)) == []
    checked = subprocess.run(
        [sys.executable, "-m", "zoo.hub.cli", "fsck", "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.create_token("alice", "t")
    row = hub.create_repo("alice/m")
    assert row is not None
    content = b"weights"
    oid = hashlib.sha256(content).hexdigest()
    (tmp_path / "w").write_bytes(content)
    hub.objects.put_file(oid, tmp_path / "w")
    hub.store.link(row.uid, oid, len(content))
    hub.close()
    assert list(check(tmp_path)) == []
    path = tmp_path / "lfs" / oid[:2] / oid[2:4] / oid
    path.chmod(0o644)
    path.write_bytes(b"weightz")
    assert list(check(tmp_path)) == [f"large file {oid} is damaged"]
    assert list(check(tmp_path, hashes=False)) == []
    path.unlink()
    assert list(check(tmp_path)) == [f"large file {oid} is missing"]
    objects = tmp_path / "repos" / f"{row.uid}.git" / "objects"
    (objects / row.head[:2] / row.head[2:]).unlink()
    assert any(f"object {row.head} of" in problem for problem in check(tmp_path))
    shutil.rmtree(tmp_path / "repos" / f"{row.uid}.git")
    assert any("git folder is missing" in problem for problem in check(tmp_path))


@pytest.mark.timeout(120)
def test_twenty_writers_with_parent_commit(server: Server) -> None:
    repo = f"alice/writers-{time.monotonic_ns()}"
    server.hub.create_repo(repo)

    def write(number: int) -> tuple[str, int]:
        """Commit on top of the newest head until it lands; returns it and the refusals."""
        refused = 0
        with httpx2.Client(
            base_url=server.url, headers=bearer(server.alice), timeout=60
        ) as session:
            while True:
                head = session.get(f"/api/models/{repo}?expand=sha").json()["sha"]
                body = commit_body(number, None, head)
                answer = session.post(f"/api/models/{repo}/commit/main", content=body)
                if answer.status_code == 200:
                    return answer.json()["commitOid"], refused
                assert answer.status_code == 412, answer.text
                refused += 1

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(write, range(20)))
    row = server.hub.store.repo("model", repo)
    assert row is not None
    with server.hub.repositories.open(row.uid) as repository:
        history = list(repository.commits(repository.resolve("main")))
        files = [e.path for e in repository.listing(row.head, "small")]
    assert len(history) == 21
    assert {commit.id.decode() for commit in history[:20]} == {oid for oid, _ in results}
    assert sorted(files) == sorted(f"small/{number}.txt" for number in range(20))
    assert sum(refused for _, refused in results) > 0


def test_only_one_process_owns_a_folder(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    command = [sys.executable, "-m", "zoo.hub.cli", "serve", "--data", str(tmp_path), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 2
    assert "in use by another hub" in second.stderr
    hub.close()
