"""The keys of the keyring's sets follow each other while several machines are at work."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select

from audit.kinds import Kind
from consent import tables
from consent.keys.nodes import SILENT_FOR
from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from gateway.errors import KeyFileError
from gateway.flows.keeping.set_rotation import NOTHING_DECLARED
from gateway.flows.proving import verify
from gateway.keyfiles import keyring
from gateway.watch import examination
from storage import signed
from storage.errors import StorageAway
from storage.keysets import KeyState
from storage.locks import try_alone
from tests.support.apps import ADA, App, start_app
from tests.support.rotations import Node, copy_keyring, machine, set_states, verify_backup

BOB, CLEO = "bob@example.org", "cleo@example.org"
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)
SOON = timedelta(minutes=61)  # a process looks again whether something needs an old key
A_DAY_LATER = RESTS + timedelta(minutes=1)
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


async def keep(node: Node, declared: Declared = NOTHING_DECLARED) -> None:
    """As the duty of a process does, and a command that declares something."""
    await node.keep()
    while await node.keep() or await node.sets.go_on(declared):
        pass
    await node.sets.learn()


async def turn(node: Node) -> None:
    """One of a process that may lack a key: then its duty waits."""
    with suppress(StorageAway):
        await node.keep()


async def begun(app: App, kind: str) -> Node:
    """A second key of a kind, in use on the one machine that there is."""
    node = Node(app)
    await keep(node)
    assert await node.sets.begin(kind) == 2
    await keep(node)
    assert await set_states(app, kind) == {1: "retiring", 2: "active"}
    return node


async def finished(app: App, node: Node) -> None:
    """As far as it goes once a day is over, whatever the operator can declare."""
    await app.tick()
    app.step(A_DAY_LATER)
    await keep(node, NOTHING_LEFT)


async def kept_by(node: Node) -> list[str]:
    held = await node.sets.held(await node.sets.look())
    return [reason for reasons in held.values() for reason in reasons]


def in_file(app: App, kind: str) -> dict[int, str]:
    keys = keyring.load(app.parts.config.keys.keyring).sets[kind].keys
    return {key.kid: str(key.state) for key in keys}


@SELDOM_ON_BOTH
async def test_rows_are_signed_anew_and_everybody_keeps_what_they_agreed_to(app: App) -> None:
    await app.subscribe()
    node = await begun(app, "rows")
    async with app.parts.data.read() as connection:
        for table in (tables.consent, tables.subject, tables.handle):
            kids = set((await connection.execute(select(table.c.kid))).scalars())
            assert kids == {2}, table.name

    await finished(app, node)

    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}
    assert in_file(app, "rows") == {1: "destroyed", 2: "active"}
    assert app.parts.keyring.rows.get(1) is None
    assert await app.permission(ADA) == "granted"
    assert (await verify.verify(app.parts)).rows == []
    async with start_app(app.parts.config, app.parts.clock) as later:
        assert await later.permission(ADA) == "granted"


@SELDOM_ON_BOTH
async def test_a_caller_s_key_follows_when_it_is_used_and_holds_the_old_one_until_then(
    app: App,
) -> None:
    await app.subscribe()
    used, idle = await app.key(), await app.key()
    node = await begun(app, "rows")
    question = {"to": {"email": ADA}, "purpose": "newsletter"}
    async with app.http.post("/v1/permissions", json=question, headers=used) as answer:
        assert answer.status == 200

    await finished(app, node)
    (reason,) = await kept_by(node)
    assert reason.startswith("API key key_")
    assert await set_states(app, "rows") == {1: "retiring", 2: "active"}

    for headers in (used, idle):
        async with app.http.post("/v1/permissions", json=question, headers=headers) as answer:
            assert answer.status == 200
    app.step(SOON)
    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}
    async with app.http.post("/v1/permissions", json=question, headers=idle) as answer:
        assert answer.status == 200


@SELDOM_ON_BOTH
async def test_a_key_waits_until_every_process_that_runs_holds_it(app: App) -> None:
    await app.subscribe()
    async with machine(app, "second") as second, machine(app, "third") as third:
        here, there, paused = Node(app), Node(second), Node(third)
        for one in (here, there, paused):
            await one.keep()
        app.step(SILENT_FOR / 2)
        await here.keep()
        await there.keep()

        await here.sets.begin("rows")
        await keep(here)
        assert await set_states(app, "rows") == {1: "active", 2: "announced"}

        copy_keyring(app, second)
        await keep(there)
        assert await set_states(app, "rows") == {1: "active", 2: "announced"}
        app.step(SILENT_FOR / 2 + timedelta(seconds=1))  # the third one stands still
        await keep(here)
        await keep(there)
        assert await set_states(app, "rows") == {1: "retiring", 2: "active"}
        await second.subscribe(BOB)
        assert await app.permission(BOB) == "granted"

        # It goes on: rows by a key that it does not know are no forged ones for it.
        for keys in third.parts.keyring.sets.values():
            keys.learnt_at = (keys.learnt_at or 0) - SILENT_FOR.total_seconds()
        subject = str(await app.subject(BOB))
        headers = await app.key()
        question = {"to": {"subject_id": subject}, "purpose": "newsletter"}
        for _ in range(2):
            async with third.parts.data.read() as connection:
                with pytest.raises(StorageAway):
                    await third.parts.consents.of_subjects(connection, [subject])
            async with third.http.post("/v1/permissions", json=question, headers=headers) as answer:
                assert answer.status == 503
            await turn(paused)  # and then it knows what it lacks

        # While it runs so, the old key stays; then it learns the next.
        app.step(A_DAY_LATER)
        await turn(paused)
        await keep(here, NOTHING_LEFT)
        assert await set_states(app, "rows") == {1: "retiring", 2: "active"}
        app.step(SOON)
        await keep(here, NOTHING_LEFT)
        assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}
        copy_keyring(app, third)
        await keep(paused)
        assert await third.permission(BOB) == "granted"


@SELDOM_ON_BOTH
async def test_a_process_that_lacks_the_key_of_rows_does_not_start(app: App) -> None:
    config = app.parts.config
    old = config.keys.keyring_file.with_name("old.json")
    copy_keyring(app, old)
    node = await begun(app, "rows")
    keys = config.keys.model_copy(update={"keyring_file": old})
    behind = config.model_copy(update={"keys": keys})

    async def doubts() -> list[str]:
        about = examination.about_databases(behind)
        return [one.text async for one in about if one.about == "keys"]

    for _ in range(2):  # also once not one row that it could check is left
        with pytest.raises(KeyFileError, match="lacks key rows 2"):
            async with start_app(behind, app.parts.clock):
                pass
        assert any("the keyring lacks rows 2" in said for said in await doubts())
        await finished(app, node)


@SELDOM_ON_BOTH
async def test_whoever_ends_after_any_step_leaves_the_rest_to_the_next(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed, "_ANEW_AT_ONCE", 1)
    await app.subscribe()
    await Node(app).sets.begin("rows")
    await Node(app).sets.begin("audit")

    taken = 0
    while await Node(app).sets.go_on(NOTHING_LEFT):  # each time another process
        taken += 1
        assert await app.permission(ADA) == "granted"
        assert taken < 80
    await app.tick()
    app.step(A_DAY_LATER)
    while await Node(app).sets.go_on(NOTHING_LEFT):
        pass

    assert await set_states(app, "audit") == {1: "destroyed", 2: "active"}
    assert (await verify.verify(app.parts)).rows == []


@SELDOM_ON_BOTH
async def test_entries_of_the_log_are_believed_by_the_next_key(app: App) -> None:
    await app.subscribe()
    await app.tick()
    node = await begun(app, "audit")
    await finished(app, node)

    assert await set_states(app, "audit") == {1: "destroyed", 2: "active"}
    await app.subscribe(BOB)
    await app.tick()
    found = await verify.verify(app.parts)
    assert (found.ok, found.rows) == (True, [])
    async with app.parts.data.read() as connection:
        told = await app.parts.log.events(connection, kind=Kind.KEY_ROTATED)
    refs = [one.entry.refs for one in told]
    assert [(one["kind"], one["number"], one["state"]) for one in refs] == [
        ("audit", "2", "announced"),
        ("audit", "1", "retiring"),
        ("audit", "2", "active"),
        ("audit", "1", "destroyed"),
    ]


@SELDOM_ON_BOTH
async def test_who_must_not_be_asked_is_not_asked_under_the_next_key_and_holds_the_old_one(
    app: App,
) -> None:
    token = await app.confirmation(BOB)
    await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    node = await begun(app, "suppression")
    token = await app.confirmation(CLEO)
    await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    await finished(app, node)

    for email in (BOB, CLEO):
        await app.sign_up(email)
    assert await app.deliver() == []
    assert set(await kept_by(node)) == {
        "rows of suppression, which cannot be made anew",
        "rows of service_mail, which cannot be made anew",
    }
    assert await node.sets.begin("suppression") == 3  # it is in nobody's way


@SELDOM_ON_BOTH
async def test_a_mark_counts_under_either_key_and_goes_by_itself(app: App) -> None:
    await app.sign_up(BOB)
    body = {"to": {"email": BOB}, "all": True, "kind": "withdraw", "channel": "phone"}
    async with app.http.post("/v1/withdrawals", json=body, headers=await app.key()) as answer:
        assert answer.status == 200
    node = await begun(app, "marks")

    assert await app.deliver() == []

    app.step(A_DAY_LATER)
    await keep(node, NOTHING_LEFT)
    assert await kept_by(node) == ["marks of who left, which go by themselves"]
    async with app.parts.data.begin() as connection:
        await app.parts.marks.drop(connection, None, app.parts.clock.wall(), 100)
    app.step(SOON)
    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "marks") == {1: "destroyed", 2: "active"}


@SELDOM_ON_BOTH
async def test_a_form_that_was_shown_before_still_proves_its_wording(app: App) -> None:
    body = await app.posted(BOB)
    node = await begun(app, "web")

    async with app.http.post("/forms/signup", json=body) as answer:
        assert answer.status == 202
    await finished(app, node)
    assert await set_states(app, "web") == {1: "destroyed", 2: "active"}


@SELDOM_ON_BOTH
async def test_an_old_key_stays_for_a_day_and_until_a_later_backup_was_verified(app: App) -> None:
    await verify_backup(app, 1)
    node = await begun(app, "rows")
    await keep(node, Declared(copies_replaced=True))
    assert app.parts.keyring.rows.get(1) is not None  # somebody who stood still may use it

    app.step(A_DAY_LATER)
    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "rows") == {1: "retiring", 2: "active"}
    assert in_file(app, "rows") == {1: "retiring", 2: "active"}  # for the backup of before

    app.step(timedelta(minutes=1))
    await verify_backup(app, 1)
    await keep(node)
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}


@SELDOM_ON_BOTH
async def test_a_key_that_was_lost_with_its_machine_is_given_up(app: App) -> None:
    async with machine(app, "second") as second:
        here, there = Node(app), Node(second)
        await here.keep()
        await there.sets.begin("web")  # and its disk is gone

        assert await here.sets.begin("web") == 3
        await keep(here)

        assert await set_states(app, "web") == {1: "retiring", 2: "destroyed", 3: "active"}


@SELDOM_ON_BOTH
async def test_another_key_of_the_same_number_is_not_taken_for_the_one_that_was_announced(
    app: App,
) -> None:
    async with machine(app, "second") as second:
        here, there = Node(app), Node(second)
        await here.keep()
        there.sets._followed.make("rows", 2)  # by an operator who began on both machines
        await there.keep()

        await here.sets.begin("rows")
        await keep(here)
        assert await set_states(app, "rows") == {1: "active", 2: "announced"}

        app.step(SILENT_FOR + timedelta(seconds=1))
        await keep(here)
        await turn(there)
        assert second.parts.keyring.rows.lacking == {2}
        assert [key.state for key in second.parts.keyring.rows.keys] == [KeyState.ACTIVE]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_one_process_at_a_time_opens_addresses_and_another_goes_on_at_once_behind_it(
    app: App,
) -> None:
    await app.subscribe()
    node = Node(app)
    await keep(node)
    assert await node.sets.begin("lookup") == 2
    by_the_new = select(tables.subject_index.c.subject).where(tables.subject_index.c.kid == 2)

    async with app.parts.data.begin() as other:
        assert await try_alone(other, "reindex")
        await keep(node)
        assert (await other.execute(by_the_new)).all() == []
    await keep(node)

    async with app.parts.data.read() as connection:
        assert len((await connection.execute(by_the_new)).all()) == 1
