from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.config import advertising, config
from gateway.errors import ConfigError

DEFAULT = config.embedded_default()
LINKS = [
    "10 https://shop.example",
    "Save at WWW.acme",
    "acme.de",
    "shop.acme.com/x",
    "w\u200bww.acme",
]


@pytest.mark.parametrize(
    ("title", "flaw"),
    [
        *((link, "has a link") for link in LINKS),
        ("10 % voucher", "has a percent sign"),
        ("10％ Gutschein", "has a percent sign"),
        ("10\u00a0Prozent Rabatt", "has a percent sign"),
        ("News!", "has an exclamation mark"),
        ("¡Noticias", "has an exclamation mark"),
        ("News！", "has an exclamation mark"),
        ("Only €5", "has a price"),
        ("Nur 5,00 EUR", "has a price"),
        ("For 9.99 USD", "has a price"),
        ("USD 5 off", "has a price"),
        ("5 ₿", "has a price"),
    ],
)
def test_a_title_that_advertises_is_found(title: str, flaw: str) -> None:
    assert advertising.of_title(title) == flaw


@pytest.mark.parametrize(
    "title",
    [
        "Newsletter",
        "Angebote und Neuigkeiten",
        "Product news (2 a month)",
        "Europa im Blick",
        "Node.js weekly",
        "Q&A, 24/7",
        "Für Händler u.a. Partner",
        "Prozente und Brüche",
        "Top 10 der Woche",
    ],
)
def test_a_plain_title_is_one(title: str) -> None:
    assert advertising.of_title(title) is None


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("Yahoo!", None),
        ("Booking.com", None),
        ("Musterstr. 1, 10115 Berlin, Germany", None),
        ("Acme, 10 % off", "has a percent sign"),
        ("Acme https://acme.example", "has a link"),
        ("Acme from 5 €", "has a price"),
    ],
)
def test_a_name_may_be_a_brand_and_no_offer(name: str, flaw: str | None) -> None:
    assert advertising.of_name(name) == flaw


@pytest.mark.parametrize(
    ("wording", "flaw"),
    [
        ("Yes, and get 10 % off.", "has a percent sign"),
        ("Yes, and get 5 €.", "has a price"),
        ("Yes, from you and the partners at https://acme.example/partners!", None),
    ],
)
def test_a_wording_may_lead_to_a_list_and_offers_nothing(wording: str, flaw: str | None) -> None:
    assert advertising.of_wording(wording) == flaw


VOUCHER = "10 % voucher, https://shop.example"
ADVERTISED = {
    'title = { en = "Newsletter",': (
        f'title = {{ en = "{VOUCHER}",',
        "purposes.newsletter.title.en: has a link",
    ),
    'de = "Newsletter" }': ('de = "Jetzt!" }', "purposes.newsletter.title.de: has an exclamation"),
    'name = "Acme"  ': ('name = "Acme, 5 € off"  ', "senders.acme.name: has a price"),
    'name = "Acme GmbH"': ('name = "www.acme"', "controller.name: has a link"),
    'en = "Yes, send me': (
        'en = "10 % off, 5 € each! Yes, send me',
        "purposes.newsletter.text.en: has a percent",
    ),
    '"Musterstr. 1, 10115': ('"Save 10%, 10115', "controller.postal_address: has a percent"),
}


@pytest.mark.parametrize("old", ADVERTISED)
def test_start_and_doctor_refuse_what_a_confirmation_mail_must_not_show(
    old: str, tmp_path: Path
) -> None:
    new, problem = ADVERTISED[old]
    assert DEFAULT.count(old) == 1
    file = tmp_path / "config.toml"
    file.write_text(DEFAULT.replace(old, new), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        config.load(file)
    examined = CliRunner().invoke(cli.app, ["--config", str(file), "doctor"])

    assert [one.startswith(problem) for one in caught.value.problems] == [True]
    assert (examined.exit_code, problem in examined.output) == (1, True)
