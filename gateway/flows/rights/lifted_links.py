"""The link of the mail that tells of a lifted stop: look, and press; it stands again.

Pressing says that whoever lifted it was not the person: every session and personal link of theirs
ends with it, and so does another address that was asked for. It grants nothing, and changes no
address: the mail may have been forwarded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent import address_links, fresh_links, gates, paces, policy, stops, taken_away, tokens
from consent.address_links import AddressLink
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.moving import Towards
from consent.stop_proofs import Lifted
from consent.subject_evidence import StoppedAgain
from consent.trail import Trail
from delivery import permits
from delivery.permits import Open
from gateway.flows.leaving import hidden
from gateway.flows.rights import address_mails
from gateway.flows.rights.stopped_again import StoppingAgain
from gateway.flows.rights.stops import Stops
from storage.errors import StorageAway

log = structlog.get_logger()

CHANNEL = "stop-again-link"
_KEYS = (Compartment.PROFILE, Compartment.EVIDENCE)  # the mailbox is blocked, and it is told of
_TICK = timedelta(milliseconds=1)  # entries cut off what is less


@dataclass(frozen=True, slots=True)
class LiftedLinks:
    """Follows links of mails about lifted stops."""

    stops: Stops

    async def look(self, token: str) -> AddressLink | None:
        """What was lifted, and when; None where the link does nothing any more. Changes nothing."""
        link = await self._find(token)
        if link is None:
            return None
        async with self.stops.data.read() as connection:
            now = await self.stops.clock.now(connection)
        return link if policy.usable(link, now) else None

    async def press(self, token: str) -> Lifted | None:
        """Stop again what was lifted then, and since; None where the link does nothing any more.

        Returned once no mail to them can start, as a restriction is.
        """
        link = await self.look(token)
        if link is None:
            return None
        these = self.stops
        vault = await these.keystore.vault([link.subject])
        # First: a crash behind the commit must leave none that its row, put back, would open again.
        await these.keystore.sessions.end_of(link.subject)
        async with these.data.begin() as connection:
            pressed = await self._pressed(connection, link, vault)
            taken = await taken_away.due_of(connection, these.consents.keys, [link.subject])
        # No connection is held here: whoever waits must not keep others from the database.
        await these.keystore.sessions.end_of(link.subject)  # one may have been opened meanwhile
        await these.takings.tell(taken)
        if pressed is None:
            return None
        if pressed.held_back:
            raise StorageAway("data")  # it stands; nobody can say yet that it holds
        await these.permit_wait.until_over(pressed.still_open)
        return link.lifted

    async def _find(self, token: str) -> AddressLink | None:
        digest = tokens.hash_of(token)
        if digest is None:
            return None
        async with self.stops.data.read() as connection:
            found = await address_links.find(connection, self.stops.consents.keys, digest)
        return found if found is not None and found.kind is Towards.LIFTED else None

    async def _pressed(
        self, connection: AsyncConnection, seen: AddressLink, vault: Vault
    ) -> _Pressed | None:
        these, keys, subject = self.stops, self.stops.consents.keys, seen.subject
        gate = (await gates.lock(connection, [subject])).get(subject)
        now = await these.clock.now(connection)
        # Again, under the gate: somebody else may have pressed it.
        link = (await address_links.get(connection, keys, [seen.id])).get(seen.id)
        if link is None or not policy.usable(link, now) or gate is None or not gate.live:
            return None
        if not gates.usable(gate, vault, *_KEYS) or not gate.is_honest(keys):
            log.error("stop_altered")
            raise StorageAway("key store")  # an altered row permits nothing meanwhile
        told = (await histories.of_people(connection, these.log.macs, [subject], vault))[subject]
        if address_links.is_over(link, told):
            return None
        await self._stop(connection, _Lifting(gate, vault, link, told, now))
        (still_open,) = await permits.open_of(connection, [(subject, None)], now)
        macs, ttl = these.log.macs, these.permit_ttl
        away = await hidden.holders(connection, macs, vault, {subject}, now, ttl)
        return _Pressed(still_open, bool(away))

    async def _stop(self, connection: AsyncConnection, one: _Lifting) -> None:
        these, keys = self.stops, self.stops.consents.keys
        gate, link, now = one.gate, one.link, one.now
        trail = Trail(these.log, one.vault, {gate.subject: gate}, keys)
        there = address_mails.on_file(gate, one.vault)
        if there is None:
            raise StorageAway("key store")
        suppression = these.same_mailbox.suppression
        again = StoppingAgain(keys, suppression, gate, there, CHANNEL, now)
        await again.of(connection, trail, one.lifted())
        if link.paused_until is not None:
            await self._pause(connection, gate.subject, link.paused_until)
        said = StoppedAgain(link.lifted or Lifted.RESTRICTION, link.id)
        kind = Kind.SUBJECT_STOPPED_AGAIN
        trail.record(kind, gate.subject, Actor.SUBJECT, now, evidence=said)
        await address_links.spend(connection, link, now)
        await fresh_links.end(connection, keys, gate.subject, now)
        await address_links.end(connection, keys, gate.subject, now, kinds={Towards.NEW})
        await trail.stage(connection)

    async def _pause(self, connection: AsyncConnection, subject: str, until: datetime) -> None:
        """As long as it was; one that was chosen since and lasts longer stays."""
        keys = self.stops.consents.keys
        chosen = (await paces.read(connection, keys, [subject])).get(subject, paces.NONE)
        chosen = chosen if chosen.honest else paces.NONE
        if not chosen.is_paused(until - _TICK):
            await paces.choose(connection, keys, subject, replace(chosen, paused_until=until))


@dataclass(frozen=True, slots=True)
class _Pressed:
    """What is to be waited for."""

    still_open: Open
    held_back: bool  # a permit of theirs is where nobody can wait for it


@dataclass(frozen=True, slots=True)
class _Lifting:
    """Whose stop was lifted, which link tells of it, and what the log has of them."""

    gate: Gate
    vault: Vault
    link: AddressLink
    told: list[Told]
    now: datetime

    def lifted(self) -> stops.LiftedStops:
        """What the mail told of, and what was lifted since."""
        since = stops.lifted_since(self.told, self.link.created_at - _TICK)
        return stops.LiftedStops(
            since.restriction or self.link.lifted is Lifted.RESTRICTION,
            since.objection or self.link.lifted is Lifted.OBJECTION,
        )
