"""By SQL: rows of keys that a gateway signed, from before their key was destroyed, put back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from consent.keys import epochs, tables
from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from storage.errors import StorageAway
from tests.support.apps import ADA, App, start_app
from tests.support.rotations import Node, rotation_of, set_states, wrapping

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)


async def rows_of(app: App, table: Table) -> list[dict[str, Any]]:
    async with app.parts.key_database.read() as connection:
        return [dict(row._mapping) for row in await connection.execute(select(table))]


async def put_back(app: App, table: Table, rows: list[dict[str, Any]]) -> None:
    async with app.parts.key_database.begin() as connection:
        await connection.execute(table.delete())
        await connection.execute(insert(table), rows)


async def work(node: Node) -> None:
    while await node.keep() or await node.sets.go_on(NOTHING_LEFT):
        pass
    await node.sets.learn()


@BOTH
@pytest.mark.parametrize("kind", ["audit", "web"])
async def test_the_row_of_a_destroyed_key_stops_no_process(app: App, kind: str) -> None:
    await app.subscribe()
    node = Node(app)
    await work(node)
    await node.sets.begin(kind)
    early = await rows_of(app, tables.set_key)
    await work(node)
    await app.tick()
    app.step(RESTS + timedelta(minutes=1))
    await work(node)
    assert await set_states(app, kind) == {1: "destroyed", 2: "active"}

    now = await rows_of(app, tables.set_key)
    old = [row for row in early if (row["kind"], row["number"]) == (kind, 1)]
    rest = [row for row in now if (row["kind"], row["number"]) != (kind, 1)]
    await put_back(app, tables.set_key, old + rest)
    await work(node)

    assert app.parts.keyring.sets[kind].lacking == frozenset()
    assert await app.permission(ADA) == "granted"
    async with start_app(app.parts.config, app.parts.clock) as later:
        assert await later.permission(ADA) == "granted"
    assert await node.sets.begin(kind) == 3


@BOTH
async def test_the_row_of_a_destroyed_epoch_stops_no_process(app: App) -> None:
    await app.subscribe()
    early = await rows_of(app, tables.kek_epoch)
    rotation = rotation_of(app)
    await rotation.keep()
    await rotation.begin()
    while await rotation.keep() or await rotation.go_on(NOTHING_LEFT):
        pass
    await rotation.let_go()
    now = await rows_of(app, tables.kek_epoch)
    assert {row["epoch"]: row["state"] for row in now} == {1: "destroyed", 2: "active"}

    await put_back(app, tables.kek_epoch, early + [row for row in now if row["epoch"] != 1])
    await rotation.keep()

    assert await rotation.lacking() == []
    async with start_app(app.parts.config, app.parts.clock) as later:
        await later.subscribe("grace@example.org")
        assert await later.permission(ADA) == "granted"
    assert await rotation.begin() == 3


@BOTH
async def test_no_epoch_is_put_into_use_a_second_time(app: App) -> None:
    """Whoever had a copy of the keyring would read everybody's keys again after a rotation."""
    await app.subscribe()
    rotation = rotation_of(app)
    await rotation.keep()
    await rotation.begin()
    early = [row for row in await rows_of(app, tables.kek_epoch) if row["epoch"] == 2]
    assert early[0]["state"] == "announced"
    while await rotation.keep() or await rotation.go_on(NOTHING_LEFT):
        pass
    await rotation.begin()
    while await rotation.keep():
        pass
    now = await rows_of(app, tables.kek_epoch)
    assert {row["epoch"]: row["state"] for row in now} == {
        1: "destroyed",
        2: "retiring",
        3: "active",
    }

    await put_back(app, tables.kek_epoch, early + [row for row in now if row["epoch"] != 2])
    while await rotation.keep() or await rotation.go_on(NOTHING_LEFT):
        pass

    assert await wrapping(app) == {3}
    assert await rotation.begin() == 4


