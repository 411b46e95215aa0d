from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import astuple
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name, Remembered, Ticket
from gateway.schema import tables
from gateway.schema.tables import metadata
from storage.database import Database
from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret
from tests.support.clock import SteppedClock
from tests.support.locks import blocked

KEY = Secret(bytes(range(32)))
OLD = KeySet.of(KEY)


@pytest.fixture
async def data(database: Database) -> AsyncIterator[Database]:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database


def asked(key: str = "order-1", body: bytes = b"{}", keys: KeySet = OLD, **changes: str) -> Name:
    facts = {"api_key": "key_a", "endpoint": "POST /v1/messages", **changes}
    return idempotency.identify(keys, key=key, body=body, meaning=body, status=202, **facts)


async def do(
    data: Database, clock: SteppedClock, name: Name, document: bytes | None = b"1"
) -> bytes | Clash | None:
    """What whoever asks is told: the first of a name that it became *document*."""
    async with data.begin() as connection:
        (found,) = await idempotency.take(connection, [name], clock.wall())
        if isinstance(found, Remembered):
            return found.document
        if isinstance(found, Clash):
            return found
        await idempotency.remember(connection, [(found, document)])
        return document


async def leave_unanswered(data: Database, clock: SteppedClock, name: Name) -> None:
    """As releases before took the name for a batch: in a transaction of its own."""
    async with data.begin() as connection:
        await idempotency.take(connection, [name], clock.wall())


async def test_the_second_request_is_told_what_became_of_the_first(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked(), b"first")

    assert await do(data, clock, asked(), b"second") == b"first"


@pytest.mark.parametrize(
    "other",
    [asked(key="order-2"), asked(api_key="key_b"), asked(endpoint="POST /v1/messages/batch")],
    ids=["other key", "other caller", "other endpoint"],
)
async def test_another_request_is_done_on_its_own(
    data: Database, clock: SteppedClock, other: Name
) -> None:
    await do(data, clock, asked(), b"first")

    assert await do(data, clock, other, b"second") == b"second"


async def test_the_same_key_with_another_body_is_refused(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked())

    assert await do(data, clock, asked(body=b"[]")) is Clash.REUSED


async def test_while_the_first_is_in_flight_the_second_is_told_so(
    data: Database, clock: SteppedClock
) -> None:
    await leave_unanswered(data, clock, asked())

    assert await do(data, clock, asked()) is Clash.IN_FLIGHT
    assert await do(data, clock, asked(body=b"[]")) is Clash.REUSED


async def test_of_many_at_once_one_is_done(data: Database, clock: SteppedClock) -> None:
    told = await asyncio.gather(*(do(data, clock, asked(), b"%d" % n) for n in range(8)))

    assert len(set(told)) == 1


async def test_who_comes_while_the_first_is_done_waits_for_its_end(
    data: Database, clock: SteppedClock
) -> None:
    async with data.begin() as connection:
        (ticket,) = await idempotency.take(connection, [asked()], clock.wall())
        assert isinstance(ticket, Ticket)
        second = asyncio.create_task(do(data, clock, asked(), b"second"))
        done, _ = await asyncio.wait([second], timeout=0.2)
        await idempotency.remember(connection, [(ticket, b"first")])

    assert not done
    assert await second == b"first"


