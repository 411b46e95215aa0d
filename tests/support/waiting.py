"""Waiting for what another part of the program does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(happened: Callable[[], object], seconds: float = 10) -> None:
    """Look again and again; a `TimeoutError` when it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 whoever makes it true knows of no event
            await asyncio.sleep(0.01)
