"""Messages whose time has come: seen without locking, then locked by whoever claims them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Integer, Select, and_, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery.outbox import IS_WAITING, Message, Status, is_honest, message_of, outbox
from delivery.outcome import Kind
from delivery.sharing import Due
from storage import bad_rows, straight
from storage.honesty import RowKeys
from storage.locks import free
from storage.sound import fits, tuples
from storage.types import among, texts

_MOST: Final = bindparam("most", type_=Integer)


async def look(
    connection: AsyncConnection, now: datetime, limit: int, *, marketing: bool = True
) -> list[Due]:
    """Look at up to *limit* due messages without locking: service, campaigns, what was parked.

    Oldest first; what is seen here may be gone when it is locked. Without *marketing* that waits.
    """
    found: list[Due] = []
    for turn, parked in _turns(marketing=marketing):
        if len(found) < limit:
            asked = bad_rows.at(now) | {"most": limit - len(found)}
            found += [
                Due(name, subject, urgent=kind == Kind.SERVICE, parked=parked, campaign=campaign)
                for name, subject, kind, campaign in await straight.rows(connection, turn, asked)
            ]
    return found


@cache
def _turns(*, marketing: bool) -> list[tuple[Select[Any], bool]]:
    """The statements of `look`, and whether they are about what was parked."""
    kinds = [Kind.SERVICE, Kind.MARKETING] if marketing else [Kind.SERVICE]
    query = select(outbox.c.id, outbox.c.subject, outbox.c.kind, outbox.c.campaign)
    # SQLite keeps any type in any column, and what is no text can be asked for in no statement.
    fit = fits(outbox.c.id, outbox.c.subject)
    query = query.where(IS_WAITING, outbox.c.due_at <= bad_rows.NOW, fit)
    turns = [
        (bad_rows.first(query.where(outbox.c.kind == kind), outbox.c.id), False) for kind in kinds
    ]
    again = bad_rows.again(query.where(outbox.c.kind.in_(kinds)), outbox.c.id)
    return [
        (turn.order_by(outbox.c.due_at, outbox.c.id).limit(_MOST), parked)
        for turn, parked in (*turns, (again, True))
    ]


async def lock(
    connection: AsyncConnection, keys: RowKeys, ids: Sequence[str], now: datetime, limit: int
) -> list[Message]:
    """Lock up to *limit* of *ids* that still wait, the first ones first.

    What another claim holds is passed over, and made up for by those behind.
    """
    locked: list[Message] = []
    for start in range(0, len(ids), limit):
        if len(locked) < limit:
            some, left = ids[start : start + limit], limit - len(locked)
            locked += await _lock_some(connection, keys, some, now, left)
    return locked


async def _lock_some(
    connection: AsyncConnection, keys: RowKeys, ids: Sequence[str], now: datetime, limit: int
) -> list[Message]:
    """As `lock`, for what is alike but for its age: service first here too.

    And what was parked last.
    """
    asked = bad_rows.at(now) | {"messages": ids, "most": limit}
    rows = tuples(await straight.rows(connection, _locking(), asked), outbox)
    return [message_of(row, honest=is_honest(keys, row)) for row in rows]


@cache
def _locking() -> Select[Any]:
    """The statement of `_lock_some`."""
    urgency = case((bad_rows.stands(outbox.c.id), 2), (outbox.c.kind == Kind.SERVICE, 0), else_=1)
    return (
        select(outbox)
        .where(among(outbox.c.id, texts("messages")), IS_WAITING, outbox.c.due_at <= bad_rows.NOW)
        .order_by(urgency, outbox.c.due_at, outbox.c.id)
        .limit(_MOST)
        .with_for_update(skip_locked=True)
    )


async def look_again(connection: AsyncConnection, now: datetime) -> None:
    """Let what is parked be due: a process starts, and the cause may be mended."""
    named = select(bad_rows.parked.c.row).where(bad_rows.parked.c.table == outbox.name)
    these = and_(IS_WAITING, outbox.c.due_at > now, outbox.c.id.in_(named))
    await connection.execute(update(outbox).where(free(outbox, these)).values(due_at=now))


async def bring_forward(
    connection: AsyncConnection, subject: str, reasons: Collection[str], now: datetime
) -> None:
    """Let what waits for somebody for one of these reasons be due: it is decided anew."""
    waits = and_(outbox.c.subject == subject, outbox.c.status == Status.DEFERRED)
    these = and_(waits, outbox.c.reason.in_(list(reasons)), outbox.c.due_at > now)
    await connection.execute(update(outbox).where(free(outbox, these)).values(due_at=now))
