"""What every method promises, checked for all that are registered."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from tests.pictures import photo
from zoo import checkpoint
from zoo.codes import Coded
from zoo.errors import InputError
from zoo.method import Content, Method, Paper
from zoo.methods import METHODS
from zoo.pipeline import Pipeline


def tiny(cls: type[Method]) -> Method:
    """The method with its smallest networks and weights that are random but always the same."""
    widths = {f.name for f in dataclasses.fields(cls.Config)} & {"width"}  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return cls(cls.Config(**dict.fromkeys(widths, 4)))


def inputs(pipeline: Pipeline) -> dict[str, Any]:
    given: dict[str, Any] = {
        f.name: photo(seed=i) for i, f in enumerate(pipeline.form) if f.kind == "picture"
    }
    steps = pipeline.form.by_name.get("steps")
    if steps and steps.low:
        given["steps"] = int(steps.low)
    return given


@pytest.fixture(params=METHODS.values(), ids=list(METHODS))
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    return Pipeline(tiny(request.param))


def test_is_described(pipeline: Pipeline) -> None:
    method = type(pipeline.method)
    assert method.name in METHODS
    assert method.title
    assert method.summary.endswith(".")
    assert 2014 <= method.paper.year <= 2030
    assert method.paper.url.startswith(("https://arxiv.org/abs/", "https://openaccess.thecvf.com/"))
    assert bool(method.paper.arxiv) != bool(method.paper.page)
    assert method.checkpoint.startswith("zoo/")
    for field in pipeline.form:
        assert field.label
        assert field.name.islower()


def test_gives_pictures_of_the_size_of_the_photo(pipeline: Pipeline) -> None:
    for picture in pipeline(**inputs(pipeline)):
        assert picture.mode == "RGB"
        if "content" in pipeline.form.by_name:
            assert picture.size == (65, 49)


def test_same_inputs_give_the_same_bytes(pipeline: Pipeline) -> None:
    first, again = (pipeline(**inputs(pipeline)) for _ in range(2))
    assert [p.tobytes() for p in first] == [p.tobytes() for p in again]


def test_bounds_are_enforced_before_any_work(pipeline: Pipeline) -> None:
    for field in pipeline.form:
        for bound, beyond in ((field.low, -1), (field.high, 1)):
            if bound is not None and field.kind in ("int", "float"):
                with pytest.raises(InputError, match=field.label):
                    pipeline(**inputs(pipeline) | {field.name: bound + beyond})


def test_a_missing_picture_is_named(pipeline: Pipeline) -> None:
    for field in pipeline.form:
        if field.is_picture and field.required:
            with pytest.raises(InputError, match=field.label):
                pipeline(**inputs(pipeline) | {field.name: None})


def test_the_last_look_is_the_result_with_its_record(pipeline: Pipeline) -> None:
    *looks, last = pipeline.stream(**inputs(pipeline))
    assert all(look.record is None for look in looks)
    assert last.record is not None
    assert last.record.method == pipeline.method.name
    assert (last.record.width, last.record.height) == last.pictures()[0].size
    assert set(last.record.settings) == {f.name for f in pipeline.form if not f.is_picture}


def test_checkpoint_round_trip(pipeline: Pipeline, tmp_path: Path) -> None:
    checkpoint.save(pipeline.method, tmp_path / "a")
    again = Pipeline(checkpoint.load(tmp_path / "a"))
    first, second = pipeline(**inputs(pipeline)), again(**inputs(again))
    assert [p.tobytes() for p in first] == [p.tobytes() for p in second]


@pytest.mark.parametrize("mode", ["match", "luminance"])
def test_colors_of_the_photo_can_be_kept(pipeline: Pipeline, mode: str) -> None:
    if "colors" not in pipeline.form.by_name:
        pytest.skip("takes no photo")
    given = inputs(pipeline)
    if mode == "match" and isinstance(pipeline.method, Coded):
        # The style picture is recoloured, and fresh weights may see the same code in both.
        given["style"] = Image.new("RGB", (64, 64), "red")
        code_of = pipeline.method.code_of
        pipeline.method.code_of = lambda style, way="AtoB": code_of(100 * style, way)  # type: ignore[method-assign,assignment]
    assert pipeline(**given)[0].tobytes() != pipeline(**given, colors=mode)[0].tobytes()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees_with_cpu(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    # In the same arithmetic: networks of random weights blow up what bfloat16 and TF32 round off.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    given = inputs(pipeline)
    pipeline.method.precision = torch.float32
    *_, on_cpu = pipeline.stream(**given)
    other = Pipeline(tiny(type(pipeline.method)), "cuda")
    other.method.precision = torch.float32
    *_, on_gpu = other.stream(**given)
    assert (on_cpu.tensors - on_gpu.tensors.cpu()).abs().mean() < 2 / 255


@dataclasses.dataclass(frozen=True)
class TintConfig:
    width: int = 4


class Tint(Method):
    """A throw-away method: what is needed for a new one, and no more."""

    name = "tint"
    title = "Tint"
    summary = "Tints a photo."
    paper = Paper("None", "Nobody", 2026, "0000.00000")
    checkpoint = "zoo/tint"
    Config = TintConfig

    def __init__(self, config: TintConfig) -> None:
        super().__init__(config)
        self.net = nn.Conv2d(3, 3, 1)

    def forward(
        self,
        content: Content,
        *,
        depth: Annotated[float, Field(ge=0, le=1, description="How strong the tint is.")] = 0.5,
    ) -> Tensor:
        """Return the tinted photo."""
        return (content + depth * self.net(content)).clamp(0, 1)


@pytest.fixture
def throwaway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Tint registered and its checkpoint shipped: the steps of CONTRIBUTING.md, for a moment."""
    monkeypatch.setitem(METHODS, "tint", Tint)
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path)
    checkpoint.save(tiny(Tint), tmp_path / "tint")
    return "tint"


def test_a_new_method_works_from_python_and_the_shell(
    throwaway: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from zoo.__main__ import main
    from zoo.runtime import Runtime

    (made,) = Runtime("cpu").pipeline("zoo/tint")(content=photo(), depth=1)
    assert made.size == (65, 49)
    photo().save(tmp_path / "photo.png")
    out = tmp_path / "out.png"
    words = ["run", "tint", "--content", str(tmp_path / "photo.png"), "--depth", "1"]
    main.main([*words, "--device", "cpu", "--out", str(out)], standalone_mode=False)
    assert out.is_file()
    main.main(["info", "tint"], standalone_mode=False)
    assert "How strong the tint is." in capsys.readouterr().out
