"""The languages of the site: every sentence is written in English and looked up in a table.

The English text is the key of its translation, so code reads as what people see, and a text
without a translation appears in English instead of breaking. Texts of components go through
Gradio's own catalogue (:func:`t`); texts made while running, such as errors and the status line,
go through :func:`say`.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from zoo.errors import ZooError
from zoo.images import Notice

ENGLISH = "en"
# Exactly the tags that Gradio has texts of its own for.
LANGUAGES = {ENGLISH: "English", "zh-TW": "繁體中文", "zh-CN": "简体中文"}
COOKIE = "sz_lang"
LOCALE = Path(__file__).parent / "locale"

_used: dict[str, str] = {}


@cache
def table(language: str) -> Mapping[str, str]:
    """Translations by English text; empty for English."""
    path = LOCALE / f"{language}.json"
    return json.loads(path.read_text("utf-8")) if language in LANGUAGES and path.is_file() else {}


def translated(text: str) -> bool:
    """Whether ``text`` is one of the site's own that has a translation."""
    return any(text in table(language) for language in LANGUAGES)


def say(language: str, message: str, **fields: object) -> str:
    """``message`` in ``language`` with its fields filled in, which are translated if known.

    Without fields it may be a name that somebody else gave: braces in it mean nothing then.
    """
    words = table(language)
    if not fields:
        return words.get(message, message)
    known = {
        name: words.get(value, value) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    return words.get(message, message).format(**known)


def tell(language: str, told: ZooError | Notice) -> str:
    """The message of an error or a notice in ``language``."""
    return say(language, told.message, **told.fields)


def t(text: str) -> Any:
    """``text`` as a component takes it, to be translated by the browser."""
    if not text:
        return text
    # A prefixed digest: Gradio's catalogue has short words as keys of its own and reads dots in
    # keys as paths.
    key = "sz_" + hashlib.sha256(text.encode()).hexdigest()[:12]
    _used[key] = text
    return gr.I18n()(key)


def catalogue() -> gr.I18n:
    """Everything that went through :func:`t`, for Gradio to send along with the page."""
    return gr.I18n(
        **{
            language: {key: table(language).get(text, text) for key, text in _used.items()}
            for language in LANGUAGES
        }
    )


def choose(query: str | None, cookie: str | None, accepted: str | None) -> str:
    """The language asked for by the link, else remembered, else preferred by the browser.

    Every Chinese tag becomes the script it is written in. Where it does not tell, Taiwan, Hong Kong
    and Macau read traditional characters, all others simplified ones.
    """
    for wanted in (query, cookie):
        if wanted in LANGUAGES:
            return wanted
    for part in (accepted or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            parts = set(tag.split("-"))
            traditional = "hans" not in parts and parts & {"hant", "tw", "hk", "mo"}
            return "zh-TW" if traditional else "zh-CN"
        if tag.startswith("en"):
            return ENGLISH
    return ENGLISH


def spoken(request: gr.Request | None) -> str:
    """The language of the visitor behind an event."""
    if request is None:
        return ENGLISH
    return choose(None, request.cookies.get(COOKIE), request.headers.get("accept-language"))
