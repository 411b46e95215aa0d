"""Operators on both databases: a whole life of one, races, keys that rotate, backups put back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from audit import trail
from audit.kinds import Kind
from consent import address
from consent.keys.vault import OF_PEOPLE, Compartment
from gateway.callers import operators, visits
from gateway.callers.operators import Identity, Role
from gateway.flows.desk.staff import Entered, Taken
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.process import backup_check
from gateway.schema.tables import operator
from storage.ids import random_id
from tests.contract.test_backup_check import taken
from tests.contract.test_rotation import SELDOM_ON_BOTH, rotated
from tests.contract.test_set_rotation import begun, finished
from tests.support.apps import App, sign_ins_of, staff_of
from tests.support.databases import Databases
from tests.support.restoring import Site
from tests.support.rotations import set_states, wrapping
from tests.support.seats import desk_of

DPO = address.parse("Privacy@Acme.example")


async def enter(app: App, email: str = "privacy@acme.example", role: Role = Role.DPO) -> Entered:
    done = await staff_of(app.parts).enter(address.parse(email), role, None)
    assert isinstance(done, Entered)
    return done


async def test_of_several_who_are_entered_at_once_no_two_have_one_name_or_one_mailbox(
    app: App,
) -> None:
    staff = staff_of(app.parts)
    emails = [address.parse(f"p{number % 2}@acme.example") for number in range(6)]

    done = await asyncio.gather(*(staff.enter(one, Role.DPO, None) for one in emails))
    named = await asyncio.gather(
        *(staff.enter(address.parse(f"q{n}@acme.example"), Role.DPO, "privacy") for n in range(3))
    )

    assert sorted(one.name for one in done if isinstance(one, Entered)) == ["dpo-1", "dpo-2"]
    assert [one.what for one in done if isinstance(one, Taken)] == ["mailbox"] * 4
    assert sorted(type(one).__name__ for one in named) == ["Entered", "Taken", "Taken"]


async def told(app: App) -> list[Kind]:
    kinds = [one for one in Kind if one.startswith("operator.")]
    async with app.parts.data.read() as connection:
        return [one.kind for one in await trail.happenings(connection, app.parts.log.macs, kinds)]


async def asked(app: App, typed: str) -> list[str]:
    """Ask for a link; the tokens that went to anybody, with the mailbox."""
    answer = await app.http.post("/dpo/sign-in", data={"email": typed})
    assert answer.status == 200
    return [one.to for one in await app.deliver() if b"/dpo/link/" in one.raw]


async def test_a_life_of_an_operator(app: App) -> None:
    """Each step is told, nothing of it is left that says who it was, and rows and log fit."""
    one, desk = await enter(app), desk_of(app.parts)
    raw = await desk.open(one.token)
    assert raw is not None
    who = await desk.who(raw)
    assert who is not None
    assert (who.id, who.name, who.role) == (one.id, "dpo-1", Role.DPO)
    await app.tick()
    assert (await verify(app.parts)).rows == []

    await desk.leave(who, raw)
    assert await desk.who(raw) is None
    assert await staff_of(app.parts).revoke(one.id)
    app.step(app.parts.config.retention.staff)
    assert await RetentionRules(app.parts).staff() == 1
    assert await RetentionRules(app.parts).staff() == 0

    assert await told(app) == [
        Kind.OPERATOR_CREATED,
        Kind.OPERATOR_SIGNED_IN,
        Kind.OPERATOR_SIGNED_OUT,
        Kind.OPERATOR_REVOKED,
        Kind.OPERATOR_FORGOTTEN,
    ]
    assert await app.parts.keystore.held([one.id]) == set()
    await app.tick()
    assert (await verify(app.parts)).rows == []


async def test_a_link_goes_to_the_address_that_was_entered_however_it_is_typed(app: App) -> None:
    await staff_of(app.parts).enter(DPO, Role.DPO, None)

    assert await asked(app, "PRIVACY@ACME.EXAMPLE") == [DPO.mailbox]


async def test_who_asked_to_be_erased_meanwhile_is_not_on_file_by_an_older_request(
    app: App,
) -> None:
    """The request waits while they are erased: of what came before nothing is worked off."""
    email = "privacy@acme.example"
    await enter(app, email)
    await app.http.post("/dpo/sign-in", data={"email": email})
    key = await app.key()
    await app.http.post("/v1/erasures", json={"email": email}, headers=key)

    await sign_ins_of(app.parts).work_off()

    assert await app.subject(email) is None


async def test_of_many_who_press_at_once_one_gets_in(app: App) -> None:
    one, desk = await enter(app), desk_of(app.parts)

    opened = await asyncio.gather(*(desk.open(one.token) for _ in range(8)))

    assert len([raw for raw in opened if raw is not None]) == 1
    assert (await told(app)).count(Kind.OPERATOR_SIGNED_IN) == 1


async def test_who_signs_in_while_they_are_revoked_sits_nowhere(app: App) -> None:
    desk, staff = desk_of(app.parts), staff_of(app.parts)
    for number in range(6):
        one = await enter(app, f"p{number}@acme.example")

        raw, done = await asyncio.gather(desk.open(one.token), staff.revoke(one.id))

        assert done
        assert raw is None or await desk.who(raw) is None


async def test_an_operators_key_is_of_no_person_and_no_person_has_one(app: App) -> None:
    await app.subscribe()
    one, ada = await enter(app), await app.subject() or ""
    vault = await app.parts.keystore.vault([one.id, ada])

    assert vault.has(ada, *OF_PEOPLE)
    assert not vault.has(ada, Compartment.STAFF)
    assert vault.has(one.id, Compartment.STAFF)
    assert not any(vault.has(one.id, part) for part in OF_PEOPLE)


async def test_the_sweep_of_keys_keeps_those_of_operators_and_of_nobody_else(app: App) -> None:
    one, nobody = await enter(app), random_id("opr")
    await app.parts.keystore.create([nobody], app.parts.clock.wall(), [Compartment.STAFF])
    app.step(timedelta(days=2))

    assert await RetentionRules(app.parts).keys() == 1

    assert await app.parts.keystore.held([one.id, nobody]) == {(one.id, "staff")}


async def test_who_looks_who_an_operator_is_is_told(app: App) -> None:
    one = await enter(app)

    shown = await staff_of(app.parts).show(one.id, "2026-17")

    assert shown is not None
    assert shown.email.mailbox == "privacy@acme.example"
    macs = app.parts.log.macs
    async with app.parts.data.read() as connection:
        (said,) = await trail.happenings(connection, macs, [Kind.OPERATOR_ACCESSED])
    assert said.refs == {"operator": one.id, "case": "2026-17"}


async def test_neither_a_mailbox_nor_a_name_is_taken_twice(app: App) -> None:
    staff, one = staff_of(app.parts), await enter(app)

    assert await staff.enter(DPO, Role.ADMIN, None) == Taken(one.id, "mailbox")
    other = address.parse("other@acme.example")
    assert await staff.enter(other, Role.DPO, "dpo-1") == Taken(one.id, "name")
    await staff.revoke(one.id)
    assert isinstance(await staff.enter(DPO, Role.DPO, None), Entered)


async def test_a_step_is_noted_seldom_and_prolongs_no_session_that_ended(app: App) -> None:
    desk = desk_of(app.parts)
    raw = await desk.open((await enter(app)).token)
    assert raw is not None
    who = await desk.who(raw)
    assert who is not None

    await desk.note_step(who)
    same = await desk.who(raw)
    app.step(timedelta(minutes=1))
    await desk.note_step(who)
    later = await desk.who(raw)
    await desk.leave(who, raw)
    app.step(timedelta(minutes=1))
    await desk.note_step(who)

    assert same is not None
    assert later is not None
    assert same.session.ends_at == who.session.ends_at
    assert later.session.ends_at == who.session.ends_at + timedelta(minutes=1)
    assert await desk.who(raw) is None


async def test_links_and_sessions_go_by_themselves(app: App) -> None:
    one = await enter(app)
    await desk_of(app.parts).open(one.token)
    await enter(app, "b@acme.example")

    async def left() -> tuple[int, int]:
        async with app.parts.data.begin() as connection:
            await visits.forget(connection, await app.parts.clock.now(connection))
        async with app.parts.data.read() as connection:
            links, sessions = await visits.kept(connection, app.parts.rows)
        return len(links), len(sessions)

    assert await left() == (2, 1)
    app.step(visits.IDLE)
    assert await left() == (2, 0)
    app.step(visits.PRINTED_LIFE + timedelta(days=1))
    assert await left() == (0, 0)


async def test_after_a_restore_of_older_data_nobody_stands(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    """Who was revoked since the backup would sit there again, and nobody could tell."""
    site = await Site.make(tmp_path, new_database_url, dialect)
    async with site.started() as app:
        one, other = await enter(app), await enter(app, "b@acme.example")
        raw = await desk_of(app.parts).open(one.token)
        assert raw is not None
        await app.tick()
    kept = site.keep()
    async with site.started() as app:
        assert await staff_of(app.parts).revoke(one.id)
        await app.tick()
    site.put_back(kept, "data")

    _, done = await site.restore()

    assert done.operators == 2
    async with site.started() as app:
        assert await desk_of(app.parts).who(raw) is None
        assert not await desk_of(app.parts).can_open(other.token)
        assert [one.revoked for one in await staff_of(app.parts).listed()] == [True, True]
        assert (await verify(app.parts)).rows == []


async def test_after_a_restore_of_older_keys_who_has_none_is_nobody(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await Site.make(tmp_path, new_database_url, dialect)
    async with site.started() as app:
        before = await enter(app)
        await app.tick()
    kept = site.keep()
    async with site.started() as app:
        since = await enter(app, "b@acme.example")
        await app.subscribe()
        await app.subscribe("grace@example.org")
        await app.tick()
    site.put_back(kept, "keys")

    _, done = await site.restore()

    assert done.operators == 1
    async with site.started() as app:
        rows = {one.row.id: one.revoked for one in await staff_of(app.parts).listed()}
        assert rows == {before.id: False, since.id: True}
        assert (await verify(app.parts)).rows == []


async def test_an_identity_opens_in_its_own_row_alone(app: App) -> None:
    one, other = await enter(app), await enter(app, "b@acme.example")
    vault = await app.parts.keystore.vault([one.id, other.id])
    async with app.parts.data.read() as connection:
        row = await operators.get(connection, app.parts.rows, one.id)
    assert row is not None

    assert operators.identity_of(row, vault) == Identity(
        address.parse("privacy@acme.example"), "dpo-1"
    )
    sealed = operators.seal(other.id, Identity(DPO, "x"), vault)
    moved = operators.Member(row.id, row.role, sealed, None, row.created_at, None, row.eid)
    assert operators.identity_of(moved, vault) is None


async def test_after_a_rotation_of_keys_operators_sit_where_they_sat(app: App) -> None:
    one, desk = await enter(app), desk_of(app.parts)
    raw = await desk.open(one.token)
    assert raw is not None

    await rotated(app)

    assert await wrapping(app) == {2}
    app.parts.keystore._people.forget([one.id])
    who = await desk.who(raw)
    assert who is not None
    assert who.name == "dpo-1"


@SELDOM_ON_BOTH
async def test_under_the_next_key_of_rows_operators_sit_where_they_sat(app: App) -> None:
    one, desk = await enter(app), desk_of(app.parts)
    raw = await desk.open(one.token)
    assert raw is not None

    node = await begun(app, "rows")

    async with app.parts.data.read() as connection:
        kids = (await connection.execute(select(operator.c.kid))).scalars().all()
    assert kids == [2]
    app.step(timedelta(minutes=2))
    who = await desk.who(raw)
    assert who is not None
    await desk.note_step(who)  # what it is found by was made with the old key
    app.step(visits.IDLE - timedelta(minutes=1))
    assert await desk.who(raw) is not None
    app.step(visits.PRINTED_LIFE)
    await finished(app, node)
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}
    assert (await verify(app.parts)).rows == []


async def test_a_backup_is_found_whole_with_operators_and_a_scratch_has_them(
    app: App, tmp_path: Path
) -> None:
    await enter(app)
    await app.tick()

    backup = await taken(app, tmp_path / "backups")

    assert (await backup_check.check(backup, app.parts.config, None)).verification.rows == []
