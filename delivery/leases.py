"""Which worker holds which messages.

A worker's lease is one row, renewed by one heartbeat; its messages name it. The
journal tells more than the database: a restarted worker settles from journals
first, and only what no journal explains is taken over here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import WAITING, Message, Status, message_of
from delivery.sharing import Rank
from storage import bad_rows, straight
from storage.locks import delete_free
from storage.sound import fits
from storage.types import Moment, among, upsert

_MOST_SHARES = 16  # a claim looks at as many messages for each share as it wants itself

worker = tables.worker
outbox = tables.outbox

# Made once: each claim asks both.
_AT = bindparam("now", type_=Moment())
_UNTIL = select(worker.c.lease_until).where(worker.c.id == bindparam("worker"))
_RUNNING = select(worker.c.id).where(worker.c.lease_until > _AT).order_by(worker.c.id)


async def register(
    connection: AsyncConnection, owner: str, boot_id: str, now: datetime, lease: timedelta
) -> None:
    """Announce a worker; nothing may be claimed for it before this is committed.

    Safe to repeat, for whoever lost the answer to it.
    """
    row = {"id": owner, "boot_id": boot_id, "lease_until": now + lease, "started_at": now}
    statement = upsert(connection, worker).values(row)
    again = statement.on_conflict_do_update(
        index_elements=[worker.c.id], set_={"lease_until": now + lease}
    )
    await connection.execute(again)


async def renew(connection: AsyncConnection, owner: str, now: datetime, lease: timedelta) -> bool:
    """Prolong the lease; False when it was taken over and must not be used again."""
    statement = update(worker).where(worker.c.id == owner).values(lease_until=now + lease)
    return (await connection.execute(statement)).rowcount == 1


async def forget(connection: AsyncConnection, owner: str) -> None:
    """Remove a worker that holds nothing any more."""
    await connection.execute(delete(worker).where(worker.c.id == owner))


async def runs(connection: AsyncConnection, owner: str, now: datetime) -> bool:
    """Whether the lease holds at *now*."""
    found = await straight.rows(connection, _UNTIL, {"worker": owner})
    return any(until > now for (until,) in found)


async def rank(connection: AsyncConnection, owner: str, now: datetime) -> Rank:
    """The place of *owner* among the workers that run; one that does not has none to mind."""
    running = [name for (name,) in await straight.rows(connection, _RUNNING, {"now": now})]
    if owner not in running:
        return Rank()
    of = min(len(running), _MOST_SHARES)
    return Rank(running.index(owner) % of, of)


def running(owner: ColumnElement[str], now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """As `runs`, as a condition of a statement that asks and writes at once."""
    return exists().where(worker.c.id == owner, worker.c.lease_until > now)


async def held(connection: AsyncConnection, owner: str) -> list[str]:
    """Look, without locking, for everything that *owner* has under way."""
    query = select(outbox.c.id).where(outbox.c.owner == owner, outbox.c.status == Status.SENDING)
    query = query.where(fits(outbox.c.id)).order_by(outbox.c.id)
    return list((await connection.execute(query)).scalars())


async def lock_held(
    connection: AsyncConnection, owner: str, messages: Collection[str]
) -> list[Message]:
    """Lock those of *messages* that *owner* has under way still."""
    query = select(outbox).where(
        among(outbox.c.id, messages),
        outbox.c.owner == owner,
        outbox.c.status == Status.SENDING,
    )
    rows = await connection.execute(query.order_by(outbox.c.id).with_for_update())
    return [message_of(row) for row in rows]


async def subjects_of(connection: AsyncConnection, messages: Collection[str]) -> set[str]:
    """Whose keys settling *messages* needs; fetch them before locking those."""
    query = select(outbox.c.subject).where(among(outbox.c.id, messages), fits(outbox.c.subject))
    return set((await connection.execute(query)).scalars())


async def lock_doubted(connection: AsyncConnection, messages: Collection[str]) -> list[Message]:
    """Lock those of *messages* that a takeover called uncertain, or put down for another try."""
    query = select(outbox).where(
        among(outbox.c.id, messages), outbox.c.status.in_([Status.UNCERTAIN, *WAITING])
    )
    rows = await connection.execute(query.order_by(outbox.c.id).with_for_update())
    return [message_of(row) for row in rows]


async def abandoned(connection: AsyncConnection, now: datetime, limit: int) -> list[str]:
    """Look, without locking, for messages whose worker's lease has run out; parked ones last."""
    query = select(outbox.c.id).where(_is_abandoned(now), fits(outbox.c.id))
    fresh = bad_rows.first(query, outbox.c.id).order_by(outbox.c.id).limit(limit)
    found = list((await connection.execute(fresh, bad_rows.at(now))).scalars())
    again = bad_rows.again(query, outbox.c.id).limit(limit - len(found))
    return found + list((await connection.execute(again, bad_rows.at(now))).scalars())


async def lock_abandoned(
    connection: AsyncConnection, messages: Collection[str], now: datetime
) -> list[Message]:
    """Lock those of *messages* that are abandoned still; what someone holds is passed over."""
    query = select(outbox).where(among(outbox.c.id, messages), _is_abandoned(now))
    rows = await connection.execute(query.order_by(outbox.c.id).with_for_update(skip_locked=True))
    return [message_of(row) for row in rows]


def _is_abandoned(now: datetime) -> ColumnElement[bool]:
    alive = exists().where(worker.c.id == outbox.c.owner, worker.c.lease_until > now)
    return and_(outbox.c.status == Status.SENDING, ~alive)


async def any_dead(connection: AsyncConnection, now: datetime) -> bool:
    """Whether `forget_dead` would remove anybody; nothing is locked."""
    return (
        await connection.execute(select(worker.c.id).where(_is_dead(now)).limit(1))
    ).first() is not None


async def forget_dead(connection: AsyncConnection, now: datetime) -> None:
    """Remove workers whose lease ran out and who hold nothing."""
    await delete_free(connection, worker, _is_dead(now))


def _is_dead(now: datetime) -> ColumnElement[bool]:
    return and_(worker.c.lease_until <= now, ~exists().where(outbox.c.owner == worker.c.id))
