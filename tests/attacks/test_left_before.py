"""Somebody leaves after a sign-up was acknowledged and before its turn: it has ended too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import address, gates, intakes, tables
from consent.intakes import Under
from consent.keys.tables import dek
from consent.marks import GRACE, Left
from consent.sign_ups import Asked, SignUp
from gateway.callers.api_keys import Scope
from gateway.flows.joining import intake, sign_up
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.opening import opened
from gateway.flows.proving import verify
from gateway.flows.rights import erasing, fresh_link
from storage.clock import DatabaseClock
from storage.errors import StorageAway
from tests.support.apps import ADA, App, open_app
from tests.support.clock import SteppedClock
from tests.support.databases import Databases
from tests.support.fresh_links import sent_links

BOB = "bob@example.org"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
FIVE_DAYS = timedelta(days=5)
mark = tables.mark


@pytest.fixture
async def app(app: App) -> AsyncIterator[App]:
    await app.texts("newsletter", "updates")
    yield app


async def passed_on(app: App, email: str = ADA, **said: Any) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": {"email": email}, "kind": "withdraw", "channel": "phone"} | said
    async with app.http.post("/v1/withdrawals", json=body, headers=key) as answer:
        assert answer.status == 200, await answer.text()


async def erased(app: App, email: str = ADA) -> None:
    """Whole, as an erasure does it that nothing interrupts."""
    subject = await app.subject(email)
    assert subject is not None
    parts = app.parts
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [subject])
        now = await parts.clock.now(connection)
        await erasing.begin(
            parts.log, connection, parts.rows, parts.lookup, parts.marks, held.values(), now
        )
    await erasing.Erasing(parts).finish([subject])


async def rows(app: App, table: Any) -> list[dict[str, Any]]:
    async with app.parts.data.read() as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]


async def by_newsletter(app: App) -> None:
    await passed_on(app, purpose="newsletter")


async def by_all(app: App) -> None:
    await passed_on(app, all=True)


async def by_objection(app: App) -> None:
    await passed_on(app, all=True, kind="object")


Leave = Callable[[App], Awaitable[None]]
EACH = pytest.mark.parametrize("leave", [by_newsletter, by_all, by_objection])


@EACH
async def test_a_stranger_who_left_does_not_come_to_be_known(app: App, leave: Leave) -> None:
    await app.sign_up()
    app.step(SECOND)

    await leave(app)

    assert await app.deliver() == []
    assert await app.subject() is None
    assert await rows(app, tables.intake) == []


@EACH
async def test_who_is_known_for_something_else_is_not_mailed(app: App, leave: Leave) -> None:
    """No consent of that purpose says when they left."""
    await app.subscribe(ADA, "updates")
    await app.sign_up()
    app.step(SECOND)

    await leave(app)

    assert await app.deliver() == []


async def test_who_leaves_without_saying_their_address_has_left_from_it_too(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    await app.sign_up(ADA, "updates")
    app.step(SECOND)

    await Withdrawals(app.parts).by_subject(subject, Withdrawal(None, Actor.SUBJECT, "my-data"))

    assert await app.deliver() == []


async def test_it_needs_no_key_of_who_leaves(app: App) -> None:
    await app.subscribe(ADA, "updates")
    subject = await app.subject()
    assert subject is not None
    await app.sign_up()
    app.step(SECOND)
    async with app.parts.key_database.begin() as connection:
        keys = (await connection.execute(select(dek))).mappings().all()
        await connection.execute(delete(dek))
    app.parts.keystore._people.forget([subject])

    objection = Withdrawal(None, Actor.SUBJECT, "my-data", objection=True)
    await Withdrawals(app.parts).by_subject(subject, objection)

    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(dek), [dict(one) for one in keys])
    app.parts.keystore._people.forget([subject])
    app.step(SECOND)
    assert await app.deliver() == []


async def test_what_was_asked_for_another_purpose_stands(app: App) -> None:
    await app.sign_up(ADA, "newsletter", "updates")
    app.step(SECOND)

    await by_newsletter(app)

    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    assert await app.permission(purpose="updates") == "granted"
    assert await app.permission(purpose="newsletter") == "unknown"


async def test_who_was_erased_is_not_known_again(app: App) -> None:
    await app.subscribe()
    await app.sign_up(ADA, "updates")
    app.step(SECOND)

    await erased(app)

    assert await app.deliver() == []
    assert await app.subject() is None
    assert await rows(app, tables.intake) == []


async def test_an_erasure_between_the_look_and_the_lock_is_seen(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe()
    await app.sign_up(ADA, "updates")
    app.step(SECOND)

    async def open_after_an_erasure(*arguments: Any) -> Any:
        monkeypatch.undo()
        await erased(app)
        return await opened(*arguments)

    monkeypatch.setattr(intake, "opened", open_after_an_erasure)

    assert [await app.deliver() for _ in range(2)] == [[], []]
    assert await app.subject() is None
    assert await rows(app, tables.intake) == []


async def test_a_fresh_link_that_was_asked_for_before_goes_to_nobody(app: App) -> None:
    await app.subscribe()
    await fresh_link.accept(app.parts, address.parse(ADA), None)
    app.step(SECOND)

    await erased(app)
    app.step(SECOND)
    await app.subscribe()

    assert await sent_links(app.parts) == []


async def test_who_left_one_purpose_still_sees_what_is_kept(app: App) -> None:
    await app.subscribe()
    await fresh_link.accept(app.parts, address.parse(ADA), None)
    app.step(SECOND)

    await by_newsletter(app)
    await fresh_link.work_off(app.parts)

    assert len(await sent_links(app.parts)) == 1


async def test_asking_again_by_an_old_link_counts_from_the_look(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person leaves between the page's look at the request and the keeping of the new one."""
    token = await app.confirmation()
    app.step(timedelta(hours=80))
    await app.tick()
    keystore, vault = app.parts.keystore, app.parts.keystore.vault

    async def vault_and_then_leave(*arguments: Any) -> Any:
        monkeypatch.setattr(keystore, "vault", vault)
        app.step(SECOND)
        await by_newsletter(app)
        app.step(SECOND)
        return await vault(*arguments)

    monkeypatch.setattr(keystore, "vault", vault_and_then_leave)
    async with app.http.post(f"/confirm/{token}", data={"answer": "again"}) as page:
        assert page.status in (200, 410)

    assert await app.deliver() == []


