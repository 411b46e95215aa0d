"""Which worker holds which messages, and what becomes of them when it is gone.

A worker's lease is one row, renewed by one heartbeat; its messages name it. The
journal tells more than the database: a restarted worker settles from journals
first, and only what no journal explains is taken over here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.journal import Mark
from delivery.outbox import ABORTED, WAITING, Change, Message, Status, message_of
from delivery.outcome import Kind
from delivery.schedule import begin_again, next_due
from storage.types import among, upsert

worker = tables.worker
outbox = tables.outbox


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
    query = select(worker.c.lease_until).where(worker.c.id == owner)
    until = (await connection.execute(query)).scalar_one_or_none()
    return until is not None and until > now


def running(owner: str, now: datetime) -> ColumnElement[bool]:
    """As `runs`, as a condition of a statement that asks and writes at once."""
    return exists().where(worker.c.id == owner, worker.c.lease_until > now)


async def lock_held(connection: AsyncConnection, owner: str) -> list[Message]:
    """Lock everything that *owner* has under way."""
    query = select(outbox).where(outbox.c.owner == owner, outbox.c.status == Status.SENDING)
    rows = await connection.execute(query.order_by(outbox.c.id).with_for_update())
    return [message_of(row) for row in rows]


async def subjects_held(connection: AsyncConnection, owner: str) -> set[str]:
    """Whose keys settling what *owner* has under way needs; fetch them before locking it."""
    query = select(outbox.c.subject).where(outbox.c.owner == owner)
    return set((await connection.execute(query)).scalars())


async def subjects_of(connection: AsyncConnection, messages: Collection[str]) -> set[str]:
    """As `subjects_held`, for messages by name."""
    query = select(outbox.c.subject).where(among(outbox.c.id, messages))
    return set((await connection.execute(query)).scalars())


async def lock_doubted(connection: AsyncConnection, messages: Collection[str]) -> list[Message]:
    """Lock those of *messages* that a takeover called uncertain, or put down for another try."""
    query = select(outbox).where(
        among(outbox.c.id, messages), outbox.c.status.in_([Status.UNCERTAIN, *WAITING])
    )
    rows = await connection.execute(query.order_by(outbox.c.id).with_for_update())
    return [message_of(row) for row in rows]


async def abandoned(connection: AsyncConnection, now: datetime, limit: int) -> list[str]:
    """Look, without locking, for messages whose worker's lease has run out."""
    query = select(outbox.c.id).where(_is_abandoned(now)).order_by(outbox.c.id).limit(limit)
    return list((await connection.execute(query)).scalars())


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


async def forget_dead(connection: AsyncConnection, now: datetime) -> None:
    """Remove workers whose lease ran out and who hold nothing."""
    holding = exists().where(outbox.c.owner == worker.c.id)
    await connection.execute(delete(worker).where(worker.c.lease_until <= now, ~holding))


@dataclass(frozen=True, slots=True)
class Recovery:
    """What to write about messages whose worker is gone."""

    changes: Sequence[Change]
    lapsed: Sequence[tuple[str, int]]  # MAIL may have been written, the dot was not
    ended: Mapping[tuple[str, int], str]  # attempts and their outcome


def recover(
    held: Sequence[Message],
    spent: set[tuple[str, int]],
    marks: Mapping[tuple[str, int], Mark],
    *,
    journal_complete: bool,
    now: datetime,
) -> Recovery:
    """Decide from the permit and the journal how far each transmission came.

    A permit is spent before the final dot, so without that, and without a line
    that says otherwise (the database may be an older one, restored), no mail
    left. A journal is complete when nothing of it can be missing: then no line
    means no dot either. Otherwise a spent permit may have become a
    mail, and only service mail is sent again. A few crashes cost a message no
    time: it may just have waited its turn in the hand of who died; one that
    keeps killing its worker is due ever later. A second try of what may have
    arrived waits, for the first worker may not be dead but slow, and its server
    still storing.
    """
    changes: list[Change] = []
    lapsed: list[tuple[str, int]] = []
    ended: dict[tuple[str, int], str] = {}
    for message in held:
        key = (message.id, message.attempt)
        mark = marks.get(key)
        again = now if message.tries == 0 else next_due(message.tries, now, message.id)
        again = min(again, message.expires_at)
        if mark is not None and mark.accepted:
            changes.append(Change(message.id, Status.SENT, tried=True))
            ended[key] = Status.SENT
        elif mark is None and key not in spent:
            unbegun = begin_again(message.attempt - message.tries, now)
            due_at = min(unbegun, message.expires_at)
            changes.append(Change(message.id, Status.QUEUED, due_at=due_at))
            lapsed.append(key)
            ended[key] = ABORTED
        elif (mark is None and journal_complete) or (mark is not None and mark.refused):
            changes.append(Change(message.id, Status.QUEUED, due_at=again, tried=True))
            ended[key] = ABORTED
        elif message.kind is Kind.SERVICE:
            later = next_due(message.tries + 1, now, message.id, in_doubt=True)
            later = min(later, message.expires_at)
            changes.append(
                Change(message.id, Status.DEFERRED, "connection_lost", later, tried=True)
            )
            ended[key] = Status.UNCERTAIN
        else:
            changes.append(Change(message.id, Status.UNCERTAIN, "connection_lost", tried=True))
            ended[key] = Status.UNCERTAIN
    return Recovery(changes, lapsed, ended)
