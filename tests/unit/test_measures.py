"""What papers of the running gateway say is so at that moment, or not said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.config import config as configuration
from gateway.config.config import Config
from gateway.http import live_papers
from gateway.look import claims, measures, resources, written
from gateway.look.measures import MEASURES, Running
from gateway.look.translations import languages
from tests.support import words

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
FOLDER = resources.templates() / "papers"
CLAIMING = ("measures", "record")
_CLAIM = re.compile(r"\{\{ claim\.([a-z_]+) \}\}")
BEST = Running(
    at=NOW,
    https=True,
    transport="relay",
    relay_tls=True,
    relay_here=False,
    file_keyring=True,
    files=True,
    guard_apart=True,
    limits=True,
    admin_here=True,
    witnesses=2,
    mails_checkpoints=True,
    evidence_stays=True,
    verified_at=NOW,
    verified_well=True,
    backup_at=NOW,
    key_since=NOW,
    rotate_every=timedelta(days=30),
    copies_read=False,
)
# What makes each sentence that is not always so untrue, and which gap is named then instead.
WORSE = {
    "https": ({"https": False}, "https"),
    "relay_tls": ({"relay_tls": False}, "relay"),
    "guard_apart": ({"guard_apart": False}, "guard"),
    "verified": ({"verified_at": NOW - timedelta(hours=37)}, "night"),
    "backup": ({"backup_at": None}, "backup_none"),
    "key_young": ({"key_since": NOW - timedelta(days=30)}, "key"),
    "limits": ({"limits": False}, "limits"),
    "numbers_here": ({"admin_here": False}, "numbers"),
    "witnesses": ({"witnesses": 0}, None),
    "checkpoint_mails": ({"mails_checkpoints": False}, None),
    "evidence_locked": ({"evidence_stays": False}, None),
    "keyring_private": ({"file_keyring": False}, None),
    "data_here": ({"files": False}, None),
}
OTHERWISE = {
    "relay_here": {"relay_tls": False, "relay_here": True},
    "inbox": {"transport": "inbox"},
    "keyring_handed": {"file_keyring": False},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configuration.parse(configuration.embedded_default(), base=tmp_path)


def said(config: Config, now: Running, locale: str = "en") -> set[str]:
    texts = [
        written.rendered(name, locale, live_papers.facts(config, now, locale)) for name in CLAIMING
    ]
    return {one.claim for text in texts for one in claims.statements(text)}


def named(name: str, language: str) -> list[str]:
    return _CLAIM.findall((FOLDER / name / f"{language}.md").read_text("utf-8"))


@pytest.mark.parametrize("language", languages())
def test_every_sentence_of_a_paper_that_states_a_fact_has_its_test(language: str) -> None:
    found = {claim for name in CLAIMING for claim in named(name, language)}

    assert found == MEASURES.keys() == words.PAPER_FACTS.keys()
    assert found - set(WORSE) - set(OTHERWISE) == {
        name for name, holds in MEASURES.items() if holds is measures._always
    }


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("claim", sorted(WORSE))
def test_a_sentence_is_said_where_it_is_so_and_nowhere_else(
    config: Config, claim: str, locale: str
) -> None:
    change, gap = WORSE[claim]
    worse = replace(BEST, **change)

    assert claim in said(config, BEST, locale)
    assert claim not in said(config, worse, locale)
    gaps = live_papers.facts(config, worse, locale)["gaps"]
    assert {name for name, there in gaps.items() if there} == ({gap, "any"} if gap else set())


@pytest.mark.parametrize("claim", sorted(OTHERWISE))
def test_what_is_so_instead_is_said_then_alone(config: Config, claim: str) -> None:
    assert claim not in said(config, BEST)
    assert claim in said(config, replace(BEST, **OTHERWISE[claim]))


@pytest.mark.parametrize("locale", languages())
def test_with_nothing_missing_no_gap_is_named(config: Config, locale: str) -> None:
    shown = live_papers.paper(live_papers.Live.MEASURES, config, BEST, locale)
    headings = [one.text for one in shown.blocks if one.kind == "heading"]

    assert not {"What is missing", "Was fehlt", "Ce qui manque"} & set(headings)


@pytest.mark.parametrize(
    ("locale", "gap"),
    [("en", "The name of"), ("de", "Name und Telefon"), ("fr", "Le nom du d")],
)
def test_who_the_officer_is_stands_in_the_record_or_is_missing(
    config: Config, locale: str, gap: str
) -> None:
    named = config.controller.model_copy(update={"officer": "Jane Example, +49 30 1"})
    with_officer = config.model_copy(update={"controller": named})
    texts = [
        json.dumps(live_papers.paper(live_papers.Live.RECORD, one, BEST, locale).document())
        for one in (config, with_officer)
    ]

    assert [(gap in text, "Jane Example" in text) for text in texts] == [
        (True, False),
        (False, True),
    ]


def test_a_backup_of_last_week_and_keys_of_before_are_named(config: Config) -> None:
    old = replace(BEST, backup_at=NOW - timedelta(days=8), copies_read=True)
    gaps = live_papers.facts(config, old, "en")["gaps"]

    assert gaps["backup_old"] and gaps["copies"] and not gaps["backup_none"]
    assert "backup" not in said(config, old)
