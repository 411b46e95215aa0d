"""Long work where people are answered: three quarters of the time, less where others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

_SHARE = 3  # parts of work for each of rest
_PATIENCE = 4  # times as long as somebody else kept the loop or the processor


class PartTime:
    """Rests for a third as long as it took since the last rest, and longer where it woke late.

    Whatever makes the work slow, the loop, the processor or a database that others use too,
    makes the rest longer: nobody has to say what a busy machine is.
    """

    def __init__(self, longest: float, now: Callable[[], float] = monotonic) -> None:
        self._longest = longest  # seconds; who waited for somebody's lock has kept nobody waiting
        self._now = now
        self._since = now()

    async def rest(self) -> None:
        begun = self._now()
        planned = min((begun - self._since) / _SHARE, self._longest)
        await asyncio.sleep(planned)
        late = self._now() - begun - planned
        await asyncio.sleep(max(0.0, min(_PATIENCE * late, self._longest)))
        self._since = self._now()
