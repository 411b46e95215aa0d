"""What may become of a rights request, and that the log is held to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from audit.entry import Event, draft, parse
from audit.kinds import Actor, Kind
from consent.rights import Progress, Refusal, Right, RightsRequest, Step
from gateway.flows.proving.rights import compare
from tests.support.clock import START

DAY = timedelta(days=1)
OPEN = RightsRequest(
    "req_1", "sub_1", Right.ACCESS, Progress.OPEN, "letter", START, START, START + 30 * DAY, b"e"
)
EXTENDED = replace(OPEN, progress=Progress.EXTENDED, due_at=START + 90 * DAY)
ERASURE = replace(OPEN, right=Right.ERASURE)
CASES = {
    "answered": (OPEN, Step.ANSWER, None),
    "refused": (OPEN, Step.REFUSE, None),
    "extended": (OPEN, Step.EXTEND, None),
    "answered after it was extended": (EXTENDED, Step.ANSWER, None),
    "extended again": (EXTENDED, Step.EXTEND, Refusal.DECIDED),
    "an erasure is not answered by a word": (ERASURE, Step.ANSWER, Refusal.BY_ERASURE),
    "an erasure is refused": (ERASURE, Step.REFUSE, None),
    "an erasure is extended": (ERASURE, Step.EXTEND, None),
    **{
        f"{step} what was {done}": (replace(OPEN, progress=done), step, Refusal.DECIDED)
        for step in Step
        for done in Progress
        if not done.waits
    },
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_possible_or_says_why_not(name: str) -> None:
    request, step, refusal = CASES[name]

    assert request.refusal(step, START + DAY) is refusal


def test_more_time_is_taken_within_the_first_month_alone() -> None:
    assert OPEN.refusal(Step.EXTEND, OPEN.due_at) is None
    late = OPEN.due_at + timedelta(seconds=1)
    assert OPEN.refusal(Step.EXTEND, late) is Refusal.TOO_LATE
    assert OPEN.refusal(Step.ANSWER, late) is None


ASKED, MORE, ANSWERED, REFUSED = (
    Kind.RIGHTS_REQUESTED,
    Kind.RIGHTS_EXTENDED,
    Kind.RIGHTS_ANSWERED,
    Kind.RIGHTS_REFUSED,
)


def doubts(*kinds: Kind, row: int | None = -1, kept_since: timedelta = timedelta()) -> list[str]:
    """With these events, a minute apart, and a row that fits the one at *row*, if any."""
    events = [
        Event(kind, Actor.API, START + timedelta(minutes=n), refs={"request": "req_1"})
        for n, kind in enumerate(kinds)
    ]
    rows = {} if row is None else {"req_1": replace(OPEN, eid=events[row].eid)}
    entries = [parse(draft(one, None, "test").entry) for one in events]
    return list(compare(entries, rows, START + kept_since))


def test_the_log_is_held_to_what_may_follow_and_rows_to_the_log() -> None:
    for fine in ([ASKED], [ASKED, MORE], [ASKED, MORE, REFUSED], [ASKED, ANSWERED]):
        assert doubts(*fine) == []
    for wrong in ([ANSWERED], [ASKED, MORE, MORE], [ASKED, REFUSED, ANSWERED], [ASKED, ASKED]):
        assert "cannot follow" in doubts(*wrong)[0]
    assert "old row was put back" in doubts(ASKED, ANSWERED, row=0)[0]
    assert "its row is gone" in doubts(ASKED, row=None, kept_since=DAY)[0]
    assert "its row is gone" in doubts(ASKED, ANSWERED, row=None)[0]
    assert doubts(ASKED, ANSWERED, row=None, kept_since=DAY) == []
    assert "no event tells of it" in next(compare([], {"req_1": OPEN}, START))
    assert list(compare([], {"req_1": None}, START)) == []
