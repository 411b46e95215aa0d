"""Waiting for what another part of the program does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

# Seconds. What comes is not waited for any longer; what does not come fails its test late, and no
# test because somebody else had the processor.
PATIENCE: Final = 60.0


async def until(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Look again and again; a `TimeoutError` when it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 whoever makes it true knows of no event
            await asyncio.sleep(0.01)