@EACH
async def test_who_signs_up_after_leaving_is_asked(app: App, leave: Leave) -> None:
    await leave(app)
    app.step(SECOND)

    await app.sign_up()

    expected = [] if leave is by_objection else [ADA]  # an objection blocks asking for a year
    assert [mail.to for mail in await app.deliver()] == expected


async def test_leaving_at_the_same_moment_wins(app: App) -> None:
    await app.sign_up()

    await by_newsletter(app)

    assert await app.deliver() == []


async def test_a_mark_that_nothing_waits_for_goes(app: App) -> None:
    await by_all(app)
    app.step(GRACE)
    await app.sign_up(BOB)  # received since: it has nothing to do with it
    app.step(SECOND)
    rules = RetentionRules(app.parts)

    assert await rules.marks() == 1
    assert await rows(app, mark) == []


async def test_a_mark_stays_while_something_waits_that_was_received_before(app: App) -> None:
    await app.sign_up(BOB)
    app.step(SECOND)
    await by_all(app)
    app.step(GRACE + SECOND)
    rules = RetentionRules(app.parts)

    assert await rules.marks() == 0

    await app.tick()
    assert await rules.marks() == 1


async def test_many_marks_go_in_steps(app: App) -> None:
    left = [Left(number.to_bytes(16), None) for number in range(250)]
    async with app.parts.data.begin() as connection:
        await app.parts.marks.add(connection, left, app.parts.clock.wall())
    app.step(GRACE + SECOND)
    rules = RetentionRules(app.parts)

    assert [await rules.marks() for _ in range(3)] == [200, 50, 0]


async def test_who_is_asking_again_is_not_forgotten_meanwhile(app: App) -> None:
    await app.confirmation()
    app.step(timedelta(days=31))
    await app.tick()
    await app.sign_up()

    await RetentionRules(app.parts).people()

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_mark_of_a_clock_that_ran_ahead_keeps_nobody_out_for_days(app: App) -> None:
    app.step(FIVE_DAYS)
    await by_all(app)
    app.step(-FIVE_DAYS)
    await RetentionRules(app.parts).marks()
    app.step(SECOND)

    await app.sign_up()

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_sign_up_that_such_a_clock_dated_does_not_outrun_who_left_since(app: App) -> None:
    app.step(FIVE_DAYS)
    await app.sign_up()
    app.step(-FIVE_DAYS)

    await by_newsletter(app)

    assert await app.deliver() == []


# By SQL.


async def plant(connection: AsyncConnection, **changes: Any) -> None:
    row = dict((await connection.execute(select(mark))).mappings().one())
    await connection.execute(insert(mark).values(row | changes))


