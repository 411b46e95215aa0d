from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.callers import idempotency
from gateway.callers.idempotency import Remembered, Request, Ticket, once
from gateway.errors import InFlight, Invalid, KeyReused
from gateway.schema.tables import metadata
from storage.database import Database
from storage.secret import Secret
from tests.support.clock import SteppedClock
from tests.support.locks import blocked

KEY = Secret(bytes(range(32)))


@pytest.fixture
async def data(database: Database) -> AsyncIterator[Database]:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database


def asked(header: str = "order-1", body: bytes = b"{}", **changes: str) -> Request:
    facts = {"api_key": "key_a", "endpoint": "POST /v1/messages", **changes}
    return idempotency.identify(KEY, header=header, body=body, **facts)


async def do(data: Database, clock: SteppedClock, request: Request, answer: bytes = b"1") -> bytes:
    async with once(data, clock, request) as outcome:
        if isinstance(outcome, Remembered):
            return outcome.answer
        async with data.begin() as connection:
            await idempotency.remember(connection, outcome, 202, answer)
        return answer


async def test_the_second_request_gets_the_first_ones_answer(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked(), b"first")

    async with once(data, clock, asked()) as outcome:
        assert outcome == Remembered(202, b"first")


@pytest.mark.parametrize(
    "other",
    [asked(header="order-2"), asked(api_key="key_b"), asked(endpoint="POST /v1/messages/batch")],
    ids=["other key", "other caller", "other endpoint"],
)
async def test_another_request_is_done_on_its_own(
    data: Database, clock: SteppedClock, other: Request
) -> None:
    await do(data, clock, asked(), b"first")

    assert await do(data, clock, other, b"second") == b"second"


async def test_the_same_key_with_another_body_is_refused(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked())

    with pytest.raises(KeyReused):
        await do(data, clock, asked(body=b"[]"))


async def test_while_the_first_is_in_flight_the_second_is_told_so(
    data: Database, clock: SteppedClock
) -> None:
    async with once(data, clock, asked()):
        with pytest.raises(InFlight):
            await do(data, clock, asked())
        with pytest.raises(KeyReused):
            await do(data, clock, asked(body=b"[]"))


async def test_of_many_at_once_one_is_done(data: Database, clock: SteppedClock) -> None:
    async def attempt(number: int) -> bytes | InFlight:
        try:
            return await do(data, clock, asked(), b"%d" % number)
        except InFlight as error:
            return error

    results = await asyncio.gather(*(attempt(number) for number in range(8)))

    assert len({result for result in results if isinstance(result, bytes)}) == 1


