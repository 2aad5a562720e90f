"""The stock client pointed at a running hub, with a cache of its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.utils.tqdm import disable_progress_bars

from tests.hub.server.running import Server, serve
from zoo.hub.server import Hub

# The client's own calls; nothing of the hub's raises these.
CLIENT_WARNINGS = (
    "ignore:Use 'content=<...>' to upload:DeprecationWarning",
    "ignore:Implicitly cleaning up <TemporaryDirectory:ResourceWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for warning in CLIENT_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    for name in ("alice", "bob", "carol"):
        hub.create_user(name)
    hub.create_user("crew", members=("alice", "bob"))
    alice, carol = (hub.create_token(name, "test") for name in ("alice", "carol"))
    reader = hub.create_token("alice", "read only", role="read")
    with serve(hub) as url:
        yield Server(hub, url, alice, carol, reader)
    hub.close()


@pytest.fixture
def hub(server: Server) -> Hub:
    """The hub behind the server."""
    return server.hub


@pytest.fixture
def client(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the client's global settings at the hub, as ``HF_ENDPOINT`` and the like would."""
    cache = tmp_path / "hf"
    monkeypatch.setenv("HF_TOKEN", server.alice)
    monkeypatch.setenv("HF_XET_CACHE", str(cache / "xet"))
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    # The module's own functions belong to an instance made at import.
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    for name in ("HF_HUB_CACHE", "HF_XET_CACHE", "HF_ASSETS_CACHE", "HF_TOKEN_PATH"):
        monkeypatch.setattr(constants, name, str(cache / name.lower()))
    disable_progress_bars()
    yield
    huggingface_hub.close_session()


@pytest.fixture
def api(client: None, server: Server) -> HfApi:
    """The client as alice."""
    return HfApi(endpoint=server.url, token=server.alice)


@pytest.fixture
def stranger(client: None, server: Server) -> HfApi:
    """The client as carol, who belongs to no organisation."""
    return HfApi(endpoint=server.url, token=server.carol)


@pytest.fixture(params=["xet", "lfs"])
def transfer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways large files are uploaded."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", request.param == "lfs")
    return str(request.param)


@pytest.fixture
def new_repo(api: HfApi, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Create a repository of alice's under a name of its own."""
    count = 0

    def create(repo_type: str | None = None, **options: object) -> str:
        nonlocal count
        count += 1
        stem = "".join(c if c.isalnum() else "-" for c in request.node.name).strip("-")
        while "--" in stem:
            stem = stem.replace("--", "-")
        name = f"alice/{stem[:60].strip('-')}-{count}-{time.monotonic_ns() % 10**6}"
        return api.create_repo(name, repo_type=repo_type, **options).repo_id  # type: ignore[arg-type]

    return create


@pytest.fixture
def raw(server: Server) -> Iterator[httpx2.Client]:
    """A bare HTTP client without a token, for what the stock client would never send."""
    with httpx2.Client(base_url=server.url, timeout=30) as session:
        yield session
