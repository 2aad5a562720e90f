"""The model card of a checkpoint: how it was made and how good it is, for people and programs.

A card is a ``README.md`` whose front matter follows the Hugging Face conventions (licence, tags,
library, task, measured results) and holds everything else under one key of its own, ``style_zoo``.
The text below is rendered from the same facts, so :func:`parse` never has to read prose.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_type_hints

import yaml
from huggingface_hub import CardData, EvalResult, ModelCard, ModelCardData
from pydantic import TypeAdapter, ValidationError

LIBRARY = "style-zoo"
IMAGE_TO_IMAGE = "image-to-image"
UNCONDITIONAL = "unconditional-image-generation"

_OWN_KEY = "style_zoo"
UNSTATED = "not stated"
# Facts that the conventions of the hub have a place for; all others go under our own key.
_STANDARD = ("license", "pipeline_tag", "metrics")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measured number.

    Args:
        name: "Content loss", "Temporal error".
        value: The number.
        features: What it stands on, for example "VGG-19 relu4_2" or "pixels".
        data: The pictures it was measured on.
        better: Which direction is better.
    """

    name: str
    value: float
    features: str = ""
    data: str = ""
    better: Literal["", "lower", "higher"] = ""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Pictures that a checkpoint was trained on.

    Args:
        name: What it is called.
        pictures: How many there are.
        sha256: Names exactly these pictures, in hex.
        license: What their licence is, in words.
    """

    name: str
    pictures: int
    sha256: str = ""
    license: str = ""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """Everything a card says. What is not known stays empty and is left out.

    Args:
        repo_id: "zoo/adain".
        method: Name of the method, "adain"; it is a tag of the card too.
        title: What people read, "AdaIN".
        summary: One sentence.
        paper: Authors, title and year.
        paper_url: Its page.
        pipeline_tag: Task in the hub's words.
        license: Identifier of the licence of the weights.
        license_note: What else to know about licences.
        config: What rebuilds the network, as in ``config.json``: JSON values only.
        datasets: What it was trained on.
        recipe: Settings of the training, as in ``recipe.json``: JSON values only.
        command: Makes this checkpoint again.
        seed: Seed of the training.
        code_version: Version or commit of the code.
        device: What it was trained on.
        seconds: How long the training took.
        metrics: What was measured.
        limits: Known limits, a sentence each.
        departures: Where the method differs from its paper, a sentence each.
        samples: Names of sample pictures, relative to the card.
        tags: Further tags.
    """

    repo_id: str = ""
    method: str = ""
    title: str = ""
    summary: str = ""
    paper: str = ""
    paper_url: str = ""
    pipeline_tag: str = IMAGE_TO_IMAGE
    license: str = "apache-2.0"
    license_note: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    datasets: tuple[DataSet, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    seed: int | None = None
    code_version: str = ""
    device: str = ""
    seconds: float | None = None
    metrics: tuple[Metric, ...] = ()
    limits: tuple[str, ...] = ()
    departures: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def thumbnail_name(field: str = "", value: object = "") -> str:
    """Where a checkpoint has a small picture of what it makes of a photo, if it has one.

    As it does by itself, or with the setting ``field`` at ``value``, such as one of its styles.
    """
    return f"thumbnails/{field}-{value}.jpg" if field else "thumbnail.jpg"


def is_thumbnail(path: str) -> bool:
    """Whether a file of a checkpoint is a :func:`thumbnail_name`."""
    return re.fullmatch(r"thumbnail\.jpg|thumbnails/\w+-\w+\.jpg", path) is not None


def render(facts: CardFacts) -> str:
    """The text of the card; :func:`parse` gives the same facts back.

    Raises TypeError or ValueError when the recipe holds more than JSON can.
    """
    own = {
        name: value
        for name, value in json.loads(json.dumps(asdict(facts), allow_nan=False)).items()
        if name not in _STANDARD and value not in ("", [], {}, None)
    }
    data = ModelCardData(
        license=facts.license or None,
        library_name=LIBRARY,
        pipeline_tag=facts.pipeline_tag or None,
        tags=["style-transfer", *filter(None, [facts.method]), *facts.tags],
        # The conventions want a name for the results, and results for the name.
        model_name=(facts.repo_id or "model") if facts.metrics else None,
        eval_results=[_result(metric, facts) for metric in facts.metrics] or None,
    )
    data[_OWN_KEY] = own
    return f"---\n{data.to_yaml()}\n---\n\n{_body(facts)}"


def parse(text: str) -> CardFacts:
    """The facts of a card, also of one that was written or changed by hand.

    What is missing, misspelt or of the wrong type counts as unknown.
    """
    try:
        data = ModelCard(text.removeprefix("\ufeff"), ignore_metadata_errors=True).data
    except (yaml.YAMLError, ValueError, TypeError, AttributeError):  # front matter of any shape
        return CardFacts(license="", pipeline_tag="")
    return from_front_matter(data)


def from_mapping(data: Mapping[str, Any]) -> CardFacts:
    """The facts in front matter that was read as a mapping."""
    try:
        return from_front_matter(ModelCardData(**{**data, "ignore_metadata_errors": True}))
    except (ValueError, TypeError, AttributeError):
        return CardFacts(license="", pipeline_tag="")


def from_front_matter(data: CardData) -> CardFacts:
    """The facts in a card's front matter, as a hub lists it."""
    own = data.get(_OWN_KEY)
    found: dict[str, Any] = dict(own) if isinstance(own, Mapping) else {}
    found |= {name: data.get(name) for name in ("license", "pipeline_tag")}
    # Front matter with a field of this name, which only programs use, can hold anything there.
    results = data.get("eval_results")
    results = results if isinstance(results, list) else []
    found["metrics"] = [_metric(result) for result in results if isinstance(result, EvalResult)]
    known: dict[str, Any] = {"license": "", "pipeline_tag": ""}
    for name, adapter in _adapters().items():
        if name in found:
            # A slip of a hand makes this one fact unknown; the others stand.
            with suppress(ValidationError):
                known[name] = adapter.validate_python(found[name])
    return CardFacts(**known)


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(CardFacts)
    return {f.name: TypeAdapter(hints[f.name]) for f in fields(CardFacts)}


