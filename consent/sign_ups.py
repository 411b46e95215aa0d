"""What a form said: who asks, for what, to which wording, and who showed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Self

from consent.address import Address
from consent.stored import Stored

CONFIRM_WITHIN: Final = timedelta(hours=72)
# In the place of a form's name, of a request that the operator made (`consent.re_permission`). No
# form can be called so: a name in the configuration has no dot.
RE_PERMISSION: Final = "service.re-permission"
ASK_AGAIN: Final = "service.ask-again"  # likewise, of "ask me again" behind a link in a mail
SWITCHED_ON: Final = "service.preferences"  # likewise, of a switch that a mail leads to
ASKED_BY_LINK: Final = frozenset({ASK_AGAIN, SWITCHED_ON})


class RenderedBy(StrEnum):
    """Who showed the wording to the person, as far as we can know."""

    PAGE = "page"  # our hosted page, by its stamp
    SCRIPT = "script"  # our script, by its stamp
    MAIL = "mail"  # our mail and the page behind its link: asked by the operator, or again
    ASSERTED = "asserted"  # the caller says so
    CONFIRMATION = "confirmation"  # our page behind the mail's link: of a contested confirmation


@dataclass(frozen=True, slots=True)
class Asked:
    """One purpose of a sign-up with the wording that was shown for it."""

    purpose: str
    text_hash: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The key of a back end that passed a sign-up on, and what it was called then."""

    id: str
    name: str

    def facts(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name}

    @classmethod
    def told_in(cls, stored: Stored) -> Self | None:
        found = stored.object_or_none("caller")
        return None if found is None else cls(found.text("id"), found.text("name"))


@dataclass(frozen=True, slots=True)
class SignUp:
    """What a form said, checked for shape; the address is as typed."""

    form: str
    email: Address
    locale: str
    asked: tuple[Asked, ...]
    rendered_by: RenderedBy = RenderedBy.ASSERTED
    page_url: str | None = field(default=None, repr=False)
    form_digest: str | None = None
    client: str | None = field(default=None, repr=False)
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)
    # What the caller calls who it is about, by the name of the system.
    external_ids: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_mailbox: bool = False  # who asks has just opened a link in that mailbox
    shown: str | None = None  # the specimen of what showed the wording, by its hash
    caller: Caller | None = None
    by_link: bool = False  # who asks has a link out of a mail, which may have been forwarded
    # The neighbourhood that it came from, where that is known: for the limits, and never evidence.
    network: str | None = field(default=None, repr=False)
    # From where exactly, as keyed hashes of this mailbox, this week's first: to compare, and never
    # evidence.
    origins: tuple[str, ...] = field(default=(), repr=False)
