"""How times and front matter are written on the wire and in cards."""

import datetime
import math
import re
from typing import Any

import yaml
from huggingface_hub import ModelCardData

MAX_FRONT_MATTER = 256 << 10
_FENCE = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.S | re.M)
# A few aliases of aliases in YAML stand for billions of nodes; a card has some dozens.
_MAX_NODES = 20_000
# Several times as fast; not every PyYAML is built with it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Years have four digits on the wire; a commit's may have any number.
MAX_SECONDS = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp()


def clamped(seconds: float | None) -> float:
    """Return the nearest time that `timestamp` can write; a damaged commit has none at all."""
    return float(min(max(seconds or 0, 0), MAX_SECONDS))


def timestamp(seconds: float | None) -> str:
    """Write seconds since 1970 as the client parses them, with milliseconds."""
    moment = datetime.datetime.fromtimestamp(clamped(seconds), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def front_matter(readme: str) -> dict[str, Any]:
    """Return the YAML block at the head of a README, as plain JSON values.

    Raises:
        ValueError: The block is not YAML, not a mapping, or unreasonably large.
    """
    match = _FENCE.match(readme[: MAX_FRONT_MATTER + 16])
    if match is None:
        return {}
    try:
        data = yaml.load(match.group(1), _Loader)  # noqa: S506 - either is safe
    except Exception as error:  # of any kind: “!!bool foo” is a KeyError
        raise ValueError(f"The metadata block is not valid YAML: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ValueError("The metadata block must be a mapping of names to values.")
    plain = _plain(data, [_MAX_NODES], 0)
    assert isinstance(plain, dict)  # noqa: S101 - a mapping stays a mapping
    return plain


def _plain(value: object, budget: list[int], depth: int) -> object:
    """Copy ``value`` as JSON can hold it: no dates, no NaN, string keys, bounded in size."""
    budget[0] -= 1
    if budget[0] < 0 or depth > 50:
        raise ValueError("The metadata block is too large or too deeply nested.")
    if isinstance(value, dict):
        return {_text(key): _plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, budget, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else hex(value)
    return _text(value)


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def tags_of(card: dict[str, Any]) -> list[str]:
    """Return what a repository is found by: the card's tags, library, task, licence and the like.

    Values that stand for something beside a plain tag carry its name: ``license:mit``.
    """
    tags: list[str] = []
    for name, prefix in (
        ("library_name", ""),
        ("pipeline_tag", ""),
        ("tags", ""),
        ("language", ""),
        *(
            (name, f"{name}:")
            for name in (
                *("task_categories", "task_ids", "size_categories"),
                *("multilinguality", "language_creators"),
            )
        ),
        ("datasets", "dataset:"),
        ("base_model", "base_model:"),
        ("license", "license:"),
    ):
        value = card.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item and f"{prefix}{item}" not in tags:
                tags.append(f"{prefix}{item}")
    return tags


def wrong_fields(card: dict[str, Any]) -> dict[str, str]:
    """Return the names of a card's fields with which something is wrong, and what that is."""
    wrong = {
        name: f'"{name}" must be a string'
        for name in ("library_name", "pipeline_tag")
        if card.get(name) is not None and not isinstance(card[name], str)
    }
    for name in ("license", "language"):
        value = card.get(name)
        values = value if isinstance(value, list) else [value]
        if any(item is not None and not isinstance(item, str) for item in values):
            wrong[name] = f'"{name}" must be a string or a list of strings'
    tags = card.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(t, str) for t in tags)):
        wrong["tags"] = '"tags" must be a list of strings'
    for name, value in card.items():
        # One card that the stock client cannot read ends its list of all models.
        try:
            ModelCardData(ignore_metadata_errors=True, **{name: value})
        except Exception:  # noqa: BLE001 - whatever the client trips over
            wrong.setdefault(name, f'"{name}" cannot be read')
    return wrong


def check_card(readme: str) -> tuple[list[str], list[str]]:
    """Return what is wrong with a README's metadata, and what could be better."""
    try:
        card = front_matter(readme)
    except ValueError as error:
        return [str(error)], []
    errors = [*wrong_fields(card).values()]
    if not card:
        return errors, ["empty or missing yaml metadata in repo card"]
    return errors, []
