"""Rows that are worked off together, none of which may keep the others from their turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from storage.errors import PartAway, StorageAway

T = TypeVar("T")
R = TypeVar("R")


async def isolated(
    work: Callable[[Sequence[T]], Awaitable[R]],
    items: Sequence[T],
    *,
    stops: tuple[type[Exception], ...] = (StorageAway,),
) -> tuple[list[R], list[tuple[T, Exception]]]:
    """Do *work* on all *items* at once; where that fails, on ever smaller parts of them.

    Returns what the parts answered, in their order, and the items on which it failed
    alone, each with its error. *work* changes all or nothing, in a transaction of its
    own, and may be repeated. What *stops* names concerns all of them, such as a store
    that is away: that is raised, and what was not done is left for the next time.
    `PartAway` concerns one.
    """
    if not items:
        return [], []
    try:
        return [await work(items)], []
    except Exception as error:
        if isinstance(error, stops) and not isinstance(error, PartAway):
            raise
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    done, failed = await isolated(work, items[:middle], stops=stops)
    more, others = await isolated(work, items[middle:], stops=stops)
    return done + more, failed + others
