"""Rights requests (GDPR Arts 15-21): the words, what may become of one, what the log seals of it.

Pure. Their rows are `rights_requests.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from audit.entry import Entry
from audit.kinds import Kind
from consent.stored import Stored


class Right(StrEnum):
    """What was asked for."""

    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    ERASURE = "erasure"


class Progress(StrEnum):
    """How far a request has come."""

    OPEN = "open"
    EXTENDED = "extended"  # by two further months, told within the first
    ANSWERED = "answered"
    REFUSED = "refused"
    ENDED = "ended"  # its person was erased before: nobody is left to be answered

    @property
    def waits(self) -> bool:
        return self in (Progress.OPEN, Progress.EXTENDED)


class Step(StrEnum):
    """What may be decided of a request that waits."""

    ANSWER = "answer"
    EXTEND = "extend"
    REFUSE = "refuse"


class Refusal(StrEnum):
    """Why a step is not possible."""

    DECIDED = "decided"
    TOO_LATE = "too late"  # the month is over in which the person must be told
    BY_ERASURE = "by erasure"  # is answered by forgetting them, and by nothing else


@dataclass(frozen=True, slots=True)
class RightsRequest:
    """One request, as its row has it."""

    id: str
    subject: str
    right: Right
    progress: Progress
    channel: str  # how it reached us
    received_at: datetime  # by whoever passed it on; the month of Art. 12(3) GDPR begins then
    recorded_at: datetime
    due_at: datetime
    eid: bytes  # the event that made it what it is
    decided_at: datetime | None = None  # answered, refused or ended
    reason: bytes | None = field(default=None, repr=False)  # sealed

    def refusal(self, step: Step, now: datetime) -> Refusal | None:
        """Say why *step* is not possible at *now*; None where it is."""
        if not self.progress.waits:
            return Refusal.DECIDED
        match step:
            case Step.ANSWER:
                return Refusal.BY_ERASURE if self.right is Right.ERASURE else None
            case Step.EXTEND if self.progress is Progress.EXTENDED:
                return Refusal.DECIDED
            case Step.EXTEND:
                return Refusal.TOO_LATE if now > self.due_at else None
            case Step.REFUSE:
                return None

    def extended(self, due_at: datetime, reason: bytes, eid: bytes) -> RightsRequest:
        """With more time, told to the person with its reason."""
        return replace(self, progress=Progress.EXTENDED, due_at=due_at, reason=reason, eid=eid)

    def decided(
        self, progress: Progress, reason: bytes | None, eid: bytes, now: datetime
    ) -> RightsRequest:
        """As it is for good, until its row goes."""
        return replace(self, progress=progress, reason=reason, eid=eid, decided_at=now)


@dataclass(frozen=True, slots=True, repr=False)
class RightsRequested:
    """The person asked for something by right: what, how, and by when it is due."""

    request: str
    right: Right
    channel: str
    received_at: datetime
    due_at: datetime
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        return {
            "request": self.request,
            "right": self.right,
            "channel": self.channel,
            "received_at": self.received_at.isoformat(),
            "due_at": self.due_at.isoformat(),
        }

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(
            request=stored.text("request"),
            right=stored.word("right", Right),
            channel=stored.text("channel"),
            received_at=stored.moment("received_at"),
            due_at=stored.moment("due_at"),
        )


@dataclass(frozen=True, slots=True, repr=False)
class RightsDecided:
    """What the person asked for by right got more time, an answer or a refusal."""

    request: str
    right: Right
    due_at: datetime  # from now on
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        return {"request": self.request, "right": self.right, "due_at": self.due_at.isoformat()}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("request"), stored.word("right", Right), stored.moment("due_at"))


Told = RightsRequested | RightsDecided
KINDS = (
    Kind.RIGHTS_REQUESTED,
    Kind.RIGHTS_EXTENDED,
    Kind.RIGHTS_ANSWERED,
    Kind.RIGHTS_REFUSED,
    Kind.RIGHTS_ENDED,
)
_WAITING = (Kind.RIGHTS_REQUESTED, Kind.RIGHTS_EXTENDED)


def undecided(events: Iterable[Entry]) -> frozenset[str]:
    """The requests that the log, read in its order, tells of without a decision.

    Rows may be away, or of before: who waits for an answer is not known from them.
    """
    last = {one.refs["request"]: one.kind for one in events if one.kind in KINDS}
    return frozenset(name for name, kind in last.items() if kind in _WAITING)


TOLD: Mapping[Kind, type[Told]] = {
    Kind.RIGHTS_REQUESTED: RightsRequested,
    Kind.RIGHTS_EXTENDED: RightsDecided,
    Kind.RIGHTS_ANSWERED: RightsDecided,
    Kind.RIGHTS_REFUSED: RightsDecided,
}
