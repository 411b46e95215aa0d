from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_file
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from gateway.look import generated_notices, resources
from gateway.look.translations import (
    SOURCE,
    choose_locale,
    languages,
    name_of_language,
    translations,
)

_KEYWORDS = {"_": None, "gettext": None, "say": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
_IN_CODE = re.compile(r"^\[python: gateway/(\S+)\]$", re.MULTILINE)
_PLACE = re.compile(r"%\(\w+\)s|<[^>]+>")
_PROSE = (".html", ".txt")


TRANSLATED = [language for language in languages() if language != SOURCE]
# Words that a language has in common with English.
SAME_WORDS = {
    "de": {"1", ":", "Checkpoint", "Definition", "Message-ID", "Pause", "Person"},
    "fr": {
        "%(number)s message.",
        "Date",
        "Message-ID",
        "Messages",
        "Page",
        "Pause",
        "Rectification",
    },
}


def used_messages() -> set[str]:
    """The first form of every message that templates and code ask for."""
    found: set[str] = set()
    for path in sorted(resources.templates().glob("*/**/*.*")):
        if path.suffix in (".html", ".txt"):
            found |= set(_extracted(path, "jinja2", {"trimmed": "true"}))
    package = Path(resources.__file__).parents[1]
    for name in _IN_CODE.findall((resources.catalogues() / "babel.cfg").read_text("utf-8")):
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


def catalogue(language: str) -> list[Message]:
    path = resources.catalogues() / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return [message for message in read_po(file, locale=language) if message.id]


def forms(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_has_its_form_in_each_catalogue_and_none_is_left_over(language: str) -> None:
    assert {forms(message.id)[0] for message in catalogue(language)} == used_messages()


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_form_is_empty_or_guessed(language: str) -> None:
    assert [m.id for m in catalogue(language) if m.fuzzy or not all(forms(m.string))] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_each_number_that_a_language_tells_apart_has_a_form(language: str) -> None:
    counted = [m for m in catalogue(language) if not isinstance(m.id, str)]

    assert {len(m.string) for m in counted} == {get_plural(language).num_plurals}


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_places_and_markup(language: str) -> None:
    for message in catalogue(language):
        wanted = sorted(_PLACE.findall(forms(message.id)[-1]))
        for translated in forms(message.string):
            assert sorted(_PLACE.findall(translated)) == wanted, message.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_left_in_english(language: str) -> None:
    same = {
        forms(message.id)[0]
        for message in catalogue(language)
        if set(forms(message.id)) & set(forms(message.string))
    }

    assert same == SAME_WORDS[language]


@pytest.mark.parametrize("language", TRANSLATED)
def test_whoever_reads_a_language_has_the_notice_in_it(language: str) -> None:
    assert generated_notices.template(language).stem == language


def test_no_code_and_no_template_names_a_language_of_the_catalogues() -> None:
    """Which there are is known by the files alone; else the next one would be half there."""
    named = re.compile("|".join(f"[\"']{language}[\"']" for language in TRANSLATED))
    package = Path(resources.__file__).parents[1]
    files = [*package.rglob("*.py"), *resources.templates().rglob("*.html")]

    assert [path.name for path in files if named.search(path.read_text("utf-8"))] == []


def test_french_is_set_as_the_french_set_it() -> None:
    """Blanks that do not break before : ; ! ? and in guillemets; the apostrophe of printers."""
    papers = "\n".join(one.read_text("utf-8") for one in resources.templates().rglob("fr.md"))
    # What Jinja and Markdown read is not said; `::` parts a label from its value in a table.
    prose = re.sub(r"\{\{.*?\}\}|\{[%#].*?[%#]\}|\]\(.*?\)", "X", papers).replace(" :: ", "|")
    said = [_PLACE.sub("X", one) for m in catalogue("fr") for one in forms(m.string)]
    loose = re.compile(r" [:;!?»%]|« |[^\W\d][:;!?](?!//)|['\u201c\u201d\"]")

    assert [one for one in [*said, *prose.splitlines()] if loose.search(one)] == []


def test_what_follows_a_value_is_set_by_the_catalogue() -> None:
    """A colon in a template would stand there as the English set it, in every language."""
    folders = [resources.templates() / name for name in ("mail", "pages")]
    files = [one for folder in folders for one in folder.rglob("*.*") if one.suffix in _PROSE]
    bare = re.compile(r"\}\}(</\w+>)*[:?!](\s|<|$)", re.MULTILINE)

    assert [one.name for one in files if bare.search(one.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de", "Abmelden"),
        ("de-AT", "Abmelden"),
        ("fr-CA", "Se désinscrire"),
        ("en", "Unsubscribe"),
        ("it", "Unsubscribe"),
    ],
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


@pytest.mark.parametrize(
    ("tag", "locale", "expected"),
    [
        ("fr", "fr", "Français"),
        ("fr", "de-AT", "Französisch"),
        ("de-CH", "en", "German"),
        ("en", "fr-CA", "Anglais"),
        ("it", "de", "Italienisch"),
        ("klingon", "en", "klingon"),
        ("", "en", ""),
        ("../de", "en", "../de"),
    ],
)
def test_a_language_has_the_name_that_its_reader_has_for_it(
    tag: str, locale: str, expected: str
) -> None:
    assert name_of_language(tag, locale) == expected


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
