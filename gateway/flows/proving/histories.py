"""What the log tells of one message, in its order: what cannot have been so, and what rows deny.

Pure. Rows that were set back may have been made to fit since, also by a worker that
took them for ours; that a message was permitted after its end stays in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.kinds import Kind
from consent.model import GroundKind
from delivery.account import Rows
from delivery.outbox import Status
from delivery.outcome import Outcome
from storage.types import NO_MOMENT

KINDS = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH, Kind.MESSAGE_CANCELLED)
_ENDS = (Outcome.SENT, Outcome.BOUNCED, Outcome.FAILED)
_DOUBTED = frozenset({Outcome.UNCERTAIN})
_BY_DECISION = frozenset({Status.REFUSED, Status.CANCELLED, Status.FAILED})


@dataclass
class History:
    """A message as its events tell of it; what can stand in its row once it *ended*."""

    message: str
    since: dict[int, datetime] = field(default_factory=dict)  # when attempts were first told of
    last_at: datetime = NO_MOMENT
    granted: dict[int, str] = field(default_factory=dict)  # attempts, and the kinds of grounds
    outcomes: dict[int, str] = field(default_factory=dict)  # the last that was told of each
    ended: frozenset[str] = frozenset()
    doubted: int = (
        0  # the last attempt that ended uncertain, and after which it was asked for again
    )
    flaws: list[str] = field(default_factory=list)

    def add(self, kind: Kind, at: datetime, facts: Mapping[str, Any]) -> None:
        """Take the next event of *kind* about this message."""
        attempt: int = facts.get("attempt", 0)
        self.since.setdefault(attempt, at)
        self.last_at = max(self.last_at, at)
        if kind is Kind.DELIVERY_BATCH:
            self._came_to(attempt, str(facts.get("outcome")))
        elif facts.get("ground") is not None:
            self._was_granted(attempt, str(facts["ground"].get("kind")))
        else:
            if self.ended:
                self.flaws.append("the log tells of two ends")
            cancelled = kind is Kind.MESSAGE_CANCELLED
            self.ended = frozenset({Status.CANCELLED}) if cancelled else _BY_DECISION

    def _was_granted(self, attempt: int, ground: str) -> None:
        if attempt in self.granted:
            self.flaws.append(f"the log grants its attempt {attempt} twice")
        elif self.ended == _DOUBTED and attempt == max(self.outcomes) + 1:
            # As rows say, somebody asked for that: see `denied`.
            self.doubted, self.ended = max(self.outcomes), frozenset()
        elif self.ended:
            self.flaws.append(f"the log grants attempt {attempt} after its end")
        self.granted[attempt] = ground

    def _came_to(self, attempt: int, outcome: str) -> None:
        # A mail that nobody knew of was accepted after all, as a journal says.
        late = self.outcomes.get(attempt) == Outcome.UNCERTAIN and outcome == Outcome.SENT
        if self.ended and not late:
            self.flaws.append(f"the log tells of attempt {attempt} after its end")
        self.outcomes[attempt] = outcome
        # A confirmation that may have arrived is sent again, and nothing else is.
        for_good = self.granted.get(attempt) == GroundKind.CONSENT
        if outcome in _ENDS or (outcome == Outcome.UNCERTAIN and for_good):
            self.ended = frozenset({outcome})

    def denied(self, rows: Rows) -> Iterator[str]:
        """What rows of the message say otherwise, or lack; of `unproven` attempts nothing."""
        yield from (f"outbox {self.message}: {flaw}" for flaw in self.flaws)
        again = rows.again.get(self.message, 0)
        if self.doubted > again:
            yield f"outbox {self.message}: the log grants an attempt after one that is uncertain"
        for attempt in self.granted:
            if (self.message, attempt) not in rows.permits:
                yield f"permit of {self._named(attempt)}: the log grants it, and its row is gone"
        open_to = self.unproven(rows)
        for attempt, outcome in self.outcomes.items():
            stored = rows.outcomes.get((self.message, attempt))
            if stored != outcome and attempt not in open_to:
                yield f"attempt {self._named(attempt)}: the log tells that it ended {outcome}"
        asked_again = self.ended == _DOUBTED and max(self.outcomes, default=0) <= again
        stands_otherwise = rows.status[self.message] not in self.ended
        if self.ended and not open_to and stands_otherwise and not asked_again:
            yield f"outbox {self.message}: an old row was put back: the log tells of its end"

    def unproven(self, rows: Rows) -> dict[int, str]:
        """Outcomes in rows that no event tells of, and which may have been told of nobody.

        Of an attempt that was told of otherwise, an acceptance that came late may.
        """
        found = {}
        for attempt in self.granted.keys() | self.outcomes.keys():
            stored, told = rows.outcomes.get((self.message, attempt)), self.outcomes.get(attempt)
            late = told == Outcome.UNCERTAIN and stored == Outcome.SENT
            if stored is not None and (told is None or late):
                found[attempt] = stored
        return found

    def _named(self, attempt: int) -> str:
        return f"{self.message}/{attempt}"
