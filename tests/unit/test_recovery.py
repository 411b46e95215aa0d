"""What becomes of a message whose worker is gone: by its permit, its journal, its class."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.journal import Mark
from delivery.outbox import Message, Status
from delivery.outcome import Kind
from delivery.recovery import recover
from tests.support.clock import START

KEY = ("msg_1", 3)
SPENT, OPEN = {KEY}, set[tuple[str, int]]()
DOT, TAKEN, REFUSED = {KEY: Mark()}, {KEY: Mark(250)}, {KEY: Mark(451)}
NO_LINE: dict[tuple[str, int], Mark] = {}


def message(kind: Kind, tries: int = 0) -> Message:
    return Message(
        id="msg_1",
        kind=kind,
        subject="sub_1",
        purpose="newsletter",
        sender="acme",
        content="cnt_1",
        status=Status.SENDING,
        reason=None,
        due_at=START,
        expires_at=START + timedelta(days=5),
        attempt=3,
        tries=tries,
        owner="wrk_1",
        dated_at=START,
        origin=None,
        occasion=None,
        regarding=None,
        created_at=START,
    )


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    ("spent", "marks", "complete", "marketing"),
    [
        pytest.param(OPEN, NO_LINE, True, Status.QUEUED, id="not spent"),
        pytest.param(OPEN, NO_LINE, False, Status.QUEUED, id="not spent, and no journal"),
        pytest.param(SPENT, NO_LINE, True, Status.QUEUED, id="spent, and no line in a whole one"),
        pytest.param(SPENT, NO_LINE, False, Status.UNCERTAIN, id="spent, and no journal"),
        pytest.param(SPENT, DOT, True, Status.UNCERTAIN, id="past the dot"),
        pytest.param(OPEN, DOT, True, Status.UNCERTAIN, id="past the dot, by the journal alone"),
        pytest.param(SPENT, TAKEN, True, Status.SENT, id="taken"),
        pytest.param(OPEN, TAKEN, False, Status.SENT, id="taken, by the journal alone"),
        pytest.param(SPENT, REFUSED, True, Status.QUEUED, id="refused"),
    ],
)
def test_only_what_cannot_have_arrived_is_due_again(
    kind: Kind,
    spent: set[tuple[str, int]],
    marks: dict[tuple[str, int], Mark],
    complete: bool,
    marketing: Status,
) -> None:
    found = recover([message(kind)], spent, marks, journal_complete=complete, now=START)

    (change,) = found.changes
    again = marketing is Status.UNCERTAIN and kind is Kind.SERVICE
    assert change.status is (Status.DEFERRED if again else marketing)
    assert found.ended[KEY] != "aborted" or change.status is Status.QUEUED
    assert (KEY in found.lapsed) == (change.status is Status.QUEUED and not spent)


def test_a_few_crashes_cost_no_time_and_a_message_that_kills_its_worker_backs_off() -> None:
    def due(attempt: int) -> timedelta:
        one = replace(message(Kind.MARKETING), attempt=attempt)
        (change,) = recover([one], OPEN, NO_LINE, journal_complete=True, now=START).changes
        assert (change.due_at is not None, change.tried) == (True, False)
        return (change.due_at or START) - START

    assert [due(attempt) for attempt in range(1, 6)] == [timedelta(0)] * 5
    assert timedelta(0) < due(6) < due(7) < due(12) < due(17)
    assert due(17) > timedelta(hours=2)


def test_a_dialogue_that_a_crash_cut_off_again_and_again_backs_off_like_any_failure() -> None:
    def due(tries: int) -> timedelta:
        one = message(Kind.MARKETING, tries)
        (change,) = recover([one], SPENT, NO_LINE, journal_complete=True, now=START).changes
        return (change.due_at or START) - START

    assert due(0) == timedelta(0)
    assert timedelta(minutes=5) <= due(1) < due(2) < due(3)
