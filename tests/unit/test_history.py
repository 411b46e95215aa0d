"""What the log tells of consents is compared with their rows: the last one, all, in an order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.canonical import encode
from audit.entry import Entry, Place
from audit.histories import whole
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent import history
from consent.changes import EVENTS
from consent.consents import Consent
from consent.history import History
from consent.model import Evidence, State

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ADA = "sub_ada"


def eid(number: int) -> bytes:
    return number.to_bytes(16, "big")


def told(number: int, state: State | Kind, consent: str = "con_1", **more: Any) -> Told:
    """Event *number* of somebody's trail."""
    kind = state if isinstance(state, Kind) else EVENTS[state]
    common = {"consent": consent, "purpose": "newsletter", "channel": "x", "why": "it was not used"}
    asked = {"text": "t", "address_typed": "a", "address": "a", "received_at": NOW.isoformat()}
    asked |= {"form": "f", "rendered_by": "page", "locale": "en", "basis": "b"}
    agreed = {"token": "00", "confirmed_at": NOW.isoformat(), "action": "a", "profile": {}}
    sprev = None if number == 0 else encode(commitment(number - 1))
    place = {"sseq": number, "sprev": sprev, "comp": "evidence", "sub": ADA}
    entry = Entry(eid(number), kind, Actor.SUBJECT, NOW, "n", {}, {}, None)
    facts = {**common, **asked, **agreed, **place, **more}
    return Told(ADA, entry, commitment(number), facts)


def commitment(number: int) -> bytes:
    return bytes([number]) * 32


def place_after(events: Sequence[Told]) -> Place:
    last = encode(events[-1].commitment) if events else None
    return Place(ADA, events[-1].facts["sseq"] + 1 if events else 0, last)


def row(number: int, state: State, consent: str = "con_1", **more: Any) -> Consent:
    """The row as event *number* left it."""
    return Consent(
        id=consent,
        subject=ADA,
        purpose="newsletter",
        text_hash="t",
        form="f",
        locale="en",
        state=state,
        evidence=Evidence.PROVEN,
        requested_at=NOW,
        lapses_at=NOW,
        decided_at=None,
        ends_at=None,
        mails=1,
        profile=None,
        eid=eid(number),
        **more,
    )


REQUESTED = told(0, State.PENDING)
CONFIRMED = told(1, State.CONFIRMED)
WITHDRAWN = told(2, State.WITHDRAWN)


def history_of(*events: Told) -> History:
    return History.of(events, place_after(events))


def test_the_last_row_of_a_consent_is_vouched_for() -> None:
    assert history_of(REQUESTED).vouches(row(0, State.PENDING))
    assert history_of(REQUESTED, CONFIRMED).vouches(row(1, State.CONFIRMED))


@pytest.mark.parametrize(
    ("events", "stored"),
    [
        pytest.param((REQUESTED, CONFIRMED), row(0, State.PENDING), id="an old row"),
        pytest.param((REQUESTED,), row(0, State.PENDING, honest=False), id="altered"),
        pytest.param((REQUESTED,), row(0, State.PENDING, "con_2"), id="nobody asked"),
        pytest.param(
            (REQUESTED, CONFIRMED, told(2, State.LAPSED)), row(2, State.LAPSED), id="laundered"
        ),
        pytest.param((told(0, State.WITHDRAWN),), row(0, State.WITHDRAWN), id="never requested"),
    ],
)
def test_any_other_row_is_not(events: Sequence[Told], stored: Consent) -> None:
    assert not history_of(*events).vouches(stored)


def test_nothing_is_vouched_for_while_the_trail_lacks_an_event() -> None:
    known = History.of((REQUESTED,), place_after((REQUESTED, CONFIRMED)))

    assert not known.vouches(row(0, State.PENDING))


def test_a_row_that_was_left_without_a_key_is_vouched_for_by_its_event_alone() -> None:
    known = History(
        (REQUESTED,), history.changes_of((REQUESTED,)), whole=True, nameless=frozenset({eid(9)})
    )

    assert known.vouches(row(9, State.REJECTED))
    assert not known.vouches(row(8, State.REJECTED))


def test_a_person_is_vouched_for_where_no_decided_consent_is_away() -> None:
    later = told(2, State.PENDING, "con_2")
    both = (row(1, State.CONFIRMED), row(2, State.PENDING, "con_2"))
    known = history_of(REQUESTED, CONFIRMED, later)

    assert known.vouches_for_all(both)
    assert not known.vouches_for_all(both[1:])
    assert known.vouches_for_all(both[:1]), "a request may be forgotten"


@pytest.mark.parametrize("last", list(State))
@pytest.mark.parametrize("before", list(State))
def test_what_was_decided_is_decided_once(before: State, last: State) -> None:
    begun = [] if before is State.PENDING else [State.PENDING]
    begun += [State.CONFIRMED] if before in (State.WITHDRAWN, State.EXPIRED) else []
    kinds = [EVENTS[state] for state in (*begun, before, last)]

    assert history.possible(kinds) is (
        (before is State.PENDING and last in (State.CONFIRMED, State.REJECTED, State.LAPSED))
        or (before is State.CONFIRMED and last in (State.WITHDRAWN, State.EXPIRED))
    )


def test_a_trail_is_whole_where_each_event_follows_the_one_before() -> None:
    events = (REQUESTED, CONFIRMED, WITHDRAWN)

    assert whole(events, place_after(events))
    assert whole((), Place(ADA, 0, None))
    assert not whole(events[:2], place_after(events))
    assert not whole((REQUESTED, WITHDRAWN), place_after(events))
    assert not whole((REQUESTED, told(1, State.CONFIRMED, sprev="x")), place_after(events[:2]))


def test_numbers_that_a_later_event_let_go_may_be_missing() -> None:
    ended = told(2, Kind.EVIDENCE_ENDED, events=[0, 1])

    assert whole((ended,), place_after((ended,)))
    assert not whole((told(3, Kind.EVIDENCE_ENDED, events=[0, 1]),), Place(ADA, 4, None))
