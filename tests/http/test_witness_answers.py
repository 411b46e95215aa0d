"""What a witness answers, however it arrives: it is somebody else's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.http.witnesses import add_checkpoint

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[str]:
    """Somebody who answers piece by piece, each on a way of its own."""

    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in (HEAD, *pieces):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass  # whoever asked has read enough
        finally:
            writer.close()
            over.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await over.wait()


async def test_an_answer_in_pieces_is_read_whole() -> None:
    async with answering(b"\xe2\x80\x94 witness.example ", b"AAAA", b"BBBB\n") as url:
        answer = await add_checkpoint(url, "question")

    assert (answer.status, answer.text) == (200, "\N{EM DASH} witness.example AAAABBBB\n")


async def test_of_an_answer_without_end_a_few_kilobytes_are_read() -> None:
    async with answering(*[b"a" * 40_000] * 2) as url:
        answer = await add_checkpoint(url, "question")

    assert len(answer.text) == 1 << 16
