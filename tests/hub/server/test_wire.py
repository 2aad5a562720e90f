"""Raw requests: ranges, headers, and what must never be given away."""

import base64
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi

from tests.hub.server.running import Server, bearer, serve
from zoo.hub.server import Hub

NewRepo = Callable[..., str]
CONTENT = bytes(range(256)) * 20


@pytest.fixture
def repo(api: HfApi, new_repo: NewRepo) -> str:
    """A repository with one large and one small file."""
    name = new_repo()
    for path in ("large.bin", "small.txt"):
        api.upload_file(path_or_fileobj=CONTENT, path_in_repo=path, repo_id=name)
    return name


def commit_lines(*operations: Mapping[str, object], **header: object) -> bytes:
    lines: list[Mapping[str, object]] = [
        {"key": "header", "value": {"summary": "Raw", **header}},
        *operations,
    ]
    return b"\n".join(json.dumps(line).encode() for line in lines)


def file_line(path: object, content: bytes = b"x") -> dict[str, object]:
    text = base64.b64encode(content).decode()
    return {"key": "file", "value": {"path": path, "content": text, "encoding": "base64"}}


@pytest.mark.parametrize("name", ["large.bin", "small.txt"])
@pytest.mark.parametrize(
    ("asked", "status", "expected", "where"),
    [
        ("bytes=0-9", 206, CONTENT[:10], "bytes 0-9/5120"),
        ("bytes=5000-", 206, CONTENT[5000:], "bytes 5000-5119/5120"),
        ("bytes=-7", 206, CONTENT[-7:], "bytes 5113-5119/5120"),
        ("bytes=-99999", 206, CONTENT, "bytes 0-5119/5120"),
        ("bytes=5110-99999", 206, CONTENT[5110:], "bytes 5110-5119/5120"),
        ("bytes=5120-", 416, None, "bytes */5120"),
        ("bytes=-0", 416, None, "bytes */5120"),
        ("bytes=9-2", 200, CONTENT, None),
        ("bytes=0-1,5-6", 200, CONTENT, None),
        ("apples=1-2", 200, CONTENT, None),
        ("bytes=x", 200, CONTENT, None),
    ],
)
def test_ranges(
    raw: httpx2.Client,
    repo: str,
    name: str,
    asked: str,
    status: int,
    expected: bytes | None,
    where: str | None,
) -> None:
    answer = raw.get(f"/{repo}/resolve/main/{name}", headers={"Range": asked})
    assert answer.status_code == status
    assert answer.headers.get("content-range") == where
    if expected is not None:
        assert answer.content == expected
        assert answer.headers["content-length"] == str(len(expected))


def test_file_headers(raw: httpx2.Client, api: HfApi, repo: str) -> None:
    head = raw.head(f"/{repo}/resolve/main/large.bin", headers={"Accept-Encoding": "identity"})
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["x-repo-commit"] == api.model_info(repo).sha
    assert head.headers["etag"] == head.headers["x-linked-etag"] == f'"{digest}"'
    assert head.headers["content-length"] == head.headers["x-linked-size"] == "5120"
    assert head.headers["accept-ranges"] == "bytes"
    assert "x-xet-hash" not in head.headers
    small = raw.head(f"/{repo}/resolve/main/small.txt")
    blob = hashlib.sha1(b"blob 5120\x00" + CONTENT, usedforsecurity=False).hexdigest()
    assert small.headers["etag"] == f'"{blob}"'
    cached = raw.get(f"/{repo}/resolve/main/small.txt", headers={"If-None-Match": f'"{blob}"'})
    assert cached.status_code == 304
    stale = {"Range": "bytes=0-1", "If-Range": '"other"'}
    assert raw.get(f"/{repo}/resolve/main/small.txt", headers=stale).status_code == 200
    pointer = raw.get(f"/{repo}/raw/main/large.bin").text
    expected = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 5120\n"
    assert pointer == expected


