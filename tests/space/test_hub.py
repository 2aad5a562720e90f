"""The hub inside the site, through the stock client, and what happens without it."""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from huggingface_hub import HfApi
from starlette.responses import PlainTextResponse

from space import status
from space.hub import Beside, Shelf, data_folder, seed_shipped
from space.jobs import Job, Lane, Loading, Stopped
from tests.space.conftest import PAINTING, PHOTO, WithHub, serving, wait_until
from zoo import card, checkpoint
from zoo.errors import ChecksumError, HubUnavailableError, RepoNotFoundError
from zoo.hub.cache import Transfer
from zoo.hub.client import HubClient
from zoo.runtime import Runtime

GATYS = checkpoint.SHIPPED / "gatys"
HF = Path(sys.executable).parent / "hf"


def make_checkpoint(
    folder: Path, repo_id: str, weights: bytes = b"", method: str = "gatys"
) -> Path:
    """A checkpoint of Gatys with average pooling; ``weights`` only take time to download."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"method": method, "config": {"weights": "caffe", "pooling": "average"}}
    (folder / "config.json").write_text(json.dumps(config))
    facts = card.CardFacts(
        repo_id=repo_id,
        method=method,
        title="Softer",
        license="mit",
        datasets=(card.DataSet(name="Meadows", pictures=7),),
    )
    (folder / "README.md").write_text(card.render(facts))
    if weights:
        (folder / "extra.safetensors").write_bytes(weights)
    return folder


@pytest.fixture
def push(with_hub: WithHub, tmp_path: Path) -> Callable[..., str]:
    """Publishes a checkpoint of "ada"; returns the commit."""

    def publish(repo_id: str, **content: Any) -> str:
        folder = make_checkpoint(tmp_path / "pushed", repo_id, **content)
        return HubClient(with_hub.hub, tmp_path / "none", with_hub.token).push(folder, repo_id)

    return publish


@pytest.fixture
def client(with_hub: WithHub, tmp_path: Path) -> Iterator[Client]:
    made = Client(with_hub.address, verbose=False, download_files=tmp_path / "results")
    yield made
    made.close()


# ---- from outside


def test_hf_downloads_what_ships(with_hub: WithHub, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": with_hub.hub}
    command: list[str | Path] = [HF, "download", "zoo/gatys", "--local-dir", tmp_path / "got"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    for path in GATYS.iterdir():
        assert (tmp_path / "got" / path.name).read_bytes() == path.read_bytes()


def test_large_files_pass_unchanged_in_both_directions(with_hub: WithHub, tmp_path: Path) -> None:
    content = os.urandom(12 << 20)
    api = HfApi(with_hub.hub, token=with_hub.token)
    api.create_repo("ada/large")
    api.upload_file(path_or_fileobj=content, path_in_repo="big.bin", repo_id="ada/large")
    url = f"{with_hub.hub}/ada/large/resolve/main/big.bin"
    digest, sizes = hashlib.sha256(), []
    with httpx.stream("GET", url, follow_redirects=True, trust_env=False) as answer:
        assert answer.headers["content-length"] == str(len(content))
        for block in answer.iter_raw():
            digest.update(block)
            sizes.append(len(block))
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
    assert max(sizes) < len(content) // 4
    part = httpx.get(url, headers={"Range": "bytes=5-9"}, follow_redirects=True, trust_env=False)
    assert (part.status_code, part.content) == (206, content[5:10])


def test_people_find_the_hubs_pages_with_the_hubs_policy(with_hub: WithHub) -> None:
    with httpx.Client(base_url=with_hub.address, trust_env=False) as browser:
        assert browser.get("/hub").headers["location"] == "/hub/"
        page = browser.get("/hub/zoo/gatys")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert f"HF_ENDPOINT={with_hub.hub}" in page.text
        assert "gradio" not in browser.get("/hub/none/such/thing").text
        site = browser.get("/")
        assert "'unsafe-inline'" in site.headers["content-security-policy"]


@pytest.mark.parametrize("sent", ["/hub/zoo/gatys", "/studio/hub/zoo/gatys"])
def test_the_hub_knows_its_address_behind_a_proxy(with_hub: WithHub, sent: str) -> None:
    app = Beside(PlainTextResponse("the site"), with_hub.shelf, "/studio")
    transport = httpx.ASGITransport(app)

    async def ask() -> tuple[str, str]:
        async with httpx.AsyncClient(transport=transport, base_url="https://art.example") as proxy:
            return (await proxy.get(sent)).text, (await proxy.get("/hubs")).text

    import anyio

    # A thread of its own: a browser started earlier keeps a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        page, other = pool.submit(anyio.run, ask).result()
    assert "HF_ENDPOINT=https://art.example/studio/hub" in page
    assert other == "the site"


def test_a_password_closes_the_hub_but_not_for_the_site(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with serving(Runtime("cpu", shelf.fetch, shelf.listing), shelf, auth=("ada", "secret")) as at:
        assert shelf.hub
        wait_until(lambda: shelf.model("zoo/gatys-torchvision").commit, "the list")  # type: ignore[union-attr]
        assert httpx.get(f"{at}/hub/api/models", trust_env=False).json() == []
        refused = httpx.get(f"{at}/hub/zoo/gatys/resolve/main/config.json", trust_env=False)
        assert refused.status_code == 401
        folder, commit = shelf.fetch("zoo/gatys")
        assert len(commit) == 40
        assert folder.is_relative_to(tmp_path / "cache")
        token = shelf.hub.create_token("eve", "laptop", role="read")
        assert HfApi(f"{at}/hub", token=token).model_info("zoo/gatys").sha == commit
        names = [row["name"] for row in shelf.hub.store.rows("SELECT name FROM tokens")]
    assert names.count("the site itself") == 1


# ---- new checkpoints


def test_a_pushed_checkpoint_is_listed_and_runs(
    with_hub: WithHub, client: Client, push: Callable[..., str]
) -> None:
    assert client.predict(api_name="/list_checkpoints")
    commit = push("ada/softer")
    until = time.monotonic() + 10
    entry = {"checkpoint": "ada/softer", "method": "gatys", "default": False}
    while entry not in client.predict(api_name="/list_checkpoints"):
        assert time.monotonic() < until, "not listed after ten seconds"
    given = {"content": handle_file(PHOTO), "style": handle_file(PAINTING)}
    files, record = client.predict(
        **given, steps=10, size=64, checkpoint="ada/softer", api_name="/gatys"
    )
    assert len(files) == 1
    assert (record["checkpoint"], record["revision"]) == ("ada/softer", commit)


def test_a_checkpoint_is_downloaded_through_the_api(
    with_hub: WithHub, client: Client, push: Callable[..., str]
) -> None:
    commit = push("ada/by-api")
    with_hub.shelf.forget()
    wait_until(lambda: with_hub.shelf.models() and with_hub.shelf.model("ada/by-api"), "the list")
    model = with_hub.shelf.model("ada/by-api")
    assert model
    assert with_hub.shelf.place(model)[0] == "absent"
    done = client.predict("ada/by-api", api_name="/download_checkpoint")
    assert done == {"checkpoint": "ada/by-api", "revision": commit, "ready": True}
    assert with_hub.shelf.place(model)[0] == "ready"
    for wrong in ("ada/none", "../../etc", "", "x" * 5000):
        with pytest.raises(AppError, match="There is no checkpoint"):
            client.predict(wrong, api_name="/download_checkpoint")


def test_a_method_is_found_in_the_config_where_the_card_does_not_tell(
    with_hub: WithHub, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "plain", "ada/plain")
    (folder / "README.md").write_text("---\nlibrary_name: style-zoo\n---\n# Plain\n")
    HubClient(with_hub.hub, tmp_path / "none", with_hub.token).push(folder, "ada/plain")
    with_hub.shelf.forget()
    wait_until(
        lambda: (
            ("ada/plain", "gatys")
            in [(one.repo_id, one.method) for one in with_hub.shelf.listing()]
        ),
        "the list",
    )


def test_the_first_use_tells_bytes_and_can_be_stopped(
    with_hub: WithHub, push: Callable[..., str]
) -> None:
    push("ada/slow", weights=os.urandom(3_000_000))
    with_hub.gate.gate = threading.Event()
    runtime = Runtime("cpu", with_hub.shelf.fetch, with_hub.shelf.listing)
    job = Job(Lane(runtime.turn), runtime, "ada/slow", {})
    told = ""
    try:
        for state in job.follow():
            if isinstance(state, Loading) and state.transfer and state.transfer.done > 0:
                told = status.doing("en", state, "ada/slow")
                job.stop()
            if isinstance(state, Stopped):
                break
    finally:
        with_hub.gate.gate.set()
        with_hub.gate.gate = None
    assert re.search(r"First use: downloading ada/slow — 0\.\d of 3\.0 MB", told)
    assert job.wait(20)
    folder, _ = with_hub.shelf.fetch("ada/slow")  # what had arrived did no harm
    assert (folder / "extra.safetensors").stat().st_size == 3_000_000


# ---- damage


def test_a_file_damaged_here_is_mended(with_hub: WithHub, push: Callable[..., str]) -> None:
    push("ada/hurt", weights=b"right" * 1000)
    folder, commit = with_hub.shelf.fetch("ada/hurt")
    (folder / "extra.safetensors").write_bytes(b"wrong" * 1000)
    assert with_hub.shelf.fetch("ada/hurt") == (folder, commit)
    assert (folder / "extra.safetensors").read_bytes() == b"right" * 1000


def test_a_file_damaged_on_the_hub_is_refused_until_it_is_right_again(
    with_hub: WithHub, push: Callable[..., str]
) -> None:
    content = b"right" * 1000
    push("ada/broken", weights=content)
    hub = with_hub.shelf.hub
    assert hub
    stored = hub.objects.local_path(hashlib.sha256(content).hexdigest())
    assert stored
    stored.chmod(0o644)
    stored.write_bytes(b"wrong" * 1000)
    with pytest.raises(ChecksumError, match="The download of ada/broken was damaged"):
        with_hub.shelf.fetch("ada/broken")
    stored.write_bytes(content)
    folder, _ = with_hub.shelf.fetch("ada/broken")
    assert (folder / "extra.safetensors").read_bytes() == content


# ---- without a hub


def silent() -> socket.socket:
    """A machine that takes connections and never answers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener


