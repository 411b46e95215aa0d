from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.config import config as configuration
from gateway.config.config import Config
from gateway.look.generated_notices import plain, spell
from gateway.look.markdown import to_html
from gateway.look.notices import notice
from gateway.look.translations import languages


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configuration.parse(configuration.embedded_default(), base=tmp_path)


@pytest.mark.parametrize("locale", languages())
def test_the_built_in_notice_names_the_facts(config: Config, locale: str) -> None:
    text = notice(config, locale)

    sender = config.senders["acme"]
    for fact in (config.controller.name, config.controller.contact, sender.privacy_url):
        assert fact in text


@pytest.mark.parametrize(
    ("locale", "items"),
    [
        (
            "en",
            [
                "Art. 6(1)(a)",
                "Art. 6(1)(f)",
                "Art. 17(3)(e)",
                "§ 25(2)",
                "Art. 15",
                "Art. 20",
                "Art. 21",
                "Art. 77",
            ],
        ),
        (
            "de",
            [
                "Abs. 1 lit. a",
                "Abs. 1 lit. f",
                "Abs. 3 lit. e",
                "§ 25 Abs. 2",
                "Art. 15",
                "Art. 20",
                "Art. 21",
                "Art. 77",
            ],
        ),
        (
            "fr",
            [
                "par.\u00a01, point\u00a0a)",
                "par.\u00a01, point\u00a0f)",
                "par.\u00a03, point\u00a0e)",
                "§\u00a025, al.\u00a02",
                "art.\u00a015",
                "art.\u00a020",
                "art.\u00a021",
                "art.\u00a077",
            ],
        ),
    ],
)
def test_the_built_in_notice_has_what_article_13_asks_for(
    config: Config, locale: str, items: list[str]
) -> None:
    text = notice(config, locale)

    assert [item for item in items if item not in text] == []


def test_the_notice_says_how_long(config: Config) -> None:
    assert "and that you objected: 3 years, also" in notice(config, "en")
    assert "die nie bestätigt wurden: 30 Tage, nachdem" in notice(config, "de")


@pytest.mark.parametrize(
    ("locale", "kept"),
    [
        ("en", "brings you a personal link: 1 year after that mail"),
        ("de", "persönlichen Link bringt: 1 Jahr nach dieser E-Mail"),
        ("fr", "apporte un lien personnel\u00a0: 1 an après cet e-mail"),
    ],
)
def test_the_notice_says_what_is_kept_of_mails_that_anybody_can_ask_for(
    config: Config, locale: str, kept: str
) -> None:
    text = notice(config, locale)

    assert (
        text.count({"en": "keyed checksum", "de": "Prüfsumme", "fr": "empreinte à clé"}[locale])
        >= 1
    )
    assert kept in text, "as long as its rows and its link to stop such mails are kept"


@pytest.mark.parametrize("locale", languages())
def test_the_right_to_object_stands_in_a_box_of_its_own(config: Config, locale: str) -> None:
    (box,) = re.findall(r"<blockquote>.*?</blockquote>", to_html(notice(config, locale)), re.DOTALL)

    assert re.search(r"(?i)art.\s21", box)
    assert config.controller.contact in box


@pytest.mark.parametrize("locale", languages())
def test_the_notice_presumes_no_data_protection_officer(config: Config, locale: str) -> None:
    assert not re.search("officer|Datenschutzbeauftragt|délégué", notice(config, locale))


def test_the_same_configuration_gives_the_same_bytes(config: Config) -> None:
    assert notice(config, "de") == notice(config, "de-AT")
    assert notice(config, "it") == notice(config, "en")


def test_a_notice_of_ones_own_comes_first(config: Config, tmp_path: Path) -> None:
    own = tmp_path / "notice.md"
    said = f"# Ours\n{notice(config, 'en')}"
    own.write_text(said, encoding="utf-8")
    controller = config.controller.model_copy(update={"notice": {"en": own}})

    assert notice(config.model_copy(update={"controller": controller}), "de") == said


def changed(base: Path, *changes: tuple[str, str], more: str = "") -> Config:
    raw = configuration.embedded_default()
    for old, new in changes:
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    return configuration.parse(raw + more, base=base)


PROCESSORS = """
[processors.relay]
name = "Mail Relay Inc."
role = { en = "hands over our mails.", de = "übergibt unsere E-Mails" }
country = "US"
safeguard = { en = "standard contractual clauses", de = "Standardvertragsklauseln" }

[processors.hosting]
name = "Hosting*AG"
role = "Rechenzentrum"
country = "AT"
"""
RECEIVERS = {
    "en": [
        "<strong>Hosting*AG</strong>, Austria: Rechenzentrum.",
        "<strong>Mail Relay Inc.</strong>, United States: hands over our mails.",
        "outside the European Economic Area. What protects the data there: standard contractual",
    ],
    "de": [
        "<strong>Hosting*AG</strong>, Österreich: Rechenzentrum.",
        "<strong>Mail Relay Inc.</strong>, Vereinigte Staaten: übergibt unsere E-Mails.",
        "außerhalb des Europäischen Wirtschaftsraums. Was die Daten dort schützt: Standardvertrags",
    ],
}


