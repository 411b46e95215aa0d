"""PostgreSQL's own recovery to a moment, as docs/operations.md has it, and what we say then."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.errors import GuardAhead
from gateway.flows.proving.verify import verify
from gateway.process import initialise
from gateway.process.lifespan import open_parts
from storage.clock import DatabaseClock
from tests.support.apps import ADA, App, configuration, start_app
from tests.support.postgres import Postgres, postgres
from tests.support.waiting import until

BOB = "bob@example.org"
OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


def settings(server: Postgres, *names: str) -> list[tuple[str, str]]:
    """As the document gives them; `/var` is the server's own place."""
    found = dict(re.findall(r"^(\w+) = '?(.*?)'?$", OPERATIONS.read_text(), re.MULTILINE))
    return [(name, found[name].replace("/var/", f"{server.root}/var/")) for name in names]


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_server_that_was_taken_back_is_a_restored_backup(tmp_path: Path) -> None:
    with postgres(durable=True) as server:
        archive = server.root / "var/archive"
        archive.mkdir(parents=True)
        if server.identity:
            os.chown(archive, server.identity["user"], server.identity["group"])
        for name, value in settings(server, "archive_mode", "archive_command"):
            server._say(f"ALTER SYSTEM SET {name} = '{value}'")
        server.stop()
        server.start()
        loaded = configuration(
            tmp_path, (server.create_database("data"), f"sqlite:///{tmp_path}/keys.db")
        )
        await initialise.initialise(loaded, DatabaseClock())

        async with start_app(loaded, DatabaseClock()) as app:
            await app.subscribe(ADA)
            await app.tick()
            base = archive / "base-2026-11-26"
            where = ["-h", str(server.socket), "-U", "postgres"]
            server._run("pg_basebackup", "-D", str(base), "-X", "none", "-c", "fast", *where)
            await app.subscribe(BOB)
            await app.tick()
            moment = await ask(app, "SELECT clock_timestamp()::text, pg_sleep(1)")
            await leave(app)
            last = await ask(app, "SELECT pg_walfile_name(pg_switch_wal())")
            await until(lambda: (archive / last).exists(), seconds=60)
        server.stop()
        take_back(server, base, moment)
        server.start()

        async with open_parts(loaded) as parts:
            with pytest.raises(GuardAhead):
                await parts.publisher.publish(parts.data, parts.guard, parts.clock)
            verdict = await verify(parts)
            async with parts.data.read() as connection:
                known = await connection.execute(text("SELECT count(*) FROM subject"))
                stops = await connection.execute(
                    text("SELECT count(*) FROM subject WHERE objected_at IS NOT NULL")
                )
        assert known.scalar_one() == 2
        assert stops.scalar_one() == 0
        assert verdict.report.cut_off_after is not None
        assert any("taking_away" in row for row in verdict.rows)


async def ask(app: App, query: str) -> str:
    async with app.parts.data.begin() as connection:
        return str((await connection.execute(text(query))).first()[0])  # type: ignore[index]  # one row


async def leave(app: App) -> None:
    body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    assert answer.status == 200
    await app.tick()


def take_back(server: Postgres, base: Path, moment: str) -> None:
    place = server.root / "d"
    place.rename(server.root / "lost")
    shutil.copytree(base, place)
    how = dict(settings(server, "restore_command", "recovery_target_action"))
    how["recovery_target_time"] = moment
    with (place / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in how.items())
    (place / "recovery.signal").touch()
    own(server, place)


def own(server: Postgres, place: Path) -> None:
    if server.identity:
        for one in (place, *place.rglob("*")):
            os.chown(one, server.identity["user"], server.identity["group"])
