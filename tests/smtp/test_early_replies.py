"""A server that answers a mail before it has read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from delivery.outcome import Ending, Phase, Reply
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import transmit
from tests.smtp.test_transmission import Fences, mail_to
from tests.support.connections import take
from tests.support.waiting import until

LARGE = b"A line.\r\n" * 2_000_000  # more than the system takes at once
END = b"\r\n.\r\n"


@dataclass
class Hasty:
    """Says *answer* right behind its 354, and reads on only once it is let."""

    answer: bytes = b""
    port: int = 0
    may_read: asyncio.Event = field(default_factory=asyncio.Event)
    tail: bytes = b""
    ended: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hasty\r\n")
        while line := await reader.readline():
            if line == b"DATA\r\n":
                writer.write(b"354 go\r\n")
                await reader.readexactly(1000)
                writer.write(self.answer)
                await self.may_read.wait()
                await self._read_on(reader)
                break
            writer.write(b"250 ok\r\n")
        writer.close()

    async def _read_on(self, reader: asyncio.StreamReader) -> None:
        try:
            while piece := await reader.read(1 << 16):
                self.tail = (self.tail + piece)[-len(END) :]
        except ConnectionError:
            pass
        self.ended = True


@pytest.fixture
async def hasty() -> AsyncIterator[Hasty]:
    server = Hasty()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
        server.may_read.set()


@pytest.mark.parametrize(
    ("answer", "ending", "kept"),
    [
        pytest.param("452 no", Ending(Phase.REPLIED, Reply(452, None, "no")), True, id="a no"),
        pytest.param("250 yes", Ending(Phase.DOT), False, id="a yes, to what it cannot know"),
    ],
)
async def test_the_rest_of_a_mail_that_was_answered_early_stays_here(
    hasty: Hasty, answer: str, ending: Ending, kept: bool
) -> None:
    hasty.answer, fences = f"{answer}\r\n".encode(), Fences()
    relay = Relay("127.0.0.1", hasty.port, local_hostname="gateway.example.test")
    async with Pool(relay) as pool:
        (connection,) = await take(pool, 1)

        assert await transmit(connection, mail_to("ada", LARGE), fences) == ending
        pool.give_back(connection)

        assert (fences.reply is not None) is kept
        hasty.may_read.set()
        await until(lambda: hasty.ended)
    assert hasty.tail != END
