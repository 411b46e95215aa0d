"""What ends when people leave: consents that stand, and what is not there just now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor, Kind
from audit.rowmac import RowMacs
from audit.trail import Told
from consent import changes, history, leavings, links, stops
from consent.address import Address
from consent.consents import Consent, Consents
from consent.evidence import Objected, PassedOn, TakenBack
from consent.gates import Gate
from consent.history import History
from consent.keys.vault import Vault
from consent.leavings import Acting
from consent.stored import Stored
from consent.trail import Trail
from gateway.flows.by import By, refs_of
from gateway.flows.leaving import away
from gateway.flows.leaving.away import Away
from storage.honesty import RowKeys

log = structlog.get_logger()


NOT_ME = "confirmation-link"  # the channel of who says that a request was not theirs


def said_not_me(event: Told) -> bool:
    """Whether the person said so themselves: which way it came a caller may call what it likes."""
    return event.entry.actor is Actor.SUBJECT and event.facts.get("channel") == NOT_ME


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is taken back, and how we learned of it."""

    purpose: str | None  # None: all of them
    actor: Actor
    channel: str
    objection: bool = False
    facts: Mapping[str, Any] | None = field(default=None, repr=False)  # into the sealed evidence
    by: By | None = None  # who passed it on
    said_at: datetime | None = None  # a restore says again what its person was told of then

    def passed_on(self, now: datetime) -> PassedOn | None:
        """What a caller, or a restore, told of it; None where the person says it to us.

        What is said to be received later than now was received now, as of erasures and requests.
        """
        if self.said_at is not None:
            return PassedOn(self.said_at, None)
        if self.facts is None:
            return None
        told = PassedOn.read(Stored(dict(self.facts)))
        late = told.received_at is not None and told.received_at > now
        return replace(told, received_at=now) if late else told

    def concerns(self, consent: Consent) -> bool:
        """Those that no gateway wrote, too: a purpose may have been altered to escape this."""
        return self.purpose in (None, consent.purpose) or not consent.honest


@dataclass(frozen=True, slots=True)
class Leaving:
    """A withdrawal, and of whom: nobody's address can still be kept from being asked."""

    withdrawal: Withdrawal
    subject: str | None
    email: Address | None = None

    @property
    def ends(self) -> str | None:
        """The purpose that ends; None: all of them."""
        return None if self.withdrawal.objection else self.withdrawal.purpose


