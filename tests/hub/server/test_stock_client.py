"""What the stock client does with files: commits, uploads, downloads, caches."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    ModelCard,
    ModelHubMixin,
    constants,
    file_exists,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RevisionNotFoundError
from huggingface_hub.file_download import _CACHED_NO_EXIST

from zoo.hub.server import Hub

NewRepo = Callable[..., str]


def test_folder_there_and_back(
    api: HfApi, new_repo: NewRepo, transfer: str, tmp_path: Path
) -> None:
    repo = new_repo()
    folder = tmp_path / "up"
    contents = {
        "model.safetensors": os.urandom(1_500_000),
        "other.safetensors": os.urandom(100_000),
        "notes/ünïcode name.txt": "héllo".encode(),
        "notes/deep/er/data.bin": b"\x00" * 300_000,
        "config.json": b"{}",
    }
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="All of it")
    down = Path(snapshot_download(repo))
    assert down.name == commit.oid
    for path, content in contents.items():
        assert (down / path).read_bytes() == content
    checked = api.verify_repo_checksums(repo)
    assert checked.checked_count == len(contents) + 1  # .gitattributes
    assert not checked.mismatches
    info = {f.rfilename: f for f in api.model_info(repo, files_metadata=True).siblings or []}
    lfs = info["model.safetensors"].lfs
    assert lfs is not None
    assert lfs.sha256 == hashlib.sha256(contents["model.safetensors"]).hexdigest()
    assert info["config.json"].lfs is None


def test_same_bytes_under_two_names(
    api: HfApi, new_repo: NewRepo, transfer: str, tmp_path: Path
) -> None:
    """The client then sends the same object twice, at the same time."""
    repo = new_repo()
    content = os.urandom(2_000_000)
    for name in ("a.bin", "b.bin", "c.bin"):
        (tmp_path / name).write_bytes(content)
    api.upload_folder(repo_id=repo, folder_path=tmp_path, allow_patterns="*.bin")
    for name in ("a.bin", "b.bin", "c.bin"):
        assert Path(hf_hub_download(repo, name)).read_bytes() == content


def test_file_objects_bytes_and_paths(
    api: HfApi, new_repo: NewRepo, transfer: str, tmp_path: Path
) -> None:
    repo = new_repo()
    path = tmp_path / "a.bin"
    path.write_bytes(b"from a path")
    api.upload_file(path_or_fileobj=path, path_in_repo="a.bin", repo_id=repo)
    api.upload_file(path_or_fileobj=b"from bytes", path_in_repo="b.bin", repo_id=repo)
    with path.open("rb") as file:
        api.upload_file(path_or_fileobj=file, path_in_repo="c/c.bin", repo_id=repo)
    api.upload_file(path_or_fileobj=b"", path_in_repo="empty.bin", repo_id=repo)
    for name, content in (
        ("a.bin", b"from a path"),
        ("b.bin", b"from bytes"),
        ("c/c.bin", b"from a path"),
        ("empty.bin", b""),
    ):
        assert Path(hf_hub_download(repo, name)).read_bytes() == content


def test_commit_adds_copies_and_deletes(api: HfApi, new_repo: NewRepo, transfer: str) -> None:
    repo, other = new_repo(), new_repo()
    api.create_commit(
        repo,
        [
            CommitOperationAdd("big.bin", b"large" * 1000),
            CommitOperationAdd("small.txt", b"small"),
            CommitOperationAdd("old/one.txt", b"1"),
            CommitOperationAdd("old/two.txt", b"2"),
        ],
        commit_message="first",
    )
    api.create_commit(
        repo,
        [
            CommitOperationCopy("big.bin", "copies/big.bin"),
            CommitOperationCopy("small.txt", "copies/small.txt"),
            CommitOperationDelete("old/"),
            CommitOperationDelete("small.txt"),
        ],
        commit_message="second",
        commit_description="With a description.",
    )
    files = [".gitattributes", "big.bin", "copies/big.bin", "copies/small.txt"]
    assert sorted(api.list_repo_files(repo)) == files
    # To another repository without the bytes passing through here.
    api.create_commit(
        other,
        [
            CommitOperationCopy("big.bin", "got/big.bin", src_repo_id=repo, src_repo_type="model"),
            CommitOperationCopy(
                "copies/small.txt", "got/small.txt", src_repo_id=repo, src_repo_type="model"
            ),
        ],
        commit_message="from there",
    )
    assert Path(hf_hub_download(other, "got/big.bin")).read_bytes() == b"large" * 1000
    assert Path(hf_hub_download(other, "got/small.txt")).read_bytes() == b"small"
    with pytest.raises(HfHubHTTPError, match="A file with this name doesn't exist"):
        api.delete_file("nowhere.txt", repo)


def test_stale_parent_is_refused(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo)
    api.upload_file(
        path_or_fileobj=b"2", path_in_repo="a", repo_id=repo, parent_commit=first.oid[:7]
    )
    with pytest.raises(HfHubHTTPError) as refused:
        api.upload_file(
            path_or_fileobj=b"3", path_in_repo="a", repo_id=repo, parent_commit=first.oid
        )
    assert refused.value.response.status_code == 412
    assert Path(hf_hub_download(repo, "a")).read_bytes() == b"2"


def test_revisions_of_a_file(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    first = api.upload_file(path_or_fileobj=b"one", path_in_repo="a.txt", repo_id=repo)
    api.upload_file(path_or_fileobj=b"two", path_in_repo="a.txt", repo_id=repo)
    for revision in (first.oid, first.oid[:7]):
        assert Path(hf_hub_download(repo, "a.txt", revision=revision)).read_bytes() == b"one"
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(repo, "a.txt", revision="nowhere")


def test_missing_file_is_remembered(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    assert not file_exists(repo, "nothing.json")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(repo, "nothing.json")
    cache = constants.HF_HUB_CACHE
    assert try_to_load_from_cache(repo, "nothing.json", cache_dir=cache) is _CACHED_NO_EXIST


def test_metadata_of_a_large_file(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    content = os.urandom(5000)
    commit = api.upload_file(path_or_fileobj=content, path_in_repo="a.bin", repo_id=repo)
    found = get_hf_file_metadata(hf_hub_url(repo, "a.bin"))
    assert found.commit_hash == commit.oid
    assert found.etag == hashlib.sha256(content).hexdigest()
    assert found.size == len(content)
    assert found.xet_file_data is None


def test_upload_ignores_what_gitignore_names(api: HfApi, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo()
    folder = tmp_path / "up"
    (folder / "cache").mkdir(parents=True)
    (folder / ".gitignore").write_text("*.log\ncache/\n")
    for name in ("a.log", "cache/b.txt", "kept.txt"):
        (folder / name).write_text("x")
    api.upload_folder(repo_id=repo, folder_path=folder)
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", ".gitignore", "kept.txt"]


def test_unchanged_files_make_no_commit(
    api: HfApi, new_repo: NewRepo, transfer: str, tmp_path: Path
) -> None:
    repo = new_repo()
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights" * 1000)
    (folder / "t.txt").write_bytes(b"text")
    first = api.upload_folder(repo_id=repo, folder_path=folder)
    assert api.upload_folder(repo_id=repo, folder_path=folder).oid == first.oid


def test_large_regular_name_becomes_lfs_and_is_marked(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    content = b"x" * 10_500_000
    api.upload_file(path_or_fileobj=content, path_in_repo="my log.text", repo_id=repo)
    (found,) = api.get_paths_info(repo, "my log.text")
    assert found.lfs is not None  # type: ignore[union-attr]
    attributes = Path(hf_hub_download(repo, ".gitattributes")).read_text()
    assert "/my[[:space:]]log.text filter=lfs" in attributes
    small = b"y" * 9_000_000
    api.upload_file(path_or_fileobj=small, path_in_repo="small.text", repo_id=repo)
    (found,) = api.get_paths_info(repo, "small.text")
    assert found.lfs is None  # type: ignore[union-attr]


def test_tree_with_last_commits(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    oids: dict[str, str] = {}
    for name in ("a/x.txt", "a/y.txt", "b.txt", "a/x.txt"):
        content = f"{name} {len(oids)}".encode()
        commit = api.upload_file(
            path_or_fileobj=content, path_in_repo=name, repo_id=repo, commit_message=f"Put {name}"
        )
        oids[name] = commit.oid
        # Asking in between fills the cache that later answers build on.
        list(api.list_repo_tree(repo, expand=True))
    tree = {item.path: item for item in api.list_repo_tree(repo, recursive=True, expand=True)}
    found = {path: last.oid for path in oids if (last := tree[path].last_commit)}
    assert found == oids
    assert tree["a"].last_commit is not None
    assert tree["a"].last_commit.oid == oids["a/x.txt"]
    assert tree["b.txt"].last_commit is not None
    assert tree["b.txt"].last_commit.title == "Put b.txt"
    assert [item.path for item in api.list_repo_tree(repo, "a")] == ["a/x.txt", "a/y.txt"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo, "nowhere"))


def test_many_files_in_pages(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    adds = [CommitOperationAdd(f"f/{n:04d}.txt", str(n).encode()) for n in range(1203)]
    api.create_commit(repo, adds, commit_message="many")
    assert len(api.list_repo_files(repo)) == 1204
    assert len(list(api.list_repo_tree(repo, "f", expand=True))) == 1203
    assert Path(hf_hub_download(repo, "f/0777.txt")).read_bytes() == b"777"


def test_file_system(api: HfApi, new_repo: NewRepo, transfer: str) -> None:
    repo = new_repo()
    files = HfFileSystem(endpoint=api.endpoint, token=api.token, skip_instance_cache=True)
    with files.open(f"{repo}/a/data.bin", "wb") as out:
        out.write(b"0123456789" * 100)
    files.invalidate_cache()
    assert files.ls(f"{repo}/a", detail=False) == [f"{repo}/a/data.bin"]
    with files.open(f"{repo}/a/data.bin", "rb") as source:
        source.seek(995)
        assert source.read() == b"56789"
    files.cp_file(f"{repo}/a/data.bin", f"{repo}/b.bin")
    files.rm(f"{repo}/a/data.bin")
    files.invalidate_cache()
    assert not files.exists(f"{repo}/a/data.bin")  # type: ignore[no-untyped-call]
    assert files.cat_file(f"{repo}/b.bin") == b"0123456789" * 100


def test_card(api: HfApi, new_repo: NewRepo) -> None:
    repo = new_repo()
    card = ModelCard("---\nlicense: mit\ntags:\n- style\nlibrary_name: zoo\n---\n# Hello\n")
    card.push_to_hub(repo, token=str(api.token))
    assert ModelCard.load(repo).data.tags == ["style"]
    info = api.model_info(repo)
    assert info.library_name == "zoo"
    assert set(info.tags or []) == {"zoo", "style", "license:mit"}
    assert info.card_data is not None
    assert info.card_data.license == "mit"
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(
            path_or_fileobj=b"---\ntags: [a\n---\n", path_in_repo="README.md", repo_id=repo
        )


def test_mixin_saves_and_loads(api: HfApi, new_repo: NewRepo) -> None:
    class Tiny(ModelHubMixin):
        def __init__(self, width: int) -> None:
            self.width = width

        def _save_pretrained(self, save_directory: Path) -> None:
            (save_directory / "weights.bin").write_bytes(bytes(self.width))

        @classmethod
        def _from_pretrained(cls, *, model_id: str, **options: object) -> "Tiny":
            return cls(len(Path(hf_hub_download(model_id, "weights.bin")).read_bytes()))

    repo = new_repo()
    Tiny(7).push_to_hub(repo)
    assert Tiny.from_pretrained(repo).width == 7


def test_pytorch_mixin(api: HfApi, new_repo: NewRepo, transfer: str) -> None:
    import torch
    from huggingface_hub import PyTorchModelHubMixin

    class Net(torch.nn.Module, PyTorchModelHubMixin):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(width, 2)

    repo = new_repo()
    net = Net(width=5)
    net.push_to_hub(repo)
    assert api.get_safetensors_metadata(repo).parameter_count == {"F32": 12}
    loaded = Net.from_pretrained(repo)
    assert torch.equal(loaded.layer.weight, net.layer.weight)


def test_xet_is_really_used(
    api: HfApi, new_repo: NewRepo, monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    """An upload by Xet leaves xorbs on the server; one without it does not."""
    found = hub.store.repo("model", repo := new_repo())
    assert found is not None
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    api.upload_file(path_or_fileobj=b"one" * 999, path_in_repo="a.bin", repo_id=repo)
    assert not list(hub.xorbs.glob(f"{found.uid}-*"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    api.upload_file(path_or_fileobj=b"two" * 999, path_in_repo="b.bin", repo_id=repo)
    assert list(hub.xorbs.glob(f"{found.uid}-*/*"))


def test_recreated_repo_takes_the_same_bytes_again(
    api: HfApi, new_repo: NewRepo, transfer: str, tmp_path: Path
) -> None:
    """The client remembers chunks it sent; a repository made anew must not depend on them."""
    repo = new_repo()
    path = tmp_path / "w.bin"
    path.write_bytes(os.urandom(200_000))
    for _ in range(2):
        api.upload_file(path_or_fileobj=path, path_in_repo="w.bin", repo_id=repo)
        down = hf_hub_download(repo, "w.bin", force_download=True)
        assert Path(down).read_bytes() == path.read_bytes()
        api.delete_repo(repo)
        api.create_repo(repo)
