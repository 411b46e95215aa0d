"""Mails that anybody can have sent to somebody: metered, and stopped for the whole mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, suppressions, tables, tokens
from consent.keys import blind
from consent.keys.tables import dek
from consent.suppressions import Stop, Suppression
from delivery.permits import Spending
from delivery.tables import permit
from gateway.callers.api_keys import Scope
from gateway.flows.joining import intake
from gateway.flows.keeping.retention import RetentionRules
from gateway.process import duties
from gateway.process.desk import Desk
from storage.errors import StorageAway
from tests.support import stores
from tests.support.apps import ADA, App, Mail

DAY = timedelta(days=1)
YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)
TAGGED = "ada+1@example.org"


async def ask(app: App, email: str = ADA) -> list[Mail]:
    """Ask for a fresh link as anybody can; what is delivered then."""
    async with app.http.post("/my-data", data={"email": email}) as page:
        assert page.status == 200
    return await app.deliver()


async def sign_up(app: App, email: str = ADA) -> list[Mail]:
    await app.sign_up(email)
    return await app.deliver()


async def press(app: App, path: str, **fields: str) -> str:
    async with app.http.post(path, data=fields) as page:
        assert page.status == 200
        return await page.text()


async def not_me(app: App, email: str = ADA) -> None:
    await press(app, f"/confirm/{await app.confirmation(email)}", answer="reject")
    app.step(SECOND)


async def object_to_it(app: App, email: str = ADA) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": {"email": email}, "all": True, "kind": "object", "channel": "letter"}
    async with app.http.post("/v1/withdrawals", json=body, headers=key) as answer:
        assert answer.status == 200
    app.step(SECOND)


async def stop(app: App, mail: Mail) -> str:
    text = await press(app, f"/stop/{mail.token('stop')}")
    app.step(SECOND)
    return text


async def rows(app: App, table: Any) -> int:
    async with app.parts.data.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def links(app: App, days: Iterable[int], email: str = ADA) -> list[int]:
    """On which of *days* a link comes when one is asked for on each."""
    came, today = [], 0
    for day in days:
        app.step(DAY * (day - today))
        today = day
        came += [day] * len(await ask(app, email))
    return came


# Fresh links.


async def test_thirty_five_wishes_in_a_week_send_seven_links_at_most_and_five_a_month(
    app: App,
) -> None:
    await app.subscribe()

    assert await links(app, sorted([*range(7)] * 5)) == [0, 1, 2, 3, 4]


async def test_who_never_confirmed_gets_a_link_and_then_seldom(app: App) -> None:
    await app.confirmation()

    assert await links(app, range(29)) == [0, 1, 8]


async def test_who_said_that_it_was_somebody_else_gets_a_link_a_month(app: App) -> None:
    await not_me(app)

    assert await links(app, range(29)) == [0]


async def test_an_objection_leaves_who_confirmed_their_data(app: App) -> None:
    await app.subscribe()
    await object_to_it(app)

    assert await links(app, range(4)) == [0, 1, 2, 3]


async def test_spellings_of_one_mailbox_get_its_links_together(app: App) -> None:
    spelled = [ADA, TAGGED, "a.d.a@example.org"]
    for email in spelled:
        await sign_up(app, email)

    assert [len(await ask(app, email)) for email in spelled] == [1, 0, 0]


async def test_several_wishes_at_once_send_one_link(app: App) -> None:
    await app.subscribe()
    for _ in range(3):
        await app.http.post("/my-data", data={"email": ADA})

    assert len(await app.deliver()) == 1


async def test_the_answer_is_the_same_over_the_limit_and_after_a_stop(app: App) -> None:
    await app.subscribe()
    seen = set()
    for _ in range(3):
        async with app.http.post("/my-data", data={"email": ADA}) as page:
            seen.add((page.status, await page.text()))
        mails = await app.deliver()
        if mails:
            await stop(app, mails[0])

    assert len(seen) == 1


# Stopping them.


@pytest.mark.parametrize("which", ["confirmation", "fresh link"])
async def test_a_mailbox_that_stops_them_gets_neither_for_a_year(app: App, which: str) -> None:
    await app.sign_up()
    mails = await app.deliver()
    if which == "fresh link":
        mails = await ask(app)
    await stop(app, mails[0])

    for days in (0, 8, 300):
        app.step(DAY * days)
        for email in (ADA, TAGGED, "A.Da+x@example.org"):
            assert await sign_up(app, email) == []
        assert await ask(app) == []
    app.step(YEAR - DAY * 300)

    assert [mail.to for mail in await sign_up(app)] == [ADA]


async def test_it_ends_nothing_that_somebody_agreed_to(app: App) -> None:
    await app.subscribe()
    (mail,) = await ask(app)

    await stop(app, mail)

    assert await app.permission() == "granted"


async def test_looking_at_the_page_stops_nothing(app: App) -> None:
    (mail,) = await sign_up(app)
    async with app.http.get(f"/stop/{mail.token('stop')}?locale=de") as page:
        assert page.status == 200
        assert "Zwölf Monate" in await page.text()
    async with app.http.head(f"/stop/{mail.token('stop')}") as page:
        assert page.status == 200

    assert [mail.to for mail in await ask(app)] == [ADA]


async def test_what_was_asked_for_and_waits_is_not_sent(app: App) -> None:
    (mail,) = await sign_up(app)
    await app.sign_up(TAGGED)
    await app.http.post("/my-data", data={"email": ADA})
    await app.tick()

    await stop(app, mail)

    assert await app.deliver() == []


@pytest.mark.parametrize("permitted", ["another spelling", "a link"])
@pytest.mark.parametrize("leave", ["not me", "objection", "stop"])
async def test_it_is_answered_when_no_mail_that_was_permitted_can_start_any_more(
    app: App, leave: str, permitted: str
) -> None:
    (mail,) = await sign_up(app)
    if permitted == "a link":
        await app.http.post("/my-data", data={"email": ADA})
    else:
        await app.sign_up(TAGGED)
    await app.tick()
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    (parcel,) = await desk.claim("wrk_x", 1)
    leaving = {
        "not me": lambda: press(app, f"/confirm/{mail.token('confirm')}", answer="reject"),
        "objection": lambda: object_to_it(app),
        "stop": lambda: stop(app, mail),
    }
    stopping = asyncio.create_task(leaving[leave]())
    await asyncio.sleep(0.3)
    waits = not stopping.done()

    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    assert await desk.spend("wrk_x", [spending]) == {parcel.permit}
    await asyncio.wait_for(stopping, 60)

    assert waits


@pytest.mark.parametrize("leave", ["not me", "objection", "stop"])
async def test_nobody_is_answered_while_a_permit_of_another_spelling_is_hidden(
    app: App, leave: str
) -> None:
    """Whoever writes rows takes it away for the moment of the answer, and puts it back."""
    (mail,) = await sign_up(app)
    await app.sign_up(TAGGED)
    await app.tick()
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    (parcel,) = await desk.claim("wrk_x", 1)
    this = permit.c.id == parcel.permit
    async with app.parts.data.begin() as connection:
        (away,) = [
            one for one in await stores.rows(connection, permit) if one["id"] == parcel.permit
        ]
        await connection.execute(delete(permit).where(this))

    if leave == "objection":
        key = await app.key(Scope.CONSENTS_WITHDRAW)
        body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
        async with app.http.post("/v1/withdrawals", json=body, headers=key) as answer:
            status = answer.status
    else:
        link = "stop" if leave == "stop" else "confirm"
        path = f"/{link}/{mail.token(link)}"
        async with app.http.post(path, data={"answer": "reject"}) as answer:
            status = answer.status

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(permit), [away])
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    assert status == 503 or not await desk.spend("wrk_x", [spending])


@pytest.mark.parametrize("leave", [not_me, object_to_it])
async def test_what_waits_for_another_spelling_is_not_sent_either(app: App, leave: Any) -> None:
    token = await app.confirmation()
    await app.sign_up(TAGGED)
    await app.tick()

    if leave is not_me:
        await press(app, f"/confirm/{token}", answer="reject")
    else:
        await object_to_it(app)

    assert await app.deliver() == []


@pytest.mark.parametrize("leave", ["not me", "objection", "stop"])
async def test_what_is_queued_for_another_spelling_while_somebody_leaves_is_not_sent(
    app: App, monkeypatch: pytest.MonkeyPatch, leave: str
) -> None:
    (mail,) = await sign_up(app)
    await app.sign_up(TAGGED)
    begin = app.parts.data.begin

    @asynccontextmanager
    async def after_intake() -> AsyncIterator[AsyncConnection]:
        """Between the last look and the lock of who leaves, the duty had its turn."""
        monkeypatch.undo()
        assert await intake.work_off(app.parts) == 1
        async with begin() as connection:
            yield connection

    key = await app.key(Scope.CONSENTS_WITHDRAW)
    monkeypatch.setattr(app.parts.data, "begin", after_intake)
    if leave == "not me":
        await press(app, f"/confirm/{mail.token('confirm')}", answer="reject")
    elif leave == "stop":
        await press(app, f"/stop/{mail.token('stop')}")
    else:
        body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
        async with app.http.post("/v1/withdrawals", json=body, headers=key) as answer:
            assert answer.status == 200

    assert app.parts.data.begin == begin
    assert await app.deliver() == []


async def test_the_page_says_the_same_behind_a_link_that_nobody_has(app: App) -> None:
    (mail,) = await sign_up(app)
    nobodys, _ = tokens.new_link_token()

    answers = [await press(app, f"/stop/{token}") for token in (nobodys, mail.token("stop"))]

    assert answers[0].replace(nobodys, "") == answers[1].replace(mail.token("stop"), "")
    async with app.http.get("/stop/short") as page:
        assert page.status == 404


async def test_a_link_works_for_a_year_and_goes_with_the_person(app: App) -> None:
    await app.subscribe()
    (mail,) = await ask(app)
    app.step(YEAR)
    await stop(app, mail)
    assert len(await ask(app)) == 1
    await duties.sweep(app.parts)
    assert await rows(app, tables.service_mail) == 1

    await app.confirmation("bob@example.org")
    app.step(31 * DAY)
    await app.tick()
    await RetentionRules(app.parts).people()

    assert await rows(app, tables.service_mail) == 1  # of who confirmed


async def test_who_reads_the_table_does_not_know_the_link(app: App) -> None:
    (mail,) = await sign_up(app)
    raw = tokens.decode(mail.token("stop"))
    assert raw is not None
    async with app.parts.data.read() as connection:
        (row,) = (await connection.execute(select(tables.service_mail))).mappings()

    assert len(raw) == 32
    assert raw not in {bytes(v) for v in row.values() if isinstance(v, bytes)}
    assert row["token_hash"] == tokens.hash_of(mail.token("stop"))
    async with app.parts.data.read() as connection:  # nor is the mailbox found in another table
        hashes = (await connection.execute(select(tables.suppression.c.address_hash))).scalars()
        assert row["mailbox"] not in set(hashes)


async def test_a_stop_that_cannot_be_stored_is_not_answered_as_done(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mail,) = await sign_up(app)

    def away(*_: object) -> None:
        raise StorageAway("data")

    with monkeypatch.context() as patched:
        patched.setattr(app.parts.data, "begin", away)
        async with app.http.post(f"/stop/{mail.token('stop')}") as page:
            assert page.status == 503

    assert [mail.to for mail in await ask(app)] == [ADA]


async def test_what_waits_ends_although_the_key_of_the_person_is_gone(app: App) -> None:
    (mail,) = await sign_up(app)
    subject = await app.subject()
    await app.http.post("/my-data", data={"email": ADA})
    await app.tick()
    async with app.parts.key_database.begin() as connection:
        keys = (await connection.execute(select(dek))).mappings().all()
        await connection.execute(delete(dek))
    app.parts.keystore._people.forget([subject or ""])

    await stop(app, mail)

    async with app.parts.key_database.begin() as connection:
        await connection.execute(dek.insert(), [dict(one) for one in keys])
    app.parts.keystore._people.forget([subject or ""])
    assert await app.deliver() == []


# A block is of the mailbox.


@pytest.mark.parametrize("leave", [not_me, object_to_it])
async def test_no_spelling_of_a_mailbox_is_asked_again(app: App, leave: Any) -> None:
    await leave(app)

    for email in (TAGGED, "ada+2@example.org", "a.da@example.org", "A.D.A+news@example.org"):
        assert await sign_up(app, email) == []


async def test_a_spelling_that_said_no_blocks_the_plain_address(app: App) -> None:
    await not_me(app, "a.da+7@example.org")

    assert await sign_up(app) == []


async def test_a_block_of_asking_takes_no_permission_from_another_spelling(app: App) -> None:
    await app.subscribe()
    await not_me(app, TAGGED)

    assert await app.permission() == "granted"
    assert await app.permission(TAGGED) == "rejected"


async def test_a_block_of_the_first_release_holds(app: App) -> None:
    """It named one spelling, by a hash that is not folded."""
    keys, dotted = app.parts.keyring.suppression, "a.da@example.org"
    digest = blind.suppression_hash(keys.secret, address.parse(dotted).canonical)
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        block = Suppression(digest, Stop.ASKING, now + YEAR, kid=keys.kid)
        await suppressions.add(connection, [block], now)

    assert await sign_up(app, dotted) == []


# Whoever must not be asked does not come to be known.


async def forgotten(app: App) -> None:
    """Somebody says "not me", and the request is forgotten."""
    await not_me(app)
    app.step(31 * DAY)
    await app.tick()
    await RetentionRules(app.parts).people()
    assert await app.subject() is None


async def test_a_blocked_sign_up_does_not_make_a_forgotten_person_known_again(app: App) -> None:
    await forgotten(app)
    before = await rows(app, tables.consent)

    for email in (ADA, TAGGED):
        assert await sign_up(app, email) == []

        assert await app.subject(email) is None
    assert await rows(app, tables.consent) == before
    assert await rows(app, tables.intake) == 0
    assert await links(app, range(0, 300, 30)) == []


async def test_an_unknown_mailbox_that_objected_stays_unknown(app: App) -> None:
    await object_to_it(app)

    assert await sign_up(app) == []

    assert await app.subject() is None


async def test_others_of_the_same_turn_are_asked(app: App) -> None:
    await forgotten(app)
    await app.sign_up()
    await app.sign_up("bob@example.org")

    assert [mail.to for mail in await app.deliver()] == ["bob@example.org"]


async def test_a_link_of_who_was_forgotten_promises_nothing_that_it_does_not_do(app: App) -> None:
    """Who never confirmed is forgotten after a month, and with them whose link it was."""
    (mail,) = await sign_up(app)
    app.step(40 * DAY)
    await app.tick()
    assert await RetentionRules(app.parts).people() > 0

    said = await stop(app, mail)

    (again,) = await sign_up(app)
    assert "If we still know whose link this is" in said
    assert "sooner a mailbox that confirmed nothing: then there was nothing to stop" in said
    assert "use the link in the newest one" in said
    await stop(app, again)
    app.step(8 * DAY)
    assert await sign_up(app) == []
