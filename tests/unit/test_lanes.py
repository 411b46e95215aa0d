"""Service mail passes marketing, and has connections left when the relay is slow with it."""

from __future__ import annotations

import pytest

from delivery.lanes import Ask, Lanes, kept_free

TTL, MARGIN, CONNECTIONS = 2.0, 0.5, 20


@pytest.fixture
def lanes() -> Lanes[str]:
    """Mails are called after their class."""
    made = Lanes[str](TTL, MARGIN, lambda one: one.startswith("service"))
    made.connections = CONNECTIONS
    return made


def claim(lanes: Lanes[str], mails: list[str], now: float, *, marketing: bool = True) -> None:
    lanes.add(Ask(200, marketing), mails, now)


def names(lanes: Lanes[str], now: float) -> list[str]:
    found = []
    while (taken := lanes.take(now)) is not None:
        found.append(taken[0])
    return found


@pytest.mark.parametrize(
    ("connections", "kept"), [(1, 0), (3, 0), (4, 1), (19, 1), (20, 2), (200, 20)]
)
def test_a_tenth_of_the_connections_is_kept_free_where_there_are_some(
    connections: int, kept: int
) -> None:
    assert kept_free(connections) == kept


def test_a_service_mail_leaves_before_marketing_that_was_claimed_earlier(
    lanes: Lanes[str],
) -> None:
    claim(lanes, ["news1", "news2"], 0.0)
    claim(lanes, ["service1"], 0.1, marketing=False)

    assert list(lanes) == ["service1", "news1", "news2"]
    assert names(lanes, 0.2) == ["service1", "news1", "news2"]


def test_marketing_takes_all_connections_but_two_of_twenty_until_one_of_it_has_ended(
    lanes: Lanes[str],
) -> None:
    claim(lanes, [f"news{n}" for n in range(30)], 0.0)

    begun = names(lanes, 0.1)
    for one in begun[:3]:
        lanes.ended(one)

    assert len(begun) == CONNECTIONS - 2
    assert lanes.ready == 3
    assert len(names(lanes, 0.2)) == 3
    assert not lanes.has_more


def test_while_a_relay_is_slow_with_marketing_only_service_mail_is_claimed(
    lanes: Lanes[str],
) -> None:
    claim(lanes, [f"news{n}" for n in range(18)], 0.0)
    begun = names(lanes, 0.1)

    asked = lanes.ask(10.0, idle=True)
    claim(lanes, ["service1"], 10.0, marketing=False)
    taken = names(lanes, 10.1)
    lanes.ended(taken[0])
    lanes.ended(begun[0])

    assert asked is not None
    assert not asked.marketing
    assert taken == ["service1"]
    then = lanes.ask(20.0, idle=True)
    assert then is not None
    assert then.marketing


def test_a_burst_of_service_mail_is_claimed_as_it_is_begun_before_marketing_is_again(
    lanes: Lanes[str],
) -> None:
    claim(lanes, ["service"] * 200, 0.0)
    lanes.late(TTL)  # none of it was begun in time

    asked = lanes.ask(TTL, idle=True)
    claim(lanes, ["service"], TTL, marketing=False)
    lanes.clear()
    then = lanes.ask(TTL, idle=True)

    assert asked == Ask(2, marketing=False)
    assert then is not None
    assert then.marketing


def test_connections_that_are_busy_but_move_are_claimed_for_and_those_that_do_not_are_not(
    lanes: Lanes[str],
) -> None:
    claim(lanes, [f"news{n}" for n in range(18)], 0.0)
    names(lanes, 1.0)

    moving, still = lanes.ask(1.1, idle=False), lanes.ask(2.0, idle=False)

    assert moving is not None
    assert moving.marketing
    assert still is None


def test_behind_messages_that_only_wait_twice_as_many_are_decided_each_time(
    lanes: Lanes[str],
) -> None:
    asked = []
    for _ in range(8):
        ask = lanes.ask(0.0, idle=True)
        assert ask is not None
        asked.append((ask.wanted, ask.most))
        lanes.add(ask, [], 0.0, others=max(ask.wanted, ask.most))
    went_on = lanes.goes_on
    lanes.add(Ask(4, marketing=True, most=200), ["news"] * 4, 0.0, others=100)

    assert [wanted for wanted, _ in asked] == [4] * 8, "it is no more that may begin"
    assert [most for _, most in asked] == [0, 8, 16, 32, 64, 128, 200, 200]
    assert went_on
    assert not lanes.goes_on, "all that it wanted came: connections are what lacks"


def test_one_that_is_put_off_behind_what_was_claimed_lets_nobody_hurry(
    lanes: Lanes[str],
) -> None:
    lanes.add(Ask(4, marketing=True), [], 0.0)
    nothing_due = lanes.goes_on
    lanes.add(Ask(4, marketing=True, most=8), [], 0.0, others=1)
    lanes.none_came()

    assert not nothing_due
    assert not lanes.goes_on, "the database is away"


def test_what_may_not_begin_any_more_is_taken_out_of_both(lanes: Lanes[str]) -> None:
    claim(lanes, ["news1", "service1"], 0.0)

    assert lanes.late(TTL - MARGIN) == ["service1", "news1"]
    assert lanes.clear() == []


def test_service_mail_alone_is_asked_for_now_and_then_unless_there_was_more_of_it(
    lanes: Lanes[str],
) -> None:
    """Else every mail that is begun, with marketing at hand, asks the database for it."""
    first = lanes.ask(0.0, idle=True)
    claim(lanes, [f"news{n}" for n in range(200)], 0.0)
    names(lanes, 0.0)

    assert first == Ask(4, marketing=True)
    assert lanes.ask(0.1, idle=False) is None
    assert lanes.ask(0.22, idle=False) == Ask(4, marketing=False)
    assert lanes.ask(0.24, idle=False) is None

    claim(lanes, [f"service{n}" for n in range(4)], 0.24, marketing=False)
    names(lanes, 0.24)
    assert lanes.ask(0.25, idle=False) == Ask(8, marketing=False)
