"""The database does what the packages build on, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, String, Table, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import DatabaseClock
from storage.database import Database, open_database
from storage.errors import StorageAway
from storage.locks import try_alone
from storage.types import Moment, among
from tests.support.statements import engine_of
from tests.support.waiting import PATIENCE, until

metadata = MetaData()
things = Table("things", metadata, Column("name", String, primary_key=True), Column("at", Moment))


@pytest.fixture(autouse=True)
async def tables(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await connection.execute(insert(things).values(name="a"))
            raise ZeroDivisionError

    async with database.read() as connection:
        assert (await connection.execute(select(things))).all() == []


async def test_what_one_statement_writes_at_once_is_there_for_all(database: Database) -> None:
    async with database.at_once() as connection:
        await connection.execute(insert(things).values(name="a"))

    async with database.read() as connection:
        assert (await connection.execute(select(things.c.name))).scalars().all() == ["a"]


async def test_moments_keep_their_microseconds_and_sort_as_time(database: Database) -> None:
    moments = [datetime(2026, 1, 1, 0, 0, 0, n, tzinfo=UTC) for n in (0, 5, 10, 100_000)]
    async with database.begin() as connection:
        rows = [{"name": str(n), "at": at} for n, at in enumerate(reversed(moments))]
        await connection.execute(insert(things), rows)

    async with database.read() as connection:
        found = (await connection.execute(select(things.c.at).order_by(things.c.at))).scalars()
        assert list(found) == moments


async def test_a_naive_moment_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="aware"):
        async with database.begin() as connection:
            await connection.execute(insert(things).values(name="a", at=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_a_duty_runs_in_one_transaction_at_a_time(database: Database) -> None:
    if database.dialect == "sqlite":  # the writing transaction itself excludes others
        async with database.begin() as connection:
            assert await try_alone(connection, "intake")
        return
    async with database.begin() as first, database.begin() as second:
        assert await try_alone(first, "intake")
        assert not await try_alone(second, "intake")
        assert await try_alone(second, "retention")


async def test_errors_quote_no_values(database: Database) -> None:
    secret = "canary@person.example"
    with pytest.raises(Exception) as caught:
        async with database.begin() as connection:
            await connection.execute(insert(things).values(name=secret))
            await connection.execute(insert(things).values(name=secret))

    assert secret not in str(caught.value)


async def test_a_database_that_is_not_there_is_away() -> None:
    async with open_database("data", "postgresql://nobody@/x?host=/nonexistent") as missing:
        with pytest.raises(StorageAway):
            await missing.ping()


async def test_a_statement_that_is_wrong_is_not_a_database_that_is_away(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.begin() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))


async def test_a_row_that_somebody_holds_too_long_is_away(
    dialect: str, new_database_url: Callable[[str], str]
) -> None:
    if dialect == "sqlite":
        url, impatient = new_database_url(dialect), text("PRAGMA busy_timeout = 50")
    else:
        url, impatient = new_database_url(dialect), text("SET LOCAL lock_timeout = '50ms'")
    async with open_database("one", url) as one, open_database("other", url) as other:
        async with other.read() as connection:
            await connection.execute(impatient)
        async with one.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(things).values(name="a"))
        async with one.begin() as held:
            await held.execute(update(things).values(name="b"))

            with pytest.raises(StorageAway):
                async with other.begin() as connection:
                    await connection.execute(impatient)
                    await connection.execute(update(things).values(name="c"))


async def test_a_damaged_file_is_away(tmp_path: Path) -> None:
    file = tmp_path / "damaged.db"
    file.write_bytes(b"no database, but as long as a page" * 1000)
    async with open_database("data", f"sqlite:///{file}") as damaged:
        with pytest.raises(StorageAway):
            await damaged.ping()


async def test_a_file_that_cannot_be_opened_is_away_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "directory").write_text("in the way")
    async with open_database("data", f"sqlite:///{tmp_path}/directory/data.db") as database:
        with pytest.raises(StorageAway):
            await database.ping()

        (tmp_path / "directory").unlink()
        (tmp_path / "directory").mkdir()

        await database.ping()


async def test_a_server_that_does_not_answer_is_away_and_used_again_when_it_does(
    new_database_url: Callable[[str], str],
) -> None:
    async with open_database("data", new_database_url("postgresql"), patience=0.2) as slow:
        with pytest.raises(StorageAway):
            async with slow.begin() as connection:
                await connection.execute(text("SELECT pg_sleep(20)"))

        async with asyncio.timeout(PATIENCE):
            while not await _answers(slow):  # a busy server is as slow to connect
                pass


async def _answers(database: Database) -> bool:
    with suppress(StorageAway):
        await database.ping()
        return True
    return False


async def test_connections_that_the_server_ended_are_replaced_unnoticed(
    new_database_url: Callable[[str], str],
) -> None:
    """Nobody asks an idle connection whether it lives; one that does not must not be handed out."""
    async with open_database("data", new_database_url("postgresql"), connections=3) as database:
        async with database.begin() as one, database.begin() as two:
            pids = [
                (await c.execute(text("SELECT pg_backend_pid()"))).scalar_one() for c in (one, two)
            ]
        async with database.begin() as connection:
            ending = text("SELECT pg_terminate_backend(:pid)")
            own = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            others = [pid for pid in pids if pid != own]
            for pid in others:
                await connection.execute(ending, {"pid": pid})
            while await _living(connection, others):  # noqa: ASYNC110 the server tells nobody
                await asyncio.sleep(0.01)
        await until(lambda: not any(map(_is_there, others)))  # and have closed their sockets
        await asyncio.sleep(0.1)  # what a dead one's socket says is read by then

        async with database.begin() as one, database.begin() as two:
            await one.execute(text("SELECT 1"))
            await two.execute(text("SELECT 1"))

        assert others


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


async def _living(connection: AsyncConnection, pids: list[int]) -> bool:
    await connection.execute(text("SELECT pg_stat_clear_snapshot()"))
    query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:pids)")
    return bool((await connection.execute(query, {"pids": pids})).scalar_one())


@pytest.mark.parametrize("number", [0, 1, 3000])
async def test_what_is_among_many_texts_is_found_whatever_they_hold(
    database: Database, number: int
) -> None:
    names = ["a", "ü", "quote \" ' {x,y} \\", ",", ""]
    async with database.begin() as connection:
        await connection.execute(insert(things), [{"name": one} for one in [*names, "other"]])

    wanted = [*names[:number], *(f"missing {n}" for n in range(number))]
    async with database.read() as connection:
        query = select(things.c.name).where(among(things.c.name, wanted))
        found = set((await connection.execute(query)).scalars())

    assert found == set(names[:number])


async def test_what_is_no_name_is_found_nowhere_and_keeps_nothing_from_being_found(
    database: Database,
) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(things), [{"name": one} for one in ("a", "c")])

    # Either database would cut the first one off, and find another's row.
    wanted: list[object] = ["a\0b", None, b"a", 1, "c"]
    async with database.read() as connection:
        query = select(things.c.name).where(among(things.c.name, wanted))
        found = (await connection.execute(query)).scalars().all()

    assert found == ["c"]


async def test_the_statement_is_the_same_for_any_number_of_texts(database: Database) -> None:
    queries = [select(things).where(among(things.c.name, names)) for names in ([], ["a", "b"])]
    none, two = (str(one.compile(dialect=engine_of(database).dialect)) for one in queries)
    keys = [one._generate_cache_key() for one in queries]

    assert none == two
    assert keys[0] == keys[1]


async def test_the_clock_is_read_when_asked_not_when_the_transaction_began(
    database: Database,
) -> None:
    clock = DatabaseClock()
    async with database.begin() as connection:
        first = await clock.now(connection)
        await asyncio.sleep(0.02)
        assert await clock.now(connection) - first >= timedelta(milliseconds=15)


OPENING = """
import asyncio, sys
from storage.database import open_database


async def open_it(url):
    async with open_database("data", url) as database:
        async with database.begin():
            pass


for url in sys.stdin:
    try:
        asyncio.run(open_it(url.strip()))
        print("opened", flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


@pytest.mark.long
def test_processes_that_open_a_new_file_at_once_wait_for_each_other(
    dialect: str, tmp_path: Path
) -> None:
    """SQLite itself tells one of them in a few hundred that the file is locked."""
    if dialect != "sqlite":
        return
    nodes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = set()
    for n in range(500):
        for node in nodes:
            assert node.stdin is not None
            node.stdin.write(f"sqlite:///{tmp_path}/{n}.db\n")
            node.stdin.flush()
        for node in nodes:
            assert node.stdout is not None
            said.add(node.stdout.readline().strip())
    for node in nodes:
        node.communicate()

    assert said == {"opened"}