@pytest.mark.parametrize("locale", RECEIVERS)
@pytest.mark.parametrize("transport", ["inbox", "relay"])
def test_processors_are_named_with_country_and_safeguard_in_the_readers_language(
    locale: str, transport: str, tmp_path: Path
) -> None:
    change = ('transport = "inbox"    ', f'transport = "{transport}"')

    page = to_html(notice(changed(tmp_path, change, more=PROCESSORS), locale))

    assert [one for one in RECEIVERS[locale] if one not in page] == []
    assert page.count("Economic Area" if locale == "en" else "Wirtschaftsraums") == 1


@pytest.mark.parametrize(("locale", "bound"), [("en", "Art. 28 GDPR"), ("de", "Art. 28 DSGVO")])
def test_where_none_is_named_nothing_is_said_of_processors(
    config: Config, locale: str, bound: str, tmp_path: Path
) -> None:
    assert bound not in notice(config, locale)
    assert bound in notice(changed(tmp_path, more=PROCESSORS), locale)


TERMS = {
    ("never", "never"): ([], ["by itself", "von selbst"]),
    ("2y", "never"): (
        ["itself 2 years after", "von selbst 2 Jahre nach"],
        ["too, once", "auch von"],
    ),
    ("never", "90d"): (
        ["mail was sent under it for 90 days", "90 Tage lang keine"],
        ["after you conf"],
    ),
    ("2y", "90d"): (["itself 2 years after", "for 90 days", "2 Jahre nach", "90 Tage lang"], []),
}


@pytest.mark.parametrize("terms", TERMS, ids=" ".join)
def test_each_consent_is_said_to_last_as_long_as_it_does(
    terms: tuple[str, str], tmp_path: Path
) -> None:
    ends, unused = terms
    config = changed(
        tmp_path,
        ('expires_after = "never"', f'expires_after = "{ends}"'),
        ('unused_after = "4y"', f'unused_after = "{unused}"'),
    )

    text = notice(config, "en") + notice(config, "de")

    there, missing = TERMS[terms]
    assert [one for one in there if one not in text] == []
    assert [one for one in missing if one in text] == []
    assert "Your consent to “Newsletter”: until you withdraw it." in text
    assert "Ihre Einwilligung in „Newsletter“: bis Sie sie widerrufen." in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('unconfirmed = "30d"', 'unconfirmed = "1d"'), "never confirmed: 3 days after"),
        (('unconfirmed = "30d"', 'unconfirmed = "60d"'), "never confirmed: 60 days after"),
        (('message_bodies = "30d"', 'message_bodies = "0d"'), "part of the proof: not at all."),
        (('\nmessages = "1y"', '\nmessages = "90d"'), "What became of each mail: 90 days; of"),
        (('# at_most = "2 per 7d"', 'at_most = "2 per 800d"'), "each mail: 800 days; of"),
        (
            ('evidence_after_withdrawal = "3y"', 'evidence_after_withdrawal = "0d"'),
            "The proof of each consent: until you withdraw it, or it ends.",
        ),
    ],
    ids=lambda one: one[1] if isinstance(one, tuple) else "",
)
def test_periods_are_said_as_they_run(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    assert said in notice(changed(tmp_path, change), "en")


@pytest.mark.parametrize("locale", languages())
def test_rights_are_asked_for_by_message_and_only_pages_that_exist_are_named(
    config: Config, locale: str
) -> None:
    text = notice(config, locale)

    links = set(re.findall(rf"\]\({config.server.public_url}(.*?)\)", text))
    assert links == {"/my-data"}
    assert text.count(f"](mailto:{config.controller.contact})") == 3


@example(r"R*Evolution* [x](https://a.example) <b>&amp; \* _y_ `z`")
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_a_name_reads_as_it_is_written(name: str) -> None:
    shown = unescape(to_html(f"- **x {plain(name)} x**"))

    assert shown == f"<ul>\n<li><strong>x {name} x</strong></li>\n</ul>\n"


@pytest.mark.parametrize(
    ("length", "locale", "said"),
    [
        (timedelta(days=365), "en", "1 year"),
        (timedelta(days=3 * 365), "de", "3 Jahre"),
        (timedelta(days=1), "de", "1 Tag"),
        (timedelta(hours=72), "en", "3 days"),
        (timedelta(hours=1), "fr", "1 heure"),
        (timedelta(days=2), "fr", "2 jours"),
        (timedelta(minutes=61), "en", "2 hours"),
        (timedelta(), "en", "not at all"),
    ],
)
def test_lengths_are_spelt_out(length: timedelta, locale: str, said: str) -> None:
    assert spell(length, locale) == said
