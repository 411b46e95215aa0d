"""Waiting until permits can start no transmission: what an answered withdrawal rests on."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from delivery import permits
from delivery.permits import Open
from storage.clock import Clock
from storage.database import Database


class PermitWait:
    """Waits until permits can start no transmission; one poll serves all waiters.

    Until when each may is what whoever waits saw under the gate: a row that is deleted or
    dated short meanwhile would be back when its worker begins.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._until: dict[str, datetime] = {}  # of each of them
        self._poll: asyncio.Task[None] | None = None

    async def until_over(self, permits: Open) -> None:
        """Return when each of *permits* is spent, lapsed or expired by the database's clock.

        Raises `StorageAway` when that cannot be known. A waiter that is
        cancelled ends nothing for the others.
        """
        futures = []
        for one, until in permits.items():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(one, set()).add(future)
            self._until[one] = max(until, self._until.get(one, until))
            futures.append(future)
        if not futures:
            return
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._keep_polling())
        try:
            await asyncio.gather(*futures)
        finally:
            for one, future in zip(permits, futures, strict=True):
                self._waiting.get(one, set()).discard(future)
                future.cancel()

    async def _keep_polling(self, every: timedelta = timedelta(milliseconds=25)) -> None:
        try:
            while self._forget_the_idle():
                # Who comes while we ask is not in the answer, and waits for the next one.
                asked = set(self._waiting)
                for one in asked - await self._still_open(asked):
                    self._until.pop(one, None)
                    for future in self._waiting.pop(one, ()):
                        if not future.done():
                            future.set_result(None)
                await asyncio.sleep(every.total_seconds())
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise

    def _forget_the_idle(self) -> bool:
        for one in [key for key, futures in self._waiting.items() if not futures]:
            del self._waiting[one], self._until[one]
        return bool(self._waiting)

    def _fail(self, error: BaseException) -> None:
        waiting, self._waiting, self._until = self._waiting, {}, {}
        for futures in waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(
                        error if isinstance(error, Exception) else asyncio.CancelledError()
                    )

    async def _still_open(self, ids: set[str]) -> set[str]:
        async with self._database.read() as connection:
            now = await self._clock.now(connection)
            left = {one for one in ids if self._until[one] > now}
            return left - await permits.ended_among(connection, left)
