"""The hub's own commands, and the ``hf`` command against it."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import httpx2
import psutil
import pytest
from click.testing import CliRunner
from dulwich.objects import Blob
from huggingface_hub import HfApi

from tests.hub.server.running import Server, bearer, process, serve
from zoo.errors import InputError, ZooError
from zoo.hub.cli import main
from zoo.hub.server import Hub
from zoo.hub.server.checking import check
from zoo.hub.server.collecting import collect
from zoo.hub.server.lfs import store_object
from zoo.hub.server.objects import FolderStore
from zoo.hub.server.receiving import Received
from zoo.hub.server.repository import MAIN, Signature
from zoo.hub.server.routing import Call
from zoo.hub.server.store import Store

NewRepo = Callable[..., str]


def invoke(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    if isinstance(result.exception, ZooError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_tokens_and_users(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    invoke("user", "add", "alice", *data)
    invoke("user", "add", "crew", "--member", "alice", *data)
    value = invoke("token", "create", "alice", *data).strip()
    given = invoke("token", "create", "bob", "--value", "a-given-token", "--role", "read", *data)
    assert given.strip() == "a-given-token"
    hub = Hub(tmp_path)
    row = hub.store.token(value)
    assert row is not None
    assert (row["user"], row["role"]) == ("alice", "write")
    assert hub.store.organizations("alice") == ["crew"]
    with pytest.raises(ZooError, match="another user"):
        invoke("token", "create", "eve", "--value", "a-given-token", *data)
    assert hub.store.user("eve") is None
    assert "bob  read" in invoke("token", "list", *data)
    invoke("token", "create", "bob", "--value", "a-given-token", "--role", "read", *data)
    # Beside the running hub too: provisioning needs no stop.
    listed = invoke("token", "list", *data)
    assert value not in listed
    assert "bob  read" in listed
    short = next(line.split()[0] for line in listed.splitlines() if "alice" in line)
    invoke("token", "revoke", short, *data)
    assert hub.store.token(value) is None
    invoke("token", "revoke", "a-given-token", *data)
    assert invoke("token", "list", *data) == ""
    for wrong in (("revoke", "nothing"), ("create", "../x"), ("create", "eve", "--value", "short")):
        with pytest.raises(ZooError):
            invoke("token", *wrong, *data)
    hub.close()


def test_users_and_members_are_removed(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    invoke("user", "add", "crew", "--member", "alice", "--member", "bob", *data)
    value = invoke("token", "create", "bob", *data).strip()
    invoke("user", "remove", "crew", "--member", "alice", *data)
    store = Store(tmp_path / "hub.sqlite")
    assert [store.organizations(name) for name in ("alice", "bob")] == [[], ["crew"]]
    invoke("user", "remove", "bob", *data)
    assert store.token(value) is None
    assert store.user("alice")
    store.close()
    for wrong in (["crew", "--member", "bob"], ["bob"]):
        with pytest.raises(ZooError):
            invoke("user", "remove", *wrong, *data)


@pytest.mark.parametrize("words", [["fsck"], ["gc"], ["token", "list"], ["token", "revoke", "x"]])
def test_a_slip_in_the_name_of_the_folder_is_said(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no hub in .*slip.*--data"):
        invoke(*words, "--data", str(tmp_path / "slip"))
    assert not list(tmp_path.iterdir())


def test_serve_answers_within_two_seconds_without_torch(tmp_path: Path) -> None:
    invoke("token", "create", "alice", "--value", "hf_alices", "--data", str(tmp_path))
    with process(tmp_path) as (url, running):
        with httpx2.Client(base_url=url, headers=bearer("hf_alices")) as session:
            assert session.get("/api/whoami-v2").json()["name"] == "alice"
            # Processor time: what else the machine does must not decide.
        used = psutil.Process(running.pid).cpu_times()
        limit = psutil.Process(running.pid).rlimit(psutil.RLIMIT_NOFILE)
        assert limit[0] == limit[1]
        assert used.user + used.system < 2
        maps = Path(f"/proc/{running.pid}/maps").read_text()
        assert "libtorch" not in maps
        assert "gradio" not in maps
    assert running.returncode == 0


def test_the_server_imports_nothing_heavy() -> None:
    code = "import sys, zoo.hub.server, zoo.hub.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "gradio", "PIL", "fsspec"} & set(loaded)


def test_collecting_spares_what_is_new_or_held(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    repo = hub.create_repo("alice/m")
    assert repo is not None
    for name in ("held", "free"):
        (tmp_path / name).write_bytes(b"x")
    hub.objects.put_file("a" * 64, tmp_path / "held")
    hub.objects.put_file("b" * 64, tmp_path / "free")
    hub.store.link(repo.uid, "a" * 64, 1)
    forgotten = hub.repositories.path("f" * 24)
    forgotten.mkdir()
    assert collect(hub).objects == 0
    done = collect(hub, grace=-10)
    assert (done.objects, done.bytes, done.folders) == (1, 1, 1)
    assert hub.objects.size("a" * 64) == 1
    assert hub.objects.size("b" * 64) is None
    assert hub.repositories.path(repo.uid).is_dir()
    hub.close()
    assert "Removed 0 objects" in invoke("gc", "--data", str(tmp_path))


def test_collecting_spares_what_is_being_uploaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(tmp_path)
    repo = hub.create_repo("alice/m")
    assert repo
    oid = hashlib.sha256(b"x").hexdigest()
    (tmp_path / "old").write_bytes(b"x")
    hub.objects.put_file(oid, tmp_path / "old")
    put_file = FolderStore.put_file

    def overtaken(store: FolderStore, name: str, path: Path) -> None:
        put_file(store, name, path)
        assert collect(hub, grace=-10).objects == 0

    monkeypatch.setattr(FolderStore, "put_file", overtaken)
    (tmp_path / "new").write_bytes(b"x")
    call = cast("Call", SimpleNamespace(hub=hub))
    store_object(call, repo.uid, Received(tmp_path / "new", oid, 1), oid)
    assert hub.objects.size(oid) == 1
    hub.close()


def test_packs_become_one_and_few_files_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.hub.server.repository._LOOSE_MAX", 0)
    hub = Hub(tmp_path)
    repo = hub.create_repo("alice/m")
    assert repo
    head, git = repo.head, hub.repositories.path(repo.uid)
    for number in range(12):
        with hub.repositories.writing(repo.uid) as repository:
            words, tree = Signature("alice", f"{number}"), repository.commit(head).tree
            made = repository.commit_tree([head], tree, words).id.decode()
            repository.move(MAIN, head, made)
            head = made
    with ExitStack() as stack:
        for _ in range(10):
            reading = stack.enter_context(hub.repositories.open(repo.uid))
            assert len([*reading.commits(head)]) == 13
    opened = [file for file in psutil.Process().open_files() if str(git) in file.path]
    assert len(opened) <= 3 * 13 * 4
    assert len([*git.glob("objects/pack/*.pack")]) == 13
    with hub.repositories.open(repo.uid) as reading:
        collect(hub)
        assert len([*reading.commits(head)]) == 13
    assert len([*git.glob("objects/pack/*.pack")]) == 1
    monkeypatch.setattr("zoo.hub.server.repository._KEPT_LOOSE", 0)
    (git / "objects/tmp_pack_x").touch()
    (git / "objects/pack/tmpx.pack").touch()
    with hub.repositories.writing(repo.uid) as repository:
        repository.objects.add_object(Blob.from_string(b"loose"))
    assert not [*git.glob("objects/**/tmp*")]
    collect(hub)
    assert not [*git.glob("objects/??/*")]
    hub.close()
    assert not [*check(tmp_path)]


def test_a_seeded_repository_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(os.urandom(2000))
    (folder / "README.md").write_text("---\ntags: [seeded]\n---\n")
    hub = Hub(tmp_path / "data")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "link", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            hub.seed("zoo/candy", folder)
    assert hub.store.repo("model", "zoo/candy") is None
    head = hub.seed("zoo/candy", folder)
    repo = hub.store.repo("model", "zoo/candy")
    assert repo is not None
    assert (repo.head, repo.tags) == (head, ["seeded"])
    with hub.repositories.open(repo.uid) as repository:
        assert repository.commit(head).parents == []
    hub.close()


def test_seeding_updates_what_nobody_else_touched(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    (folder / "samples").mkdir(parents=True)
    weights = os.urandom(200_000)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "README.md").write_text("---\ntags: [seeded]\n---\n")
    (folder / "samples" / "a.png").write_bytes(b"png")
    hub = Hub(tmp_path / "data")
    first = hub.seed("zoo/candy", folder)
    assert hub.seed("zoo/candy", folder) == first
    (folder / "samples" / "a.png").unlink()
    second = hub.seed("zoo/candy", folder)
    repo = hub.store.repo("model", "zoo/candy")
    assert repo is not None
    assert (repo.head, repo.tags) == (second, ["seeded"])
    with serve(hub) as url:
        api = HfApi(endpoint=url, token=hub.create_token("zoo", "t"))
        assert api.list_repo_files("zoo/candy") == [
            ".gitattributes",
            "README.md",
            "model.safetensors",
        ]
        got = httpx2.get(f"{url}/zoo/candy/resolve/main/model.safetensors").content
        assert got == weights
        theirs = api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="zoo/candy").oid
    assert hub.seed("zoo/candy", folder) == theirs
    hub.close()


def test_seeding_spares_what_its_owner_squashed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    hub = Hub(tmp_path / "data")
    hub.create_repo("zoo/empty")
    hub.seed("zoo/empty", folder)
    hub.seed("zoo/theirs", folder)
    with serve(hub) as url:
        api = HfApi(endpoint=url, token=hub.create_token("zoo", "t"))
        assert api.list_repo_files("zoo/empty") == [".gitattributes", "config.json"]
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="zoo/theirs")
        api.super_squash_history("zoo/theirs")
        theirs = api.model_info("zoo/theirs").sha
    assert hub.seed("zoo/theirs", folder) == theirs
    hub.close()


@pytest.fixture
def hf(server: Server, tmp_path: Path) -> Callable[..., str]:
    """Run the unmodified ``hf`` with nothing but its environment pointing here."""

    def run(*words: str, **environment: str) -> str:
        done = subprocess.run(
            [Path(sys.executable).with_name("hf"), *words],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "HF_HOME": str(tmp_path / "hf"),
                "HF_ENDPOINT": server.url,
                "HF_TOKEN": server.alice,
                "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("disable_xet", ["0", "1"])
def test_hf_command(
    hf: Callable[..., str], server: Server, tmp_path: Path, disable_xet: str
) -> None:
    options = {"HF_HUB_DISABLE_XET": disable_xet}
    repo = f"alice/hf-command-{disable_xet}-{time.monotonic_ns()}"
    folder = tmp_path / "up"
    folder.mkdir()
    weights = os.urandom(300_000)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "README.md").write_text("---\ntags: [from-hf]\n---\n# Hi\n")
    assert "alice" in hf("auth", "whoami", **options)
    hf("upload", repo, str(folder), **options)  # makes the repository, too
    down = tmp_path / "down"
    hf("download", repo, "--local-dir", str(down), **options)
    assert (down / "model.safetensors").read_bytes() == weights
    hf("download", repo, **options)
    assert repo in hf("models", "ls", "-q", "--search", repo.partition("/")[2], **options)
    assert json.loads(hf("models", "info", repo, "--json", **options))["id"] == repo
    hf("cache", "verify", repo, **options)
    hf("repos", "tag", "create", repo, "v1", **options)
    assert "v1" in hf("repos", "tag", "list", repo, **options)
    assert repo in hf("repos", "ls", "-q", **options)
    hf("repos", "delete", repo, "--yes", **options)
    assert not HfApi(endpoint=server.url, token=server.alice).repo_exists(repo)
