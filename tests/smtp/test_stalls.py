"""A server that stands still at any step is left by the deadline of that step, not by another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import pytest

from delivery.errors import RelayAway
from delivery.outcome import Ending, Phase
from delivery.relay import Relay
from delivery.smtp import connect
from delivery.transmission import Connection, Timeouts, transmit
from storage.secret import Secret
from tests.smtp.test_transmission import Fences, mail_to

T = TypeVar("T")
LONG = Timeouts(connect=30)  # RFC 5321's, which the alarm of an earlier reply is set by
HOUR = 3600.0
SHORT, SLACK = 0.3, 0.7
_LARGE = (
    b"Subject: large\r\n\r\n"
    + b"A line of sixty-two letters, or thereabouts, and so on.\r\n" * 400_000
)


@dataclass
class Stalling:
    """Answers each command but the one that it stands still at."""

    port: int = 0
    at: str | None = None
    slowly: bool = False  # goes on with a reply that has no end, else it is silent
    pipelining: bool = True
    refuses: bool = False  # every recipient

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._reply(writer, "GREETING", "220 here")
            while line := await reader.readline():
                verb = line.split()[0].decode().upper()
                await self._reply(writer, verb, self._answer(verb))
                if verb == "DATA" and not self.refuses:
                    if self.at == "BODY":
                        await asyncio.sleep(HOUR)
                    await reader.readuntil(b"\r\n.\r\n")
                    await self._reply(writer, "DOT", "250 kept")

    def _answer(self, verb: str) -> str:
        if verb == "EHLO":
            offers = ["AUTH PLAIN", *(["PIPELINING"] if self.pipelining else [])]
            return "\r\n".join(f"250-{one}" for one in offers) + "\r\n250 OK"
        if verb == "RCPT" and self.refuses:
            return "550 no such mailbox"
        return {"DATA": "503 no" if self.refuses else "354 go", "AUTH": "235 in"}.get(
            verb, "250 ok"
        )

    async def _reply(self, writer: asyncio.StreamWriter, verb: str, reply: str) -> None:
        while self.at == verb:
            if self.slowly:
                writer.write(b"250-wait\r\n")
                await writer.drain()
            await asyncio.sleep(0.02 if self.slowly else HOUR)
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()


@asynccontextmanager
async def stalling(server: Stalling) -> AsyncIterator[Stalling]:
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(lambda _: writer.transport.abort())

    listening = await asyncio.start_server(begin, "127.0.0.1", 0, limit=2**26)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


async def in_time(dialogue: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(SHORT + SLACK):
        return await dialogue


async def joined(server: Stalling, timeouts: Timeouts = LONG) -> Connection:
    relay = Relay(
        "127.0.0.1",
        server.port,
        local_hostname="gateway.example.test",
        username="relay" if server.at == "AUTH" else None,
        password=Secret("of nobody") if server.at == "AUTH" else None,
        timeouts=timeouts,
    )
    return await connect(relay, None)


@pytest.mark.parametrize("slowly", [False, True], ids=["silent", "endless"])
@pytest.mark.parametrize("at", ["GREETING", "EHLO", "AUTH"])
async def test_a_session_is_ready_in_time_or_is_none(at: str, slowly: bool) -> None:
    async with stalling(Stalling(at=at, slowly=slowly)) as server:
        with pytest.raises(RelayAway):
            await in_time(joined(server, Timeouts(connect=SHORT)))


STEPS = {
    "MAIL": Phase.MAIL,
    "RCPT": Phase.RCPT,
    "DATA": Phase.DATA,
    "BODY": Phase.DOT,
    "DOT": Phase.DOT,
}


def short_at(step: str) -> Timeouts:
    """As they are by default, but for the one that counts at *step*."""
    name = {"BODY": "dot"}.get(step, step.lower())
    return Timeouts(**{name: SHORT})


@pytest.mark.parametrize("slowly", [False, True], ids=["silent", "endless"])
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one by one"])
@pytest.mark.parametrize("at", STEPS)
async def test_each_step_has_its_own_deadline_whatever_was_waited_for_before(
    at: str, pipelining: bool, slowly: bool
) -> None:
    async with stalling(Stalling(pipelining=pipelining, slowly=slowly)) as server:
        connection = await joined(server)
        before = await transmit(connection, mail_to("ada"), Fences())
        server.at, connection.timeouts = at, short_at(at)
        mail = mail_to("ada", _LARGE) if at == "BODY" else mail_to("ada")

        ending = await in_time(transmit(connection, mail, Fences()))

        assert before.phase is Phase.REPLIED
        assert ending == Ending(STEPS[at])
        assert not connection.dialogue.is_open


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one by one"])
async def test_so_has_what_clears_up_behind_a_refusal(pipelining: bool) -> None:
    async with stalling(Stalling(pipelining=pipelining, refuses=True)) as server:
        connection = await joined(server)
        server.at, connection.timeouts = "RSET", Timeouts(mail=SHORT)

        ending = await in_time(transmit(connection, mail_to("ada"), Fences()))

        assert (ending.phase, ending.reply and ending.reply.code) == (Phase.RCPT, 550)
        assert not connection.dialogue.is_open


async def test_it_is_left_no_sooner_than_that_deadline() -> None:
    async with stalling(Stalling(at="DOT")) as server:
        connection = await joined(server, Timeouts(mail=SHORT, rcpt=SHORT, data=SHORT, dot=0.9))
        begun = monotonic()

        ending = await transmit(connection, mail_to("ada"), Fences())

        assert monotonic() - begun >= 0.9
        assert ending == Ending(Phase.DOT)
