import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData

from zoo import card
from zoo.card import CardFacts, DataSet, Metric

SHIPPED = Path(card.__file__).parent / "checkpoints"

FULL = CardFacts(
    repo_id="zoo/adain",
    method="adain",
    title="AdaIN: “arbitrary” style",
    summary="One network, any style: # 1",
    paper="Huang & Belongie: Arbitrary Style Transfer (2017)",
    paper_url="https://arxiv.org/abs/1703.06868",
    pipeline_tag=card.IMAGE_TO_IMAGE,
    license="apache-2.0",
    license_note="The encoder's weights are MIT.",
    datasets=(DataSet(name="photos | 風景", pictures=2975, sha256="ab" * 32, license="CC0"),),
    config={"width": 32, "styles": ["wave", "kiss"]},
    recipe={
        "lr": 1e-5,
        "no": None,
        "on": "yes",
        "layers": [1, 2],
        "when": "2020-01-01",
        "t": "1e3",
    },
    command="python -m training.adain --lr 1e-5",
    seed=0,
    code_version="1234567",  # seven digits that YAML would like to read as a number
    device="NVIDIA H100",
    seconds=3725.25,
    metrics=(
        Metric(name="Content loss", value=1e-05, features="VGG-19 relu4_1", data="50 photos"),
        Metric(name="Content loss", value=0.25, features="pixels", data="other", better="lower"),
        Metric(name="Speed", value=23.5, better="higher"),
    ),
    limits=("Faces lose detail.",),
    departures=("Two lines\nof <one> item.",),
    samples=("samples/a.png", "samples/b.png"),
    tags=("painting",),
)


def test_the_full_example_leaves_nothing_at_its_default() -> None:
    assert [f.name for f in fields(CardFacts) if not getattr(FULL, f.name)] == ["seed"]


@pytest.mark.parametrize(
    "facts",
    [
        FULL,
        CardFacts(repo_id="zoo/gatys", method="gatys", title="Gatys"),  # no weights, no training
        CardFacts(method="dcgan", pipeline_tag=card.UNCONDITIONAL),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_is_rendered_parses_back(facts: CardFacts, newline: str) -> None:
    assert card.parse("\ufeff" + card.render(facts).replace("\n", newline)) == facts


def test_front_matter_is_what_the_hub_reads() -> None:
    data = ModelCard(card.render(FULL)).data
    assert isinstance(data, ModelCardData)
    assert data.license == "apache-2.0"
    assert data.library_name == "style-zoo"
    assert data.pipeline_tag == "image-to-image"
    assert data.tags == ["style-transfer", "adain", "painting"]
    assert [(r.metric_name, r.metric_value) for r in data.eval_results or ()] == [
        (m.name, m.value) for m in FULL.metrics
    ]


def test_the_text_shows_the_facts_to_people() -> None:
    text = card.render(FULL).split("---\n", 2)[2]
    for words in (
        "# AdaIN: “arbitrary” style · zoo/adain",
        "[Huang & Belongie: Arbitrary Style Transfer (2017)](https://arxiv.org/abs/1703.06868)",
        "![Sample 2](samples/b.png)",
        "photos \\| 風景, 2975 pictures",
        "| Training time | 1 h 2 min |",
        "| Content loss | 0.25 | lower | pixels | other |",
        "- Two lines of \\<one> item.",
        "The files here: apache-2.0. The encoder's weights are MIT.",
    ):
        assert words in text
    assert "Measured" not in card.render(CardFacts(repo_id="a/b"))


def test_a_hand_edited_card_keeps_what_is_still_right() -> None:
    text = card.render(FULL)
    edited = (
        text.replace("seed: 0", "seed: lucky")
        .replace("license: apache-2.0\np", "license: [mit\n  , gpl]\nmood: good\np")
        .replace("## Recipe", "## My own words\n\n---\n\nBetter than mine.\n\n## Recipe")
    )
    expected = replace(FULL, seed=None, license="")
    assert card.parse(edited) == expected
    broken_results = text.replace("results:", "outcomes:")
    assert card.parse(broken_results) == replace(FULL, metrics=())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no front matter",
        "---\n[broken\n---\n",
        "---\n- a\n- list\n---\n",
        "---\nstyle_zoo: 7\n---",
        "---\neval_results: 7\n---",
        "---\neval_results: [7]\n---",
    ],
)
def test_a_foreign_card_has_no_facts(text: str) -> None:
    assert card.parse(text) == CardFacts(license="", pipeline_tag="")


def test_a_recipe_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        card.render(CardFacts(recipe={"path": Path("x")}))
    with pytest.raises(ValueError, match="JSON"):
        card.render(CardFacts(recipe={"lr": float("nan")}))


@pytest.mark.parametrize("folder", sorted(p.parent for p in SHIPPED.glob("*/config.json")))
def test_shipped_checkpoints_have_cards_that_say_who_they_are(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    facts = card.parse(text)
    assert facts.repo_id == f"zoo/{folder.name}"
    assert facts.license
    assert facts.summary
    assert facts.config == json.loads((folder / "config.json").read_text())["config"]
    assert all(data.license != card.UNSTATED for data in facts.datasets)
    assert card.render(facts) == text
    for name in facts.samples:
        assert (folder / name).is_file()


def test_cards_need_no_torch() -> None:
    code = "import sys, zoo.card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
