"""What the guard's store was not told, since a process died or a store was away: a duty tells it.

Nobody was answered then.
"""

from __future__ import annotations

from collections.abc import Sequence

from consent import taken_away
from consent.taken_away import TakingAway
from gateway.flows.bad_rows import each_for_itself
from gateway.flows.keeping.walk import Walk, stroll
from gateway.takings import Takings
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 500
_TABLE = "taking_away_due"


class DueTakings:
    """Goes through what is due, page by page, on from where it was.

    Rows that no gateway wrote stay there. One that the guard's store does not take
    stands aside, and the others are told.
    """

    def __init__(self, data: Database, clock: Clock, keys: RowKeys, takings: Takings) -> None:
        self._data = data
        self._clock = clock
        self._keys = keys
        self._takings = takings
        self._walk: Walk[bytes] = Walk(_AT_ONCE)

    async def work_off(self) -> int:
        """Tell what is due, whether or not it was told, and let go of it; returns how much."""
        return await stroll(self._walk, self._page)

    async def _page(self) -> int:
        walk = self._walk
        async with self._data.read() as connection:
            page, due = await taken_away.due_after(connection, self._keys, walk.after, walk.limit)
        walk.move(page)
        rows = {one.eid.hex(): one for one in due}
        return sum(await each_for_itself(self._data, self._clock, _TABLE, rows, self._end))

    async def _end(self, due: Sequence[TakingAway]) -> int:
        await self._takings.tell(due)
        await self._takings.settle(due)
        return len(due)
