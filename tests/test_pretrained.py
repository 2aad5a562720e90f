from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pytest
import torch
from huggingface_hub import HfApi
from pydantic import Field
from torch import Tensor, nn

from tests.hub.serving import Serving, serving
from zoo import card, checkpoint
from zoo.checkpoint import facts_of
from zoo.errors import CheckpointError, ChecksumError, HubUnavailableError
from zoo.hub.client import HubClient
from zoo.method import Content, Method, Paper
from zoo.methods import METHODS
from zoo.methods.gatys import Gatys, GatysConfig
from zoo.runtime import Runtime

TOKEN = "token-of-ada"


@dataclass(frozen=True, kw_only=True)
class TintConfig:
    width: int = 3


class Tint(Method):
    name = "tint"
    title = "Tint"
    summary = "Mixes the colours."
    paper = Paper("On Tints", "A. Author", 2001, "0101.00001")
    checkpoint = "ada/tint"
    Config = TintConfig

    def __init__(self, config: TintConfig) -> None:
        super().__init__(config)
        self.mix = nn.Conv2d(3, config.width, 1)

    def forward(
        self, content: Content, *, strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    ) -> Tensor:
        return self.mix(content)[:, :3].sigmoid() * strength


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("hub")) as app:
        app.hub.create_token("ada", "test", value=TOKEN)
        yield app


@pytest.fixture(autouse=True)
def surroundings(server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "tint", Tint)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tint() -> Tint:
    torch.manual_seed(7)
    return Tint(TintConfig(width=4))


def test_a_method_goes_to_the_hub_and_back(tint: Tint, server: Serving) -> None:
    commit = tint.push_to_hub("ada/tint", token=TOKEN)
    for source in ("ada/tint", f"ada/tint@{commit}"):
        for loaded in (Tint.from_pretrained(source), Method.from_pretrained(source)):
            assert isinstance(loaded, Tint)
            assert loaded.config == TintConfig(width=4)
            assert not loaded.training
            picture = torch.rand(1, 3, 8, 8)
            assert torch.equal(loaded(picture), tint(picture))
    facts = HubClient(server.url, Path("unused"), offline=False).info("ada/tint").facts
    assert (facts.method, facts.title, facts.pipeline_tag) == ("tint", "Tint", "image-to-image")


def test_gatys_has_no_weights_and_goes_there_and_back_too(tmp_path: Path) -> None:
    Gatys(GatysConfig(pooling="average")).push_to_hub("ada/gatys", token=TOKEN)
    assert Gatys.from_pretrained("ada/gatys").config == GatysConfig(pooling="average")
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_a_runtime_runs_what_the_client_fetches(
    tint: Tint, server: Serving, tmp_path: Path
) -> None:
    commit = tint.push_to_hub("ada/run", token=TOKEN, message="one")
    client = HubClient(server.url, tmp_path / "other")
    pipeline = Runtime("cpu", fetch=client.snapshot).pipeline("ada/run")
    assert (pipeline.checkpoint, pipeline.revision) == ("ada/run", commit)


def test_another_method_is_refused(tint: Tint, tmp_path: Path) -> None:
    tint.save_pretrained(tmp_path / "tint")
    with pytest.raises(CheckpointError, match="is a checkpoint of tint, not of gatys"):
        Gatys.from_pretrained(tmp_path / "tint")


def test_a_damaged_checkpoint_is_not_loaded(tint: Tint, server: Serving) -> None:
    tint.push_to_hub("ada/broken", token=TOKEN)
    info = HfApi(server.url, token=False).model_info("ada/broken", files_metadata=True)
    (digest,) = [s.lfs.sha256 for s in info.siblings or () if s.lfs]
    stored = server.hub.objects.local_path(digest)
    assert stored
    stored.chmod(0o644)
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1  # in a weight, so that safetensors alone would load it
    stored.write_bytes(content)
    with pytest.raises(ChecksumError):
        Tint.from_pretrained("ada/broken")


def test_a_card_is_made_and_one_that_is_there_stays(
    tint: Tint, server: Serving, tmp_path: Path
) -> None:
    folder = tmp_path / "tint"
    tint.save_pretrained(folder, dtype=torch.float16)
    path = folder / checkpoint.CARD
    assert card.parse(path.read_text()) == facts_of(tint)
    path.write_text("mine")
    tint.save_pretrained(folder)
    assert path.read_text() == "mine"
    known = replace(facts_of(tint, "ada/carded"), seed=3)
    tint.save_pretrained(folder, facts=known)
    assert card.parse(path.read_text()).seed == 3

    client = HubClient(server.url, tmp_path / "other")
    tint.push_to_hub("ada/carded", facts=known, token=TOKEN)
    with torch.no_grad():
        tint.mix.weight += 1
    tint.push_to_hub("ada/carded", token=TOKEN)
    assert client.info("ada/carded").facts == known
    tint.push_to_hub("ada/carded", facts=replace(known, seed=4), token=TOKEN)
    assert client.info("ada/carded").facts.seed == 4


def test_what_ships_needs_no_hub_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, server: Serving
) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    server.requests.clear()
    assert Gatys.from_pretrained("zoo/gatys").config == GatysConfig()
    assert server.requests == []
    with pytest.raises(HubUnavailableError, match="zoo/gatys is not on this machine"):
        Gatys.from_pretrained("zoo/gatys", endpoint="http://127.0.0.1:9")
