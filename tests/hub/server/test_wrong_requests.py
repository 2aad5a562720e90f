"""Requests of every wrong kind: each is answered, and none with a server error."""

import json
import random
import re
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.hub.server.running import Server, bearer
from zoo.hub.server.app import _ROUTES

NewRepo = Callable[..., str]

SEGMENTS = (
    *("main", "a", "%00", "%2F", "..", "%2e%2e", "%FF", "%ED%A0%80", "a%2Fb", "refs%2Fpr%2F1"),
    *("refs%2Fheads%2Fmain", "HEAD", "main.lock", "x" * 300, "%0d%0aSet-Cookie:x", "-1", "~", "^"),
    *("@{0}", "*", "[", "%F0%9F%8E%A8", "0" * 40, "f" * 64, "deadbeef", "None", "null", "1"),
)
VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1 << 70, 1.5, "", "main", "x" * 5000, "\x00", "../x", "\ud800"),
    *([], ["x"], [None], [[]], [{}], [{"path": 1}], {}, {"sha": 1}, {"a": {"b": []}}, "public"),
)
FIELDS = (
    *("name", "organization", "type", "visibility", "private", "sdk", "secrets", "variables"),
    *("fromRepo", "toRepo", "gated", "content", "files", "gitIgnore", "operation", "objects"),
    *("transfers", "hash_algo", "oid", "size", "parts", "startingPoint", "tag", "message", "title"),
    *("description", "pullRequest", "comment", "status", "deletions", "target", "repository"),
    *("key", "value", "flavor", "seconds", "sleepTimeSeconds", "path", "force", "paths", "expand"),
)
QUERIES = ("limit", "cursor", "p", "expand", "recursive", "sort", "filter", "search", "create_pr")


def filled(pattern: str, repo: str, dice: random.Random) -> str:
    """Write an address that matches a route's pattern, mostly of an existing repository."""
    name = repo if dice.random() < 0.8 else "no/where"
    pattern = re.sub(r"\(\?!.*?\)", "", pattern).replace("\\.", ".")
    for group in ("(?P<repo>[^/]+/[^/]+)", "(?P<repo>[^/]+/[^/]+?)", "[^/]+/[^/]+"):
        pattern = pattern.replace(group, name)
    for group in ("(?:(?P<kind>dataset|space)s/)?", "(?:(?:dataset|space)s/)?"):
        pattern = pattern.replace(group, "")

    def group_filled(match: re.Match[str]) -> str:
        words = match[1].split("|")
        return dice.choice(SEGMENTS if "[" in match[1] or "." in match[1] else words)

    before = ""
    while pattern != before:  # innermost groups first, until none is left
        before = pattern
        pattern = re.sub(r"\((?:\?P<\w+>|\?:)([^()]*)\)\??", group_filled, pattern)
    return re.sub(r"\[[^]]+\](?:\+|\{\d+\})|\.[+*]", lambda _: dice.choice(SEGMENTS), pattern)


