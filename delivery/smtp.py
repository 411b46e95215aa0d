"""Mail to the relay: pooled connections, and the one dialogue that hands a mail over.

aiosmtplib opens, secures and authenticates a connection; it cannot pipeline,
nor tell before the dot from after it, so the dialogue itself is `Dialogue`'s.
Reply texts are personal data: they are in the `Ending` and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Protocol, Self

import aiosmtplib
import structlog

from delivery.dialogue import Dialogue, Lost, take_over
from delivery.errors import ComposeError, JournalError, RelayAway
from delivery.mime import ascii_address
from delivery.outcome import Ending, Phase, Reply
from storage.secret import Secret

log = structlog.get_logger()

_GO_AHEAD: Final = 354
_CLOSING: Final = 421
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for each reply; the defaults are RFC 5321's, section 4.5.3.2.

    *connect* covers everything up to a session that is ready. Too short a *dot*
    makes copies: the server has the mail, and we give up before it says so.
    """

    connect: float = 30
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    dot: float = 600


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


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail to one recipient: *data* is 7-bit, in CRLF lines, its dots not yet doubled.

    An empty *mail_from* is the null reverse-path.
    """

    mail_from: str = field(repr=False)
    rcpt_to: str = field(repr=False)
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("mail_from", "rcpt_to"):
            path = getattr(self, name)
            try:
                if (path or name == "rcpt_to") and ascii_address(path) != path:
                    raise ComposeError(name)
            except ValueError:
                raise ComposeError(name) from None  # the cause quotes the address


class Guard(Protocol):
    """Who may stop a transmission, and who must know how far it came."""

    def may_start(self) -> bool:
        """Asked right before MAIL is written, with nothing in between; False starts nothing."""

    async def spend(self) -> bool:
        """Mark the permit as spent: MAIL was written.

        Awaited once the replies to MAIL and RCPT were read, or when the
        transmission had ended before that; on False, the final dot is not sent.
        """

    def before_dot(self) -> None:
        """Keep that the final dot is next; a `JournalError` stops it."""

    def accepted(self, reply: Reply) -> None:
        """Keep the reply to the final dot, whatever it says. Must not raise."""


class Connection:
    """A greeted session. *phase* says how far its present or last transmission came."""

    def __init__(
        self, dialogue: Dialogue, timeouts: Timeouts, *, pipelines: bool, sizes: bool
    ) -> None:
        self.dialogue = dialogue
        self.timeouts = timeouts
        self.pipelines = pipelines
        self.sizes = sizes
        self.phase = Phase.GREETED
        self.transmissions = 0
        self.used_at = asyncio.get_running_loop().time()

    @property
    def past_dot(self) -> bool:
        """The server may have the mail and has not said so: wait, do not cancel."""
        return self.phase is Phase.DOT


async def transmit(connection: Connection, envelope: Envelope, guard: Guard) -> Ending:
    """Hand *envelope* over, and say how far that came; `give_back` the connection after it.

    Cancelled, or stopped by an error of *guard*, it closes the connection at
    once; `connection.phase` then tells how far it was. Past the dot a
    cancellation leaves the outcome open: see `Connection.past_dot`.
    """
    dialogue = connection.dialogue
    connection.phase = Phase.GREETED
    commands = _commands(connection, envelope)
    together = len(commands) if connection.pipelines else 1
    # No await from the question to the write: a permit cannot run out in between.
    if not dialogue.is_quiet or not guard.may_start():
        return Ending(Phase.GREETED)
    dialogue.write(b"".join(commands[:together]), replies=together)
    connection.phase = Phase.MAIL
    connection.transmissions += 1
    connection.used_at = asyncio.get_running_loop().time()
    try:
        return await _go_through(connection, commands, envelope.data, guard)
    except BaseException:
        dialogue.abort()
        raise


def _commands(connection: Connection, envelope: Envelope) -> tuple[bytes, bytes, bytes]:
    """MAIL, RCPT and DATA: one group where the server pipelines (RFC 2920, section 3.1)."""
    size = f" SIZE={len(envelope.data)}" if connection.sizes else ""
    return (
        f"MAIL FROM:<{envelope.mail_from}>{size}\r\n".encode("ascii"),
        f"RCPT TO:<{envelope.rcpt_to}>\r\n".encode("ascii"),
        b"DATA\r\n",
    )


async def _go_through(
    connection: Connection, commands: tuple[bytes, bytes, bytes], data: bytes, guard: Guard
) -> Ending:
    """Everything after MAIL was written."""
    _, rcpt, start = commands
    try:
        refused = await _introduce(connection, rcpt)
    except Lost:
        refused = Ending(connection.phase)
    if not await guard.spend():
        connection.dialogue.abort()
        return refused or Ending(connection.phase)
    try:
        ending = refused or await _deliver(connection, start, data, guard)
    except Lost:
        ending = Ending(connection.phase)
    with contextlib.suppress(Lost):
        await _clear_up(connection, ending)
    return ending


async def _introduce(connection: Connection, rcpt: bytes) -> Ending | None:
    """The replies to MAIL and RCPT; None when both are a yes."""
    reply = await connection.dialogue.reply(connection.timeouts.mail)
    if reply.digit != 2:
        return Ending(Phase.MAIL, reply)
    reply = await _ask(connection, Phase.RCPT, rcpt, connection.timeouts.rcpt)
    return None if reply.digit == 2 else Ending(Phase.RCPT, reply)


async def _deliver(connection: Connection, start: bytes, data: bytes, guard: Guard) -> Ending:
    reply = await _ask(connection, Phase.DATA, start, connection.timeouts.data)
    if reply.code != _GO_AHEAD:
        return Ending(Phase.DATA, reply)
    connection.phase = Phase.BODY
    try:
        guard.before_dot()
    except JournalError:
        log.error("journal_not_written")
        return Ending(Phase.BODY)
    connection.dialogue.write(_stuffed(data))
    connection.phase = Phase.DOT
    reply = await connection.dialogue.reply(connection.timeouts.dot)
    connection.phase = Phase.REPLIED
    guard.accepted(reply)
    return Ending(Phase.REPLIED, reply)


async def _ask(connection: Connection, phase: Phase, command: bytes, seconds: float) -> Reply:
    connection.phase = phase
    if not connection.pipelines:
        connection.dialogue.write(command)
    return await connection.dialogue.reply(seconds)


async def _clear_up(connection: Connection, ending: Ending) -> None:
    """Leave no half-begun transaction behind, or no connection."""
    dialogue, reply = connection.dialogue, ending.reply
    if reply is None or reply.code == _CLOSING or reply.digit not in (2, 4, 5):
        dialogue.abort()
        return
    if ending.phase is Phase.REPLIED:
        return
    while dialogue.awaited:  # the rest of a pipelined group
        reply = await dialogue.reply(connection.timeouts.data)
    if reply.digit in (2, 3):  # told to go ahead without a recipient: only closing sends no dot
        dialogue.abort()
        return
    dialogue.write(b"RSET\r\n")
    if (await dialogue.reply(connection.timeouts.mail)).digit != 2:
        dialogue.abort()


def _stuffed(data: bytes) -> bytes:
    """The data with doubled dots and the final one (RFC 5321, section 4.5.2)."""
    data = data.replace(b"\r\n.", b"\r\n..")
    first = b"." if data.startswith(b".") else b""
    end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((first, data, end))


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