CHANGES: dict[str, dict[str, Any]] = {
    "for another moment": {},
    "for every purpose": {"purpose": ""},
    "without a MAC": {"mac": None, "kid": None},
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_planted_or_copied_mark_swallows_no_sign_up_and_is_named(
    app: App, name: str
) -> None:
    await by_newsletter(app)
    app.step(SECOND)
    await app.sign_up(ADA, "updates" if name == "for every purpose" else "newsletter")
    app.step(SECOND)
    planted = {"id": "mrk_planted", "left_at": app.parts.clock.wall()} | CHANGES[name]
    async with app.parts.data.begin() as connection:
        await plant(connection, **planted)

    assert any("mark mrk_planted" in one for one in (await verify.verify(app.parts)).rows)
    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_mark_of_another_address_is_not_this_ones(app: App) -> None:
    await app.sign_up(ADA, "updates")
    app.step(SECOND)
    await passed_on(app, BOB, all=True)
    await by_newsletter(app)
    of_bob, of_ada = sorted(await rows(app, mark), key=lambda row: str(row["purpose"]))
    async with app.parts.data.begin() as connection:
        hashed = {"address_hash": of_ada["address_hash"]}
        await connection.execute(update(mark).where(mark.c.id == of_bob["id"]).values(hashed))

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_sign_up_that_was_dated_after_the_leaving_does_not_count(app: App) -> None:
    await app.sign_up()
    app.step(SECOND)
    await by_newsletter(app)
    app.step(SECOND)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(tables.intake).values(received_at=app.parts.clock.wall()))

    assert await app.deliver() == []


ALTERED = {
    "a state": (tables.subject, {"state": "vip"}),
    "a person's MAC": (tables.subject, {"mac": b"m" * 32}),
    "an index": (tables.subject_index, {"hash": b"x" * 16}),
    "an index's MAC": (tables.subject_index, {"mac": b"m" * 32}),
}


@pytest.mark.parametrize(("table", "altered"), ALTERED.values(), ids=ALTERED)
async def test_who_left_while_a_row_of_theirs_was_altered_has_left_from_it_too(
    app: App, table: Table, altered: dict[str, Any]
) -> None:
    await app.subscribe(ADA, "updates")
    subject = await app.subject()
    assert subject is not None
    await app.sign_up()
    app.step(SECOND)
    (before,) = await rows(app, table)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(table).values(altered))

    leave = Withdrawal(None, Actor.SUBJECT, "unsubscribe-link")
    await Withdrawals(app.parts).by_subject(subject, leave)

    async with app.parts.data.begin() as connection:
        await connection.execute(update(table).values({name: before[name] for name in altered}))
    assert await app.deliver() == []


async def test_a_mark_waits_for_a_sign_up_that_is_kept_and_not_committed_yet(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    """Nobody sees it while the mark is looked at; it was received before."""
    if dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    clock = SteppedClock(DatabaseClock().wall() + HOUR)  # when it began PostgreSQL says by its own
    async with open_app(tmp_path, new_database_url, dialect, clock=clock) as app:
        (form, under) = await to_keep(app)
        async with app.parts.data.begin() as slow:
            await intakes.add(slow, [intakes.seal_sign_up(form, under, clock.wall())])
            app.step(SECOND)
            await by_all(app)
            app.step(2 * GRACE)
            await RetentionRules(app.parts).rules()["marks"]()

        assert await app.deliver() == []
        assert await app.subject() is None
        app.step(SECOND)
        await RetentionRules(app.parts).rules()["marks"]()
        assert await rows(app, mark) == []


async def test_what_was_looked_at_longer_ago_than_marks_are_sure_to_stay_is_not_kept(
    app: App,
) -> None:
    (form, _) = await to_keep(app)
    looked_at = app.parts.clock.wall()
    await by_all(app)
    app.step(GRACE + SECOND)
    await RetentionRules(app.parts).rules()["marks"]()

    with pytest.raises(StorageAway):
        await sign_up.accept(app.parts, form, None, looked_at)

    assert await app.deliver() == []
    assert await app.subject() is None


async def to_keep(app: App) -> tuple[SignUp, Under]:
    """A sign-up as it is kept, and what it is sealed under."""
    (text,) = await app.texts("newsletter")
    form = SignUp("signup", address.parse(ADA), "en", (Asked("newsletter", text),))
    key = await app.parts.keystore.intake_key(app.parts.clock.wall())
    return form, Under(*key, *app.parts.lookup.newest)
