"""Who writes rows cannot have others told what did not happen, nor claim that they were told."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from consent.telling_tables import change, telling
from tests.contract.test_telling import Scene, staged
from tests.support.databases import Databases


@pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
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
