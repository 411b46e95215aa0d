"""Clocks that go on when they are told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import DatabaseClock

# Not at a whole second: rows and entries keep different parts of one, which zeros would hide.
START = datetime(2026, 11, 23, 9, 0, 0, 123_457, tzinfo=UTC)


class SteppedClock:
    """Stands still until it is told to go on; meets `storage.clock.Clock`."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    async def now(self, connection: AsyncConnection) -> datetime:
        return self.moment

    def at(self, servers: datetime | None) -> datetime:
        return self.moment

    def wall(self) -> datetime:
        return self.moment

    def step(self, by: timedelta) -> None:
        self.moment += by


class AheadClock(DatabaseClock):
    """The database's, and as far ahead of it as a test let time pass."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    async def now(self, connection: AsyncConnection) -> datetime:
        return await super().now(connection) + self._ahead

    def at(self, servers: datetime | None) -> datetime:
        return self.wall() if servers is None else servers + self._ahead

    def wall(self) -> datetime:
        return super().wall() + self._ahead

    def step(self, by: timedelta) -> None:
        self._ahead += by
