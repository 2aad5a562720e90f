"""What one user can put into a hub must not take it away from the others."""

import gzip
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import Ref
from huggingface_hub import HfApi

from tests.hub.server.running import Server, bearer
from zoo.hub.server import Hub, attributes, git_http
from zoo.hub.server.attributes import Attributes, Ignored
from zoo.hub.server.errors import BadRequestError, UnprocessableError
from zoo.hub.server.formats import timestamp
from zoo.hub.server.names import branch_ref
from zoo.hub.server.repository import MAIN, Signature
from zoo.hub.server.store import Repo

NewRepo = Callable[..., str]
ODD_YAML = ("a: !!bool foo", 'a: !!int ""', "a: !!timestamp x", "a: !!float _", "!!bool x: 1")


def committed(raw: httpx2.Client, server: Server, repo: str, **files: str) -> httpx2.Response:
    lines: list[object] = [{"key": "header", "value": {"summary": "Files"}}]
    for path, content in files.items():
        value = {"path": path, "content": content, "encoding": "utf-8"}
        lines.append({"key": "file", "value": value})
    body = "\n".join(map(json.dumps, lines))
    url = f"/api/models/{repo}/commit/main"
    return raw.post(url, content=body, headers=bearer(server.alice))


def stored(hub: Hub, name: str) -> Repo:
    repo = hub.store.repo("model", name)
    assert repo is not None
    return repo


@pytest.mark.parametrize("text", ODD_YAML)
def test_a_card_that_yaml_trips_over_is_no_error(
    raw: httpx2.Client, server: Server, new_repo: NewRepo, text: str
) -> None:
    card = f"---\n{text}\n---\n"
    answer = raw.post("/api/validate-yaml", json={"content": card}, headers=bearer(server.alice))
    assert answer.status_code == 400
    repo = new_repo()
    answer = committed(raw, server, repo, **{"README.md": card})
    assert answer.status_code == 200, answer.text
    assert stored(server.hub, repo).head == answer.json()["commitOid"]


@pytest.mark.parametrize("damage", ["tree", "committer", "commit"])
def test_a_damaged_repository_keeps_no_hub_from_starting(tmp_path: Path, damage: str) -> None:
    hub = Hub(tmp_path)
    bad, good = hub.create_repo("alice/bad"), hub.create_repo("alice/good")
    assert bad
    assert good
    with hub.repositories.writing(bad.uid) as repository:
        tree = repository.commit(bad.head).tree
        made = repository.commit_tree([bad.head], tree, Signature("alice", "Next")).id.decode()
        objects = hub.repositories.path(bad.uid) / "objects"
        if damage == "committer":
            whole = repository.commit(made).as_raw_string()
            lines = [n for n in whole.splitlines(True) if not n.startswith(b"committer")]
            without = Commit.from_string(b"".join(lines))
            repository.objects.add_object(without)
            made = without.id.decode()
        else:
            sha = made if damage == "commit" else tree.decode()
            file = objects / sha[:2] / sha[2:]
            file.chmod(0o644)
            file.write_bytes(b"damaged")
        (hub.repositories.path(bad.uid) / MAIN.decode()).write_text(f"{made}\n")
    hub.close()
    again = Hub(tmp_path)
    assert stored(again, "alice/good").head == good.head
    if damage != "commit":
        assert stored(again, "alice/bad").head == made
    again.close()


def test_a_row_can_hold_any_time() -> None:
    assert timestamp(1e18) == "9999-12-31T00:00:00.000Z"
    assert timestamp(-1e18) == timestamp(None) == "1970-01-01T00:00:00.000Z"


def test_no_pattern_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = b"*a*a*a*a*b\n*.log\n!keep.log\nbuild/\n"
    start = time.thread_time()
    ignored = Ignored(slow)
    assert "a" * 250 not in ignored
    large = Attributes(b"*a*a*a*a*b filter=lfs\n*.bin filter=lfs\nb.bin -filter\n").large
    assert not large("a" * 250)
    assert time.thread_time() - start < 0.5
    assert [large(path) for path in ("a/a.bin", "a/b.bin")] == [True, False]
    assert {path for path in ("a/b.log", "keep.log", "a/build/b/c") if path in ignored} == {
        "a/b.log",
        "a/build/b/c",
    }
    monkeypatch.setattr(attributes, "_MAX_SECONDS", 0.01)
    with pytest.raises(UnprocessableError, match="too long"):
        assert "b" * 200 in Ignored(b"".join(b"*a%d*a\n" % n for n in range(5000)))


