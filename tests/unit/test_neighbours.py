"""Whose word a block of a mailbox may be, where others share its folded spelling."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from audit.entry import Place
from consent.gates import Gate
from consent.model import SubjectState
from consent.neighbours import may_be_theirs
from consent.suppressions import Blocked, Stop
from tests.support.clock import START

EARLIER, LATER = START - timedelta(hours=1), START + timedelta(hours=1)


def neighbour(blocked: datetime | None = None, objected: datetime | None = None) -> Gate:
    return Gate(
        "sub_neighbour",
        SubjectState.LIVE,
        "en",
        restricted_at=None,
        objected_at=objected,
        suppressed=None,
        asking_blocked_at=blocked,
        address=None,
        profile=None,
        place=Place("sub_neighbour", 0, None),
    )


@pytest.mark.parametrize(
    ("since", "said_at", "other", "theirs"),
    [
        pytest.param(START, START, neighbour(), False, id="who never said anything"),
        pytest.param(START, START, neighbour(START), False, id="ended by the same act"),
        pytest.param(START, START, neighbour(LATER), True, id="who said no later"),
        pytest.param(EARLIER, START, neighbour(START), True, id="a block from before"),
        pytest.param(START, START, neighbour(START, START), True, id="who objected"),
        pytest.param(START, None, neighbour(START), True, id="somebody who never said no"),
        pytest.param(START, None, neighbour(), True, id="nobody who is known"),
    ],
)
def test_a_block_is_lifted_only_where_it_is_ones_own(
    since: datetime, said_at: datetime | None, other: Gate, theirs: bool
) -> None:
    assert may_be_theirs(Blocked(Stop.ASKING, since, None), said_at, [other]) is theirs
