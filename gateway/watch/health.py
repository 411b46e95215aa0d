"""Whether this process can do its work: its stores, and its worker where it runs one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from storage.database import Database
from storage.errors import StorageAway

_PATIENCE = 3.0


class Health:
    """Looks when asked; nothing is remembered, so recovery shows at once."""

    def __init__(
        self, stores: Mapping[str, Database], worker_ready: Callable[[], bool] | None = None
    ) -> None:
        self._stores = stores  # by what they are called when they are lacking
        self._worker_ready = worker_ready

    async def failing(self) -> list[str]:
        """The names of what this process lacks; empty when it is ready.

        Not whether the relay answers: mail waits in the outbox for that.
        """
        answers = await asyncio.gather(*(_answers(store) for store in self._stores.values()))
        lacking = [name for name, fine in zip(self._stores, answers, strict=True) if not fine]
        if self._worker_ready is not None and not self._worker_ready():
            lacking.append("worker")
        return lacking


async def _answers(database: Database) -> bool:
    try:
        await asyncio.wait_for(database.ping(), _PATIENCE)
    except (StorageAway, TimeoutError):
        return False
    return True
