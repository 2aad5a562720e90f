"""What one user can put into a hub must not take it away from the others."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.hub.server.running import Server, bearer
from zoo.hub.server import Hub
from zoo.hub.server.formats import timestamp
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
            from dulwich.objects import Commit

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
