"""Who is asked anew, and whose question may still go: pure decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from consent import re_permission
from consent.model import Evidence, Granted, Ground, Reason, Refused, State, Unneeded
from consent.re_permission import PAUSE, Before, Unasked
from tests.unit.test_policy import DAY, HOUR, NOW, Row, facts, row

ASKS = "sha256:now"
OLD = row(State.CONFIRMED, "con_old", covers=frozenset())  # covers nobody's mails any more
COVERING = row(State.CONFIRMED, "con_new", decided_at=NOW - HOUR / 4)


def why_not(*consents: Row, before: tuple[Before, ...] = (), **changes: Any) -> object:
    about = facts(*consents, **changes)
    return re_permission.why_not(about, "con_old", ASKS, before, NOW)


def test_who_agreed_to_what_is_not_so_any_more_is_asked() -> None:
    assert why_not(OLD) is None


@pytest.mark.parametrize(
    ("consents", "changes", "expected"),
    [
        pytest.param([OLD, COVERING], {}, Unasked.COVERED, id="agreed since"),
        pytest.param([replace(OLD, covers=frozenset({"acme"}))], {}, Unasked.COVERED, id="covers"),
        pytest.param([replace(OLD, state=State.WITHDRAWN)], {}, Reason.WITHDRAWN, id="withdrew"),
        pytest.param([replace(OLD, ends_at=NOW)], {}, Reason.EXPIRED, id="over"),
        pytest.param([OLD], {"objected": True}, Reason.OBJECTED, id="objected"),
        pytest.param([OLD], {"restricted": True}, Reason.RESTRICTED, id="restricted"),
        pytest.param(
            [OLD],
            {"suppressed": Reason.SUPPRESSED_BOUNCE},
            Reason.SUPPRESSED_BOUNCE,
            id="no such mailbox",
        ),
        pytest.param([OLD], {"honest": False}, Reason.UNPROVEN, id="an altered person"),
        pytest.param([replace(OLD, honest=False)], {}, Reason.UNPROVEN, id="an altered consent"),
        pytest.param(
            [replace(OLD, evidence=Evidence.ASSERTED)], {}, Reason.UNPROVEN, id="only asserted"
        ),
        pytest.param(
            [OLD, replace(COVERING, covers=frozenset())], {}, Unasked.OTHER, id="another counts"
        ),
        pytest.param([OLD, row(State.PENDING)], {}, Reason.PENDING, id="is being asked"),
    ],
)
def test_who_is_not_asked(consents: list[Row], changes: dict[str, Any], expected: object) -> None:
    assert why_not(*consents, **changes) is expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(Before(NOW - 500 * DAY, ASKS), Unasked.BEFORE, id="the very same, long ago"),
        pytest.param(Before(NOW - 500 * DAY, None), Unasked.BEFORE, id="what nobody can read"),
        pytest.param(Before(NOW - PAUSE + HOUR, "sha256:b"), Unasked.LATELY, id="else, lately"),
        pytest.param(Before(NOW - PAUSE, "sha256:b"), None, id="something else, before the pause"),
    ],
)
def test_the_same_is_asked_once_and_something_else_after_a_pause(
    before: Before, expected: object
) -> None:
    assert why_not(OLD, before=(before,)) is expected


def wanted(*others: Row, **changes: Any) -> Granted | Refused | Unneeded:
    asked = row(State.PENDING, "con_asked")
    about = facts(asked, *others, **changes)
    return re_permission.wanted(about, [asked], NOW, queued_at=NOW - HOUR)


def test_the_mail_that_asks_anew_rests_on_its_request() -> None:
    assert wanted(OLD) == Granted(Ground.confirmation("con_asked"))


@pytest.mark.parametrize(
    ("others", "changes"),
    [
        pytest.param([], {}, id="about nothing"),
        pytest.param([OLD, COVERING], {}, id="agreed since"),
        pytest.param([replace(OLD, covers=frozenset({"acme"}))], {}, id="covers again"),
        pytest.param([replace(OLD, state=State.WITHDRAWN)], {}, id="withdrew"),
        pytest.param([OLD], {"objected": True}, id="objected"),
        pytest.param([OLD], {"asking_blocked_at": NOW}, id="stopped such mails"),
        pytest.param([replace(OLD, honest=False)], {}, id="an altered consent"),
    ],
)
def test_with_nothing_left_to_ask_it_does_not_go(
    others: list[Row], changes: dict[str, Any]
) -> None:
    assert wanted(*others, **changes) == Unneeded()


def test_who_is_restricted_gets_none() -> None:
    assert wanted(OLD, restricted=True) == Refused(Reason.RESTRICTED)


@dataclass(frozen=True)
class Theirs(Row):
    purpose: str = "newsletter"
    anew: bool = False


def ends(*theirs: Theirs) -> list[str]:
    return [one.id for one in re_permission.ended_by_no(theirs, ["con_asked"])]


def test_a_no_to_what_was_asked_anew_also_ends_what_it_was_to_replace() -> None:
    asked = Theirs("con_asked", anew=True)
    old = Theirs("con_old", requested_at=NOW - 500 * DAY)
    others = [
        Theirs("con_elsewhere", requested_at=NOW - 500 * DAY, purpose="updates"),
        Theirs("con_since", requested_at=NOW),
    ]
    planted = Theirs("con_planted", requested_at=NOW, honest=False)

    assert ends(old, asked, *others) == ["con_asked", "con_old"]
    assert ends(old, asked, planted) == ["con_asked", "con_old", "con_planted"]
    assert ends(old, replace(asked, anew=False), *others) == ["con_asked"]
