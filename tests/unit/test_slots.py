"""When messages of a campaign are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from delivery.slots import AHEAD, is_time, slots

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_without_a_pace_all_are_due_at_once() -> None:
    assert slots(NOW, NOW + MINUTE, None, 2) == ([NOW + MINUTE] * 2, NOW + MINUTE)


def test_so_many_an_hour_are_due_one_after_another_and_what_was_missed_is_not_made_up_for() -> None:
    due, next_at = slots(NOW, NOW, 60, 3)

    assert due == [NOW, NOW + MINUTE, NOW + 2 * MINUTE]
    assert next_at == NOW + 3 * MINUTE
    assert slots(next_at, NOW + 30 * MINUTE, 60, 1)[0] == [NOW + 30 * MINUTE]


def test_no_message_is_made_long_before_it_is_due() -> None:
    assert is_time(NOW + AHEAD, NOW, 60)
    assert not is_time(NOW + AHEAD + MINUTE, NOW, 60)
    assert is_time(NOW + 2 * AHEAD, NOW, None)
