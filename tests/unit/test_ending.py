"""What is kept of a withdrawal that somebody passed on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.kinds import Actor
from consent.evidence import PassedOn
from gateway.flows.leaving.ending import Withdrawal

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "kept"),
    [(NOW - DAY, NOW - DAY), (NOW, NOW), (NOW + DAY, NOW), (None, None)],
    ids=["before", "just now", "ahead", "not said"],
)
def test_no_letter_came_later_than_it_was_passed_on(
    said: datetime | None, kept: datetime | None
) -> None:
    facts = {"received_at": None if said is None else said.isoformat(), "reference": "case-7"}
    withdrawal = Withdrawal("newsletter", Actor.API, "letter", facts=facts)

    assert withdrawal.passed_on(NOW) == PassedOn(kept, "case-7")


def test_what_the_person_says_to_us_nobody_passed_on() -> None:
    assert Withdrawal("newsletter", Actor.SUBJECT, "link").passed_on(NOW) is None
