"""How much marketing goes in a window, and what a new sender may send on which day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import cycle, islice

import pytest

from gateway.config.config import WarmUp
from gateway.config.durations import Cap
from gateway.flows.sending import quotas
from gateway.flows.sending.quotas import Quota
from gateway.limits import Bucket

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize("count", [1, 2, 19, 20, 100, 2000])
def test_no_window_has_more_than_the_quota_whenever_mails_come(count: int) -> None:
    limit = Quota("relay", "", Cap(count, HOUR)).limit
    bucket, now = Bucket(limit, NOW, quotas.LONGEST), NOW
    went: list[datetime] = []
    for pause in islice(cycle([0, 0, 0, 0.5, 1, 0, 3]), 3 * count):
        now += HOUR / count * pause
        turn = quotas.turn([bucket], now)
        went.append(turn or now)

    most = max(sum(one <= other < one + HOUR for other in went) for one in went)
    assert most <= count


def test_a_mail_waits_for_the_slowest_of_its_quotas_and_each_has_a_turn_of_its_own() -> None:
    slow, fast = (Quota("domain", one, Cap(n, HOUR)) for one, n in (("a", 2), ("b", 3600)))
    buckets = [Bucket(one.limit, NOW, quotas.LONGEST) for one in (slow, fast)]

    turns = [quotas.turn(buckets, NOW) for _ in range(3)]

    assert turns == [None, NOW + HOUR / 2, NOW + HOUR]


def test_a_turn_that_is_further_off_than_a_message_lives_is_none_and_is_asked_for_again() -> None:
    bucket = Bucket(Quota("relay", "", Cap(1, 4 * DAY)).limit, NOW, quotas.LONGEST)

    turns = [quotas.turn([bucket], NOW) for _ in range(3)]

    assert turns == [None, NOW + 4 * DAY, NOW + HOUR]


@pytest.mark.parametrize(
    ("after", "count"),
    [(-5, 500), (0, 500), (0.9, 500), (1, 750), (2, 1125), (23, 5_611_370), (25, None)],
)
def test_a_new_sender_may_send_more_each_day_until_it_is_new_no_more(
    after: float, count: int | None
) -> None:
    warm_up = WarmUp(since=date(2026, 12, 1), first_day=500, growth=1.5)

    cap = quotas.warmed(warm_up, datetime(2026, 12, 1, tzinfo=UTC) + after * DAY)

    assert cap == (None if count is None else Cap(count, DAY))


def test_one_that_does_not_grow_stays_as_it_is() -> None:
    warm_up = WarmUp(since=date(2020, 1, 1), first_day=500, growth=1)

    assert quotas.warmed(warm_up, NOW) == Cap(500, DAY)
