"""The runtime: devices, and which checkpoints stay loaded."""

from pathlib import Path

import pytest

from zoo import checkpoint
from zoo.errors import DeviceError, RepoNotFoundError
from zoo.hub.cache import Report, Transfer
from zoo.runtime import Listed, Runtime, choose_device, shipped


def test_pipeline_is_loaded_once() -> None:
    runtime = Runtime("cpu")
    first = runtime.pipeline("zoo/gatys")
    assert runtime.pipeline("zoo/gatys") is first
    assert first.checkpoint == "zoo/gatys"
    assert first.revision == checkpoint.digest(checkpoint.SHIPPED / "gatys")


def test_least_recently_used_goes_first() -> None:
    def fetch(repo_id: str, revision: str, *, report: Report | None = None) -> tuple[Path, str]:
        return checkpoint.SHIPPED / "gatys", repo_id[-1] * 40

    runtime = Runtime("cpu", fetch, keep=2)
    a, b = runtime.pipeline("zoo/a"), runtime.pipeline("zoo/b")
    assert runtime.pipeline("zoo/a") is a
    runtime.pipeline("zoo/c")
    assert runtime.pipeline("zoo/a") is a
    assert runtime.pipeline("zoo/b") is not b


def test_a_new_revision_is_loaded_anew() -> None:
    commits = iter(["1" * 40, "1" * 40, "2" * 40])

    def fetch(repo_id: str, revision: str, *, report: Report | None = None) -> tuple[Path, str]:
        return checkpoint.SHIPPED / "gatys", next(commits)

    runtime = Runtime("cpu", fetch)
    first, again, newer = (runtime.pipeline("zoo/gatys") for _ in range(3))
    assert first is again
    assert newer is not first


def test_the_listing_is_asked_each_time_and_the_default_comes_first() -> None:
    names = ["ada/gatys", "zoo/another", "zoo/gatys"]
    runtime = Runtime(
        "cpu", listing=lambda: [Listed(repo_id=name, method="gatys") for name in names]
    )
    assert [one.repo_id for one in runtime.checkpoints("gatys")] == [names[2], *names[:2]]
    names.append("zoo/new")
    assert [one.repo_id for one in runtime.checkpoints("gatys")][-1] == "zoo/new"


def test_a_download_is_reported_to_whoever_asked() -> None:
    seen: list[Transfer] = []

    def fetch(repo_id: str, revision: str, *, report: Report | None = None) -> tuple[Path, str]:
        assert report
        report(Transfer(repo_id, 1, 2))
        return checkpoint.SHIPPED / "gatys", "1" * 40

    Runtime("cpu", fetch).pipeline("zoo/gatys", report=seen.append)
    assert seen == [Transfer("zoo/gatys", 1, 2)]


@pytest.mark.parametrize("repo_id", ["zoo/none", "zoo/..", "zoo/../nn", "gatys/../../nn", ""])
def test_what_does_not_ship_is_not_found(repo_id: str) -> None:
    with pytest.raises(RepoNotFoundError, match="There is no checkpoint"):
        shipped(repo_id)


@pytest.mark.parametrize("device", ["cuda:99", "toaster", "cpu:x"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(DeviceError, match="cannot be used here"):
        choose_device(device)
