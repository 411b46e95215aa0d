"""The disk is full: "ask again", nothing acknowledged is lost, and room again is enough."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.ports import free_port
from tests.support.waiting import until

ADA = "ada@example.org"


class Disk(Protocol):
    """Where databases and journal are; *holder* is the process that writes."""

    directory: Path

    def fill(self, holder: int) -> None: ...

    def free(self, holder: int) -> None: ...


@dataclass
class SmallDisk:
    """A file system of its own."""

    directory: Path

    def fill(self, holder: int) -> None:
        with suppress(OSError), (self.directory / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))

    def free(self, holder: int) -> None:
        (self.directory / "filler").unlink()


@dataclass
class NoLargerFiles:
    """Where nothing may be mounted: no file of the process takes another byte, its log included."""

    directory: Path

    def fill(self, holder: int) -> None:
        resource.prlimit(holder, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self, holder: int) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(holder, resource.RLIMIT_FSIZE, unlimited)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield NoLargerFiles(directory)  # the other test's way, on other files
        return
    try:
        yield SmallDisk(directory)
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.fixture
def no_larger_files(tmp_path: Path) -> Disk:
    (tmp_path / "disk").mkdir()
    return NoLargerFiles(tmp_path / "disk")


@pytest.fixture(params=["small_disk", "no_larger_files"])
def disk(request: pytest.FixtureRequest) -> Disk:
    found: Disk = request.getfixturevalue(request.param)
    return found


def _urls(directory: Path) -> Callable[[str], str]:
    names = iter(("data", "keys"))
    return lambda _dialect: f"sqlite:///{directory / next(names)}.db"


@pytest.mark.long
@pytest.mark.timeout(600)  # a start, a wait for SQLite's own patience: about 15 s
async def test_a_full_disk_loses_nothing_that_was_acknowledged(disk: Disk, tmp_path: Path) -> None:
    async with open_gateway(tmp_path, _urls(disk.directory), "sqlite", connections=4) as gateway:
        (disk.directory / "journal").mkdir()
        (tmp_path / "journal").symlink_to(disk.directory / "journal")
        await gateway.start("serve", "serve")
        holder = gateway.processes["serve"].pid
        key = await asyncio.to_thread(gateway.api_key)
        people = [f"delay-dot-100.person{n}@example.test" for n in range(4)]
        await crowds.subscribe(gateway, people)
        accepted = await crowds.post(gateway, key, people * 10, "before")
        texts = await gateway.texts("newsletter")

        filling = asyncio.create_task(asyncio.to_thread(disk.fill, holder))
        acknowledged, statuses = await _sign_up_until_refused(gateway, texts)
        await filling
        status, answer = await gateway.send(key, people[0])
        assert status in (202, 503)
        accepted += [answer["message_id"]] if status == 202 else []
        await asyncio.to_thread(disk.free, holder)

        print(f"{type(disk).__name__}: {len(acknowledged)} sign-ups acknowledged, then 503")
        assert statuses[-1] == 503
        seen = await _sent(gateway, key, accepted)
        copies = crowds.copies(gateway)
        assert {copies[one["message_id_header"]] for one in seen.values()} == {1}
        for address in acknowledged:
            await gateway.await_mail(address)
        assert await gateway.sign_up(ADA) == 202
        await gateway.await_mail(ADA)
        assert gateway.processes["serve"].poll() is None


async def _sign_up_until_refused(gateway: Gateway, texts: list[str]) -> tuple[list[str], list[int]]:
    """Who comes while the disk is filling, and finds it full at last."""
    acknowledged, statuses = [], []
    for number in range(200):
        address = f"late{number}@example.test"
        body = {"email": address, "purposes": ["newsletter"], "texts": texts}
        async with gateway.http.post(f"{gateway.base}/forms/signup", json=body) as answer:
            statuses.append(answer.status)
            if answer.status == 503:
                assert "Retry-After" in answer.headers
                break
            assert answer.status == 202
            acknowledged.append(address)
    return acknowledged, statuses


async def _sent(gateway: Gateway, key: str, messages: list[str]) -> dict[str, dict[str, Any]]:
    """Let the minutes pass that a broken-off try waits, until all are sent."""
    async with asyncio.timeout(60):
        while True:
            with suppress(TimeoutError):
                seen = await crowds.final(gateway, key, messages, seconds=3)
                assert {one["status"] for one in seen.values()} == {"sent"}
                return seen
            await crowds.make_due(gateway)


@pytest.mark.long
@pytest.mark.timeout(600)  # two processes and the pauses of a worker that must not go on
async def test_a_full_journal_stops_the_dots_and_nothing_else(
    tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    async with open_gateway(tmp_path, new_database_url, "postgresql", connections=2) as gateway:
        await gateway.start("serve", "serve")
        place = f"127.0.0.1:{free_port()}"
        await gateway.start("worker", "worker", "--listen", place)
        key = await asyncio.to_thread(gateway.api_key)
        await gateway.subscribe(ADA)
        worker, disk = gateway.processes["worker"].pid, NoLargerFiles(tmp_path)

        disk.fill(worker)
        ids = await crowds.post(gateway, key, [ADA] * 6, "while-full")
        await until(lambda: _transactions(gateway) > 1)
        await _readiness(gateway, place, 503, ["worker"])
        await asyncio.sleep(2)
        begun, arrived = _transactions(gateway), len(gateway.received(ADA))
        disk.free(worker)
        await _readiness(gateway, place, 200, [])

        assert arrived == 1, "a mail passed its dot without a line for it"
        assert begun <= 1 + 2 * 2, "it went on begging the relay for what it cannot finish"
        seen = await _sent(gateway, key, ids)
        copies = crowds.copies(gateway)
        assert {copies[one["message_id_header"]] for one in seen.values()} == {1}
        assert gateway.processes["worker"].poll() is None


async def _readiness(gateway: Gateway, place: str, status: int, lacking: list[str]) -> None:
    async with asyncio.timeout(60):
        while True:
            async with gateway.http.get(f"http://{place}/readyz") as answer:
                if (answer.status, (await answer.json())["lacking"]) == (status, lacking):
                    return
            await asyncio.sleep(0.1)


def _transactions(gateway: Gateway) -> int:
    return sum(one["event"] == "mail" for one in gateway.relay_events())
