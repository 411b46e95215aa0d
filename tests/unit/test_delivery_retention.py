"""Which permits nothing needs any more: a pure decision, at its very moments."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from delivery.retention import Need, OldPermit, spare

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


def permit(**changes: Any) -> OldPermit:
    plain = OldPermit("per_1", bytes(16), "sub_1", "newsletter", "con_1", NOW - 400 * DAY, None)
    return replace(plain, **changes)


def test_a_permit_that_nothing_asks_for_may_go() -> None:
    assert spare(permit(), Need(), NOW)


def test_a_permit_inside_the_window_of_a_cap_is_needed() -> None:
    assert not spare(permit(), Need(cap=400 * DAY + INSTANT), NOW)
    assert spare(permit(), Need(cap=400 * DAY), NOW)


def test_the_last_use_of_a_consent_is_needed_until_it_went_unused() -> None:
    last = permit(last_use=NOW - 400 * DAY)

    assert not spare(last, Need(unused_after=400 * DAY + INSTANT), NOW)
    assert spare(last, Need(unused_after=400 * DAY), NOW)
    assert spare(permit(), Need(unused_after=500 * DAY), NOW)


def test_nobody_asks_when_a_consent_that_ended_was_used() -> None:
    last = permit(last_use=NOW - DAY)

    assert spare(last, Need(unused_after=400 * DAY), NOW, stands=False)
    assert not spare(last, Need(cap=400 * DAY + INSTANT), NOW, stands=False)
