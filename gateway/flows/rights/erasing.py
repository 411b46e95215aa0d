"""The end of a person here: data lets go, keys are destroyed, rows are deleted.

Three steps, each safe to repeat, each leaving the next to whoever comes after a
crash. Once the keys are gone nothing that is left of the person can be read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import forgetting
from audit.entry import Draft, Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import gates, people
from consent.gates import Gate
from consent.keys.vault import Compartment
from consent.lookup import LookUp
from consent.marks import Left, Marks
from delivery import retention
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys


async def begin(
    log: Log,
    connection: AsyncConnection,
    keys: RowKeys,
    lookup: LookUp,
    marks: Marks | None,
    held: Collection[Gate],
    now: datetime,
) -> None:
    """First step, under their gates; stages its events, so it is the last in its transaction.

    From its commit on nobody finds them by their address or mails them, and
    nobody comes to be known by what was asked for in their name before: for that
    give *marks*, but not where they did not end it, who may be asking again.
    """
    # Who signs up again is somebody new, with new keys.
    names = await lookup.forget(connection, [gate.subject for gate in held])
    if marks is not None:
        left = [Left(index, None) for theirs in names.values() for index in theirs.hashes]
        await marks.add(connection, left, now)
    await gates.begin_erasure(connection, keys, held)
    event = Kind.SUBJECT_ERASURE_STARTED
    await log.stage(connection, [_event(log, event, now) for _ in held])


async def finish(parts: Parts, subjects: Sequence[str]) -> int:
    """Second and third step for people whose erasure `begin` began; returns how many are gone.

    Of a person whose message is just being sent only the keys go now.
    """
    done = await parts.keystore.erased(subjects)
    left = [subject for subject in subjects if not all((subject, c) in done for c in Compartment)]
    # Only those: each destruction also closes the intake key, and a person whose message is under
    # way comes here again and again.
    if left:
        await parts.keystore.erase(left, list(Compartment), parts.clock.wall())
    if not await parts.key_database.empty_wal():
        return 0  # the wrapped keys are still in the log file; nothing else goes before them
    gone = await _remove(parts.data, parts.clock, parts.log, parts.rows, subjects)
    # Not waited for: what is left of the rows in it is sealed, and nobody has the keys.
    await parts.data.empty_wal()
    return gone


async def _remove(
    data: Database, clock: Clock, log: Log, keys: RowKeys, subjects: Sequence[str]
) -> int:
    async with data.begin() as connection:
        # The queue before the gates, as a claim does: else the two could wait for each other.
        waiting = await retention.remove_of(connection, subjects)
        held = await gates.lock(connection, set(subjects) - waiting)
        gone = sorted(subject for subject, gate in held.items() if gate.gone(keys))
        now = await clock.now(connection)
        events = []
        for subject in gone:
            let_go = await forgetting.erase(connection, log, subject)
            # The counts tell a verification that nobody else deleted them.
            events.append(_event(log, Kind.SUBJECT_ERASED, now, let_go.refs))
        await people.remove(connection, gone)
        await log.stage(connection, events)
    return len(gone)


def _event(log: Log, kind: Kind, now: datetime, refs: dict[str, str] | None = None) -> Draft:
    """About nobody: who it was is what must not be known any more."""
    return draft(Event(kind, Actor.SYSTEM, now, refs=refs or {}), None, log.node)
