"""What people asked for by right (GDPR Arts 15-21), by when it is to be answered, and the decision.

A row keeps facts, no contents, and names its person by the random id alone, so that it
outlives them as proof that the request was answered. The reason of a decision may name
somebody: it is sealed under the person's own key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Opener, Sealer
from consent import tables
from consent.keys.vault import Compartment
from consent.rights import Progress, Right, RightsRequest
from storage import paging
from storage.honesty import RowKeys, Value
from storage.locks import delete_free, free
from storage.signed import SignedTable
from storage.types import among

rights_request = tables.rights_request
Place = tuple[datetime, str]  # of a request among those that wait: its due date, its id
REMIND_WITHIN = timedelta(days=7)
_AGAIN_AFTER = timedelta(days=1)
_FIRST, _LAST = "req_", "req_~"  # all ids of ours lie between


def seal_reason(request: RightsRequest, reason: str, sealer: Sealer) -> bytes:
    """Why it was decided so, for the request's row."""
    return sealer.seal(request.subject, Compartment.EVIDENCE, _place(request.id), reason.encode())


def open_reason(request: RightsRequest, opener: Opener) -> str | None:
    """The reason of the last decision; None where there is none, or its key is gone."""
    if request.reason is None:
        return None
    place = _place(request.id)
    raw = opener.open(request.subject, Compartment.EVIDENCE, place, request.reason)
    return None if raw is None else raw.decode()


def _place(request: str) -> tuple[str, str, str]:
    return ("rights_request", "reason", request)


async def add(connection: AsyncConnection, keys: RowKeys, new: RightsRequest) -> None:
    """Keep what was asked for, under the person's gate."""
    await connection.execute(insert(rights_request).values(_signed(keys, new)))


async def restate(connection: AsyncConnection, keys: RowKeys, changed: RightsRequest) -> None:
    """Store what became of a request, under the person's gate where there is one."""
    this = rights_request.c.id == changed.id
    await connection.execute(update(rights_request).where(this).values(_signed(keys, changed)))


async def get(connection: AsyncConnection, keys: RowKeys, request: str) -> RightsRequest | None:
    """One request; None where no gateway wrote such a row."""
    rows = await connection.execute(select(rights_request).where(rights_request.c.id == request))
    return next((one for row in rows if (one := _read(keys, row)) is not None), None)


async def page(
    connection: AsyncConnection,
    keys: RowKeys,
    progress: Progress | None,
    after: str | None,
    limit: int,
) -> tuple[list[RightsRequest], str | None]:
    """The next requests in the order in which they were recorded, and where the page ends.

    What no gateway wrote is left out; a page may so be shorter than the next one.
    """
    query = select(rights_request)
    if progress is not None:
        query = query.where(rights_request.c.state == progress)
    query = paging.by_name(query, rights_request.c.id, after, limit + 1)
    found, last = await _cut(connection, keys, query, limit)
    return found, None if last is None else last.id


async def due_page(
    connection: AsyncConnection, keys: RowKeys, after: Place | None, limit: int
) -> tuple[list[RightsRequest], Place | None]:
    """The next that wait, in the order in which they are due, and where the page ends."""
    key = (rights_request.c.due_at, rights_request.c.id)
    query = paging.page(select(rights_request).where(_WAITS), key, after, limit + 1)
    found, last = await _cut(connection, keys, query, limit)
    return found, None if last is None else (last.due_at, last.id)


async def decided_page(
    connection: AsyncConnection, keys: RowKeys, before: str | None, limit: int
) -> tuple[list[RightsRequest], str | None]:
    """The next that are decided or ended, the last recorded first, and where the page ends."""
    key = rights_request.c.id
    query = paging.between(select(rights_request).where(not_(_WAITS)), key, _FIRST, before or _LAST)
    query = query.order_by(key.desc()).limit(limit + 1)
    found, last = await _cut(connection, keys, query, limit)
    return found, None if last is None else last.id


async def _cut(
    connection: AsyncConnection, keys: RowKeys, query: Select[Any], limit: int
) -> tuple[list[RightsRequest], Any | None]:
    rows, last = paging.cut((await connection.execute(query)).all(), limit)
    return [one for row in rows if (one := _read(keys, row)) is not None], last


