"""What people took away, for a store that is not restored together with the data.

A restored backup would permit again what somebody took back since. So each word of
theirs stands in the guard's store before it is answered, by the event of the log
that says it: whom by the random id, what, when. Until the guard has it, it is due
in the data, written by the transaction that writes the event.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from consent import tables
from storage import paging
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.types import among, upsert

# What a person takes away, or asks to be. A request that is rejected took nothing: the links of a
# restored one are dropped, and so it lapses.
KINDS: Final = (
    Kind.CONSENT_WITHDRAWN,
    Kind.CONSENT_LEFT,
    Kind.CONSENT_OBJECTED,
    Kind.SUBJECT_RESTRICTED,
    Kind.SUBJECT_ERASURE_HELD,
    Kind.SUBJECT_ERASURE_STARTED,
)
_REACH = "reach"  # in the place of a kind: what was said up to then was let go
_REACH_ID = bytes(16)
_NOBODY = "-"
_PURPOSE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # as the configuration has it


@dataclass(frozen=True, slots=True)
class TakingAway:
    """One word of one person; it stands for as long as its event is not in a restored log."""

    eid: bytes
    subject: str
    purpose: str | None  # none: all of them
    kind: str  # of the event
    at: datetime
    # Of an erasure that was asked for: its id, and until when something stays, as its person
    # was told. A restore must not make that later.
    erasure: str | None = None
    locked_until: datetime | None = None


def is_purpose(said: object) -> bool:
    """Whether a purpose may have this name; a row may say anything."""
    return isinstance(said, str) and _PURPOSE.fullmatch(said) is not None


async def add(connection: AsyncConnection, keys: RowKeys, said: Iterable[TakingAway]) -> None:
    """Keep what was *said* until the guard has it, in the transaction that stages its events."""
    table = tables.taking_away_due
    if rows := [_signed(keys, table, one) for one in said]:
        await connection.execute(insert(table), rows)


async def due_of(
    connection: AsyncConnection, keys: RowKeys, subjects: Iterable[str]
) -> list[TakingAway]:
    """What these people said that the guard may not have yet."""
    table = tables.taking_away_due
    query = select(table).where(among(table.c.subject, subjects))
    return _ours(keys, DUE, (await connection.execute(query)).all())


async def due_after(
    connection: AsyncConnection, keys: RowKeys, after: bytes | None, limit: int
) -> tuple[list[bytes], list[TakingAway]]:
    """The next that may not be there yet: all ids, and those rows that a gateway wrote."""
    rows = (await connection.execute(_page(tables.taking_away_due, after, limit))).all()
    return [row.eid for row in rows], _ours(keys, DUE, rows)


async def settle(connection: AsyncConnection, eids: Collection[bytes]) -> None:
    """Let go of what the guard has."""
    table = tables.taking_away_due
    await connection.execute(delete(table).where(table.c.eid.in_(eids)))


async def still_due(connection: AsyncConnection, eids: Collection[bytes]) -> set[bytes]:
    """Which of these the data still keeps for the guard."""
    table = tables.taking_away_due
    query = select(table.c.eid).where(table.c.eid.in_(eids))
    return set((await connection.execute(query)).scalars())


async def put(guard: AsyncConnection, keys: RowKeys, said: Sequence[TakingAway]) -> None:
    """Write into the guard's store what it has not; give them in the order of their ids.

    Else two that write the same rows could wait for each other.
    """
    table = tables.taking_away
    rows = [_signed(keys, table, one) for one in said]
    await guard.execute(upsert(guard, table).on_conflict_do_nothing(), rows)


async def after(
    guard: AsyncConnection, keys: RowKeys, last: bytes | None, limit: int
) -> tuple[list[bytes], list[TakingAway]]:
    """The next of the guard's store by their ids, as `due_after`: for whoever goes through all."""
    rows = (await guard.execute(_page(tables.taking_away, last, limit))).all()
    found = _ours(keys, SIGNED, rows)
    return [row.eid for row in rows], [one for one in found if one.kind != _REACH]


async def newest(guard: AsyncConnection, keys: RowKeys, kind: Kind, limit: int) -> list[str]:
    """Of whom a word of *kind* was said last."""
    table = tables.taking_away
    query = select(table).where(table.c.kind == kind).order_by(table.c.at.desc())
    said = await paging.first(
        guard, query, limit, lambda row: next(iter(_ours(keys, SIGNED, [row])), None)
    )
    return [one.subject for one in said]


async def has(guard: AsyncConnection, eids: Collection[bytes]) -> set[bytes]:
    """Which of these events the guard's store tells of."""
    table = tables.taking_away
    query = select(table.c.eid).where(table.c.eid.in_(eids))
    return set((await guard.execute(query)).scalars())


async def reach(guard: AsyncConnection, keys: RowKeys) -> datetime | None:
    """Up to when it was let go of; none: the store has everything since it was made."""
    query = select(tables.taking_away).where(tables.taking_away.c.eid == _REACH_ID)
    found = _ours(keys, SIGNED, (await guard.execute(query)).all())
    return next((one.at for one in found if one.kind == _REACH), None)


async def purge(guard: AsyncConnection, keys: RowKeys, before: datetime) -> int:
    """Let go of what was said up to *before*, and keep that it was, so that nobody misses it."""
    known = await reach(guard, keys)
    if known is not None and known >= before:
        return 0
    table = tables.taking_away
    gone = await guard.execute(delete(table).where(table.c.at <= before, table.c.eid != _REACH_ID))
    if gone.rowcount:
        await reach_no_further(guard, keys, before)
    return gone.rowcount


async def reach_no_further(guard: AsyncConnection, keys: RowKeys, before: datetime) -> None:
    """Say that what was said up to *before* may be missing: it was let go, or lost."""
    table = tables.taking_away
    row = _signed(keys, table, TakingAway(_REACH_ID, _NOBODY, None, _REACH, before))
    moved = await guard.execute(update(table).where(table.c.eid == _REACH_ID).values(row))
    if not moved.rowcount:
        await guard.execute(insert(table).values(row))


def _page(table: Table, last: bytes | None, limit: int) -> Select[Any]:
    after = None if last is None else (last,)
    return paging.page(select(table), (table.c.eid,), after, limit)


def _signed(keys: RowKeys, table: Table, one: TakingAway) -> dict[str, object]:
    values = {name: getattr(one, name) for name in _COVERED}
    return values | keys.sign(table.name, *values.values())._asdict()


def _ours(keys: RowKeys, table: SignedTable, rows: Iterable[Any]) -> list[TakingAway]:
    return [
        TakingAway(**{name: getattr(row, name) for name in _COVERED})
        for row in rows
        if table.fits(keys, row)
    ]


def _granting(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COVERED)


_COVERED = ("eid", "subject", "purpose", "kind", "at", "erasure", "locked_until")
SIGNED = SignedTable(tables.taking_away, select(tables.taking_away), _granting)
DUE = SignedTable(tables.taking_away_due, select(tables.taking_away_due), _granting)
