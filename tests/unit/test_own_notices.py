from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import config as configuration
from gateway.config.config import Config
from gateway.errors import ConfigError
from gateway.look import own_notices
from gateway.look.notices import notice, problems
from gateway.process import routes
from tests.unit.test_claims import VARIANTS

PROCESSOR = """
[processors.abroad]
name = "Mail_Relay Inc."
role = "hands over our mails"
country = "US"
safeguard = "standard contractual clauses"
"""
NAMED = """# Ours
Acme GmbH, Musterstr. 1,
10115 Berlin, Germany, privacy@acme.example. Brand: **Acme**, https://www.acme.example/imprint.
Mail\\_Relay Inc. ({country}) hands over our mails.
"""


def configured(base: Path, *changes: tuple[str, str], **written: str) -> Config:
    """The embedded default with a processor abroad, and with notices of one's own."""
    raw = configuration.embedded_default() + PROCESSOR
    for old, new in changes:
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    for language, text in written.items():
        (base / f"{language}.md").write_text(text, encoding="utf-8")
    own = ", ".join(f'{language} = "{language}.md"' for language in written)
    if own:
        raw = raw.replace("[controller] ", f"[controller]\nnotice = {{ {own} }} ", 1)
    return configuration.parse(raw, base=base)


def of(base: Path, text: str, *changes: tuple[str, str]) -> list[str]:
    return problems(configured(base, *changes, en=text))


ENGLISH, GERMAN = (NAMED.format(country=one) for one in ("United States", "Vereinigte Staaten"))


def test_a_text_that_names_everybody_is_published_as_it_is(tmp_path: Path) -> None:
    config = configured(tmp_path, en=ENGLISH, de=GERMAN)

    assert problems(config) == []
    assert (notice(config, "en"), notice(config, "de")) == (ENGLISH, GERMAN)


@pytest.mark.parametrize(
    ("left_out", "problem"),
    [
        ("Acme GmbH", 'the controller: "Acme GmbH"'),
        ("Berlin", 'the controller\'s address: "Musterstr. 1, 10115 Berlin, Germany"'),
        ("privacy@acme.example", 'the contact: "privacy@acme.example"'),
        ("/imprint", 'the imprint of senders.acme: "https://www.acme.example/imprint"'),
        ("Inc.", 'processors.abroad: "Mail_Relay Inc."'),
        ("United", 'the country of processors.abroad: "United States"'),
    ],
)
def test_a_text_that_leaves_somebody_out_is_refused(
    left_out: str, problem: str, tmp_path: Path
) -> None:
    config = configured(tmp_path, en=ENGLISH.replace(left_out, ""))

    with pytest.raises(ConfigError) as refused:
        notice(config, "de")

    assert refused.value.problems == (f"controller.notice.en: does not name {problem}",)


def test_the_country_is_asked_for_in_the_language_of_the_text(tmp_path: Path) -> None:
    config = configured(tmp_path, en=ENGLISH, de=ENGLISH)

    assert problems(config) == [
        'controller.notice.de: does not name the country of processors.abroad: "Vereinigte Staaten"'
    ]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_built_in_one_of_the_same_configuration_would_do(
    changes: list[tuple[str, str]], tmp_path: Path
) -> None:
    config = configured(tmp_path, *changes)

    copied = {language: notice(config, language) for language in ("en", "de")}

    assert problems(configured(tmp_path, *changes, **copied)) == []


LATER = [
    pytest.param(
        ('message_bodies = "30d"', 'message_bodies = "60d"'),
        "which are part of the proof: 30 days.",
        id="a period",
    ),
    pytest.param(
        ('unused_after = "4y"', 'unused_after = "never"'),
        "It ends by itself, too, once no mail was sent under it for 4 years.",
        id="an end",
    ),
    pytest.param(
        ("enabled = true", "enabled = false"),
        "By the same checksum, and on the same ground, we keep robots away from our forms.",
        id="a capability that is off",
    ),
]


@pytest.mark.parametrize(("change", "stale"), LATER)
def test_what_was_taken_from_the_built_in_one_is_refused_once_it_is_not_so(
    change: tuple[str, str], stale: str, tmp_path: Path
) -> None:
    copied = ENGLISH + notice(configured(tmp_path), "en")
    assert of(tmp_path, copied) == []

    found = of(tmp_path, copied, change)

    assert [(stale in one, one.endswith("that is not so")) for one in found] == [(True, True)]


def test_it_is_found_in_german_and_across_lines_too(tmp_path: Path) -> None:
    text = GERMAN + "\n* **Den Inhalt** von E-Mails\n  nach dem Versand, außer dem von"
    text += " Bestätigungsmails, die zum Nachweis gehören: 90 Tage. Und mehr."

    found = problems(configured(tmp_path, de=text))

    assert found == [
        'controller.notice.de: says "Den Inhalt von E-Mails nach dem Versand, außer dem von '
        'Bestätigungsmails, die zum Nachweis gehören: 90 Tage." '
        "(bodies_kept), and as it is configured that is not so"
    ]


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("/my-data", True),
        ("/my-data?locale=de", True),
        ("/forms/newsletter", True),
        ("/notices/sha256:00", True),
        ("", True),
        ("/my-data/export", False),
        ("/my-data/erase", True),
        ("/my-data/forget", False),
        ("/forms/none", False),
        ("/account", False),
    ],
)
def test_a_text_leads_to_pages_that_there_are(path: str, is_one: bool, tmp_path: Path) -> None:
    found = of(tmp_path, f"{ENGLISH}\nYour data: [here](http://localhost:8080{path}).")

    assert [one.partition(": ")[2] for one in found] == (
        []
        if is_one
        else [f"leads to http://localhost:8080{path}, which is no page of this gateway"]
    )


def test_the_pages_are_those_that_are_served_without_a_token() -> None:
    served = (*routes.PAGES, *routes.OWN_PAGES, *routes.OPERATIONS)
    open_to_all = {one.path for one in served if one.method == "GET" and "{" not in one.path}

    assert set(own_notices.PAGES) <= open_to_all
    assert {one for one in open_to_all if one.startswith("/my-data")} <= set(own_notices.PAGES)


def test_a_language_without_names_of_countries_takes_english_ones(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        ('en = "Yes, send', 'qx = "Yes, send'),
        ("title = { en", "title = { qx"),
        ("label = { en", "label = { qx"),
        qx=ENGLISH,
        de=GERMAN,
    )

    assert problems(config) == []
