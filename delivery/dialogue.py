"""One SMTP session after its greeting: lines out, replies in, and nothing unasked.

The transport was opened, secured and authenticated elsewhere. Here are no
decisions: who writes what, and when, is `delivery.transmission`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import Final, cast

from delivery.outcome import Reply, parse_reply

_LONGEST_LINE: Final = 4096  # RFC 5321 allows 512; some servers write more
_LONGEST_REPLY: Final = 64 * 1024


class Lost(Exception):
    """The session is over: closed by the server, silent for too long, or not SMTP any more."""


class Dialogue(asyncio.Protocol):
    """Writes at once and pairs replies with what was asked, in order.

    A reply that nobody asked for, such as the 421 of an idle server, ends the
    session: with one too many every later reply would answer the wrong question.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._size = 0
        self._expected = 0
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._until = inf  # by then the reply must be here that is waited for
        self._alarm: asyncio.TimerHandle | None = None
        self._over = False
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        return not self._over and not self._transport.is_closing()

    @property
    def awaited(self) -> int:
        """How many replies were asked for and not handed out yet."""
        return self._expected + len(self._replies)

    @property
    def is_quiet(self) -> bool:
        """Open, everything answered, and every byte written so far given to the system."""
        return self.is_open and not self.awaited and not self.has_unsent

    @property
    def has_unsent(self) -> bool:
        """Whether the system has not taken all that was written."""
        return self._transport.get_write_buffer_size() > 0

    def write(self, data: bytes, *, replies: int = 1) -> None:
        """Write *data*, to which as many *replies* will come; goes to the system before it returns.

        (As far as the system takes it: what it does not take waits in the transport.)
        """
        if not self.is_open:
            raise Lost
        self._expected += replies
        self._transport.write(data)

    async def reply(self, seconds: float) -> Reply:
        """The next reply; `Lost` when it does not come in time, and then nothing may follow."""
        if not self._replies:
            await self._wait(seconds)
        return self._replies.popleft()

    def quit(self) -> None:
        """Say good-bye without waiting for the answer; what was not sent yet is not sent any more.

        A server that reads nothing would keep it, and the connection, for as long as it likes.
        """
        if not self.is_quiet:
            self.abort()
            return
        self._transport.write(b"QUIT\r\n")
        self._over = True
        self._transport.close()

    def abort(self) -> None:
        """End the session now; what was not sent yet is not sent any more."""
        self._end()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            if not self._take(line):
                self.abort()
                return
        if len(self._buffer) > _LONGEST_LINE:
            self.abort()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _take(self, line: bytes) -> bool:
        """Add a line of a reply (RFC 5321, section 4.2.1); False when it cannot be one."""
        self._size += len(line)
        if self._expected == 0 or self._size > _LONGEST_REPLY:
            return False
        if len(line) < 3 or not line[:3].isdigit() or line[3:4] not in (b"", b" ", b"-"):
            return False
        self._lines.append(line[4:].decode("utf-8", "replace"))
        if line[3:4] != b"-":
            self._replies.append(parse_reply(int(line[:3]), "\n".join(self._lines)))
            self._lines, self._size = [], 0
            self._expected -= 1
            self._wake()
        return True

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._until = loop.time() + seconds
        self._set_alarm(loop)
        try:
            while not self._replies:
                if self._over:
                    raise Lost
                self._waiter = loop.create_future()
                await self._waiter
        finally:
            self._until = inf

    def _set_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look by then whether the reply is overdue. What looks sooner, for an earlier one, stays.

        Nearly every reply comes in time: an alarm set and put off for each took longer than it.
        """
        if self._alarm is not None:
            if self._alarm.when() <= self._until:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(self._until, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        if loop.time() >= self._until:
            self.abort()
        elif self._until < inf:
            self._set_alarm(loop)

    def _end(self) -> None:
        self._over = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def take_over(transport: asyncio.BaseTransport) -> Dialogue:
    """Put a `Dialogue` at the end of a transport on which no reply is under way."""
    return Dialogue(cast(asyncio.Transport, transport))
