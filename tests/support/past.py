"""`gateway serve --worker` at another time: `python -m tests.support.past CONFIG MOMENT`.

Its clock shows *MOMENT* when it starts and goes on from there. What was kept expires by the clock,
and its MACs and seals cover its moments: they cannot be moved, so the clock is.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.config import config
from gateway.process import processes
from gateway.watch import logs


class PastClock:
    """Meets `storage.clock.Clock`; so long *behind* what it really is."""

    def __init__(self, behind: timedelta) -> None:
        self._behind = behind

    async def now(self, connection: AsyncConnection) -> datetime:
        return self.wall()

    def at(self, servers: datetime | None) -> datetime:
        return self.wall()

    def wall(self) -> datetime:
        return datetime.now(UTC) - self._behind  # noqa: TID251 the clock of this process


def main(path: str, moment: str) -> None:
    behind = datetime.now(UTC) - datetime.fromisoformat(moment)  # noqa: TID251 as above
    logs.configure(level=logging.INFO)
    loaded = config.load(Path(path))
    asyncio.run(processes.serve(loaded, with_worker=True, clock=PastClock(behind)))


if __name__ == "__main__":
    main(*sys.argv[1:])
