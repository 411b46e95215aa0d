"""The guard's store hears of what people took away before they are answered.

It is not restored together with the data. What a crash or a store that was away
left untold a duty tells; nobody was answered then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from consent import taken_away
from consent.taken_away import TakingAway
from storage.clock import Clock
from storage.database import Database
from storage.grouping import Grouped, severally
from storage.honesty import RowKeys


class Takings:
    """Those of one process.

    Who comes at the same time shares a transaction there, and no failure but that of the store.
    """

    def __init__(self, data: Database, guard: Database, keys: RowKeys) -> None:
        self._data = data
        self._guard = guard
        self._keys = keys
        self._told: Grouped[Sequence[TakingAway], None] = Grouped(severally(self._tell))

    async def tell(self, said: Sequence[TakingAway]) -> None:
        """Return when the guard's store has what was *said*, which is committed.

        `StorageAway` where it cannot be had: what was said stands all the same, and
        whoever repeats it brings it along. Hold no gate and no connection.
        """
        if said:
            await self._told(said)

    async def settle(self, said: Sequence[TakingAway]) -> None:
        """Let go of what the guard's store has; a duty does it where nobody waits for it."""
        if said:
            async with self._data.begin() as connection:
                await taken_away.settle(connection, [one.eid for one in said])

    async def purge(self, clock: Clock, kept: timedelta) -> int:
        """Let go of what no backup that is still kept is older than."""
        async with self._data.read() as connection:
            now = await clock.now(connection)
        async with self._guard.begin() as guard:
            return await taken_away.purge(guard, self._keys, now - kept)

    async def _tell(self, groups: Sequence[Sequence[TakingAway]]) -> list[Exception | None]:
        every = {one.eid: one for said in groups for one in said}
        async with self._guard.begin() as guard:
            await taken_away.put(guard, self._keys, [every[eid] for eid in sorted(every)])
        return [None] * len(groups)
