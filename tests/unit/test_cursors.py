"""Where a reader of changes stands is handed to them sealed, and told to nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consent.feed import Position
from gateway.http import cursors
from gateway.http.cursors import Cursor
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.secret import Secret

OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)
KEYS = RowKeys(KeySet.of(OLD, NEW))
AT = datetime(2026, 11, 27, 12, 0, 0, 5, UTC)
SHARP = AT.replace(microsecond=0)  # which is written shorter


@pytest.mark.parametrize("after", [None, Position(1 << 62, "chg_" + "v" * 26)], ids=str)
def test_what_was_written_is_read_also_by_the_key_of_before(after: Position | None) -> None:
    before = RowKeys(KeySet.of(OLD))
    cursor = Cursor(after, AT)

    for keys in (KEYS, before):
        assert cursors.in_changes(KEYS, cursors.of_changes(keys, cursor)) == cursor
    assert cursors.in_changes(before, cursors.of_changes(KEYS, cursor)) is None


def test_two_of_the_same_place_look_different_and_as_long_as_any_other() -> None:
    id_ = "chg_" + "v" * 26
    places = [None, Position(7, id_), Position(7, id_), Position(2**63 - 1, id_)]
    here = [cursors.of_changes(KEYS, Cursor(one, at)) for one in places for at in (AT, SHARP)]

    assert len(set(here)) == len(here)
    assert len({len(one) for one in here}) == 1
    assert "chg" not in here[0]


def test_what_is_handed_out_for_one_list_opens_no_other() -> None:
    assert cursors.opened(KEYS, "messages", cursors.closed(KEYS, "messages", "msg_0")) == "msg_0"
    assert cursors.opened(KEYS, "changes", cursors.closed(KEYS, "messages", "msg_0")) is None


def test_nothing_else_is_read() -> None:
    said = cursors.of_changes(KEYS, Cursor(Position(7, "chg_0"), AT))
    middle = len(said) // 2
    other = "A" if said[middle] != "A" else "B"

    for wrong in ("", "2_", "_", "3" + said[1:], said[:-4], said + "AAAA", "2_" + "é" * 9):
        assert cursors.in_changes(KEYS, wrong) is None, wrong
    assert cursors.in_changes(KEYS, said[:middle] + other + said[middle + 1 :]) is None
