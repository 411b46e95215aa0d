"""Of rows that are worked off together, the one that fails is found, and the others are done."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import pytest

from storage.errors import StorageAway
from storage.isolation import isolated


class Work:
    """Fails on any list that holds one of *bad*."""

    def __init__(self, *bad: int, error: Exception | None = None) -> None:
        self.bad, self.error = set(bad), error or ValueError("bad")
        self.calls = 0
        self.done: list[int] = []

    async def __call__(self, items: Sequence[int]) -> int:
        self.calls += 1
        if self.bad & set(items):
            raise self.error
        self.done += items
        return len(items)


@pytest.mark.parametrize("bad", [[], [0], [199], [7, 8], [*range(200)]], ids=str)
async def test_all_but_the_bad_ones_are_done_once_and_in_order(bad: list[int]) -> None:
    work = Work(*bad)

    answers, failed = await isolated(work, range(200))

    assert work.done == [one for one in range(200) if one not in bad]
    assert sum(answers) == len(work.done)
    assert [one for one, _ in failed] == bad
    assert work.calls <= 1 + 2 * max(len(bad), 0) * (log2(200) + 1)


async def test_a_store_that_is_away_is_away_for_all() -> None:
    work = Work(3, error=StorageAway("data"))

    with pytest.raises(StorageAway):
        await isolated(work, range(10))

    assert work.calls == 1


async def test_nothing_is_done_for_nothing() -> None:
    work = Work()

    assert await isolated(work, []) == ([], [])
    assert work.calls == 0
