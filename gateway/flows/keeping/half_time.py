"""Long work in the process that answers: half of the time at most, a little at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic


class HalfTime:
    """Rests for as long as it took since the last rest.

    Whatever makes the work slow, the loop, the processor or a database that others use too,
    makes the rest longer: nobody has to say what a busy machine is.
    """

    def __init__(self, longest: float, now: Callable[[], float] = monotonic) -> None:
        self._longest = longest  # seconds; who waited for somebody's lock has kept nobody waiting
        self._now = now
        self._since = now()

    async def rest(self) -> None:
        await asyncio.sleep(min(self._now() - self._since, self._longest))
        self._since = self._now()
