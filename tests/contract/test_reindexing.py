"""Look-up keys follow each other: everybody is found meanwhile, and nobody is admitted twice."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from consent import tables
from consent.errors import KeyringBehind
from consent.keys.nodes import SILENT_FOR
from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from consent.reindex import Reindex
from gateway.flows.keeping import reindexing
from gateway.flows.keeping.reindexing import OfLookUp
from gateway.flows.keeping.set_rotation import NOTHING_DECLARED
from gateway.flows.proving import verify
from tests.support.apps import ADA, App
from tests.support.rotations import Node, copy_keyring, machine, set_states

BOB, CLEO, DORA = "bob@example.org", "cleo@example.org", "dora@example.org"
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)
A_DAY_LATER = RESTS + timedelta(minutes=1)
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
pytestmark = SELDOM_ON_BOTH
index, subject = tables.subject_index, tables.subject


async def keep(node: Node, declared: Declared = NOTHING_DECLARED) -> None:
    await node.keep()
    while await node.keep() or await node.sets.go_on(declared):
        pass
    await node.sets.learn()


async def begun(app: App) -> Node:
    """A second key, in use on the one machine that there is, and everybody found by it."""
    node = Node(app)
    await keep(node)
    assert await node.sets.begin("lookup") == 2
    await keep(node)
    assert await set_states(app, "lookup") == {1: "retiring", 2: "active"}
    return node


async def activated(app: App) -> Node:
    """A second key, in use; nobody is found by it yet."""
    node = Node(app)
    await keep(node)
    assert await node.sets.begin("lookup") == 2
    while (await set_states(app, "lookup"))[2] != "active":
        await node.keep()
    return node


async def kids(app: App) -> dict[int, int]:
    """How many rows there are under each key."""
    async with app.parts.data.read() as connection:
        found = await connection.execute(
            select(index.c.kid, func.count()).group_by(index.c.kid).order_by(index.c.kid)
        )
        return {kid: number for kid, number in found}


async def people(app: App) -> int:
    async with app.parts.data.read() as connection:
        live = select(func.count()).where(subject.c.state == "live")
        return int((await connection.execute(live)).scalar_one())


async def test_everybody_is_found_by_the_new_key_and_the_old_one_leaves_no_row(app: App) -> None:
    for email in (ADA, BOB):
        await app.subscribe(email)
    ada = await app.subject(ADA)

    await begun(app)
    assert await kids(app) == {1: 2, 2: 2}
    await app.subscribe(CLEO)
    assert await kids(app) == {1: 3, 2: 3}
    await app.tick()
    app.step(A_DAY_LATER)
    await app.tick()
    await keep(Node(app), NOTHING_LEFT)

    assert await set_states(app, "lookup") == {1: "destroyed", 2: "active"}
    assert await kids(app) == {2: 3}
    assert await app.subject(ADA) == ada
    await app.sign_up(BOB)
    await app.tick()
    assert await people(app) == 3
    assert (await verify.verify(app.parts)).rows == []


async def test_a_page_at_a_time_from_wherever_a_process_ended(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "_AT_ONCE", 1)
    monkeypatch.setattr(reindexing, "_SLICE", 0)  # one, and then the process ends
    everybody = [f"person{n}@example.org" for n in range(5)]
    for email in everybody:
        await app.subscribe(email)
    before = [await app.subject(email) for email in everybody]
    await activated(app)

    turns = 0
    while await Node(app).keep():  # each time another process
        turns += 1
        assert [await app.subject(email) for email in everybody] == before
        assert turns < 40

    assert await kids(app) == {1: 5, 2: 5}


async def test_its_pages_end_with_the_last_row(app: App) -> None:
    for email in (ADA, BOB, CLEO):
        await app.subscribe(email)
    rows = Reindex(app.parts.keyring.lookup)

    async with app.parts.data.read() as connection:
        ends = [(await rows.found_by(connection, 1, None, n))[0] is None for n in (2, 3, 4)]
    async with app.parts.data.begin() as connection:
        ends += [(await rows.drop(connection, 1, None, n))[0] is None for n in (2, 3, 4)]

    assert ends == [False, True, True] * 2


async def test_who_is_erased_or_cannot_be_read_meanwhile_gets_no_row(app: App) -> None:
    for email in (ADA, BOB, CLEO):
        await app.subscribe(email)
    ada, bob, cleo = [await app.subject(email) for email in (ADA, BOB, CLEO)]
    node = await activated(app)
    ending = node.sets._endings["lookup"]
    assert isinstance(ending, OfLookUp)
    rows = Reindex(app.parts.keyring.lookup)
    async with app.parts.data.read() as connection:
        _, found = await rows.found_by(connection, 1, None, 10)
        sealed = await rows.addresses(connection, found.keys())
    assert found.keys() == sealed.keys() == {ada, bob, cleo}
    key = await app.key()
    answer = await app.http.post("/v1/erasures", json={"email": ADA}, headers=key)
    assert answer.status == 202
    async with app.parts.data.begin() as connection:
        other = update(subject).where(subject.c.id == bob).values(address=b"nothing of ours")
        await connection.execute(other)

    opened = await ending._open(1, found, sealed)
    assert await ending._write(opened) == 1

    async with app.parts.data.read() as connection:
        under = await connection.execute(select(index.c.subject).where(index.c.kid == 2))
        assert set(under.scalars()) == {cleo}
    await app.tick()
    app.step(A_DAY_LATER)
    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "lookup") == {1: "retiring", 2: "active"}
    held = await node.sets.held(await node.sets.look())
    assert any("cannot be read" in one for reasons in held.values() for one in reasons)
    assert await app.subject(BOB) == bob  # found all the same


async def test_planted_rows_get_no_honest_one_and_are_in_nobodys_way(app: App) -> None:
    await app.subscribe(ADA)
    ada = await app.subject(ADA)
    node = await activated(app)
    theirs = Reindex(app.parts.keyring.lookup).hash_under(2, ADA)
    async with app.parts.data.begin() as connection:
        for kid, digest in ((1, b"p" * 16), (2, theirs)):
            row = {"hash": digest, "kid": kid, "subject": ada, "mac": b"m" * 32}
            await connection.execute(insert(index), row)

    await keep(node)

    async with app.parts.data.read() as connection:
        found = await app.parts.lookup.find(connection, [ADA])
        assert (found[ADA].subject, found[ADA].honest) == (ada, True)
    assert (await kids(app))[2] == 1


async def test_a_mark_or_a_request_from_before_keeps_the_old_key(app: App) -> None:
    await app.subscribe(ADA)
    node = await begun(app)
    app.step(-timedelta(hours=1))
    await app.sign_up(BOB)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(tables.intake).values(index_kid=1))
    app.step(A_DAY_LATER + timedelta(hours=1))

    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "lookup") == {1: "retiring", 2: "active"}
    held = await node.sets.held(await node.sets.look())
    assert [one for reasons in held.values() for one in reasons] == ["requests that wait"]

    async with app.parts.data.begin() as connection:
        await connection.execute(delete(tables.intake))
    app.step(timedelta(hours=1))  # until the next look through whole tables
    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "lookup") == {1: "destroyed", 2: "active"}


async def test_with_three_nodes_and_one_that_stood_still_nobody_is_admitted_twice(
    app: App,
) -> None:
    await app.subscribe(ADA)
    async with machine(app, "second") as second, machine(app, "paused") as paused:
        here, other, stopped = Node(app), Node(second), Node(paused)
        for one in (here, other, stopped):
            await one.keep()
        app.step(SILENT_FOR + timedelta(seconds=1))
        await other.keep()
        await here.keep()
        await here.sets.begin("lookup")
        copy_keyring(app, second)
        await keep(other)
        await keep(here)
        await second.subscribe(BOB)  # by the other, under both

        with suppress(KeyringBehind):  # it goes on, and does no intake
            await paused.sign_up(ADA)
            await paused.tick()
        assert await people(app) == 2
        await app.sign_up(ADA)
        await app.tick()
        assert await people(app) == 2

        copy_keyring(app, paused)
        await keep(stopped)
        await paused.tick()  # its next look
        await paused.subscribe(CLEO)
        await second.sign_up(CLEO)
        await second.tick()
        assert await people(app) == 3
        assert await kids(app) == {1: 3, 2: 3}
        everybody = {await node.subject(ADA) for node in (app, second, paused)}
        assert len(everybody) == 1
