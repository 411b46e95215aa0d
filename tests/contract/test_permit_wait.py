"""Waiting until permits can start nothing: many waiters, one poll."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import permits, tables
from delivery.permit_wait import PermitWait
from delivery.permits import Permit, Terms
from storage.database import Database
from storage.errors import StorageAway
from tests.support.clock import START, SteppedClock
from tests.support.waiting import until

TTL = timedelta(seconds=2)
OVER = START + TTL


class HeldClock(SteppedClock):
    """A clock that is slow to answer, or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.away = False

    async def now(self, connection: AsyncConnection) -> datetime:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise StorageAway("data")
        return self.moment


@pytest.fixture
def held_clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
async def wait(database: Database, held_clock: HeldClock) -> PermitWait:
    """Over two open permits, `first` and `second`."""
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
        await permits.grant(connection, [permit("first"), permit("second")])
    return PermitWait(database, held_clock)


def permit(name: str) -> Permit:
    named = (name, f"msg_{name}", 1, "wrk", "sub", "news", "consent", "con")
    return Permit(*named, Terms(True, False, True), START, START + TTL, b"e")


async def test_nothing_to_wait_for_asks_nobody(wait: PermitWait, held_clock: HeldClock) -> None:
    await wait.until_over({})

    assert held_clock.asked == 0


async def test_who_comes_while_the_poll_asks_waits_for_the_next_answer(
    wait: PermitWait, held_clock: HeldClock
) -> None:
    held_clock.answers.clear()
    first = asyncio.create_task(wait.until_over({"first": OVER}))
    await until(lambda: held_clock.asked == 1)
    second = asyncio.create_task(wait.until_over({"second": OVER}))
    await asyncio.sleep(0)

    held_clock.answers.set()
    await until(lambda: held_clock.asked >= 3)

    assert not first.done()
    assert not second.done(), "answered by a poll that had not asked for it"
    held_clock.step(TTL)
    await asyncio.gather(first, second)


async def test_a_waiter_that_is_cancelled_ends_nothing_for_the_others(
    wait: PermitWait, held_clock: HeldClock
) -> None:
    gone = asyncio.create_task(wait.until_over({"first": OVER, "second": OVER}))
    stays = asyncio.create_task(wait.until_over({"first": OVER}))
    await until(lambda: held_clock.asked >= 1)

    gone.cancel()
    before = held_clock.asked
    await until(lambda: held_clock.asked >= before + 2)

    assert gone.cancelled()
    assert not stays.done()
    held_clock.step(TTL)
    await stays


async def test_every_waiter_learns_that_the_database_is_away_and_the_next_one_asks_anew(
    wait: PermitWait, held_clock: HeldClock
) -> None:
    waiters = [asyncio.create_task(wait.until_over({one: OVER})) for one in ("first", "second")]
    await until(lambda: held_clock.asked >= 1)

    held_clock.away = True
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    assert [type(one) for one in outcomes] == [StorageAway, StorageAway]
    held_clock.away = False
    held_clock.step(TTL)
    await wait.until_over({"first": OVER, "second": OVER})


async def test_a_spent_permit_is_waited_for_no_longer(
    wait: PermitWait, held_clock: HeldClock, database: Database
) -> None:
    waiter = asyncio.create_task(wait.until_over({"first": OVER}))
    await until(lambda: held_clock.asked >= 1)

    async with database.begin() as connection:
        await permits.use_up(connection, [("msg_first", 1)], START)

    async with asyncio.timeout(60):
        await waiter


@pytest.mark.parametrize("how", ["deleted", "dated short"])
async def test_a_permit_that_goes_meanwhile_is_waited_for_as_it_was(
    wait: PermitWait, held_clock: HeldClock, database: Database, how: str
) -> None:
    row = tables.permit
    waiter = asyncio.create_task(wait.until_over({"first": OVER}))
    await until(lambda: held_clock.asked >= 1)

    short = update(row).values(expires_at=START)
    async with database.begin() as connection:
        await connection.execute(delete(row) if how == "deleted" else short)
    before = held_clock.asked
    await until(lambda: held_clock.asked >= before + 2)

    assert not waiter.done()
    held_clock.step(TTL)
    await waiter
