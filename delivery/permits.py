"""Permits: a granted permission, written down for one transmission.

A permit is written by the claim that decided it, under the subject's gate. It
is open until its worker spends it (the replies to MAIL and RCPT were read, or
the connection closed after MAIL) or it expires by the database's clock with
MAIL never written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import Status
from storage.clock import Clock
from storage.database import Database

permit = tables.permit

OPEN = "open"
SPENT = "spent"
LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Permit:
    """One permission for one transmission, naming its ground."""

    id: str
    message: str
    attempt: int
    owner: str
    subject: str
    purpose: str
    ground_kind: str
    ground_id: str
    decided_at: datetime
    expires_at: datetime
    eid: bytes


async def grant(connection: AsyncConnection, permits: Sequence[Permit]) -> None:
    """Write permits; only a claim that holds their gates may."""
    if not permits:
        return
    rows = [
        {
            "id": one.id,
            "message": one.message,
            "attempt": one.attempt,
            "owner": one.owner,
            "subject": one.subject,
            "purpose": one.purpose,
            "ground_kind": one.ground_kind,
            "ground_id": one.ground_id,
            "state": OPEN,
            "decided_at": one.decided_at,
            "expires_at": one.expires_at,
            "eid": one.eid,
        }
        for one in permits
    ]
    await connection.execute(insert(permit), rows)


@dataclass(frozen=True, slots=True)
class Spending:
    """A transmission that is about to pass its final dot, or began and ended before it."""

    permit: str
    message: str
    attempt: int


async def spend(
    connection: AsyncConnection, owner: str, spendings: Sequence[Spending], clock: Clock
) -> set[str]:
    """Mark permits spent and return those that were; for the others nothing may be sent.

    A row is only marked while the attempt is still this worker's and its lease
    still runs. A takeover locks the same outbox rows, so of the two one loses.
    """
    outbox = tables.outbox
    wanted = {one.message: one for one in spendings}
    query = select(outbox.c.id, outbox.c.attempt).where(
        outbox.c.id.in_(list(wanted)),
        outbox.c.owner == owner,
        outbox.c.status == Status.SENDING,
    )
    rows = await connection.execute(query.order_by(outbox.c.id).with_for_update())
    held = [row.id for row in rows if wanted[row.id].attempt == row.attempt]
    now = await clock.now(connection)
    if not held or not await _lease_runs(connection, owner, now):
        return set()
    statement = (
        update(permit)
        .where(
            permit.c.id.in_([wanted[message].permit for message in held]),
            permit.c.owner == owner,
            permit.c.state == OPEN,
        )
        .values(state=SPENT, spent_at=now)
        .returning(permit.c.id)
    )
    return set((await connection.execute(statement)).scalars())


async def _lease_runs(connection: AsyncConnection, owner: str, now: datetime) -> bool:
    query = select(tables.worker.c.lease_until).where(tables.worker.c.id == owner)
    until = (await connection.execute(query)).scalar_one_or_none()
    return until is not None and until > now


async def lapse(connection: AsyncConnection, attempts: Iterable[tuple[str, int]]) -> None:
    """End open permits whose MAIL was never written; their attempts did not happen."""
    keys = [and_(permit.c.message == message, permit.c.attempt == n) for message, n in attempts]
    if keys:
        statement = update(permit).where(or_(*keys), permit.c.state == OPEN)
        await connection.execute(statement.values(state=LAPSED))


async def spent_of(
    connection: AsyncConnection, attempts: Iterable[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Which of these attempts have a spent permit."""
    keys = [and_(permit.c.message == message, permit.c.attempt == n) for message, n in attempts]
    if not keys:
        return set()
    query = select(permit.c.message, permit.c.attempt).where(or_(*keys), permit.c.state == SPENT)
    return {(row.message, row.attempt) for row in await connection.execute(query)}


async def of_message(connection: AsyncConnection, message: str, attempt: int) -> Any | None:
    query = select(permit).where(permit.c.message == message, permit.c.attempt == attempt)
    return (await connection.execute(query)).first()