def test_a_silent_hub_keeps_no_page_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr("zoo.hub.client.TIMEOUT", 2.0)
    with silent() as listener:
        shelf = Shelf(None, f"http://127.0.0.1:{listener.getsockname()[1]}")
        shelf.open("")
        shelf.begin()
        began = time.perf_counter()
        assert "zoo/gatys" in [one.repo_id for one in shelf.listing()]
        assert time.perf_counter() - began < 2
        wait_until(lambda: shelf.away, "the hub to be given up")
        monkeypatch.setattr("zoo.hub.client.TIMEOUT", 0.3)
        shelf.forget()
        began = time.perf_counter()
        assert shelf.models()
        assert time.perf_counter() - began < 0.3
        assert "does not answer" in str(shelf.away)
        assert shelf.fetch("zoo/gatys")[0] == GATYS
        with pytest.raises(HubUnavailableError, match="not on this machine"):
            shelf.fetch("ada/far")
        shelf.close()


def test_what_ships_and_is_not_on_the_hub_is_used(with_hub: WithHub) -> None:
    shelf = with_hub.shelf
    assert shelf.hub
    with pytest.raises(RepoNotFoundError):
        shelf.fetch("zoo/none")
    repo = shelf.hub.store.repo("model", "zoo/gatys")
    assert repo
    HfApi(with_hub.hub, token=shelf.hub.create_token("zoo", "tests")).delete_repo("zoo/gatys")
    assert shelf.client
    shelf.client.cache.remove("zoo/gatys")
    shelf.client.__dict__["_fresh"].clear()
    try:
        assert shelf.fetch("zoo/gatys")[0] == GATYS
    finally:
        shelf.hub.seed("zoo/gatys", GATYS)


