"""The only place that reads a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, Protocol

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import straight
from storage.types import Moment

_NOW = text("SELECT clock_timestamp() AS now").columns(now=Moment)
# The same for a statement that asks for more, so that it needs no other; not with SQLite.
SERVERS: Final = select(func.clock_timestamp(type_=Moment()).label("now"))
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds from a fixed moment, counted also while the machine sleeps.

    Else a permit, or a key that everybody else let go of, would wake up with its
    machine, hours after its time.
    """
    return time.clock_gettime(_CLOCK)


class Clock(Protocol):
    """Where `now` comes from; tests put their own in its place."""

    async def now(self, connection: AsyncConnection) -> datetime:
        """The database's wall clock at this moment, not at the start of the transaction.

        Call it once per transaction, after the locks are held: a moment read
        before a wait would date the change before what it waited for.
        """

    def at(self, servers: datetime | None) -> datetime:
        """The same, of what the server's clock showed (`SERVERS`); with SQLite it has none."""

    def wall(self) -> datetime:
        """This process's wall clock, for what needs no database (form stamps, log lines)."""


class DatabaseClock:
    """One clock for every node: PostgreSQL's; with SQLite there is only this machine's."""

    async def now(self, connection: AsyncConnection) -> datetime:
        if connection.dialect.name == "sqlite":
            return self.wall()
        ((moment,),) = await straight.rows(connection, _NOW)
        assert isinstance(moment, datetime)  # noqa: S101 it is never null
        return moment

    def at(self, servers: datetime | None) -> datetime:
        return self.wall() if servers is None else servers

    def wall(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 the clock that the rule protects
