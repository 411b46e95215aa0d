"""Long work in the loop that also answers: everybody else who waits gets a turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import Final, TypeVar

T = TypeVar("T")
_TURN: Final = 0.001  # seconds; a request passes through the loop several times


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """*items* in their order; a millisecond after the last turn, others have theirs first.

    A transaction around it lasts as long as the turns of others do, too, and so does what waits
    for its locks.
    """
    begun = perf_counter()
    for item in items:
        if perf_counter() - begun > _TURN:
            await asyncio.sleep(0)
            begun = perf_counter()
        yield item
