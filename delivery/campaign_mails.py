"""The messages of one campaign: those that wait, stand still, or may be asked for again.

The caller holds the campaign's row, and then these.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import changing, outbox, tables
from delivery.changing import Change
from delivery.outbox import IS_WAITING, Message, Status, message_of
from delivery.permits import OPEN, Open
from delivery.schedule import LIFE
from storage.honesty import RowKeys
from storage.locks import in_order
from storage.sound import fits
from storage.types import Moment, among

_table = tables.outbox
_SIGN = (
    update(_table)
    .where(_table.c.id == bindparam("message"))
    .values(
        expires_at=bindparam("until", type_=Moment()),
        again=bindparam("up_to"),
        kid=bindparam("by"),
        mac=bindparam("signed"),
    )
)


def _open(name: str) -> ColumnElement[bool]:
    """As the partial index has it."""
    row = _table.c
    return and_(row.campaign == name, row.campaign.is_not(None), row.ended_at.is_(None))


def _uncertain(name: str) -> ColumnElement[bool]:
    row = _table.c
    is_so = row.status == literal_column(f"'{Status.UNCERTAIN}'")
    return and_(row.campaign == name, row.campaign.is_not(None), is_so)


async def halt(connection: AsyncConnection, name: str) -> None:
    """Let what waits stand still, in one statement; waits for claims that hold some of it."""
    these = in_order(_table, and_(_open(name), IS_WAITING))
    await connection.execute(update(_table).where(these).values(status=Status.PAUSED))


async def permits_open(connection: AsyncConnection, name: str, now: datetime) -> Open:
    """The permits under which a transmission of the campaign may start still, and until when."""
    permit = tables.permit
    same = and_(permit.c.message == _table.c.id, permit.c.attempt == _table.c.attempt)
    query = select(permit.c.id, permit.c.expires_at).join(_table, same)
    query = query.where(_open(name), _table.c.status == Status.SENDING)
    query = query.where(permit.c.state == OPEN, permit.c.expires_at > now)
    return {permit_id: until for permit_id, until in await connection.execute(query)}


async def count_open(connection: AsyncConnection, name: str) -> int:
    """How many have not ended."""
    query = select(func.count()).select_from(_table).where(_open(name))
    return int((await connection.execute(query)).scalar_one())


async def is_open(connection: AsyncConnection, name: str) -> bool:
    """Whether any has not ended: asked again and again, while nearly all of them may wait."""
    query = select(_table.c.id).where(_open(name)).limit(1)
    return (await connection.execute(query)).first() is not None


async def count_uncertain(connection: AsyncConnection, name: str) -> int:
    """How many may have been sent, and may not."""
    query = select(func.count()).select_from(_table).where(_uncertain(name))
    return int((await connection.execute(query)).scalar_one())


async def with_message(
    connection: AsyncConnection, name: str, subjects: Collection[str]
) -> set[str]:
    """Which of these people have a message of the campaign."""
    row = _table.c
    query = select(row.subject).where(row.campaign == name, among(row.subject, subjects))
    return set((await connection.execute(query)).scalars())


async def paused(connection: AsyncConnection, name: str, limit: int) -> list[str]:
    """Look, without locking, whose messages stand still."""
    query = select(_table.c.subject).where(_open(name), _table.c.status == Status.PAUSED)
    query = query.where(fits(_table.c.id, _table.c.subject)).limit(limit)
    return list((await connection.execute(query)).scalars())


async def any_paused(connection: AsyncConnection, name: str) -> bool:
    """Whether `lock_paused` would find any; nothing is locked."""
    query = select(_table.c.id).where(_open(name), _table.c.status == Status.PAUSED)
    query = query.where(fits(_table.c.id)).limit(1)
    return (await connection.execute(query)).first() is not None


async def lock_paused(
    connection: AsyncConnection, keys: RowKeys, name: str, limit: int
) -> list[Message]:
    """Lock some that stand still."""
    these = and_(_open(name), _table.c.status == Status.PAUSED)
    return await _lock(connection, keys, select(_table).where(these), limit)


async def lock_uncertain(
    connection: AsyncConnection, keys: RowKeys, name: str, limit: int
) -> list[Message]:
    """Lock some that may have been sent, and whose content is kept still."""
    these = and_(_uncertain(name), _table.c.content.is_not(None))
    return await _lock(connection, keys, select(_table).where(these), limit)


async def _lock(
    connection: AsyncConnection, keys: RowKeys, query: Select[tuple[object, ...]], limit: int
) -> list[Message]:
    query = query.where(fits(_table.c.id)).order_by(_table.c.id).limit(limit)
    rows = await connection.execute(query.with_for_update())
    return [message_of(row, honest=outbox.is_honest(keys, row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Turn:
    """A message that is to go on, and when it is due."""

    message: Message
    due_at: datetime


async def put_back(
    connection: AsyncConnection, keys: RowKeys, turns: Sequence[Turn], now: datetime
) -> None:
    """Let locked messages wait again, with all their life before them.

    One that may have been sent is sent again: whoever calls answers for that. What no gateway
    wrote is left as it is for the claim, which puts it aside.
    """
    changes = [Change(one.message.id, Status.QUEUED, due_at=one.due_at) for one in turns]
    await changing.change(connection, changes, now)
    rows = []
    for turn in turns:
        if turn.message.honest:
            old = turn.message
            doubted = old.status is Status.UNCERTAIN
            again = old.attempt if doubted else old.again
            new = replace(old, expires_at=turn.due_at + LIFE, again=again)
            kid, mac = outbox.sign(keys, new)
            row = {"message": new.id, "until": new.expires_at, "up_to": again}
            rows.append(row | {"by": kid, "signed": mac})
    if rows:
        await connection.execute(_SIGN, rows)
