"""Which facts are a person's, as noted while their keys are there."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from audit.counted import Counted
from audit.entry import Entry
from audit.kinds import Actor, Kind

AT = datetime(2026, 11, 23, 9, 0, 0, 123000, tzinfo=UTC)
ONE, TWO = bytes(range(16)), bytes(16)
COUNTED = Counted(AT, frozenset({ONE, TWO}), frozenset({(ONE, 0), (TWO, 7)}))


def test_a_count_is_read_as_it_was_written() -> None:
    assert Counted.read(COUNTED.write()) == COUNTED
    assert Counted.read(Counted(AT, frozenset(), frozenset()).write()).items == frozenset()


@pytest.mark.parametrize("change", [1, -1], ids=["longer", "shorter"])
def test_bytes_of_another_length_are_no_count(change: int) -> None:
    raw = COUNTED.write()

    with pytest.raises(ValueError, match="not a count"):
        Counted.read(raw + b"\0" if change > 0 else raw[:change])


def test_any_bytes_are_a_count_or_none() -> None:
    for length in range(80):
        try:
            Counted.read(secrets.token_bytes(length))
        except ValueError as error:
            assert str(error) == "not a count"


def test_what_a_worker_says_as_the_keys_go_is_theirs_and_what_others_asked_is_not() -> None:
    place = (secrets.token_bytes(16), 0)

    def event(kind: Kind, after: timedelta) -> Entry:
        return Entry(place[0], kind, Actor.SYSTEM, AT + after, "n", {}, {}, None)

    minute = timedelta(minutes=1)
    assert COUNTED.has_item(place, event(Kind.DELIVERY_BATCH, minute))
    assert not COUNTED.has_item(place, event(Kind.DELIVERY_BATCH, 3 * minute))
    assert not COUNTED.has_item(place, event(Kind.PERMISSION_ASKED, minute))
    assert not COUNTED.has_item(place, None)
    assert COUNTED.has_item((ONE, 0), None)
