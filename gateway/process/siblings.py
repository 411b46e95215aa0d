"""Several processes of one command: begun, begun again when one dies, and ended together.

The one that was started forks them and does nothing else, so it has no loop, no store and no
thread; each goes on as if it had been started alone. Between it and each is a pair of sockets:
what comes by it says that the process works, and its end that the other is gone, however
that was.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

log = structlog.get_logger()

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_HEARD: Final = {*_ENDING, signal.SIGCHLD, signal.SIGALRM}
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_SETTLED: Final = 60.0  # whoever worked for so long has not died of how it was begun


@dataclass(frozen=True, slots=True)
class Sibling:
    """Which of the processes this one is, counted from 0."""

    number: int
    keeper: socket.socket

    def end_with_keeper(self, stopping: asyncio.Event) -> None:
        """Set *stopping* once the one that keeps us is gone: nobody would end us any more."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self.keeper)
            stopping.set()

        loop.add_reader(self.keeper, gone)

    def works(self) -> None:
        """Say so to the one that keeps us."""
        with suppress(OSError):  # it is gone, and we are about to hear of that
            self.keeper.send(b".")


def fork(count: int) -> Sibling:
    """Be *count* processes from here on; returns in each of them, with which it is.

    In the one that was started it does not return: it passes on what ends a process, and
    raises SystemExit when all have ended, 0 where they did so in order. One that dies is begun
    again, later each time. Where one dies before any of them worked it is the start that
    fails, and all end. Nothing may run here yet that a fork would tear apart: no thread, no loop.
    """
    gc.collect()
    gc.freeze()  # or a first collection in each would copy what they share
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    keeper = _Keeper([_Kept(number) for number in range(count)])
    sibling = keeper.keep()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if sibling is None:
        raise SystemExit(keeper.status)
    return sibling


def next_wait(before: float, lived: float) -> float:
    """How long to wait before one that died is begun again, in seconds; at first it was 0."""
    return _FIRST_WAIT if lived >= _SETTLED else min(max(2 * before, _FIRST_WAIT), _LONGEST_WAIT)


@dataclass(slots=True)
class _Kept:
    """One place, and the process in it; *pid* is 0 while there is none."""

    number: int
    pid: int = 0
    line: socket.socket = field(default_factory=socket.socket)
    begun: float = float("-inf")
    wait: float = 0.0
    due: float = float("-inf")
    worked: bool = False

    def has_worked(self) -> bool:
        """Whether it has said so, also where it has ended since."""
        if not self.worked:
            with suppress(BlockingIOError, ConnectionError):
                self.worked = self.line.recv(1) != b""
        return self.worked

    def let_go(self) -> None:
        self.line.close()
        self.pid, self.worked = 0, False


@dataclass
class _Keeper:
    places: Sequence[_Kept]
    status: int = 0
    stopping: bool = False
    how: int = signal.SIGTERM  # by which all are ended
    worked: bool = False  # one of them did, once

    def keep(self) -> Sibling | None:
        """Until all have ended; in each that is forked, at once, with which it is."""
        while not self.stopping or self._alive():
            for one in self.places:
                if self._is_due(one) and (sibling := self._begin(one)) is not None:
                    return sibling
            self._await()
            self._bury()
        return None

    def _is_due(self, one: _Kept) -> bool:
        return not self.stopping and not one.pid and one.due <= time.monotonic()

    def _begin(self, one: _Kept) -> Sibling | None:
        one.line, theirs = socket.socketpair()
        one.pid, one.begun = os.fork(), time.monotonic()
        if one.pid == 0:
            for other in self.places:  # a copy of one would hide from another that we are gone
                other.line.close()
            return Sibling(one.number, theirs)
        theirs.close()
        one.line.setblocking(False)
        if one.wait:
            log.info("worker_begun_again", process=one.pid)
        return None

    def _await(self) -> None:
        """Until a signal comes, or the next is due."""
        due = [one.due for one in self.places if not one.pid]
        if due and not self.stopping:
            signal.setitimer(signal.ITIMER_REAL, max(min(due) - time.monotonic(), 0.001))
        heard = signal.sigwait(_HEARD)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if heard in _ENDING:
            self._end(heard)

    def _end(self, how: int) -> None:
        self.stopping, self.how = True, how
        for one in self._alive():
            os.kill(one.pid, how)

    def _bury(self) -> None:
        for one in self._alive():
            ended, status = os.waitpid(one.pid, os.WNOHANG)
            if ended:
                self.worked = self.worked or any(map(_Kept.has_worked, self._alive()))
                self._ended(one, os.waitstatus_to_exitcode(status))

    def _ended(self, one: _Kept, status: int) -> None:
        process, lived = one.pid, time.monotonic() - one.begun
        # One that is still starting hears nothing yet, and has nothing to end in order.
        in_order = status == 0 or (status == -self.how and not one.has_worked())
        one.let_go()
        if self.stopping:
            self.status = self.status or int(not in_order)
        elif self.worked:
            one.wait = next_wait(one.wait, lived)
            one.due = time.monotonic() + one.wait
            log.warning("worker_ended", process=process, status=status, wait=one.wait)
        else:
            log.error("worker_never_worked", process=process, status=status)
            self.status = 1
            self._end(signal.SIGTERM)

    def _alive(self) -> list[_Kept]:
        return [one for one in self.places if one.pid]
