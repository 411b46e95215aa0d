"""Whose mails a consent covers: of whom its wording named, for what its wording said.

The controller and the sender that the person agreed to must still be those that
mail, and the sentence must still be what is offered, as it stands or declared
to say the same. Whatever a wording does not plainly say covers nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import rfc8785

_FROM: Final = "from_address"
Same = tuple[str, str]  # two wordings, by `said`: whoever agreed to the first agreed to the second


class Lack(StrEnum):
    """What a wording lacks to cover a mail."""

    CONTROLLER = "controller"
    SENDER = "sender"
    WORDING = "wording"


@dataclass(frozen=True, slots=True)
class Party:
    """Who mails, as wordings name them now, and what was said of them before."""

    name: str
    address: str
    was: frozenset[str] = frozenset()  # names and addresses alike

    def is_meant(self, name: object, address: object) -> bool:
        """Whether a wording with this name and address means them."""
        return name in {self.name, *self.was} and address in {self.address, *self.was}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a purpose asks for now: as whom it mails, and its wordings, by `said`."""

    sender: str
    wordings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Mailing:
    """Everybody who mails, and what for, by the names that the configuration has for them."""

    controller: Party
    senders: Mapping[str, Party] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)

    def sender_of(self, purpose: str) -> str | None:
        offer = self.offers.get(purpose)
        return None if offer is None else offer.sender

    def sender_meant(self, bundle: Mapping[str, Any]) -> str | None:
        """As whom mails go out that a wording named the sender of; None where it is no more."""
        named = bundle.get("sender")
        return next((n for n, one in self.senders.items() if _is_meant(one, named, _FROM)), None)

    def covered_by(self, bundle: Mapping[str, Any], same: Collection[Same]) -> frozenset[str]:
        """The senders whose mails a consent to this wording covers."""
        return frozenset(name for name in self.senders if not self.lacks(bundle, name, same))

    def lacks(
        self, bundle: Mapping[str, Any], sender: str | None, same: Collection[Same]
    ) -> list[Lack]:
        """What keeps a wording from covering mails of *sender*; nothing: it covers them.

        What is declared the same is followed from one wording to the next, so
        that a declaration never speaks for a sentence that came after it.
        """
        return list(self._lacks(bundle, sender, same))

    def _lacks(
        self, bundle: Mapping[str, Any], sender: str | None, same: Collection[Same]
    ) -> Iterator[Lack]:
        if not _is_meant(self.controller, bundle.get("controller"), "postal_address"):
            yield Lack.CONTROLLER
        if not _is_meant(self.senders.get(sender or ""), bundle.get("sender"), _FROM):
            yield Lack.SENDER
        offer = self.offers.get(str(bundle.get("purpose")))
        if offer is None or not offer.wordings & _meaning(said(bundle), same):
            yield Lack.WORDING


NOBODY = Mailing(Party("", ""))


def said(bundle: Mapping[str, Any]) -> str:
    """Name what a wording says, apart from who says it and from the notice beside it."""
    return _name(_sentence(bundle))


def asked(bundle: Mapping[str, Any]) -> str:
    """Name what a wording asks for: what it says, and who says it; the notice may be another."""
    who = {"controller": "postal_address", "sender": "from_address"}
    parties = {one: [bundle[one].get("name"), bundle[one].get(at)] for one, at in who.items()}
    return _name(_sentence(bundle) | parties)


def _sentence(bundle: Mapping[str, Any]) -> dict[str, Any]:
    return {key: bundle.get(key) for key in ("purpose", "locale", "title", "text")}


def _name(document: dict[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(rfc8785.dumps(document)).hexdigest()}"


def _is_meant(party: Party | None, named: object, address: str) -> bool:
    if party is None or not isinstance(named, Mapping):
        return False
    return party.is_meant(str(named.get("name")), str(named.get(address)))


def _meaning(wording: str, same: Collection[Same]) -> set[str]:
    """A wording, and all that it was declared to say."""
    found, ahead = {wording}, [wording]
    while ahead:
        here = ahead.pop()
        further = {now for was, now in same if was == here} - found
        found |= further
        ahead += further
    return found