def _result(metric: Metric, facts: CardFacts) -> EvalResult:
    return EvalResult(
        task_type=facts.pipeline_tag or IMAGE_TO_IMAGE,
        dataset_type=metric.data or UNSTATED,  # results of one type share one name
        dataset_name=metric.data or UNSTATED,
        metric_type=metric.name.lower().replace(" ", "_"),
        metric_name=metric.name,
        metric_value=metric.value,
        metric_args={"features": metric.features, "better": metric.better},
    )


def _metric(result: EvalResult) -> dict[str, Any]:
    more = result.metric_args if isinstance(result.metric_args, Mapping) else {}
    data = result.dataset_name
    return {
        "name": result.metric_name or result.metric_type,
        "value": result.metric_value,
        "features": more.get("features", ""),
        "better": more.get("better", ""),
        "data": "" if data == UNSTATED else data,
    }


def _body(facts: CardFacts) -> str:
    """The part for people, as Markdown."""
    title = f"{facts.title} · {facts.repo_id}".strip(" ·") or "Checkpoint"
    paper = _plain(facts.paper)
    paper = f"[{paper}]({facts.paper_url})" if facts.paper_url else paper
    use = [
        "```python",
        "from zoo.method import Method",
        "",
        f'method = Method.from_pretrained("{facts.repo_id}")',
        "```",
        "",
        "```sh",
        f"python -m zoo pull {facts.repo_id}",
        f"python -m zoo run {facts.method} --help",
        "```",
    ]
    made = [
        ("Trained on", facts.device),
        ("Training time", "" if facts.seconds is None else _duration(facts.seconds)),
        ("Seed", "" if facts.seed is None else str(facts.seed)),
        ("Code", facts.code_version),
    ]
    for data in facts.datasets:
        made.append(("Pictures", f"{data.name}, {data.pictures} pictures"))
        made.append(("Their licence", data.license))
        made.append(("Their sha256", f"`{data.sha256}`" if data.sha256 else ""))
    network, recipe = (
        [(name, f"`{json.dumps(value)}`") for name, value in settings.items()]
        for settings in (facts.config, facts.recipe)
    )
    measured = [(m.name, f"{m.value:.4g}", m.better, m.features, m.data) for m in facts.metrics]
    license_words = f"The files here: {facts.license}." if facts.license else ""
    license_words = f"{license_words} {_plain(facts.license_note)}".strip()
    sections = [
        ("", [f"# {_plain(title)}", "", _plain(facts.summary)]),
        ("", [f"Paper: {paper}"] if paper else []),
        ("Samples", [f"![Sample {i}]({name})" for i, name in enumerate(facts.samples, 1)]),
        ("Use", use if facts.repo_id and facts.method else []),
        ("Network", _table(("Setting", "Value"), network)),
        ("How it was made", _table(("Fact", "Value"), [row for row in made if row[1]])),
        ("", ["```sh", facts.command, "```"] if facts.command else []),
        ("Recipe", _table(("Setting", "Value"), recipe)),
        ("Measured", _table(("Metric", "Value", "Better", "Features", "Pictures"), measured)),
        ("Known limits", _list(facts.limits)),
        ("Departures from the paper", _list(facts.departures)),
        ("Licence", [license_words] if license_words else []),
    ]
    blocks = []
    for heading, lines in sections:
        if any(lines):
            blocks.append("\n".join([f"## {heading}", "", *lines] if heading else lines).strip())
    return "\n\n".join(blocks) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [_row(row) for row in rows]
    return [_row(head), "|" + " --- |" * len(head), *lines] if lines else []


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _list(items: Iterable[str]) -> list[str]:
    return [f"- {_plain(item)}" for item in items]


def _plain(text: str) -> str:
    """One line of Markdown in which nothing reads as an HTML tag."""
    line = " ".join(text.split())
    return line if line.startswith("`") else line.replace("<", "\\<")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.3g} s"
