"""A consent changes in one way: its next state, and in its row the event that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit.entry import Place, parse
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import address, changes
from consent.consents import Consent
from consent.evidence import Requested, TakenBack
from consent.gates import Gate
from consent.keys.vault import Vault
from consent.links import Handle
from consent.model import Evidence, State, SubjectState
from consent.sign_ups import Asked, SignUp
from consent.trail import Trail
from storage.keysets import KeySet
from storage.secret import Secret

NOW = datetime(2026, 11, 23, 8, 25, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=80)
KEY = Secret(b"k" * 32)
LOG = Log("gw.example.org/audit", KeySet.of(Secret(b"m" * 32)), "node-1")
GATE = Gate(
    "sub_1", SubjectState.LIVE, "en", None, None, None, None, None, None, Place("sub_1", 0, None)
)
PENDING = Consent(
    id="con_1",
    subject="sub_1",
    purpose="newsletter",
    text_hash="sha256:5e",
    form="signup",
    locale="en",
    state=State.PENDING,
    evidence=Evidence.PROVEN,
    requested_at=NOW,
    lapses_at=NOW + timedelta(hours=72),
    decided_at=None,
    ends_at=None,
    mails=1,
    profile=None,
    eid=b"before",
)
CONFIRMED = replace(PENDING, state=State.CONFIRMED, decided_at=NOW, ends_at=LATER)
TAKEN_BACK = TakenBack("con_1", "newsletter", "phone")
Change = Callable[[Trail], Consent | None]


def trail(**keys: Secret) -> Trail:
    return Trail(LOG, Vault({"sub_1": keys}), {"sub_1": GATE})


def request(trail: Trail) -> Consent:
    form = SignUp("signup", address.parse("ada@example.org"), "en", (ASKED,))
    proof = Requested.by("con_1", form, ASKED, NOW)
    return changes.request("sub_1", proof, trail, NOW, lapses_at=LATER, answers=None)


ASKED = Asked("newsletter", "sha256:5e")
HANDLE = Handle(b"h" * 32)
CHANGES: dict[State, Change] = {
    State.PENDING: request,
    State.CONFIRMED: lambda t: changes.confirm(
        PENDING, b"token", t, NOW, ends_at=LATER, answers={}, handle=HANDLE
    ),
    State.REJECTED: lambda t: changes.take_back(PENDING, TAKEN_BACK, Actor.SUBJECT, t, NOW),
    State.WITHDRAWN: lambda t: changes.take_back(CONFIRMED, TAKEN_BACK, Actor.API, t, NOW),
    State.LAPSED: lambda t: changes.end(PENDING, t, LATER),
    State.EXPIRED: lambda t: changes.end(CONFIRMED, t, LATER),
}


def test_every_state_has_an_event_of_its_own() -> None:
    assert changes.EVENTS.keys() == set(State)
    assert len(set(changes.EVENTS.values())) == len(State)


@pytest.mark.parametrize("state", State)
def test_a_changed_consent_names_the_event_of_its_state(state: State) -> None:
    made = trail(evidence=KEY)

    changed = CHANGES[state](made)

    (draft,) = made._drafts
    assert changed is not None
    assert (changed.state, changed.eid) == (state, draft.eid)
    entry = parse(draft.entry)
    assert (entry.kind, dict(entry.refs)) == (changes.EVENTS[state], {"text": "sha256:5e"})
    assert [one.subject for one in draft.payloads] == ["sub_1"]


@pytest.mark.parametrize("state", [State.REJECTED, State.WITHDRAWN])
def test_who_leaves_without_a_key_leaves_an_event_about_nobody(state: State) -> None:
    made = trail(profile=KEY)

    changed = CHANGES[state](made)

    (draft,) = made._drafts
    assert changed is not None
    assert (changed.state, changed.eid) == (state, draft.eid)
    assert (draft.payloads, draft.items, draft.next) == ([], [], None)
    assert parse(draft.entry).kind is changes.EVENTS[state]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: changes.confirm(
            CONFIRMED, b"token", t, NOW, ends_at=None, answers={}, handle=HANDLE
        ),
        lambda t: changes.confirm(
            PENDING, b"token", t, LATER, ends_at=None, answers={}, handle=HANDLE
        ),
        lambda t: changes.confirm(
            replace(PENDING, honest=False), b"", t, NOW, ends_at=None, answers={}, handle=HANDLE
        ),
        lambda t: changes.take_back(
            replace(CONFIRMED, state=State.EXPIRED), TAKEN_BACK, Actor.SUBJECT, t, NOW
        ),
        lambda t: changes.end(PENDING, t, NOW),
        lambda t: changes.end(replace(CONFIRMED, honest=False), t, LATER),
    ],
    ids=["confirmed", "too late", "altered", "expired", "not yet", "altered at its end"],
)
def test_where_nothing_changes_nothing_is_told(change: Change) -> None:
    made = trail(evidence=KEY)

    assert change(made) is None
    assert made._drafts == []


def test_an_expiry_is_dated_by_the_end_and_not_by_who_came_by() -> None:
    expired = changes.end(CONFIRMED, trail(evidence=KEY), LATER + timedelta(days=9))

    assert expired is not None and expired.decided_at == LATER


def test_a_request_that_became_needless_lapses() -> None:
    made = trail(evidence=KEY)

    lapsed = changes.supersede(PENDING, made, NOW)

    assert (lapsed.state, lapsed.eid) == (State.LAPSED, made._drafts[0].eid)
    assert parse(made._drafts[0].entry).kind is Kind.CONSENT_LAPSED
