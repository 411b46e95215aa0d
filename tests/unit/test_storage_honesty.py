from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.honesty import RowKeys, Value
from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret

OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)
KEYS = RowKeys(KeySet.of(OLD, NEW))
NOW = datetime(2026, 11, 26, 12, 0, 0, 5, tzinfo=UTC)

values = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8")),
    st.binary(),
    st.integers(),
    st.datetimes(timezones=st.just(UTC)),
)


def test_a_row_is_signed_with_the_active_key_and_names_it() -> None:
    kid, mac = KEYS.sign("thing", "a", 1, NOW, None)

    assert kid == 2
    assert KEYS.fits("thing", kid, mac, ("a", 1, NOW, None))


def test_a_row_of_a_retiring_key_still_fits() -> None:
    kid, mac = RowKeys(KeySet.of(OLD)).sign("thing", "a")

    assert KEYS.fits("thing", kid, mac, ("a",))


def test_a_moment_is_the_same_in_every_zone() -> None:
    kid, mac = KEYS.sign("thing", NOW)

    assert KEYS.fits("thing", kid, mac, (NOW.astimezone(timezone(timedelta(hours=13))),))


@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
def test_two_rows_have_one_mac_only_where_they_are_one(
    ours: list[Value], other: list[Value]
) -> None:
    kid, mac = KEYS.sign("thing", *ours)

    assert KEYS.fits("thing", kid, mac, other) is (repr(ours) == repr(other))


@pytest.mark.parametrize(
    ("table", "kid", "mac", "row"),
    [
        pytest.param("other", 2, None, ("a",), id="a row of another table"),
        pytest.param("thing", 1, None, ("a",), id="another key named"),
        pytest.param("thing", 7, None, ("a",), id="a key that never was"),
        pytest.param("thing", "2", None, ("a",), id="a key named by a text"),
        pytest.param("thing", None, None, ("a",), id="no key named"),
        pytest.param("thing", 2, "text", ("a",), id="a text as MAC"),
        pytest.param("thing", 2, b"", ("a",), id="an empty MAC"),
        pytest.param("thing", 2, None, (b"a",), id="bytes for a text"),
        pytest.param("thing", 2, None, (1.5,), id="a number with a fraction"),
        pytest.param("thing", 2, None, ("\ud800",), id="half a character"),
        pytest.param("thing", 2, None, (datetime(2026, 1, 1),), id="a moment of no zone"),  # noqa: DTZ001
    ],
)
def test_what_no_gateway_wrote_does_not_fit_and_raises_nothing(
    table: str, kid: object, mac: object, row: tuple[object, ...]
) -> None:
    right = KEYS.sign("thing", "a")

    assert not KEYS.fits(table, kid, right.mac if mac is None else mac, row)


def test_a_destroyed_key_signs_and_proves_nothing() -> None:
    kid, mac = RowKeys(KeySet.of(OLD)).sign("thing", "a")
    keys = KeySet([Key(1, KeyState.DESTROYED, None), Key(2, KeyState.ACTIVE, NEW)])

    assert not RowKeys(keys).fits("thing", kid, mac, ("a",))
    assert keys.live.keys() == {2}
