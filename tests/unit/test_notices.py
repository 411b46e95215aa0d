from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config import config as configuration
from gateway.config.config import Config
from gateway.look.markdown import to_html
from gateway.look.notices import notice, spell


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configuration.parse(configuration.embedded_default(), base=tmp_path)


@pytest.mark.parametrize("locale", ["en", "de"])
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
                "Abs. 1 Buchst. a",
                "Abs. 1 Buchst. f",
                "Abs. 3 Buchst. e",
                "§ 25 Abs. 2",
                "Art. 15",
                "Art. 20",
                "Art. 21",
                "Art. 77",
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
    assert "after you withdrew it or it ended: 3 years, also" in notice(config, "en")
    assert "die nie bestätigt wurden: 30 Tage." in notice(config, "de")


@pytest.mark.parametrize(
    ("locale", "kept"),
    [
        ("en", "brings you a personal link: 1 year after that mail"),
        ("de", "persönlichen Link bringt: 1 Jahr nach dieser E-Mail"),
    ],
)
def test_the_notice_says_what_is_kept_of_mails_that_anybody_can_ask_for(
    config: Config, locale: str, kept: str
) -> None:
    text = notice(config, locale)

    assert text.count({"en": "keyed checksum", "de": "Prüfsumme"}[locale]) >= 1
    assert kept in text, "as long as its rows and its link to stop such mails are kept"


@pytest.mark.parametrize("locale", ["en", "de"])
def test_the_right_to_object_stands_in_a_box_of_its_own(config: Config, locale: str) -> None:
    (box,) = re.findall(r"<blockquote>.*?</blockquote>", to_html(notice(config, locale)), re.DOTALL)

    assert "Art. 21" in box
    assert config.controller.contact in box


@pytest.mark.parametrize("locale", ["en", "de"])
def test_the_notice_presumes_no_data_protection_officer(config: Config, locale: str) -> None:
    assert not re.search("officer|Datenschutzbeauftragt", notice(config, locale))


def test_the_same_configuration_gives_the_same_bytes(config: Config) -> None:
    assert notice(config, "de") == notice(config, "de-AT")
    assert notice(config, "fr") == notice(config, "en")


def test_a_notice_of_ones_own_comes_first(config: Config, tmp_path: Path) -> None:
    own = tmp_path / "notice.md"
    own.write_text("# Ours\n", encoding="utf-8")
    controller = config.controller.model_copy(update={"notice": {"en": own}})

    text = notice(config.model_copy(update={"controller": controller}), "de")

    assert text == "# Ours\n"


@pytest.mark.parametrize(
    ("length", "locale", "said"),
    [
        (timedelta(days=365), "en", "1 year"),
        (timedelta(days=3 * 365), "de", "3 Jahre"),
        (timedelta(days=1), "de", "1 Tag"),
        (timedelta(hours=72), "en", "3 days"),
        (timedelta(minutes=61), "en", "2 hours"),
        (timedelta(), "en", "not at all"),
    ],
)
def test_lengths_are_spelt_out(length: timedelta, locale: str, said: str) -> None:
    assert spell(length, locale) == said
