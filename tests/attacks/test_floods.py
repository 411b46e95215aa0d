"""Networks that flood the forms of two nodes at once must not stand in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.apps import App, open_app, start_app
from tests.support.clock import SteppedClock
from tests.support.databases import Databases

ROUNDS = 12
POSTS = 30  # of each flooding network to each node
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture
async def nodes(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[list[App]]:
    """Two processes of one gateway on one database, each with connections of its own."""
    clock = SteppedClock()
    async with (
        open_app(tmp_path, new_database_url, "postgresql", limits=True, clock=clock) as first,
        start_app(first.parts.config, clock) as second,
    ):
        yield [first, second]


async def post(app: App, body: dict[str, Any], network: str) -> int:
    headers = {"X-Forwarded-For": network}
    async with app.http.post("/forms/signup", json=body, headers=headers) as answer:
        return answer.status


async def test_four_networks_that_flood_two_nodes_keep_no_honest_post_out(
    nodes: list[App],
) -> None:
    body = await nodes[0].posted()
    flood: set[int] = set()
    honest: list[int] = []

    for turn in range(ROUNDS):
        flooding = [f"198.18.{turn}.{n}" for n in range(1, 5)]
        posts = [
            post(app, body, network)
            for app, order in zip(nodes, (flooding, flooding[::-1]), strict=True)
            for network in order * POSTS
        ]
        visits = [post(app, body, f"203.0.113.{n}") for n, app in enumerate(nodes, 1)]
        *of_flood, one, other = await asyncio.gather(*posts, *visits)
        flood |= set(of_flood)
        honest += [one, other]
        nodes[0].step(timedelta(minutes=2))  # the form has room again

    assert honest == [202] * 2 * ROUNDS
    assert flood <= {202, 429}
    assert await deadlocks(nodes[0]) == 0


async def deadlocks(app: App) -> int:
    """As the server counts them; it learns of them within a second."""
    await asyncio.sleep(1.1)
    async with app.parts.data.read() as connection:
        number: int = (await connection.execute(text(_DEADLOCKS))).scalar_one()
        return number
