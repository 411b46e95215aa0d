"""Pooled connections to the relay.

aiosmtplib opens, secures and authenticates them; what is said over them is
`delivery.transmission`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiosmtplib
import structlog

from delivery.dialogue import take_over
from delivery.errors import RelayAway
from delivery.transmission import Connection, Peer, Secured, Timeouts
from storage.domains import DomainError, to_ascii
from storage.secret import Secret

log = structlog.get_logger()

_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail goes. Certificates are verified; there is no falling back to plain text."""

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "implicit"] = "none"
    username: str | None = None
    password: Secret | None = None
    connections: int = 20
    local_hostname: str | None = None
    messages_per_connection: int = 100
    idle: float = 60
    timeouts: Timeouts = field(default_factory=Timeouts)


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
        self._context = None
        if relay.tls != "none":
            self._context = tls_context or ssl.create_default_context()
        self._idle: list[Connection] = []
        self._open = 0  # greeted: idle, or with whoever took them
        self._connecting: dict[asyncio.Task[None], int] = {}  # how many it is to make them
        self._pauses = _Pauses()
        self._listener: Callable[[], None] = lambda: None
        self._bug: BaseException | None = None
        self._sweep: asyncio.TimerHandle | None = None
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
        worn = connection.transmissions >= self._relay.messages_per_connection
        return connection.dialogue.is_quiet and not worn

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next mail, or close it when it cannot carry one."""
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
            connection = await _connect(self._relay, self._context)
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
        connection.dialogue.quit()


async def _connect(relay: Relay, context: ssl.SSLContext | None) -> Connection:
    """Open, secure and authenticate a session, up to the reply to EHLO."""
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        username=relay.username,
        password=None if relay.password is None else relay.password.reveal().decode(),
        local_hostname=relay.local_hostname or await asyncio.to_thread(_own_name),
        timeout=relay.timeouts.connect,
        use_tls=relay.tls == "implicit",
        start_tls=relay.tls == "starttls",  # None, the default, would mean "if offered"
        tls_context=context,
    )
    try:
        async with asyncio.timeout(relay.timeouts.connect):
            await client.connect()
            await _say_hello(client)
    except (aiosmtplib.SMTPException, OSError) as error:
        client.close()
        raise _away(error) from None  # the cause may quote what the server said
    if client.transport is None:
        raise RelayAway("closed at once")
    return Connection(
        take_over(client.transport),
        relay.timeouts,
        pipelines=client.supports_extension("pipelining"),
        sizes=client.supports_extension("size"),
        peer=Peer(relay.host, relay.port, _secured(client.transport, relay.host)),
    )


def _secured(transport: asyncio.BaseTransport, host: str) -> Secured | None:
    """What TLS came to; None where there is none."""
    session = transport.get_extra_info("ssl_object")
    if session is None:
        return None
    cipher, raw = session.cipher(), session.getpeercert(binary_form=True)
    return Secured(
        version=str(session.version()),
        cipher="" if cipher is None else cipher[0],
        certificate=_named_in(session.getpeercert() or {}, host),
        fingerprint=None if raw is None else hashlib.sha256(raw).hexdigest(),
    )


def _named_in(certificate: Mapping[str, Any], host: str) -> str | None:
    """The name by which it was verified: that of the host, or a pattern that covers it."""
    names = [name for _, name in certificate.get("subjectAltName", ())]
    wanted = {host.lower(), f"*.{host.lower().partition('.')[2]}"}
    return next((name for name in names if name.lower() in wanted), None)


async def _say_hello(client: aiosmtplib.SMTP) -> None:
    if not client.is_ehlo_or_helo_needed:
        return  # STARTTLS and AUTH have seen to it
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _away(error: aiosmtplib.SMTPException | OSError) -> RelayAway:
    """What an operator can act on, without the words of the server."""
    cause = error.__cause__ or error
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return RelayAway("it turned us away", error.code)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RelayAway(f"its certificate is not trusted ({cause.verify_message})")
    if isinstance(error, TimeoutError):
        return RelayAway("it does not answer in time")
    if isinstance(cause, socket.gaierror):
        return RelayAway("its name is not known")
    if isinstance(cause, OSError) and cause.errno:
        return RelayAway(os.strerror(cause.errno))  # asyncio's own text quotes where it went
    return RelayAway(type(cause).__name__)


def _own_name() -> str:
    """A name for EHLO: a full one, else an address literal (RFC 5321, section 4.1.4)."""
    name = socket.getfqdn()
    with suppress(DomainError):  # a host may be called what no server accepts
        name = to_ascii(name)
        if "." in name and not name.startswith("localhost"):
            return name
    return "[127.0.0.1]"
