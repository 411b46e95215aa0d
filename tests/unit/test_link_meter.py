from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from consent.link_meter import COUNTED_FOR, DAY, MONTH, Recipient, may_ask_again, may_go

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CONFIRMED = Recipient(confirmed=True, blocked=False, stopped=False)
STRANGER = Recipient(confirmed=False, blocked=False, stopped=False)
BLOCKED = Recipient(confirmed=False, blocked=True, stopped=False)


def sent(recipient: Recipient, moments: Iterable[timedelta]) -> list[timedelta]:
    """When links go to somebody in whose name one is asked for at each of *moments*."""
    gone: list[timedelta] = []
    for moment in moments:
        if may_go(recipient, [NOW + one for one in gone], NOW + moment):
            gone.append(moment)
    return gone


def hours(days: int) -> list[timedelta]:
    return [timedelta(hours=hour) for hour in range(days * 24)]


def test_who_confirmed_gets_one_a_day_and_five_a_month() -> None:
    assert sent(CONFIRMED, hours(60)) == [DAY * n for n in (0, 1, 2, 3, 4, 30, 31, 32, 33, 34)]


def test_others_get_one_and_then_wait_a_day_a_week_and_months() -> None:
    assert sent(STRANGER, hours(300)) == [DAY * n for n in (0, 1, 8, *range(38, 300, 30))]


def test_others_who_must_not_be_asked_get_one_a_month() -> None:
    assert sent(BLOCKED, hours(100)) == [DAY * n for n in (0, 30, 60, 90)]


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_mailbox_that_stopped_them_gets_none(confirmed: bool) -> None:
    assert not may_go(Recipient(confirmed, blocked=True, stopped=True), [], NOW)


def test_a_block_does_not_close_the_data_of_who_confirmed() -> None:
    objected = Recipient(confirmed=True, blocked=True, stopped=False)

    assert sent(objected, hours(10)) == [DAY * n for n in range(5)]


@pytest.mark.parametrize("quiet", [MONTH, COUNTED_FOR - SECOND, COUNTED_FOR])
def test_whoever_rests_gains_no_more_than_whoever_asks_all_the_time(quiet: timedelta) -> None:
    def resting() -> list[timedelta]:
        return sent(STRANGER, (quiet * n + hour for n in range(6) for hour in hours(9)))

    assert len(resting()) <= len(sent(STRANGER, hours((quiet * 6).days + 9))) + 6


@pytest.mark.parametrize("who", [CONFIRMED, STRANGER], ids=["confirmed", "another"])
def test_the_order_of_moments_does_not_matter(who: Recipient) -> None:
    order: list[Callable[[Iterable[datetime]], list[datetime]]] = [sorted, lambda m: [*m][::-1]]
    moments = [NOW - DAY * 8 - SECOND, NOW - DAY * 7]

    assert len({may_go(who, arranged(moments), NOW) for arranged in order}) == 1


def test_what_was_confirmed_counts_for_nothing_when_somebody_asks_again() -> None:
    went = [NOW - DAY, NOW - SECOND]

    assert not may_ask_again(went, None, NOW)
    assert not may_ask_again(went, NOW - DAY, NOW)
    assert may_ask_again(went, NOW - SECOND, NOW)
    assert may_ask_again(went, None, NOW + 7 * DAY)
