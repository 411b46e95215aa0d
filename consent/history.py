"""What the log tells of somebody's consents: whether an act may rest on the rows that there are.

A MAC says that a gateway wrote a row, not that it is the last one that a gateway
wrote, nor that none is missing. Whoever confirms, ends or forgets by rows would
write the very event that makes an old one fit; so they ask here first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories, trail
from audit.entry import Place
from audit.kinds import Kind
from audit.rowmac import RowMacs
from audit.trail import Told
from consent import evidence, leavings
from consent.changes import EVENTS
from consent.consents import Consent
from consent.errors import StoredError
from consent.evidence import TakenBack
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.leavings import Left
from consent.model import State
from consent.stored import Stored
from storage.types import NO_MOMENT

STATES: Mapping[Kind, State] = {kind: state for state, kind in EVENTS.items()}
_STANDING = (State.PENDING, State.CONFIRMED)
_BEFORE: Mapping[State, State] = {
    State.CONFIRMED: State.PENDING,
    State.REJECTED: State.PENDING,
    State.LAPSED: State.PENDING,
    State.WITHDRAWN: State.CONFIRMED,
    State.EXPIRED: State.CONFIRMED,
}


@dataclass(frozen=True, slots=True)
class History:
    """What the log tells of one person, as far as consents are concerned, under their gate."""

    told: Sequence[Told]  # every event of theirs, in order
    changes: Mapping[str, Sequence[Told]]  # those of each consent
    whole: bool
    nameless: frozenset[bytes] = frozenset()  # events of rows that were left without a key
    left: Sequence[Left] = ()  # while their key was missing

    @classmethod
    def of(cls, told: Sequence[Told], place: Place, left: Sequence[Left] = ()) -> History:
        """Give every event of the person, in order, and what their row says beside it."""
        return cls(told, changes_of(told), histories.whole(told, place), left=left)

    def vouches(self, consent: Consent) -> bool:
        """Say whether the row is the last that a gateway wrote of this consent."""
        if not (self.whole and consent.honest):
            return False
        about = self.changes.get(consent.id, ())
        if not possible([event.kind for event in about]):
            return False
        named = bool(about) and consent.eid == about[-1].eid
        return (named and not self.left_since(consent)) or consent.eid in self.nameless

    def left_since(self, consent: Consent) -> bool:
        """Say whether a consent that stands was away while its person left, after its last event.

        Whoever leaves a purpose ends all that stands of it.
        """
        if consent.state not in _STANDING:
            return False
        about = self.changes.get(consent.id, ())
        since = list(self.told).index(about[-1]) if about else 0
        said = [left_at_large(event) for event in self.told[since:]]
        if any(one and one.purpose in (None, consent.purpose) for one in said):
            return True
        last_at = about[-1].entry.at if about else NO_MOMENT
        return any(one.ends(consent.purpose, last_at) for one in self.left)

    def vouches_for_all(self, consents: Collection[Consent]) -> bool:
        """Say whether these are all there are, and each is the last of its kind."""
        there = {consent.id for consent in consents}
        gone = (one for one in self.changes.keys() - there if must_be_there(self.changes[one]))
        return all(map(self.vouches, consents)) and not any(gone)

    @property
    def confirmed(self) -> set[str]:
        """The purposes that they ever confirmed, as far as it is told: each got its handle then."""
        return {
            event.facts["purpose"] for event in self.told if event.kind is Kind.CONSENT_CONFIRMED
        }

    def standing(self, purpose: str | None) -> dict[str, Told]:
        """The last event of each consent to *purpose* (None: to any) that has not ended by it."""
        last = {name: about[-1] for name, about in self.changes.items()}
        return {
            name: event
            for name, event in last.items()
            if STATES[event.kind] in _STANDING and purpose in (None, event.facts["purpose"])
        }

    def asked_with(self, consents: Iterable[str], token_hash: bytes) -> set[str]:
        """These, those that the same link confirmed, and those that the same mail asked for."""
        found = set(consents)
        by_link: dict[str, list[str]] = {}
        for event in self.told:
            if event.kind is Kind.CONSENT_CONFIRMED:
                by_link.setdefault(event.facts["token"], []).extend(concerned(event))
        found.update(by_link.get(token_hash.hex(), ()))
        for event in self.told:
            if event.kind is Kind.CONSENT_MAIL_SENT and found.intersection(concerned(event)):
                found.update(concerned(event))
        return found


async def read(
    connection: AsyncConnection,
    macs: RowMacs,
    held: Mapping[str, Gate],
    vault: Vault,
    rows: Iterable[Consent],
) -> dict[str, History]:
    """What the log tells of these people; hold their gates.

    Of whose key is missing nobody can say what it tells: they are missing.
    """
    known = [subject for subject in held if vault.has(subject, Compartment.EVIDENCE)]
    if not known:
        return {}
    told = await histories.of_people(connection, macs, known, vault)
    nameless = await _nameless(connection, macs, rows, told)
    return {
        subject: replace(
            History.of(events, held[subject].place, leavings.of(held[subject])), nameless=nameless
        )
        for subject, events in told.items()
    }


async def _nameless(
    connection: AsyncConnection,
    macs: RowMacs,
    rows: Iterable[Consent],
    told: Mapping[str, Sequence[Told]],
) -> frozenset[bytes]:
    """Which rows were left while their key was missing: their event says nothing of anybody."""
    named = {event.eid for events in told.values() for event in events}
    left = (State.WITHDRAWN, State.REJECTED)
    found = set()
    for consent in rows:
        if consent.state in left and consent.eid not in named:
            event = await trail.event(connection, macs, consent.eid)
            if event is not None and not event.commitments and event.kind is EVENTS[consent.state]:
                found.add(consent.eid)
    return frozenset(found)


def changes_of(told: Iterable[Told]) -> dict[str, list[Told]]:
    """The events of each consent, in the order that they are given in."""
    found: dict[str, list[Told]] = {}
    for event in told:
        if event.kind in STATES:
            for name in concerned(event):
                found.setdefault(name, []).append(event)
    return found


def concerned(event: Told) -> Sequence[str]:
    """The consents that an event is about; of none where no release wrote its facts."""
    try:
        said = evidence.read(event.kind, event.facts)
    except StoredError:
        return ()
    return () if said is None else said.consents


def left_at_large(event: Told) -> TakenBack | None:
    """What somebody said who left while what they left was not there; None for other events."""
    if event.kind is not Kind.CONSENT_WITHDRAWN:
        return None
    try:
        said = TakenBack.read(Stored(dict(event.facts)))
    except StoredError:
        return None
    return said if said.consent is None else None


def possible(kinds: Sequence[Kind]) -> bool:
    """Say whether one consent can have had these states in this order, from its request on."""
    states = [STATES[kind] for kind in kinds]
    begun = not states or states[0] is State.PENDING
    return begun and all(_BEFORE.get(after) is before for before, after in pairwise(states))


def must_be_there(about: Sequence[Told]) -> bool:
    """Whether a consent of which the log tells this must have its row.

    A request that came to nothing may be forgotten; what was decided goes with its facts.
    """
    kinds = [event.kind for event in about]
    return STATES[kinds[-1]].decided or not possible(kinds)
