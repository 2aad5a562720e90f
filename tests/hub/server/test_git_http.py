"""git and git-lfs against the hub."""

import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import cast

import pytest
from dulwich.errors import GitProtocolError
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download

from tests.hub.server.running import Server
from zoo.hub.server.git_http import _announced

NewRepo = Callable[..., str]


class Git:
    """git with a home of its own, so that nobody's settings or credentials take part."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for name, value in (("user.name", "alice"), ("user.email", "alice@example.org")):
            self("config", "--global", name, value)
        self("lfs", "install", "--skip-repo")

    def __call__(self, *words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def git(tmp_path: Path) -> Git:
    home = tmp_path / "home"
    home.mkdir()
    return Git(home)


def address(server: Server, repo: str, token: str | None = None) -> str:
    who = f"alice:{token}@" if token else ""
    return server.url.replace("://", f"://{who}") + f"/{repo}"


def test_clone_with_large_files(
    git: Git, api: HfApi, server: Server, new_repo: NewRepo, transfer: str
) -> None:
    repo = new_repo()
    weights = os.urandom(300_000)
    api.upload_file(path_or_fileobj=weights, path_in_repo="w.safetensors", repo_id=repo)
    for number in range(3):
        api.upload_file(path_or_fileobj=b"%d" % number, path_in_repo="a.txt", repo_id=repo)
    git("clone", address(server, repo), "whole")
    assert (git.home / "whole" / "w.safetensors").read_bytes() == weights
    assert (git.home / "whole" / "a.txt").read_text() == "2"
    git("clone", "--depth", "1", address(server, f"{repo}.git"), "shallow")
    git.folder = git.home / "shallow"
    assert git("rev-list", "--count", "HEAD").strip() == "1"
    git.folder = git.home / "whole"
    assert git("rev-list", "--count", "HEAD").strip() == "5"
    git("fsck", "--strict")


def test_clone_with_large_files_of_any_name(
    git: Git, api: HfApi, server: Server, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.hub.server.commit.REGULAR_MAX_BYTES", 1000)
    repo = new_repo()
    paths = ("#a/w.dat", "!a/w.dat", "a/w.dat", "a b/c[1].dat", '"w.dat', "w.dat")
    for path in paths:
        content = path.encode() * 1000
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo)
    git("clone", address(server, repo), "work")
    git.folder = git.home / "work"
    for path in paths:
        assert (git.folder / path).read_bytes() == path.encode() * 1000
        assert path in git("lfs", "ls-files")


def test_push_small_and_large(git: Git, api: HfApi, server: Server, new_repo: NewRepo) -> None:
    repo = new_repo()
    git("clone", address(server, repo, server.alice), "work")
    git.folder = git.home / "work"
    weights = os.urandom(200_000)
    (git.folder / "w.safetensors").write_bytes(weights)
    (git.folder / "README.md").write_text("---\ntags: [pushed]\n---\n# Hi\n")
    git("add", ".")
    git("commit", "-m", "Pushed")
    git("push", "origin", "HEAD:main")
    assert Path(hf_hub_download(repo, "w.safetensors")).read_bytes() == weights
    assert repo in [model.id for model in api.list_models(filter="pushed")]
    git("checkout", "-b", "feature")
    (git.folder / "b.txt").write_text("b")
    git("add", ".")
    git("commit", "-m", "On a branch")
    git("tag", "v1")
    git("push", "origin", "feature", "v1")
    assert Path(hf_hub_download(repo, "b.txt", revision="v1")).read_text() == "b"
    git("push", "origin", ":feature")
    assert [branch.name for branch in api.list_repo_refs(repo).branches] == ["main"]
    # What the client commits, git pulls.
    api.upload_file(path_or_fileobj=b"c", path_in_repo="c.txt", repo_id=repo)
    git("checkout", "main")
    git("pull", "--rebase")
    assert (git.folder / "c.txt").read_text() == "c"
    git("lfs", "lock", "w.safetensors")
    assert "w.safetensors" in git("lfs", "locks")
    git("lfs", "unlock", "w.safetensors")


def test_a_large_push(git: Git, api: HfApi, server: Server, new_repo: NewRepo) -> None:
    """Over 1 MB git sends its pack in chunks, without saying how long it is."""
    repo = new_repo()
    git("clone", address(server, repo, server.alice), "work")
    git.folder = git.home / "work"
    for number in range(30):
        (git.folder / f"{number}.txt").write_text(os.urandom(40_000).hex())
    git("add", ".")
    git("commit", "-m", "Much")
    git("push", "origin", "HEAD:main")
    assert len(api.list_repo_files(repo)) == 31


def test_refused_pushes(git: Git, api: HfApi, server: Server, new_repo: NewRepo) -> None:
    repo = new_repo()
    git("clone", address(server, repo, server.alice), "work")
    git.folder = git.home / "work"
    head = api.model_info(repo).sha

    def attempt(*push: str) -> str:
        said = git("push", "origin", *push, fails=True)
        assert api.model_info(repo).sha == head
        git("reset", "--hard", "origin/main")
        return said

    oid = "a" * 64
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 5\n"
    (git.folder / ".gitattributes").write_text("")
    (git.folder / "stolen.bin").write_text(pointer)
    git("add", ".")
    git("commit", "-m", "A pointer to nothing")
    assert "was not uploaded" in attempt("--no-verify", "HEAD:main")
    # A refused commit may lie in the store, but its pointer opens nothing.
    git("commit", "--allow-empty", "--amend", "-m", "Another history", "--date", "2001-01-01")
    assert "non-fast-forward" in attempt("--force", "HEAD:main")
    assert "cannot be deleted" in attempt(":main")
    assert "only branches" in attempt("HEAD:refs/notes/x")
    blob = api.get_paths_info(repo, ".gitattributes")[0].blob_id  # type: ignore[union-attr]
    tree = subprocess.run(
        ["git", "mktree"],
        cwd=git.folder,
        env=git.environment,
        input=f"100644 blob {blob}\tback\\slash\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    commit = git("commit-tree", tree, "-p", "HEAD", "-m", "Bad name").strip()
    assert "backslash" in attempt(f"{commit}:refs/heads/main")


def test_damaged_and_oversized_pushes_are_refused(
    git: Git, api: HfApi, server: Server, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.hub.server.git_http._MAX_FILE_BYTES", 10_000)
    repo = new_repo()
    git("clone", address(server, repo, server.alice), "work")
    git.folder = git.home / "work"
    head = git("rev-parse", "HEAD").strip()
    git("commit", "--allow-empty", "-m", "Odd")
    whole = git("cat-file", "commit", "HEAD")
    date = next(n for n in whole.splitlines() if n.startswith("committer")).split()[-2]
    without = "".join(n for n in whole.splitlines(True) if not n.startswith("committer"))
    for text, said in (
        (whole.replace(date, "999999999999"), "no possible date"),
        (without, "malformed"),
        (without.replace("author", "committer"), "no author"),
    ):
        (git.home / "commit").write_text(text)
        odd = git(
            *("hash-object", "-t", "commit", "-w", "--literally", str(git.home / "commit"))
        ).strip()
        assert said in git("push", "origin", f"{odd}:refs/heads/main", fails=True)
    for name in (f"heads/{head}", f"tags/{head}", "heads/refs/heads/x"):
        said = git("push", "origin", f"HEAD:refs/{name}", fails=True)
        assert "nothing can be called so" in said
    (git.folder / "large.txt").write_bytes(b"x" * 10_001)
    git("add", ".")
    git("commit", "-m", "Large")
    assert "use git-lfs" in git("push", "origin", "HEAD:main", fails=True)
    monkeypatch.setattr("zoo.hub.server.git_http._is_too_large", lambda *_: False)
    assert "use git-lfs" in git("push", "origin", "HEAD:main", fails=True)
    assert api.model_info(repo).sha == head
    assert git("ls-remote", "origin").count(head) == 2


def test_the_sizes_a_push_announces() -> None:
    delta = b"\x0a" + b"\x80" * 5 + b"\x20" + b"\x90\x0a"
    objects = [b"\x35" + zlib.compress(b"12345"), b"\x79" + b"b" * 20 + zlib.compress(delta)]
    objects.append(bytes([0xB0 | 300 % 16, 300 >> 4]) + zlib.compress(b"y" * 300))
    push = b"0000PACK" + struct.pack(">II", 2, 3) + b"".join(objects) + b"s" * 20
    assert [*_announced(BufferedReader(cast("RawIOBase", BytesIO(push))))] == [5, 9, 1 << 40, 300]
    with pytest.raises(GitProtocolError):
        [*_announced(BufferedReader(cast("RawIOBase", BytesIO(push[:60]))))]


def test_a_push_that_another_overtakes_is_refused(
    git: Git, api: HfApi, server: Server, new_repo: NewRepo
) -> None:
    repo = new_repo()
    for name in ("first", "second"):
        git.folder = git.home
        git("clone", address(server, repo, server.alice), name)
        git.folder = git.home / name
        (git.folder / f"{name}.txt").write_text(name)
        git("add", ".")
        git("commit", "-m", name)
    # git runs this when it has read the refs and before it sends anything.
    hook = git.folder / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nunset GIT_DIR\ngit -C ../first push --quiet origin HEAD:main\n")
    hook.chmod(0o755)
    assert "fetch first" in git("push", "origin", "HEAD:main", fails=True)
    assert api.list_repo_files(repo) == [".gitattributes", "first.txt"]
    assert next(commit.title for commit in api.list_repo_commits(repo)) == "first"


def test_strangers_and_readers(git: Git, api: HfApi, server: Server, new_repo: NewRepo) -> None:
    secret = new_repo(private=True)
    for name in (secret, "alice/nothing-here"):
        for token in (None, "hf_wrong_token", server.carol):
            assert "secret" not in git("clone", address(server, name, token), "x", fails=True)
    git("clone", address(server, secret, server.reader), "work")
    git.folder = git.home / "work"
    (git.folder / "a").write_text("a")
    git("add", ".")
    git("commit", "-m", "No")
    assert "403" in git("push", "origin", "HEAD:main", fails=True)
    open_repo = new_repo()
    git.folder = git.home
    git("clone", address(server, open_repo), "open")
    git.folder = git.home / "open"
    git("commit", "--allow-empty", "-m", "No")
    git("push", "origin", "HEAD:main", fails=True)
    assert len(api.list_repo_commits(open_repo)) == 1


def test_push_to_a_pull_request(git: Git, api: HfApi, server: Server, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.create_commit(repo, [CommitOperationAdd("a", b"1")], commit_message="First", create_pr=True)
    git("clone", address(server, repo, server.alice), "work")
    git.folder = git.home / "work"
    git("fetch", "origin", "refs/pr/1:pr")
    git("checkout", "pr")
    (git.folder / "b").write_text("2")
    git("add", ".")
    git("commit", "-m", "Second")
    git("push", "origin", "pr:refs/pr/1")
    events = api.get_discussion_details(repo, 1).events
    assert [event._event["data"]["subject"] for event in events] == ["First", "Second"]
    assert "open the pull request" in git("push", "origin", "pr:refs/pr/9", fails=True)
