import dataclasses
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants

from tests.hub.serving import Serving, serving
from zoo import card
from zoo.errors import (
    CheckpointError,
    ChecksumError,
    DiskFullError,
    HubUnavailableError,
    InputError,
    RepoNotFoundError,
    RevisionNotFoundError,
    ZooError,
)
from zoo.hub import client as client_module
from zoo.hub.cache import File, Transfer
from zoo.hub.client import HubClient, connect, folder_name

WEIGHTS = bytes(range(256)) * 12_000
TOKEN = "token-of-ada"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("hub")) as app:
        app.hub.create_token("ada", "test", value=TOKEN)
        yield app


@pytest.fixture(autouse=True)
def open_gate(server: Serving) -> Iterator[None]:
    server.requests.clear()
    yield
    if server.gate:
        server.gate.set()
    server.gate = server.cut = None
    server.cut_all, server.ranges = False, True


@pytest.fixture
def client(server: Serving, tmp_path: Path) -> HubClient:
    return HubClient(server.url, tmp_path / "cache")


@pytest.fixture
def publish(server: Serving, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Push a checkpoint; its name is the test's, its files are a small working set."""

    def push(*, private: bool = False, **files: bytes) -> str:
        repo_id = f"ada/{request.node.originalname[5:]}"[:96]
        folder = tmp_path / "checkpoint"
        facts = card.CardFacts(repo_id=repo_id, method="toy", title="Toy")
        content = {
            "config.json": b'{"method": "toy", "config": {}}',
            "model.safetensors": WEIGHTS,
            "README.md": card.render(facts).encode(),
            "samples/one.png": b"\x89PNG",
        }
        for name, data in (content | files).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        HubClient(server.url, tmp_path / "none", TOKEN).push(folder, repo_id, private=private)
        server.requests.clear()
        return repo_id

    return push


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def whole_folders(client: HubClient) -> list[str]:
    """The commits that something could be loaded from."""
    found = client.cache.folder.glob("*/*")
    return [path.name for path in found if len(path.name) == 40]


def test_a_checkpoint_comes_whole_and_tells_how_far_it_is(
    client: HubClient, publish: Callable[..., str]
) -> None:
    seen: list[Transfer] = []
    folder, commit = client.snapshot(publish(), report=seen.append)
    assert folder.name == commit
    assert names(folder) == ["README.md", "config.json", "model.safetensors", "samples/one.png"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    done = [transfer.done for transfer in seen]
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == seen[0].total == total
    assert client.cache.where(seen[0].repo_id, commit) == ("ready", 1.0)


def test_what_is_here_is_not_fetched_again(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    first = client.snapshot(repo_id)
    server.requests.clear()
    seen: list[Transfer] = []
    assert client.snapshot(repo_id, report=seen.append) == first
    assert client.snapshot(f"{repo_id}@{first[1]}") == first
    assert server.requests == []
    assert seen == []


def test_a_revision_is_pinned_and_shares_equal_files(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish(**{"config.json": b'{"old": 1}'})
    _, old = client.snapshot(repo_id)
    HfApi(server.url, token=TOKEN).create_tag(repo_id, tag="v1/first")
    publish(**{"config.json": b'{"new": 2}'})
    other = HubClient(server.url, client.cache.folder.parent)
    folder, new = other.snapshot(repo_id)
    assert new != old
    assert (folder / "config.json").read_bytes() == b'{"new": 2}'
    assert server.count("model.safetensors") == 0  # the same bytes were here
    for pinned in (f"{repo_id}@{old}", f"{repo_id}@v1/first"):
        folder, commit = other.snapshot(pinned)
        assert commit == old
        assert (folder / "config.json").read_bytes() == b'{"old": 1}'
    assert sorted(other.cache.commits(repo_id)) == sorted([old, new])


def test_a_damaged_file_is_refused_and_deleted(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    file = next(f for f in client.info(repo_id).files if f.sha256)
    stored = server.hub.objects.local_path(str(file.sha256))
    assert stored
    stored.chmod(0o644)
    damaged = bytearray(WEIGHTS)
    damaged[1_000_000] ^= 1
    try:
        stored.write_bytes(damaged)
        with pytest.raises(ChecksumError, match=r"damaged_file.* was damaged .*deleted"):
            client.snapshot(repo_id)
    finally:
        stored.write_bytes(WEIGHTS)
    assert whole_folders(client) == []
    assert not list(client.cache.folder.rglob("model.safetensors"))
    folder, _ = client.snapshot(repo_id)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_went_bad_here_is_replaced(
    server: Serving, client: HubClient, publish: Callable[..., str], name: str
) -> None:
    repo_id = publish()
    folder, commit = client.snapshot(repo_id)
    right = (folder / name).read_bytes()
    (folder / name).write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    assert client.cache.verify(repo_id, commit) == [name]
    server.requests.clear()
    with pytest.raises(HubUnavailableError):
        HubClient(server.url, folder.parents[2], offline=True).snapshot(repo_id)
    assert client.snapshot(repo_id) == (folder, commit)
    assert (folder / name).read_bytes() == right
    assert [server.count(n) for n in ("README.md", name)] == [0, 1]
    assert client.cache.verify(repo_id, commit) == []


def test_one_file_is_read_from_the_hub_or_from_here(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish(**{"empty.txt": b""})
    model = client.info(repo_id)
    files = {file.path: file for file in model.files}
    for name, content in {"samples/one.png": b"\x89PNG", "empty.txt": b""}.items():
        assert client.read(repo_id, model.commit, files[name]) == content
    with pytest.raises(InputError, match=r"model\.safetensors” is too large"):
        client.read(repo_id, model.commit, files["model.safetensors"], limit=1000)
    changed = dataclasses.replace(files["samples/one.png"], sha256="0" * 64)
    with pytest.raises(ChecksumError, match=r"one\.png” of .* arrived damaged"):
        client.read(repo_id, model.commit, changed)
    client.snapshot(repo_id)
    server.requests.clear()
    assert client.read(repo_id, model.commit, files["samples/one.png"]) == b"\x89PNG"
    assert not server.requests


def test_threads_share_one_download_and_its_progress(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    server.gate = threading.Event()
    waiting = [threading.Event() for _ in range(5)]
    results = []

    def visit(index: int) -> None:
        def report(transfer: Transfer) -> None:
            if 0 < transfer.done < transfer.total:
                waiting[index].set()

        results.append(client.snapshot(repo_id, report=report))

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    assert all(event.wait(20) for event in waiting)
    assert client.cache.where(repo_id, "main")[0] == "downloading"
    server.gate.set()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 5
    assert server.count("model.safetensors") == 1


def _snapshot(endpoint: str, cache: Path, repo_id: str, seen: Any) -> None:
    def report(transfer: Transfer) -> None:
        if 100_000 < transfer.done < transfer.total:
            seen.set()

    HubClient(endpoint, cache).snapshot(repo_id, report=report)


def test_processes_share_one_download(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    server.gate = threading.Event()
    context = multiprocessing.get_context("spawn")
    seen = [context.Event() for _ in range(2)]
    arguments = [(server.url, client.cache.folder.parent, repo_id, event) for event in seen]
    processes = [context.Process(target=_snapshot, args=args) for args in arguments]
    for process in processes:
        process.start()
    assert all(event.wait(60) for event in seen)
    server.gate.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert server.count("model.safetensors") == 1


def test_a_killed_download_leaves_nothing_to_load_and_is_resumed(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    server.gate = threading.Event()
    context = multiprocessing.get_context("spawn")
    seen = context.Event()
    arguments = (server.url, client.cache.folder.parent, repo_id, seen)
    process = context.Process(target=_snapshot, args=arguments)
    process.start()
    assert seen.wait(60)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    server.gate.set()
    server.gate = None
    assert whole_folders(client) == []
    with pytest.raises(HubUnavailableError):
        HubClient(server.url, client.cache.folder.parent, offline=True).snapshot(repo_id)
    server.requests.clear()
    folder, _ = client.snapshot(repo_id)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    ranges = [h.get("range") for what, h in server.requests if what.endswith("model.safetensors")]
    assert len(ranges) == 1
    assert str(ranges[0]).startswith("bytes=")
    assert ranges[0] != "bytes=0-"


def test_a_cut_connection_is_taken_up_again(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    server.cut = 1_500_000
    folder, _ = client.snapshot(repo_id)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert server.count("model.safetensors") == 2


def test_a_download_begins_again_where_parts_are_not_sent(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    server.ranges = False
    server.cut = 1_500_000
    seen: list[Transfer] = []
    folder, _ = client.snapshot(repo_id, report=seen.append)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert seen[-1].done == seen[-1].total


def test_a_download_that_never_gets_further_is_given_up(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()
    server.ranges, server.cut_all = False, True
    server.cut = 1_500_000
    with pytest.raises(HubUnavailableError):
        client.snapshot(repo_id)


def test_a_caller_can_end_a_download_and_another_goes_on(
    server: Serving, client: HubClient, publish: Callable[..., str]
) -> None:
    repo_id = publish()

    def stop(transfer: Transfer) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.snapshot(repo_id, report=stop)
    assert whole_folders(client) == []
    assert client.cache.where(repo_id, client.info(repo_id).commit) == ("absent", 0.0)
    client.snapshot(repo_id)


def test_a_token_for_another_hub_is_never_sent(
    server: Serving,
    client: HubClient,
    publish: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "token").write_text("hf_secret_of_the_visitor")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    repo_id = publish()

    HfApi(server.url).model_info(repo_id)
    assert "hf_secret_of_the_visitor" in str(server.requests)  # the official client sends it
    server.requests.clear()
    client.snapshot(repo_id)
    client.search()
    client.info(repo_id)
    assert len(server.requests) > 5
    assert not any("authorization" in headers for _, headers in server.requests)
    own = HubClient(server.url, tmp_path / "other", TOKEN)
    own.snapshot(repo_id)
    own.search()
    (tmp_path / "checkpoint/model.safetensors").write_bytes(WEIGHTS[::-1])
    own.push(tmp_path / "checkpoint", repo_id)
    assert TOKEN in str(server.requests)
    assert "hf_secret_of_the_visitor" not in str(server.requests)


def test_offline_uses_what_is_here(
    server: Serving,
    client: HubClient,
    publish: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo_id = publish()
    cache = client.cache.folder.parent
    with pytest.raises(HubUnavailableError, match="not on this machine and the model hub"):
        HubClient(server.url, cache, offline=True).snapshot(repo_id)
    got = client.snapshot(repo_id)
    server.requests.clear()
    assert HubClient(server.url, cache, offline=True).snapshot(repo_id) == got
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert HubClient(server.url, cache).snapshot(repo_id) == got
    with pytest.raises(HubUnavailableError, match="does not answer"):
        HubClient(server.url, cache).search()
    assert server.requests == []


def test_a_hub_that_is_away_is_told_or_done_without(tmp_path: Path) -> None:
    with serving(tmp_path / "hub") as app:
        token = app.hub.create_token("ada", "test")
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        HubClient(app.url, tmp_path, token).push(folder, "ada/away")
        got = HubClient(app.url, tmp_path).snapshot("ada/away")
        url = app.url
    away = HubClient(url, tmp_path, token)
    assert away.snapshot("ada/away") == got
    with pytest.raises(HubUnavailableError, match="ada/other is not on this machine"):
        away.snapshot("ada/other")
    for ask in (away.search, lambda: away.push(folder, "ada/away")):
        with pytest.raises(HubUnavailableError, match=f"{url} does not answer"):
            ask()


def test_a_full_disk_is_seen_before_the_download(
    server: Serving,
    client: HubClient,
    publish: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo_id = publish()
    real = shutil.disk_usage

    def nearly_full(path: Path) -> Any:
        return real(path)._replace(free=2_500_000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(DiskFullError, match=r"no room .* \(4 MB needed, 2 MB free\)"):
        client.snapshot(repo_id)
    assert server.count("model.safetensors") == 0
    monkeypatch.undo()
    client.snapshot(repo_id)


def test_what_is_here_of_a_download_needs_no_room(
    server: Serving,
    client: HubClient,
    publish: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo_id = publish()
    server.gate = threading.Event()

    def stop(transfer: Transfer) -> None:
        if transfer.done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.snapshot(repo_id, report=stop)
    server.gate.set()
    here = sum(p.stat().st_size for p in client.cache.folder.glob("*/.part/**/*") if p.is_file())
    total = sum(file.size for file in client.info(repo_id).files if file.path[0] != ".")
    free = client_module.ROOM + total - here
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=free - 1))
    with pytest.raises(DiskFullError):
        client.snapshot(repo_id)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=free))
    client.snapshot(repo_id)


def test_a_disk_that_fills_up_on_the_way_is_told_too(
    client: HubClient, publish: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repo_id = publish()

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size == len(WEIGHTS):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="no room"):
        client.snapshot(repo_id)
    assert whole_folders(client) == []
    monkeypatch.undo()
    client.snapshot(repo_id)


def test_a_pickle_is_neither_fetched_nor_published(
    server: Serving, client: HubClient, tmp_path: Path
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"pytorch_model\.bin.* may be a pickle"):
        HubClient(server.url, tmp_path, TOKEN).push(folder, "ada/pickle")
    api = HfApi(server.url, token=TOKEN)
    api.create_repo("ada/pickle")
    api.upload_folder(repo_id="ada/pickle", folder_path=folder)
    server.requests.clear()
    with pytest.raises(CheckpointError, match="only as a pickle"):
        client.snapshot("ada/pickle")
    assert server.count("pytorch_model.bin") == 0
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    api.upload_folder(repo_id="ada/pickle", folder_path=folder)
    got, _ = client.snapshot("ada/pickle")
    assert names(got) == ["config.json", "model.safetensors"]
    assert server.count("pytorch_model.bin") == 0


@pytest.mark.parametrize("path", ["../up.json", "/etc/x.json", "a\\b.json", "C:x.json"])
def test_a_hub_does_not_choose_where_files_go(path: str) -> None:
    with pytest.raises(CheckpointError, match="unsafe name"):
        client_module._wanted("ada/x", (File(path, 1, "0" * 40),))


def test_what_is_missing_has_a_name(
    server: Serving, client: HubClient, publish: Callable[..., str], tmp_path: Path
) -> None:
    with pytest.raises(RepoNotFoundError, match="no checkpoint “ada/nothing”"):
        client.snapshot("ada/nothing")
    repo_id = publish(private=True)
    with pytest.raises(RepoNotFoundError, match="or it is private"):
        client.info(repo_id)
    own = HubClient(server.url, tmp_path, TOKEN)
    assert own.info(repo_id).repo_id == repo_id
    for revision in ("v9", "0" * 40, "../..", ".", "a b", "x" * 300, ""):
        with pytest.raises(RevisionNotFoundError, match="has no revision"):
            own.snapshot(f"{repo_id}@{revision}")
    for name in ("noslash", "a/b/c", "../x", "a/..", "a/b\n"):
        with pytest.raises(InputError, match="no checkpoint's name"):
            own.snapshot(name)


def test_pushing_without_the_right_to_is_refused(
    server: Serving, client: HubClient, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        client.push(tmp_path, "ada/x")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="only with a token"):
        client.push(tmp_path, "ada/x")
    with pytest.raises(ZooError, match="refused"):
        HubClient(server.url, tmp_path / "cache", TOKEN).push(tmp_path, "bob/x")
    with pytest.raises(ZooError, match="refused"):
        HubClient(server.url, tmp_path / "cache", "no-such-token").push(tmp_path, "ada/x")


def test_pushing_makes_the_branch(
    server: Serving, client: HubClient, publish: Callable[..., str], tmp_path: Path
) -> None:
    publish()
    own = HubClient(server.url, tmp_path / "own", TOKEN)
    for content in ("{}", '{"method": "toy"}'):
        (tmp_path / "checkpoint/config.json").write_text(content)
        commit = own.push(tmp_path / "checkpoint", "ada/branching", revision="exp/one")
        folder, found = HubClient(server.url, tmp_path / content).snapshot("ada/branching@exp/one")
        assert found == commit
        assert (folder / "config.json").read_text() == content
    assert [file.path for file in client.info("ada/branching").files] == [".gitattributes"]
    with pytest.raises(RevisionNotFoundError, match="ada/branching has no revision “refs/pr/9”"):
        own.push(tmp_path / "checkpoint", "ada/branching", revision="refs/pr/9")


def test_search_finds_by_words_and_tags_with_cards(
    client: HubClient, publish: Callable[..., str], server: Serving
) -> None:
    repo_id = publish()
    HfApi(server.url, token=TOKEN).create_repo("ada/other-library-search")
    found = client.search("search finds".replace(" ", "_"), "toy", "license:apache-2.0")
    assert [model.repo_id for model in found] == [repo_id]
    assert found[0].facts.title == "Toy"
    assert found[0].commit == client.info(repo_id).commit
    assert "other" not in str(client.search("search"))
    assert client.search("", "no-such-tag") == []
    sizes = {file.path: file.size for file in client.info(repo_id).files}
    assert sizes["model.safetensors"] == len(WEIGHTS)


def test_a_card_that_cannot_be_read_ends_nothing(
    tmp_path: Path, publish: Callable[..., str], server: Serving
) -> None:
    """This hub gives out no such card; another one may."""
    repo_id = publish()
    store = server.hub.store
    repo = store.repo("model", repo_id)
    assert repo is not None
    result = {"task": {"type": "t"}, "dataset": {"type": "d", "name": "d"}, "source": 5}
    for field, value in {
        "tags": 5,
        "self": 1,
        "ignore_metadata_errors": False,
        "eval_results": 5,
        "model-index": [{"name": "x", "results": [result]}],
    }.items():
        store.update_repo(repo.uid, card={"license": "mit", field: value})
        client = HubClient(server.url, tmp_path / field)
        found = {model.repo_id: model for model in client.search()}
        assert found[repo_id].commit == repo.head
        assert found[repo_id].facts.method == client.info(repo_id).facts.method == ""
        assert client.snapshot(repo_id)[1] == repo.head


def test_two_hubs_do_not_mix(tmp_path: Path) -> None:
    got = []
    for name in ("one", "two"):
        with serving(tmp_path / name) as app:
            token = app.hub.create_token("ada", "test")
            folder = tmp_path / f"{name}-checkpoint"
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps({"hub": name}))
            HubClient(app.url, tmp_path, token).push(folder, "ada/same")
            client = HubClient(app.url, tmp_path / "cache")
            got.append((client.snapshot("ada/same")[0] / "config.json").read_text())
    assert got == ['{"hub": "one"}', '{"hub": "two"}']
    assert folder_name("http://h:1") != folder_name("http://h_1")


def test_a_checkpoint_can_be_removed(client: HubClient, publish: Callable[..., str]) -> None:
    repo_id = publish()
    _, commit = client.snapshot(repo_id)
    assert client.cache.checkpoints() == [(repo_id, commit)]
    client.cache.remove(repo_id)
    assert client.cache.checkpoints() == []
    assert client.cache.where(repo_id, commit) == ("absent", 0.0)
    got = client.snapshot(repo_id)
    assert client.cache.where(repo_id, commit) == ("ready", 1.0)
    assert client.cache.verify(repo_id, commit) == []
    offline = HubClient(client.endpoint, client.cache.folder.parent, offline=True)
    assert offline.snapshot(repo_id) == got


def test_the_environment_says_what_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example/")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "not-for-this-hub")
    client = connect()
    assert client.endpoint == "http://hub.example"
    assert client.cache.folder.parent == tmp_path
    assert client._token is False
    monkeypatch.setenv("ZOO_HUB_TOKEN", TOKEN)
    assert connect()._token == TOKEN
    monkeypatch.delenv("HF_ENDPOINT")
    assert connect().endpoint == "https://huggingface.co"


def test_the_client_needs_no_torch() -> None:
    code = "import sys, zoo.hub.client; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
