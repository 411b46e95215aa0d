"""The log is closed while a process runs that nobody stopped: it ends, and nothing is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientError
from sqlalchemy import func, select

from audit import succession
from audit.gaps import Cause
from audit.successor import Opening
from audit.tables import audit_entry
from gateway.config import config
from gateway.parts import Parts
from gateway.process.lifespan import open_parts
from tests.support.databases import Databases
from tests.support.gateways import PATIENCE, Gateway, open_gateway

ADA, GRACE = "ada@example.test", "grace@example.test"


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, dialect) as opened:
        yield opened


def _opening(parts: Parts) -> Opening:
    return Opening(parts.log, parts.publisher.signers, parts.data, parts.guard, parts.clock)


async def _entries(parts: Parts, generation: int) -> int:
    """How many entries stand at the places of that log."""
    place, base = audit_entry.c.leaf_index, succession.base_of(generation)
    there = place.between(base, base + succession.STRIDE - 1)
    async with parts.data.read() as connection:
        return int((await connection.execute(select(func.count()).where(there))).scalar_one())


async def _ended(gateway: Gateway, name: str) -> int:
    """With which status a process ended by itself."""
    async with asyncio.timeout(PATIENCE):
        while (status := gateway.processes[name].poll()) is None:  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.05)
    del gateway.processes[name]
    return status


@pytest.mark.timeout(400)  # about 20 s without other load
async def test_it_ends_and_says_why_and_what_it_took_is_worked_off_by_the_next(
    gateway: Gateway, dialect: str
) -> None:
    names = ["serve"] if dialect == "sqlite" else ["serve", "worker"]
    for name in names:
        await gateway.start(name, name)
    await gateway.subscribe(ADA)
    key = gateway.api_key("messages:send")
    accepted, waits = [await _message(gateway, key)], await gateway.sign_up(GRACE)
    async with open_parts(config.load(gateway.config)) as parts:
        opening = _opening(parts)
        await opening.end(await opening.begin(), Cause.DAMAGED)
        closed = await _entries(parts, 1)
        with suppress(ClientError):  # until it is gone
            for _ in range(200):
                accepted.append(await _message(gateway, key))
        statuses = [await _ended(gateway, name) for name in names]
        assert await _entries(parts, 1) == closed

    assert (statuses, waits) == ([1] * len(names), 202)
    for name in names:
        said = gateway.log(name)
        assert re.search('"(LogClosed|SuccessorUnknown)"', said)  # it may have looked in between
        assert re.search("gateway: .* successor.*[Ss]tart (it )?again", said)
        await gateway.start(name, name)
    for one in accepted:
        # What it was past the dot of as it ended nobody can say; its lease ends by the clock.
        await gateway.await_status(key, one, "sent", "uncertain", seconds=180)
    await gateway.await_mail(GRACE)
    verified = gateway.try_command("audit", "verify")
    assert verified.returncode == 0, verified.stdout


async def _message(gateway: Gateway, key: str) -> str:
    status, said = await gateway.send(key, ADA)
    assert status == 202
    return str(said["message_id"])
