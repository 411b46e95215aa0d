"""`gateway worker --processes 3` on PostgreSQL: who share a queue lose nothing to each other."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from delivery import tables
from gateway.config import config
from storage.database import open_database
from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.waiting import until

PROCESSES = 3
CONNECTIONS = 4  # of each
OF_EACH = 5
MESSAGES = 240
# What the relay does with a person's mails; three are put off, one again and again.
BEHAVIOURS = ["greylist", "crowded", "flaky", "split", "long-dot", "delay-dot-100", "fine"]


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(
        tmp_path, new_database_url, "postgresql", connections=CONNECTIONS
    ) as opened:
        yield opened


@pytest.mark.timeout(600)  # processes start, on a busy machine slowly
async def test_three_that_share_a_queue_lose_nothing_when_one_is_killed(gateway: Gateway) -> None:
    await gateway.start("serve", "serve")
    people = [f"{one}.person{n}@example.test" for one in BEHAVIOURS for n in range(OF_EACH)]
    key = await asyncio.to_thread(gateway.api_key)
    await gateway.start("workers", "worker", "--processes", str(PROCESSES))
    await _subscribe(gateway, people)
    handed_over = crowds.HandedOver(gateway)
    before = handed_over()
    first = _children(gateway)

    posting = asyncio.create_task(
        crowds.keep_posting(gateway, key, people, MESSAGES, ahead=2 * len(people))
    )
    await until(lambda: handed_over() >= before + MESSAGES // 4)
    os.kill(first[0], signal.SIGKILL)
    await until(lambda: "worker_begun_again" in gateway.log("workers"))
    accepted = await posting
    # By what they say: of the one that was killed there may still be a row.
    await until(lambda: gateway.log("workers").count('"working"') == PROCESSES + 1)
    await until(lambda: handed_over() >= before + MESSAGES // 2)
    begun = time.monotonic()
    status = await asyncio.to_thread(gateway.kill, "workers", signal.SIGTERM)
    drained = time.monotonic() - begun

    assert status == 0
    assert list((gateway.directory / "journal").glob("wrk_*")) == []
    assert await _working(gateway) == 0
    assert "Traceback" not in gateway.log("workers")
    await gateway.start("workers", "worker", "--processes", str(PROCESSES))
    final = asyncio.create_task(crowds.final(gateway, key, accepted, seconds=120))
    await _while_due(gateway, final)
    seen = await final
    ends, copies = Counter(one["status"] for one in seen.values()), crowds.copies(gateway)
    print(f"{len(accepted)} accepted, one killed, drained in {drained:.1f} s: {dict(ends)}")
    assert len(accepted) == len(set(accepted)) >= MESSAGES
    assert set(ends) <= {"sent", "uncertain"}
    assert ends["uncertain"] <= CONNECTIONS, "more than the one that was killed had under way"
    put_off = [one for one in seen.values() if len(one["attempts"]) > 1]
    assert put_off, "no mail was put off"
    of_each = {one: copies[f"{seen[one]['message_id_header']}"] for one in accepted}
    assert {of_each[one] for one in accepted if seen[one]["status"] == "sent"} == {1}
    assert {of_each[one] for one in accepted if seen[one]["status"] == "uncertain"} <= {0, 1}


async def _subscribe(gateway: Gateway, people: Sequence[str]) -> None:
    """As `crowds.subscribe`, for those whose confirmation mail is put off at first."""
    subscribing = asyncio.create_task(crowds.subscribe(gateway, people))
    await _while_due(gateway, subscribing)
    await subscribing


async def _while_due(gateway: Gateway, task: asyncio.Task[Any]) -> None:
    """Let the minutes pass that a mail waits which was put off, until *task* is done."""
    while not task.done():
        await crowds.make_due(gateway)
        await asyncio.wait([task], timeout=0.5)


def _children(gateway: Gateway) -> list[int]:
    pid = gateway.processes["workers"].pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _working(gateway: Gateway) -> int:
    """How many workers the database knows: each has a row of its own, which it renews."""
    settings = config.load(gateway.config)
    async with open_database("data", settings.storage.url) as data, data.read() as connection:
        query = select(func.count()).select_from(tables.worker)
        return int((await connection.execute(query)).scalar_one())
