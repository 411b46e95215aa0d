"""What would stay of somebody if they were erased now: said before it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from consent import gates, holds
from consent import retention as consent_rules
from consent.consents import Consents
from consent.retention import Periods
from gateway.flows.rights import erasing
from storage.clock import Clock
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would stay of somebody who is erased now."""

    locked_until: datetime | None  # none: nothing
    objected: bool
    held_until: datetime | None  # none: no hold stands, and it would not wait


async def foresee(
    data: Database, clock: Clock, consents: Consents, periods: Periods, subject: str
) -> Foreseen | None:
    """Say so before it is asked for; None for who is no longer live. Changes nothing."""
    async with data.snapshot() as connection:
        gate = (await gates.peek(connection, [subject])).get(subject)
        if gate is None or not gate.live:
            return None
        now = await clock.now(connection)
        stored = (await consents.of_subjects(connection, [subject])).get(subject, [])
        held_until = await holds.until(connection, consents.keys, subject, now)
    # Of an altered row nothing is foreseen that follows from it; an erasure asks the log.
    person = erasing.person_of(gate, consents.keys, ())
    until = consent_rules.foreseen_lock(person, stored, periods, now)
    return Foreseen(until, person.objected_at is not None, held_until)
