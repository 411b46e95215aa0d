"""A person pauses the mails they agreed to, or wants fewer. It only delays, and ends nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.log import Log
from consent import address_links, gates, paces
from consent.consents import Consents
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Vault
from consent.paces import NONE, Pace
from consent.stop_proofs import Lifted
from delivery import due, permits
from delivery.permit_wait import PermitWait
from gateway.config.config import Config
from gateway.flows.leaving import hidden, whereabouts
from gateway.flows.rights import lifted
from gateway.flows.rights.lifted import Lift
from gateway.flows.sending import pacing
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway

log = structlog.get_logger()


class Apart(StrEnum):
    """How far apart mails come, whatever they are for."""

    ANY = "any"
    WEEK = "week"
    MONTH = "month"


LONGEST = 6  # months of a pause that somebody can choose
LENGTHS = {Apart.ANY: None, Apart.WEEK: timedelta(days=7), Apart.MONTH: paces.LONGEST_APART}


def apart_of(pace: Pace) -> Apart:
    """What was chosen, by its word."""
    return next((word for word, length in LENGTHS.items() if length == pace.apart), Apart.ANY)


@dataclass(frozen=True, slots=True)
class Paces:
    """What people chose, kept under their gates."""

    data: Database
    clock: Clock
    keystore: KeyStore
    consents: Consents
    log: Log
    permit_wait: PermitWait
    config: Config

    async def look(self, subject: str) -> Pace | None:
        """What somebody chose, without a pause that is over; None for who is no longer live."""
        async with self.data.snapshot() as connection:
            gate = (await gates.peek(connection, [subject])).get(subject)
            if gate is None or not gate.live:
                return None
            now = await self.clock.now(connection)
            keys = self.consents.keys
            chosen = (await paces.read(connection, keys, [subject])).get(subject, NONE)
        return chosen if chosen.is_paused(now) else replace(chosen, paused_until=None)

    async def choose(self, subject: str, months: int | None, apart: Apart | None) -> None:
        """Pause for so many months (0: not any more), and say how far apart; None: as it is.

        Returned when no mail that waits for it can start; what waited is decided anew, so that
        who ends a pause gets it, and their mailbox is told. What somebody planted there goes.
        """
        keys = self.consents.keys
        # Before anything is locked: the key store may be slow, and who holds gates holds up mail.
        vault = await self.keystore.vault([subject])
        async with self.data.begin() as connection:
            gate = (await gates.lock(connection, [subject])).get(subject)
            if gate is None:  # it is away for a moment: what is answered now would not hold
                log.error("person_away")
                raise StorageAway("data")
            now = await self.clock.now(connection)
            before = (await paces.read(connection, keys, [subject])).get(subject, NONE)
            stood = before if before.honest else _in_doubt(now)
            chosen = before if before.honest else NONE
            if months is not None:
                until = paces.months_after(now, months) if months else None
                chosen = replace(chosen, paused_until=until)
            if apart is not None:
                chosen = replace(chosen, apart=LENGTHS[apart])
            if gate.live:
                if _ends_sooner(stood, chosen, now):
                    await self._require_there(connection, gate, vault)
                await paces.choose(connection, keys, subject, chosen)
                if _ends_sooner(stood, chosen, now):
                    lift = Lift(Lifted.PAUSE, paused_until=stood.paused_until)
                    args = (self.consents, self.config, gate, vault, lift, now)
                    await lifted.tell(connection, *args)
            (still_open,) = await permits.open_of(connection, [(subject, None)], now)
            macs, ttl = self.log.macs, self.config.delivery.permit_ttl
            held_back = await hidden.holders(connection, macs, vault, {subject}, now, ttl)
        if held_back:
            raise StorageAway("data")  # it stands; nobody can say yet that it holds
        # No connection is held here: whoever waits must not keep others from the database.
        await self.permit_wait.until_over(still_open)
        async with self.data.begin() as connection:  # later: who holds a gate locks no outbox row
            now = await self.clock.now(connection)
            await due.bring_forward(connection, subject, pacing.REASONS, now)

    async def _require_there(self, connection: AsyncConnection, gate: Gate, vault: Vault) -> None:
        """Raise `StorageAway` where an address of before stands, which would be told in place."""
        told = await histories.of_people(connection, self.log.macs, [gate.subject], vault)
        mailbox = whereabouts.mailbox_of(gate, vault)
        if address_links.lives_elsewhere(mailbox, told[gate.subject]):
            log.error("stop_altered")
            raise StorageAway("data")


def _in_doubt(now: datetime) -> Pace:
    """What stands in the place of a row that no gateway wrote: until when it was is not known."""
    return Pace(paused_until=paces.months_after(now, LONGEST))


def _ends_sooner(before: Pace, chosen: Pace, now: datetime) -> bool:
    """Whether somebody who had a pause is mailed sooner than it said."""
    until, later = before.paused_until, chosen.paused_until
    return until is not None and until > now and (later is None or later < until)
