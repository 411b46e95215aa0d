"""Addresses that a process takes before it changes anything, and serves at once it is in order.

Whoever cannot have its address must have written nothing: it would have told in
the log what no page of it ever showed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from gateway.config.fields import Listen
from gateway.http.runner import listening_on


@dataclass(frozen=True, slots=True)
class Place:
    """An address that is ours, at which nothing listens yet."""

    listen: Listen
    setting: str
    sockets: list[socket.socket]

    async def serve(self, runner: web.BaseRunner) -> None:
        """Answer here from now on, until *runner* is cleaned up."""
        with listening_on(*self.listen, self.setting):
            for one in self.sockets:
                await web.SockSite(runner, one).start()


@asynccontextmanager
async def taken(listen: Listen | None, setting: str) -> AsyncIterator[Place | None]:
    """Hold an address for the life of the block; none where none is wanted.

    Raises CannotListen. Until it is served whoever connects is turned away, and does not wait.
    """
    if listen is None:
        yield None
        return
    place = Place(listen, setting, [])
    try:
        with listening_on(*listen, setting):
            for family, address in await _addresses(listen):
                place.sockets.append(_bound(family, address))
        yield place
    finally:
        for one in place.sockets:
            one.close()


async def _addresses(listen: Listen) -> list[tuple[int, tuple[str, int]]]:
    found = await asyncio.get_running_loop().getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    named = ((family, (str(to[0]), int(to[1]))) for family, _, _, _, to in found)
    return list(dict.fromkeys(named))


def _bound(family: int, address: tuple[str, int]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # What a connection of before leaves behind for a minute must not keep a start waiting.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has its own
        made.setblocking(False)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
