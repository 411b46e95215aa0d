"""The mails of `templates/mail`, through the engine that renders them."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.mime import Content
from delivery.templates import Templates
from gateway.look import resources
from gateway.look.looks import mail_look
from gateway.look.translations import languages, translations
from tests.support.page_samples import SEAL, consent

BEFORE = {"before": "Yes, send me the letter.", "before_sender": "Workshop (Acme Werke AG)"}
OURS = [
    *("address_asked", "address_changed", "address_confirm"),
    *(
        "asked_again",
        "checkpoint",
        "confirmation",
        "desk",
        "welcome",
        "my_data",
        "probe",
        "re_permission",
        "stop_lifted",
        "withdrawal",
    ),
]
# What of all mails one alone shows.
OF_ALL = {
    "checkpoint": SEAL,
    "keys": "# from 0\nacme+00",
    "log": "acme",
    "size": "7",
    "day": "2026-03-03",
    **{"lifted": "restriction", "by": "us", "at": "3 March 2026", "until": "17 March 2026"},
}
AGAIN = "https://gateway.example/again/tokentoken"
LINKS = {
    name: f"https://gateway.example/{name}/tokentoken"
    for name in (
        "address",
        "confirm",
        "unsubscribe",
        "why",
        "preferences",
        "my_data",
        "desk",
        "stop",
        "stop_again",
    )
}


def frame(locale: str, accent: str | None = None, band: str | None = None) -> dict[str, Any]:
    return {
        "locale": locale,
        "sender": {
            "name": "Acme & Söhne",
            "postal_address": "Musterstr. 1, 10115 Berlin, Germany",
            "imprint_url": "https://www.acme.example/imprint",
            "privacy_url": "https://www.acme.example/privacy",
        },
        "controller": {"name": "Acme GmbH"},
        "look": mail_look(accent, band),
        "links": LINKS,
        "consents": [consent(locale) | BEFORE | {"again_url": AGAIN}],
    }


def mail(name: str, locale: str, *, footer: bool, **data: Any) -> Content:
    templates = Templates(resources.templates() / "mail", translations)
    return templates.render(name, locale, OF_ALL | data, frame(locale), footer=footer)


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en", "Please confirm your sign-up: Newsletter (Acme & Söhne)"),
        ("de", "Bitte bestätigen Sie Ihre Anmeldung: Newsletter (Acme & Söhne)"),
        ("fr", "Confirmez votre inscription\xa0: Newsletter (Acme & Söhne)"),
    ],
)
def test_the_confirmation_mail_shows_the_wording_and_the_one_link(
    locale: str, subject: str
) -> None:
    content = mail("confirmation", locale, footer=False)

    assert content.subject == subject
    assert content.html is not None
    for part in (content.text, content.html):
        assert consent(locale)["text"] in part
        assert LINKS["confirm"] in part
        assert LINKS["unsubscribe"] not in part


@pytest.mark.parametrize(
    ("locale", "subject", "no_more"),
    [
        (
            "en",
            "What you agreed to has changed: Newsletter (Acme & Söhne)",
            "we send you no such mails any more",
        ),
        (
            "de",
            "Worin Sie eingewilligt haben, hat sich geändert: Newsletter (Acme & Söhne)",
            "keine solchen E-Mails mehr",
        ),
    ],
)
def test_the_mail_that_asks_anew_says_what_was_and_what_is_and_every_way_out(
    locale: str, subject: str, no_more: str
) -> None:
    content = mail("re_permission", locale, footer=False)

    assert content.subject == subject
    assert content.html is not None
    for part in (content.text, content.html):
        assert "Yes, send me the letter." in part
        assert "Workshop (Acme Werke AG)" in part
        assert consent(locale)["text"] in part
        assert no_more in part
        for name in ("confirm", "unsubscribe", "stop"):
            assert LINKS[name] in part


def test_the_mail_that_asks_anew_carries_nothing_of_the_person() -> None:
    plain = mail("re_permission", "en", footer=False)

    assert mail("re_permission", "en", footer=False, profile={"first_name": "Buy now"}) == plain


def test_the_confirmation_mail_carries_nothing_that_the_form_was_given() -> None:
    plain = mail("confirmation", "en", footer=False)
    filled = mail("confirmation", "en", footer=False, first_name="Buy now", profile={"x": "y"})

    assert filled == plain


@pytest.mark.parametrize("locale", languages())
def test_a_marketing_mail_ends_with_every_link_and_the_imprint(locale: str) -> None:
    content = mail("welcome", locale, footer=True, first_name="Ada")

    assert content.html is not None
    for part in (content.text, content.html):
        for name in ("unsubscribe", "why", "preferences"):
            assert LINKS[name] in part
        for fact in ("Musterstr. 1", "https://www.acme.example/imprint"):
            assert fact in part
    assert content.html.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("address_confirm", "Ist das Ihre neue Adresse? (Acme & Söhne)"),
        ("address_asked", "Eine andere Adresse für Ihre E-Mails? (Acme & Söhne)"),
        ("address_changed", "Ihre Adresse wurde geändert (Acme & Söhne)"),
    ],
)
def test_a_mail_about_an_address_carries_its_link_and_nothing_of_the_person(
    name: str, subject: str
) -> None:
    content = mail(name, "de", footer=False)

    assert content.subject == subject
    assert content == mail(name, "de", footer=False, profile={"first_name": "Buy now"})
    for part in (content.text, content.html or ""):
        assert LINKS["address"] in part


@pytest.mark.parametrize("name", OURS)
def test_a_mail_names_the_legal_entity_behind_the_brand_once(name: str) -> None:
    content = mail(name, "de", footer=name == "welcome")
    for place in ("imprint", "privacy"):
        assert f"https://www.acme.example/{place}" in content.text
        assert f'href="https://www.acme.example/{place}"' in (content.html or "")
    templates = Templates(resources.templates() / "mail", translations)
    same = frame("de") | {"controller": {"name": "Acme & Söhne"}}
    alike = templates.render(name, "de", OF_ALL, same, footer=name == "welcome")

    end = "Acme & Söhne\nAcme GmbH\nMusterstr. 1, 10115 Berlin, Germany\n"
    assert end in content.text
    assert "Acme &amp; Söhne · Acme GmbH · Musterstr. 1" in (content.html or "")
    assert end.replace("Acme GmbH\n", "") in alike.text
    assert "Acme &amp; Söhne · Musterstr. 1" in (alike.html or "")


@pytest.mark.parametrize(
    ("data", "greeting"),
    [
        pytest.param({"first_name": "Ada"}, "Willkommen, Ada", id="by the caller"),
        pytest.param({"profile": {"first_name": "Ada"}}, "Willkommen, Ada", id="by the profile"),
        pytest.param({"profile": {}}, "Herzlich willkommen", id="unknown"),
    ],
)
def test_the_welcome_greets_by_name_where_it_knows_one(data: dict[str, Any], greeting: str) -> None:
    content = mail("welcome", "de", footer=True, **data)

    assert content.text.startswith(greeting)


@pytest.mark.parametrize(
    ("locale", "subject"),
    [("en", "Your personal link (Acme & Söhne)"), ("de", "Ihr persönlicher Link (Acme & Söhne)")],
)
def test_the_mail_with_a_fresh_link_says_nothing_else(locale: str, subject: str) -> None:
    content = mail("my_data", locale, footer=False, profile={"first_name": "Ada"})

    assert content.subject == subject
    assert content.html is not None
    for part in (content.text, content.html):
        assert LINKS["my_data"] in part
        assert "Ada" not in part
        assert consent(locale)["text"] not in part


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en", "Your withdrawal is stored: Newsletter (Acme & Söhne)"),
        ("de", "Ihr Widerruf ist gespeichert: Newsletter (Acme & Söhne)"),
    ],
)
def test_the_mail_that_tells_of_a_withdrawal_has_that_link_alone(locale: str, subject: str) -> None:
    content = mail("withdrawal", locale, footer=False, profile={"first_name": "Ada"})

    assert content.subject == subject
    assert content.html is not None
    for part in (content.text, content.html):
        assert AGAIN in part
        assert LINKS["stop"] in part
        assert "Ada" not in part
        assert consent(locale)["text"] not in part
        for name in ("confirm", "unsubscribe", "why", "preferences", "my_data"):
            assert LINKS[name] not in part


@pytest.mark.parametrize("name", OURS)
def test_a_mail_wears_the_brands_colours(name: str) -> None:
    templates = Templates(resources.templates() / "mail", translations)
    framed = frame("en", "#0b5fff", "#12372f")

    html = templates.render(name, "en", OF_ALL, framed, footer=name == "welcome").html or ""

    assert "#0d5c4b" not in html
    assert "background:#12372f;border-radius:14px;color:#ffffff" in html
    if name not in ("checkpoint", "probe", "welcome", "withdrawal"):
        assert "background:#0b5fff" in html


@pytest.mark.parametrize("name", OURS)
def test_a_mail_loads_nothing(name: str) -> None:
    html = mail(name, "en", footer=name == "welcome").html

    assert html is not None
    for loader in ("<img", "<link", "<script", "url(", "@import", "<iframe", "src="):
        assert loader not in html


def test_a_name_in_a_mail_cannot_become_markup() -> None:
    content = mail("welcome", "en", footer=True, first_name="<img src=x>")

    assert "<img" not in (content.html or "")
    assert "Acme &amp; Söhne" in (content.html or "")
    assert "Acme & Söhne" in content.text


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en", "Please keep: seal of the audit log, 2026-03-03 (Acme & Söhne)"),
        ("de", "Bitte aufbewahren: Siegel des Audit-Logs, 2026-03-03 (Acme & Söhne)"),
    ],
)
def test_the_mail_with_a_checkpoint_has_its_very_text_and_no_link_of_a_person(
    locale: str, subject: str
) -> None:
    content = mail("checkpoint", locale, footer=False)

    assert content.subject == subject
    assert SEAL in content.text
    assert content.html is not None
    assert SEAL.strip() in content.html
    assert "--checkpoint MAIL.eml" in content.html
    for part in (content.text, content.html):
        assert not any(link in part for link in LINKS.values())


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en", "A test of the mails of Acme & Söhne"),
        ("de", "Test der E-Mails von Acme & Söhne"),
        ("fr", "Essai des e-mails de Acme & Söhne"),
    ],
)
def test_a_probe_names_the_brand_and_carries_no_link(locale: str, subject: str) -> None:
    content = mail("probe", locale, footer=False)

    assert content.subject == subject
    for part in (content.text, content.html or ""):
        assert not any(link in part for link in LINKS.values())


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("name", OURS)
def test_a_subject_names_the_brand_and_the_purpose_where_there_is_one(
    name: str, locale: str
) -> None:
    subject = mail(name, locale, footer=name == "welcome").subject

    assert "Acme & Söhne" in subject
    of_a_purpose = name in ("confirmation", "asked_again", "re_permission", "withdrawal")
    assert ("Newsletter" in subject) is of_a_purpose
