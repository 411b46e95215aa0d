"""The limit keys: one per ISO week, for limits and abuse counters.

A counter that outlives its week's key names nobody any more.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from consent.keys import tables
from consent.keys.wrapping import Wrapper
from storage.database import Database
from storage.locks import delete_free
from storage.secret import Secret
from storage.types import upsert


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

    async def _fetch(self, now: datetime) -> list[tuple[str, Secret]]:
        this, last, coming = (_week(now + timedelta(days=n)) for n in (0, -7, 7))
        table = tables.limit_key
        new = {
            "period": this,
            "epoch": self._wrapper.active,
            "wrapped": self._wrapper.wrap(Secret(secrets.token_bytes(32)), "limit_key", this),
        }
        async with self._database.begin() as connection:
            # Those of later weeks are from a clock that ran ahead, and would be kept until then.
            past = or_(table.c.period < last, table.c.period > coming)
            await delete_free(connection, table, past)
            made = upsert(connection, table).values(new).on_conflict_do_nothing()
            await connection.execute(made)
            query = select(table).where(table.c.period.in_([this, last]))
            rows = (await connection.execute(query.order_by(table.c.period.desc()))).all()
        unwrap = self._wrapper.unwrap
        return [(r.period, unwrap(r.epoch, r.wrapped, "limit_key", r.period)) for r in rows]


def _week(now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"{year:04}-W{week:02}"
