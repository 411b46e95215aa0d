"""What the log seals of a hold, and of an erasure that waits for it: see `consent.evidence`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from audit.kinds import Kind
from consent.stored import Stored


# None of these has a repr: in a traceback it would write the reason into the log.
@dataclass(frozen=True, slots=True, repr=False)
class HoldPlaced:
    """What proves this person's consents is needed: why, and until when."""

    hold: str
    reason: str
    until: datetime
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        return {"hold": self.hold, "reason": self.reason, "until": self.until.isoformat()}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("hold"), stored.text("reason"), stored.moment("until"))


@dataclass(frozen=True, slots=True, repr=False)
class HoldLifted:
    """It is not needed for that any more."""

    hold: str
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        return {"hold": self.hold}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("hold"))


@dataclass(frozen=True, slots=True, repr=False)
class ErasureHeld:
    """The person asked to be erased, and a hold stood: until it ends they are restricted."""

    erasure: str
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        return {"erasure": self.erasure}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("erasure"))


Told = HoldPlaced | HoldLifted | ErasureHeld
TOLD: Mapping[Kind, type[Told]] = {
    Kind.HOLD_PLACED: HoldPlaced,
    Kind.HOLD_LIFTED: HoldLifted,
    Kind.SUBJECT_ERASURE_HELD: ErasureHeld,
}