def requests(repo: str, dice: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """Make up wrong requests for every route there is."""
    for route in _ROUTES:
        for _ in range(4):
            path = filled(route.pattern.pattern, repo, dice)
            if dice.random() < 0.5:
                query = "&".join(
                    f"{dice.choice(QUERIES)}={dice.choice(SEGMENTS)}" for _ in range(3)
                )
                path = f"{path}?{query}"
            fields = {name: dice.choice(VALUES) for name in dice.sample(FIELDS, 20)}
            body = dice.choice(
                (
                    json.dumps(fields).encode(),
                    json.dumps(fields).encode(),
                    b"",
                    b"[]",
                    b"{",
                    b"[" * 100_000,
                    b"\xff\xfe",
                    b"paths=a&paths=%00&expand=true",
                    b"0032want " + b"0" * 40 + b"\n0000",
                )
            )
            yield route.method, path, body


@pytest.mark.parametrize("seed", range(3))
def test_no_server_error(raw: httpx2.Client, server: Server, new_repo: NewRepo, seed: int) -> None:
    dice = random.Random(seed)
    repo = new_repo()
    kinds = ("application/json", "application/x-www-form-urlencoded", "application/x-ndjson")
    git = ("application/x-git-upload-pack-request", "application/x-git-receive-pack-request")
    for method, path, body in requests(repo, dice):
        headers = {"Content-Type": dice.choice((*kinds, *git))}
        headers |= dice.choice(({}, bearer(server.alice), bearer(server.alice), bearer("x")))
        if dice.random() < 0.1:
            headers["Range"] = dice.choice(("bytes=9-", "bytes=-", "bytes=99999999999999999999-"))
        if dice.random() < 0.1:
            headers["Content-Encoding"] = "gzip"
        answer = raw.request(method, path, content=body, headers=headers)
        assert answer.status_code < 500 or answer.status_code == 501, (method, path, body[:200])
    # Whatever got through, the hub is still whole.
    assert raw.get("/api/models").status_code == 200


@pytest.mark.parametrize("seed", range(3))
def test_no_server_error_from_wrong_commits(
    raw: httpx2.Client, server: Server, new_repo: NewRepo, seed: int
) -> None:
    dice = random.Random(seed)
    repo = new_repo()
    keys = ("header", "file", "lfsFile", "deletedFile", "deletedFolder", "other", 5, None)
    names = ("summary", "description", "parentCommit", "path", "content", "encoding", "oid", "size")
    good = {"summary": "s", "path": "a/b", "content": "aGk=", "encoding": "base64", "oid": "a" * 64}
    for _ in range(150):
        lines = [json.dumps({"key": "header", "value": {"summary": "s"}}).encode()]
        for _ in range(dice.randrange(4)):
            value = {n: good.get(n) if dice.random() < 0.6 else dice.choice(VALUES) for n in names}
            if dice.random() < 0.3:
                value.pop(dice.choice(names))
            lines.append(json.dumps({"key": dice.choice(keys), "value": value}).encode())
        if dice.random() < 0.1:
            lines.insert(dice.randrange(len(lines) + 1), dice.choice((b"{", b"5", b"\xff", b"[]")))
        answer = raw.post(
            f"/api/models/{repo}/commit/main",
            content=b"\n".join(lines),
            headers=bearer(server.alice),
        )
        assert answer.status_code < 500, lines
    assert raw.get(f"/api/models/{repo}/tree/main?recursive=1").status_code == 200


def test_hostile_cards(raw: httpx2.Client, server: Server, new_repo: NewRepo) -> None:
    """Front matter that explodes, refers to itself, or is of no JSON type."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    for text in (
        bomb,
        "a: &a\n  b: *a\n",
        "[" * 5000,
        "x: .nan\ny: .inf\nz: 2020-01-01\n",
        "? [a, b]\n: c\n",
        "!!python/object/apply:os.system ['true']",
        "tags: 5\nlibrary_name: [x]\nlicense: {a: b}\nlanguage: 1",
        "- list",
        "\x00",
        "n: " + "9" * 5000,
        "d: 0000-99-99",
    ):
        card = f"---\n{text}\n---\n# Hi\n"
        answer = raw.post("/api/validate-yaml", json={"content": card, "repoType": "model"})
        assert answer.status_code in (200, 400), text
        lines = [
            {"key": "header", "value": {"summary": "Card"}},
            {"key": "file", "value": {"path": "README.md", "content": card, "encoding": "utf-8"}},
        ]
        repo = new_repo()
        answer = raw.post(
            f"/api/models/{repo}/commit/main",
            content="\n".join(map(json.dumps, lines)),
            headers=bearer(server.alice),
        )
        assert answer.status_code == 200, text
        assert raw.get(f"/api/models/{repo}").status_code == 200
        assert raw.get("/api/models?full=true&cardData=true").status_code == 200
