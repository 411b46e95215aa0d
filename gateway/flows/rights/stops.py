"""A person restricts the use of their data (Art. 18 GDPR), and lifts that or their objection.

A restriction is answered like a withdrawal: once the guard's store has it and nothing
of theirs can start any more. Lifting grants again: it asks the log before it believes
the rows that there are, and no consent permits again that the person was not shown.
Of somebody whose erasure waits for a hold nothing is lifted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import (
    address_links,
    facts,
    gates,
    history,
    policy,
    stops,
    taken_away,
    texts,
)
from consent.consents import Consent, Consents
from consent.gates import Gate
from consent.history import History
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.model import Granted
from consent.policy import Facts
from consent.stop_proofs import Lifted, Lifting, Restricting
from consent.texts import Text
from consent.trail import Trail
from delivery import permits
from delivery.permit_wait import PermitWait
from gateway.config.config import Config
from gateway.flows.by import By, refs_of
from gateway.flows.leaving import hidden, same_mailbox, whereabouts
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.rights import lifted, unblocking, waiting
from gateway.flows.rights.lifted import Lift
from gateway.flows.rights.waiting import Waiting
from gateway.takings import Takings
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway

log = structlog.get_logger()

CHANNEL = "my-data"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a person's own row stops, and what would permit again without it, by purpose."""

    restricted_at: datetime | None
    objected_at: datetime | None
    again: Mapping[str, Text | None]  # with its wording; none where that cannot be read
    waiting: Waiting | None  # an erasure, and nothing is lifted