@BOTH
@pytest.mark.parametrize("newer", ["deleted", "announced"])
async def test_nothing_is_wrapped_under_an_epoch_that_another_followed(
    app: App, newer: str
) -> None:
    """While its key is still in the keyrings, for a copy of which all of this is done."""
    await app.subscribe()
    rotation = rotation_of(app)
    early = await rows_of(app, tables.kek_epoch)
    await rotation.keep()
    await rotation.begin()
    await app.subscribe("grace@example.org")  # nobody waits while the next one is announced
    coming = await rows_of(app, tables.kek_epoch)
    while await rotation.keep():
        pass
    now = await rows_of(app, tables.kek_epoch)
    assert {row["epoch"]: row["state"] for row in now} == {1: "retiring", 2: "active"}
    await app.subscribe("bob@example.org")

    await put_back(app, tables.kek_epoch, early if newer == "deleted" else coming)

    with pytest.raises(StorageAway):
        await app.parts.keystore.create(["sub_new"], app.parts.clock.wall())
    assert await wrapping(app) == {2}
    assert await app.permission(ADA) == "granted"
    await put_back(app, tables.kek_epoch, now)
    await app.parts.keystore.create(["sub_new"], app.parts.clock.wall())


@BOTH
async def test_planted_keys_of_an_epoch_that_is_announced_stop_no_sign_up(app: App) -> None:
    rotation = rotation_of(app)
    await rotation.keep()
    await rotation.begin()
    planted = {"subject": "sub_1", "compartment": "profile", "epoch": 2, "wrapped": b"x" * 96}
    async with app.parts.key_database.begin() as connection:
        row = planted | {"created_at": app.parts.clock.wall()}
        await connection.execute(insert(tables.dek).values(row))

    await app.subscribe()

    assert await app.permission(ADA) == "granted"


@BOTH
async def test_a_retiring_row_of_a_destroyed_epoch_holds_up_no_rotation(app: App) -> None:
    await app.subscribe()
    rotation = rotation_of(app)
    await rotation.keep()
    await rotation.begin()
    async with app.parts.key_database.begin() as connection:
        moment = app.parts.clock.wall()
        assert await epochs.activate(connection, app.parts.rows, [1, 2], 2, moment)
    early = [row for row in await rows_of(app, tables.kek_epoch) if row["epoch"] == 1]
    assert (early[0]["state"], early[0]["rewrapped_at"]) == ("retiring", None)
    while await rotation.keep() or await rotation.go_on(NOTHING_LEFT):
        pass
    await rotation.let_go()
    now = await rows_of(app, tables.kek_epoch)
    assert {row["epoch"]: row["state"] for row in now} == {1: "destroyed", 2: "active"}

    await put_back(app, tables.kek_epoch, early + [row for row in now if row["epoch"] != 1])
    while await rotation.keep() or await rotation.go_on(NOTHING_LEFT):
        pass

    assert await rotation.begin() == 3


@BOTH
@pytest.mark.parametrize("kind", ["marks", "web"])
async def test_no_key_of_a_set_is_put_into_use_a_second_time(app: App, kind: str) -> None:
    await app.subscribe()
    node = Node(app)
    await work(node)
    await node.sets.begin(kind)
    early = await rows_of(app, tables.set_key)
    early = [row for row in early if (row["kind"], row["number"]) == (kind, 2)]
    assert early[0]["state"] == "announced"
    await work(node)
    app.step(RESTS + timedelta(minutes=1))
    await work(node)
    await node.sets.begin(kind)
    await work(node)
    now = await rows_of(app, tables.set_key)
    assert await set_states(app, kind) == {1: "destroyed", 2: "retiring", 3: "active"}

    rest = [row for row in now if (row["kind"], row["number"]) != (kind, 2)]
    await put_back(app, tables.set_key, early + rest)
    await work(node)

    assert app.parts.keyring.sets[kind].kid == 3
    assert (await set_states(app, kind))[3] == "active"
    app.step(RESTS + timedelta(minutes=1))
    await work(node)
    assert await node.sets.begin(kind) == 4
