"""Addresses that are held before anything is written, and served when all is in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from aiohttp import web

from gateway.config.fields import Listen
from gateway.errors import CannotListen, CannotListenAnywhere
from gateway.http.places import require_free, taken
from gateway.http.runner import Runner

_ANY = Listen("127.0.0.1", 0)

# An operator's process runs on uvloop where there is one, which keeps a refused `listen` to itself.
_LOOPS = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


@_LOOPS
def test_a_port_that_somebody_listens_on_is_named(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def two() -> None:
        async with taken(_ANY, None) as first:
            first.open()
            async with taken(first.bound, "server.listen"):
                pass

    assert _refusal_of(two, loop).endswith("set another address: server.listen")


@_LOOPS
def test_of_two_who_hold_a_port_the_second_to_listen_is_told(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def two() -> None:
        runner = Runner(web.Application())
        await runner.setup()
        try:
            async with taken(_ANY, None) as first, taken(first.bound, "server.listen") as second:
                first.open()
                await second.serve(runner)
        finally:
            await runner.cleanup()

    assert _refusal_of(two, loop).endswith("set another address: server.listen")


@_LOOPS
def test_every_address_that_is_taken_is_named_at_once(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def three() -> str:
        async with taken(_ANY, None) as first, taken(_ANY, None) as second:
            first.open()
            second.open()
            wanted = [(first.bound, "server.listen"), (None, "off"), (_ANY, "free")]
            with pytest.raises(CannotListenAnywhere) as caught:
                await require_free([*wanted, (second.bound, "inbox.smtp")])
        return str(caught.value)

    with asyncio.Runner(loop_factory=loop) as runner:
        lines = runner.run(three()).splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["server.listen", "inbox.smtp"]


def _refusal_of(act: Callable[[], object], loop: Callable[[], asyncio.AbstractEventLoop]) -> str:
    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(CannotListen) as caught:
        runner.run(act())  # type: ignore[arg-type]
    said = str(caught.value)
    assert ": Address already in use; stop what listens there, or " in said
    return said
