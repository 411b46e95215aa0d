"""What the log tells of somebody's stops: said just now, or lifted since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from audit.entry import Entry
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent import stops
from consent.stop_proofs import Lifted
from consent.stops import LiftedStops

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RESTRICTED, OBJECTED = Kind.SUBJECT_RESTRICTED, Kind.CONSENT_OBJECTED
UNRESTRICTED, LIFTED = Kind.SUBJECT_UNRESTRICTED, Kind.SUPPRESSION_LIFTED


def told(kind: Kind, at: datetime = NOW) -> Told:
    entry = Entry(b"e" * 16, kind, Actor.SUBJECT, at, "n", {}, {}, None)
    return Told("sub_ada", entry, b"c" * 32, {"stop": Lifted.OBJECTION})


@pytest.mark.parametrize(
    ("events", "just_now"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([told(RESTRICTED, NOW - SECOND)], True, id="a second ago"),
        pytest.param([told(RESTRICTED, NOW - 60 * SECOND)], False, id="a minute ago"),
        pytest.param([told(RESTRICTED, NOW + SECOND)], False, id="by a clock that was set back"),
        pytest.param([told(RESTRICTED), told(OBJECTED)], False, id="something else since"),
    ],
)
def test_only_what_the_log_heard_last_and_within_the_minute_was_said_just_now(
    events: Sequence[Told], just_now: bool
) -> None:
    assert stops.said_just_now(events, RESTRICTED, NOW) is just_now


@pytest.mark.parametrize(
    ("events", "lifted"),
    [
        pytest.param([told(RESTRICTED), told(OBJECTED)], LiftedStops(), id="both stand"),
        pytest.param([told(UNRESTRICTED)], LiftedStops(restriction=True), id="a restriction"),
        pytest.param([told(LIFTED)], LiftedStops(objection=True), id="an objection"),
        pytest.param([told(UNRESTRICTED), told(LIFTED)], LiftedStops(True, True), id="both"),
        pytest.param([told(UNRESTRICTED), told(RESTRICTED)], LiftedStops(), id="said again since"),
        pytest.param([told(UNRESTRICTED, NOW - SECOND)], LiftedStops(), id="before that"),
        pytest.param([told(Kind.CONSENT_CONFIRMED)], LiftedStops(), id="what is no stop"),
    ],
)
def test_what_was_lifted_since_is_what_nobody_said_again(
    events: Sequence[Told], lifted: LiftedStops
) -> None:
    assert stops.lifted_since(events, NOW) == lifted
