"""Pooled connections to the relay.

aiosmtplib opens, secures and authenticates them; what is said over them is
`delivery.transmission`'s.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self

import aiosmtplib
import structlog

from delivery.dialogue import take_over
from delivery.errors import RelayAway
from delivery.transmission import Connection, Timeouts
from storage.secret import Secret

log = structlog.get_logger()

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


class Pool:
    """Greeted connections to one relay, kept while they are used.

    Connecting comes before claiming: a permit is short, a handshake is not.
    Every connection from `ready` is given back, whatever became of it.
    """

    def __init__(self, relay: Relay, tls_context: ssl.SSLContext | None = None) -> None:
        self._relay = relay
        self._context = None
        if relay.tls != "none":
            self._context = tls_context or ssl.create_default_context()
        self._idle: list[Connection] = []
        self._made = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._next_try = 0.0
        self.trouble: RelayAway | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close what is idle; what is under way is its holder's."""
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            self._discard(self._idle.pop())

    async def ready(self, wanted: int | None = None) -> list[Connection]:
        """Greeted, idle connections, up to *wanted*; none while the relay is away.

        Missing ones are made, within the limit. Without *wanted* the number
        follows the load: while all are busy it doubles. A relay that is away is
        tried again after a pause that grows to half a minute; `trouble` says why.
        """
        self._drop_unfit()
        if wanted is None:
            wanted = len(self._idle) or max(self._made, 1)
        await self._make(wanted - len(self._idle))
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

    async def _make(self, wanted: int) -> None:
        now = asyncio.get_running_loop().time()
        count = min(wanted, self._relay.connections - self._made)
        if count <= 0 or now < self._next_try:
            return
        results = await asyncio.gather(*[self._add() for _ in range(count)], return_exceptions=True)
        away = None
        for result in results:
            if isinstance(result, RelayAway):
                away = result
            elif result is not None:
                raise result
        self._note(away)

    def _note(self, away: RelayAway | None) -> None:
        if away is None:
            self._pause = 0.0
        else:
            log.warning("relay_away", problem=away.problem, code=away.code)
            self._pause = min(max(self._pause * 2, 0.5), _LONGEST_PAUSE)
        self._next_try = asyncio.get_running_loop().time() + self._pause
        self.trouble = away

    async def _add(self) -> None:
        # Into the pool at once: a cancelled `ready` then loses no connection.
        self._made += 1
        try:
            connection = await _connect(self._relay, self._context)
        except BaseException:
            self._made -= 1
            raise
        self.give_back(connection)

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
        self._made -= 1
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
    )


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
    return name if "." in name and not name.startswith("localhost") else "[127.0.0.1]"
