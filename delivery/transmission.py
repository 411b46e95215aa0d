"""The one dialogue that hands a mail over, and says how far that came.

Of a library's client only the open connection is used (`delivery.smtp`): none
pipelines, nor tells before the dot from after it. Reply texts are personal
data: they are in the `Ending` and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from delivery.dialogue import Dialogue, Lost
from delivery.errors import ComposeError, JournalError
from delivery.mime import ascii_address
from delivery.outcome import Ending, Phase, Reply

log = structlog.get_logger()

_GO_AHEAD: Final = 354
_CLOSING: Final = 421


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


@dataclass(frozen=True, slots=True)
class Secured:
    """How a session was encrypted, and whose certificate was verified for it."""

    version: str
    cipher: str
    certificate: str | None  # the name in it that was asked for
    fingerprint: str | None  # SHA-256 of the certificate, in hex


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a session is with; *secured* is None where it is plain text."""

    host: str
    port: int
    secured: Secured | None = None


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
    """A greeted session. *phase* says how far its present or last transmission came.

    *ending* is how that ended, once nothing can change it any more; clearing up
    comes after it.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        timeouts: Timeouts,
        *,
        pipelines: bool,
        sizes: bool,
        peer: Peer | None = None,
    ) -> None:
        self.peer = peer
        self.dialogue = dialogue
        self.timeouts = timeouts
        self.pipelines = pipelines
        self.sizes = sizes
        self.phase = Phase.GREETED
        self.ending: Ending | None = None
        self.transmissions = 0
        self.carried = 0  # those of them that were accepted
        self.used_at = asyncio.get_running_loop().time()

    @property
    def past_dot(self) -> bool:
        """The server may have the mail and has not said so: wait, do not cancel."""
        return self.phase is Phase.DOT


async def transmit(connection: Connection, envelope: Envelope, guard: Guard) -> Ending:
    """Hand *envelope* over, and say how far that came; `give_back` the connection after it.

    Cancelled, or stopped by an error of *guard*, it closes the connection at
    once; `connection.ending` then has what was decided before that, and
    `connection.phase` how far it was. Past the dot a cancellation leaves the
    outcome open: see `Connection.past_dot`.
    """
    dialogue = connection.dialogue
    connection.phase, connection.ending = Phase.GREETED, None
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
        connection.ending = await _introduce(connection, rcpt)
    except Lost:
        connection.ending = Ending(connection.phase)
    if not await guard.spend():
        connection.dialogue.abort()
        return connection.ending or Ending(connection.phase)
    try:
        ending = connection.ending or await _deliver(connection, start, data, guard)
    except Lost:
        ending = Ending(connection.phase)
    connection.ending = ending
    with contextlib.suppress(Lost):
        await _clear_up(connection, ending)
    return ending


async def _introduce(connection: Connection, rcpt: bytes) -> Ending | None:
    """The replies to MAIL and RCPT; None when both are a yes."""
    reply = await connection.dialogue.reply(connection.timeouts.mail)
    if reply.digit != 2:
        # It has had its number of mails, or so it says: of the first one that would be no news.
        worn = reply.code == _CLOSING and connection.carried > 0
        return Ending(Phase.MAIL, reply, worn=worn)
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
    if connection.dialogue.has_unsent:
        # It answered before the dot left us, which now stays here: a no is one, a yes is none.
        connection.dialogue.abort()
        if reply.digit not in (4, 5):
            raise Lost
    connection.phase = Phase.REPLIED
    connection.carried += reply.digit == 2
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
