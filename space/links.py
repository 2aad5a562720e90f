"""Settings that travel: in a link, in a picture's file, in the session's list of results.

Whatever comes in is a stranger's text. Only names of the form pass, numbers are clamped to their
bounds, and what cannot be read is left out without a word.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from space.controls import GLUE
from space.pictures import preset
from zoo.form import Field, Form

LONGEST_TEXT = 4096  # a code of a hundred numbers has some 550 characters
MOST_NUMBERS = 16
NOTHING = object()


def settings_from(form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
    """The usable part of ``given``: fields of ``form`` with values inside their bounds.

    Pictures come in as the name of an example, never as a file; "" takes one away.
    """
    read = {field.name: value_of(field, given[field.name]) for field in form if field.name in given}
    return {name: value for name, value in read.items() if value is not NOTHING}


def value_of(field: Field, given: Any) -> Any:
    """``given``, text or JSON, as a value of ``field``; NOTHING where it is none."""
    try:
        match field.kind:
            case "picture":
                none = given == "" and not field.required
                return given if none or preset(field.name, given) else NOTHING
            case "pictures":
                return NOTHING
            case "bool":
                return {"1": True, "true": True, "0": False, "false": False}[str(given).lower()]
            case "int":
                return int(clamped(field, given))
            case "float":
                return clamped(field, given)
            case "choice":
                return given if given in field.choices else NOTHING
            case "numbers":
                parts = given.split(",") if isinstance(given, str) else list(given)
                return [number(part) for part in parts if str(part).strip()][:MOST_NUMBERS]
        return str(given)[:LONGEST_TEXT]
    except (KeyError, TypeError, ValueError, OverflowError):
        return NOTHING


def clamped(field: Field, given: Any) -> float:
    """``given`` as a number moved inside the bounds of ``field``; raises ValueError."""
    value = number(given)
    if field.low is not None:
        value = max(value, float(field.low))
    if field.high is not None:
        value = min(value, float(field.high))
    return value


def number(given: Any) -> float:
    """A finite number; raises ValueError or TypeError."""
    value = float(given)
    if not math.isfinite(value):
        raise ValueError(given)
    return value


def wire(button: Any, tab: str, linked: Mapping[str, Any]) -> None:
    """Let a button copy a link to the settings of a tab, in the browser.

    Args:
        button: What is clicked.
        tab: Its name.
        linked: The components with the settings, by their names in the link.
    """
    words = json.dumps([tab, list(linked), [one.value for one in linked.values()]])
    script = f"(...values) => sz.copyLink({words}, values)"
    button.click(None, list(linked.values()), None, js=script, **GLUE)


def record_in(path: str | Path) -> dict[str, Any] | None:
    """The record inside a PNG that was made here, or None; reads no pixels."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            text = picture.info.get("parameters")
        record = json.loads(text) if isinstance(text, str) else None
    except (OSError, ValueError, UnidentifiedImageError):
        return None
    fits = (
        isinstance(record, dict)
        and isinstance(record.get("method"), str)
        and isinstance(record.get("checkpoint"), str)
        and isinstance(record.get("settings"), dict)
    )
    return record if fits else None
