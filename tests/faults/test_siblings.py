"""`gateway worker --processes`: who dies is replaced, and all end together."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from gateway.process.siblings import next_wait
from tests.support.gateways import Gateway, open_gateway
from tests.support.ports import free_ports
from tests.support.waiting import until


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, "postgresql") as opened:
        yield opened


@pytest.mark.timeout(600)  # processes start, on a busy machine slowly
async def test_whoever_dies_is_replaced_and_all_end_with_the_one_that_keeps_them(
    gateway: Gateway,
) -> None:
    first = free_ports(2)
    await _start(gateway, first)
    keeper = gateway.processes["workers"].pid
    one, other = _children(keeper)

    os.kill(one, signal.SIGKILL)
    await until(lambda: "worker_begun_again" in gateway.log("workers"))
    assert _ended(gateway) == [(one, -signal.SIGKILL)]
    assert other in _children(keeper)
    assert one not in _children(keeper)
    await _await_ready(gateway, first)
    await _await_ready(gateway, first + 1)

    ours = _children(keeper)
    gateway.kill("workers", signal.SIGKILL)
    await until(lambda: not any(map(_lives, ours)))
    assert list((gateway.directory / "journal").glob("wrk_*")) == []  # they ended in order


@pytest.mark.timeout(600)  # processes start, on a busy machine slowly
async def test_all_end_in_order_as_one_is_told_to(gateway: Gateway) -> None:
    await _start(gateway, free_ports(2))
    ours = _children(gateway.processes["workers"].pid)
    assert len(ours) == 2

    assert await asyncio.to_thread(gateway.kill, "workers", signal.SIGTERM) == 0

    assert not any(map(_lives, ours))
    assert _ended(gateway) == []
    assert list((gateway.directory / "journal").glob("wrk_*")) == []


@pytest.mark.timeout(600)  # processes start, on a busy machine slowly
async def test_whoever_is_only_just_begun_again_ends_in_order_too(gateway: Gateway) -> None:
    await _start(gateway, free_ports(2))
    os.kill(_children(gateway.processes["workers"].pid)[0], signal.SIGKILL)
    await until(lambda: "worker_begun_again" in gateway.log("workers"))

    assert await asyncio.to_thread(gateway.kill, "workers", signal.SIGTERM) == 0


async def test_what_cannot_start_is_not_begun_again(gateway: Gateway) -> None:
    (gateway.directory / "keyring.json").rename(gateway.directory / "elsewhere")

    done = await asyncio.to_thread(gateway.try_command, "worker", "--processes", "2")

    assert done.returncode == 1
    assert "worker_never_worked" in done.stderr
    assert "keyring" in done.stderr
    assert "begun_again" not in done.stderr


async def test_on_sqlite_more_than_one_is_refused(
    tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    async with open_gateway(tmp_path, new_database_url, "sqlite") as gateway:
        done = await asyncio.to_thread(gateway.try_command, "worker", "--processes", "2")

        assert done.returncode == 2
        assert "--processes" in done.stderr
        assert "SQLite" in done.stderr


def test_one_that_dies_again_and_again_waits_longer_each_time_but_never_for_long() -> None:
    waits = [0.0]
    while len(waits) < 10:
        waits.append(next_wait(waits[-1], lived=3))

    assert waits[1:8] == [1, 2, 4, 8, 16, 32, 60]
    assert next_wait(60, lived=3) == 60
    assert next_wait(60, lived=3600) == 1


async def _start(gateway: Gateway, first: int) -> None:
    """Two, at this port and the next."""
    place = f"127.0.0.1:{first}"
    await gateway.start("workers", "worker", "--processes", "2", "--listen", place)
    await _await_ready(gateway, first)
    await _await_ready(gateway, first + 1)


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _ended(gateway: Gateway) -> list[tuple[int, int]]:
    """Who died unasked, and how, as the log tells."""
    lines = map(json.loads, gateway.log("workers").splitlines())
    found = [one for one in lines if one["event"] == "worker_ended"]
    return [(one["process"], one["status"]) for one in found]


async def _await_ready(gateway: Gateway, port: int) -> None:
    until_then = time.monotonic() + 90
    while True:
        try:
            async with gateway.http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        assert time.monotonic() < until_then
        await asyncio.sleep(0.1)
