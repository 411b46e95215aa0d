"""Pooled connections to the relay: made in time, kept while they are good, limited.

`delivery.smtp` opens them; what is said over them is `delivery.transmission`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import structlog

from delivery.errors import RelayAway
from delivery.relay import Relay
from delivery.smtp import connect, trusted
from delivery.transmission import Connection

log = structlog.get_logger()

_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_REMEMBERED: Final = 600.0
_AT_ONCE: Final = 5.0


class _Pauses:
    """How long the relay is left alone with one connection more, by how many that would be.

    A number that could not be reached is tried again after a pause that grows
    to half a minute. Only reaching it forgets that: what succeeds with fewer
    connections says nothing about more. Moments are the event loop's.
    """

    def __init__(self) -> None:
        self._lengths: dict[int, float] = {}
        self._ends: dict[int, float] = {}

    def allow(self, size: int, now: float) -> bool:
        return now >= self._ends.get(size, now)

    @property
    def fewest(self) -> int | None:
        """The smallest number that could not be reached when it was last tried."""
        return min(self._ends, default=None)

    def missed(self, size: int, now: float) -> bool:
        """Begin a pause, save while one lasts; says whether it has now grown to the longest."""
        if not self.allow(size, now):
            return False  # begun together, failed together
        before = self._lengths.get(size, 0.0)
        length = min(max(before * 2, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        self._lengths[size], self._ends[size] = length, now + length
        return before < length == _LONGEST_PAUSE

    def reached(self, size: int) -> None:
        for one in [one for one in self._ends if one <= size]:
            del self._lengths[one], self._ends[one]


class Pool:
    """Greeted connections to one relay, kept while they are used.

    Connecting comes before claiming: a permit is short, a handshake is not. It
    goes on beside the work and holds nobody up: a relay may leave one
    connection more than it serves ungreeted for as long as it likes. Every
    connection from `take` is given back, whatever became of it.
    """

    def __init__(self, relay: Relay, tls_context: ssl.SSLContext | None = None) -> None:
        self._relay = relay
        self._context = tls_context or trusted(relay)
        self._idle: list[Connection] = []
        self._open = 0  # greeted: idle, or with whoever took them
        self._connecting: dict[asyncio.Task[None], int] = {}  # how many it is to make them
        self._pauses = _Pauses()
        self._listener: Callable[[], None] = lambda: None
        self._bug: BaseException | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._shown: tuple[int, float] | None = None  # how many it took in a session; until when
        self.trouble: RelayAway | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close what is idle, and what is not greeted yet; what is taken is its holder's."""
        connecting = list(self._connecting)
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            self._discard(self._idle.pop())

    @property
    def most(self) -> int:
        """How many connections there can be, as far as the relay has shown."""
        missed = self._pauses.fewest
        most = self._relay.connections
        return most if missed is None else max(min(most, missed - 1), 1)

    def tell(self, listener: Callable[[], None]) -> None:
        """Call *listener* each time that `take` may have something new to answer."""
        self._listener = listener

    def take(self, wanted: int | None = None) -> list[Connection]:
        """The greeted, idle connections of this moment, up to *wanted*.

        Missing ones are begun, within the limit, and are there for a later
        call: see `tell`. Without *wanted* the number follows the load: while
        all are busy it doubles. A relay that greets no further one is tried
        again after a pause that grows to half a minute. While it greets none
        at all, it is away, and `trouble` says why.
        """
        if self._bug is not None:
            raise self._bug
        self._drop_unfit()
        if wanted is None:
            wanted = len(self._idle) or max(self._open, 1)
        self._make(wanted - len(self._idle))
        return [self._idle.pop() for _ in range(min(wanted, len(self._idle)))]

    def fit(self, connection: Connection) -> bool:
        """Whether *connection* may carry another mail: neither worn nor broken."""
        worn = connection.transmissions >= self._each
        return connection.dialogue.is_quiet and not worn

    @property
    def _each(self) -> int:
        """How many mails a session carries, as far as the relay has shown lately."""
        most = self._relay.messages_per_connection
        if self._shown is None or asyncio.get_running_loop().time() > self._shown[1]:
            return most
        return min(most, self._shown[0])

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next mail, or close it when it cannot carry one.

        After how many the relay would have no more in it is remembered for a while, for it may just
        have been stopping: the next ones end before.
        """
        if connection.ending is not None and connection.ending.worn:
            until = asyncio.get_running_loop().time() + _REMEMBERED
            self._shown = min(self._each, connection.carried), until
        if not self.fit(connection):
            self._discard(connection)
            return
        self._idle.append(connection)
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(self._relay.idle, self._sweep_idle)

    def _make(self, missing: int) -> None:
        """Begin to connect, for each number that is not being tried and in no pause.

        An attempt that is left ungreeted stands for one connection more than
        there were: it does not keep those from being replaced once they are worn.
        """
        now = asyncio.get_running_loop().time()
        for size in range(self._open + 1, self._open + missing + 1):
            if self._open + len(self._connecting) >= self._relay.connections:
                return
            if not self._pauses.allow(size, now):
                return
            if size not in self._connecting.values():
                task = asyncio.create_task(self._add(size))
                self._connecting[task] = size
                task.add_done_callback(self._connected)

    async def _add(self, size: int) -> None:
        try:
            connection = await connect(self._relay, self._context)
        except RelayAway as away:
            # One more than are open by now is too many; what it was begun for was, in any case.
            self._note(away, max(size, self._open + 1))
            return
        self._open += 1
        self._pauses.reached(self._open)
        self.trouble = None
        self.give_back(connection)

    def _connected(self, task: asyncio.Task[None]) -> None:
        """Make known how it ended; nobody awaits the task, so a bug is raised by `take`."""
        del self._connecting[task]
        if not task.cancelled():
            self._bug = task.exception() or self._bug
        self._listener()

    def _note(self, away: RelayAway, size: int) -> None:
        """Only a relay that greets none at all is away; else *size* is merely too many."""
        is_limit = self._pauses.missed(size, asyncio.get_running_loop().time())
        if size == 1:
            self.trouble = away
            log.warning("relay_away", problem=away.problem, code=away.code)
        elif is_limit:
            problem = f"with {size - 1} open, {away.problem}"
            log.info("relay_limit", problem=problem, code=away.code)

    def _sweep_idle(self) -> None:
        self._sweep = None
        self._drop_unfit()
        if self._idle:
            loop = asyncio.get_running_loop()
            oldest = min(connection.used_at for connection in self._idle)
            wait = max(oldest + self._relay.idle - loop.time(), 0.1)
            self._sweep = loop.call_later(wait, self._sweep_idle)

    def _drop_unfit(self) -> None:
        oldest = asyncio.get_running_loop().time() - self._relay.idle
        kept = [c for c in self._idle if c.dialogue.is_quiet and c.used_at > oldest]
        for connection in set(self._idle) - set(kept):
            self._discard(connection)
        self._idle = kept

    def _discard(self, connection: Connection) -> None:
        self._open -= 1
        young = asyncio.get_running_loop().time() - connection.used_at < _AT_ONCE
        if young and not connection.transmissions and not connection.dialogue.is_open:
            # Else a relay that lets us in and hangs up would be called without a pause.
            self._note(RelayAway("it hung up before any mail"), self._open + 1)
        connection.dialogue.quit()
