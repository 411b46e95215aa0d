"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

# Not at a whole second: rows and entries keep different parts of one, which zeros would hide.
START = datetime(2026, 11, 23, 9, 0, 0, 123_457, tzinfo=UTC)


class SteppedClock:
    """Meets `storage.clock.Clock`."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    async def now(self, connection: AsyncConnection) -> datetime:
        return self.moment

    def wall(self) -> datetime:
        return self.moment

    def step(self, by: timedelta) -> None:
        self.moment += by
