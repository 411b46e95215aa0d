"""The audit log as callers may see it: events without personal data, and their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit import proof, published, witnessed
from audit.checkpoints import Verifier
from audit.errors import AuditError
from audit.kinds import Kind
from audit.log import Log, Logged
from audit.proof import Proof
from gateway.config.config import Audit
from storage import paging
from storage.database import Database


@dataclass(frozen=True, slots=True)
class EventsWanted:
    """A page of events; *after* is the index that the page before ended with."""

    kind: Kind | None
    since: datetime | None
    until: datetime | None
    after: int | None
    limit: int


async def newest_checkpoint(data: Database, verifier: Verifier) -> str | None:
    """The note published last; None while there is none."""
    async with data.read() as connection:
        newest = await published.newest(connection, verifier)
        return None if newest is None else newest.note


async def public_checkpoint(
    data: Database, guard: Database, log: Log, verifier: Verifier, audit: Audit
) -> str | None:
    """The note that strangers may see, with what witnesses said of it; None before the first."""
    seen = await witnessed.seen(data, guard, log, verifier, witnessed.known(audit.vkeys))
    return seen.note


async def events(
    data: Database, log: Log, wanted: EventsWanted
) -> tuple[Sequence[Logged], Logged | None]:
    """Events that have an index, oldest first; and the last of them, if others follow it."""
    async with data.read() as connection:
        found = await log.events(
            connection,
            kind=wanted.kind,
            since=wanted.since,
            until=wanted.until,
            after=wanted.after,
            limit=wanted.limit + 1,
        )
    return paging.cut(found, wanted.limit)


async def prove(
    data: Database, log: Log, verifier: Verifier, eid: bytes
) -> tuple[Proof | None, bool]:
    """The proof of an event, None before a checkpoint covers it; and whether there is such one.

    None, too, while rows that the proof needs are damaged: `audit verify` names them.
    """
    async with data.read() as connection:
        try:
            found = await proof.prove(connection, log, verifier, eid)
        except AuditError:
            found = None
        return found, found is not None or await proof.is_known(connection, eid)
