"""How much a worker claims, and what it does with what is late."""

from __future__ import annotations

import pytest

from delivery.hand import MOST, Hand

TTL, MARGIN = 2.0, 0.5


@pytest.fixture
def hand() -> Hand[int]:
    return Hand(TTL, MARGIN)


def claim(hand: Hand[int], began: float, took: float) -> int:
    """Claim as much as the hand may, and begin all of it after *took* seconds."""
    size = hand.share
    hand.add(range(size), began)
    while hand.take(began + took):
        pass
    return size


def test_messages_leave_in_the_order_of_their_claim(hand: Hand[int]) -> None:
    hand.add([1, 2], began=0.0)
    hand.add([3], began=0.1)
    assert list(hand) == [1, 2, 3]

    assert [hand.take(0.2) for _ in range(4)] == [(1, 1.5), (2, 1.5), (3, 1.6), None]


def test_full_claims_that_begin_at_once_double_up_to_a_limit(hand: Hand[int]) -> None:
    sizes = [claim(hand, began=10.0 * n, took=0.1) for n in range(9)]

    assert sizes == [4, 8, 16, 32, 64, 128, MOST, MOST, MOST]


def test_a_claim_that_begins_late_halves_the_next(hand: Hand[int]) -> None:
    claim(hand, began=0.0, took=0.1)

    assert [claim(hand, began=10.0 * n, took=1.1) for n in (1, 2, 3, 4, 5)] == [8, 4, 2, 1, 1]


def test_one_that_takes_its_time_stays_as_it_is(hand: Hand[int]) -> None:
    assert [claim(hand, began=10.0 * n, took=0.8) for n in range(3)] == [4, 4, 4]


def test_a_claim_that_found_less_than_it_asked_for_teaches_nothing(hand: Hand[int]) -> None:
    assert not hand.add([1], began=0.0)
    hand.take(0.1)

    assert hand.share == 4


def test_what_may_not_begin_any_more_is_taken_out(hand: Hand[int]) -> None:
    hand.add([1, 2, 3, 4], began=0.0)
    hand.add([5], began=1.0)
    hand.take(0.1)

    assert hand.late(1.49) == []
    assert hand.late(1.5) == [2, 3, 4]
    assert hand.share == 2
    assert hand.take(1.5) == (5, 2.5)


def test_it_is_low_with_three_quarters_of_a_claim_left(hand: Hand[int]) -> None:
    assert hand.is_low
    assert hand.add([1, 2, 3, 4], began=0.0)
    assert not hand.is_low

    hand.take(0.1)

    assert hand.is_low


def test_it_moves_while_connections_come_free(hand: Hand[int]) -> None:
    assert not hand.is_moving(0.0)
    hand.add([1], began=0.0)
    hand.take(0.1)

    assert hand.is_moving(0.3)
    assert not hand.is_moving(0.36)


def test_a_cleared_hand_begins_nothing(hand: Hand[int]) -> None:
    hand.add([1, 2], began=0.0)

    assert hand.clear() == [1, 2]
    assert hand.take(0.0) is None
