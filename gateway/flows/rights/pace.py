"""A person pauses the mails they agreed to, or wants fewer. It only delays, and ends nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

import structlog

from consent import gates, paces
from consent.paces import NONE, Pace
from delivery import due, permits
from delivery.permit_wait import PermitWait
from gateway.flows.sending import pacing
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys

log = structlog.get_logger()


class Apart(StrEnum):
    """How far apart mails come, whatever they are for."""

    ANY = "any"
    WEEK = "week"
    MONTH = "month"


LENGTHS = {Apart.ANY: None, Apart.WEEK: timedelta(days=7), Apart.MONTH: paces.LONGEST_APART}


def apart_of(pace: Pace) -> Apart:
    """What was chosen, by its word."""
    return next((word for word, length in LENGTHS.items() if length == pace.apart), Apart.ANY)


@dataclass(frozen=True, slots=True)
class Paces:
    """What people chose, kept under their gates."""

    data: Database
    clock: Clock
    keys: RowKeys
    permit_wait: PermitWait

    async def look(self, subject: str) -> Pace | None:
        """What somebody chose, without a pause that is over; None for who is no longer live."""
        async with self.data.snapshot() as connection:
            gate = (await gates.peek(connection, [subject])).get(subject)
            if gate is None or not gate.live:
                return None
            now = await self.clock.now(connection)
            chosen = (await paces.read(connection, self.keys, [subject])).get(subject, NONE)
        return chosen if chosen.is_paused(now) else replace(chosen, paused_until=None)

    async def choose(self, subject: str, months: int | None, apart: Apart | None) -> None:
        """Pause for so many months (0: not any more), and say how far apart; None: as it is.

        Returned when no mail that waits for it can start; what waited is decided anew, so that
        who ends a pause gets it. What somebody planted there goes.
        """
        async with self.data.begin() as connection:
            gate = (await gates.lock(connection, [subject])).get(subject)
            if gate is None:  # it is away for a moment: what is answered now would not hold
                log.error("person_away")
                raise StorageAway("data")
            now = await self.clock.now(connection)
            chosen = (await paces.read(connection, self.keys, [subject])).get(subject, NONE)
            chosen = chosen if chosen.honest else NONE
            if months is not None:
                until = paces.months_after(now, months) if months else None
                chosen = replace(chosen, paused_until=until)
            if apart is not None:
                chosen = replace(chosen, apart=LENGTHS[apart])
            if gate.live:
                await paces.choose(connection, self.keys, subject, chosen)
            (still_open,) = await permits.open_of(connection, [(subject, None)], now)
        # No connection is held here: whoever waits must not keep others from the database.
        await self.permit_wait.until_over(still_open)
        async with self.data.begin() as connection:  # later: who holds a gate locks no outbox row
            now = await self.clock.now(connection)
            await due.bring_forward(connection, subject, pacing.REASONS, now)
