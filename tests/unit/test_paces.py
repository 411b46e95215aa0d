"""A pause ends after months by the calendar: on the same day, or the last where there is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consent.paces import months_after


@pytest.mark.parametrize(
    ("begun", "count", "until"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2026, 11, 30), 1, (2026, 12, 30)),
        ((2026, 12, 31), 1, (2027, 1, 31)),
        ((2026, 11, 30), 3, (2027, 2, 28)),
        ((2027, 8, 31), 6, (2028, 2, 29)),
        ((2026, 6, 15), 6, (2026, 12, 15)),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last(
    begun: tuple[int, int, int], count: int, until: tuple[int, int, int]
) -> None:
    moment = datetime(*begun, 14, 5, tzinfo=UTC)

    assert months_after(moment, count) == datetime(*until, 14, 5, tzinfo=UTC)