def test_a_file_cannot_act_as_a_page(raw: httpx2.Client, api: HfApi, repo: str) -> None:
    page = b"<script>alert(1)</script>"
    api.upload_file(path_or_fileobj=page, path_in_repo="x.html", repo_id=repo)
    answer = raw.get(f"/{repo}/resolve/main/x.html")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/models/nobody/nothing", 401, "RepoNotFound"),
        ("/api/models/one-segment", 401, "RepoNotFound"),
        ("/api/models/one-segment/revision/main", 401, "RepoNotFound"),
        ("/one-segment/resolve/main/x", 401, "RepoNotFound"),
        ("/nobody/nothing/resolve/main/x", 401, "RepoNotFound"),
        ("/api/models/{repo}/revision/nowhere", 404, "RevisionNotFound"),
        ("/api/models/{repo}/revision/%00%0d%0aX: y", 404, "RevisionNotFound"),
        ("/api/models/{repo}/tree/main/nowhere", 404, "EntryNotFound"),
        ("/{repo}/resolve/main/nowhere", 404, "EntryNotFound"),
        ("/{repo}/resolve/nowhere/large.bin", 404, "RevisionNotFound"),
        ("/api/nothing/of/the/kind", 404, None),
        ("/api/kernels/a/b", 404, None),
        ("/a/b/c/d/e", 404, None),
    ],
)
def test_errors_the_client_understands(
    raw: httpx2.Client, repo: str, path: str, status: int, code: str | None
) -> None:
    path = path.format(repo=repo)
    answer = raw.get(path, headers={"X-Amzn-Trace-Id": "trace-7"})
    assert answer.status_code == status
    assert answer.headers.get("x-error-code") == code
    assert answer.headers["x-request-id"] == "trace-7"
    assert answer.json()["error"]
    assert answer.headers["x-error-message"].isprintable()


def test_a_wrong_token_reads_what_is_open(raw: httpx2.Client, repo: str) -> None:
    for headers in (bearer("hf_of_another_hub"), {"Authorization": "Basic !!!"}):
        assert raw.get(f"/api/models/{repo}", headers=headers).status_code == 200
        assert raw.get(f"/{repo}/resolve/main/small.txt", headers=headers).status_code == 200
        refused = raw.post(f"/api/models/{repo}/branch/x", headers=headers, json={})
        assert refused.status_code == 401
        assert "Invalid credentials" in refused.headers["x-error-message"]


def test_a_private_repository_is_like_none(
    raw: httpx2.Client, server: Server, new_repo: NewRepo
) -> None:
    secret = new_repo(private=True)
    requests = [
        ("GET", "/api/models/{}"),
        ("GET", "/api/models/{}/revision/main"),
        ("GET", "/api/models/{}/tree/main"),
        ("GET", "/api/models/{}/refs"),
        ("GET", "/api/models/{}/commits/main"),
        ("GET", "/api/models/{}/discussions"),
        ("GET", "/api/models/{}/likers"),
        ("GET", "/api/models/{}/xet-write-token/main"),
        ("GET", "/{}/resolve/main/.gitattributes"),
        ("GET", "/{}/raw/main/.gitattributes"),
        ("GET", "/{}.git/info/refs?service=git-upload-pack"),
        ("GET", "/{}.git/info/refs?service=git-receive-pack"),
        ("POST", "/{}.git/git-upload-pack"),
        ("POST", "/api/models/{}/paths-info/main"),
        ("POST", "/api/models/{}/commit/main"),
        ("POST", "/api/models/{}/preupload/main"),
        ("POST", "/api/models/{}/like"),
        ("POST", "/api/models/{}/discussions"),
        ("PUT", "/api/models/{}/settings"),
        ("DELETE", "/api/models/{}/branch/main"),
    ]
    for headers in ({}, bearer(server.carol), bearer("hf_wrong")):
        for method, path in requests:
            answers = [
                raw.request(method, path.format(name), headers=headers)
                for name in (secret, "alice/never-was")
            ]
            seen = [
                (a.status_code, a.headers.get("x-error-code"), a.text, a.headers["content-length"])
                for a in answers
            ]
            assert seen[0] == seen[1], (method, path)
            assert seen[0][0] in (401, 404)


def test_a_hash_opens_nothing(raw: httpx2.Client, server: Server, new_repo: NewRepo) -> None:
    """Knowing the sha256 of a private file neither reads it nor tells that it is here."""
    secret = b"a secret checkpoint" * 99
    alice = HfApi(endpoint=server.url, token=server.alice)
    private = new_repo(private=True)
    alice.upload_file(path_or_fileobj=secret, path_in_repo="w.bin", repo_id=private)
    oid = hashlib.sha256(secret).hexdigest()
    mine = HfApi(endpoint=server.url, token=server.carol).create_repo(
        f"carol/thief-{os.getpid()}", exist_ok=True
    )
    headers = bearer(server.carol)
    line = {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": oid}}
    answer = raw.post(
        f"/api/models/{mine.repo_id}/commit/main", content=commit_lines(line), headers=headers
    )
    assert answer.status_code == 422
    objects = [{"oid": oid, "size": len(secret)}, {"oid": "b" * 64, "size": 5}]
    for operation, key in (("upload", "actions"), ("download", "error")):
        batch = {"operation": operation, "objects": objects}
        answer = raw.post(
            f"/{mine.repo_id}.git/info/lfs/objects/batch", json=batch, headers=headers
        )
        here, nowhere = answer.json()["objects"]
        assert key in here
        assert here.keys() == nowhere.keys()
    body = {"target": {"type": "model", "name": mine.repo_id}, "files": [{"sha256": oid}]}
    url = f"/api/models/{mine.repo_id}/lfs-files/duplicate"
    assert len(raw.post(url, json=body, headers=headers).json()["failed"]) == 1
    url = f"/api/models/{private}/lfs-files/duplicate"
    assert raw.post(url, json=body, headers=headers).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "a/", "C:\\x", "a\\b",
        "a\x00b", "a\nb", "\x7f", ".git", ".git/config", "x/.GIT/y", ".Git ", ".git.", "git~1",
        "\ud800", "x" * 2000, 7, None, ["a"],
    ],
)  # fmt: skip
def test_refused_paths(raw: httpx2.Client, server: Server, repo: str, path: object) -> None:
    headers = bearer(server.alice)
    url = f"/api/models/{repo}"
    body = commit_lines(file_line(path))
    assert raw.post(f"{url}/commit/main", content=body, headers=headers).status_code == 422
    files = {"files": [{"path": path, "size": 1, "sample": ""}]}
    sent = json.dumps(files).encode()
    assert raw.post(f"{url}/preupload/main", content=sent, headers=headers).status_code == 422


