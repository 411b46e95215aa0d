"""When the mail that tells of a withdrawal may go: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from consent import acknowledging
from consent.model import Granted, Ground, Reason, Refused, State, SubjectState, Unneeded
from tests.unit.test_policy import DAY, HOUR, NOW, Row, facts, row

LEFT = row(State.WITHDRAWN, "con_left")


def wanted(*consents: Row, **changes: Any) -> Granted | Refused | Unneeded:
    about = facts(*consents, **changes)
    return acknowledging.wanted(about, "con_left", NOW, queued_at=NOW - HOUR)


def test_it_rests_on_the_withdrawal_that_it_tells_of() -> None:
    assert wanted(LEFT) == Granted(Ground.service("con_left"))
    assert wanted(replace(LEFT, covers=frozenset())) == Granted(Ground.service("con_left"))
    assert wanted(LEFT, row(State.PENDING)) == Granted(Ground.service("con_left"))


@pytest.mark.parametrize(
    ("consents", "changes", "expected"),
    [
        pytest.param([LEFT], {"objected": True}, Refused(Reason.OBJECTED), id="objected"),
        pytest.param([LEFT], {"restricted": True}, Refused(Reason.RESTRICTED), id="restricted"),
        pytest.param(
            [LEFT],
            {"suppressed": Reason.SUPPRESSED_COMPLAINT},
            Refused(Reason.SUPPRESSED_COMPLAINT),
            id="complained",
        ),
        pytest.param(
            [LEFT],
            {"suppressed": Reason.SUPPRESSED_BOUNCE},
            Refused(Reason.SUPPRESSED_BOUNCE),
            id="no such mailbox",
        ),
        pytest.param([LEFT], {"honest": False}, Refused(Reason.UNPROVEN), id="an altered person"),
        pytest.param(
            [replace(LEFT, honest=False)], {}, Refused(Reason.UNPROVEN), id="an altered consent"
        ),
        pytest.param(
            [LEFT],
            {"subject_state": SubjectState.ERASING},
            Refused(Reason.ERASED),
            id="being erased",
        ),
        pytest.param([], {"subject_state": None}, Unneeded(), id="nobody"),
        pytest.param([LEFT], {"asking_blocked_at": NOW - HOUR}, Unneeded(), id="stopped since"),
        pytest.param(
            [LEFT, row(State.CONFIRMED, decided_at=NOW)], {}, Unneeded(), id="agreed anew"
        ),
        pytest.param([LEFT, row(State.WITHDRAWN, decided_at=NOW)], {}, Unneeded(), id="left anew"),
        pytest.param([replace(LEFT, state=State.EXPIRED)], {}, Unneeded(), id="no withdrawal"),
    ],
)
def test_whatever_keeps_a_mailbox_from_being_mailed_keeps_it_back(
    consents: list[Row], changes: dict[str, Any], expected: object
) -> None:
    assert wanted(*consents, **changes) == expected


def test_a_mailbox_gets_three_a_week() -> None:
    went = [NOW - 7 * DAY, NOW - 2 * DAY, NOW - DAY]

    assert acknowledging.may_queue(went, NOW)
    assert not acknowledging.may_queue([*went, NOW], NOW)
