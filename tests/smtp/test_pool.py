"""Connections to the relay: made in time, kept while good, limited, secured."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import structlog

from delivery import pool as pooling
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import Connection, Envelope, Timeouts, transmit
from tests.smtp.test_transmission import Fences
from tests.support.connections import take
from tests.support.loops import SteppedLoop
from tests.support.ports import free_port
from tests.support.sink import Sink, open_sink
from tests.support.waiting import PATIENCE, until

MAIL = Envelope("news@acme.example", "ada@example.test", b"Subject: hello\r\n\r\nhello\r\n")


def relay(sink: Sink, **more: Any) -> Relay:
    settings = {"local_hostname": "gateway.example.test", "timeouts": Timeouts(connect=300)} | more
    return Relay("127.0.0.1", sink.port, **settings)


async def use(pool: Pool, connections: list[Connection]) -> None:
    for connection in connections:
        await transmit(connection, MAIL, Fences())
        pool.give_back(connection)


async def test_connections_are_made_up_to_the_limit() -> None:
    async with open_sink() as sink, Pool(relay(sink, connections=3)) as pool:
        taken = await take(pool, 2)
        assert pool.take(5) == []
        taken += await take(pool, 1)

        assert pool.take(1) == []
        await asyncio.sleep(0.05)
        assert sink.connections == 3
        for connection in taken:
            pool.give_back(connection)


async def test_used_connections_are_used_again() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        for _ in range(5):
            await use(pool, await take(pool, 2))

        assert sink.connections <= 3, "one too many where the second is greeted first"
        assert len(sink.accepted) == 10


async def test_without_a_number_the_pool_follows_the_load() -> None:
    async with open_sink() as sink, Pool(relay(sink, connections=6)) as pool:
        taken: list[Connection] = []
        for size in (1, 2, 4, 6, 6):
            assert pool.take() == []
            await until(lambda size=size: pool._open == size)
            taken += pool.take()
            assert len(taken) == size

        for connection in taken:
            pool.give_back(connection)


async def test_a_worn_connection_is_replaced() -> None:
    async with open_sink() as sink, Pool(relay(sink, messages_per_connection=2)) as pool:
        for _ in range(4):
            await use(pool, await take(pool, 1))

        assert sink.connections == 2


async def test_an_idle_connection_is_closed() -> None:
    async with open_sink() as sink, Pool(relay(sink, idle=0.1)) as pool:
        await use(pool, await take(pool, 1))

        await until(lambda: "QUIT" in sink.commands)


async def test_a_connection_that_the_server_closed_is_not_handed_out() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        (connection,) = await take(pool, 1)
        await use(pool, [connection])
        sink.drop_sessions()
        await until(lambda: not connection.dialogue.is_open)

        await use(pool, await take(pool, 1))

        assert len(sink.accepted) == 2


async def test_a_relay_that_is_away_gives_no_connections_and_is_not_hammered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pooling, "_SHORTEST_PAUSE", 5.0)
    async with open_sink(port=free_port()) as sink:  # nobody else is given it while it is away
        target = relay(sink)
    async with Pool(target) as pool:
        assert pool.take(2) == []
        await until(lambda: pool.trouble)
        assert pool.trouble is not None
        assert "refused" in pool.trouble.problem

        async with open_sink(port=target.port) as again:
            assert pool.take(1) == []
            await asyncio.sleep(0.2)
            assert again.connections == 0
            await use(pool, await take(pool, 1))
            assert pool.trouble is None


async def test_a_relay_that_turns_us_away_is_told_by_code_alone() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        sink.greeting = "554 5.7.1 no mail from ada@example.test"

        pool.take(1)
        await until(lambda: pool.trouble)

        assert pool.trouble is not None
        assert pool.trouble.code == 554
        assert "ada" not in str(pool.trouble)


async def test_a_relay_that_lets_us_in_and_hangs_up_is_not_hammered() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        sink.hangs_up = True
        for _ in range(100):
            for connection in pool.take(1):
                pool.give_back(connection)
            await asyncio.sleep(0.01)

        assert pool.trouble is not None
        assert pool.trouble.problem == "it hung up before any mail"
        assert sink.connections < 8


def test_after_how_many_a_relay_ended_a_session_is_forgotten_in_time() -> None:
    async def remember() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        async with open_sink() as sink, Pool(relay(sink)) as pool:
            sink.each = 1
            for _ in range(2):
                await use(pool, await take(pool, 1))
            sink.each = None
            (shorn,) = await take(pool, 1)
            await transmit(shorn, MAIL, Fences())
            assert not pool.fit(shorn), "one is all that a session takes"
            loop.step(pooling._REMEMBERED)

            assert pool.fit(shorn)
            pool.give_back(shorn)

    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        runner.run(remember())


async def test_a_relay_that_stays_silent_is_left() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        slow = Relay("127.0.0.1", port, local_hostname="x.example", timeouts=Timeouts(connect=0.2))
        async with Pool(slow) as pool:
            pool.take(1)
            await until(lambda: pool.trouble)
            assert pool.trouble is not None
            assert "in time" in pool.trouble.problem


async def test_who_is_not_greeted_keeps_nobody_from_being_replaced() -> None:
    async with open_sink() as sink, Pool(relay(sink, messages_per_connection=1)) as pool:
        sink.slots = asyncio.Semaphore(2)
        taken = await take(pool, 2)
        assert pool.take(2) == []
        await until(lambda: sink.sessions == 4)

        async with asyncio.timeout(PATIENCE):  # an attempt is given up after minutes
            for _ in range(20):
                await use(pool, taken)
                taken = await take(pool, 2)

        assert len(sink.accepted) == 40
        assert sink.turned_away == 2
        await use(pool, taken)


async def test_a_limit_is_tried_again_ever_more_seldom_and_is_no_trouble() -> None:
    async with open_sink() as sink, Pool(relay(sink, messages_per_connection=1)) as pool:
        sink.slots, sink.full = asyncio.Semaphore(2), "421 4.7.0 too many connections"
        taken = await take(pool, 2)
        with structlog.testing.capture_logs() as lines:
            async with asyncio.timeout(PATIENCE):
                while sink.turned_away < 6:
                    assert pool.take() == []
                    await asyncio.sleep(0.01)
            began = time.monotonic()
            await use(pool, taken)  # and both are replaced: successes at the old size
            taken = await take(pool, 2)
            while sink.turned_away < 8:
                assert pool.take() == []
                await asyncio.sleep(0.01)

        assert time.monotonic() - began > 1.5
        assert pool.trouble is None
        assert lines == []
        for connection in taken:
            pool.give_back(connection)


async def test_a_limit_that_lasts_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "_SHORTEST_PAUSE", 0.05)
    monkeypatch.setattr(pooling, "_LONGEST_PAUSE", 0.1)
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        sink.slots, sink.full = asyncio.Semaphore(1), "421 4.7.0 too many connections"
        taken = await take(pool, 1)
        with structlog.testing.capture_logs() as lines:
            while sink.turned_away < 5:
                assert pool.take() == []
                await asyncio.sleep(0.01)

        (line,) = lines
        problem = "with 1 open, it turned us away"
        assert (line["event"], line["problem"], line["code"]) == ("relay_limit", problem, 421)
        for connection in taken:
            pool.give_back(connection)


async def test_the_pool_grows_again_when_the_relay_allows_more() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        sink.slots, sink.full = asyncio.Semaphore(2), "421 4.7.0 too many connections"
        taken = await take(pool, 2)
        pool.take()
        await until(lambda: sink.turned_away == 2)
        sink.full, sink.slots = None, asyncio.Semaphore(1000)

        taken += await take(pool, 4)

        for connection in taken:
            pool.give_back(connection)


async def test_who_is_told_need_not_ask_again_and_again() -> None:
    async with open_sink() as sink, Pool(relay(sink)) as pool:
        told = asyncio.Event()
        pool.tell(told.set)
        assert pool.take(1) == []

        async with asyncio.timeout(PATIENCE):
            await told.wait()

        (connection,) = pool.take(1)
        pool.give_back(connection)


async def test_a_pool_that_is_closed_while_it_connects_leaves_nothing_open() -> None:
    async with open_sink() as sink:
        sink.slots = asyncio.Semaphore(1)
        before = asyncio.all_tasks()
        async with Pool(relay(sink)) as pool:
            (connection,) = await take(pool, 1)
            assert pool.take(2) == []
            await until(lambda: sink.sessions == 3)
            pool.give_back(connection)
            began = time.monotonic()

        assert time.monotonic() - began < PATIENCE, "an attempt is given up after minutes"
        await until(lambda: sink.sessions == 0)
        assert asyncio.all_tasks() == before


async def test_a_bug_in_connecting_is_raised_where_connections_are_taken() -> None:
    async with open_sink() as sink, Pool(relay(sink, local_hostname="two\nlines")) as pool:
        pool.take(1)

        with pytest.raises(ValueError, match="local_hostname"):
            await take(pool, 1)
