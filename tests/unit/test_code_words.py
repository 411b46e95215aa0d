"""Every word that programs use has words for people, in each language: none is printed as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from audit.entry import Entry
from audit.export.columns import flattened
from audit.gaps import Cause
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent.evidence import BASIS, BY_BUTTON, Why
from consent.feed import News
from consent.keys.set_phases import NEEDS
from consent.model import GroundKind, Reason
from consent.rights import Progress, Right
from consent.sign_ups import ASK_AGAIN, RE_PERMISSION, SWITCHED_ON, RenderedBy
from consent.specimens import What
from consent.stop_proofs import Lifted
from consent.subject_evidence import Corrected
from consent.suppressions import Stop
from delivery.outbox import Parked, Status
from delivery.outcome import Outcome
from gateway.callers.operators import Role
from gateway.cli import defending
from gateway.config import config
from gateway.config.config import Config
from gateway.desk import questions, story
from gateway.flows.breaches.readable import Store
from gateway.flows.by import OWN_WAYS
from gateway.flows.proving.export_forms import Form
from gateway.http import fact_words
from gateway.http.fact_words import FactWords
from gateway.look import code_words, event_words, terms
from gateway.look.translations import SOURCE, languages
from gateway.watch.stuck import _OTHER, _TABLES
from storage.keysets import KeyState
from tests.support.mails import AT

OTHERS = [language for language in languages() if language != SOURCE]
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "evidence.json").read_text("utf-8"))
# What an event can say in codes: of which kind, under which name.
CODES: tuple[tuple[Kind, str, Iterable[str]], ...] = (
    (Kind.CONSENT_WITHDRAWN, "channel", [*OWN_WAYS, *questions.CHANNELS, "api", "crm", "reply"]),
    (Kind.CONSENT_REQUESTED, "rendered_by", RenderedBy),
    (Kind.CONSENT_REQUESTED, "form", [ASK_AGAIN, RE_PERMISSION, SWITCHED_ON]),
    (Kind.CONSENT_REQUESTED, "basis", [BASIS]),
    (Kind.CONSENT_REQUESTED, "client", terms.CLIENTS),
    (Kind.CONSENT_REQUESTED, "locale", ["de", "en", "fr"]),
    (Kind.CONSENT_REQUESTED, "purpose", ["newsletter", *fact_words.SERVICE_MAILS]),
    (Kind.CONSENT_CONFIRMED, "action", [BY_BUTTON]),
    (Kind.CONSENT_MAIL_SENT, "relay", ["relay", "inbox", "direct"]),
    (Kind.CONSENT_LAPSED, "why", Why),
    (Kind.CONSENT_EXPIRED, "why", Why),
    (Kind.SUPPRESSION_ADDED, "why", Stop),
    (Kind.SUPPRESSION_LIFTED, "stop", Lifted),
    (Kind.SUBJECT_RECTIFIED, "what", Corrected),
    (Kind.SUBJECT_EXPORTED, "format", [*Form, "json"]),
    (Kind.RIGHTS_REQUESTED, "right", Right),
    (Kind.PERMIT_BATCH, "ground.kind", GroundKind),
    (Kind.PERMIT_BATCH, "reason", [*Reason, *Parked, "quota", "paused", "not_needed"]),
    (Kind.MESSAGE_REFUSED, "reason", Reason),
    (Kind.DELIVERY_BATCH, "outcome", Outcome),
    (Kind.PERMISSION_ASKED, "answer", ["granted", *Reason]),
    (Kind.CAMPAIGN_PAUSED, "reason", ["restored"]),
    (Kind.OPERATOR_CREATED, "role", Role),
    (Kind.OPERATOR_SIGNED_IN, "how", ["mail", "printed"]),
    (Kind.KEY_ROTATED, "kind", ["kek", "dkim", *NEEDS]),
    (Kind.KEY_ROTATED, "state", [*KeyState, "signed_in"]),
    (Kind.LOG_CLOSED, "cause", Cause),
    (Kind.BREACH_ASSESSED, "taken", Store),
    (Kind.BACKUP_RESTORED, "stores", ["data", "key_store", "guard"]),
    (Kind.AUDIT_EXPORTED, "scope", ["authority"]),
)
# What entries name, of whichever kind (docs/formats/audit-log.md).
REFS = {
    Kind.CAMPAIGN_ENDED: ("campaign", *Status, *(f"refused_{one}" for one in Reason)),
    Kind.BACKUP_RESTORED: (
        *("withdrawals", "objections", "restrictions", "not_here", "requests", "links"),
        *("sessions", "operators", "keyless", "damaged", "held", "since", "until"),
    ),
    Kind.LOG_CLOSED: ("predecessor", "size", "root", "cause", "guard", "guard_root"),
    Kind.KEY_ROTATED: ("kind", "number", "state", "before", "key", "domain", "selector"),
    Kind.AUDIT_EXPORTED: ("format", "export", "api_key", "operator", "case", "from", "scope"),
    Kind.AUDIENCE_COUNTED: ("purpose", "answers", "recipients", "refused"),
    Kind.SUBJECT_ERASED: ("erasure", "payloads", "items", "leavings", "altered"),
    Kind.DRILL_HELD: ("backup", "passed"),
    Kind.ROWS_ADOPTED: ("outbox", "consent", "subject"),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config.parse(config.embedded_default(), base=tmp_path_factory.mktemp("config"))


def said() -> Iterator[tuple[Kind, str]]:
    """Every fact that a payload has, by its name."""
    for kind, facts in ((Kind(one["kind"]), one["facts"]) for one in VECTORS["facts"]):
        yield from ((kind, name) for name, value in flattened(facts) if value != "null")


@pytest.mark.parametrize("locale", OTHERS)
@pytest.mark.parametrize(("kind", "name", "codes"), CODES, ids=[f"{k}-{n}" for k, n, _ in CODES])
def test_no_code_of_an_event_is_printed_as_it_is(
    kind: Kind, name: str, codes: Iterable[str], locale: str, loaded: Config
) -> None:
    words = FactWords(loaded, locale)

    shown = {str(one): words.value(kind, name, str(one)) for one in codes}

    assert {one for one, value in shown.items() if one in value.split() and "_" in one} == set()
    assert {
        one for one, value in shown.items() if value in (one, terms.quoted(one, locale))
    } == set()


@pytest.mark.parametrize("locale", OTHERS)
def test_every_fact_and_reference_has_a_label(locale: str, loaded: Config) -> None:
    words = FactWords(loaded, locale)
    named = [*said(), *((kind, name) for kind, names in REFS.items() for name in names)]

    assert [(kind, name) for kind, name in named if words.label(kind, name) == name] == []


@pytest.mark.parametrize("locale", OTHERS)
@pytest.mark.parametrize(("kind", "name", "codes"), CODES, ids=[f"{k}-{n}" for k, n, _ in CODES])
def test_a_line_of_the_desk_says_it_in_the_readers_words(
    kind: Kind, name: str, codes: Iterable[str], locale: str, loaded: Config
) -> None:
    for code in map(str, codes):
        facts: dict[str, object] = {}
        inner = facts
        *above, last = name.split(".")
        for step in above:
            inner = inner.setdefault(step, {})  # type: ignore[assignment]
        inner[last] = code
        entry = Entry(b"e" * 16, kind, Actor.SYSTEM, AT, "node", {}, {}, None)

        line = story._line(Told("sub_ada", entry, bytes(32), facts), loaded, locale)

        assert code not in [value for _, value in line["said"]]


def test_every_table_of_words_has_each_member() -> None:
    tables: list[tuple[Mapping[str, str], Iterable[str]]] = [
        (code_words.STATES, Status),
        (code_words.OUTCOMES, Outcome),
        (code_words.GROUNDS, GroundKind),
        (code_words.RIGHTS, Right),
        (code_words.PROGRESS, Progress),
        (code_words.SHOWN_BY, RenderedBy),
        (code_words.ENDED, Why),
        (code_words.STOPS, Lifted),
        (code_words.CORRECTED, Corrected),
        (code_words.SPECIMENS, What),
        (code_words.NEWS, News),
        (code_words.ROLES, Role),
        (code_words.CAUSES, Cause),
        (code_words.TABLES, [*_TABLES, _OTHER]),
        (event_words.KINDS, Kind),
    ]

    for table, members in tables:
        assert table.keys() == set(members)
    assert len(set(code_words.STATES.values())) == len(Status), "states that read alike"


def test_what_somebody_else_called_so_is_marked_as_theirs(loaded: Config) -> None:
    words = FactWords(loaded, "de")

    assert words.value(Kind.CONSENT_WITHDRAWN, "channel", "pigeon") == "„pigeon“"
    assert words.value(Kind.PERMIT_BATCH, "purpose", "gone") == "„gone“"
    assert words.value(Kind.HOLD_PLACED, "reason", "bounce") == "bounce"
    assert words.value(Kind.SUBJECT_ACCESSED, "why", "bounce", Actor.OPERATOR) == "bounce"


def test_the_reason_that_a_command_gives_by_itself_is_said_in_the_readers_language(
    loaded: Config,
) -> None:
    (default,) = [one for one in defending.defend.__defaults__ or () if one == terms.MAIL_HANDED_IN]
    words = FactWords(loaded, "de")

    shown = words.value(Kind.SUBJECT_ACCESSED, "why", default, Actor.OPERATOR)

    assert shown == "eine E-Mail wurde vorgelegt"
    assert words.value(Kind.SUBJECT_ACCESSED, "why", default, Actor.API) == default
