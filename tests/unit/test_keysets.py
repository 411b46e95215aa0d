from __future__ import annotations

import pytest

from storage.errors import StorageAway
from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret

OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="none"),
        pytest.param([Key(1, KeyState.RETIRING, OLD)], id="none active"),
        pytest.param([Key(1, KeyState.ACTIVE, OLD), Key(2, KeyState.ACTIVE, NEW)], id="two active"),
        pytest.param([Key(1, KeyState.ACTIVE, OLD), Key(1, KeyState.RETIRING, NEW)], id="a number"),
        pytest.param([Key(1, KeyState.ACTIVE, None)], id="active without a secret"),
    ],
)
def test_a_set_that_cannot_be_is_refused(keys: list[Key]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeySet(keys)


def test_what_is_made_of_keys_goes_with_them() -> None:
    keys = KeySet([Key(1, KeyState.ACTIVE, OLD)], monotonic=lambda: 0.0)
    keys.made["rows"] = b"of the old one"

    keys.stand([Key(1, KeyState.DESTROYED, None), Key(2, KeyState.ACTIVE, NEW)], (), 0.0)

    assert (keys.made, keys.secret, keys.live) == ({}, NEW, {2: NEW})


def test_who_stood_still_makes_no_row_and_calls_none_forged_whose_key_it_does_not_know() -> None:
    moment = 0.0
    keys = KeySet([Key(1, KeyState.ACTIVE, OLD)], monotonic=lambda: moment)
    keys.stand(keys.keys, (), moment)

    assert not keys.is_elsewhere(2)
    moment = 51.0
    assert keys.is_elsewhere(2)
    assert not keys.is_elsewhere(1)
    assert keys.secret == OLD  # others know it for a day
    moment = 3601.0
    with pytest.raises(StorageAway):
        assert keys.kid


def test_who_has_no_key_that_others_would_know_makes_no_row() -> None:
    keys = KeySet.of(OLD)
    keys.stand([Key(1, KeyState.DESTROYED, None)], (2,), 0.0)

    assert keys.is_elsewhere(2)
    with pytest.raises(StorageAway):
        assert keys.secret