def test_files_and_folders_do_not_collide(raw: httpx2.Client, server: Server, repo: str) -> None:
    url, headers = f"/api/models/{repo}/commit/main", bearer(server.alice)
    body = commit_lines(file_line("d/a"))
    assert raw.post(url, content=body, headers=headers).status_code == 200
    for path in ("d", "d/a/b", "small.txt/x"):
        body = commit_lines(file_line(path))
        assert raw.post(url, content=body, headers=headers).status_code == 422
    # In one commit a folder may give way to a file.
    gone = {"key": "deletedFolder", "value": {"path": "d/"}}
    body = commit_lines(file_line("d"), gone)
    assert raw.post(url, content=body, headers=headers).status_code == 200
    # So it may where the files in it are named.
    lines = [file_line("e/f/a"), file_line("e/b")]
    assert raw.post(url, content=commit_lines(*lines), headers=headers).status_code == 200
    lines = [{"key": "deletedFile", "value": {"path": "e/f/a"}}, file_line("e")]
    assert raw.post(url, content=commit_lines(*lines), headers=headers).status_code == 422
    lines.append({"key": "deletedFile", "value": {"path": "e/b"}})
    assert raw.post(url, content=commit_lines(*lines), headers=headers).status_code == 200
    assert raw.get(f"/{repo}/resolve/main/e").content == b"x"
    for operation in ("deletedFile", "deletedFolder"):
        line = {"key": operation, "value": {"path": "not/there"}}
        answer = raw.post(url, content=commit_lines(line), headers=headers)
        assert answer.status_code == 404
        assert answer.headers["x-error-code"] == "EntryNotFound"


@pytest.mark.parametrize(
    "field",
    [
        "tags: 5", "self: 1", "ignore_metadata_errors: false", "eval_results: 5",
        "model-index: [{name: x, results: [{task: {type: t}, dataset: {type: d, name: d},"
        " metrics: [], source: 5}]}]",
    ],
)  # fmt: skip
def test_a_malformed_card_spoils_no_list(
    raw: httpx2.Client, api: HfApi, server: Server, repo: str, field: str
) -> None:
    readme = f"---\nlicense: mit\n{field}\n---\n"
    body = commit_lines(file_line("README.md", readme.encode()))
    headers = bearer(server.alice)
    assert raw.post(f"/api/models/{repo}/commit/main", content=body, headers=headers).is_success
    (listed,) = api.list_models(search=repo, cardData=True)
    for model in (listed, api.model_info(repo)):
        assert model.card_data is not None
        assert model.card_data.license == "mit"


def test_uploads_are_what_they_say(raw: httpx2.Client, server: Server, repo: str) -> None:
    oid = hashlib.sha256(b"right").hexdigest()
    batch = {"operation": "upload", "objects": [{"oid": oid, "size": 5}]}
    url, headers = f"/{repo}.git/info/lfs/objects/batch", bearer(server.alice)
    (item,) = raw.post(url, json=batch, headers=headers).json()["objects"]
    put, check = item["actions"]["upload"]["href"], item["actions"]["verify"]["href"]
    assert raw.put(put, content=b"wrong").status_code == 422
    assert raw.put(put, content=b"much too long").status_code == 413
    assert raw.post(check, json={"oid": oid, "size": 5}).status_code == 404
    assert raw.put(put[:-4] + "AAAA", content=b"right").status_code == 403
    assert raw.put(check, content=b"right").status_code == 403
    assert raw.get(put).status_code == 403
    assert raw.put(put, content=b"right").status_code == 200
    assert raw.post(check, json={"oid": oid, "size": 5}).status_code == 200
    (item,) = raw.post(url, json=batch, headers=headers).json()["objects"]
    assert "actions" not in item
    batch["operation"] = "download"
    (item,) = raw.post(url, json=batch, headers=headers).json()["objects"]
    assert raw.get(item["actions"]["download"]["href"]).content == b"right"


