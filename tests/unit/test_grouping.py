"""Group commit: who shares a transaction, and who shares its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from delivery.grouping import Grouped


class Writer:
    """Writes a list when it is let; doubles what it gets."""

    def __init__(self) -> None:
        self.lists: list[list[int]] = []
        self.let = asyncio.Event()
        self.error: Exception | None = None
        self.short = False

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.lists.append(list(items))
        await self.let.wait()
        if self.error is not None:
            raise self.error
        answers = [2 * item for item in items]
        return answers[:-1] if self.short else answers


async def test_those_who_come_while_one_list_is_written_share_the_next() -> None:
    writer = Writer()
    grouped = Grouped(writer)
    first = asyncio.create_task(grouped(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(grouped(n)) for n in (2, 3, 4)]
    await asyncio.sleep(0)

    writer.let.set()

    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8]
    assert writer.lists == [[1], [2, 3, 4]]


async def test_a_list_that_gathers_takes_in_who_comes_a_little_later() -> None:
    writer = Writer()
    writer.let.set()
    grouped = Grouped(writer, gather=0.05)
    first = asyncio.create_task(grouped(1))
    await asyncio.sleep(0.01)

    assert await asyncio.gather(first, grouped(2)) == [2, 4]
    assert writer.lists == [[1, 2]]


async def test_a_failure_reaches_everybody_of_its_list_and_nobody_else() -> None:
    writer = Writer()
    writer.let.set()
    writer.error = OSError("away")
    grouped = Grouped(writer)

    failed = await asyncio.gather(grouped(1), grouped(2), return_exceptions=True)
    writer.error = None

    assert [type(one) for one in failed] == [OSError, OSError]
    assert await grouped(3) == 6


async def test_an_answer_too_few_is_an_error_for_all_and_no_endless_wait() -> None:
    writer = Writer()
    writer.let.set()
    writer.short = True
    grouped = Grouped(writer)

    async with asyncio.timeout(1):
        failed = await asyncio.gather(grouped(1), grouped(2), return_exceptions=True)

    assert [type(one) for one in failed] == [RuntimeError, RuntimeError]


async def test_a_caller_that_gives_up_takes_nobody_along() -> None:
    writer = Writer()
    grouped = Grouped(writer)
    one, other = asyncio.create_task(grouped(1)), asyncio.create_task(grouped(2))
    await asyncio.sleep(0)

    one.cancel()
    writer.let.set()

    assert await other == 4
    with pytest.raises(asyncio.CancelledError):
        await one
