"""What the log tells of one message: which orders there can be, and which rows fit them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.kinds import Kind
from delivery.account import Rows
from gateway.flows.proving.histories import History

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
Step = tuple[Kind, dict[str, Any]]


def grant(attempt: int, ground: str = "consent") -> Step:
    return Kind.PERMIT_BATCH, {"attempt": attempt, "ground": {"kind": ground, "id": "con_1"}}


def came(attempt: int, outcome: str) -> Step:
    return Kind.DELIVERY_BATCH, {"attempt": attempt, "outcome": outcome}


REFUSED: Step = (Kind.PERMIT_BATCH, {"reason": "withdrawn"})
CANCELLED: Step = (Kind.MESSAGE_CANCELLED, {"reason": "cancelled_by_sender"})


def history(*steps: Step) -> History:
    told = History("msg_1")
    for number, (kind, facts) in enumerate(steps):
        told.add(kind, MOMENT + timedelta(seconds=number), facts)
    return told


def rows(status: str, *outcomes: str | None) -> Rows:
    attempts = {("msg_1", n): outcome for n, outcome in enumerate(outcomes, 1)}
    return Rows({"msg_1": status}, set(attempts), attempts)


@pytest.mark.parametrize(
    ("steps", "stored"),
    [
        ([grant(1), came(1, "sent")], rows("sent", "sent")),
        ([grant(1), came(1, "deferred"), grant(2), came(2, "bounced")], None),
        ([grant(1), grant(2), came(2, "sent")], None),  # the first was never begun
        ([grant(1), came(1, "uncertain"), came(1, "sent")], rows("sent", "sent")),
        ([grant(1, "confirmation"), came(1, "uncertain"), grant(2, "confirmation")], None),
        ([grant(1), came(1, "aborted"), CANCELLED], rows("cancelled", "aborted")),
        ([grant(1), came(1, "deferred"), REFUSED], rows("failed", "deferred")),
        ([REFUSED], rows("refused")),
    ],
)
def test_what_a_gateway_does_has_no_flaw(steps: list[Step], stored: Rows | None) -> None:
    told = history(*steps)

    assert told.flaws == []
    assert stored is None or [*told.denied(stored)] == []


@pytest.mark.parametrize(
    "steps",
    [
        [grant(1), came(1, "sent"), grant(1)],
        [grant(1), grant(1)],
        [grant(1), came(1, "sent"), grant(2)],
        [grant(1), came(1, "bounced"), grant(2)],
        [grant(1), came(1, "bounced"), came(1, "sent")],
        [CANCELLED, grant(1)],
        [REFUSED, grant(1)],
        [CANCELLED, REFUSED],
        [REFUSED, came(1, "sent")],
    ],
)
def test_what_comes_after_an_end_is_a_flaw_whatever_the_rows_say(steps: list[Step]) -> None:
    assert len(history(*steps).flaws) == 1


def test_what_may_have_been_sent_is_granted_again_only_where_its_row_says_that_it_was_asked() -> (
    None
):
    again = history(grant(1), came(1, "uncertain"), grant(2))
    stored = rows("sending", "uncertain", None)
    asked = replace(stored, again={"msg_1": 1})

    doubt = "outbox msg_1: the log grants an attempt after one that is uncertain"
    assert doubt in [*again.denied(stored)]
    assert doubt not in [*again.denied(asked)]
    assert again.flaws == []


@pytest.mark.parametrize(
    ("steps", "stored", "doubt"),
    [
        ([CANCELLED], rows("queued"), "outbox msg_1: an old row was put back"),
        ([REFUSED], rows("sent", "sent"), "outbox msg_1: an old row was put back"),
        ([grant(1), came(1, "bounced")], rows("sent", "sent"), "attempt msg_1/1: the log tells"),
        ([grant(1), came(1, "sent")], rows("sent"), "permit of msg_1/1: the log grants it"),
    ],
)
def test_rows_that_say_otherwise_are_named(steps: list[Step], stored: Rows, doubt: str) -> None:
    assert any(one.startswith(doubt) for one in history(*steps).denied(stored))


def test_an_outcome_that_no_event_tells_of_is_unproven_and_a_late_acceptance_may_be() -> None:
    assert history(grant(1)).unproven(rows("sent", "sent")) == {1: "sent"}
    assert history(grant(1)).unproven(rows("sending", None)) == {}
    doubtful = history(grant(1), came(1, "uncertain"))
    assert doubtful.unproven(rows("sent", "sent")) == {1: "sent"}
    assert [*doubtful.denied(rows("sent", "sent"))] == []
