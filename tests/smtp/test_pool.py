"""Connections to the relay: made in time, kept while good, limited, secured."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from pathlib import Path
from typing import Any

import pytest

from delivery.smtp import Pool, Relay
from delivery.transmission import Connection, Envelope, Timeouts, transmit
from storage.secret import Secret
from tests.smtp.test_transmit import Fences
from tests.support.certificates import loopback_contexts
from tests.support.sink import Sink, open_sink
from tests.support.waiting import until

MAIL = Envelope("news@acme.example", "ada@example.test", b"Subject: hello\r\n\r\nhello\r\n")


def relay(sink: Sink, **more: Any) -> Relay:
    settings = {"local_hostname": "gateway.example.test", "timeouts": Timeouts(connect=5)} | more
    return Relay("127.0.0.1", sink.port, **settings)


async def use(pool: Pool, connections: list[Connection]) -> None:
    for connection in connections:
        await transmit(connection, MAIL, Fences())
        pool.give_back(connection)


async def test_connections_are_made_up_to_the_limit() -> None:
    async with open_sink() as sink, Pool(relay(sink, connections=3)) as pool:
        first = await pool.ready(2)
        second = await pool.ready(5)
        third = await pool.ready(1)

        assert (len(first), len(second), len(third)) == (2, 1, 0)
        assert sink.connections == 3
        for connection in (*first, *second):
            pool.give_back(connection)


async def test_used_connections_are_used_again() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        for _ in range(5):
            await use(pool, await pool.ready(2))

        assert sink.connections == 2
        assert len(sink.accepted) == 10


async def test_without_a_number_the_pool_follows_the_load() -> None:
    async with open_sink() as sink, Pool(relay(sink, connections=6)) as pool:
        taken = [await pool.ready() for _ in range(5)]

        assert [len(one) for one in taken] == [1, 1, 2, 2, 0]
        for connection in itertools.chain(*taken):
            pool.give_back(connection)


async def test_a_worn_connection_is_replaced() -> None:
    async with open_sink() as sink, Pool(relay(sink, messages_per_connection=2)) as pool:
        for _ in range(4):
            await use(pool, await pool.ready(1))

        assert sink.connections == 2


async def test_an_idle_connection_is_closed() -> None:
    async with open_sink() as sink, Pool(relay(sink, idle=0.1)) as pool:
        await use(pool, await pool.ready(1))

        await until(lambda: "QUIT" in sink.commands)


async def test_a_connection_that_the_server_closed_is_not_handed_out() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        await use(pool, await pool.ready(1))
        sink.drop_sessions()
        await asyncio.sleep(0.05)

        await use(pool, await pool.ready(1))

        assert len(sink.accepted) == 2


async def test_a_relay_that_is_away_gives_no_connections_and_is_not_hammered() -> None:
    async with open_sink() as sink:
        target = relay(sink)
    async with Pool(target) as pool:
        assert await pool.ready(2) == []
        assert pool.trouble is not None
        assert "refused" in pool.trouble.problem

        async with open_sink(port=target.port) as again:
            assert await pool.ready(1) == []
            assert again.connections == 0
            await asyncio.sleep(0.6)
            await use(pool, await pool.ready(1))
            assert pool.trouble is None


async def test_a_relay_that_turns_us_away_is_told_by_code_alone() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        sink.greeting = "554 5.7.1 no mail from ada@example.test"

        assert await pool.ready(1) == []

        assert pool.trouble is not None
        assert pool.trouble.code == 554
        assert "ada" not in str(pool.trouble)


async def test_a_relay_that_stays_silent_is_left() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        slow = Relay("127.0.0.1", port, local_hostname="x.example", timeouts=Timeouts(connect=0.2))
        async with Pool(slow) as pool:
            assert await pool.ready(1) == []
            assert pool.trouble is not None
            assert "in time" in pool.trouble.problem


async def test_a_cancelled_connect_loses_no_place() -> None:
    async with open_sink() as sink, Pool(relay(sink, connections=2)) as pool:
        task = asyncio.ensure_future(pool.ready(2))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        connections = await pool.ready(2)

        assert len(connections) == 2
        for connection in connections:
            pool.give_back(connection)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_goes_over_verified_tls_with_credentials(tmp_path: Path, tls: str) -> None:
    server, client = loopback_contexts(tmp_path)
    async with open_sink(tls=server if tls == "implicit" else None) as sink:
        sink.tls = server if tls == "starttls" else None
        safe = relay(sink, tls=tls, username="gateway", password=Secret(b"hush"))

        async with Pool(safe, client) as pool:
            await use(pool, await pool.ready(1))

        assert len(sink.accepted) == 1
        assert sink.credentials == [b"\0gateway\0hush"]
        assert "hush" not in repr(safe)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_an_untrusted_certificate_gets_no_mail(tmp_path: Path, tls: str) -> None:
    server, _ = loopback_contexts(tmp_path)
    async with open_sink(tls=server if tls == "implicit" else None) as sink:
        sink.tls = server if tls == "starttls" else None

        async with Pool(relay(sink, tls=tls), ssl.create_default_context()) as pool:
            assert await pool.ready(1) == []
            assert pool.trouble is not None
            assert "certificate" in pool.trouble.problem


async def test_starttls_that_is_not_offered_is_not_done_without() -> None:
    async with open_sink() as sink, Pool(relay(sink, tls="starttls")) as pool:
        assert await pool.ready(1) == []
        assert sink.transactions == []
