from __future__ import annotations

import asyncio
import time

from storage.turns import in_turns


async def test_others_have_their_turn_while_somebody_works_for_long() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    meanwhile = asyncio.create_task(other())
    seen: list[tuple[int, int]] = []
    async for item in in_turns(range(5)):
        seen.append((item, turns))
        time.sleep(0.002)  # noqa: ASYNC251 work that holds the loop
    meanwhile.cancel()

    assert seen == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]


async def test_nobody_who_asks_for_nothing_waits() -> None:
    assert [item async for item in in_turns([])] == []
