"""Whether this process can do its work: its stores, and its worker where it runs one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from storage.database import Database
from storage.errors import StorageAway

_PATIENCE = 3.0
_SHARED = 1.0  # seconds; shorter than anybody's patience with what is not ready


class Health:
    """Looks when asked, and all who ask within a second share one look, for anybody may ask.

    Make one for a process, whatever it is asked by.
    """

    def __init__(
        self,
        stores: Mapping[str, Database],
        worker_ready: Callable[[], bool] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = stores  # by what they are called when they are lacking
        self._worker_ready = worker_ready
        self._monotonic = monotonic
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._away: list[str] = []

    async def failing(self) -> list[str]:
        """The names of what this process lacks; empty when it is ready.

        Not whether the relay answers: mail waits in the outbox for that.
        """
        async with self._looking:
            if self._monotonic() >= self._looked_at + _SHARED:
                self._away = await self._look()
                self._looked_at = self._monotonic()
        stopped = self._worker_ready is not None and not self._worker_ready()
        return [*self._away, "worker"] if stopped else list(self._away)

    async def _look(self) -> list[str]:
        answers = await asyncio.gather(*(_answers(store) for store in self._stores.values()))
        return [name for name, fine in zip(self._stores, answers, strict=True) if not fine]


async def _answers(database: Database) -> bool:
    try:
        await asyncio.wait_for(database.ping(), _PATIENCE)
    except (StorageAway, TimeoutError):
        return False
    return True
