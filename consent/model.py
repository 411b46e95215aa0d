"""The words of consent: states, reasons, and the answer to "may this be mailed?"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class SubjectState(StrEnum):
    """Where a person stands between the first sign-up and the end of an erasure."""

    LIVE = "live"
    ERASING = "erasing"
    ERASED = "erased"
    ALTERED = "altered"  # what a row holds that no gateway wrote; nothing is permitted under it


class State(StrEnum):
    """Where one consent stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    EXPIRED = "expired"

    @property
    def decided(self) -> bool:
        """Whether it was confirmed once; only such a consent bears on permission."""
        return self in (State.CONFIRMED, State.WITHDRAWN, State.EXPIRED)


class Evidence(StrEnum):
    """How well a consent is proven."""

    PROVEN = "proven"  # our own double opt-in
    DOCUMENTED = "documented"  # imported with evidence, attested
    ASSERTED = "asserted"  # neither; never mailable


class Reason(StrEnum):
    """Why a mail is refused; where several apply, the first in this order is named."""

    PURPOSE_UNKNOWN = "purpose_unknown"
    UNKNOWN = "unknown"
    ERASED = "erased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    SUPPRESSED_COMPLAINT = "suppressed_complaint"
    SUPPRESSED_BOUNCE = "suppressed_bounce"
    NOT_COVERED = "not_covered"
    PENDING = "pending"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    UNPROVEN = "unproven"
    FREQUENCY_CAP = "frequency_cap"


class RefusalClass(StrEnum):
    """What whoever asked can do about a refusal."""

    CONFIG = "config"  # mend the configuration
    ASK_FIRST = "ask_first"  # a new sign-up may change it
    NEVER = "never"  # the person said no, or must not be mailed
    LATER = "later"  # waiting may change it


def class_of(reason: Reason) -> RefusalClass:
    """Say what a refusal for *reason* means for whoever asked."""
    match reason:
        case Reason.PURPOSE_UNKNOWN:
            return RefusalClass.CONFIG
        case (
            Reason.ERASED
            | Reason.RESTRICTED
            | Reason.OBJECTED
            | Reason.SUPPRESSED_COMPLAINT
            | Reason.SUPPRESSED_BOUNCE
            | Reason.WITHDRAWN
        ):
            return RefusalClass.NEVER
        case Reason.PENDING | Reason.FREQUENCY_CAP:
            return RefusalClass.LATER
        case (
            Reason.UNKNOWN
            | Reason.NOT_COVERED
            | Reason.REJECTED
            | Reason.LAPSED
            | Reason.EXPIRED
            | Reason.UNPROVEN
        ):
            return RefusalClass.ASK_FIRST
        case _:
            assert_never(reason)


class GroundKind(StrEnum):
    """What kinds of ground a permit can name."""

    CONSENT = "consent"
    CONFIRMATION = "confirmation"  # asks for the consent that it names; never marketing
    SERVICE = "service"  # answers what the person asked for, or withdrew; never marketing


@dataclass(frozen=True, slots=True)
class Ground:
    """What allows a mail, by name."""

    kind: GroundKind
    id: str

    @classmethod
    def consent(cls, consent: str) -> Ground:
        """A confirmed consent."""
        return cls(GroundKind.CONSENT, consent)

    @classmethod
    def confirmation(cls, consent: str) -> Ground:
        """A request that waits for its answer: it allows the mail that asks for it, no other."""
        return cls(GroundKind.CONFIRMATION, consent)

    @classmethod
    def service(cls, answered: str) -> Ground:
        """A fresh link that was asked for, or a consent that was withdrawn.

        It allows the mail that carries the one or tells of the other, no other.
        """
        return cls(GroundKind.SERVICE, answered)


@dataclass(frozen=True, slots=True)
class Granted:
    """This may be mailed now, on this ground."""

    ground: Ground


@dataclass(frozen=True, slots=True)
class Refused:
    """This must not be mailed now."""

    reason: Reason

    @property
    def refusal_class(self) -> RefusalClass:
        return class_of(self.reason)


@dataclass(frozen=True, slots=True)
class Unneeded:
    """A service mail has nothing left to ask: it ends `cancelled`, and nobody refused it."""
