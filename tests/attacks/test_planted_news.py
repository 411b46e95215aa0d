"""Who writes rows cannot have others told what did not happen, nor claim that they were told."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from consent import tellings
from consent.telling_tables import change, telling
from gateway.watch import overview
from tests.contract.test_telling import Scene, staged
from tests.support.databases import Databases
from tests.support.hostile import by_sql

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@BOTH
async def test_rows_that_nobody_of_ours_wrote_tell_nobody_anything(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with staged(dialect, tmp_path, new_database_url) as scene:
        app, data = scene.app, scene.app.parts.data
        await app.subscribe()
        await scene.tell()
        async with data.read() as connection:
            honest = dict((await connection.execute(select(change))).one()._mapping)
            told = dict((await connection.execute(select(telling))).one()._mapping)
        planted = honest | {"id": "chg_planted", "eid": b"x" * 16, "kind": "subject.erased"}
        spread = planted | {"id": "chg_spread", "eid": b"y" * 16}
        async with data.begin() as connection:
            unspread = planted | {"receivers": None, "place": None}
            await connection.execute(insert(change), [unspread, spread])
            to = {"change": "chg_spread", "state": "waiting", "told_at": None}
            await connection.execute(insert(telling), [told | to])
        scene.crm.heard.clear()

        await scene.tell()
        # What happens after it is told all the same.
        erasure = await scene.erase()
        scene.crm.how = "fails"
        await scene.tell()

        assert scene.crm.heard == []
        doubts = " ".join(await scene.doubts())
        assert "change chg_planted" in doubts
        assert "telling chg_spread/crm" in doubts
        await _claim_that_it_was_told(scene, erasure)


async def _claim_that_it_was_told(scene: Scene, erasure: str) -> None:
    data = scene.app.parts.data
    at = scene.app.parts.clock.wall()
    async with data.begin() as connection:
        await connection.execute(delete(telling).where(telling.c.change == "chg_spread"))
        await connection.execute(
            delete(change).where(change.c.id.in_(["chg_planted", "chg_spread"]))
        )
        mine = telling.c.kind == "subject.erased"
        await connection.execute(update(telling).where(mine).values(state="told", told_at=at))

    shown = await scene.certificate(erasure)

    assert {one["webhook"]: one["acknowledged_at"] for one in shown["told"]}["crm"] is None
    assert any(one.startswith("telling ") for one in await scene.doubts())
    async with data.begin() as connection:
        await connection.execute(delete(telling).where(telling.c.webhook == "crm"))
        await connection.execute(delete(change).where(change.c.kind != "subject.erased"))
    assert any("is gone, and its change says" in one for one in await scene.doubts())
    async with data.begin() as connection:
        await connection.execute(delete(change))
    assert any("and its row is gone" in one for one in await scene.doubts())


@BOTH
@pytest.mark.parametrize("name", ["chg_é", "chg_nobodys"])
async def test_a_planted_row_that_nobody_can_be_told_of_keeps_nothing_back(
    name: str, dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    """Under a name that no change can have, and due so late that nobody looks at it for long."""
    async with staged(dialect, tmp_path, new_database_url) as scene:
        await scene.app.subscribe()
        await scene.tell()
        async with scene.app.parts.data.begin() as connection:
            told = dict((await connection.execute(select(telling))).one()._mapping)
            first = {"change": name, "state": "waiting", "told_at": None, "place": -1}
            first["due_at"] = scene.app.parts.clock.wall() + timedelta(hours=1)
            await connection.execute(insert(telling), [told | first])
        scene.crm.heard.clear()

        await scene.erase()
        await scene.tell()

        assert scene.crm.kinds() == ["consent.withdrawn", "subject.erased"]
        assert [name in one for one in await scene.doubts()] == [True]


@pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL keeps no such text
async def test_rows_under_names_that_are_no_text_keep_nobody_from_being_given_up(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with staged(dialect, tmp_path, new_database_url) as scene:
        parts = scene.app.parts
        scene.crm.how = "fails"
        await scene.app.subscribe()
        await scene.tell()
        columns = [one.name for one in telling.columns]
        values = ", ".join({"change": "CAST(x'ff' AS TEXT)"}.get(one, one) for one in columns)
        named = ", ".join(columns)
        await by_sql(
            scene.app,
            "CREATE TABLE honest AS SELECT * FROM telling",
            "DELETE FROM telling",
            f"INSERT INTO telling ({named}) SELECT {values} FROM honest",
            "INSERT INTO telling SELECT * FROM honest",
        )

        later = parts.clock.wall() + timedelta(days=31)
        for _ in range(3):
            async with parts.data.begin() as connection:
                await tellings.give_up(connection, parts.rows, later, limit=1)

        async with parts.data.read() as connection:
            states = (await connection.execute(select(telling.c.state))).scalars().all()
        assert states == ["waiting", "given_up"]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_an_altered_row_is_told_to_nobody_and_keeps_nothing_back(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with staged(dialect, tmp_path, new_database_url) as scene:
        await scene.app.subscribe()
        await scene.tell()
        await scene.erase()
        async with scene.app.parts.data.begin() as connection:
            ends = change.c.kind == "consent.withdrawn"
            altered = update(change).where(ends).values(kind="subject.rectified")
            await connection.execute(altered)

        await scene.tell()

        assert scene.crm.kinds() == ["consent.confirmed", "subject.erased"]
        parked = (await overview.look(scene.app.parts)).parked
        assert [(one.table, one.reason) for one in parked] == [("change", "altered")]
