"""What callers wrote is read aside: in one thread of its own, so much at once, in turn.

Reading foreign HTML and trying templates takes seconds for megabytes. In the loop it
would hold up everybody, and in the threads that compose mails the confirmation mails
of strangers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from gateway.errors import Busy

_MOST: Final = 64 * 1024 * 1024  # bytes of bodies at once: four of the largest, or a thousand mails

T = TypeVar("T")


class Reading:
    """One thread; whoever hands in many messages takes turns with the others."""

    def __init__(self, most: int = _MOST) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._most = most
        self._size = 0

    async def each(self, size: int, works: Iterable[Callable[[], T]]) -> list[T]:
        """Do *works*, of a request with a body of *size* bytes, one after another.

        `Busy` where too much waits already: nothing was done then.
        """
        if self._size and self._size + size > self._most:
            raise Busy
        self._size += size
        try:
            loop = asyncio.get_running_loop()
            return [await loop.run_in_executor(self._thread, work) for work in works]
        finally:
            self._size -= size

    async def stop(self, _: object = None) -> None:
        """End the thread, as the application ends; what waits is not done."""
        self._thread.shutdown(wait=False, cancel_futures=True)
