"""What the stock client does with repositories, their history, discussions and spaces."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from dulwich.objects import Blob
from dulwich.refs import Ref
from dulwich.repo import Repo as GitRepo
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    SpaceHardware,
    hf_hub_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub.server.running import Server, bearer
from zoo.hub.server import Hub
from zoo.hub.server.edits import Edits
from zoo.hub.server.repository import Signature

NewRepo = Callable[..., str]


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


def test_who_am_i(api: HfApi) -> None:
    me = api.whoami()
    assert me["name"] == "alice"
    assert [org["name"] for org in me["orgs"]] == ["crew"]
    assert me["auth"]["accessToken"]["role"] == "write"
    with pytest.raises(HfHubHTTPError):
        api.whoami(token="hf_of_another_hub")
    assert api.get_user_overview("alice").orgs[0].name == "crew"
    assert [user.username for user in api.list_organization_members("crew")] == ["alice", "bob"]
    assert list(api.list_user_repos(namespace="crew")) is not None


def test_create_again_and_delete(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    assert api.repo_exists(repo)
    assert api.list_repo_files(repo) == [".gitattributes"]
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(repo)
    assert status(refused) == 409
    assert api.create_repo(repo.upper(), exist_ok=True).repo_id.lower() == repo
    api.create_repo(repo, repo_type="dataset")  # another kind, another name
    api.delete_repo(repo, repo_type="dataset")
    api.delete_repo(repo)
    assert not api.repo_exists(repo)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo)
    api.delete_repo(repo, missing_ok=True)


@pytest.mark.parametrize("name", ["a..b", "-a", "a.", "x.git", "a--b", "ä", "x" * 97, ""])
def test_bad_names(raw: httpx2.Client, server: Server, name: str) -> None:
    answer = raw.post(
        "/api/repos/create",
        json={"name": name},
        headers=bearer(server.alice),
    )
    assert answer.status_code == 400


def test_own_and_others_namespaces(api: HfApi, stranger: HfApi, new_repo: NewRepo) -> None:
    repo = api.create_repo(f"crew/{new_repo().partition('/')[2]}").repo_id
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo)
    for forbidden in (
        lambda: stranger.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo),
        lambda: stranger.create_repo("crew/mine"),
        lambda: stranger.delete_repo(repo),
        lambda: stranger.create_branch(repo, branch="x"),
        lambda: stranger.update_repo_settings(repo, private=True),
        lambda: stranger.move_repo(repo, "carol/mine"),
        lambda: stranger.super_squash_history(repo),
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            forbidden()
        assert status(refused) == 403


def test_a_reader_cannot_write(api: HfApi, server: Server, new_repo: NewRepo) -> None:
    repo = new_repo()
    reader = HfApi(endpoint=api.endpoint, token=server.reader)
    assert reader.list_repo_files(repo)
    with pytest.raises(HfHubHTTPError) as refused:
        reader.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo)
    assert status(refused) == 403


def test_move_keeps_the_old_name(api: HfApi, new_repo: NewRepo) -> None:
    repo, taken = new_repo(), new_repo()
    api.upload_file(path_or_fileobj=b"content", path_in_repo="a.bin", repo_id=repo)
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.move_repo(repo, taken)
    api.move_repo(repo, f"{repo}-new")
    assert api.model_info(repo).id == f"{repo}-new"
    assert Path(hf_hub_download(repo, "a.bin")).read_bytes() == b"content"
    api.upload_file(path_or_fileobj=b"more", path_in_repo="b.bin", repo_id=repo)
    assert "b.bin" in api.list_repo_files(f"{repo}-new")
    api.create_repo(repo)  # the old name is free, and then means the new repository
    assert api.model_info(repo).id == repo


def test_private(api: HfApi, stranger: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo(private=True)
    assert api.model_info(repo).private
    assert repo not in [model.id for model in stranger.list_models(author="alice")]
    assert repo in [model.id for model in api.list_models(author="alice")]
    nobody = HfApi(endpoint=api.endpoint, token=False)
    for who in (stranger, nobody):
        with pytest.raises(RepositoryNotFoundError):
            who.model_info(repo)
        with pytest.raises(RepositoryNotFoundError):
            who.auth_check(repo)
    api.update_repo_settings(repo, visibility="public")
    assert nobody.model_info(repo).private is False


def test_gated(api: HfApi, stranger: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo)
    api.update_repo_settings(repo, gated="manual")
    assert stranger.model_info(repo).gated == "manual"
    for who in (stranger, HfApi(endpoint=api.endpoint, token=False)):
        with pytest.raises(GatedRepoError):
            who.auth_check(repo)
        with pytest.raises(GatedRepoError):
            who.hf_hub_download(repo, "a.txt")
    api.auth_check(repo, write=True)
    api.update_repo_settings(repo, gated=False)
    stranger.auth_check(repo)


def test_a_diff_of_a_gated_repository_is_gated(
    api: HfApi, stranger: HfApi, raw: httpx2.Client, new_repo: NewRepo
) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"secret", path_in_repo="a", repo_id=repo, create_pr=True)
    api.update_repo_settings(repo, gated="manual")
    with pytest.raises(GatedRepoError):
        stranger.get_discussion_details(repo, 1)
    url = f"/api/models/{repo}/discussions/1"
    assert raw.get(url, params={"diff": "1"}).status_code == 401
    assert raw.get(url).json()["title"]
    assert "secret" in str(api.get_discussion_details(repo, 1).diff)


def test_listing_filters_sorts_and_pages(api: HfApi, new_repo: NewRepo) -> None:
    repos = [new_repo() for _ in range(5)]
    stem = repos[0].rpartition("/")[2].rpartition("-1-")[0]
    for number, repo in enumerate(repos):
        card = (
            f"---\nlicense: mit\npipeline_tag: image-to-image\ntags: [style, n{number % 2}]\n---\n"
        )
        api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=repo)

    def ids(**options: object) -> list[str]:
        return [model.id for model in api.list_models(search=stem, **options)]  # type: ignore[arg-type]

    assert ids(sort="created_at") == repos[::-1]
    assert ids(sort="created_at", limit=2) == repos[:2:-1]
    assert set(ids(filter=["style", "n1"])) == {repos[1], repos[3]}
    assert set(ids(filter="license:mit", pipeline_tag="image-to-image")) == set(repos)
    assert ids(filter="no such tag") == []
    assert ids(author="carol") == []
    first = next(iter(api.list_models(search=stem, full=True)))
    assert {s.rfilename for s in first.siblings or []} == {".gitattributes", "README.md"}
    expanded = next(iter(api.list_models(search=stem, expand=["cardData", "likes"])))
    assert expanded.card_data is not None
    assert expanded.card_data.license == "mit"
    assert expanded.sha is None


def test_pages_follow_each_other(raw: httpx2.Client, api: HfApi, new_repo: NewRepo) -> None:
    repos = [new_repo() for _ in range(3)]
    stem = repos[0].rpartition("/")[2].rpartition("-1-")[0]
    found: list[str] = []
    url: str | None = f"/api/models?search={stem}&limit=1&sort=createdAt"
    while url:
        answer = raw.get(url)
        found += [item["id"] for item in answer.json()]
        url = answer.links.get("next", {}).get("url")
    assert found == repos[::-1]


def test_likes(api: HfApi, server: Server, raw: httpx2.Client, new_repo: NewRepo) -> None:
    repo = new_repo()
    headers = bearer(server.alice)
    assert raw.post(f"/api/models/{repo}/like", headers=headers).status_code == 200
    assert api.model_info(repo).likes == 1
    assert [user.username for user in api.list_repo_likers(repo)] == ["alice"]
    assert repo in api.list_liked_repos("alice").models
    api.unlike(repo)
    assert api.model_info(repo).likes == 0


def test_branches_and_tags(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo)
    api.create_branch(repo, branch="exp/one")
    api.create_branch(
        repo, branch="old", revision=first.parent_oid if hasattr(first, "parent_oid") else first.oid
    )
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_branch(repo, branch="exp/one")
    assert status(refused) == 409
    api.create_branch(repo, branch="exp/one", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_branch(repo, branch="exp")  # its name is a folder of refs
    assert status(refused) == 409
    api.upload_file(path_or_fileobj=b"2", path_in_repo="d/b.txt", repo_id=repo, revision="exp/one")
    assert Path(hf_hub_download(repo, "d/b.txt", revision="exp/one")).read_bytes() == b"2"
    tree = [item.path for item in api.list_repo_tree(repo, "d", revision="exp/one")]
    assert tree == ["d/b.txt"]
    api.create_tag(repo, tag="v1", revision=first.oid)
    api.create_tag(repo, tag="v2", tag_message="Annotated")
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_tag(repo, tag="v1")
    assert status(refused) == 409
    refs = api.list_repo_refs(repo)
    assert {branch.name for branch in refs.branches} == {"main", "exp/one", "old"}
    assert {tag.name: tag.target_commit for tag in refs.tags} == {"v1": first.oid, "v2": first.oid}
    api.delete_tag(repo, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1")
    api.delete_branch(repo, branch="exp/one")
    with pytest.raises(HfHubHTTPError):
        api.delete_branch(repo, branch="exp/one")
    with pytest.raises(HfHubHTTPError) as refused:
        api.delete_branch(repo, branch="main")
    assert status(refused) == 403
    with pytest.raises(RevisionNotFoundError):
        api.create_branch(repo, branch="x", revision="nowhere")


@pytest.mark.parametrize(
    ("branch", "code"), [("refs/pr/foo", 400), ("refs/pr/07", 400), ("refs/pr/7", 403)]
)
def test_a_branch_cannot_pass_for_a_pull_request(
    api: HfApi, new_repo: NewRepo, branch: str, code: int
) -> None:
    repo = new_repo()
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_branch(repo, branch=branch)
    assert status(refused) == code
    with pytest.raises(HfHubHTTPError) as refused:
        api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, revision=branch)
    assert status(refused) in (400, 404)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, create_pr=True)
    api.create_branch(repo, branch="refs/pr/1", exist_ok=True)


def test_commits_and_squash(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    for number in range(60):
        api.create_commit(
            repo,
            [CommitOperationAdd("a.txt", str(number).encode())],
            commit_message=f"Number {number}",
            commit_description="And why.",
        )
    commits = api.list_repo_commits(repo, formatted=True)
    assert [commit.title for commit in commits[:2]] == ["Number 59", "Number 58"]
    assert len(commits) == 61
    assert commits[0].message == "And why."
    assert commits[0].authors == ["alice"]
    api.super_squash_history(repo, commit_message="All in one")
    (only,) = api.list_repo_commits(repo)
    assert only.title == "All in one"
    assert Path(hf_hub_download(repo, "a.txt")).read_bytes() == b"59"
    assert api.model_info(repo).sha == only.commit_id


def test_pull_request_to_merge(api: HfApi, new_repo: NewRepo, transfer: str) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"keep", path_in_repo="keep.txt", repo_id=repo)
    opened = api.upload_file(
        path_or_fileobj=b"weights",
        path_in_repo="w.bin",
        repo_id=repo,
        create_pr=True,
        commit_message="Add weights",
        commit_description="They are good.",
    )
    assert opened.pr_num == 1
    assert opened.pr_revision == "refs/pr/1"
    assert "w.bin" not in api.list_repo_files(repo)
    path = hf_hub_download(repo, "w.bin", revision="refs/pr/1")
    assert Path(path).read_bytes() == b"weights"
    api.upload_file(path_or_fileobj=b"2", path_in_repo="x/2", repo_id=repo, revision="refs/pr/1")
    api.upload_file(path_or_fileobj=b"3", path_in_repo="meanwhile", repo_id=repo)
    details = api.get_discussion_details(repo, 1)
    assert details.title == "Add weights"
    assert details.status == "open"
    assert details.conflicting_files == []
    assert [event.type for event in details.events] == ["comment", "commit", "commit"]
    assert details.diff is not None
    assert "+++ b/x/2" in details.diff
    api.merge_pull_request(repo, 1, comment="Thanks")
    details = api.get_discussion_details(repo, 1)
    assert details.status == "merged"
    assert details.merge_commit_oid == api.model_info(repo).sha
    files = {".gitattributes", "keep.txt", "meanwhile", "w.bin", "x/2"}
    assert set(api.list_repo_files(repo)) == files
    refs = api.list_repo_refs(repo, include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests or []] == ["refs/pr/1"]


def test_merging_keeps_what_may_be_run(api: HfApi, hub: Hub, new_repo: NewRepo) -> None:
    repo = new_repo()
    change = [CommitOperationAdd("run.sh", b"#!/bin/sh")]
    api.create_commit(repo, change, commit_message="Add a program", create_pr=True)
    row = hub.store.repo("model", repo)
    assert row
    with hub.repositories.writing(row.uid) as repository:
        head, ref = repository.resolve("refs/pr/1"), Ref(b"refs/pr/1")
        edits = Edits(repository, repository.commit(head).tree)
        edits.put(["run.sh"], Blob.from_string(b"#!/bin/sh").id, 0o100755)
        root, trees = edits.write()
        words = Signature("alice", "Let it run")
        made = repository.commit_tree([head], root, words, trees).id.decode()
        repository.move(ref, head, made)
    api.merge_pull_request(repo, 1)
    with hub.repositories.open(row.uid) as repository:
        tree = repository.tree(repository.commit(repository.resolve("main")).tree)
        assert tree[b"run.sh"][0] == 0o100755


def test_conflicting_pull_request(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"a", path_in_repo="f", repo_id=repo)
    api.upload_file(path_or_fileobj=b"b", path_in_repo="f", repo_id=repo, create_pr=True)
    api.upload_file(path_or_fileobj=b"c", path_in_repo="f", repo_id=repo)
    assert api.get_discussion_details(repo, 1).conflicting_files == ["f"]
    with pytest.raises(HfHubHTTPError) as refused:
        api.merge_pull_request(repo, 1)
    assert status(refused) == 409
    assert Path(hf_hub_download(repo, "f")).read_bytes() == b"c"


def test_pull_request_to_a_history_that_was_squashed(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"same", path_in_repo="same", repo_id=repo)
    for number in (b"1", b"2"):
        path = f"new-{number.decode()}"
        api.upload_file(path_or_fileobj=number, path_in_repo=path, repo_id=repo, create_pr=True)
    api.upload_file(path_or_fileobj=b"later", path_in_repo="later", repo_id=repo)
    api.super_squash_history(repo)
    details = api.get_discussion_details(repo, 1)
    assert details.conflicting_files == []
    assert "+++ b/new-1" in str(details.diff)
    assert "later" not in str(details.diff)
    api.merge_pull_request(repo, 1)
    assert set(api.list_repo_files(repo)) == {".gitattributes", "later", "new-1", "same"}
    api.upload_file(path_or_fileobj=b"other", path_in_repo="same", repo_id=repo)
    api.super_squash_history(repo)
    assert api.get_discussion_details(repo, 2).conflicting_files == ["same"]
    with pytest.raises(HfHubHTTPError) as refused:
        api.merge_pull_request(repo, 2)
    assert status(refused) == 409


def test_pull_request_that_makes_a_folder_a_file(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"{}", path_in_repo="model/config.json", repo_id=repo)
    api.create_commit(
        repo,
        [CommitOperationDelete("model/"), CommitOperationAdd("model", b"a file")],
        commit_message="One file will do",
        create_pr=True,
    )
    api.merge_pull_request(repo, 1)
    assert Path(hf_hub_download(repo, "model")).read_bytes() == b"a file"


def test_folder_as_pull_request_by_a_stranger(
    api: HfApi, stranger: HfApi, new_repo: NewRepo, transfer: str, tmp_path: Path
) -> None:
    repo = new_repo()
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "gift.bin").write_bytes(b"gift" * 1000)
    sent = stranger.upload_folder(repo_id=repo, folder_path=folder, create_pr=True)
    assert sent.pr_num == 1
    with pytest.raises(HfHubHTTPError) as refused:
        stranger.merge_pull_request(repo, 1)
    assert status(refused) == 403
    api.merge_pull_request(repo, 1)
    assert Path(hf_hub_download(repo, "gift.bin")).read_bytes() == b"gift" * 1000


def test_discussion(api: HfApi, stranger: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    opened = stranger.create_discussion(repo, "A question", description="Why?")
    assert opened.events[0].content == "Why?"  # type: ignore[attr-defined]
    comment = api.comment_discussion(repo, opened.num, "Because.")
    assert comment.author == "alice"
    edited = api.edit_discussion_comment(repo, opened.num, comment.id, "Because so.")
    assert edited.edited
    assert edited.number_of_edits == 1
    with pytest.raises(HfHubHTTPError):
        stranger.edit_discussion_comment(repo, opened.num, comment.id, "No.")
    with pytest.warns(UserWarning, match="irreversible"):
        assert api.hide_discussion_comment(repo, opened.num, comment.id).hidden
    assert api.rename_discussion(repo, opened.num, "An answer").new_title == "An answer"
    closed = api.change_discussion_status(repo, opened.num, "closed", comment="Done")
    assert closed.new_status == "closed"
    api.create_pull_request(repo, "A draft")
    listed = list(api.get_repo_discussions(repo))
    assert [(d.num, d.status, d.is_pull_request) for d in listed] == [
        (2, "draft", True),
        (1, "closed", False),
    ]
    (one,) = api.get_repo_discussions(repo, author="carol", discussion_status="closed")
    assert one.title == "An answer"
    with pytest.raises(BadRequestError):
        api._post_discussion_changes(
            repo_id=repo,
            repo_type="model",
            discussion_num=1,
            resource="status",
            body={"status": "x"},
        )


def test_lfs_files_are_listed_and_given_up(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"x" * 99, path_in_repo="d/w.bin", repo_id=repo)
    (file,) = api.list_lfs_files(repo)
    assert (file.filename, file.size) == ("d/w.bin", 99)
    api.permanently_delete_lfs_files(repo, [file], rewrite_history=False)
    assert list(api.list_lfs_files(repo)) == []


def test_duplicate(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    api.upload_file(path_or_fileobj=b"w" * 99, path_in_repo="w.bin", repo_id=repo)
    api.create_tag(repo, tag="v1")
    copy = api.duplicate_repo(repo, f"{repo}-copy").repo_id
    assert Path(hf_hub_download(copy, "w.bin", revision="v1")).read_bytes() == b"w" * 99
    assert api.model_info(copy).sha == api.model_info(repo).sha
    assert api.duplicate_repo(repo, copy, exist_ok=True).repo_id == copy
    with pytest.raises(HfHubHTTPError, match="already created"):
        api.duplicate_repo(repo, copy)


def test_a_duplicate_has_no_name_before_it_is_whole(
    api: HfApi, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, fetch, seen = new_repo("space", space_sdk="gradio"), GitRepo.fetch, []

    def watched(source: GitRepo, target: GitRepo, **options: Any) -> object:
        seen.append(api.repo_exists(f"{space}-copy", repo_type="space"))
        return fetch(source, target, **options)

    monkeypatch.setattr(GitRepo, "fetch", watched)
    api.duplicate_repo(
        space,
        f"{space}-copy",
        repo_type="space",
        space_secrets=[{"key": "PASSWORD", "value": "hunter2"}],
        space_variables=[{"key": "A", "value": "1"}],
    )
    assert seen == [False]
    assert api.space_info(f"{space}-copy").sdk == "gradio"
    assert set(api.get_space_secrets(f"{space}-copy")) == {"PASSWORD"}
    assert api.get_space_variables(f"{space}-copy")["A"].value == "1"


def test_a_duplicate_that_fails_leaves_nothing(
    api: HfApi,
    raw: httpx2.Client,
    server: Server,
    new_repo: NewRepo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo = new_repo()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(GitRepo, "fetch", full)
        body, headers = {"repository": f"{repo}-copy"}, bearer(server.alice)
        answer = raw.post(f"/api/models/{repo}/duplicate", json=body, headers=headers)
        assert answer.status_code == 507
    assert not api.repo_exists(f"{repo}-copy")
    assert api.duplicate_repo(repo, f"{repo}-copy").repo_id == f"{repo}-copy"


def test_a_commit_during_a_duplicate_is_not_in_it(
    api: HfApi, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = new_repo()
    before = api.model_info(repo).sha
    fetch = GitRepo.fetch

    def overtaken(source: GitRepo, target: GitRepo, **options: Any) -> object:
        try:
            return fetch(source, target, **options)
        finally:
            api.upload_file(path_or_fileobj=b"1", path_in_repo="late", repo_id=repo)

    monkeypatch.setattr(GitRepo, "fetch", overtaken)
    copy = api.duplicate_repo(repo, f"{repo}-copy").repo_id
    assert api.model_info(copy).sha == before
    assert api.list_repo_files(copy) == [".gitattributes"]


def test_space(api: HfApi, stranger: HfApi, new_repo: NewRepo) -> None:
    space = new_repo("space", space_sdk="gradio", space_variables=[{"key": "A", "value": "1"}])
    assert api.space_info(space).sdk == "gradio"
    assert "sdk: gradio" in Path(hf_hub_download(space, "README.md", repo_type="space")).read_text()
    api.add_space_secret(space, "PASSWORD", "hunter2", description="old")
    secrets = api.get_space_secrets(space)
    assert secrets["PASSWORD"].description == "old"
    api.delete_space_secret(space, "PASSWORD")
    assert api.get_space_secrets(space) == {}
    assert api.add_space_variable(space, "B", "2")["B"].value == "2"
    assert set(api.get_space_variables(space)) == {"A", "B"}
    api.delete_space_variable(space, "B")
    assert (
        api.request_space_hardware(space, SpaceHardware.T4_MEDIUM).requested_hardware == "t4-medium"
    )
    assert api.set_space_sleep_time(space, 600).sleep_time == 600
    assert api.pause_space(space).stage == "PAUSED"
    assert api.restart_space(space).stage != "PAUSED"
    assert api.get_space_runtime(space).sleep_time == 600
    with pytest.raises(HfHubHTTPError):
        stranger.get_space_variables(space)


def test_dataset(api: HfApi, new_repo: NewRepo, transfer: str) -> None:
    repo = new_repo("dataset")
    api.upload_file(
        path_or_fileobj=b"PAR1", path_in_repo="a.parquet", repo_id=repo, repo_type="dataset"
    )
    path = hf_hub_download(repo, "a.parquet", repo_type="dataset")
    assert Path(path).read_bytes() == b"PAR1"
    assert api.dataset_info(repo).id == repo
    assert repo in [dataset.id for dataset in api.list_datasets(author="alice")]
    card = b"---\nlanguage: [en]\ntask_ids: [open-domain-qa]\nsize_categories: n<1K\n---\n"
    api.upload_file(
        path_or_fileobj=card, path_in_repo="README.md", repo_id=repo, repo_type="dataset"
    )
    for wanted in ({"language": "en"}, {"task_ids": "open-domain-qa"}, {"size_categories": "n<1K"}):
        assert repo in [dataset.id for dataset in api.list_datasets(**wanted)]  # type: ignore[arg-type]
    assert repo not in [dataset.id for dataset in api.list_datasets(language="de")]


@pytest.mark.parametrize("feature", ["collections", "settings/webhooks", "jobs/alice"])
def test_unsupported_says_so(raw: httpx2.Client, feature: str) -> None:
    answer = raw.get(f"/api/{feature}")
    assert answer.status_code == 501
    assert answer.headers["x-error-message"]
