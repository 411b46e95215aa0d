"""Duties: one that fails is seen, tried again, and nobody else's trouble."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from time import monotonic

from gateway.process import duties
from gateway.process.duties import Duty
from gateway.watch.metrics import Metrics
from storage.errors import StorageAway
from tests.support.waiting import until

TICK = timedelta(milliseconds=1)


def failing(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value("gateway_duty_failing", {"duty": name})


async def test_one_that_fails_is_seen_and_tried_again_while_others_go_on() -> None:
    metrics, ending = Metrics(), asyncio.Event()
    seen: list[float | None] = []
    others = 0

    async def bad() -> int:
        seen.append(failing(metrics, "bad"))
        if len(seen) < 3:
            raise ValueError("a damaged row")
        return 0

    async def good() -> int:
        nonlocal others
        others += 1
        return 0

    kept = asyncio.create_task(
        duties.keep([Duty("bad", TICK, bad), Duty("good", TICK, good)], metrics, ending)
    )
    await until(lambda: len(seen) > 4 and others > 4)
    ending.set()
    await kept

    assert seen[:4] == [None, 1, 1, 0]
    assert failing(metrics, "bad") == 0


async def test_a_store_that_is_away_is_no_failure() -> None:
    metrics, ending = Metrics(), asyncio.Event()
    runs = 0

    async def away() -> int:
        nonlocal runs
        runs += 1
        raise StorageAway("data")

    kept = asyncio.create_task(duties.keep([Duty("away", TICK, away)], metrics, ending))
    await until(lambda: runs > 2)
    ending.set()
    await kept

    assert failing(metrics, "away") == 0


async def test_tries_that_fail_come_ever_later_and_work_is_done_without_a_pause() -> None:
    metrics, ending = Metrics(), asyncio.Event()
    failed_at, left = list[float](), 100

    async def bad() -> int:
        failed_at.append(monotonic())
        raise ValueError("a damaged row")

    async def busy() -> int:
        nonlocal left
        left -= 1
        return left

    slow = timedelta(milliseconds=20)
    kept = asyncio.create_task(
        duties.keep(
            [Duty("bad", slow, bad), Duty("busy", timedelta(days=1), busy)], metrics, ending
        )
    )
    await until(lambda: left == 0 and len(failed_at) == 5)
    ending.set()
    await kept

    waited = [after - at for at, after in pairwise(failed_at)]
    assert [one > 0.015 * 2**n for n, one in enumerate(waited)] == [True] * 4


async def test_a_call_ends_a_pause_and_a_call_during_a_run_is_not_lost() -> None:
    metrics, ending = Metrics(), asyncio.Event()
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        if runs == 2:
            duty.call.set()  # what came behind its look
        return 0

    duty = Duty("called", timedelta(days=1), work)
    kept = asyncio.create_task(duties.keep([duty], metrics, ending))
    await until(lambda: runs == 1)
    await asyncio.sleep(0.05)
    assert runs == 1
    duty.call.set()
    await until(lambda: runs == 3)
    ending.set()
    await asyncio.wait_for(kept, 60)

    assert runs == 3


async def test_a_call_does_not_shorten_the_pause_of_one_that_failed() -> None:
    metrics, ending = Metrics(), asyncio.Event()
    runs = 0

    async def bad() -> int:
        nonlocal runs
        runs += 1
        raise ValueError("a damaged row")

    duty = Duty("bad", timedelta(days=1), bad)
    kept = asyncio.create_task(duties.keep([duty], metrics, ending))
    await until(lambda: runs == 1)
    duty.call.set()
    await asyncio.sleep(0.1)
    ending.set()
    await asyncio.wait_for(kept, 60)

    assert runs == 1


async def test_less_than_enough_waits_for_the_next_call() -> None:
    metrics, ending = Metrics(), asyncio.Event()
    done = iter([3, 5, 2, 0])
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        return next(done)

    duty = Duty("called", timedelta(days=1), work, enough=3)
    kept = asyncio.create_task(duties.keep([duty], metrics, ending))
    await until(lambda: runs == 3)  # after enough, twice, at once
    await asyncio.sleep(0.1)
    assert runs == 3
    duty.call.set()
    await until(lambda: runs == 4)
    ending.set()
    await asyncio.wait_for(kept, 60)
