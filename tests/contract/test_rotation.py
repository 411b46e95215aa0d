"""Key-encryption keys follow each other while several machines are at work."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from audit.kinds import Kind
from consent.keys import rewrap, tables
from consent.keys.nodes import SILENT_FOR
from consent.keys.phases import Declared
from consent.keys.wrapping import Wrapper
from gateway.errors import KeyFileError
from gateway.flows.campaigning import launch
from gateway.flows.keeping import rotation as rotating
from gateway.flows.keeping.rotation import NOTHING_DECLARED, Rotation
from storage.errors import StorageAway
from tests.support.apps import ADA, App, start_app
from tests.support.campaigns import expand, order_of, stores_of
from tests.support.rotations import (
    copy_keyring,
    machine,
    readable,
    rotation_of,
    states,
    verify_backup,
    wrapping,
)

BOB, CLEO = "bob@example.org", "cleo@example.org"
# On PostgreSQL those alone that several processes write in: the others are asked seldom.
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)


async def finish(rotation: Rotation, declared: Declared = NOTHING_DECLARED) -> None:
    """As the duty of its process does, and a command that declares something."""
    while await rotation.keep() or await rotation.go_on(declared):
        pass


async def rotated(app: App) -> Rotation:
    """A second epoch, begun and driven as far as one machine can."""
    rotation = rotation_of(app)
    await rotation.keep()
    assert await rotation.begin() == 2
    await finish(rotation)
    return rotation


def keks_in(app: App) -> set[str]:
    return set(json.loads(app.parts.config.keys.keyring_file.read_text())["keks"])


async def test_a_new_key_waits_until_every_process_that_runs_holds_it(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    async with machine(app, "second") as second, machine(app, "third") as third:
        here, *others = (rotation_of(one) for one in (app, second, third))
        for one in (here, *others):
            await one.keep()

        await here.begin()
        await finish(here)

        assert await states(app) == {1: "active", 2: "announced"}
        assert len((await here.look()).waited_for[2]) == 2
        copy_keyring(app, second)
        await others[0].keep()
        assert len((await here.look()).waited_for[2]) == 1
        await second.subscribe(BOB)
        assert await wrapping(app) == {1}

        copy_keyring(app, third)
        await others[1].keep()  # whoever sees it first goes on
        await finish(here)

        assert await states(app) == {1: "retiring", 2: "active"}
        await third.subscribe(CLEO)
        assert await wrapping(app) == {2}
        everybody = [subject, await app.subject(BOB), await app.subject(CLEO)]
        for node in (app, second, third):
            assert await readable(node.parts.keystore, *filter(None, everybody))


async def test_a_process_that_stood_still_neither_holds_it_up_nor_wraps_under_what_went(
    app: App,
) -> None:
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    async with machine(app, "paused") as paused:
        here, stopped = rotation_of(app), rotation_of(paused)
        await stopped.keep()
        app.step(SILENT_FOR + timedelta(seconds=1))
        await here.keep()
        await here.begin()
        await finish(here, NOTHING_LEFT)
        assert await states(app) == {1: "destroyed", 2: "active"}

        # It goes on, with the first key in its memory.
        made = paused.parts.keystore.create(["sub_new"], app.parts.clock.wall())
        with pytest.raises(StorageAway):
            await made
        with pytest.raises(StorageAway):
            await readable(paused.parts.keystore, subject)
        await app.subscribe(BOB)
        assert await wrapping(app) == {2}

        copy_keyring(app, paused)
        await stopped.keep()
        await paused.subscribe(CLEO)
        assert await readable(paused.parts.keystore, subject)
        assert await wrapping(app) == {2}


@SELDOM_ON_BOTH
async def test_whoever_ends_after_any_step_leaves_the_rest_to_the_next(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrap, "_AT_ONCE", 2)
    monkeypatch.setattr(rotating, "_SLICE", 0)  # one page, and then the process ends
    people = [f"sub_{n}" for n in range(9)]
    await app.parts.keystore.create(people, app.parts.clock.wall())
    await rotation_of(app).begin()

    taken, seen = 0, []
    while await rotation_of(app).go_on(NOTHING_LEFT):  # each time another process
        taken += 1
        seen.append(await states(app))
        assert await readable(app.parts.keystore, *people)
        assert taken < 40

    assert seen[-1] == {1: "destroyed", 2: "active"}
    assert await wrapping(app) == {2}


@SELDOM_ON_BOTH
async def test_a_key_that_was_made_and_not_told_of_is_the_one_that_is_told(app: App) -> None:
    ring = app.parts.config.keys.keyring_file
    rotation = rotation_of(app)
    rotation._keyring.make_kek([1])  # and then the process died
    made = json.loads(ring.read_text())["keks"]["2"]

    assert await rotation_of(app).begin() == 2

    assert json.loads(ring.read_text())["keks"]["2"] == made
    assert keks_in(app) == {"1", "2"}


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_key_that_somebody_holds_is_not_waited_for_and_comes_with_the_next_turn(
    app: App,
) -> None:
    people = [f"sub_{n}" for n in range(5)]
    await app.parts.keystore.create(people, app.parts.clock.wall())
    rotation = rotation_of(app)
    await rotation.begin()
    held = select(tables.dek).where(tables.dek.c.subject == "sub_3").with_for_update()

    async with app.parts.key_database.begin() as connection:
        await connection.execute(held)
        await finish(rotation)
        assert await wrapping(app) == {1, 2}
    await finish(rotation)

    assert await wrapping(app) == {2}
    assert await readable(app.parts.keystore, *people)


@pytest.mark.parametrize("effect", ["altered", "gone"])
async def test_a_key_that_changed_since_it_was_read_stays_as_it_is(app: App, effect: str) -> None:
    await app.parts.keystore.create(["sub_0", "sub_1"], app.parts.clock.wall())
    rotation = rotation_of(app)
    await rotation.begin()
    await rotation.go_on()  # active, and nothing wrapped anew yet
    ring = app.parts.keyring.keks
    one = rewrap.Rewrapping(app.parts.key_database, Wrapper(ring, 1, app.parts.rows), 1)
    page = await one._next(2)
    assert page is not None and len(page.keys) == 4
    of_one = tables.dek.c.subject == "sub_1"
    change = update(tables.dek).values(wrapped=b"other") if effect == "altered" else None
    async with app.parts.key_database.begin() as connection:
        statement = delete(tables.dek) if change is None else change
        await connection.execute(statement.where(of_one))

    await one._write(page, 2)

    async with app.parts.key_database.read() as connection:
        rows = (await connection.execute(select(tables.dek).where(of_one))).all()
        left = [(row.epoch, row.wrapped) for row in rows]
    assert left == ([] if effect == "gone" else [(1, b"other")] * 2)
    assert await readable(app.parts.keystore, "sub_0")


async def test_who_signs_up_and_who_is_erased_meanwhile_is_neither_lost_nor_brought_back(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrap, "_AT_ONCE", 1)
    monkeypatch.setattr(rotating, "_SLICE", 0)
    people = [f"sub_{n}" for n in range(4)]
    now, store = app.parts.clock.wall(), app.parts.keystore
    await store.create(people, now)
    rotation = rotation_of(app)
    await rotation.begin()

    turn = 0
    while await rotation.go_on():
        turn += 1
        if turn == 3:
            await store.erase(["sub_3"], ["profile", "evidence"], now)  # type: ignore[list-item]
            await store.create(["sub_late"], now)
            await app.sign_up(BOB)

    assert await readable(store, *people[:3], "sub_late")
    assert not await readable(store, "sub_3")
    assert await wrapping(app) == {2}
    await app.tick()
    assert await app.subject(BOB) is not None


@SELDOM_ON_BOTH
async def test_the_old_key_stays_until_a_later_backup_was_verified(app: App) -> None:
    await verify_backup(app, 1)
    app.step(timedelta(minutes=1))
    rotation = await rotated(app)
    app.step(timedelta(minutes=1))
    await rotation.keep()
    assert keks_in(app) == {"1", "2"}  # the backup of before may be restored

    await verify_backup(app, 1)  # taken now, of a store that was behind
    await finish(rotation)
    await rotation.keep()
    assert keks_in(app) == {"1", "2"}

    app.step(timedelta(minutes=1))
    await verify_backup(app, 2)
    await finish(rotation)
    await rotation.keep()

    assert keks_in(app) == {"2"}
    assert app.parts.keyring.keks.keys() == {2}
    assert await states(app) == {1: "retiring", 2: "active"}  # copies of the keyring have it
    await finish(rotation, Declared(copies_replaced=True))
    assert await states(app) == {1: "destroyed", 2: "active"}


@SELDOM_ON_BOTH
async def test_each_state_is_told_to_the_log(app: App) -> None:
    rotation = await rotated(app)
    await finish(rotation, NOTHING_LEFT)
    await finish(rotation, NOTHING_LEFT)

    await app.tick()
    async with app.parts.data.read() as connection:
        told = await app.parts.log.events(connection, kind=Kind.KEY_ROTATED)
    refs = [one.entry.refs for one in told]
    assert [(one["number"], one["state"]) for one in refs] == [
        ("2", "announced"),
        ("1", "retiring"),
        ("2", "active"),
        ("1", "destroyed"),
    ]


@SELDOM_ON_BOTH
async def test_a_process_whose_keyring_is_behind_does_not_start(app: App) -> None:
    config = app.parts.config
    old = config.keys.keyring_file.with_name("old.json")
    copy_keyring(app, old)
    await rotated(app)
    keys = config.keys.model_copy(update={"keyring_file": old})

    with pytest.raises(KeyFileError, match="lacks epoch 2"):
        async with start_app(config.model_copy(update={"keys": keys}), app.parts.clock):
            pass


@SELDOM_ON_BOTH
@pytest.mark.parametrize("key", [1, None], ids=["a MAC that does not fit", "none at all"])
async def test_who_writes_rows_has_no_key_destroyed(app: App, key: int | None) -> None:
    rotation = await rotated(app)
    moment = app.parts.clock.wall()
    planted = {"released_at": moment, "rewrapped_at": moment, "kid": key}
    async with app.parts.key_database.begin() as connection:
        old = update(tables.kek_epoch).where(tables.kek_epoch.c.epoch == 1)
        await connection.execute(old.values(planted))

    await rotation.keep()

    assert keks_in(app) == {"1", "2"}
    assert app.parts.keyring.keks.keys() == {1, 2}


@SELDOM_ON_BOTH
async def test_another_key_of_the_same_number_is_not_taken_for_the_one_that_was_announced(
    app: App,
) -> None:
    async with machine(app, "second") as second:
        here, there = rotation_of(app), rotation_of(second)
        await here.keep()
        there._keyring.make_kek([1])  # by an operator who began on both machines
        await there.keep()

        await here.begin()
        await finish(here)

        assert await states(app) == {1: "active", 2: "announced"}
        assert len((await here.look()).waited_for[2]) == 1


@SELDOM_ON_BOTH
async def test_a_key_that_does_not_unwrap_keeps_the_old_epoch(app: App) -> None:
    await app.parts.keystore.create(["sub_1"], app.parts.clock.wall())
    async with app.parts.key_database.begin() as connection:
        query = select(tables.dek.c.wrapped).where(tables.dek.c.compartment == "evidence")
        other = (await connection.execute(query)).scalar_one()
        damaged = update(tables.dek).where(tables.dek.c.compartment == "profile")
        await connection.execute(damaged.values(wrapped=other))

    rotation = await rotated(app)
    await finish(rotation, NOTHING_LEFT)

    assert await states(app) == {1: "retiring", 2: "active"}
    assert keks_in(app) == {"1", "2"}


@SELDOM_ON_BOTH
async def test_the_first_person_of_all_is_still_mailed_after_two_rotations(app: App) -> None:
    await app.subscribe()
    rotation = await rotated(app)
    await finish(rotation, NOTHING_LEFT)
    await rotation.keep()
    assert await rotation.begin() == 3
    await finish(rotation, NOTHING_LEFT)
    await rotation.keep()

    assert keks_in(app) == {"3"}
    async with start_app(app.parts.config, app.parts.clock) as later:
        assert await later.permission(ADA) == "granted"


@SELDOM_ON_BOTH
async def test_a_campaign_that_was_made_before_a_rotation_is_sent_once_the_old_key_is_gone(
    app: App,
) -> None:
    await app.subscribe()
    app.step(timedelta(seconds=1))
    name = await launch.launch(stores_of(app.parts), order_of("June"))
    assert isinstance(name, str)
    rotation = await rotated(app)
    await finish(rotation, NOTHING_LEFT)
    await rotation.keep()

    async with start_app(app.parts.config, app.parts.clock) as later:
        await expand(later.parts)
        (mail,) = await later.send_due()

    assert (keks_in(app), await wrapping(app)) == ({"2"}, {2})
    assert mail.to == ADA
    assert b"Subject: June" in mail.raw


@SELDOM_ON_BOTH
async def test_a_key_that_was_lost_with_the_machine_that_announced_it_is_given_up(
    app: App,
) -> None:
    async with machine(app, "second") as second:
        here, there = rotation_of(app), rotation_of(second)
        await here.keep()
        await there.begin()  # and its disk is gone
        assert await states(app) == {1: "active", 2: "announced"}

        assert await here.begin() == 3
        await finish(here)

        assert await states(app) == {1: "retiring", 2: "destroyed", 3: "active"}
        await app.subscribe()
        assert await wrapping(app) == {3}
