"""Which mails that asked must stay closed: whoever read one would have a link that confirms. Pure.

Whoever writes rows may take out, or alter, what tells of a request while somebody looks, and
put it back: so what is not told to have ended is taken to wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from audit.kinds import Kind
from audit.trail import Told
from consent import history
from consent.mail_evidence import fills_mail


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The consents that a link can still confirm, as far as the log of a person tells."""

    asked: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    mails: frozenset[str] = frozenset()  # the messages that asked
    whole: bool = True  # the log lacks nothing of theirs

    @classmethod
    def told_by(cls, told: Iterable[Told], *, whole: bool) -> Self:
        """Give the events that a gateway wrote, and whether they are all."""
        asked, ended, mails = set[str](), set[str](), set[str]()
        for one in told:
            if one.kind is Kind.CONSENT_MAIL_SENT:
                mails.add(one.facts["message"])
            if one.kind in history.STATES:
                names = asked if one.kind is Kind.CONSENT_REQUESTED else ended
                names.update(history.concerned(one))
        return cls(frozenset(asked), frozenset(ended), frozenset(mails), whole)

    def settled(self, consent: str) -> Self:
        """The same, where one is known in another way to wait no more."""
        return replace(self, ended=self.ended | {consent})

    def may_confirm(self, consents: Iterable[str]) -> bool:
        """Whether the link of a mail that asks for these may confirm one of them."""
        left = set(consents) - self.ended
        return bool(left & self.asked if self.whole else left)

    def opens(self, facts: Mapping[str, Any]) -> bool:
        """Whether facts hold such a link, of whatever kind their entry says that they are.

        Of a mail that was not told of then, nobody knows what it asked.
        """
        if not fills_mail(facts):
            return False
        return facts.get("message") not in self.mails or self.may_confirm(facts.get("consents", ()))
