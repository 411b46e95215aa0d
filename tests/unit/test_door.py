from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.door import Door, Told, Visit, networks
from gateway.limits import NETWORK, SEEN_FOR, Bucket, Limit, Wait, limit_key
from storage.secret import Secret

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WEEKLY = Secret(bytes(32))
FIVE = Limit("five", burst=5, interval=2 * SECOND)
EIGHT = Limit("eight", burst=8, interval=SECOND, kept=2)


class Monotonic:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_network_that_was_told_to_wait_waits_no_longer_than_that() -> None:
    clock = Monotonic()
    told = Told(clock)

    told.tell(b"flood", Wait(2 * SECOND))
    clock.seconds += 1.5
    still = told.left(b"flood")
    clock.seconds += 0.5

    assert still == Wait(timedelta(seconds=0.5))
    assert told.left(b"flood") is None
    assert told.left(b"other") is None


def test_what_is_remembered_of_a_flood_is_bounded() -> None:
    told = Told(Monotonic(), most=3)

    for key in (b"a", b"b", b"c", b"a", b"d"):
        told.tell(key, Wait(SECOND))

    remembered = [key for key in (b"a", b"b", b"c", b"d") if told.left(key) is not None]
    assert remembered == [b"a", b"c", b"d"]


@pytest.mark.parametrize(
    ("network", "counted"),
    [
        pytest.param("192.0.2.7", ["192.0.2.7"], id="IPv4"),
        pytest.param("unknown", ["unknown"], id="nobody knows"),
        pytest.param("10.0.0.0/8", ["10.0.0.0/8"], id="as coarse as a back end likes"),
        pytest.param(
            "2001:db8:1:2::/64",
            ["2001:db8:1:2::/64", "2001:db8:1::/56", "2001:db8:1::/48", "2001:db8::/32"],
            id="an IPv6 household",
        ),
        pytest.param("2001:db8:1::/48", ["2001:db8:1::/48", "2001:db8::/32"], id="IPv6, coarse"),
        pytest.param("2001::/16", ["2001::/16"], id="IPv6, coarser than we count"),
    ],
)
def test_a_network_is_counted_with_all_that_hold_it(network: str, counted: list[str]) -> None:
    found = networks(network)

    assert [name for _, name in found] == counted
    assert len({limit.name for limit, _ in found}) == len(found)
    assert [limit.burst for limit, _ in found] == sorted(limit.burst for limit, _ in found)


def test_what_was_seen_leaves_a_quarter_free() -> None:
    bucket = Bucket(EIGHT, NOW)

    for _ in range(6):
        assert bucket.wait(NOW, seen=True) <= timedelta()
        bucket.pour(NOW)

    assert bucket.wait(NOW, seen=True) == SECOND
    assert bucket.wait(NOW) <= timedelta()
    assert bucket.seen(NOW)
    assert not bucket.seen(NOW + SEEN_FOR + 6 * SECOND)


def test_a_moment_that_no_hit_can_have_put_there_leaves_room_for_who_was_not_seen() -> None:
    bucket = Bucket(EIGHT, NOW + timedelta(days=5))

    assert bucket.wait(NOW, seen=True) == SECOND
    assert bucket.wait(NOW) <= timedelta()


def test_nobody_waits_unless_the_database_said_so() -> None:
    door = Door(enabled=True, monotonic=Monotonic())

    visits = [Visit("signup", "192.0.2.7"), Visit("signup", None)]

    assert door.waiting(WEEKLY, visits) == [None, None]


def test_a_network_that_waits_is_refused_at_every_form_and_others_are_not() -> None:
    door = Door(enabled=True, monotonic=Monotonic())
    door._told.tell(limit_key(WEEKLY, NETWORK, "192.0.2.7"), Wait(2 * SECOND))

    visits = [Visit(form, net) for form in ("a", "b") for net in ("192.0.2.7", "192.0.2.8", None)]

    assert door.waiting(WEEKLY, visits) == [Wait(2 * SECOND), None, None] * 2


@pytest.mark.parametrize(
    "ahead", [timedelta(seconds=10.5), timedelta(days=5)], ids=["a little", "five days"]
)
def test_a_moment_that_no_hit_can_have_put_there_is_a_full_bucket(ahead: timedelta) -> None:
    bucket = Bucket(FIVE, NOW + ahead)

    assert bucket.pour(NOW) is None
    assert bucket.empty_at == NOW + 10 * SECOND
    assert bucket.wait(NOW) == 2 * SECOND
    assert bucket.pour(NOW + 2 * SECOND) == timedelta()


def test_what_may_wait_longer_is_not_cut_to_the_burst() -> None:
    bucket = Bucket(FIVE, NOW + 14 * SECOND, longest=6 * SECOND)

    assert bucket.pour(NOW) == 6 * SECOND
    assert bucket.empty_at == NOW + 16 * SECOND
    assert bucket.pour(NOW) is None
