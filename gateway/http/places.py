"""Addresses that a process takes before it changes anything, and serves at once it is in order.

Whoever cannot have its address must have written nothing: it would have told in
the log what no page of it ever showed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.config.fields import Listen
from gateway.errors import CannotListen, CannotListenAnywhere

_BACKLOG: Final = 128  # connections that wait to be taken; what aiohttp asks for too


@dataclass(frozen=True, slots=True)
class Place:
    """An address that is ours, at which nothing listens yet."""

    listen: Listen
    setting: str | None
    sockets: list[socket.socket]

    async def serve(self, runner: web.BaseRunner) -> None:
        """Answer here from now on, until *runner* is cleaned up. Raises CannotListen."""
        self.open()
        for one in self.sockets:
            await web.SockSite(runner, one).start()

    def open(self) -> None:
        """Let whoever connects wait for an answer. Raises CannotListen.

        Two processes may hold one address, and the second to listen is refused.
        uvloop keeps that to itself: its server would just answer nobody.
        """
        with _listening_on(*self.listen, self.setting):
            for one in self.sockets:
                one.listen(_BACKLOG)

    @property
    def bound(self) -> Listen:
        """The address itself, where any free port was asked for."""
        host, port = self.sockets[0].getsockname()[:2]
        return Listen(host, port)


@asynccontextmanager
async def taken(listen: Listen, setting: str | None) -> AsyncIterator[Place]:
    """Hold an address for the life of the block.

    Raises CannotListen. Until it is served whoever connects is turned away, and does not wait.
    """
    place = Place(listen, setting, [])
    try:
        with _listening_on(*listen, setting):
            for family, address in await _addresses(listen):
                place.sockets.append(_bound(family, address))
        yield place
    finally:
        for one in place.sockets:
            one.close()


async def require_free(wanted: Iterable[tuple[Listen | None, str | None]]) -> None:
    """Raise CannotListen, or CannotListenAnywhere where several of these addresses are taken.

    Each with what sets it. Somebody may take one the moment after: `taken` says so then.
    """
    refused: list[CannotListen] = []
    for listen, setting in wanted:
        try:
            async with taken_if_wanted(listen, setting) as place:
                if place is not None:
                    place.open()
        except CannotListen as error:
            refused.append(error)
    if len(refused) > 1:
        raise CannotListenAnywhere(refused)
    if refused:
        raise refused[0]


@asynccontextmanager
async def taken_if_wanted(
    listen: Listen | None, setting: str | None
) -> AsyncIterator[Place | None]:
    """`taken`, or none where none is wanted."""
    if listen is None:
        yield None
        return
    async with taken(listen, setting) as place:
        yield place


@contextmanager
def _listening_on(host: str, port: int, setting: str | None) -> Iterator[None]:
    """Name the address, and what sets it, when it cannot be had: the commonest first mistake."""
    try:
        yield
    except socket.gaierror as error:
        raise CannotListen(host, port, error.strerror or "no such host", setting) from None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        used = error.errno == errno.EADDRINUSE
        raise CannotListen(host, port, why, setting, used=used) from None


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