async def moments(
    connection: AsyncConnection, pairs: Iterable[tuple[str, str]], since: datetime, now: datetime
) -> dict[tuple[str, str], list[datetime]]:
    """When each (subject, purpose) was permitted since *since*, for a frequency cap.

    Counted are permits spent, open, or expired unmarked while the lease that
    may have used them still runs: a lapse that might be a mail counts as one.
    """
    outbox, worker = tables.outbox, tables.worker
    may_have_sent = exists().where(
        outbox.c.id == permit.c.message,
        outbox.c.attempt == permit.c.attempt,
        outbox.c.status == Status.SENDING,
        worker.c.id == permit.c.owner,
        worker.c.lease_until > now,
    )
    counted = or_(
        permit.c.state == SPENT,
        and_(permit.c.state == OPEN, or_(permit.c.expires_at > now, may_have_sent)),
    )
    wanted = set(pairs)
    query = select(permit.c.subject, permit.c.purpose, permit.c.decided_at).where(
        permit.c.subject.in_({subject for subject, _ in wanted}),
        permit.c.ground_kind != "confirmation",
        permit.c.decided_at > since,
        counted,
    )
    found: dict[tuple[str, str], list[datetime]] = {}
    for row in await connection.execute(query):
        if (row.subject, row.purpose) in wanted:
            found.setdefault((row.subject, row.purpose), []).append(row.decided_at)
    return found


async def open_permits(
    connection: AsyncConnection, subject: str, purpose: str | None, now: datetime
) -> set[str]:
    """Permits of *subject* that may still start a transmission; *purpose* None means all.

    Confirmation mails are for whatever was asked, so their permits always count.
    """
    query = select(permit.c.id).where(
        permit.c.subject == subject, permit.c.state == OPEN, permit.c.expires_at > now
    )
    if purpose is not None:
        of_purpose = or_(permit.c.purpose == purpose, permit.c.ground_kind == "confirmation")
        query = query.where(of_purpose)
    return set((await connection.execute(query)).scalars())


async def after(connection: AsyncConnection, last: str, limit: int) -> list[tuple[str, bytes]]:
    """The next permits by id with their events, for whoever checks them all."""
    query = select(permit.c.id, permit.c.eid).where(permit.c.id > last).order_by(permit.c.id)
    return [(row.id, row.eid) for row in await connection.execute(query.limit(limit))]


class Quiet:
    """Waits until permits can start no transmission; one poll serves all waiters."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._poll: asyncio.Task[None] | None = None

    async def wait_for(self, permits: set[str]) -> None:
        """Return when each of *permits* is spent, lapsed or expired by the database's clock.

        Raises `StorageAway` when that cannot be known. A waiter that is
        cancelled ends nothing for the others.
        """
        futures = []
        for one in permits:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(one, set()).add(future)
            futures.append(future)
        if not futures:
            return
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._keep_polling())
        try:
            await asyncio.gather(*futures)
        finally:
            for one, future in zip(permits, futures, strict=True):
                self._waiting.get(one, set()).discard(future)
                future.cancel()

    async def _keep_polling(self, every: timedelta = timedelta(milliseconds=25)) -> None:
        try:
            while self._forget_the_idle():
                still_open = await self._still_open(list(self._waiting))
                for one in [key for key in self._waiting if key not in still_open]:
                    for future in self._waiting.pop(one):
                        if not future.done():
                            future.set_result(None)
                await asyncio.sleep(every.total_seconds())
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise

    def _forget_the_idle(self) -> bool:
        for one in [key for key, futures in self._waiting.items() if not futures]:
            del self._waiting[one]
        return bool(self._waiting)

    def _fail(self, error: BaseException) -> None:
        waiting, self._waiting = self._waiting, {}
        for futures in waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(
                        error if isinstance(error, Exception) else asyncio.CancelledError()
                    )

    async def _still_open(self, ids: list[str]) -> set[str]:
        async with self._database.read() as connection:
            now = await self._clock.now(connection)
            query = select(permit.c.id).where(
                permit.c.id.in_(ids), permit.c.state == OPEN, permit.c.expires_at > now
            )
            return set((await connection.execute(query)).scalars())
