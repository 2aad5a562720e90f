"""The walk over all that ships, at toy size."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from training import zoo
from training.carry import carry
from training.data import ORIGINALS, content_hash, open_pack, originals, pack
from training.jobs import JOBS, Job, Session
from training.publish import recipe_in
from training.sources import pictures
from training.zoo import beginning, pending, progress, settle, train, walk
from zoo import card, checkpoint
from zoo.card import Metric
from zoo.errors import CheckpointError, InputError

TOY = Job(
    name="adain",
    recipe="adain",
    data={"photos": "photos", "paintings": "paintings"},
    flags={
        "width": 4, "size": 32, "load_size": 40, "batch_size": 2, "lr": 1e-3, "average": 0.9,
        "warmup": 1,
    },
    steps=2,
    measure=("Style loss, share of the photo's",),
    judge="quality",
    judged_on={"photos": "photos", "styles": "paintings"},
    contents=("photos/cat",),
    styles=("paintings/redon-vase",),
    size=48,
)  # fmt: skip
Judged = Callable[..., None]


@pytest.fixture
def session(photos: Path, paintings: Path, tmp_path: Path) -> Session:
    data = tmp_path / "data"
    data.mkdir()
    (data / "photos").symlink_to(photos)
    (data / "paintings").symlink_to(paintings)
    shipped = tmp_path / "zoo" / "checkpoints"
    shipped.mkdir(parents=True)
    work = tmp_path / "runs" / "zoo"
    return Session(data=data, shipped=shipped, work=work, device="cpu", save_every=1)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Judged:
    """Lets the benchmark find these figures."""

    def given(value: float, **others: float) -> None:
        found = [
            Metric(name=TOY.measure[0], value=value, better="lower", data="toys"),
            *(Metric(name=name, value=one) for name, one in others.items()),
        ]
        monkeypatch.setattr(zoo, "judge", lambda *_: found)

    return given


def book(session: Session) -> list[dict[str, Any]]:
    return list(json.loads((session.shipped / "ledger.json").read_text()))


def only_whole(session: Session) -> bool:
    """Whether nothing half-made lies about."""
    return {p.name for p in session.shipped.parent.iterdir()} == {"checkpoints"}


def test_one_step_is_measured_and_ships(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # A network that has seen two pictures has a checkerboard, and is refused otherwise.
    monkeypatch.setattr(zoo, "bounds_of", lambda method: {})
    walk(session, [replace(TOY, steps=1)], 5)
    place = session.shipped / "adain"
    assert checkpoint.load(place).name == "adain"
    facts = card.parse((place / "README.md").read_text())
    (figure,) = [m for m in facts.metrics if m.name == TOY.measure[0]]
    assert figure.data == "5 photos not trained on, 256 px"
    (entry,) = book(session)
    assert entry["outcome"] == "shipped"
    assert entry["steps"] == 1
    assert entry["before"] is None
    assert entry["after"] == pytest.approx(figure.value, rel=1e-3)
    ledger = (session.shipped / "LEDGER.md").read_text()
    assert "| adain | 1 of " in ledger
    assert "| shipped |" in ledger
    assert only_whole(session)
    assert pending(session, [replace(TOY, steps=1)]) == []


def test_only_a_better_candidate_takes_the_place(session: Session, judged: Judged) -> None:
    place = session.shipped / "adain"
    digests, warmups, values = [], [], {1: 0.5, 2: 0.6, 3: 0.4}
    for steps, value in values.items():
        judged(value)
        walk(session, [replace(TOY, steps=steps)], 5)
        digests.append(checkpoint.digest(place))
        warmups.append(json.loads((session.run(TOY) / "recipe.json").read_text())["warmup"])
    assert warmups == [1, 0, 0]  # what ships is not taught to give pictures back again
    assert digests[0] == digests[1] != digests[2]
    assert [e["outcome"] for e in book(session)] == ["shipped", zoo.KEPT, "shipped"]
    assert [(e["before"], e["after"]) for e in book(session)] == [
        (None, 0.5), (0.5, 0.6), (0.5, 0.4),
    ]  # fmt: skip
    assert [e["steps"] for e in book(session)] == [1, 2, 3]
    assert only_whole(session)


def test_what_ships_is_measured_anew_without_its_run(session: Session, judged: Judged) -> None:
    judged(0.5)
    walk(session, [replace(TOY, steps=1)], 5)
    place = session.shipped / "adain"
    before = card.parse((place / "README.md").read_text())
    # As of a time when less was said to differ.
    (place / "README.md").write_text(card.render(replace(before, departures=("Old words.",))))
    kept = {name: (place / name).read_bytes() for name in ("model.safetensors", "curves.svg")}
    samples = (place / "samples.jpg").read_bytes()
    shutil.rmtree(session.run(TOY))
    judged(0.7)
    zoo.measure(session, TOY)
    after = card.parse((place / "README.md").read_text())
    assert [m.value for m in TOY.figures(after.metrics)] == [0.7]
    assert replace(after, metrics=before.metrics) == before
    assert after.metrics[1:] == before.metrics[1:]  # the rounding of the same weights
    assert {name: (place / name).read_bytes() for name in kept} == kept
    assert (place / "samples.jpg").read_bytes() == samples
    zoo.measure(session, replace(TOY, contents=("photos/dahlia",)))
    assert (place / "samples.jpg").read_bytes() != samples
    assert only_whole(session)


def test_what_would_not_be_let_pass_keeps_its_card(session: Session, judged: Judged) -> None:
    judged(0.5)
    walk(session, [replace(TOY, steps=1)], 5)
    before = checkpoint.digest(session.shipped / "adain")
    judged(0.1, **{"Frame of 4 px": 0.03})
    with pytest.raises(CheckpointError, match="results have a frame"):
        zoo.measure(session, TOY)
    with pytest.raises(InputError, match=r"no .*second to measure"):
        zoo.measure(session, replace(TOY, name="second"))
    assert checkpoint.digest(session.shipped / "adain") == before
    (session.shipped / "adain" / "recipe.json").unlink()
    judged(0.1)
    with pytest.raises(CheckpointError, match=r"recipe\.json cannot be read"):
        zoo.measure(session, TOY)
    assert only_whole(session)


def test_changes_of_figures_are_told() -> None:
    one, two = Metric(name="KID", value=0.1, data="9"), Metric(name="FID", value=3.0, data="9")
    assert zoo.changes([one, two], [one, two]) == []
    assert zoo.changes([one], [replace(one, value=0.2), two]) == [
        "KID (9): 0.2, was 0.1",
        "FID (9): 3.0, new",
    ]
    assert zoo.changes([one, two], [one]) == ["FID (9): 3.0, not measured any more"]


def test_a_fault_or_a_missing_figure_refuses(session: Session, judged: Judged) -> None:
    judged(0.5)
    walk(session, [replace(TOY, steps=1)], 5)
    before = checkpoint.digest(session.shipped / "adain")
    for name, value, fault in (
        ("Checkerboard, powers of ten above the photo", 0.6, "results have a checkerboard"),
        ("Frame of 4 px", 0.03, "results have a frame"),
        ("Frame of 1 px", 0.02, "results have a line"),
        ("Colour drift from the style", 0.1, "results have other colours"),
        ("Contrast, share of the style's", 0.6, "results are faded"),
    ):
        judged(0.1, **{name: value})
        assert settle(session, TOY).startswith(f"refused: {fault}")
    judged(0.1)
    assert settle(session, replace(TOY, measure=("Beauty",))).startswith("refused: it was not")
    assert checkpoint.digest(session.shipped / "adain") == before
    assert only_whole(session)


def test_a_death_while_shipping_leaves_what_ships(
    session: Session, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(0.5)
    walk(session, [replace(TOY, steps=1)], 5)
    before = checkpoint.digest(session.shipped / "adain")
    with monkeypatch.context() as patched:
        patched.setattr(zoo, "replace_folder", lambda *_: os._exit(9))  # as if killed
        judged(0.1)
        if (child := os.fork()) == 0:
            torch.set_num_threads(1)  # the pool of threads does not survive a fork
            settle(session, TOY)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert checkpoint.digest(session.shipped / "adain") == before
    assert not only_whole(session)
    judged(0.2)
    assert settle(session, TOY) == "shipped"
    assert only_whole(session)


def test_a_killed_run_goes_on_where_it_was(session: Session, judged: Judged) -> None:
    judged(0.5)
    job = replace(TOY, steps=4)
    code = f"""
