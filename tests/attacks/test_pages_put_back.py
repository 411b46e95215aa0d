"""By SQL: a personal link that was spent, or a session that was ended, is put back.

Who has the link from an old mail, or the cookie from a borrowed machine, would see everything
of its person once more. What the log tells of the look is deleted with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import pytest
from sqlalchemy import Table, delete, insert, update

from audit.tables import audit_payload, audit_pending
from consent import tables as consents
from consent.keys.tables import own_session
from gateway.flows.rights.session import open_session
from gateway.process.duties import sweep
from storage.errors import StorageAway
from tests.http.test_my_data import fresh_link, session
from tests.http.test_people_rights import Visit, visit
from tests.support.addresses import asked, press
from tests.support.apps import ADA, App
from tests.support.stores import Rows, rows

link, opened, subject = consents.fresh_link, consents.session, consents.subject
_TABLES = (audit_pending, audit_payload, opened)
_TRAIL = ("trail_length", "trail_last")


async def everything(app: App) -> Mapping[Table, Rows]:
    """What somebody copies who may read every row."""
    async with app.parts.data.read() as connection:
        return {one: await rows(connection, one) for one in (*_TABLES, link, subject)}


async def put_back(app: App, before: Mapping[Table, Rows]) -> None:
    """Whatever tells of the look that the link opened goes; the person's trail ends before it."""
    async with app.parts.data.begin() as connection:
        for table in _TABLES:
            await connection.execute(delete(table))
            if before[table]:
                await connection.execute(insert(table), before[table])
        await connection.execute(update(link).values(spent_at=None))
        for row in before[subject]:
            place = {name: row[name] for name in _TRAIL}
            await connection.execute(update(subject).where(subject.c.id == row["id"]).values(place))


async def sees(app: App, cookie: dict[str, str]) -> bool:
    return ADA in await (await app.http.get("/my-data", headers=cookie)).text()


async def test_a_spent_link_opens_nothing_more_whatever_of_its_look_is_deleted(app: App) -> None:
    await app.subscribe()
    token = await fresh_link(app)
    before = await everything(app)
    assert await open_session(app.parts, token) is not None

    await put_back(app, before)

    answer = await app.http.post(f"/my-data/{token}", allow_redirects=False)
    assert answer.status == 410


async def test_a_link_opens_nothing_while_the_log_may_lack_that_it_was_ended(app: App) -> None:
    """By another address; the event that tells of it is away."""
    await app.subscribe()
    mails = await asked(await visit(app))
    app.step(timedelta(days=1, seconds=1))
    unspent = await fresh_link(app)
    async with app.parts.data.read() as connection:
        old = await rows(connection, link)
    await press(app, mails.new)

    async with app.parts.data.begin() as connection:
        told = await rows(connection, audit_pending)
        last = max(told, key=lambda row: row["n"])["eid"]
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid == last))
        await connection.execute(delete(link))
        await connection.execute(insert(link), old)

    with pytest.raises(StorageAway):
        await open_session(app.parts, unspent)


async def leave(app: App, me: Visit) -> None:
    assert (await me.try_post("/my-data/leave"))[0] == 303


async def moved(app: App, me: Visit) -> None:
    await press(app, (await asked(me)).new)


@pytest.mark.parametrize("over", [leave, moved], ids=["left", "by another address"])
async def test_a_session_that_was_ended_opens_nothing_when_its_row_is_put_back(
    app: App, over: Callable[[App, Visit], Awaitable[None]]
) -> None:
    await app.subscribe()
    me = await visit(app)
    async with app.parts.data.read() as connection:
        old = await rows(connection, opened)
    await over(app, me)

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(opened), old)

    page = await (await app.http.get("/my-data", headers=me.cookie)).text()
    assert "/my-data/export" not in page


async def test_of_a_session_nothing_is_left_in_the_key_store_once_its_person_is_erased(
    app: App,
) -> None:
    await app.subscribe()
    me = await visit(app)
    assert await sees(app, me.cookie)

    await me.post("/my-data/erase", answer="erase")

    assert await _kept(app) == []


async def test_of_a_session_nothing_is_left_in_the_key_store_once_it_is_over(app: App) -> None:
    await app.subscribe()
    await session(app)
    assert len(await _kept(app)) == 1

    app.step(timedelta(minutes=30, seconds=1))
    await sweep(app.parts)

    assert await _kept(app) == []


async def _kept(app: App) -> Rows:
    async with app.parts.key_database.read() as connection:
        return await rows(connection, own_session)
