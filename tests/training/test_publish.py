import json
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.training.toys import recipe_of, run_in, trainer_of
from training import dcgan, halves
from training.loop import fit
from training.publish import MARK, STARTED, curves, departures, main, publish, retell
from training.sheet import WIDEST, Sheet, both_ways
from zoo import card, checkpoint
from zoo.card import CardFacts, Metric
from zoo.errors import CheckpointError
from zoo.methods import METHODS
from zoo.methods.adain import AdaIN
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig
from zoo.methods.dcgan import DCGAN, DCGANConfig
from zoo.methods.many_styles import ManyStyles
from zoo.pipeline import Pipeline

SHIPPED = sorted(path.parent for path in checkpoint.SHIPPED.glob("*/recipe.json"))


@pytest.fixture
def run(photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of AdaIN."""
    monkeypatch.setitem(METHODS, "adain", AdaIN)
    settings = run_in(tmp_path / "run")
    fit(trainer_of("adain", recipe_of("adain", photos, paintings, steps=3), settings))
    return settings.out


def test_a_run_becomes_a_checkpoint_with_a_card(
    run: Path, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "published"
    metric = Metric(name="Content loss", value=1.5, data="2 photos")
    publish(
        run,
        out,
        "zoo/toy",
        contents=sorted(photos.iterdir())[:2],
        styles=sorted(paintings.iterdir())[:1],
        size=48,
        vary={"strength": ["0", "1"]},
        metrics=[metric],
        licenses={"photos": "made by the tests"},
        limits=("It is a toy.",),
    )
    facts = card.parse((out / "README.md").read_text())
    assert facts.repo_id == "zoo/toy"
    assert [(d.name, d.pictures, d.license) for d in facts.datasets] == [
        (photos.name, 5, "made by the tests"),
        (paintings.name, 4, "not stated"),
    ]
    assert all(len(data.sha256) == 64 for data in facts.datasets)
    assert facts.recipe == json.loads((out / "recipe.json").read_text())
    assert "photos" not in facts.recipe
    assert facts.metrics[0] == metric
    assert facts.metrics[1].name.startswith("Half precision, largest difference")
    assert 0 < facts.metrics[1].value < 0.5
    assert facts.metrics[1].data == "2 sample pictures"
    assert "3 steps of 2 pictures, where the full recipe makes 160000" in facts.limits[0]
    assert facts.limits[1:] == ("It is a toy.",)
    assert any("untouched photo" in sentence for sentence in facts.departures)
    with Image.open(out / "samples.jpg") as sheet:
        assert sheet.size == (3 * 28, 3 * 28)  # style and two photos; photos and two strengths
    for name in facts.samples:
        assert (out / name).stat().st_size > 500
    loaded = checkpoint.load(out)
    trained = checkpoint.load(run / "checkpoint")
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in trained.state_dict().items())


@pytest.mark.parametrize("factor", [1.5, float("nan")])
def test_weights_that_lost_too_much_are_refused(
    factor: float, run: Path, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    method = checkpoint.load(run / "checkpoint")
    assert isinstance(method, AdaIN)
    next(method.decoder.parameters()).mul_(factor)
    checkpoint.save(method, run / "checkpoint", torch.float16)
    shown: dict[str, Any] = {
        "contents": sorted(photos.iterdir())[:1],
        "styles": sorted(paintings.iterdir())[:1],
    }
    with pytest.raises(CheckpointError, match="Half precision changes the pictures"):
        publish(run, tmp_path / "published", "zoo/toy", size=48, **shown)
    assert not (tmp_path / "published").exists()


def test_full_precision_is_looked_for_in_the_run(
    run: Path, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    shown: dict[str, Any] = {
        "contents": sorted(photos.iterdir())[:1],
        "styles": sorted(paintings.iterdir())[:1],
    }
    state = torch.load(run / "state.pt", weights_only=True)
    lost = "module.decoder.conv1_1.weight"
    del state["shared"]["averaged"][lost]
    torch.save(state, run / "state.pt")
    with pytest.raises(CheckpointError, match=r"no weights for decoder\.conv1_1\.weight"):
        publish(run, tmp_path / "published", "zoo/toy", size=48, **shown)
    (run / "state.pt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="no state of a training"):
        publish(run, tmp_path / "published", "zoo/toy", size=48, **shown)


def test_the_recipe_tells_what_precision_was_computed_in(run: Path, tmp_path: Path) -> None:
    assert publish(run, tmp_path / "a", "zoo/toy").recipe["precision"] == "fp32"
    recipe = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps(recipe | {"precision": "bf16"}))
    assert publish(run, tmp_path / "b", "zoo/toy").recipe["precision"] == "fp32"
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"precision": "bf16"}))
    assert publish(run, tmp_path / "c", "zoo/toy").recipe["precision"] == "bf16"


def test_publishing_again_keeps_nothing_of_the_old_card(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "published"
    publish(run, out, "zoo/first", limits=("Gone.",))
    publish(run, out, "zoo/second")
    text = (out / "README.md").read_text()
    assert "zoo/second" in text
    assert "Gone." not in text


def test_what_needs_no_photo_is_shown_by_its_seeds(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "dcgan", DCGAN)
    settings = run_in(tmp_path / "run")
    recipe = recipe_of("dcgan", photos, paintings, steps=2)
    fit(trainer_of("dcgan", recipe, settings))
    monkeypatch.setattr(dcgan, "gate", lambda *_: [])  # two steps make no portraits
    monkeypatch.setattr(dcgan, "neighbours", None)
    facts = publish(settings.out, tmp_path / "published", "zoo/toy")
    assert facts.samples == ("samples.jpg", "curves.svg")
    with Image.open(tmp_path / "published" / "samples.jpg") as sheet:
        assert sheet.size == (8 * (recipe.size + 2), 4 * (recipe.size + 2))


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"run\.json"):
        publish(tmp_path, tmp_path / "out", "zoo/none")
    result = CliRunner().invoke(main, [str(tmp_path), "zoo/none"])
    assert result.exit_code == 2
    assert "no run" in result.stderr


def test_curves_are_a_picture_of_all_losses() -> None:
    lines = [
        {"step": n, "total": 10 / n, "lr": 0.1} | ({"a<b": 1.0} if n > 50 else {})
        for n in range(1, 101)
    ]
    root = ElementTree.fromstring(curves(lines, points=20))
    drawn = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(drawn) == 2
    points = [tuple(map(float, p.split(","))) for p in drawn[0].attrib["points"].split()]
    assert len(points) == 20
    heights = [y for _, y in points]
    assert heights == sorted(heights)  # the loss falls, and y grows downwards
    assert heights[0] == 30


def test_departures_are_read_from_the_code() -> None:
    found = departures(CardFacts(method="adain"))
    assert found[0].startswith("Differs from the paper: what the decoder loses of the untouched")
    assert found[0].endswith("and not a copy of it.")
    assert found[1:] == (
        "Differs from the paper: what is kept are averages of the weights over the latest steps.",
    )
    start = "Differs from the published code: there is no identity added"
    assert told(start, "fast_photo_style")


def told(words: str, method: str, **facts: Any) -> bool:
    return any(words in line for line in departures(CardFacts(method=method, **facts)))


def test_departures_are_those_of_the_recipe_and_the_network() -> None:
    features = "look at features of a trained network"
    for method in ("cyclegan", "munit", "drit", "dcgan"):
        assert not told(features, method)  # the papers' pixels are the default
        assert told(features, method, recipe={"judged": "features"})
    assert told("augmented", "dcgan")
    assert not told("augmented", "dcgan", recipe={"augment": "none"})
    assert not told("averages", "adain", recipe={"average": 0.0})
    assert told("features have no weight", "fast_photo_style", recipe={"feature_weight": 0.0})
    assert not told("features have no weight", "fast_photo_style")
    assert told("a change that is added", "cyclegan", config={"skip": True})
    assert not told("a change that is added", "cyclegan")
    assert told("begin no larger than drawn ones", "munit", limits=(STARTED,))
    assert not told("begin no larger than drawn ones", "munit")


def test_what_a_departure_hangs_on_is_a_setting() -> None:
    configs = {field.name for m in METHODS.values() for field in fields(m.Config)}  # type: ignore[arg-type]
    marked = 0
    for path in [*Path("training").glob("*.py"), *Path("zoo").rglob("*.py")]:
        marks = [mark for mark in MARK.finditer(path.read_text()) if mark[2]]
        if marks and path.parts[0] == "training":
            kinds = vars(import_module(f"training.{path.stem}")).items()
            recipes = [kind for name, kind in kinds if name.endswith("Recipe")]
            known = {name for kind in recipes for name in kind.__dataclass_fields__}
        else:
            known = configs
        assert {mark[2] for mark in marks} <= known, path
        marked += len(marks)
        assert "Differs from the paper [" not in MARK.sub("", path.read_text())
    assert marked > 20


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: str(folder.name))
def test_cards_of_what_ships_tell_the_departures_of_today(folder: Path, tmp_path: Path) -> None:
    """Where one does not, `python -m training.zoo --retell` brings all up to date."""
    text = (folder / "README.md").read_text()
    (tmp_path / "README.md").write_text(text)
    retell(tmp_path)
    assert (tmp_path / "README.md").read_text() == text


def test_a_network_that_learned_more_styles_tells_so(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "many_styles", ManyStyles)
    first, more = run_in(tmp_path / "first"), run_in(tmp_path / "more")
    fit(trainer_of("many_styles", recipe_of("many_styles", photos, paintings, steps=1), first))
    added = {"add_to": first.out / "checkpoint", "width": 6, "steps": 1}
    fit(trainer_of("many_styles", recipe_of("many_styles", photos, paintings, **added), more))
    facts = publish(more.out, tmp_path / "published", "zoo/toy")
    assert facts.recipe["width"] == facts.config["width"] == 4
    assert any("the command alone does not make the same" in limit for limit in facts.limits)


def test_unrounded_weights_are_those_that_round_to_what_ships() -> None:
    torch.manual_seed(0)
    method = DCGAN(DCGANConfig(width=4, size=16))
    values = torch.randn(6000).mul(torch.logspace(-9, 4, 6000)).half().float()
    first = next(p for p in method.parameters() if p.numel() >= 6000)
    exact = torch.tensor([0.0, 1.0, 2.0, 0.5, 65504.0, -1.0])
    with torch.no_grad():
        for weight in method.parameters():
            weight.copy_(weight.half().float())
        first.view(-1)[:6000] = values
        first.view(-1)[:6] = exact
        first.view(-1)[6] = 0.1  # more bits than half precision holds
    before = first.detach().clone().view(-1)
    full = dict(halves.unrounded(method).named_parameters())
    moved = next(p for name, p in full.items() if p.shape == first.shape).detach().view(-1)
    assert torch.equal(moved[:6000].half(), before[:6000].half())
    assert moved[6] == before[6]
    shift = (moved - before).abs()[7:6000] / (values[7:].abs() * 2**-11).clamp(min=2**-25)
    assert 0.3 < shift.mean() < 0.6  # a quarter of a digit of 2^-11 to 2^-10, on average
    assert torch.equal(first.detach().view(-1), before)
    again, other = (dict(halves.unrounded(method, seed).named_parameters()) for seed in (0, 1))
    assert all(torch.equal(again[name], weight) for name, weight in full.items())
    assert not all(torch.equal(other[name], weight) for name, weight in full.items())


@pytest.mark.parametrize("directions", [("AtoB", "BtoA"), ("BtoA",)])
def test_networks_that_go_both_ways_are_shown_both_ways(
    directions: tuple[str, ...], photos: Path, paintings: Path
) -> None:
    torch.manual_seed(0)
    config = CycleGANConfig(width=4, blocks=1, domains=("day", "night"), directions=directions)
    method = CycleGAN(config).eval()
    first, second = sorted(photos.iterdir())[:3], sorted(paintings.iterdir())[:2]
    shown = Sheet(contents=first, contents_b=second, size=32)
    tried = [(one["direction"], one["content"]) for one in shown.some(method)]
    expected = [("AtoB", path) for path in first] + [("BtoA", path) for path in second]
    assert tried == [pair for pair in expected if pair[0] in directions]
    drawn = shown.draw(method)
    assert drawn is not None
    assert drawn.width == WIDEST if len(directions) == 2 else drawn.width <= WIDEST
    seen: list[str] = []
    pictures = {way: [Image.new("RGB", (32, 32))] for way in directions}
    for title, rows in both_ways(Pipeline(method), pictures, size=32):
        seen += [title, *(cell.caption for cell in rows[0])]
    back = ["night to day", "night", "day"]
    there = ["day to night", "day", "night", "and back"]
    assert seen == ([*there, *back, "and back"] if len(directions) == 2 else back)
    # A setting that gets rows of its own, or a fixed direction, has the usual sheet.
    fixed = Sheet(contents=first, size=32, options={"direction": directions[0]})
    assert [one["direction"] for one in fixed.some(method)] == [directions[0]] * 3
