"""Whoever lifts a stop is told at the mailbox on file, by whose link it stands again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.kinds import Actor, Kind
from consent.moving import LIFTS_TOLD_A_WEEK
from gateway.flows.by import By
from gateway.flows.rights.lifted_links import LiftedLinks
from tests.http.test_people_rights import Visit, kinds, said, sound, visit
from tests.support.addresses import asked, press
from tests.support.apps import ADA, App, Mail
from tests.support.stops import stops_of

SECOND = timedelta(seconds=1)
AGAIN = "It stands again"
OVER = "This link does nothing any more"
PATHS = {"restriction": "restrict", "objection": "object", "pause": "pace"}
MOVED = "thief@example.net"


async def stop(me: Visit, what: str) -> None:
    chosen = {"pause": "6"} if what == "pause" else {}
    await me.post(f"/my-data/{PATHS[what]}", **chosen)
    me.app.step(SECOND)


async def lift(me: Visit, what: str) -> None:
    chosen = {"pause": "none"} if what == "pause" else {"answer": "lift"}
    await me.post(f"/my-data/{PATHS[what]}", **chosen)
    me.app.step(SECOND)


async def told(app: App) -> list[Mail]:
    """The mails that went out about lifted stops."""
    return [one for one in await app.deliver() if b"/stop-again/" in one.raw]


async def pressed(app: App, token: str, language: str = "en") -> tuple[int, str]:
    async with app.http.post(f"/stop-again/{token}?locale={language}") as page:
        return page.status, await page.text()


async def stands(app: App, what: str) -> bool:
    me = await app.subject()
    seen = await stops_of(app.parts).look(me or "")
    assert seen is not None
    if what == "pause":
        async with app.parts.data.read() as connection:
            row = (await connection.exec_driver_sql("SELECT paused_until FROM pace")).first()
        return row is not None and row[0] is not None
    return (seen.restricted_at if what == "restriction" else seen.objected_at) is not None


@pytest.mark.parametrize("what", list(PATHS))
async def test_a_mail_tells_of_a_lifted_stop_and_its_link_has_it_stand_again(
    app: App, what: str
) -> None:
    await app.subscribe()
    me = await visit(app)
    await stop(me, what)
    assert await told(app) == []
    await lift(me, what)

    (mail,) = await told(app)

    assert mail.to == ADA
    head, _, body = mail.raw.partition(b"\r\n\r\n")
    assert b"List-Unsubscribe" not in head
    assert ADA.encode() not in body
    token = mail.token("stop-again")
    for _ in range(2):  # looking changes nothing
        async with app.http.get(f"/stop-again/{token}?locale=de") as page:
            assert (page.status, said("Stop it again?", "de") in await page.text()) == (200, True)
    assert not await stands(app, what)
    app.step(SECOND)

    status, page_text = await pressed(app, token)

    assert (status, AGAIN in page_text) == (200, True)
    assert await stands(app, what)
    assert (await me.try_post("/my-data/pace", pause="keep"))[0] == 303, "the session ended"
    assert await kinds(app, Kind.SUBJECT_STOPPED_AGAIN) == ["subject.stopped_again"]
    status, page_text = await pressed(app, token)
    assert (status, OVER in page_text) == (410, True)
    assert await told(app) == []
    assert await sound(app) == []


async def test_each_lift_is_told_once_and_the_first_link_of_a_week_undoes_all_of_them(
    app: App,
) -> None:
    """Whoever lifts again and again, so that the last is not told, is stopped by the first."""
    await app.subscribe()
    me = await visit(app)
    mails: list[Mail] = []
    for _ in range(LIFTS_TOLD_A_WEEK + 1):
        await stop(me, "restriction")
        await lift(me, "restriction")
        mails += await told(app)
    await lift(me, "restriction")  # nothing stands that could be lifted
    mails += await told(app)
    assert [one.to for one in mails] == [ADA] * LIFTS_TOLD_A_WEEK
    await stop(me, "objection")
    await lift(me, "objection")
    assert len(await told(app)) == 1, "another stop is told all the same"

    assert AGAIN in (await pressed(app, mails[0].token("stop-again")))[1]

    assert await stands(app, "restriction")
    assert await stands(app, "objection")
    assert await sound(app) == []


async def test_a_pause_that_was_longer_since_stays_and_one_that_is_over_is_over(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await me.post("/my-data/pace", pause="1")
    await me.post("/my-data/pace", pause="3")
    assert await told(app) == []
    await me.post("/my-data/pace", pause="1")
    (mail,) = await told(app)
    await me.post("/my-data/pace", pause="6")
    async with app.parts.data.read() as connection:
        longest = (await connection.exec_driver_sql("SELECT paused_until FROM pace")).scalar()

    assert AGAIN in (await pressed(app, mail.token("stop-again")))[1]

    async with app.parts.data.read() as connection:
        now = (await connection.exec_driver_sql("SELECT paused_until FROM pace")).scalar()
    assert now == longest


async def test_a_link_is_over_in_two_weeks_and_with_its_person(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await stop(me, "restriction")
    await lift(me, "restriction")
    (mail,) = await told(app)
    app.step(timedelta(days=14))

    assert (await pressed(app, mail.token("stop-again")))[0] == 410

    assert not await stands(app, "restriction")
    assert await LiftedLinks(stops_of(app.parts)).look("A" * 43) is None


async def test_a_link_is_no_link_about_an_address_and_ends_none_that_leads_back(app: App) -> None:
    """The mail may have been forwarded: who has it can stop what was lifted, and no more."""
    await app.subscribe()
    me = await visit(app)
    await stop(me, "restriction")
    await lift(me, "restriction")
    (mail,) = await told(app)
    token = mail.token("stop-again")
    assert (await press(app, token))[0] == 410
    moved = await asked(me, MOVED)
    assert (await pressed(app, moved.keep))[0] == 410
    await press(app, moved.new)
    assert await app.subject(MOVED) is not None
    app.step(SECOND)

    assert (await pressed(app, token))[0] == 200

    assert "for this mailbox from now on" in (await press(app, moved.keep))[1]
    assert await app.subject() is not None
    assert await sound(app) == []


async def test_another_address_that_was_asked_for_ends_with_the_press(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await stop(me, "restriction")
    await lift(me, "restriction")
    (mail,) = await told(app)
    moved = await asked(me, MOVED)

    await pressed(app, mail.token("stop-again"))

    assert (await press(app, moved.new))[0] == 410
    assert await app.subject(MOVED) is None
    assert await sound(app) == []


async def test_what_the_desk_lifts_is_told_as_theirs(app: App) -> None:
    """An operator who lifts what nobody asked them to is seen by whose it is."""
    await app.subscribe()
    me = await visit(app)
    await stop(me, "restriction")
    by = By("opr_1", Actor.OPERATOR)

    await stops_of(app.parts).lift_restriction(await app.subject() or "", "phone", by.actor, by)

    (mail,) = await told(app)
    assert b"Acme GmbH lifted the restriction" in mail.raw.replace(b"=\r\n", b"")
    assert (await pressed(app, mail.token("stop-again")))[0] == 200
    assert await stands(app, "restriction")


async def test_who_is_erased_after_a_lift_leaves_no_link_that_is_missed(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await stop(me, "restriction")
    await lift(me, "restriction")
    assert len(await told(app)) == 1

    await me.post("/my-data/erase", answer="erase")
    app.step(SECOND)
    await app.tick()

    assert await app.subject() is None
    assert await sound(app) == []


async def test_a_link_that_is_over_with_its_pause_is_not_missed(app: App) -> None:
    await app.subscribe()
    await stop(await visit(app), "pause")
    app.step(timedelta(days=180))
    me = await visit(app)
    await lift(me, "pause")
    assert len(await told(app)) == 1
    for _ in range(6):
        app.step(timedelta(days=1))
        await app.tick()
        assert await sound(app) == []
