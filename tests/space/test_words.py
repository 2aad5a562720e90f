"""Every text shown exists in every language, with the same fields."""

import re
import string

import httpx
import pytest
from gradio.i18n import I18nData

from space import words
from tests.space.texts import every_text
from zoo.errors import InputError
from zoo.images import Notice

CHINESE = [language for language in words.LANGUAGES if language != words.ENGLISH]


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_texts_are_found_in_sources_forms_and_scripts() -> None:
    found = every_text()
    # One of each kind: error, notice, status line, label, choice, template, script.
    assert found >= {
        "“{name}” is empty (0 bytes). Choose another picture.",
        "Only the first frame of “{name}” was used.",
        "Stopped. The last preview is kept.",
        "Add a photo first.",
        "Style weight",
        "The photo's, exactly",
        "Or try one of these",
        "Link copied",
    }


@pytest.mark.parametrize("language", CHINESE)
def test_every_text_is_translated(language: str) -> None:
    missing = sorted(every_text() - words.table(language).keys())
    assert not missing, f"add to space/locale/{language}.json: {missing}"


@pytest.mark.parametrize("language", CHINESE)
def test_translations_keep_the_fields(language: str) -> None:
    for english, translated in words.table(language).items():
        assert fields_of(translated) == fields_of(english), english


def test_say_fills_in_and_translates_fields() -> None:
    error = InputError("{label}: {value} is outside {low} to {high}.", label="Seed", value=-1,
                       low=0, high=9)  # fmt: skip
    assert words.tell("en", error) == str(error) == "Seed: -1 is outside 0 to 9."
    assert words.tell("zh-TW", error) == "種子：-1 不在 0 到 9 之間。"
    notice = Notice("Only the first frame of “{name}” was used.", {"name": "a.gif"})
    assert words.tell("zh-CN", notice) == "“a.gif”只使用了第一帧。"


def test_unknown_text_stays_english() -> None:
    assert words.say("zh-TW", "A text of tomorrow: {value}", value=3) == "A text of tomorrow: 3"


def test_braces_in_a_value_are_harmless() -> None:
    sentence = "“{name}” is empty (0 bytes). Choose another picture."
    assert "{secret}" in words.say("zh-CN", sentence, name="{secret}.jpg")
    assert words.say("zh-CN", "{0} → winter") == "{0} → winter"


def test_component_texts_reach_the_catalogue_in_all_languages() -> None:
    marker = words.t("Stop")
    assert isinstance(marker, I18nData)
    sent = words.catalogue().translations_dict
    assert {language: sent[language][marker.key] for language in words.LANGUAGES} == {
        "en": "Stop",
        "zh-TW": "停止",
        "zh-CN": "停止",
    }


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "language"),
    [
        (None, None, None, "en"),
        ("zh-TW", "zh-CN", "en", "zh-TW"),
        (None, "zh-CN", "en", "zh-CN"),
        ("klingon", None, "zh-HK,zh;q=0.9,en;q=0.8", "zh-TW"),
        (None, "", "zh-Hant-MO", "zh-TW"),
        (None, None, "zh-SG", "zh-CN"),
        (None, None, "zh-Hans-HK", "zh-CN"),
        (None, None, "zh-Hans-TW,zh-Hant;q=0.9", "zh-CN"),
        (None, None, "zh-Hant-CN", "zh-TW"),
        (None, None, "zh", "zh-CN"),
        (None, None, "fr-FR,en;q=0.5,zh;q=0.3", "en"),
        (None, None, "fr", "en"),
    ],
)
def test_language_of_a_visitor(
    query: str | None, cookie: str | None, accepted: str | None, language: str
) -> None:
    assert words.choose(query, cookie, accepted) == language


@pytest.mark.parametrize("foreign", ["a@b/c=1", "a(b),c=1", 'ui={"a": 1}', "words without a name"])
def test_cookies_of_others_leave_the_language_alone(address: str, foreign: str) -> None:
    headers = {"cookie": f"{foreign}; {words.COOKIE}=zh-TW"}
    page = httpx.get(address, headers=headers, trust_env=False)
    assert page.status_code == 200
    assert 'window.sz = {lang: "zh-TW"' in page.text
    assert re.search(r'<html\s+lang="zh-TW"', page.text)
