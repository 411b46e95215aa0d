from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from gateway.config import config
from gateway.config.config import Config
from gateway.look import resources
from gateway.people import embedding
from tests.support.outline import Outline


@pytest.fixture(scope="module")
def default() -> Config:
    return config.parse(config.embedded_default(), base=Path("/srv"))


def settings(script: str) -> dict[str, object]:
    found = re.search(r"const settings = (\{.*\});", script)
    assert found is not None
    read: dict[str, object] = json.loads(found[1])
    return read


def test_the_script_weighs_less_than_five_kilobytes(default: Config) -> None:
    assert len(gzip.compress(embedding.script(default, "newsletter").encode())) < 5000


def test_a_form_of_every_kind_has_the_same_script(default: Config) -> None:
    more = "".join(
        f'[forms.newsletter.fields.{kind}]\nkind = "{kind}"\n{offers}\n'
        for kind, offers in (
            ("choice", 'options = ["a"]'),
            ("multiple_choice", 'options = ["a"]'),
            ("number", "min = 1"),
            ("date", ""),
            ("checkbox", ""),
            ("hidden", 'options = ["a"]'),
        )
    )
    every = config.parse(f"{config.embedded_default()}\n{more}", base=Path("/srv"))

    made = embedding.script(every, "newsletter")

    assert made == embedding.script(default, "newsletter"), "what it asks is told with the wording"


def test_the_script_knows_the_gateway_the_form_and_its_languages(default: Config) -> None:
    known = settings(embedding.script(default, "newsletter"))

    assert known["base"] == "http://localhost:8080"
    assert known["form"] == "newsletter"
    assert known.keys() == {"base", "form", "css"}


@pytest.mark.parametrize(
    ("locale", "submit"), [("en", "Sign up"), ("de", "Anmelden"), ("fr", "S’inscrire")]
)
def test_its_words_are_those_of_the_language_that_is_shown(locale: str, submit: str) -> None:
    assert embedding.words(locale)["submit"] == submit


def test_the_script_can_run_under_a_strict_policy_and_sets_nothing(default: Config) -> None:
    script = embedding.script(default, "newsletter")

    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        'setAttribute("style"',
        ".style.",
        "document.cookie",
        "localStorage",
        "sessionStorage",
        "indexedDB",
    ):
        assert forbidden not in script
    assert set(re.findall(r"https?://[^/\"\\]+", script)) == {"http://localhost:8080"}


def test_no_remark_stands_behind_a_statement() -> None:
    """Its line end goes, and whatever comes after would be part of the remark."""
    source = (resources.templates() / "pages" / "embed.js").read_text("utf-8")

    assert [line for line in source.splitlines() if "//" in line.lstrip().removeprefix("//")] == []


def test_every_colour_has_its_place(default: Config) -> None:
    css = settings(embedding.script(default, "newsletter"))["css"]

    assert "/*" not in str(css)
    assert "\n" not in str(css)


@pytest.mark.parametrize("locale", ["en", "de"])
def test_the_snippet_is_the_script_and_a_plain_form_inside_its_place(
    default: Config, locale: str
) -> None:
    html = embedding.snippet(default, "newsletter", locale)

    found = Outline(html)
    names = [attrs["name"] for tag, attrs in found.tags if tag == "input"]
    assert names == ["profile.first_name", "email", "purpose", "text", "homepage", "locale"]
    assert ("script", {"src": "http://localhost:8080/forms/newsletter.js", "async": None}) in (
        found.tags
    )
    assert html.index("data-consent-form") < html.index("<form") < html.index("</div>")
    assert default.purposes["newsletter"].text[locale] in html


def test_the_snippet_shows_configured_words_as_text() -> None:
    raw = config.embedded_default().replace("Yes, send me the", "<b>Yes</b> & send me the")
    hostile = config.parse(raw, base=Path("/srv"))

    html = embedding.snippet(hostile, "newsletter", "en")

    assert "&lt;b&gt;Yes&lt;/b&gt; &amp; send me" in html
