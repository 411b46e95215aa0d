"""What callers wrote is read in a thread of its own, in turn, and not without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest

from gateway.errors import Busy
from gateway.http.reading import Reading


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    opened = Reading(most=100)
    yield opened
    await opened.stop()


async def test_it_is_not_done_where_mails_are_composed(reading: Reading) -> None:
    others = await asyncio.to_thread(threading.current_thread)

    (thread,) = await reading.each(1, [threading.current_thread])

    assert thread not in (others, threading.current_thread())


async def test_whoever_hands_in_much_takes_turns(reading: Reading) -> None:
    done: list[str] = []
    many = asyncio.create_task(reading.each(50, [partial(done.append, "many")] * 20))
    await asyncio.sleep(0)

    await reading.each(10, [partial(done.append, "one")])

    await many
    assert done.index("one") < 5


async def test_what_is_too_much_at_once_is_refused_and_not_done(reading: Reading) -> None:
    going_on = threading.Event()
    first = asyncio.create_task(reading.each(90, [going_on.wait]))
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await reading.each(11, [threading.current_thread])
    second = asyncio.create_task(reading.each(10, [threading.current_thread]))
    going_on.set()

    assert await first == [True]
    assert len(await second) == 1
    assert len(await reading.each(1000, [threading.current_thread])) == 1, "alone, it is read"


async def test_an_error_is_the_requests_own(reading: Reading) -> None:
    with pytest.raises(ValueError, match="x"):
        await reading.each(90, [partial(int, "x")])

    assert await reading.each(90, [partial(int, "7")]) == [7]
