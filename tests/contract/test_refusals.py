"""Why a database could not be used is said in words that somebody can act on."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.cli.talk import explain
from storage import refusals
from storage.database import open_database
from storage.errors import StorageAway
from storage.refusals import way_out, why
from tests.support.postgres import Postgres, postgres


@pytest.fixture(scope="module")
def strict() -> Iterator[Postgres]:
    """A server that wants passwords, of all but its owner."""
    with postgres() as server:
        (server.root / "d" / "pg_hba.conf").write_text(
            "local all postgres trust\nlocal all guest scram-sha-256\nlocal postgres other trust\n"
        )
        server.stop()
        server.start()
        yield server


async def refusal(url: str) -> str:
    async with open_database("data", url) as database:
        with pytest.raises(StorageAway) as caught:
            await database.ping()
    assert "hush" not in str(caught.value)
    return caught.value.why


async def test_postgresql_says_why_it_lets_us_not_in(strict: Postgres) -> None:
    async with open_database("data", strict.url()) as database, database.begin() as connection:
        await connection.execute(text("CREATE ROLE guest LOGIN PASSWORD 'hush'"))
        await connection.execute(text("CREATE ROLE other LOGIN"))
    there = f"?host={strict.socket}"

    assert [
        await refusal(f"postgresql://guest:wrong-hush@/postgres{there}"),
        await refusal(f"postgresql://nobody:hush@/postgres{there}"),
        await refusal(f"postgresql://other@/template1{there}"),
        await refusal(f"postgresql://postgres@/no_such{there}"),
        await refusal(f"postgresql://postgres@/postgres?host={strict.root / 'nowhere'}"),
    ] == [
        "it does not know this user with this password",
        "it does not let this user in from here (pg_hba.conf)",
        "it does not let this user in from here (pg_hba.conf)",
        "there is no database of that name",
        "No such file or directory",
    ]


async def test_a_database_that_was_never_made_is_to_be_made_and_not_started(
    strict: Postgres,
) -> None:
    reason = await refusal(f"postgresql://postgres@/no_such?host={strict.socket}")

    assert way_out(reason).startswith("make it (CREATE DATABASE")
    assert way_out("Connection refused") == way_out("") == "start it"


async def test_what_a_user_may_not_do_is_no_bug_of_ours(strict: Postgres) -> None:
    async with open_database("data", strict.url()) as database, database.begin() as connection:
        await connection.execute(text("CREATE TABLE theirs (a int)"))
        await connection.execute(text("CREATE ROLE reader LOGIN"))
        await connection.execute(text("SET ROLE reader"))
        with pytest.raises(Exception, match="permission denied") as caught:
            await connection.execute(text("SELECT * FROM theirs"))
        await connection.rollback()

    assert explain(caught.value) == (
        "gateway: a database refuses what we do: this user may not do that there"
    )


async def test_where_nobody_listens_or_the_host_is_not_known_that_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = await refusal(f"postgresql://postgres@127.0.0.1:{taken.getsockname()[1]}/postgres")

    assert closed == "Connection refused"
    assert await refusal("postgresql://postgres@no-such-host.invalid/postgres") == (
        "the name of its host is not known"
    )


async def test_sqlite_says_why_its_file_is_of_no_use(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_bytes(b"no database at all, but long enough to be one\n" * 99)
    (tmp_path / "folder.db").mkdir()

    assert [
        await refusal(f"sqlite:///{tmp_path}/text.db"),
        await refusal(f"sqlite:///{tmp_path}/folder.db"),
    ] == ["its file is no database", "its file cannot be opened: see who owns it, its folder too"]


def test_a_kind_that_says_nothing_is_not_quoted() -> None:
    assert why(ValueError("hush")) == ""
    assert why(sqlite3.OperationalError("hush")) == ""


def test_whatever_answered_need_not_be_started() -> None:
    """Each word of ours has a way out of its own; to start is for what gave no answer."""
    answered = [*refusals._POSTGRESQL.values(), *refusals._SQLITE.values()]

    for reason in (*answered, why(PoolTimeout("all connections are in use"))):
        assert way_out(reason) != "start it", reason
