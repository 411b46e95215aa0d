"""Rows of the log name the key of their MAC; one that is not ours makes nothing ours."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from audit.rowmac import RowMacs
from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret

OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)
BEFORE, NOW = KeySet.of(OLD), KeySet.of(OLD, NEW)
LOG = "a.example"


def staged(keys: KeySet, log: str = LOG) -> SimpleNamespace:
    signed = RowMacs(keys, log).pending(7, b"entry")
    return SimpleNamespace(n=7, entry=b"entry", kid=signed.kid, mac=signed.mac)


def logged(keys: KeySet, log: str = LOG) -> SimpleNamespace:
    signed = RowMacs(keys, log).entry(7, b"entry")
    return SimpleNamespace(leaf_index=7, entry=b"entry", kid=signed.kid, mac=signed.mac)


def test_what_an_earlier_key_made_counts_beside_what_the_newest_makes() -> None:
    macs = RowMacs(NOW, LOG)

    assert (staged(BEFORE).kid, staged(NOW).kid) == (1, 2)
    assert all(macs.staged(staged(keys)) for keys in (BEFORE, NOW))
    assert all(macs.logged(logged(keys)) for keys in (BEFORE, NOW))


@pytest.mark.parametrize("kid", [0, 1, 3], ids=["nobody's", "another", "one that never was"])
def test_a_row_that_names_another_key_is_not_ours(kid: int) -> None:
    macs = RowMacs(NOW, LOG)

    for row, ours in ((staged(NOW), macs.staged), (logged(NOW), macs.logged)):
        assert ours(row)
        row.kid = kid
        assert not ours(row)


def test_a_destroyed_key_proves_nothing() -> None:
    left = KeySet([Key(1, KeyState.DESTROYED, None), Key(2, KeyState.ACTIVE, NEW)])

    assert not RowMacs(left, LOG).staged(staged(BEFORE))


def test_a_row_of_another_log_or_stage_is_not_ours() -> None:
    macs = RowMacs(NOW, LOG)

    assert not macs.staged(staged(NOW, "b.example"))
    moved = SimpleNamespace(**vars(staged(NOW)), leaf_index=7)
    assert not macs.logged(moved)
