"""What is dear to make and large to hand over: one is made at a time, and few are held at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from gateway.errors import Busy

_MOST: Final = 6  # each up to some fifty megabytes, until its reader has it
_PATIENCE: Final = 120.0  # seconds for a reader; whoever reads slower could keep all places
_PIECE: Final = 256 * 1024


class Turns:
    """Places for whoever waits, makes or hands over; `Busy` where there is none."""

    def __init__(self, most: int = _MOST) -> None:
        self.making = asyncio.Lock()
        self._most = most
        self._here = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Keep a place for the life of the block."""
        if self._here >= self._most:
            raise Busy
        self._here += 1
        try:
            yield
        finally:
            self._here -= 1


async def hand_over(
    request: web.Request, body: bytes, headers: dict[str, str]
) -> web.StreamResponse:
    """Answer with *body*, piece by piece; returns once the reader has it, or is too slow."""
    response = web.StreamResponse(headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    try:
        async with asyncio.timeout(_PATIENCE):
            for start in range(0, len(body), _PIECE):
                await response.write(memoryview(body)[start : start + _PIECE])
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    return response


async def stream(
    request: web.Request,
    pieces: AsyncIterator[bytes],
    headers: Mapping[str, str],
    status: int = 200,
) -> web.StreamResponse:
    """Answer with *pieces* while they are made, however many there are.

    Whoever reads a piece too slowly loses the connection, and so does who would else take what
    broke off for the whole.
    """
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    try:
        async for piece in pieces:
            async with asyncio.timeout(_PATIENCE):
                await response.write(piece)
        await response.write_eof()
    except Exception as error:
        if request.transport is not None:
            request.transport.abort()
        if not isinstance(error, TimeoutError | ConnectionError):
            raise
    return response