def test_a_locked_or_impossible_folder_leaves_what_ships(tmp_path: Path) -> None:
    first, second = Shelf(tmp_path / "data"), Shelf(tmp_path / "data")
    first.open("http://127.0.0.1:1")
    second.open("http://127.0.0.1:2")
    assert "in use by another hub" in str(second.notice)
    assert second.fetch("zoo/gatys")[0] == GATYS
    second.begin()
    assert {"zoo/gatys", "zoo/gatys-torchvision"} <= {one.repo_id for one in second.listing()}
    second.close()
    first.close()
    (tmp_path / "file").touch()
    third = Shelf(tmp_path / "file" / "data")
    third.open("http://127.0.0.1:3")
    assert "cannot be opened" in str(third.notice)
    assert all(third.place(model) == ("ready", 1.0) for model in third.models())
    third.close()


def test_only_the_first_start_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours" / "soft").mkdir(parents=True)
    make_checkpoint(tmp_path / "ours" / "soft", "zoo/soft")
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path / "ours")
    shelf, go_on = Shelf(tmp_path / "data"), threading.Event()
    shelf.open("http://127.0.0.1:1")
    assert shelf.hub
    assert [seed_shipped(shelf.hub, go_on) for _ in range(2)] == [1, 0]
    (tmp_path / "ours" / "soft" / "more.txt").write_text("more")
    assert [seed_shipped(shelf.hub, go_on) for _ in range(2)] == [1, 0]
    shelf.close()


def test_the_folder_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert data_folder() == Path("/somewhere/style-zoo")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_folder() == Path.home() / ".local/share/style-zoo"


def test_a_download_in_words() -> None:
    words = status.arriving("zh-TW", Transfer("zoo/x", 3_200_000, 6_400_000))
    assert "正在下載 x：3.2 / 6.4 MB" in words
    assert 'value="0.500"' in words


def test_downloads_are_waited_for_by_whoever_is_interested() -> None:
    from space.hub import download

    empty: Any = SimpleNamespace(model=lambda name: None)
    with pytest.raises(RepoNotFoundError):
        next(download(empty, {"not": "a name"}))
