"""What an operator is told of the last verification."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit import verified
from audit.report import Since
from audit.verified import Scope, Verified
from gateway.watch.verification import Nights, told
from tests.support.clock import START

NIGHT, WEEK = timedelta(days=1), timedelta(days=7)
GOOD = Verified(Scope.NEWER, START, Since(1, 300, bytes(32)))


@pytest.mark.parametrize(
    ("nights", "later", "level", "said"),
    [
        (Nights(None, None), NIGHT, "ok", "none yet"),
        (Nights(GOOD, START), NIGHT, "ok", "all well, 300 entries (what was newer)"),
        (Nights(GOOD, START), 2 * NIGHT, "warn", "48 hours old"),
        (Nights(GOOD, START - 9 * NIGHT), NIGHT, "warn", "of every entry is too old"),
        (Nights(GOOD, None), NIGHT, "warn", "of every entry is too old"),
    ],
    ids=["new", "well", "late", "never whole for long", "never whole"],
)
def test_what_is_late_is_warned_of(nights: Nights, later: timedelta, level: str, said: str) -> None:
    (found,) = told(nights, START + later, WEEK)

    assert found.level == level
    assert said in found.text


def test_what_was_found_fails_and_says_what_stands_still_for_it() -> None:
    bad = Verified(Scope.WHOLE, START, verified.NOWHERE, 3, 1, first_bad=7, broken=True)

    (found,) = told(Nights(bad, START), START, WEEK)

    assert found.level == "fail"
    assert "3 faults in the log, the first at index 7, 1 row that does not fit it" in found.text
    assert "nothing is signed until then" in found.fix


def test_rows_beside_the_log_do_not_stop_the_signing() -> None:
    beside = Verified(Scope.WHOLE, START, Since(1, 300, bytes(32)), 0, 1)

    (found,) = told(Nights(beside, START), START, WEEK)

    assert (found.level, Nights(beside, START).faults) == ("fail", 1)
    assert "signed" not in found.fix
