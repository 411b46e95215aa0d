"""Connections, handed on as they are: nobody meets what another one left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, event, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import database as databases
from storage import kept, one_hop, straight
from storage.database import Database, open_database
from storage.errors import StorageAway
from tests.support.statements import engine_of, statements

metadata = MetaData()
things = Table("things", metadata, Column("id", Integer, primary_key=True))
named = Table(
    "named",
    metadata,
    Column("of", Integer, ForeignKey(things.c.id, deferrable=True, initially="DEFERRED")),
)
IDS = select(things.c.id).order_by(things.c.id)
TWO = insert(things).values(id=2)
NOBODYS = insert(named).values(of=7)
PID = text("SELECT pg_backend_pid() AS pid").columns(pid=Integer)
STARTED = text("SELECT count(*) AS n FROM pg_stat_activity WHERE state LIKE 'idle in%'").columns(
    n=Integer
)


ONLY_POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"])


@pytest.fixture
async def database(dialect: str, new_database_url: Callable[[str], str]) -> AsyncIterator[Database]:
    url = new_database_url(dialect)
    async with open_database("data", url, connections=2) as opened:
        async with opened.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(things).values(id=1))
        yield opened


async def ids(database: Database) -> list[int]:
    async with database.read() as connection:
        return [one for (one,) in await straight.rows(connection, IDS)]


async def pid(connection: AsyncConnection) -> int:
    ((found,),) = await straight.rows(connection, PID)
    return int(found)


@ONLY_POSTGRESQL
async def test_the_next_transaction_has_the_connection_of_the_one_before(
    database: Database,
) -> None:
    async with database.begin() as connection:
        first = await pid(connection)
    async with database.read() as connection:
        second = await pid(connection)

    assert first == second


async def test_what_went_straight_is_there_once_the_block_ended_well(database: Database) -> None:
    async with database.begin() as connection:
        await straight.run(connection, TWO)
        assert await ids(database) == [1]  # elsewhere: it is not committed yet

    assert await ids(database) == [1, 2]


@pytest.mark.parametrize("began", ["straight", "by SQLAlchemy"])
async def test_a_block_that_fails_leaves_nothing_to_the_next(
    database: Database, began: str
) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with database.begin() as connection:
                if began == "by SQLAlchemy":
                    await connection.execute(IDS)
                await straight.run(connection, TWO)
                raise ZeroDivisionError

    assert await ids(database) == [1]
    async with database.begin() as connection:
        await straight.run(connection, TWO)
    assert await ids(database) == [1, 2]


@ONLY_POSTGRESQL
async def test_a_look_after_a_transaction_is_in_none(database: Database) -> None:
    async with database.begin() as connection:
        await straight.run(connection, TWO)
    async with database.read() as connection:
        await straight.rows(connection, IDS)
        await connection.execute(IDS)
        async with database.read() as other:
            ((started,),) = await straight.rows(other, STARTED)

    assert started == 0


async def test_a_commit_that_fails_is_told_as_sqlalchemy_tells_it(database: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        async with database.begin() as connection:
            await straight.run(connection, TWO)
            await straight.run(connection, NOBODYS)

    assert "7" not in str(caught.value)
    assert await ids(database) == [1]


async def test_whoever_is_cancelled_at_the_end_leaves_no_half_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def never(_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def write() -> None:
        async with database.begin() as connection:
            await straight.run(connection, TWO)

    commits = straight._Begun if database.dialect == "postgresql" else one_hop.Connection
    with monkeypatch.context() as patch:
        patch.setattr(commits, "commit", never)
        writing = asyncio.create_task(write())
        await reached.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    assert await ids(database) == [1]
    async with database.begin() as connection:
        await straight.run(connection, TWO)
    assert await ids(database) == [1, 2]
    if database.dialect == "postgresql":
        async with database.begin() as one, database.begin() as other:
            assert await pid(one) != await pid(other)


@ONLY_POSTGRESQL
async def test_one_more_than_there_are_connections_waits_for_its_turn(database: Database) -> None:
    entered: list[str] = []
    go_on = asyncio.Event()

    async def use(name: str) -> None:
        async with database.begin() as connection:
            entered.append(name)
            await pid(connection)
            await go_on.wait()

    async with asyncio.TaskGroup() as group:
        for name in ("one", "two"):
            group.create_task(use(name))
        while len(entered) < 2:  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.01)
        given_up = group.create_task(use("gave up"))
        group.create_task(use("three"))
        await asyncio.sleep(0.05)
        assert entered == ["one", "two"]
        given_up.cancel()
        go_on.set()

    assert entered == ["one", "two", "three"]


@ONLY_POSTGRESQL
async def test_who_waits_too_long_is_told_that_all_are_in_use(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_PATIENCE", 0.05)
    async with database.begin(), database.read():
        with pytest.raises(StorageAway, match="in use"):
            async with database.read():
                pass

    assert await ids(database) == [1]


async def test_while_somebody_listens_sqlalchemy_commits(database: Database) -> None:
    engine, open_then = engine_of(database), list[bool]()

    def heard(connection: Any) -> None:
        adapted = connection.connection.dbapi_connection
        postgresql = database.dialect == "postgresql"
        open_then.append(
            adapted._transaction is not None if postgresql else adapted._connection.in_transaction
        )

    event.listen(engine, "before_cursor_execute", lambda *_: None)
    event.listen(engine, "commit", heard)

    async with database.begin() as connection:
        await straight.run(connection, TWO)

    assert open_then == [True]
    assert await ids(database) == [1, 2]


async def test_a_snapshot_is_of_one_moment_however_many_connections_are_at_hand(
    database: Database,
) -> None:
    async with database.begin(), database.read():
        pass  # as many as there are
    async with database.snapshot() as connection:
        before = await straight.rows(connection, IDS)
        async with database.begin() as other:
            await straight.run(other, TWO)
        after = await straight.rows(connection, IDS)

    assert [*map(tuple, before)] == [*map(tuple, after)] == [(1,)]
    assert await ids(database) == [1, 2]


async def test_whoever_begins_to_listen_in_the_midst_loses_nothing(database: Database) -> None:
    async with database.begin() as connection:
        await straight.run(connection, TWO)
        with statements():
            await straight.rows(connection, IDS)
    async with database.begin():
        with statements():
            pass
    with statements():
        async with database.begin():
            pass

    async with database.begin() as connection:
        await straight.run(connection, insert(things).values(id=3))
    assert await ids(database) == [1, 2, 3]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_transaction_of_sqlite_keeps_other_writers_out_from_its_first_word(
    database: Database, new_database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_SQLITE_PATIENCE", 1)
    url = engine_of(database).url.render_as_string()
    async with open_database("data", url) as elsewhere, database.begin():
        with pytest.raises(StorageAway, match="another process holds it"):
            async with elsewhere.begin():
                pass
        assert await ids(elsewhere) == [1]  # whoever reads waits for nobody

    assert await ids(database) == [1]
