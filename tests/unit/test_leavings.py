"""What the row of a person says who left while their key was missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.entry import Place
from consent import leavings
from consent.gates import Gate
from consent.model import SubjectState
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.secret import Secret

KEYS = RowKeys(KeySet.of(Secret(bytes(32))))
GATE = Gate(
    "sub_1", SubjectState.LIVE, "en", None, None, None, None, None, None, Place("sub_1", 0, None)
)
ODD = [
    b"",
    b"null",
    b"[" * 100_000,
    b'{"left": 7}',
    b'{"left": [[1]]}',
    b'{"left": [["zz", null, 0]]}',
    b'{"left": [["00", null, 1e300]]}',
    b"\xff",
]


@pytest.mark.parametrize("stored", ODD, ids=range(len(ODD)))
def test_what_nobody_can_read_says_nothing_and_is_not_ours(stored: bytes) -> None:
    gate = replace(GATE, left_unread=stored)

    assert leavings.of(gate) == ()
    assert not leavings.is_ours(KEYS, gate)


def test_a_row_that_says_nothing_is_ours() -> None:
    assert leavings.of(GATE) == ()
    assert leavings.is_ours(KEYS, GATE)
