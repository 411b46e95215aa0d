"""When a message is due again."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from delivery.schedule import (
    AFTER_DOUBT,
    FIRST_DELAY,
    LIFE,
    LONGEST_DELAY,
    begin_again,
    next_due,
)
from tests.support.mails import AT

MINUTE = timedelta(minutes=1)


def test_the_delay_doubles_up_to_four_hours() -> None:
    delays = [next_due(tries, AT, "msg_1") - AT for tries in range(1, 12)]

    wanted = [5, 10, 20, 40, 80, 160, 240, 240, 240, 240, 240]
    for delay, minutes in zip(delays, wanted, strict=True):
        assert minutes * MINUTE <= delay <= minutes * MINUTE * 1.1


@given(tries=st.integers(-1, 10_000), message=st.text(max_size=40))
def test_it_is_always_later_and_never_out_of_bounds(tries: int, message: str) -> None:
    delay = next_due(tries, AT, message) - AT

    assert FIRST_DELAY <= delay <= LONGEST_DELAY * 1.1
    assert next_due(tries, AT, message, in_doubt=True) - AT >= AFTER_DOUBT


def test_a_failed_batch_spreads_out_the_same_way_every_time() -> None:
    moments = {next_due(1, AT, f"msg_{number}") for number in range(100)}

    assert len(moments) == 100
    assert moments == {next_due(1, AT, f"msg_{number}") for number in range(100)}


def test_a_message_is_tried_often_before_it_expires() -> None:
    moment, tries = AT, 0
    while moment < AT + LIFE:
        tries += 1
        moment = next_due(tries, moment, "msg_1")

    assert 30 <= tries <= 40


def test_what_was_claimed_and_not_begun_is_due_at_once_a_few_times_and_then_later() -> None:
    delays = [(begin_again(unbegun, AT) - AT).total_seconds() for unbegun in range(20)]

    assert delays[:10] == [0, 0, 0, 0, 0, 0, 2, 6, 14, 30]
    assert delays[-2:] == [8190, 8190]
