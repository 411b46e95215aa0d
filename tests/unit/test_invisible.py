from __future__ import annotations

import pytest

from storage.invisible import is_invisible, trimmed

UNSEEN = (
    " \t\r\n\x00\x1f\x7f\x85\u00a0\u00ad\u034f\u061c\u115f\u1680\u180e\u2000\u200b\u200c\u200d"
    "\u200e\u2028\u2029\u202e\u2060\u2066\u2800\u3000\u3164\ufe0f\ufeff\uffa0\U000e0001\U000e0101"
)


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda one: f"U+{ord(one):04X}")
def test_what_nobody_sees_is_cut_off_at_both_edges_and_stays_inside(unseen: str) -> None:
    assert is_invisible(unseen)
    assert trimmed(f"{unseen}{unseen}a{unseen}b {unseen}") == f"a{unseen}b"
    assert trimmed(unseen * 3) == ""


@pytest.mark.parametrize("seen", ["a", "ä", "-", ".", "é", "字", "ﷺ", "🙂", "ุ"])
def test_what_is_seen_stays(seen: str) -> None:
    assert not is_invisible(seen)
    assert trimmed(seen) == seen
