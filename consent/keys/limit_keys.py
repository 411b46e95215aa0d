"""The limit keys: one per ISO week, for limits and abuse counters.

A counter that outlives its week's key names nobody any more.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from consent.errors import KeyUnusable
from consent.keys import tables
from consent.keys.wrapping import Wrapper
from storage.database import Database
from storage.errors import StorageAway
from storage.locks import delete_free
from storage.secret import Secret
from storage.types import upsert

_A_WEEK = timedelta(weeks=1)


class LimitKeys:
    """Makes, hands out and destroys the keys of weeks."""

    def __init__(self, database: Database, wrapper: Wrapper) -> None:
        self._database = database
        self._wrapper = wrapper
        self._held: tuple[str, list[tuple[str, Secret]]] | None = None

    async def current(self, now: datetime) -> list[tuple[str, Secret]]:
        """This ISO week's key and, where there is one, last week's; older ones are destroyed.

        Counters are written under the first and read under each.
        """
        period = _week(now)
        if self._held is None or self._held[0] != period:
            self._held = (period, await self._fetch(now))
        return list(self._held[1])

    async def standing(self, now: datetime) -> list[Secret]:
        """Those of `current` that are there already: who only looks makes none."""
        this, last = _week(now), _week(now - _A_WEEK)
        if self._held is not None and self._held[0] == this:
            return [secret for _, secret in self._held[1]]
        table = tables.limit_key
        query = select(table).where(table.c.period.in_([this, last]))
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(table.c.period.desc()))).all()
        return [secret for row in rows if (secret := self._usable(row)) is not None]

    async def _fetch(self, now: datetime) -> list[tuple[str, Secret]]:
        this, last, coming = (_week(now + n * _A_WEEK) for n in (0, -1, 1))
        table = tables.limit_key
        fresh = Secret(secrets.token_bytes(32))
        async with self._database.begin() as connection:
            epoch = await self._wrapper.active(connection, self._database.name)
            wrapped = self._wrapper.wrap(epoch, fresh, "limit_key", this)
            new = {"period": this, "epoch": epoch, "wrapped": wrapped}
            # Those of later weeks are from a clock that ran ahead, and would be kept until then.
            past = or_(table.c.period < last, table.c.period > coming)
            await delete_free(connection, table, past)
            made = upsert(connection, table).values(new).on_conflict_do_nothing()
            await connection.execute(made)
            query = select(table).where(table.c.period.in_([this, last]))
            query = query.order_by(table.c.period.desc()).with_for_update()
            opened = [(row.period, self._usable(row)) for row in await connection.execute(query)]
            usable = [(period, secret) for period, secret in opened if secret is not None]
            if usable and usable[0][0] == this:
                return usable
            # Somebody altered this week's: counting begins anew, for nobody could be counted.
            anew = upsert(connection, table).values(new)
            anew = anew.on_conflict_do_update(
                index_elements=[table.c.period],
                set_={"epoch": anew.excluded.epoch, "wrapped": anew.excluded.wrapped},
            )
            await connection.execute(anew)
            return [(this, fresh), *usable]

    def _usable(self, row: Any) -> Secret | None:
        """None where it was altered; `StorageAway` where another node's keyring has its epoch."""
        try:
            return self._wrapper.usable(row.epoch, row.wrapped, "limit_key", row.period)
        except KeyUnusable:
            raise StorageAway(self._database.name) from None


def _week(now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"{year:04}-W{week:02}"
