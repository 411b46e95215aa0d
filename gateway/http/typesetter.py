"""Papers are written aside: in one thread of their own, and PDF by a process for each.

Nothing of it runs in the loop, or in a thread that composes mails or reads what callers
wrote. What goes into a PDF goes through a pipe: no file and no argument has it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import structlog

from gateway.errors import Busy
from gateway.look import resources
from gateway.look.papers import NO_MEMORY, Paper

log = structlog.get_logger()

PDF: Final = "application/pdf"
_MOST_WAITING: Final = 8
_PATIENCE: Final = 60.0  # seconds for one, on a machine that has much else to do
_A_SECOND_MORE: Final = 50_000  # for so many bytes of values; one processor alone sets a megabyte

# The typesetter aborts where it gets no memory.
_OUT_OF_MEMORY: Final = (NO_MEMORY, -signal.SIGABRT)

T = TypeVar("T")


class NotSet(Exception):
    """The process that sets papers ended without one; its words may quote the paper."""


class TooLarge(NotSet):
    """It needed more memory than a paper may have."""


class Typesetter:
    """Sets one paper at a time; `Busy` for whoever would wait behind too many."""

    def __init__(self, most: int = _MOST_WAITING) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="papers")
        self._turn = asyncio.Lock()
        self._most = most
        self._here = 0

    async def aside(self, work: Callable[[], T], /) -> T:
        """Do *work* in the thread of papers."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def stop(self, _: object = None) -> None:
        """End the thread, as the application ends; what waits is not done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def pdf(self, paper: Paper) -> bytes:
        """The paper as PDF."""
        if self._here >= self._most:
            raise Busy
        self._here += 1
        try:
            async with self._turn:
                return await _set(await self.aside(paper.to_json))
        finally:
            self._here -= 1


async def _set(values: bytes) -> bytes:
    template = resources.templates() / "papers" / "paper.typ"
    program = [sys.executable, "-m", "gateway.look.typeset", str(template)]
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    # What it says of a fault may quote somebody's words.
    child = await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe, stderr=nothing)
    made = b""
    try:
        async with asyncio.timeout(_PATIENCE + len(values) / _A_SECOND_MORE):
            made, _ = await child.communicate(values)
    except TimeoutError:
        pass  # told below
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode in _OUT_OF_MEMORY:
        log.error("paper_too_large")
        raise TooLarge
    if child.returncode != 0 or not made.startswith(b"%PDF-"):
        log.error("paper_not_set")
        raise NotSet
    return made
