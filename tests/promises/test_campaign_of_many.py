"""A campaign to fifty thousand on PostgreSQL, through all that may happen to it meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete

from benchmarks.gateway import agree
from consent import telling_tables
from gateway.config import config
from gateway.process.lifespan import open_parts
from storage.clock import DatabaseClock
from tests.promises.test_campaigns import BODY, SCOPES, becomes, withdraw
from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.waiting import until

pytestmark = pytest.mark.long

CROWD = 50_000
WORKERS = ("worker-1", "worker-2", "worker-3")
PATIENCE = 1200  # seconds for each step


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    # On a machine that others load, two seconds of a permit are over before a claim has ended.
    databases = (new_database_url, "postgresql")
    async with open_gateway(tmp_path, *databases, connections=20, permit_ttl="20s") as opened:
        yield opened


@pytest.mark.timeout(3 * PATIENCE)
async def test_fifty_thousand_through_a_pause_three_kills_withdrawals_and_an_erasure(
    gateway: Gateway,
) -> None:
    people = await crowd(gateway)
    key = await asyncio.to_thread(gateway.api_key, *SCOPES)
    await gateway.start("serve", "serve")
    for worker in WORKERS:
        await gateway.start(worker, "worker")
    begun, handed_over = crowds.Begun(gateway), crowds.HandedOver(gateway)

    status, made = await gateway.call(key, "POST", "/v1/campaigns", BODY)
    assert status == 202, made
    path, left_at = f"/v1/campaigns/{made['campaign_id']}", dict[str, float]()
    await until(partial(reached, handed_over, CROWD // 10), PATIENCE)
    paused, _ = await gateway.call(key, "POST", f"{path}/pause")
    at_the_pause = set(begun())
    await leave(gateway, key, some_of(people, at_the_pause, 100), left_at)
    in_the_pause = set(begun()) - at_the_pause
    await gateway.call(key, "POST", f"{path}/resume")
    for turn, worker in enumerate(WORKERS, 2):
        await until(partial(reached, handed_over, turn * CROWD // 10), PATIENCE)
        gateway.kill(worker)
        await gateway.start(worker, "worker")
    await leave(gateway, key, some_of(people, [*begun(), *left_at], 100), left_at)
    (erased,) = some_of(people, [*begun(), *left_at], 1)
    answer, _ = await gateway.call(key, "POST", "/v1/erasures", {"email": erased})
    left_at[erased] = time.monotonic()
    seen = await becomes(gateway, key, path, "done", "cancelled", seconds=PATIENCE)

    counts, got = seen["counts"], arrived(gateway)
    print(f"{counts}, refused {seen['refused']}, arrived {len(got)}")
    assert (paused, answer, seen["status"]) == (200, 202, "done")
    assert in_the_pause == set()
    assert set(got.values()) == {1}, "somebody was mailed twice"
    assert late(begun(), left_at) == [], "a transmission began after an answer"
    # Who left before their message was made has none; who left later was refused theirs.
    unmade, refused = CROWD - sum(counts.values()), sum(seen["refused"].values())
    assert unmade + refused == len(left_at.keys() - got.keys())
    assert set(seen["refused"]) <= {"withdrawn", "erased"}
    # What was past its dot when its worker was killed arrived or did not: nobody here knows.
    assert counts["sent"] <= len(got) <= counts["sent"] + counts.get("uncertain", 0)
    without = set(people) - got.keys() - left_at.keys()
    assert len(without) <= counts.get("uncertain", 0), "somebody permitted got none"


async def crowd(gateway: Gateway) -> list[str]:
    """Everybody who agreed, written as an import would."""
    async with open_parts(config.load(gateway.config), DatabaseClock()) as parts:
        await agree(parts, CROWD)
        async with parts.data.begin() as connection:
            # Each would be told to receivers first, which is no part of this.
            await connection.execute(delete(telling_tables.change))
    return [f"person{number}@example.org" for number in range(CROWD)]


def reached(handed_over: crowds.HandedOver, count: int) -> bool:
    return handed_over() >= count


def some_of(people: Sequence[str], but: Collection[str], count: int) -> list[str]:
    """Some who are not among those, the last first: their turn comes late."""
    others = set(but)
    return [one for one in reversed(people) if one not in others][:count]


async def leave(
    gateway: Gateway, key: str, people: Collection[str], left_at: dict[str, float]
) -> None:
    """They withdraw, ten at a time; each is answered before anything else is done."""
    turns = asyncio.Semaphore(10)

    async def one(address: str) -> None:
        async with turns:
            assert await withdraw(gateway, key, address) == 200
            left_at[address] = time.monotonic()

    await asyncio.gather(*map(one, people))


def late(begun: Mapping[str, Collection[float]], left_at: Mapping[str, float]) -> list[str]:
    """Whose transmission began after they were answered."""
    return [one for one, at in left_at.items() if any(moment > at for moment in begun.get(one, ()))]


def arrived(gateway: Gateway) -> Counter[str]:
    """Mails that the relay accepted, by recipient: read line by line, for there are many."""
    found: Counter[str] = Counter()
    with gateway.relay_log.open("rb") as lines:
        for line in lines:
            if b'"event": "dot"' in line and (one := json.loads(line))["accepted"]:
                found[one["rcpt_to"]] += 1
    return found
