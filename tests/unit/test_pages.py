from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment, UndefinedError

from gateway.config import config
from gateway.http import pages
from gateway.http.pages import Brand, Legal
from gateway.look.translations import SOURCE, languages
from tests.support.outline import Outline
from tests.support.page_samples import BRAND, HASH, samples

STATES = sorted(samples("en"))
LANGUAGES = languages()
BERLIN = ZoneInfo("Europe/Berlin")


def page(state: str, locale: str = "en", **changed: object) -> str:
    name, facts = samples(locale)[state]
    return pages.render(name, locale, **{**facts, **changed})


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_a_page_loads_nothing_and_runs_nothing(state: str, locale: str) -> None:
    outline = Outline(page(state, locale))

    assert not outline.every("script", "link", "iframe", "object", "base", "source")
    assert all(str(image["src"]).startswith("data:") for image in outline.every("img"))
    assert not [attrs for _, attrs in outline.tags if "style" in attrs]
    assert not [attrs for _, attrs in outline.tags if any(k.startswith("on") for k in attrs)]


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_a_page_has_one_heading_a_title_and_its_language(state: str, locale: str) -> None:
    outline = Outline(page(state, locale))

    assert len(outline.every("h1")) == 1
    assert outline.every("html") == [{"lang": locale}]
    assert len(outline.every("title")) == 1


@pytest.mark.parametrize("locale", [one for one in LANGUAGES if one != SOURCE])
@pytest.mark.parametrize("state", STATES)
def test_a_page_is_translated(state: str, locale: str) -> None:
    english, other = (
        re.sub(r"<style>.*?</style>", "", page(state, one), flags=re.DOTALL)
        for one in (SOURCE, locale)
    )

    heading = re.compile(r"<title>(.*?)</title>", re.DOTALL)
    found, translated = heading.search(english), heading.search(other)
    assert found is not None
    assert translated is not None
    if state != "form":
        assert found[1] != translated[1]
    for word in (" the ", " you ", "your "):
        assert word not in other


@pytest.mark.parametrize("state", STATES)
def test_forms_of_a_page_only_post(state: str) -> None:
    forms = Outline(page(state)).every("form")

    assert all(form["method"] == "post" for form in forms)


def test_no_box_is_ticked_in_advance() -> None:
    boxes = [a for a in Outline(page("form-two")).every("input") if a.get("type") == "checkbox"]

    assert len(boxes) == 2
    assert not [box for box in boxes if "checked" in box]


def test_the_form_names_the_wording_it_shows() -> None:
    inputs = Outline(page("form-two")).every("input")

    assert [a["value"] for a in inputs if a.get("name") == "text"] == [HASH, HASH]
    assert [a["value"] for a in inputs if a.get("name") == "homepage" and "value" in a] == []


def test_every_field_of_the_form_has_a_label() -> None:
    outline = Outline(page("form"))

    labelled = {a["for"] for a in outline.every("label") if "for" in a}
    shown = {
        a["id"]
        for a in outline.every("input")
        if a.get("type") in ("email", "text") and a.get("name") != "homepage"
    }
    assert shown <= labelled


def test_a_wrong_field_says_so_where_it_is() -> None:
    email = next(a for a in Outline(page("form-errors")).every("input") if a.get("id") == "email")

    assert email["aria-invalid"] == "true"
    assert f'id="{email["aria-describedby"]}"' in page("form-errors")


@pytest.mark.parametrize(
    ("state", "answers"),
    [
        pytest.param("confirm", ["confirm", "reject"], id="pending: both"),
        pytest.param("confirm-mixed", ["confirm", "reject"], id="one of them pending: both"),
        pytest.param("confirm-already", ["reject"], id="confirmed: only the way out"),
        pytest.param("confirm-settled", [], id="nothing left: no button"),
        pytest.param("expired", ["again"], id="expired: a new mail"),
        pytest.param("confirm-anew", ["confirm", "decline", "reject"], id="asked anew: all three"),
        pytest.param("confirm-anew-damaged", ["decline", "reject"], id="unreadable: only no"),
        pytest.param("expired-anew", ["again"], id="asked anew and expired: a new mail"),
    ],
)
def test_a_confirmation_page_offers_what_can_still_be_done(state: str, answers: list[str]) -> None:
    buttons = Outline(page(state)).every("button")

    assert [button["value"] for button in buttons] == answers


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_page_of_proofs_leads_to_the_switches(locale: str) -> None:
    def leads_there(state: str) -> bool:
        links = Outline(page(state, locale)).every("a")
        return "/my-data/preferences" in [one.get("href") for one in links]

    assert leads_there("why-fresh")
    assert not leads_there("why")