@dataclass(frozen=True, slots=True)
class Stops:
    """Restrictions, and the lifting of what a person themselves had stopped."""

    data: Database
    clock: Clock
    keystore: KeyStore
    consents: Consents
    log: Log
    same_mailbox: SameMailbox
    permit_wait: PermitWait
    permit_ttl: timedelta
    takings: Takings
    config: Config

    async def look(self, subject: str) -> Stopped | None:
        """How it stands; None for who is no longer live. Changes nothing."""
        async with self.data.snapshot() as connection:
            gate = (await gates.peek(connection, [subject])).get(subject)
            if gate is None or not gate.live:
                return None
            now = await self.clock.now(connection)
            again = await self._again(connection, gate, now)
            known = await texts.get(connection, {one.text_hash for one in again.values()})
            asked = await waiting.look(connection, self.consents.keys, subject, now)
        wordings = {name: known.get(one.text_hash) for name, one in again.items()}
        return Stopped(gate.restricted_at, gate.objected_at, wordings, asked)

    async def restrict(
        self,
        subject: str,
        channel: str = CHANNEL,
        actor: Actor = Actor.SUBJECT,
        by: By | None = None,
    ) -> None:
        """Returned when no mail to them can start; repeating it waits the same way.

        Consents stand. Nobody is kept from it by a key that is missing, nor by an
        altered row: that stays stopped, and named. It is written anew unless it was said just
        now: one that was lifted may be back, with all that told of the lifting away.
        """
        keys = self.consents.keys
        # Before anything is locked: the key store may be slow, and who holds gates holds up mail.
        vault = await self.keystore.vault([subject])
        async with self.data.begin() as connection:
            gate = await _held(connection, subject)
            now = await self.clock.now(connection)
            trail = Trail(self.log, vault, {subject: gate}, keys)
            if not gate.gone(keys) and not await self._said_just_now(connection, gate, vault, now):
                said, kind = Restricting(channel), Kind.SUBJECT_RESTRICTED
                refs = refs_of(by)
                trail.record_leaving(kind, subject, actor, now, evidence=said, refs=refs)
                await stops.restrict(connection, keys, gate, now)
            (still_open,) = await permits.open_of(connection, [(subject, None)], now)
            macs, ttl = self.log.macs, self.permit_ttl
            held_back = await hidden.holders(connection, macs, vault, {subject}, now, ttl)
            await trail.stage(connection)
            # Also what was said before, and not told since a store was away.
            taken = await taken_away.due_of(connection, keys, [subject])
        # No connection is held here: whoever waits must not keep others from the database.
        await self.takings.tell(taken)
        if held_back:
            raise StorageAway("data")  # it stands; nobody can say yet that it holds
        await self.permit_wait.until_over(still_open)

    async def _said_just_now(
        self, connection: AsyncConnection, gate: Gate, vault: Vault, now: datetime
    ) -> bool:
        """Whether it stands, and was said a moment ago; of who has no key nobody can tell."""
        if gate.restricted_at is None or not gate.is_honest(self.consents.keys):
            return False
        if not vault.has(gate.subject, Compartment.EVIDENCE):
            return False
        told = await histories.of_people(connection, self.log.macs, [gate.subject], vault)
        return stops.said_just_now(told[gate.subject], Kind.SUBJECT_RESTRICTED, now)

    async def lift_restriction(
        self,
        subject: str,
        channel: str = CHANNEL,
        actor: Actor = Actor.SUBJECT,
        by: By | None = None,
    ) -> bool:
        """Let what the person agreed to count again; their mailbox is told.

        False, and nothing written, where nothing was restricted or an erasure waits. Raises
        `StorageAway` where the log tells otherwise than the row.
        """
        vault = await self.keystore.vault([subject])
        async with self.data.begin() as connection:
            gate = await _held(connection, subject)
            if not gate.live or gate.restricted_at is None:
                return False
            now = await self.clock.now(connection)
            if await waiting.look(connection, self.consents.keys, subject, now) is not None:
                return False
            await self._vouched(connection, gate, vault)
            trail = Trail(self.log, vault, {subject: gate}, self.consents.keys)
            lift = Lift(Lifted.RESTRICTION, by_us=actor is not Actor.SUBJECT)
            told = await self._tell(connection, gate, vault, lift, now)
            said, kind = Restricting(channel, told), Kind.SUBJECT_UNRESTRICTED
            trail.record(kind, subject, actor, now, evidence=said, refs=refs_of(by))
            await stops.lift_restriction(connection, self.consents.keys, gate)
            await trail.stage(connection)
        return True

    async def lift_objection(self, subject: str, shown: Collection[str]) -> bool:
        """Take an objection back for who was *shown* the purposes that permit again by it.

        False, and nothing written, where it is other ones, nothing was objected to, or an
        erasure waits.
        The mailbox is told, and may be asked again, unless somebody with another spelling of it
        may have said no too. Raises `StorageAway` as `lift_restriction`.
        """
        vault = await self.keystore.vault([subject])
        async with self.data.begin() as connection:
            there = await same_mailbox.of_people(connection, vault, [(subject, None)])
            sharing = await self.same_mailbox.sharing(connection, there)
            together = await gates.lock(connection, sharing | {subject})
            gate = _there(together, subject)
            if not gate.live or gate.objected_at is None:
                return False
            now = await self.clock.now(connection)
            if await waiting.look(connection, self.consents.keys, subject, now) is not None:
                return False
            again = await self._again(connection, gate, now)
            if again.keys() != set(shown):
                return False
            known = await self._vouched(connection, gate, vault)
            _require(all(known.vouches(one) for one in again.values()))
            trail = Trail(self.log, vault, {subject: gate}, self.consents.keys)
            ids = tuple(sorted(one.id for one in again.values()))
            told = await self._tell(connection, gate, vault, Lift(Lifted.OBJECTION), now)
            said, actor = Lifting(Lifted.OBJECTION, CHANNEL, ids, told), Actor.SUBJECT
            trail.record(Kind.SUPPRESSION_LIFTED, subject, actor, now, evidence=said)
            await stops.lift_objection(connection, self.consents.keys, gate)
            blocking = unblocking.Blocking(self.same_mailbox, gate, vault, known.told, now)
            await blocking.as_they_lift(connection)
            await trail.stage(connection)
        return True

    async def _tell(
        self, connection: AsyncConnection, gate: Gate, vault: Vault, lift: Lift, now: datetime
    ) -> str | None:
        return await lifted.tell(connection, self.consents, self.config, gate, vault, lift, now)

    async def _again(
        self, connection: AsyncConnection, gate: Gate, now: datetime
    ) -> dict[str, Consent]:
        """The consents that would permit if the person had stopped nothing, by purpose."""
        subject = gate.subject
        found = (await self.consents.of_subjects(connection, [subject])).get(subject, [])
        rows = {one.id: one for one in found}
        pairs = [(subject, name) for name in sorted({one.purpose for one in found})]
        read = await facts.read(connection, self.consents, {subject: gate}, pairs, now)
        answers = {name: policy.decide(_unstopped(read[subject, name]), now) for _, name in pairs}
        return {
            name: rows[answer.ground.id]
            for name, answer in answers.items()
            if isinstance(answer, Granted)
        }

    async def _vouched(self, connection: AsyncConnection, gate: Gate, vault: Vault) -> History:
        """What the log tells, once it bears the row out; hold the gate."""
        subject, keys = gate.subject, self.consents.keys
        _require(gates.usable(gate, vault, Compartment.EVIDENCE) and gate.is_honest(keys))
        rows = (await self.consents.of_subjects(connection, [subject])).get(subject, [])
        read = await history.read(connection, self.log.macs, {subject: gate}, vault, rows)
        known = read[subject]
        _require(known.whole and not any(stops.denied(known.told, gate)))
        _require(not stops.erasure_waits(known.told))  # its row is away, or altered
        # Else an address of before, put back for a moment, would be told of it in their place.
        mailbox = whereabouts.mailbox_of(gate, vault)
        _require(not address_links.lives_elsewhere(mailbox, known.told))
        return known


def _unstopped(known: Facts) -> Facts:
    return replace(known, restricted=False, objected=False, suppressed=None)


async def _held(connection: AsyncConnection, subject: str) -> Gate:
    return _there(await gates.lock(connection, [subject]), subject)


def _there(held: Mapping[str, Gate], subject: str) -> Gate:
    if subject not in held:  # it is away for a moment: what is answered now would not hold
        log.error("person_away")
        raise StorageAway("data")
    return held[subject]


def _require(fits: bool) -> None:
    """Raise `StorageAway` unless what is to be lifted is what a gateway wrote last."""
    if not fits:
        log.error("stop_altered")
        raise StorageAway("data")
