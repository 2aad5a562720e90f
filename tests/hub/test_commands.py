import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.serving import Serving, serving
from zoo import card

TOKEN = "token-of-ada"
Zoo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("hub")) as app:
        app.hub.create_token("ada", "test", value=TOKEN)
        yield app


@pytest.fixture
def zoo(server: Serving, tmp_path: Path) -> Zoo:
    """Run ``python -m zoo`` with this hub and a cache of its own."""

    def run(*words: str, token: str = "") -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "HF_ENDPOINT": server.url,
            "ZOO_CACHE": str(tmp_path / "cache"),
            "ZOO_HUB_TOKEN": token,
        }
        command = [sys.executable, "-m", "zoo", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_a_checkpoint_goes_up_and_comes_down(zoo: Zoo, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"w" * 300_000)
    facts = card.CardFacts(repo_id="ada/toy", method="toy", summary="Paints toys.")
    (folder / "README.md").write_text(card.render(facts))

    refused = zoo("push", str(folder), "ada/toy")
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: ")
    assert "token" in refused.stderr
    assert refused.stderr.count("\n") == 1

    pushed = zoo("push", str(folder), "ada/toy", token=TOKEN)
    assert pushed.returncode == 0, pushed.stderr
    commit = pushed.stdout.strip().rpartition("@")[2]

    listed = json.loads(zoo("list", "--hub", "--json").stdout)
    assert [(row["repo_id"], row["method"], row["state"]) for row in listed] == [
        ("ada/toy", "toy", "absent")
    ]
    shown = zoo("info", "--hub", "ada/toy").stdout
    assert "Paints toys." in shown
    assert "300000" in shown

    pulled = zoo("pull", f"ada/toy@{commit}", "--to", str(tmp_path / "copy"))
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout.strip() == str(tmp_path / "copy")
    assert (tmp_path / "copy/model.safetensors").read_bytes() == b"w" * 300_000
    assert zoo("pull", "ada/toy", "--to", str(tmp_path / "copy")).returncode == 2
    assert "ready" in zoo("list", "--hub").stdout

    kept = Path(zoo("pull", "ada/toy").stdout.strip())
    assert kept.name == commit
    assert zoo("verify").stdout == f"ada/toy@{commit[:8]}  ok\n"
    (kept / "model.safetensors").write_bytes(b"x" * 300_000)
    damaged = zoo("verify", "ada/toy")
    assert damaged.returncode == 2
    assert "damaged: model.safetensors" in damaged.stdout


def test_a_mistake_is_one_line_and_exit_code_2(zoo: Zoo) -> None:
    for words in (["pull", "ada/nothing"], ["pull", "nonsense"], ["verify", "ada/nothing"]):
        done = zoo(*words)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