async def test_a_request_that_failed_is_not_remembered(data: Database, clock: SteppedClock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with once(data, clock, asked()):
            raise ZeroDivisionError

    assert await do(data, clock, asked(), b"again") == b"again"


async def test_a_request_that_ended_without_an_answer_is_not_remembered(
    data: Database, clock: SteppedClock
) -> None:
    async with once(data, clock, asked()):
        pass

    assert await do(data, clock, asked(body=b"[]"), b"again") == b"again"


async def test_an_answer_goes_with_its_change_when_that_is_rolled_back(
    data: Database, clock: SteppedClock
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with once(data, clock, asked()) as outcome, data.begin() as connection:
            assert isinstance(outcome, Ticket)
            await idempotency.remember(connection, outcome, 202, b"lost")
            raise ZeroDivisionError

    assert await do(data, clock, asked(), b"again") == b"again"


async def test_a_commit_that_seemed_to_fail_but_did_happen_is_remembered(
    data: Database, clock: SteppedClock
) -> None:
    with pytest.raises(ConnectionError):
        async with once(data, clock, asked()) as outcome:
            assert isinstance(outcome, Ticket)
            async with data.begin() as connection:
                await idempotency.remember(connection, outcome, 202, b"kept")
            raise ConnectionError

    assert await do(data, clock, asked()) == b"kept"


async def test_a_request_whose_process_died_can_be_repeated(
    data: Database, clock: SteppedClock
) -> None:
    async with data.begin() as connection:
        await idempotency.take(connection, asked(), clock.wall())
    clock.step(timedelta(minutes=1))

    assert await do(data, clock, asked(), b"again") == b"again"


async def test_a_request_that_was_overtaken_cannot_make_its_change(
    data: Database, clock: SteppedClock
) -> None:
    with pytest.raises(InFlight):
        async with once(data, clock, asked()) as slow:
            assert isinstance(slow, Ticket)
            clock.step(timedelta(minutes=2))
            await do(data, clock, asked(), b"fast")
            async with data.begin() as connection:
                await idempotency.remember(connection, slow, 202, b"slow")

    assert await do(data, clock, asked()) == b"fast"


async def test_names_are_taken_together_and_each_is_answered_for_itself(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked(header="old"), b"old")
    requests = [
        asked(header="old"),
        asked(header="old", body=b"[]"),
        asked(header="new"),
        asked(header="new"),
        asked(header="new", body=b"[]"),
        asked(header="refused"),
    ]

    async with data.begin() as connection:
        found = await idempotency.take_all(connection, requests, clock.wall())
        new, refused = found[2], found[5]
        assert isinstance(new, Ticket)
        assert isinstance(refused, Ticket)
        await idempotency.answer_all(connection, [(new, b"new"), (refused, None)], 202)

    assert found[0] == Remembered(202, b"old")
    assert [type(one) for one in found[1:]] == [KeyReused, Ticket, InFlight, KeyReused, Ticket]
    assert await do(data, clock, asked(header="new"), b"other") == b"new"
    assert await do(data, clock, asked(header="refused"), b"now") == b"now"


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer
async def test_names_that_are_taken_in_different_orders_do_not_lock_each_other_out(
    data: Database, clock: SteppedClock
) -> None:
    low, high = sorted([asked(header="a"), asked(header="b")], key=lambda one: one.name)

    async def both() -> None:
        async with data.begin() as connection:
            await idempotency.take_all(connection, [high, low], clock.wall())

    async with data.begin() as connection:
        await idempotency.take_all(connection, [low], clock.wall())
        waiting = asyncio.create_task(both())
        await blocked(data, 1)
        (second,) = await idempotency.take_all(connection, [high], clock.wall())

    assert isinstance(second, Ticket)
    await waiting


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer
async def test_a_purge_waits_for_nobody(data: Database, clock: SteppedClock) -> None:
    await do(data, clock, asked())
    clock.step(timedelta(hours=24))

    async with data.begin() as holder, data.begin() as purger, asyncio.timeout(5):
        await idempotency.take(holder, asked(), clock.wall())
        assert await idempotency.purge(purger, clock.wall()) == 0


async def test_after_a_day_the_key_is_free_again(data: Database, clock: SteppedClock) -> None:
    await do(data, clock, asked(), b"first")
    clock.step(timedelta(hours=24))

    assert await do(data, clock, asked(body=b"[]"), b"second") == b"second"


async def test_old_answers_are_purged(data: Database, clock: SteppedClock) -> None:
    await do(data, clock, asked())
    clock.step(timedelta(hours=23))
    await do(data, clock, asked(header="order-2"))
    clock.step(timedelta(hours=1))

    async with data.begin() as connection:
        purged = await idempotency.purge(connection, clock.wall())
        table = idempotency.idempotency
        left = (await connection.execute(select(func.count()).select_from(table))).scalar_one()

    assert (purged, left) == (1, 1)


@pytest.mark.parametrize("header", ["", "a b", "ä", "x" * 256, "a\n"])
def test_an_unfit_key_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        asked(header=header)


def test_neither_key_nor_body_can_be_read_or_guessed() -> None:
    request = asked(header="ada@example.org", body=b"ada@example.org")

    other = idempotency.identify(
        Secret(bytes(32)),
        api_key=request.api_key,
        endpoint=request.endpoint,
        header="ada@example.org",
        body=b"ada@example.org",
    )

    assert b"ada" not in request.key_hash + request.fingerprint
    assert len({request.key_hash, request.fingerprint, other.key_hash, other.fingerprint}) == 4
