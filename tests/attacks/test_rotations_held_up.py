"""By SQL: single rows that would keep a rotation from beginning or from going on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from consent.keys import tables, verified
from consent.keys.epochs import EpochState
from consent.keys.verified import VerifiedBackup
from tests.support.apps import App
from tests.support.rotations import rotation_of, states, verify_backup

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
epoch, node, backup = tables.kek_epoch, tables.node, tables.verified_backup


async def plant(app: App, *statements: object) -> None:
    async with app.parts.key_database.begin() as connection:
        for statement in statements:
            await connection.execute(statement)  # type: ignore[call-overload]


@BOTH
async def test_a_process_that_was_seen_in_a_hundred_years_is_not_waited_for(app: App) -> None:
    far = app.parts.clock.wall() + timedelta(days=36500)
    await plant(app, insert(node).values(id="nod_x", name="nobody", holds="", seen_at=far))
    rotation = rotation_of(app)
    await rotation.keep()

    assert await rotation.begin() == 2
    await rotation.keep()

    assert await states(app) == {1: "retiring", 2: "active"}
    async with app.parts.key_database.read() as connection:
        assert "nod_x" not in (await connection.execute(select(node.c.id))).scalars().all()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "row",
    [
        "node (id, name, holds, seen_at) VALUES ('nod_x', 'nobody', '', '9999-zz')",
        "verified_backup (id, taken_at, verified_at, epochs, wrapping, kid, mac)"
        " VALUES ('b', 'nonsense', 'nonsense', '', '', 1, x'00')",
    ],
    ids=["node", "verified backup"],
)
async def test_a_row_that_cannot_be_read_stops_no_duty(app: App, row: str) -> None:
    await plant(app, text(f"INSERT INTO {row}"))
    rotation = rotation_of(app)

    await rotation.keep()
    await rotation.begin()
    await rotation.keep()
    await verify_backup(app, 1)

    assert await states(app) == {1: "retiring", 2: "active"}


@BOTH
@pytest.mark.parametrize("number", [2, 2**31 - 1])
@pytest.mark.parametrize("state", ["announced", "retiring", "active", "destroyed"])
async def test_a_planted_epoch_neither_takes_a_number_nor_holds_the_next_up(
    app: App, number: int, state: str
) -> None:
    moment = app.parts.clock.wall()
    await plant(app, insert(epoch).values(epoch=number, state=state, since=moment))
    rotation = rotation_of(app)
    await rotation.keep()

    begun = await rotation.begin()
    while await rotation.keep():
        pass

    assert begun == (3 if number == 2 else 2)
    assert await states(app) == {1: "retiring", begun: "active", number: state}


@BOTH
async def test_an_altered_row_of_an_epoch_does_not_give_its_number_away(app: App) -> None:
    rotation = rotation_of(app)
    await rotation.keep()
    assert await rotation.begin() == 2
    await rotation.keep()
    mine = app.parts.keyring.keks[2]
    await plant(app, update(epoch).values(mac=b"x" * 32))

    assert await rotation.begin() == 3

    assert app.parts.keyring.keks[2] == mine


@BOTH
async def test_planted_backups_take_no_verified_one_away(app: App) -> None:
    now, parts = app.parts.clock.wall(), app.parts
    await verify_backup(app, 1)
    row = {"verified_at": now, "epochs": "", "wrapping": "", "kid": 1, "mac": b""}
    far = now + timedelta(days=900)
    rows = [row | {"id": f"planted-{n}", "taken_at": far} for n in range(20)]
    await plant(app, insert(backup).values(rows))
    late = now + timedelta(hours=1)
    one = VerifiedBackup("later", late, late, {1: EpochState.ACTIVE}, frozenset({1}))

    async with parts.key_database.begin() as connection:
        await verified.record(connection, parts.rows, one)

    async with parts.key_database.read() as connection:
        assert await verified.newest(connection, parts.rows) == one
        ids = (await connection.execute(select(backup.c.id))).scalars().all()
    assert len([name for name in ids if not name.startswith("planted")]) == 2
