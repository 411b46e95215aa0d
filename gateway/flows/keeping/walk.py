"""Going through many rows over many runs of a duty, page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")

_PAGES = 50  # without a pause; what stays is looked at seldom, what goes makes the duty go on


@dataclass
class Walk(Generic[K]):
    """Where a duty has come to; behind the last page it begins anew.

    Without it, a page of rows that cannot change (tampered with, held by
    somebody else) would keep the ones behind them from their turn for ever.
    """

    limit: int
    after: K | None = None

    def move(self, page: Sequence[K]) -> bool:
        """Go on behind *page*, before it is worked off: an error must not stop the walk.

        Says whether more may come in this pass.
        """
        more = len(page) >= self.limit
        self.after = page[-1] if more else None
        return more


async def stroll(walk: Walk[K], one_page: Callable[[], Awaitable[int]]) -> int:
    """Do some pages, to the end of this pass at most; returns what they did together."""
    did = await one_page()
    for _ in range(_PAGES):
        if walk.after is None:
            break
        did += await one_page()
    return did
