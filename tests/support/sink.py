"""A relay that keeps what it gets, notes when, and misbehaves on request.

The local part of a recipient says how: `drop-after-dot@example.test`, and with
anything after a dot (`drop-after-dot.ada@...`) for a name of one's own. As a
process of its own: `python -m tests.support.sink --port 0 --out FILE` prints its
port; FILE gets a line of JSON per event, in one append each, so that several
sinks may share it and a killed one leaves whole lines.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What each reply-fault answers instead of yes, at its step.
REFUSALS = {
    "refuse-rcpt": ("rcpt", "550 5.1.1 no such mailbox"),
    "defer-rcpt": ("rcpt", "451 4.2.0 come back later"),
    "full-rcpt": ("rcpt", "552 5.2.2 mailbox full"),
    "close-rcpt": ("rcpt", "421 4.3.2 shutting down"),
    "echo-rcpt": ("rcpt", "550 5.1.1 <{rcpt}> moved to Taradiddle Lane"),
    "refuse-data": ("data", "554 5.5.1 not now"),
    "refuse-dot": ("dot", "554 5.7.1 blocked"),
    "defer-dot": ("dot", "451 4.3.0 try again"),
    "full-dot": ("dot", "552 5.2.2 mailbox full"),
    "close-dot": ("dot", "421 4.3.2 shutting down"),
    "nonsense-dot": ("dot", "whatever"),
    "echo-dot": ("dot", "250 2.0.0 kept for <{rcpt}> of Taradiddle Lane"),
    "odd-dot": ("dot", "399 neither yes nor no"),
    "long-dot": ("dot", "250-2.0.0 a reply\r\n250-2.0.0 in three\r\n250 2.0.0 lines"),
}
# What is answered to the first RCPT for a mailbox, and to no later one; if flaky, to every other.
FIRST_TIME = {
    "greylist": "451 4.7.1 greylisted, come back later",
    "crowded": "452 4.3.1 no room just now",
    "flaky": "450 4.2.1 not this time",
}
_STALL = 3600.0  # seconds: whoever waits for the reply gives up first
_DELAY = re.compile(r"delay-(mail|rcpt|data|dot)-(\d+)")


@dataclass
class Transaction:
    """One MAIL and what followed; moments are monotonic, and None for what did not come."""

    mail_from: str
    connection: int
    mail_at: float
    rcpt_to: str = ""
    rcpt_at: float | None = None
    data_at: float | None = None
    dot_at: float | None = None
    raw: bytes = field(default=b"", repr=False)
    accepted: bool = False

    @property
    def fault(self) -> str:
        return self.rcpt_to.partition("@")[0].partition(".")[0]


class Sink:
    """The listening server; `transactions` has every MAIL it ever read, in order."""

    def __init__(self, out: Path | None = None, *, pipelining: bool = True) -> None:
        self.transactions: list[Transaction] = []
        self.connections = 0
        self.commands: list[str] = []
        self.credentials: list[bytes] = []
        self.greeting = "220 sink.example.test ESMTP"
        self.pipelining = pipelining
        self.tls: ssl.SSLContext | None = None  # set: STARTTLS is offered
        self.slots = asyncio.Semaphore(1000)  # who finds none is never greeted
        self.full: str | None = None  # or, where it is set, hears this
        self.turned_away = 0
        self.reset_after = 0.0  # seconds that RSET takes
        self.mechanisms = ["PLAIN"]  # ways to sign in that are offered
        self.passes: str | None = None  # the only one of them that anybody passes; None: each
        self.hangs_up = False  # once it has said what it offers
        self.hold: Path | None = None  # as long as this file is there, no dot is answered
        self.hold_rcpt: Path | None = None  # the same, of RCPT
        self.by_byte = False  # each reply comes in as many pieces as it has bytes
        self.each: int | None = None  # mails in a session; the next is told that it is over
        self._out = out
        self._seen: set[str] = set()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    @property
    def accepted(self) -> list[Transaction]:
        return [one for one in self.transactions if one.accepted]

    @property
    def sessions(self) -> int:
        """How many connections are open, greeted or not."""
        return len(self._open)

    def holds_dot(self) -> bool:
        return self.hold is not None and self.hold.exists()

    def holds_rcpt(self) -> bool:
        return self.hold_rcpt is not None and self.hold_rcpt.exists()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback; with *tls* from the first byte on."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, limit=64 << 20, ssl=tls
        )

    async def stop(self) -> None:
        """Stop listening and drop every session."""
        if self._server is not None:
            self._server.close()
            for _ in range(3):  # who was accepted a moment ago becomes a session first
                await asyncio.sleep(0)
            sessions = list(self._open.values())
            for writer, session in list(self._open.items()):
                writer.transport.abort()
                session.cancel()  # it may be in the middle of a delay
            await asyncio.gather(*sessions, return_exceptions=True)
            await self._server.wait_closed()

    def drop_sessions(self) -> None:
        """Close every session as an idle server does."""
        for writer in list(self._open):
            writer.write(b"421 4.4.2 idle for too long\r\n")
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        session = _Session(self, self.connections, reader, writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await session.run()
        finally:
            del self._open[writer]
            writer.close()

    def note(self, event: str, transaction: Transaction, **more: Any) -> None:
        if self._out is None:
            return
        line = {"event": event, "at": time.monotonic(), "connection": transaction.connection}
        line |= {"mail_from": transaction.mail_from, "rcpt_to": transaction.rcpt_to, **more}
        descriptor = os.open(self._out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)

    def first_time(self, recipient: str) -> bool:
        """Whether *recipient* was not asked for before."""
        new = recipient not in self._seen
        if recipient.startswith("flaky") and not new:
            self._seen.discard(recipient)
        else:
            self._seen.add(recipient)
        return new


class _Session:
    def __init__(
        self,
        sink: Sink,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.sink = sink
        self.number = number
        self.reader = reader
        self.writer = writer
        self.current: Transaction | None = None
        self.may_send = False
        self.sent = 0

    async def run(self) -> None:
        if not self.sink.slots.locked():
            async with self.sink.slots:
                await self.serve()
            return
        self.sink.turned_away += 1
        if self.sink.full is None:
            await self.reader.read()
        else:
            await self.say(self.sink.full)

    async def serve(self) -> None:
        await self.say(self.sink.greeting)
        while line := await self.reader.readline():
            command = line.decode("ascii", "replace").rstrip("\r\n")
            verb = command.partition(" ")[0].upper()
            self.sink.commands.append(verb)
            if verb == "QUIT":
                await self.say("221 2.0.0 bye")
                return
            step = getattr(self, f"on_{verb.lower()}", None)
            if step is None:
                await self.say("502 5.5.1 what?")
            elif not await step(command):
                return

    async def on_ehlo(self, command: str) -> bool:
        offers = ["SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES"]
        offers += ["AUTH " + " ".join(self.sink.mechanisms)] if self.sink.mechanisms else []
        offers += ["PIPELINING"] if self.sink.pipelining else []
        offers += ["STARTTLS"] if self.sink.tls else []
        await self.say("\r\n".join([f"250-{name}" for name in ("sink", *offers)] + ["250 OK"]))
        return not self.sink.hangs_up

    async def on_starttls(self, command: str) -> bool:
        assert self.sink.tls is not None
        await self.say("220 2.0.0 go ahead")
        await self.writer.start_tls(self.sink.tls)
        return True

    async def on_auth(self, command: str) -> bool:
        _, way, *initial = command.split()
        if way == "LOGIN" and initial:  # as some relays have it
            await self.say("501 5.5.4 syntax: AUTH LOGIN")
            return True
        said = initial or [await self.asked(way) for _ in range(2 if way == "LOGIN" else 1)]
        if self.sink.passes not in (None, way):
            await self.say("535 5.7.8 nobody passes like this")
            return False
        self.sink.credentials.append(b"\0".join(base64.b64decode(one) for one in said))
        await self.say("235 2.7.0 welcome")
        return True

    async def asked(self, way: str) -> str:
        self.sink.commands.append(way)
        await self.say("334 PDEyMzRAc2luay5leGFtcGxlLnRlc3Q+")
        return (await self.reader.readline()).decode("ascii").strip()

    async def on_mail(self, command: str) -> bool:
        if self.sink.each is not None and self.sent >= self.sink.each:
            await self.say("421 4.7.0 so many and no more")
            return False
        sender = command[len("MAIL FROM:<") :].partition(">")[0]
        self.current, self.may_send = Transaction(sender, self.number, time.monotonic()), False
        self.sink.transactions.append(self.current)
        self.sink.note("mail", self.current)
        await self.say("250 2.1.0 fine")
        return True

    async def on_rcpt(self, command: str) -> bool:
        current = self.current
        if current is None:
            return await self.out_of_order()
        current.rcpt_to = command[len("RCPT TO:<") :].partition(">")[0]
        current.rcpt_at = time.monotonic()
        self.sink.note("rcpt", current)
        await self.delay("rcpt")
        await self.held(self.sink.holds_rcpt)
        if current.fault in {*FIRST_TIME, "stall"} and self.sink.first_time(current.rcpt_to):
            await asyncio.sleep(0 if current.fault in FIRST_TIME else _STALL)
            await self.say(FIRST_TIME[current.fault])
            return True
        self.may_send = not self.refused("rcpt")
        return await self.answer("rcpt", "250 2.1.5 fine")

    async def on_data(self, command: str) -> bool:
        current = self.current
        if current is None or not self.may_send:
            return await self.out_of_order()
        current.data_at = time.monotonic()
        self.sink.note("data", current)
        await self.delay("data")
        if current.fault == "drop-before-354":
            return False
        if self.refused("data"):
            return await self.answer("data", "")
        await self.say("354 go ahead")
        wire = await self.reader.readuntil(b"\r\n.\r\n")
        current.dot_at = time.monotonic()
        current.raw = wire[:-3].replace(b"\r\n..", b"\r\n.").removeprefix(b".")
        self.sink.note("read", current)
        return await self.end_of_data(current)

    async def end_of_data(self, current: Transaction) -> bool:
        await self.delay("dot")
        await self.held(self.sink.holds_dot)
        if current.fault == "drop-after-dot":
            self.sink.note("dot", current, accepted=False)
            return False
        gone = self.reader.at_eof() or self.reader.exception() is not None  # nobody hears of it
        refusal = REFUSALS.get(current.fault)
        self.sent += 1
        current.accepted = not (refusal and refusal[0] == "dot" and refusal[1][0] in "45")
        raw = base64.b64encode(current.raw).decode()
        self.sink.note("dot", current, accepted=current.accepted, gone=gone, raw=raw)
        self.current = None
        first = current.fault == "rst-once" and self.sink.first_time(current.rcpt_to)
        if first or current.fault == "accept-then-rst":
            self.reset()
            return False
        if current.fault == "split":
            await self.trickle("250 2.0.0 kept")
            return True
        return await self.answer("dot", "250 2.0.0 kept", current)

    async def on_rset(self, command: str) -> bool:
        self.current = None
        await asyncio.sleep(self.sink.reset_after)
        return await self.go_on("250 2.0.0 forgotten")

    async def on_noop(self, command: str) -> bool:
        return await self.go_on("250 2.0.0 fine")

    async def out_of_order(self) -> bool:
        return await self.go_on("503 5.5.1 out of order")

    async def go_on(self, reply: str) -> bool:
        await self.say(reply)
        return True

    def refused(self, step: str) -> bool:
        found = REFUSALS.get(self.current.fault) if self.current else None
        return found is not None and found[0] == step

    async def answer(self, step: str, yes: str, of: Transaction | None = None) -> bool:
        """Say yes or what the fault wants; False when the session ends with it."""
        current = of or self.current
        assert current is not None
        at, refusal = REFUSALS.get(current.fault, ("", ""))
        reply = refusal.format(rcpt=current.rcpt_to) if at == step else yes
        await self.say(reply)
        return not reply.startswith("421")

    async def delay(self, step: str) -> None:
        fault = _DELAY.fullmatch(self.current.fault) if self.current else None
        if fault and fault.group(1) == step:
            await asyncio.sleep(int(fault.group(2)) / 1000)

    async def held(self, is_held: Callable[[], bool]) -> None:
        while is_held():  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.02)

    async def trickle(self, reply: str) -> None:
        for byte in reply.encode() + b"\r\n":
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(0.001)

    async def say(self, reply: str) -> None:
        if self.sink.by_byte:
            await self.trickle(reply)
            return
        self.writer.write(reply.encode() + b"\r\n")
        await self.writer.drain()

    def reset(self) -> None:
        """Close as a crashed host does: RST instead of FIN."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def open_sink(
    out: Path | None = None,
    *,
    port: int = 0,
    pipelining: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Sink]:
    """A sink in this event loop."""
    sink = Sink(out, pipelining=pipelining)
    await sink.start(port, tls)
    try:
        yield sink
    finally:
        await sink.stop()


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--hold", type=Path, help="no dot is answered while this file is there")
    parser.add_argument("--hold-rcpt", type=Path, help="no RCPT is answered while this one is")
    arguments = parser.parse_args()
    stop = asyncio.Event()
    for how in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(how, stop.set)
    sink = Sink(arguments.out, pipelining=not arguments.no_pipelining)
    sink.hold, sink.hold_rcpt = arguments.hold, arguments.hold_rcpt
    await sink.start(arguments.port)
    print(sink.port, flush=True)
    await stop.wait()
    await sink.stop()


if __name__ == "__main__":
    asyncio.run(_main())