@dataclass
class Ending:
    """What withdrawals of one transaction end, one after another, each seeing those before."""

    keys: RowKeys
    held: Mapping[str, Gate]
    found: Mapping[str, Sequence[Consent]]
    known: Mapping[str, History]  # what the log tells; of who has no key it is missing
    handles: Collection[tuple[str, str]]  # by subject and purpose
    trail: Trail
    now: datetime
    changed: dict[str, Consent] = field(default_factory=dict)  # by id
    objecting: dict[str, tuple[Gate, datetime]] = field(default_factory=dict)  # and since when
    told: set[tuple[str, str | None, str | None]] = field(default_factory=set)  # what was away
    unread: dict[tuple[str, str | None], Acting] = field(default_factory=dict)  # without a key

    @classmethod
    async def of(
        cls,
        connection: AsyncConnection,
        consents: Consents,
        macs: RowMacs,
        held: Mapping[str, Gate],
        vault: Vault,
        trail: Trail,
        now: datetime,
    ) -> Ending:
        """Read what there is of these people, in statements after the lock."""
        found = await consents.of_subjects(connection, held)
        rows = [consent for theirs in found.values() for consent in theirs]
        # What stays of who was erased is locked, and nobody who leaves needs it.
        here = {one: gate for one, gate in held.items() if not gate.gone(consents.keys)}
        known = await history.read(connection, macs, here, vault, rows)
        handles = await links.with_handle(connection, held)
        return cls(consents.keys, held, found, known, handles, trail, now)

    def take(self, leaver: Leaving) -> None:
        gate = self.held.get(leaver.subject or "")
        if gate is None or gate.gone(self.keys):
            return  # nothing is permitted any more
        for stored in self.found.get(gate.subject, ()):
            # As the one before left it: two withdrawals of one consent are one end, and one event.
            consent = self.changed.get(stored.id, stored)
            if not leaver.withdrawal.concerns(consent):
                continue
            changed = take_back(consent, leaver.withdrawal, self.trail, self.now)
            if changed is not None:
                self.changed[consent.id] = changed
        self._tell_of_what_is_away(gate, leaver.withdrawal)
        if leaver.withdrawal.objection:
            self._object(gate, leaver.withdrawal)

    def _tell_of_what_is_away(self, gate: Gate, withdrawal: Withdrawal) -> None:
        known = self.known.get(gate.subject)
        if known is None:  # without a key nobody can say what there was
            acting = (withdrawal.actor, refs_of(withdrawal.by))
            self.unread.setdefault((gate.subject, withdrawal.purpose), acting)
            return
        there = there_are(self.found.get(gate.subject, ()), self.changed)
        theirs = {purpose for subject, purpose in self.handles if subject == gate.subject}
        for one in away.by_purpose(known, withdrawal.purpose, there, theirs):
            key = (gate.subject, one.consent, one.purpose)
            # An objection is an event of its own, and holds whatever comes back.
            if key not in self.told and not (withdrawal.objection and one.consent is None):
                self.told.add(key)
                tell_of(one, gate.subject, withdrawal, self.trail, self.now)

    async def write(self, connection: AsyncConnection, consents: Consents) -> None:
        """Store what was taken; the trail is staged last."""
        await consents.write(connection, list(self.changed.values()))
        held, keys = self.held, self.keys
        await leavings.note(connection, keys, self.trail, held, self.unread, self.now)

    def _object(self, gate: Gate, withdrawal: Withdrawal) -> None:
        """Art. 21(2) and (3) GDPR: no direct marketing any more, whatever the consent.

        Told also where it seems to stand: one that was lifted may be back, with all that told
        of the lifting away, and then nothing would tell of the objection that was answered.
        """
        known = self.known.get(gate.subject)
        told = [] if known is None else known.told
        stands = gate.objected_at is not None and gate.is_honest(self.keys)
        just_now = stands and stops.said_just_now(told, Kind.CONSENT_OBJECTED, self.now)
        if just_now or gate.subject in self.objecting:
            return
        since = stops.objected_at(told)
        self.objecting[gate.subject] = (gate, since or self.now)
        consents = tuple(consent.id for consent in self.found.get(gate.subject, ()))
        evidence = Objected(withdrawal.channel, consents, withdrawal.passed_on(self.now))
        said = (Kind.CONSENT_OBJECTED, gate.subject, withdrawal.actor, self.now)
        self.trail.record_leaving(*said, evidence=evidence, refs=refs_of(withdrawal.by))


def take_back(
    consent: Consent, withdrawal: Withdrawal, trail: Trail, now: datetime
) -> Consent | None:
    """The consent after it was taken back, its event recorded; None: nothing changes."""
    told = withdrawal.passed_on(now)
    evidence = TakenBack(consent.id, consent.purpose, withdrawal.channel, told)
    said = (consent, evidence, withdrawal.actor, trail, now)
    by, said_at = refs_of(withdrawal.by), withdrawal.said_at
    return changes.take_back(*said, by=by, said_at=said_at)


def there_are(rows: Iterable[Consent], ended: Collection[str]) -> set[str]:
    """The consents of which a row of ours says what became of them, or an event of this act."""
    return {consent.id for consent in rows if consent.honest}.union(ended)


def tell_of(one: Away, subject: str, withdrawal: Withdrawal, trail: Trail, now: datetime) -> None:
    """Record that *subject* left what no row tells of just now."""
    log.error("consent_away")
    told = withdrawal.passed_on(now)
    evidence = TakenBack(one.consent, one.purpose, withdrawal.channel, told)
    said = (changes.EVENTS[one.state], subject, withdrawal.actor, now)
    trail.record_leaving(*said, evidence=evidence, refs={**one.refs, **refs_of(withdrawal.by)})
