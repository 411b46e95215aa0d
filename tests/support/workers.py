"""A real worker beside the application in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta

from delivery.desk import Claimed
from delivery.journal import Journal
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.worker import Pace, Worker
from gateway.process.desk import Desk
from storage.ids import random_id
from tests.support.apps import App
from tests.support.sink import Sink
from tests.support.waiting import until

SECOND = timedelta(seconds=1)
IN_TIME = timedelta(minutes=5)  # for any machine, by the worker's own clock; no test steps that one


class CountingDesk(Desk):
    """The worker's desk, which counts how often it was asked; its lease may wait."""

    def __init__(self, app: App) -> None:
        super().__init__(app.parts)
        self.claims = self.renewals = 0
        self.found: list[int] = []  # by each claim
        self.beats = asyncio.Event()
        self.beats.set()
        self._telling = False

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed:
        found = await super().claim(owner, wanted, marketing=marketing, most=most)
        self.claims += 1
        self.found.append(len(found))
        return found

    async def renew(self, owner: str) -> bool:
        await self.beats.wait()
        self._telling = True
        try:
            return await super().renew(owner)
        finally:
            self._telling = False

    async def take_back(self, owner: str, carried: Collection[tuple[str, int]]) -> None:
        await super().take_back(owner, carried)
        self.renewals += 1  # it is only now that the next one is waited for

    async def falls_silent(self) -> None:
        """Let it not tell any more that it lives, once what it is telling now is told."""
        self.beats.clear()
        await until(lambda: not self._telling)

    async def has_looked(self) -> None:
        """Wait until the worker has looked for what is due, from now on and to the end."""
        before = self.claims
        await until(lambda: self.claims >= before + 2)

    async def has_looked_later(self) -> None:
        """The same, after it told that it lives: or it has no lease any more to claim under."""
        before = self.renewals
        await until(lambda: self.renewals >= before + 2)
        await self.has_looked()


@asynccontextmanager
async def working(app: App, sink: Sink, lease: timedelta = SECOND) -> AsyncIterator[CountingDesk]:
    """A worker on that relay for the life of the block; it tells of itself each quarter of *lease*.

    (How long the lease is for which it then has its messages is the configuration's.)
    """
    desk, delivery = CountingDesk(app), app.parts.config.delivery
    pace = Pace(IN_TIME, lease)

    def journal() -> Journal:
        return Journal.create(delivery.journal_dir, random_id("wrk"))

    async with Pool(Relay("127.0.0.1", sink.port, connections=4)) as pool:
        worker = Worker(desk, pool, journal, pace)
        running = asyncio.create_task(worker.run())
        try:
            yield desk
        finally:
            worker.stop()
            sink.drop_sessions()  # or it would wait for what is past its dot, for minutes
            await running