def test_preferences_show_what_is_on() -> None:
    radios = [a for a in Outline(page("preferences-saved")).every("input")]  # one waits

    chosen = [(a["name"], a["value"]) for a in radios if "checked" in a]
    assert chosen == [("purpose.newsletter", "on"), ("purpose.updates", "on")]


@pytest.mark.parametrize("state", ["unsubscribed", "stopped"])
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "use the link in the newest one"),
        ("de", "den Link in der neuesten"),
        ("fr", "le lien du plus récent"),
    ],
)
def test_every_answer_to_leaving_names_the_newest_link(state: str, locale: str, said: str) -> None:
    assert said in page(state, locale)


def test_values_cannot_become_markup() -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    legal = [Legal(hostile, "https://a.example/" + hostile, "https://a.example/" + hostile)]
    brand = Brand(name=hostile, controller=hostile, legal=legal * 2)

    text = page("form", brand=brand, email=hostile, stamp=hostile, page_url=hostile)

    assert "<img" not in text


def test_a_missing_variable_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError):
        pages.render("confirm", "en", brand=BRAND)


def test_a_brands_colour_reaches_the_page() -> None:
    text = page("thanks", brand=Brand(name="Blue", accent="#0b5fff"))

    assert "--accent:#0b5fff" in text


def test_a_brands_band_and_logo_reach_the_page() -> None:
    text = page("thanks-branded")

    assert "--band:#12372f;--on-band:#ffffff" in text
    assert '<img class="logo" src="data:image/svg+xml;base64,' in text
    assert 'alt="Acme"' in text


def test_a_colour_that_is_none_does_not_reach_the_page() -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        page("thanks", brand=Brand(name="Blue", accent="red}body{display:none"))


def test_moments_are_by_the_senders_clock_and_say_so() -> None:
    there = replace(BRAND, zone=BERLIN)

    assert "3 March 2026, 14:05 UTC" in page("why-fresh")
    shown = page("why-fresh", brand=there)
    assert "3 March 2026, 15:05 Central European Standard Time" in shown
    assert "UTC" not in shown


@pytest.mark.parametrize(
    ("clocks", "zone"),
    [
        pytest.param(['"Europe/Berlin"'], BERLIN, id="one sender"),
        pytest.param(['"Europe/Berlin"', '"Europe/Berlin"'], BERLIN, id="the same of two"),
        pytest.param(['"Europe/Berlin"', '"Europe/Paris"'], UTC, id="two of two"),
        pytest.param([], UTC, id="none"),
    ],
)
def test_the_clock_of_a_page_is_its_senders(
    clocks: list[str], zone: tzinfo, tmp_path: Path
) -> None:
    text = config.embedded_default()
    ours, end = text.index("[senders.acme]"), text.index("# [processors.relay]")
    for number, clock in enumerate(clocks):
        more = f"time_zone = {clock}\n"
        another = text[ours:end].replace("[senders.acme]", f"[senders.other{number}]") + more
        text = text[:end] + more + text[end:] if number == 0 else text + another
    loaded = config.parse(text, base=tmp_path)

    assert Brand.neutral(loaded).zone == zone


def test_links_in_text_become_links_and_nothing_else_does() -> None:
    text = 'See <https://a.example/x?a=1&b=2>. <script>"mailto:ada@example.org"'

    assert pages.linked(text) == (
        'See &lt;<a href="https://a.example/x?a=1&amp;b=2" rel="noreferrer" target="_blank">'
        "https://a.example/x?a=1&amp;b=2</a>&gt;. &lt;script&gt;&#34;mailto:ada@example.org&#34;"
    )


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_process_that_serves_compiles_no_page_anymore(
    locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling one holds up the loop for as long as ten answers, and anybody can ask for each."""

    def late(_: Environment, source: str, name: str | None = None, *_more: object) -> None:
        pytest.fail(f"{name} is compiled late")

    pages.prepare()
    monkeypatch.setattr(Environment, "compile", late)

    for page, facts in samples(locale).values():
        pages.render(page, locale, **facts)