async def test_what_became_of_a_request_goes_with_its_change_when_that_is_rolled_back(
    data: Database, clock: SteppedClock
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with data.begin() as connection:
            (ticket,) = await idempotency.take(connection, [asked()], clock.wall())
            assert isinstance(ticket, Ticket)
            await idempotency.remember(connection, [(ticket, b"lost")])
            raise ZeroDivisionError

    assert await do(data, clock, asked(body=b"[]"), b"again") == b"again"


async def test_a_request_whose_name_was_given_back_is_not_remembered(
    data: Database, clock: SteppedClock
) -> None:
    assert await do(data, clock, asked(), None) is None

    assert await do(data, clock, asked(body=b"[]"), b"again") == b"again"


async def test_a_request_whose_process_died_can_be_repeated(
    data: Database, clock: SteppedClock
) -> None:
    await leave_unanswered(data, clock, asked())
    clock.step(timedelta(minutes=1))

    assert await do(data, clock, asked(), b"again") == b"again"


async def test_names_are_taken_together_and_each_is_answered_for_itself(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked(key="old"), b"old")
    names = [
        asked(key="old"),
        asked(key="old", body=b"[]"),
        asked(key="new"),
        asked(key="new"),
        asked(key="new", body=b"[]"),
        asked(key="refused"),
        asked(key="newer", endpoint="POST /v1/messages/batch"),
    ]

    async with data.begin() as connection:
        found = await idempotency.take(connection, names, clock.wall())
        new, refused, newer = found[2], found[5], found[6]
        assert isinstance(new, Ticket)
        assert isinstance(refused, Ticket)
        assert isinstance(newer, Ticket)
        documents = [(new, b"new"), (refused, None), (newer, b"newer")]
        await idempotency.remember(connection, documents)

    assert found == [
        Remembered(b"old"),
        Clash.REUSED,
        new,
        Clash.IN_FLIGHT,
        Clash.REUSED,
        refused,
        newer,
    ]
    assert await do(data, clock, asked(key="new"), b"other") == b"new"
    assert await do(data, clock, names[6], b"other") == b"newer"
    assert await do(data, clock, asked(key="refused"), b"now") == b"now"


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer
async def test_names_that_are_taken_in_different_orders_do_not_lock_each_other_out(
    data: Database, clock: SteppedClock
) -> None:
    low, high = sorted([asked(key="a"), asked(key="b")], key=lambda name: name.row)

    async def both() -> None:
        async with data.begin() as connection:
            await idempotency.take(connection, [high, low], clock.wall())

    async with data.begin() as connection:
        await idempotency.take(connection, [low], clock.wall())
        waiting = asyncio.create_task(both())
        await blocked(data, 1)
        (second,) = await idempotency.take(connection, [high], clock.wall())

    assert isinstance(second, Ticket)
    await waiting


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer
async def test_a_purge_waits_for_nobody(data: Database, clock: SteppedClock) -> None:
    await do(data, clock, asked())
    clock.step(timedelta(hours=24))

    async with data.begin() as holder, data.begin() as purger, asyncio.timeout(60):
        await idempotency.take(holder, [asked()], clock.wall())
        assert await idempotency.purge(purger, clock.wall()) == 0


async def test_after_a_day_the_key_is_free_again(data: Database, clock: SteppedClock) -> None:
    await do(data, clock, asked(), b"first")
    clock.step(timedelta(hours=24))

    assert await do(data, clock, asked(body=b"[]"), b"second") == b"second"


async def test_old_answers_are_purged(data: Database, clock: SteppedClock) -> None:
    await do(data, clock, asked())
    clock.step(timedelta(hours=23))
    await do(data, clock, asked(key="order-2"))
    clock.step(timedelta(hours=1))

    async with data.begin() as connection:
        purged = await idempotency.purge(connection, clock.wall())
        table = tables.idempotency
        left = (await connection.execute(select(func.count()).select_from(table))).scalar_one()

    assert (purged, left) == (1, 1)


def test_neither_key_nor_body_can_be_read_or_guessed() -> None:
    name = asked(key="ada@example.org", body=b"ada@example.org")

    other = idempotency.identify(
        KeySet.of(Secret(bytes(32))),
        api_key=name.api_key,
        endpoint=name.endpoint,
        key="ada@example.org",
        body=b"ada@example.org",
        meaning=b"ada@example.org",
        status=202,
    )

    hashes = [h for one in (name.hashes, other.hashes) for h in astuple(one)]
    assert b"ada" not in b"".join(hashes)
    assert len(set(hashes)) == 6


# As nodes see them while the second follows the first: not yet active here, active there.
NEXT = Secret(bytes(range(1, 33)))
BEFORE = KeySet([Key(1, KeyState.ACTIVE, KEY), Key(2, KeyState.ANNOUNCED, NEXT)])
AFTER = KeySet([Key(1, KeyState.RETIRING, KEY), Key(2, KeyState.ACTIVE, NEXT)])


async def test_what_a_node_did_under_one_key_a_node_that_uses_the_next_does_not_do_again(
    data: Database, clock: SteppedClock
) -> None:
    await do(data, clock, asked(), b"first")
    assert await do(data, clock, asked(keys=AFTER), b"second") == b"first"
    await do(data, clock, asked("order-2", keys=AFTER), b"third")
    assert await do(data, clock, asked("order-2", keys=BEFORE), b"fourth") == b"third"
    assert await do(data, clock, asked("order-2", b"[]", keys=BEFORE)) is Clash.REUSED

    async with data.read() as connection:
        for keys in (BEFORE, AFTER):
            name = asked("order-2", keys=keys)
            assert await idempotency.look(connection, name, clock.wall()) == Remembered(b"third")
    clock.step(timedelta(hours=24))
    assert await do(data, clock, asked(keys=AFTER), b"fifth") == b"fifth"


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_two_nodes_with_one_key_each_do_it_once_at_the_same_moment(
    data: Database, clock: SteppedClock
) -> None:
    async with data.begin() as holder:
        (found,) = await idempotency.take(holder, [asked(keys=BEFORE)], clock.wall())
        second = asyncio.create_task(do(data, clock, asked(keys=AFTER), b"second"))
        await blocked(data, 1)
        assert isinstance(found, Ticket)
        await idempotency.remember(holder, [(found, b"first")])

    assert await second == b"first"
