"""How many mails fit into how much time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from consent.frequency_cap import LOOK_AGAIN, fits_at

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def test_under_a_cap_the_next_mail_may_go_now() -> None:
    assert fits_at([], 1, 7 * DAY, NOW) is None
    assert fits_at([NOW - DAY], 2, 7 * DAY, NOW) is None


def test_over_a_cap_it_waits_until_the_oldest_that_counts_leaves_the_window() -> None:
    moments = [NOW - DAY, NOW - 6 * DAY, NOW - 3 * DAY, NOW - 8 * DAY]

    assert fits_at(moments, 2, 7 * DAY, NOW) == NOW + 4 * DAY
    assert fits_at(moments, 3, 7 * DAY, NOW) == NOW + DAY


def test_the_window_of_a_cap_closes_at_its_very_moment() -> None:
    tick = timedelta(microseconds=1)

    assert fits_at([NOW - 7 * DAY], 1, 7 * DAY, NOW) is None
    assert fits_at([NOW - 7 * DAY + tick], 1, 7 * DAY, NOW) == NOW + tick


def test_a_permit_that_may_yet_lapse_keeps_the_next_mail_back_for_a_moment_only() -> None:
    soon = NOW + LOOK_AGAIN

    assert fits_at([], 1, 7 * DAY, NOW, unspent=[NOW]) == soon
    assert fits_at([NOW - DAY], 2, 7 * DAY, NOW, unspent=[NOW]) == soon
    assert fits_at([NOW - DAY], 1, 7 * DAY, NOW, unspent=[NOW]) == NOW + 6 * DAY
    assert fits_at([NOW - DAY], 3, 7 * DAY, NOW, unspent=[NOW]) is None


@given(
    st.lists(st.integers(0, 20), max_size=8),
    st.integers(1, 4),
    st.integers(1, 10),
)
def test_a_cap_is_never_passed_and_never_waits_too_long(
    ages: list[int], count: int, days: int
) -> None:
    moments, window = [NOW - age * DAY for age in ages], days * DAY
    again = fits_at(moments, count, window, NOW)

    at = again or NOW
    assert sum(moment > at - window for moment in moments) < count
    if again is not None:
        before = again - timedelta(microseconds=1)
        assert sum(moment > before - window for moment in moments) >= count
