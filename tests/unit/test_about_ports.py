"""Where `serve` would listen: free, ours already, or somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.watch import about_ports
from gateway.watch.findings import Finding
from tests.support.ports import free_port
from tests.unit.test_examination import OWN_RELAY, RELAYED, config

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def told(tmp_path: Path, place: str) -> Finding:
    listen = ('listen = "127.0.0.1:8080"', f'listen = "{place}"')
    off = ('admin_listen = "127.0.0.1:9180"', 'admin_listen = "off"')
    (finding,) = await about_ports.about(config(tmp_path, RELAYED, OWN_RELAY, listen, off))
    return finding


def saying(answer: bytes) -> Answer:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    return say


async def test_a_port_that_is_free_is_well(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"

    found = await told(tmp_path, place)

    assert (found.level, found.text) == ("ok", f"{place} is free (server.listen)")


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (b'HTTP/1.1 200 OK\r\n\r\n{"status": "ok"}', "ok"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "fail"),
        (b"", "fail"),
    ],
    ids=["a gateway", "another server", "one that hangs up"],
)
async def test_one_that_is_taken_is_ours_or_named(
    tmp_path: Path, answer: bytes, level: str
) -> None:
    server = await asyncio.start_server(saying(answer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async with server:
        found = await told(tmp_path, f"127.0.0.1:{port}")

    assert found.level == level
    assert "server.listen" in found.text
    assert bool(found.fix) is (level == "fail")


async def test_a_place_of_another_machine_is_named(tmp_path: Path) -> None:
    found = await told(tmp_path, "192.0.2.1:8080")

    assert found.level == "fail"
    assert "cannot be listened at" in found.text


async def test_of_the_demo_every_port_is_looked_at(tmp_path: Path) -> None:
    found = await about_ports.about(config(tmp_path))

    assert len(found) == 4
