"""Group commit: who shares a transaction, and who shares its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from storage.errors import PartAway, StorageAway
from storage.grouping import Grouped, severally


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
    grouped = Grouped(writer, gather=0.2)
    first = asyncio.create_task(grouped(1))
    await asyncio.sleep(0)

    assert await asyncio.gather(first, grouped(2)) == [2, 4]
    assert writer.lists == [[1, 2]]


async def test_a_list_gathers_no_longer_than_others_may_come() -> None:
    writer = Writer()
    writer.let.set()
    grouped = Grouped(writer, gather=60, more=lambda waiting: waiting < 2)
    first = asyncio.create_task(grouped(1))
    await asyncio.sleep(0)

    async with asyncio.timeout(60):
        assert await asyncio.gather(first, grouped(2)) == [2, 4]

    assert writer.lists == [[1, 2]]


async def test_a_lone_caller_of_whom_nobody_comes_behind_is_not_made_to_wait() -> None:
    writer = Writer()
    writer.let.set()
    grouped = Grouped(writer, gather=60, more=lambda waiting: waiting < 1)

    async with asyncio.timeout(60):
        assert await grouped(1) == 2


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

    async with asyncio.timeout(60):
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


class Picky:
    """Writes all or nothing; refuses what is negative, and is away for zero."""

    def __init__(self) -> None:
        self.tried: list[list[int]] = []
        self.written: list[int] = []

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.tried.append(list(items))
        if 0 in items:
            raise StorageAway("data")
        if min(items) < 0:
            raise ValueError(min(items))
        self.written += items
        return [2 * item for item in items]


async def together(write: Picky, *items: int) -> list[object]:
    grouped = Grouped(severally(write))
    return await asyncio.gather(*(grouped(one) for one in items), return_exceptions=True)


async def test_what_nobody_spoils_is_written_at_once() -> None:
    writer = Picky()

    assert await together(writer, 1, 2, 3) == [2, 4, 6]
    assert writer.tried == [[1, 2, 3]]


async def test_one_that_cannot_be_written_fails_alone_and_others_are_written_once() -> None:
    writer = Picky()

    first, bad, last = await together(writer, 1, -1, 3)

    assert (first, last, str(bad)) == (2, 6, "-1")
    assert writer.written == [1, 3]


async def test_a_store_that_is_away_is_away_for_all_and_asked_once() -> None:
    writer = Picky()

    failed = await together(writer, 1, 0, 3)

    assert [type(one) for one in failed] == [StorageAway] * 3
    assert (writer.tried, writer.written) == ([[1, 0, 3]], [])


async def test_what_one_item_lacks_is_away_for_it_alone() -> None:
    class Lacking(Picky):
        async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
            if 2 in items:
                raise PartAway("data")
            return await super().__call__(items)

    writer = Lacking()

    first, lacking, last = await together(writer, 1, 2, 3)

    assert (first, type(lacking), last) == (2, PartAway, 6)
    assert writer.written == [1, 3]


async def test_a_store_that_goes_away_between_two_items_is_away_for_those_that_are_left() -> None:
    class Leaving(Picky):
        async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
            if items == [2]:
                raise StorageAway("data")
            return await super().__call__(items)

    writer = Leaving()

    first, bad, *left = await together(writer, 1, -1, 2, 3)

    assert (first, str(bad)) == (2, "-1")
    assert [type(one) for one in left] == [StorageAway] * 2
    assert writer.written == [1]


async def test_an_answer_that_is_an_exception_is_raised_to_its_caller_alone() -> None:
    async def write(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError() if item == 2 else item for item in items]

    grouped: Grouped[int, int] = Grouped(write)

    answers = await asyncio.gather(*(grouped(n) for n in (1, 2, 3)), return_exceptions=True)

    assert [type(one) for one in answers] == [int, ValueError, int]