import os, signal
from pathlib import Path
from training import adain, zoo
from training.jobs import Session
from tests.training.test_zoo import TOY, replace
step = adain.AdaINTrainer.step
def deadly(self):
    if self.done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
adain.AdaINTrainer.step = deadly
session = Session(data=Path({str(session.data)!r}), shipped=Path({str(session.shipped)!r}),
                  work=Path({str(session.work)!r}), device="cpu", save_every=1)
zoo.walk(session, [replace(TOY, steps=4)], 5)
"""
    died = subprocess.run([sys.executable, "-c", code], cwd=Path(zoo.__file__).parents[1])
    assert died.returncode == -signal.SIGKILL
    assert progress(session, job) == (2, -1)
    assert not (session.shipped / "adain").exists()
    walk(session, [job], 5)
    assert progress(session, job) == (4, 4)
    lines = (session.run(job) / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert book(session)[0]["outcome"] == "shipped"


def test_the_one_furthest_from_its_budget_comes_first(session: Session, judged: Judged) -> None:
    judged(0.5)
    other = replace(TOY, name="second", steps=10)
    train(session, TOY, 5)
    settle(session, TOY)
    assert [job.name for job in pending(session, [TOY, other])] == ["second"]
    longer = replace(TOY, steps=8)
    assert [job.name for job in pending(session, [longer, other])] == ["second", "adain"]
    walk(session, [longer, other], 0)  # no time at all
    assert progress(session, longer) == (2, 2)
    # One that cannot be trained does not hold up the others.
    lost = replace(TOY, name="lost", data={"photos": "nowhere", "paintings": "paintings"})
    walk(session, [lost, replace(TOY, steps=3)], 5)
    assert progress(session, TOY) == (3, 3)


def test_other_generators_do_not_start_from_what_ships(session: Session) -> None:
    job = next(job for job in JOBS if job.name == "cyclegan-seasons")
    own = session.shipped / job.name
    assert beginning(session, job) is None
    own.mkdir()
    made = {name: job.flags[name] for name in ("width", "blocks")}
    (own / "recipe.json").write_text(json.dumps(made))
    assert beginning(session, job) is None  # it does not add to the picture
    (own / "recipe.json").write_text(json.dumps({**made, "skip": True}))
    assert beginning(session, job) is None  # nor has it the same norms
    (own / "recipe.json").write_text(json.dumps({**made, "skip": True, "norm": "none"}))
    assert beginning(session, job) == own


def test_jobs_with_some_styles_of_a_folder_keep_theirs_apart(
    session: Session, paintings: Path
) -> None:
    (session.data / "styles").symlink_to(paintings)
    names = sorted(path.stem for path in paintings.iterdir())
    jobs = [replace(TOY, name=name, some=(name,)) for name in names[:2]]
    folders = [pictures(session, job, "styles") for job in jobs]
    assert [[path.stem for path in folder.iterdir()] for folder in folders] == [
        [name] for name in names[:2]
    ]


def test_every_tenth_picture_is_held_out(session: Session, paintings: Path) -> None:
    (session.data / "many").mkdir()
    source = sorted(paintings.iterdir())[0].read_bytes()
    for number in range(20):
        (session.data / "many" / f"{number:02}.png").write_bytes(source)
    (session.data / "list.txt").write_text("".join(f"many/{n:02}.png\n" for n in range(20)))
    data = {"photos": "list.txt", "paintings": "many"}
    job = replace(TOY, held_out=True, data=data)
    for place in data.values():
        folders = [pictures(session, job, place, test=test) for test in (False, True)]
        there, held = ({path.stem for path in folder.iterdir()} for folder in folders)
        assert held == {"09", "19"}
        assert len(there) == 18
        assert not there & held


@pytest.mark.parametrize("kind", ["pack", "copies"])
def test_packs_and_copies_have_what_is_held_out_beside_them(
    kind: str, session: Session, photos: Path
) -> None:
    job = replace(TOY, held_out=True)
    place = session.data / TOY.name / "photos"
    if kind == "pack":
        pack(photos, place, 40)
    else:
        carry(session, TOY, session.data)
    assert pictures(session, job, "photos") == place
    assert pictures(session, job, "photos", test=True) == place.with_name("photos-test")


def test_small_copies_of_pictures_are_carried(
    session: Session, judged: Judged, tmp_path: Path
) -> None:
    out, most = tmp_path / "packed", 4000
    size = carry(session, TOY, out, most=most)
    assert size == sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) <= most
    told = {p.parent.name: originals(p.parent) for p in out.rglob(ORIGINALS)}
    assert told.keys() == {"photos", "paintings"}
    for place, known in told.items():
        there = {f"{path.name}.webp": path for path in (session.data / place).iterdir()}
        assert 2 <= len(known) < len(there)
        assert known == {name: content_hash(there[name]) for name in known}
        opened = open_pack(out / TOY.name / place, TOY.flags["load_size"], tmp_path / "packs")
        assert {entry.sha256 for entry in opened.entries} == set(known.values())
        assert min(opened.entries[0].height, opened.entries[0].width) == TOY.flags["load_size"]
    elsewhere = replace(session, data=out, work=tmp_path / "elsewhere" / "zoo")
    judged(0.5)
    walk(elsewhere, [replace(TOY, steps=1)], 5)
    assert book(elsewhere)[0]["outcome"] == "shipped"


def test_copies_replace_copies_and_nothing_else(session: Session, tmp_path: Path) -> None:
    carry(session, TOY, tmp_path / "packed", most=4000)
    carry(session, TOY, tmp_path / "packed", most=2000)
    place = tmp_path / "packed" / TOY.name / "photos"
    assert {p.name for p in place.glob("*.webp")} == originals(place).keys()
    (place / ORIGINALS).unlink()
    with pytest.raises(InputError, match="move it away"):
        carry(session, TOY, tmp_path / "packed")
    with pytest.raises(InputError, match="too large to carry"):
        carry(session, TOY, tmp_path / "other", most=100)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.name))
def test_the_table_fits_the_recipes_and_what_ships(job: Job) -> None:
    fields = recipe_in(import_module(f"training.{job.recipe}")).__dataclass_fields__
    assert fields.keys() >= job.flags.keys() | job.data.keys() | {"load_size"}
    assert "load_size" in job.flags
    place = checkpoint.SHIPPED / job.name
    if (place / "README.md").is_file():
        made = json.loads((place / "recipe.json").read_text())
        usual = {name: field.default for name, field in fields.items()}
        wanted = {name: job.flags.get(name, usual[name]) for name in made if name in usual}
        # These may change in a continuation, and with the processor.
        for name in ("steps", "cooldown", "seed", "style_size", "warmup", "precision"):
            wanted.pop(name, None)
        assert {name: made[name] for name in wanted} == wanted
        told = card.parse((place / "README.md").read_text())
        assert job.figures(told.metrics)
        features = any("look at features" in line for line in told.departures)
        assert features or made.get("judged", "pixels") == "pixels"


def test_a_schedule_can_be_shorter_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(zoo, "walk", lambda _, jobs, minutes: asked.extend(j.steps for j in jobs))
    monkeypatch.setattr(zoo, "write_ledger", lambda shipped: None)
    for words in ([], ["--steps", "7"]):
        assert CliRunner().invoke(zoo.main, ["--only", "adain", *words]).exit_code == 0
    assert asked == [next(job.steps for job in JOBS if job.name == "adain"), 7]


def test_measuring_trains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(zoo, "measure", lambda _, job: asked.append(job.name))
    monkeypatch.setattr(zoo, "walk", lambda *_: asked.append("trained"))
    monkeypatch.setattr(zoo, "write_ledger", lambda shipped: None)
    words = ["--measure", "--only", "adain", "--only", "dcgan"]
    assert CliRunner().invoke(zoo.main, words).exit_code == 0
    assert asked == ["adain", "dcgan"]


def test_departures_are_told_anew_without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(zoo, "retell", asked.append)
    monkeypatch.setattr(zoo, "measure", lambda *_: pytest.fail("measured"))
    assert CliRunner().invoke(zoo.main, ["--retell", "--only", "adain"]).exit_code == 0
    assert asked == [checkpoint.SHIPPED / "adain"]


def test_unknown_names_are_refused() -> None:
    done = CliRunner().invoke(zoo.main, ["--only", "mona-lisa"])
    assert done.exit_code == 2
    assert "no checkpoint “mona-lisa”" in done.stderr


def test_training_needs_no_hub() -> None:
    """A machine that only trains need not have what serves or fetches checkpoints."""
    code = (
        "import sys, training.zoo; "
        "print(*(name for name in sys.modules if name.startswith(('zoo.hub', 'gradio'))))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    assert not told.stdout.strip()