def test_a_submodule_says_nothing_about_other_files(
    raw: httpx2.Client, server: Server, new_repo: NewRepo
) -> None:
    content = f"content of {time.time_ns()}"
    tree = Tree()
    tree.add(b"link", 0o160000, Blob.from_string(content.encode()).id)
    repo = new_repo()
    row = stored(server.hub, repo)
    with server.hub.repositories.writing(row.uid) as repository:
        words = Signature("alice", "Link")
        made = repository.commit_tree([row.head], tree.id, words, [tree]).id.decode()
    assert raw.get(f"/api/models/{repo}/tree/{made}").json()[0]["size"] == 0
    assert raw.get(f"/{repo}/resolve/{made}/link").status_code == 404
    assert committed(raw, server, repo, file=content).status_code == 200
    listed = raw.get(f"/api/models/{repo}/tree/main").json()
    assert {item["path"]: item["size"] for item in listed}["file"] == len(content)


def test_a_file_is_found_while_it_is_packed_and_headers_need_no_content(
    raw: httpx2.Client, server: Server, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = new_repo()
    content = f"content of {time.time_ns()}"
    committed(raw, server, repo, file=content)
    get_raw, looks = DiskObjectStore.get_raw, []

    def moved(store: DiskObjectStore, sha: bytes) -> tuple[int, bytes]:
        looks.append(sha)
        if looks.count(sha) == 1 and sha == Blob.from_string(content.encode()).id:
            raise KeyError(sha)
        return get_raw(store, sha)  # type: ignore[arg-type]

    monkeypatch.setattr(DiskObjectStore, "get_raw", moved)
    assert raw.get(f"/{repo}/resolve/main/file").text == content
    looks.clear()
    for kind in ("resolve", "raw"):
        answer = raw.head(f"/{repo}/{kind}/main/file")
        assert answer.headers["content-length"] == str(len(content))
    assert Blob.from_string(content.encode()).id not in looks


def test_a_branch_does_not_stand_for_a_commit(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    row = hub.create_repo("alice/m")
    assert row
    with hub.repositories.writing(row.uid) as repository:
        words = Signature("alice", "Other")
        other = repository.commit_tree([], repository.commit(row.head).tree, words).id.decode()
        repository.move(Ref(f"refs/heads/{row.head}".encode()), None, other)
        assert repository.resolve(row.head) == row.head
        assert repository.resolve(f"refs/heads/{row.head}") == other
    hub.close()
    for name in ("0" * 40, f"refs/heads/{'A' * 40}"):
        with pytest.raises(BadRequestError):
            branch_ref(name)


def test_a_full_disk_stops_writers_only(
    raw: httpx2.Client, server: Server, api: HfApi, new_repo: NewRepo
) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"weights", path_in_repo="a.bin", repo_id=repo)
    run = server.hub.store.rows
    run("PRAGMA query_only = ON")
    try:
        assert raw.get(f"/{repo}/resolve/main/a.bin").content == b"weights"
        assert raw.get(f"/api/models/{repo}/tree/main?expand=true").status_code == 200
    finally:
        run("PRAGMA query_only = OFF")
    limit = run("PRAGMA max_page_count")[0][0]
    run(f"PRAGMA max_page_count = {run('PRAGMA page_count')[0][0]}")
    try:
        talk = {"title": "Long", "description": "x" * 60_000}
        for _ in range(50):
            url = f"/api/models/{repo}/discussions"
            answer = raw.post(url, json=talk, headers=bearer(server.alice))
            if answer.status_code != 200:
                break
        assert answer.status_code == 507
        assert "disk is full" in answer.headers["x-error-message"]
    finally:
        run(f"PRAGMA max_page_count = {limit}")
    answer = raw.post(url, json=talk, headers=bearer(server.alice))
    assert answer.status_code == 200


def test_what_strangers_send_is_bounded_and_stops_nobody(
    raw: httpx2.Client, server: Server, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = new_repo()
    monkeypatch.setitem(git_http._LIMITS, "git-upload-pack", 1000)
    kind = {"Content-Type": "application/x-git-upload-pack-request"}
    for headers in ({}, {"Content-Encoding": "gzip"}):
        body = b"0032want " + b"0" * 40 + b"\n" + b"0" * 100_000
        body = gzip.compress(body) if headers else body
        answer = raw.post(f"/{repo}/git-upload-pack", content=body, headers=kind | headers)
        assert answer.status_code == 413
    loads, threads = json.loads, []

    def watched(text: str) -> object:
        threads.append(threading.current_thread().name)
        return loads(text)

    monkeypatch.setattr("zoo.hub.server.routing.json.loads", watched)
    raw.post(f"/api/models/{repo}/paths-info/main", json={"paths": []})
    assert threads
    assert all("AnyIO" in name for name in threads)
