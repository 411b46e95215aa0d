from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from gateway.look import resources
from gateway.look.translations import choose_locale, languages, translations

_KEYWORDS = {"_": None, "gettext": None, "say": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
_PLACE = re.compile(r"%\(\w+\)s|<[^>]+>")


def used_messages() -> set[str]:
    """The first form of every message that templates and code ask for."""
    found: set[str] = set()
    for path in sorted(resources.templates().glob("*/**/*.*")):
        if path.suffix in (".html", ".txt"):
            found |= set(_extracted(path, "jinja2", {"trimmed": "true"}))
    package = Path(resources.__file__).parents[1]
    for name in (
        "http/audit_paper.py",
        "http/certificate_paper.py",
        "http/defence_paper.py",
        "http/defence_words.py",
        "http/dossier_paper.py",
        "look/event_words.py",
        "http/evidence_paper.py",
        "http/evidence_words.py",
        "look/exercise_page.py",
        "look/generated_notices.py",
        "look/terms.py",
        "people/embedding.py",
        "desk/sent.py",
        "desk/story.py",
        "flows/joining/publish_texts.py",
    ):
        found |= set(_extracted(package / name, "python", {}))
    return found


def _extracted(path: Path, method: str, options: dict[str, str]) -> Iterator[str]:
    for _, message, _, _ in extract_from_file(
        method,
        path,
        keywords=_KEYWORDS,
        options=options,  # type: ignore[arg-type]
    ):
        yield message if isinstance(message, str) else message[0]


def german() -> list[Message]:
    path = resources.catalogues() / "de" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return [message for message in read_po(file, locale="de") if message.id]


def forms(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_every_message_has_a_german_form_and_none_is_left_over() -> None:
    assert {forms(message.id)[0] for message in german()} == used_messages()


def test_no_german_form_is_empty_or_guessed() -> None:
    assert [m.id for m in german() if m.fuzzy or not all(forms(m.string))] == []


def test_translations_keep_places_and_markup() -> None:
    for message in german():
        wanted = sorted(_PLACE.findall(forms(message.id)[-1]))
        for translated in forms(message.string):
            assert sorted(_PLACE.findall(translated)) == wanted, message.id


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("de", "Abmelden"), ("de-AT", "Abmelden"), ("en", "Unsubscribe"), ("fr", "Unsubscribe")],
)
def test_a_region_reads_its_language_and_a_stranger_english(locale: str, expected: str) -> None:
    assert translations(locale).gettext("Unsubscribe") == expected


@pytest.mark.parametrize(
    ("header", "wanted", "expected"),
    [
        pytest.param("de-CH,de;q=0.9,en;q=0.8", None, "de", id="the language of a region"),
        pytest.param("fr, en;q=0.4, de;q=0.7", None, "de", id="weights, not order"),
        pytest.param("de;q=0", None, "en", id="refused"),
        pytest.param("*", None, "en", id="anything"),
        pytest.param(None, None, "en", id="nothing said"),
        pytest.param("de", "en", "en", id="asked for by name"),
        pytest.param("de", "xx", "de", id="asked for what is not there"),
        pytest.param("de;q=much", None, "en", id="not a number"),
    ],
)
def test_the_language_is_chosen(header: str | None, wanted: str | None, expected: str) -> None:
    assert choose_locale(header, wanted, ("en", "de")) == expected


def test_a_region_is_chosen_exactly_where_there_is_one() -> None:
    assert choose_locale("de-CH", None, ("en", "de", "de-CH")) == "de-CH"


@given(st.text(max_size=200), st.text(max_size=20))
def test_whatever_a_browser_sends_gives_an_available_language(header: str, wanted: str) -> None:
    assert choose_locale(header, wanted, languages()) in languages()


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("de_DE", "de"),
        ("de_AT", "de"),
        ("DE", "de"),
        ("de-CH-1996", "de"),
        ("de_DE.UTF-8", "de"),
        ("de_DE@euro", "de"),
        (" de\u200b", "de"),
        ("de;q=0.8, en", "de"),
        ("zh_Hant_TW", "zh-Hant"),
        ("zh-HK", "zh"),
        ("pt_BR", "pt-PT"),
        ("../de", "en"),
        ("Deutsch", "en"),
        ("*", "en"),
        ("C", "en"),
        ("", "en"),
        ("-", "en"),
        ("x" * 5000, "en"),
        ("de-" * 5000, "de"),
        ("\u00a0", "en"),
    ],
)
def test_a_language_is_known_however_it_is_written(said: str, read: str) -> None:
    assert choose_locale(None, said, ("en", "de", "zh", "zh-Hant", "pt-PT")) == read