def test_xet_tokens_open_one_repository(
    raw: httpx2.Client, server: Server, new_repo: NewRepo
) -> None:
    one, other = (
        raw.get(f"/api/models/{new_repo()}/xet-write-token/main", headers=bearer(server.alice))
        for _ in range(2)
    )
    assert one.headers["x-xet-cas-url"] == one.json()["casUrl"]
    cas, token = one.json()["casUrl"], one.json()["accessToken"]
    chunk = b"\x00" + (5).to_bytes(3, "little") + b"\x00" + (5).to_bytes(3, "little") + b"12345"
    xorb = f"{cas}/v1/xorbs/default/{'0' * 64}"
    assert raw.post(xorb, content=chunk, headers=bearer(token)).json() == {"was_inserted": True}
    assert raw.post(xorb, content=chunk, headers=bearer(token)).json() == {"was_inserted": False}
    for wrong in (other.json()["accessToken"], server.alice, "x.y", token[:-3] + "abc"):
        answer = raw.post(xorb, content=chunk, headers={"Authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401
    assert raw.post(xorb, content=b"nonsense", headers=bearer(token)).status_code == 422
    shard = f"{cas}/v1/shards"
    assert raw.post(shard, content=b"nonsense", headers=bearer(token)).status_code == 422
    for missing in ("v2/shards", f"v1/xorb-grants/default/{'0' * 64}"):
        assert raw.post(f"{cas}/{missing}", headers=bearer(token)).status_code == 404
    assert raw.get(f"{cas}/v1/chunks/default/{'0' * 64}").status_code == 404


def test_tokens_are_kept_as_hashes_and_never_logged(
    api: HfApi, server: Server, new_repo: NewRepo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.bin", repo_id=new_repo())
    ours = [r.getMessage() for r in caplog.records if r.name.startswith(("zoo", "uvicorn"))]
    assert not any(server.alice in message for message in ours)
    server.hub.store.run("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in server.hub.data.glob("hub.sqlite*"):
        assert server.alice.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_closed_hub_tells_strangers_nothing(tmp_path: Path) -> None:
    hub = Hub(tmp_path, closed=True)
    token = hub.create_token("dora", "t", role="read")
    hub.create_repo("dora/model")
    with serve(hub) as url, httpx2.Client(base_url=url) as raw:
        assert raw.get("/api/models").json() == []
        assert raw.get("/api/models/dora/model").status_code == 401
        assert raw.get("/dora/model/resolve/main/.gitattributes").status_code == 401
        assert raw.get("/api/users/dora/overview").status_code == 404
        assert len(raw.get("/api/models", headers=bearer(token)).json()) == 1
    hub.close()


def test_mounted_under_a_prefix(tmp_path: Path) -> None:
    """The app's own site carries the hub under /hub; every address must say so."""
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    hub = Hub(tmp_path)
    token = hub.create_token("dora", "t")
    for name in ("a", "b"):
        hub.create_repo(f"dora/{name}")
    client = TestClient(Starlette(routes=[Mount("/hub", app=hub.asgi)]), base_url="http://site")
    answer = client.get("/hub/api/models?limit=1")
    assert answer.links["next"]["url"].startswith("http://site/hub/api/models?")
    assert len(client.get(answer.links["next"]["url"]).json()) == 1
    assert client.get("/hub/api/models/dora/a/tree/refs%2Fheads%2Fmain").status_code == 200
    headers = bearer(token)
    grant = client.get("/hub/api/models/dora/a/xet-write-token/main", headers=headers).json()
    assert grant["casUrl"].startswith("http://site/hub/api/xet/")
    created = client.post("/hub/api/repos/create", json={"name": "c"}, headers=headers)
    assert created.json()["url"] == "http://site/hub/dora/c"
    assert client.get("/hub/dora/a/resolve/main/.gitattributes").text.startswith("*.")
    hub.close()


def test_behind_a_proxy_with_a_prefix(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    hub = Hub(tmp_path, public_url="https://example.org/zoo/")
    hub.create_repo("dora/a")
    hub.create_repo("zoo/b")
    client = TestClient(hub.asgi, base_url="http://inside")
    for prefix in ("/zoo", ""):
        answer = client.get(f"{prefix}/api/models/dora/a/tree/refs%2Fheads%2Fmain?limit=1")
        assert answer.status_code == 200
        listed = client.get(f"{prefix}/api/models?limit=1").links["next"]["url"]
        assert listed.startswith("https://example.org/zoo/api/models?")
    assert client.get("/zoo/zoo/b/resolve/main/.gitattributes").status_code == 200
    hub.close()
