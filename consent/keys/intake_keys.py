"""The intake keys: what was acknowledged is sealed under one until it is worked off.

Another one every hour and at every erasure: with the last row that names a key
the key goes too, and what was worked off can be read from no backup of the data.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, not_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable
from consent.keys import tables
from consent.keys.wrapping import Wrapper
from storage.database import Database
from storage.errors import StorageAway
from storage.ids import ordered_id
from storage.locks import delete_free, free, in_order
from storage.secret import Secret
from storage.sound import fits
from storage.types import among

INTAKE_KEY_LIFE = timedelta(hours=1)

# A process that took an intake key keeps it for `_FRESH` seconds and then has
# this long to commit the row that it sealed.
_INTAKE_GRACE = timedelta(minutes=10)
_FRESH = 60.0  # seconds that an unwrapped key is kept
_IN_TIME = _INTAKE_GRACE.total_seconds() / 2  # the other half is for the commit


@dataclass(frozen=True, slots=True)
class _Held:
    fetched: float
    id: str
    created_at: datetime
    key: Secret


class IntakeKeys:
    """Makes, hands out and destroys the keys that intake is sealed under."""

    def __init__(
        self, database: Database, wrapper: Wrapper, monotonic: Callable[[], float]
    ) -> None:
        self._database = database
        self._wrapper = wrapper
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._renewing = asyncio.Lock()  # one process, one question
        self._fetched: dict[str, float] = {}  # when each key was last seen open

    async def current(self, now: datetime) -> tuple[str, Secret]:
        """The key that sign-ups are sealed under now: made anew every hour and at every erasure.

        Another process may go on with a key for a minute after it was closed.
        """
        held = self._fresh(now)
        if held is None:
            async with self._renewing:
                # Whoever waited for the lock finds what the one before them fetched.
                held = self._fresh(now) or await self._fetch(now)
                self._held = held
        return held.id, held.key

    def require_in_time(self, key_id: str) -> None:
        """Raise `StorageAway` unless a row sealed under this key comes before its end.

        Ask last in the transaction that keeps the row. Whoever stood still since the
        key was taken may find it destroyed, and what was acknowledged would be lost.
        """
        fetched = self._fetched.get(key_id)
        if fetched is None or self._monotonic() - fetched >= _IN_TIME:
            raise StorageAway(self._database.name)

    async def of(self, ids: Iterable[str]) -> dict[str, Secret]:
        """The keys of rows that wait to be worked off."""
        table = tables.intake_key
        query = select(table).where(among(table.c.id, ids))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        unwrap = self._wrapper.unwrap
        return {row.id: unwrap(row.epoch, row.wrapped, "intake_key", row.id) for row in rows}

    async def known(self, ids: Iterable[str]) -> set[str]:
        """Which of these keys the store holds."""
        table = tables.intake_key
        query = select(table.c.id).where(among(table.c.id, ids))
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())

    async def close(self, connection: AsyncConnection, now: datetime) -> None:
        """Let no process seal under the open key any more; `forget` once it is committed."""
        await _close(connection, now)

    def forget(self) -> None:
        """Let go of what this process keeps unwrapped."""
        self._held = None

    async def closed(self, now: datetime) -> list[str]:
        """Intake keys that no process seals under any more.

        Look for rows that still name them *after* this returned, and destroy the rest.
        """
        table = tables.intake_key
        query = select(table.c.id).where(table.c.closed_at <= now - _INTAKE_GRACE)
        # Closed by a clock that ran ahead: the grace begins now, not when that moment comes.
        ahead = free(table, table.c.closed_at > now + _INTAKE_GRACE)
        async with self._database.begin() as connection:
            await connection.execute(update(table).where(ahead).values(closed_at=now))
            return list((await connection.execute(query.order_by(table.c.id))).scalars())

    async def destroy(self, ids: Iterable[str]) -> None:
        """Destroy closed intake keys that no row names; an open one is left alone."""
        table = tables.intake_key
        # Nor does any row of ours name a key that has no name, and it could be given back its own.
        unnamed = or_(among(table.c.id, ids), not_(fits(table.c.id)))
        gone = and_(unnamed, table.c.closed_at.is_not(None))
        async with self._database.begin() as connection:
            await delete_free(connection, table, gone)

    def _fresh(self, now: datetime) -> _Held | None:
        held = self._held
        if held is None or self._monotonic() - held.fetched >= _FRESH:
            return None
        return held if abs(now - held.created_at) < INTAKE_KEY_LIFE else None

    async def _fetch(self, now: datetime) -> _Held:
        fetched = self._monotonic()
        async with self._database.begin() as connection:
            await _close(connection, now, _of_another_hour(now))
            row = await _open(connection)
            key = None if row is None else self._usable(row)
            if row is None or key is None:
                # Who cannot seal under an altered key seals under another one.
                await _close(connection, now)
                row = await self._new(connection, now)
                key = self._wrapper.unwrap(row.epoch, row.wrapped, "intake_key", row.id)
        # An earlier one that is not in time any more is let go of with the next.
        known = {i: at for i, at in self._fetched.items() if fetched - at < _IN_TIME}
        self._fetched = known | {row.id: fetched}
        return _Held(fetched, row.id, row.created_at, key)

    def _usable(self, row: Any) -> Secret | None:
        """None where it was altered; `StorageAway` where another node's keyring has its epoch."""
        try:
            return self._wrapper.usable(row.epoch, row.wrapped, "intake_key", row.id)
        except KeyUnusable:
            raise StorageAway(self._database.name) from None

    async def _new(self, connection: AsyncConnection, now: datetime) -> Any:
        key_id, fresh = ordered_id("ink", now), Secret(secrets.token_bytes(32))
        epoch = await self._wrapper.active(connection, self._database.name)
        row = {
            "id": key_id,
            "epoch": epoch,
            "wrapped": self._wrapper.wrap(epoch, fresh, "intake_key", key_id),
            "created_at": now,
        }
        statement = insert(tables.intake_key).values(row).returning(tables.intake_key)
        return (await connection.execute(statement)).one()


async def _open(connection: AsyncConnection) -> Any | None:
    table = tables.intake_key
    query = select(table).where(table.c.closed_at.is_(None)).order_by(table.c.id.desc()).limit(1)
    return (await connection.execute(query)).one_or_none()


def _of_another_hour(now: datetime) -> ColumnElement[bool]:
    """Keys that are too old, or from a clock that ran ahead: those would live until then."""
    made = tables.intake_key.c.created_at
    return or_(made <= now - INTAKE_KEY_LIFE, made >= now + INTAKE_KEY_LIFE)


async def _close(
    connection: AsyncConnection, now: datetime, which: ColumnElement[bool] | None = None
) -> None:
    table = tables.intake_key
    still_open = and_(table.c.closed_at.is_(None), true() if which is None else which)
    closed = update(table).where(in_order(table, still_open)).values(closed_at=now)
    await connection.execute(closed)
