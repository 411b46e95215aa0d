"""By SQL: a link about an address that was ended is put back whole. It moves nobody any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from audit.kinds import Kind
from audit.tables import audit_entry, audit_payload
from consent.tables import address_link
from consent.tables import fresh_link as personal
from consent.tables import subject as people
from tests.http.test_my_data import fresh_link
from tests.http.test_people_rectify import BACK, MOVED, OVER
from tests.http.test_people_rights import Visit, csrf, sound, visit
from tests.support.addresses import NEW, asked, press
from tests.support.apps import ADA, App
from tests.support.stores import Rows, rows

pytestmark = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)

SECOND = "thief.second@example.com"


async def kept(app: App) -> Rows:
    async with app.parts.data.read() as connection:
        return await rows(connection, address_link)


async def put_back(app: App, old: Rows) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(address_link))
        await connection.execute(insert(address_link), old)


async def mailed_at(app: App) -> bytes:
    """Where mails go to her, as her row has it."""
    async with app.parts.data.read() as connection:
        (row,) = await rows(connection, people)
    sealed: bytes = row["address"]
    return sealed


async def mail_at(app: App, sealed: bytes) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(update(people).values(address=sealed))


async def of_new(app: App) -> Visit:
    """A session of the mailbox that mails go to by now."""
    link = await fresh_link(app, NEW)
    answer = await app.http.post(f"/my-data/{link}", allow_redirects=False)
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    return Visit(app, cookie, await csrf(app, cookie))


async def doubts(app: App) -> list[str]:
    return [one for one in await sound(app) if "the log tells that it ended" in one]


async def test_what_the_mailbox_on_file_refused_moves_nobody(app: App, dialect: str) -> None:
    await app.subscribe()
    subject, mails = await app.subject(), await asked(await visit(app))
    old = await kept(app)
    await press(app, mails.keep)
    assert await sound(app) == []

    await put_back(app, old)

    assert OVER in (await press(app, mails.new))[1]
    assert (await app.subject(), await app.subject(NEW)) == (subject, None)
    assert len(await doubts(app)) == 1


@pytest.mark.parametrize("gone", ["its facts", "its entry"])
async def test_what_was_refused_moves_nobody_while_the_event_of_that_is_away_either(
    app: App, dialect: str, gone: str
) -> None:
    """Whoever then puts that back, too, would have made a stranger's mailbox theirs, unseen."""
    await app.subscribe()
    subject, mails = await app.subject(), await asked(await visit(app))
    old = await kept(app)
    await press(app, mails.keep)
    await app.tick()

    await put_back(app, old)
    here = audit_entry.c.kind == Kind.SUBJECT_ADDRESS_KEPT
    async with app.parts.data.begin() as connection:
        if gone == "its facts":
            these = audit_payload.c.eid.in_(select(audit_entry.c.eid).where(here))
            await connection.execute(delete(audit_payload).where(these))
        else:
            await connection.execute(delete(audit_entry).where(here))

    async with app.http.post(f"/address/{mails.new}") as answer:
        assert answer.status == 503
    assert (await app.subject(), await app.subject(NEW)) == (subject, None)


async def test_what_the_mailbox_refused_while_its_row_was_away_moves_nobody(
    app: App, dialect: str
) -> None:
    await app.subscribe()
    mails = await asked(await visit(app))
    old = await kept(app)
    await put_back(app, [one for one in old if one["kind"] == "to-old"])
    await press(app, mails.keep)

    await put_back(app, old)

    assert OVER in (await press(app, mails.new))[1]


async def test_who_takes_their_address_back_is_not_told_that_it_never_changed(
    app: App, dialect: str
) -> None:
    """The address of before is put back for the moment of their answer, and taken away again."""
    await app.subscribe()
    subject, mails = await app.subject(), await asked(await visit(app))
    before = await mailed_at(app)
    await press(app, mails.new)
    after = await mailed_at(app)

    await mail_at(app, before)
    async with app.http.post(f"/address/{mails.keep}") as answer:
        assert answer.status == 503

    await mail_at(app, after)
    assert BACK in (await press(app, mails.keep))[1]
    assert (await app.subject(), await app.subject(NEW)) == (subject, None)
    assert await sound(app) == []


async def test_what_came_after_a_change_that_was_taken_back_moves_nobody(
    app: App, dialect: str
) -> None:
    """Neither a link to another address, nor the thief's own to take it back in turn."""
    await app.subscribe()
    subject = await app.subject()
    first = await asked(await visit(app))
    await press(app, first.new)
    await app.deliver()
    app.step(timedelta(days=1, seconds=1))
    second = await asked(await of_new(app), SECOND, old=NEW)
    old = await kept(app)
    assert BACK in (await press(app, first.keep))[1]
    assert await sound(app) == []

    await put_back(app, old)

    for token in (second.new, second.keep):
        assert OVER in (await press(app, token))[1]
    assert await app.subject(ADA) == subject
    assert len(await doubts(app)) == 3, "these, and the one that told of the change"


async def test_a_personal_link_from_before_a_change_opens_nothing_again(
    app: App, dialect: str
) -> None:
    await app.subscribe()
    mails = await asked(await visit(app))
    app.step(timedelta(days=1, seconds=1))
    link = await fresh_link(app)
    async with app.parts.data.read() as connection:
        old = await rows(connection, personal)
    app.step(timedelta(seconds=1))
    await press(app, mails.new)
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(personal))
        await connection.execute(insert(personal), old)

    async with app.http.post(f"/my-data/{link}", allow_redirects=False) as answer:
        assert "Set-Cookie" not in answer.headers


async def test_who_kept_their_address_may_change_it_later(app: App, dialect: str) -> None:
    await app.subscribe()
    refused = await asked(await visit(app))
    await press(app, refused.keep)
    app.step(timedelta(days=1, seconds=1))

    mails = await asked(await visit(app))

    assert MOVED in (await press(app, mails.new))[1]
    assert await sound(app) == []


async def test_a_way_back_whose_row_is_deleted_is_named(app: App, dialect: str) -> None:
    """A thief with a hand in the data: whom they robbed has no link by which to undo it."""
    await app.subscribe()
    mails = await asked(await visit(app))
    await press(app, mails.new)
    await app.deliver()
    assert await sound(app) == []

    async with app.parts.data.begin() as connection:
        await connection.execute(delete(address_link))

    assert OVER in (await press(app, mails.keep))[1]
    gone = await sound(app)
    assert sum("a mail carries it" in one for one in gone) == 3, "what told of it twice, and asked"
    assert sum("the log tells of its mail" in one for one in gone) == 1, "the change"
