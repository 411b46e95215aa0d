from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.ids import bits_of, moment_of, named, ordered_id, random_id

AT = datetime(2026, 3, 3, 14, 5, 6, 789_000, tzinfo=UTC)


@given(st.binary(min_size=16, max_size=16))
def test_a_name_gives_its_bits_back(bits: bytes) -> None:
    assert bits_of(named("evt", bits)) == bits


def test_a_name_sorts_by_its_moment_and_tells_it() -> None:
    first, second = ordered_id("msg", AT), ordered_id("msg", AT + timedelta(milliseconds=1))

    assert first < second
    assert moment_of(first) == AT


@pytest.mark.parametrize(
    "name",
    [
        "",
        "evt_",
        "evt",
        "evt_w" + "0" * 25,
        "evt_" + "0" * 25 + "1",  # two bits that nothing stands for
        "evt_" + "A" + "0" * 25,
        "evt_" + "0" * 27,
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        bits_of(name)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(name: str) -> None:
    try:
        bits = bits_of(name)
    except ValueError:
        return
    assert named(name.partition("_")[0], bits) == name


def test_two_names_differ() -> None:
    assert random_id("sub") != random_id("sub")