async def waiting_of(
    connection: AsyncConnection, keys: RowKeys, subjects: Iterable[str]
) -> list[RightsRequest]:
    """What these people asked for and nobody decided yet, as a gateway wrote it."""
    query = select(rights_request).where(among(rights_request.c.subject, subjects), _WAITS)
    rows = [_read(keys, row) for row in await connection.execute(query)]
    return [one for one in rows if one is not None and one.progress.waits]


async def of_subject(
    connection: AsyncConnection, keys: RowKeys, subject: str
) -> list[RightsRequest]:
    """Everything that somebody asked for, as a gateway wrote it, oldest first."""
    query = select(rights_request).where(rights_request.c.subject == subject)
    rows = [_read(keys, row) for row in await connection.execute(query)]
    return sorted((one for one in rows if one is not None), key=lambda one: one.recorded_at)


async def forget_reasons(
    connection: AsyncConnection, keys: RowKeys, subjects: Iterable[str]
) -> None:
    """Let go of what nobody can read any more: the key of these people is destroyed."""
    sealed = rights_request.c.reason.is_not(None)
    query = select(rights_request).where(among(rights_request.c.subject, subjects), sealed)
    for row in (await connection.execute(query)).all():
        if (one := _read(keys, row)) is not None:
            await restate(connection, keys, replace(one, reason=None))


async def purge(connection: AsyncConnection, before: datetime) -> int:
    """Delete what was decided up to *before*."""
    return await delete_free(connection, rights_request, rights_request.c.decided_at <= before)


@dataclass(frozen=True, slots=True)
class Due:
    """How many wait, and how many of those are near their date or past it."""

    waiting: int
    soon: int
    overdue: int


async def count_due(connection: AsyncConnection, now: datetime) -> Due:
    """Count what waits, also what no gateway wrote: that is named elsewhere."""
    due_at = rights_request.c.due_at
    near, past = due_at <= now + REMIND_WITHIN, due_at < now
    query = select(
        func.count(),
        func.count().filter(and_(near, ~past)),
        func.count().filter(past),
    ).where(_WAITS)
    waiting, soon, overdue = (await connection.execute(query)).one()
    return Due(waiting, soon, overdue)


async def remind(connection: AsyncConnection, keys: RowKeys, now: datetime) -> list[RightsRequest]:
    """What waits and is due within a week or past that, each once a day, whoever asks.

    When it was named last is no part of what is signed: who alters it changes no more
    than when it is named again, and a time that is yet to come holds nothing back.
    """
    row = rights_request.c
    again = or_(
        row.reminded_at.is_(None), row.reminded_at <= now - _AGAIN_AFTER, row.reminded_at > now
    )
    these = free(rights_request, and_(_WAITS, row.due_at <= now + REMIND_WITHIN, again))
    statement = update(rights_request).where(these).values(reminded_at=now)
    rows = (await connection.execute(statement.returning(rights_request))).all()
    return [one for row in rows if (one := _read(keys, row)) is not None]


async def standing(connection: AsyncConnection, keys: RowKeys) -> dict[str, RightsRequest | None]:
    """Every row by its id; None for one that no gateway wrote."""
    return {row.id: _read(keys, row) for row in await connection.execute(select(rights_request))}


# Spelled out, as the partial index has it: a parameter would keep it from being used.
_WAITS: ColumnElement[bool] = literal_column("state IN ('open', 'extended')")
_COVERED = (
    "id",
    "subject",
    "kind",
    "state",
    "channel",
    "received_at",
    "recorded_at",
    "due_at",
    "decided_at",
    "reason",
    "eid",
)
_NAMES = {"kind": "right", "state": "progress"}  # of columns whose attribute is called otherwise


def _signed(keys: RowKeys, one: RightsRequest) -> dict[str, object]:
    values = {name: getattr(one, _NAMES.get(name, name)) for name in _COVERED}
    return values | keys.sign(rights_request.name, *values.values())._asdict()


def _granting(row: Any) -> Sequence[Value]:
    return tuple(getattr(row, name) for name in _COVERED)


def _read(keys: RowKeys, row: Any) -> RightsRequest | None:
    if not SIGNED.fits(keys, row):
        return None
    values = {_NAMES.get(name, name): getattr(row, name) for name in _COVERED}
    right, progress = Right(row.kind), Progress(row.state)
    return RightsRequest(**{**values, "right": right, "progress": progress})


SIGNED = SignedTable(rights_request, select(rights_request), _granting)
