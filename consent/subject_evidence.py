"""What the log seals of a person beside their consents: see `consent.evidence`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self

from audit.kinds import Kind
from consent.errors import StoredError
from consent.stop_proofs import Lifted
from consent.stored import Stored

Facts = dict[str, Any]


# None of these has a repr: in a traceback it would write what it says into the log.
@dataclass(frozen=True, slots=True, repr=False)
class Accessed:
    """Somebody looked at what is kept: why, and by which link, as which caller or operator."""

    why: str
    link: str | None = None
    caller: str | None = None
    operator: str | None = None
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        by = {"link": self.link, "caller": self.caller, "operator": self.operator}
        return {"why": self.why} | {name: one for name, one in by.items() if one is not None}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        by = (stored.text_or_none(name) for name in ("link", "caller", "operator"))
        return cls(stored.text("why"), *by)


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """What is kept was handed out: as what, and how long that took from the request on."""

    form: str
    took: timedelta
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        return {"format": self.form, "seconds": f"{self.took.total_seconds():.3f}"}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        try:
            took = timedelta(seconds=float(stored.text("seconds")))
        except (ValueError, OverflowError):
            raise StoredError from None
        return cls(stored.text("format"), took)


@dataclass(frozen=True, slots=True, repr=False)
class Suppressed:
    """The mailbox must not be mailed any more: since which message, and why."""

    message: str
    why: str
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        return {"message": self.message, "why": self.why}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("message"), stored.text("why"))


@dataclass(frozen=True, slots=True, repr=False)
class ProofEnded:
    """What these events of the person's trail said is gone: the term of their consents was over."""

    events: tuple[int, ...]
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        return {"events": list(self.events)}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.numbers("events"))


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What stays of who was erased was opened: for which case, why, and as which caller."""

    case: str
    why: str
    caller: str | None = None
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        by = {} if self.caller is None else {"caller": self.caller}
        return {"case": self.case, "why": self.why} | by

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("case"), stored.text("why"), stored.text_or_none("caller"))


class Corrected(StrEnum):
    """What was corrected."""

    PROFILE = "profile"
    ADDRESS = "address"
    ADDRESS_BACK = "address, back"


@dataclass(frozen=True, slots=True, repr=False)
class Rectified:
    """The person corrected what is kept of them (Art. 16 GDPR): what, and by what way.

    Of answers which ones; of an address what it is from then on, for what was agreed to counts
    for it, by which link, and the link of the mail that tells the mailbox of before (*told*).
    """

    what: Corrected
    channel: str
    fields: tuple[str, ...] = ()
    link: str | None = None
    address: str | None = None
    address_typed: str | None = None
    told: str | None = None
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        by = {"link": self.link, "address": self.address, "address_typed": self.address_typed}
        by |= {"told": self.told}
        said = {"what": self.what, "channel": self.channel, "fields": list(self.fields)}
        return said | {name: one for name, one in by.items() if one is not None}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(
            stored.word("what", Corrected),
            stored.text("channel"),
            stored.texts("fields"),
            *(stored.text_or_none(name) for name in ("link", "address", "address_typed", "told")),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """The mailbox on file keeps its address: by which link. Those asked for before it end."""

    by: str
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        return {"by": self.by}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("by"))


@dataclass(frozen=True, slots=True, repr=False)
class StoppedAgain:
    """The mailbox on file says that a stop was not lifted by them: which, and by which link."""

    stop: Lifted
    link: str
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        return {"stop": self.stop, "link": self.link}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.word("stop", Lifted), stored.text("link"))


Told = Accessed | Exported | Suppressed | ProofEnded | Opened | Rectified | Kept | StoppedAgain
TOLD: Mapping[Kind, type[Told]] = {
    Kind.SUBJECT_ACCESSED: Accessed,
    Kind.SUBJECT_EXPORTED: Exported,
    Kind.SUBJECT_RECTIFIED: Rectified,
    Kind.SUBJECT_ADDRESS_KEPT: Kept,
    Kind.SUBJECT_STOPPED_AGAIN: StoppedAgain,
    Kind.SUPPRESSION_ADDED: Suppressed,
    Kind.EVIDENCE_ENDED: ProofEnded,
    Kind.EVIDENCE_OPENED: Opened,
}
