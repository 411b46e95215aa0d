"""The facts that the log seals when a person stops something beside their consents, or lifts it.

As in `consent.evidence`: a name that was written once stays readable for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from audit.kinds import Kind
from consent.stored import Stored


class Lifted(StrEnum):
    """What a person stopped, and can lift."""

    RESTRICTION = "restriction"
    OBJECTION = "objection"
    PAUSE = "pause"


# None of these has a repr, as in `consent.evidence`.
@dataclass(frozen=True, slots=True, repr=False)
class Restricting:
    """The person restricted the use of their data (Art. 18 GDPR), or lifted that: by what way.

    Of what was lifted also the link of the mail that tells them so (*told*).
    """

    channel: str
    told: str | None = None
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        return {"channel": self.channel} | ({} if self.told is None else {"told": self.told})

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("channel"), stored.text_or_none("told"))


@dataclass(frozen=True, slots=True, repr=False)
class Lifting:
    """The mailbox took back what kept it from being mailed, and was shown what permits again.

    *told*: the link of the mail that tells them so.
    """

    stop: Lifted
    channel: str
    again: tuple[str, ...]  # consents
    told: str | None = None
    # It goes with the person, as the word that it lifts does, and not with a consent's term:
    # without it that word would seem to stand.
    consents: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> dict[str, Any]:
        said = {"stop": self.stop, "channel": self.channel, "again": list(self.again)}
        return said | ({} if self.told is None else {"told": self.told})

    @classmethod
    def read(cls, stored: Stored) -> Self:
        said = (stored.word("stop", Lifted), stored.text("channel"), stored.texts("again"))
        return cls(*said, stored.text_or_none("told"))


Told = Restricting | Lifting

TOLD: Mapping[Kind, type[Told]] = {
    Kind.SUBJECT_RESTRICTED: Restricting,
    Kind.SUBJECT_UNRESTRICTED: Restricting,
    Kind.SUPPRESSION_LIFTED: Lifting,
}
