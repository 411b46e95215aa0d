"""By SQL: rows of key-encryption keys that no gateway wrote, or that were altered."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, select, update

from consent.keys import epochs, tables
from consent.keys.phases import Declared
from consent.keys.vault import OF_PEOPLE
from tests.support.apps import App
from tests.support.rotations import readable, rotation_of, wrapping

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)
epoch = tables.kek_epoch


def keks_in(app: App) -> set[str]:
    return set(json.loads(app.parts.config.keys.keyring_file.read_text())["keks"])


async def plant(app: App, number: int, **values: object) -> None:
    async with app.parts.key_database.begin() as connection:
        await connection.execute(update(epoch).where(epoch.c.epoch == number).values(values))


@BOTH
async def test_dates_in_the_row_of_the_active_epoch_are_not_signed_with_it(app: App) -> None:
    """They say that it wraps nothing, and that no backup needs it: it would be let go at once."""
    await app.subscribe()
    subject = str(await app.subject())
    moment = app.parts.clock.wall()
    await plant(app, 1, rewrapped_at=moment, released_at=moment, proof="0" * 16)
    rotation = rotation_of(app)

    await rotation.keep()
    assert await rotation.begin() == 2
    async with app.parts.key_database.begin() as connection:
        assert await epochs.activate(connection, app.parts.rows, [1, 2], 2, moment)
    await rotation.let_go()

    assert keks_in(app) == {"1", "2"}
    assert await readable(app.parts.keystore, subject)
    while await rotation.go_on(NOTHING_LEFT):
        pass
    assert keks_in(app) == {"1", "2"}
    await rotation.let_go()
    assert keks_in(app) == {"2"}
    assert await readable(app.parts.keystore, subject)


@BOTH
async def test_what_wraps_still_is_not_let_go_whatever_its_row_says(app: App) -> None:
    """A key that came back by SQL, or by a backup, after the row was written."""
    await app.subscribe()
    subject = str(await app.subject())
    async with app.parts.key_database.begin() as connection:
        (old,) = [one for one in await epochs.standing(connection, app.parts.rows)]
        moment = app.parts.clock.wall()
        row = epochs.row_of(
            app.parts.rows,
            epochs.Epoch(
                1, epochs.EpochState.RETIRING, moment, rewrapped_at=moment, released_at=moment
            ),
        )
        await connection.execute(update(epoch).where(epoch.c.epoch == old.epoch).values(row))
        new = epochs.Epoch(2, epochs.EpochState.ACTIVE, moment)
        await connection.execute(epoch.insert().values(epochs.row_of(app.parts.rows, new)))
    rotation = rotation_of(app)
    rotation._keyring.make_kek([1])

    await rotation.keep()
    await rotation.let_go()

    assert keks_in(app) == {"1", "2"}
    assert await readable(app.parts.keystore, subject)


@BOTH
async def test_a_planted_row_of_an_active_epoch_stops_no_sign_up(app: App) -> None:
    moment = app.parts.clock.wall()
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(epoch).values(epoch=99, state="active", since=moment))

    await app.subscribe()

    assert await app.permission() == "granted"
    assert await wrapping(app) == {1}


@BOTH
async def test_nor_is_it_signed_once_another_follows(app: App) -> None:
    """A process would not start for want of its key, and no rotation would ever end."""
    rotation = rotation_of(app)
    moment = app.parts.clock.wall()
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(epoch).values(epoch=99, state="active", since=moment))
    await rotation.keep()
    begun = await rotation.begin()
    while await rotation.keep():
        pass

    async with app.parts.key_database.read() as connection:
        found = {one.epoch: one for one in await epochs.standing(connection, app.parts.rows)}
    assert begun is not None
    assert (found[begun].state, found[1].state) == ("active", "retiring")
    assert (found[99].state, found[99].honest) == ("active", False)
    assert await rotation.lacking() == []


@BOTH
async def test_one_altered_key_under_a_planted_epoch_keeps_nobody_else_waiting(app: App) -> None:
    """It passes for a key of another machine's keyring, and so would everybody beside it."""
    await app.parts.keystore.create(["sub_1", "sub_2"], app.parts.clock.wall())
    moment, dek = app.parts.clock.wall(), tables.dek
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(epoch).values(epoch=99, state="active", since=moment))
        theirs = update(dek).where(dek.c.subject == "sub_1")
        await connection.execute(theirs.values(epoch=99))

    vault = await app.parts.keystore.vault(["sub_1", "sub_2"])

    assert vault.has("sub_2", *OF_PEOPLE)


@BOTH
async def test_a_store_whose_rows_no_gateway_signed_yet_is_worked_with(app: App) -> None:
    """As the first release wrote its one row."""
    await plant(app, 1, kid=None, mac=None)

    await app.subscribe()
    rotation = rotation_of(app)
    await rotation.keep()
    assert await rotation.begin() == 2
    while await rotation.keep():
        pass

    assert await wrapping(app) == {2}
    async with app.parts.key_database.read() as connection:
        rows = (await connection.execute(select(epoch).order_by(epoch.c.epoch))).all()
    assert [(row.state, row.rewrapped_at is None) for row in rows] == [
        ("retiring", False),
        ("active", True),
    ]
