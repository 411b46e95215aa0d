"""Workers that look at the same due messages each take another share of them first."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from delivery.sharing import Due, Rank, in_turn
from tests.support.clock import START

FOUR = [Rank(place, 4) for place in range(4)]
CAMPAIGN = [Due(f"msg_{n:04}", f"sub_{n:04}", urgent=False) for n in range(1000)]


def first(rank: Rank, count: int, now: datetime = START, due: list[Due] = CAMPAIGN) -> set[str]:
    return {one.message for one in in_turn(due, rank, now)[:count]}


def test_one_worker_takes_the_oldest_first() -> None:
    assert in_turn(CAMPAIGN, Rank(), START) == CAMPAIGN


def test_four_that_look_at_once_want_nothing_twice() -> None:
    wanted = [first(rank, 200) for rank in FOUR]

    assert len(set().union(*wanted)) == 800


def test_what_one_has_taken_leaves_the_others_their_shares() -> None:
    """They do not look at the same moment: places in the line would have moved up."""
    gone = first(FOUR[0], 200)
    left = [one for one in CAMPAIGN if one.message not in gone]

    assert first(FOUR[1], 200, due=left) == first(FOUR[1], 200)


@pytest.mark.parametrize("rank", FOUR)
def test_the_oldest_of_ones_own_share_are_first_and_those_of_others_last(rank: Rank) -> None:
    ordered = [one.message for one in in_turn(CAMPAIGN, rank, START)]

    assert ordered[:200] == sorted(ordered[:200])
    assert ordered[-200:] == sorted(ordered[-200:], reverse=True)
    assert sorted(ordered) == [one.message for one in CAMPAIGN]


@pytest.mark.parametrize("rank", FOUR)
def test_service_mail_waits_for_nobodys_share(rank: Rank) -> None:
    late = [Due(f"msg_9{n}", f"sub_9{n}", urgent=True) for n in range(10)]

    assert first(rank, 10, due=[*CAMPAIGN, *late]) == {one.message for one in late}


def test_the_oldest_is_soon_anybodys_though_workers_are_stuck() -> None:
    """Only one of four works; it takes each message first within four turns."""
    oldest = CAMPAIGN[:50]
    moments = [START + timedelta(seconds=2 * turn) for turn in range(4)]
    taken = [first(FOUR[2], 50, now, due=oldest) for now in moments]
    heads = [in_turn(oldest, FOUR[2], now)[0].message for now in moments]

    assert all(len(one) == 50 for one in taken), "what nobody takes is left to nobody"
    assert oldest[0].message in heads
