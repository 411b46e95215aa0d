from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.durations import Cap, parse_cap, parse_duration, parse_lasting


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("72h", timedelta(days=3)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(days=14)),
        ("4y", timedelta(days=1460)),
        ("0d", timedelta()),
    ],
)
def test_a_duration_has_its_unit(written: str, length: timedelta) -> None:
    assert parse_duration(written) == length


@pytest.mark.parametrize("written", ["", "30", "-1d", "1.5h", "1 d", "1D", "never", "9999y", "٣d"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(written)


@given(st.one_of(st.text(), st.integers(), st.none(), st.booleans()))
def test_anything_else_raises_only_value_errors(raw: object) -> None:
    for parse in (parse_duration, parse_lasting, parse_cap):
        try:
            parse(raw)
        except ValueError:
            continue


def test_never_has_no_end() -> None:
    assert parse_lasting("never") is None


def test_a_cap_is_a_number_and_a_window() -> None:
    assert parse_cap("2 per 7d") == Cap(2, timedelta(days=7))


@pytest.mark.parametrize("written", ["0 per 7d", "2 per 0d", "2 in 7d", "per 7d", 2])
def test_a_cap_that_allows_nothing_is_refused(written: object) -> None:
    with pytest.raises(ValueError):
        parse_cap(written)
