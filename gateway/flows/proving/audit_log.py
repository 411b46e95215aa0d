"""The audit log as callers may see it: events without personal data, and their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit import log, proof
from audit.kinds import Kind
from audit.log import Logged
from audit.proof import Proof
from gateway.parts import Parts


@dataclass(frozen=True, slots=True)
class EventsWanted:
    """A page of events; *after* is the index that the page before ended with."""

    kind: Kind | None
    since: datetime | None
    until: datetime | None
    after: int | None
    limit: int


async def checkpoint(parts: Parts) -> str | None:
    """The note published last; None while there is none."""
    async with parts.data.read() as connection:
        return await log.latest_checkpoint(connection)


async def events(parts: Parts, wanted: EventsWanted) -> Sequence[Logged]:
    """Events that have an index, oldest first."""
    async with parts.data.read() as connection:
        return await parts.log.events(
            connection,
            kind=wanted.kind,
            since=wanted.since,
            until=wanted.until,
            after=wanted.after,
            limit=wanted.limit,
        )


async def prove(parts: Parts, eid: bytes) -> tuple[Proof | None, bool]:
    """The proof of an event, None before a checkpoint covers it; and whether there is such one."""
    async with parts.data.read() as connection:
        found = await proof.prove(connection, parts.log, eid)
        return found, found is not None or await proof.is_known(connection, eid)
