"""Somebody has a person's session for half an hour: they must not have their data for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.kinds import Actor
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from tests.http.test_my_data import csrf, fresh_link
from tests.http.test_people_rectify import BACK, OVER
from tests.http.test_people_rights import Visit, sound, visit
from tests.support.addresses import NEW, asked, press
from tests.support.apps import ADA, App
from tests.support.stops import stops_of

THIEF = NEW


async def test_a_thief_keeps_nothing_once_the_mailbox_of_before_takes_its_address_back(
    app: App,
) -> None:
    """They change it twice, sign the old one up, and have links of their own to take it back."""
    await app.subscribe()
    subject, stolen = await app.subject(), await visit(app)
    first = await asked(stolen, THIEF)
    await press(app, first.new)
    await app.deliver()
    link = await fresh_link(app, THIEF)
    app.step(timedelta(seconds=1))
    answer = await app.http.post(f"/my-data/{link}", allow_redirects=False)
    theirs = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    page = await (await app.http.get("/my-data", headers=theirs)).text()
    stolen.cookie, stolen.token = theirs, page.partition('name="csrf" value="')[2].partition('"')[0]
    second = await asked(stolen, "thief.second@example.com", old=THIEF)
    await press(app, second.new)
    of_theirs = [one for one in await app.deliver() if one.to == THIEF]
    await app.sign_up(ADA)  # so that the old address is somebody's
    await app.deliver()
    assert await app.subject() not in (None, subject)

    assert BACK in (await press(app, first.keep))[1]

    assert await app.subject() == subject
    for token in (second.keep, second.new, *(one.token("address") for one in of_theirs)):
        assert OVER in (await press(app, token))[1]
    assert await app.subject() == subject
    for path in ("/my-data", "/my-data/rectify"):
        shown = await (await app.http.get(path, headers=theirs)).text()
        assert ADA not in shown
    assert await app.permission() == "granted"
    await RetentionRules(app.parts).erasures()
    assert await sound(app) == []


async def test_a_personal_link_that_was_sent_before_the_change_opens_nothing(app: App) -> None:
    await app.subscribe()
    mails = await asked(await visit(app))
    app.step(timedelta(days=1, seconds=1))
    unspent = await fresh_link(app)

    await press(app, mails.new)

    answer = await app.http.post(f"/my-data/{unspent}", allow_redirects=False)
    assert answer.status == 410
    assert await sound(app) == []


async def test_no_link_of_a_mail_that_was_forwarded_changes_an_address(app: App) -> None:
    """Links of marketing mails give no session, and none of these pages."""
    await app.subscribe()
    subject = await app.subject()
    for path in ("/my-data/rectify", f"/address/{'A' * 43}", f"/address/{'A' * 22}"):
        fields = {"answer": "address", "email": THIEF}
        answer = await app.http.post(path, data=fields, allow_redirects=False)
        assert answer.status in (303, 410)

    assert await app.deliver() == []
    assert await app.subject() == subject


async def test_who_asks_for_somebodys_address_ends_nothing_that_waits_to_ask_them(
    app: App,
) -> None:
    """By leaving they end what waits for their own mailbox, and for no other that they named."""
    await app.subscribe()
    me = await visit(app)
    await asked(me)
    await app.sign_up(NEW)
    await app.tick()

    await me.post("/my-data/object")

    assert [one.to for one in await app.deliver() if b"/confirm/" in one.raw] == [NEW]


async def test_what_a_thief_agreed_to_meanwhile_permits_nothing_once_the_address_is_back(
    app: App,
) -> None:
    """Else who takes theirs back is mailed what they never agreed to, with proof that they did."""
    await app.subscribe()
    mails = await asked(await visit(app))
    await app.deliver()
    await press(app, mails.new)
    app.step(timedelta(minutes=1))
    await app.subscribe(THIEF, "updates")
    assert await app.permission(THIEF, "updates") == "granted"

    page = (await press(app, mails.keep))[1]

    assert BACK in page
    assert "What was confirmed at the other mailbox meanwhile has ended." in page
    assert await app.permission(ADA, "newsletter") == "granted"
    assert await app.permission(ADA, "updates") == "withdrawn"
    assert await sound(app) == []


async def test_what_was_agreed_to_before_the_change_stands_once_the_address_is_back(
    app: App,
) -> None:
    """Also between the mail that told of the change and the change itself."""
    await app.subscribe()
    mails = await asked(await visit(app))
    await app.subscribe(ADA, "updates")
    app.step(timedelta(minutes=1))
    await press(app, mails.new)
    app.step(timedelta(minutes=1))

    assert BACK in (await press(app, mails.keep))[1]

    assert await app.permission(ADA, "newsletter") == "granted"
    assert await app.permission(ADA, "updates") == "granted"


async def _opened(app: App, link: str) -> Visit:
    answer = await app.http.post(f"/my-data/{link}", allow_redirects=False)
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    return Visit(app, cookie, await csrf(app, cookie))


async def _lift(thief: Visit) -> None:
    await thief.post("/my-data/restrict", answer="lift")
    await thief.post("/my-data/object", answer="lift")


@pytest.mark.parametrize("moved", [False, True], ids=["kept", "taken-back"])
async def test_a_stop_that_a_thief_lifted_stands_again(app: App, moved: bool) -> None:
    """In the session that was stolen, or in one of the mailbox that they changed the address to."""
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    stops = stops_of(app.parts)
    await stops.restrict(subject)
    leave = Withdrawal(None, Actor.SUBJECT, "my-data", objection=True)
    await Withdrawals(app.parts).by_subject(subject, leave)
    app.step(timedelta(seconds=1))
    stolen = await visit(app)
    if moved:
        mails = await asked(stolen)
        await app.deliver()
        app.step(timedelta(hours=50))
        await press(app, mails.new)
        app.step(timedelta(minutes=1))
        keep = next(one.token("address") for one in await app.deliver() if one.to == ADA)
        await _lift(await _opened(app, await fresh_link(app, THIEF)))
    else:
        await _lift(stolen)
        keep = (await asked(stolen)).keep
    assert await app.permission(THIEF if moved else ADA) == "withdrawn"
    app.step(timedelta(minutes=1))

    page = (await press(app, keep))[1]

    assert "was lifted in that time, it stands again" in page
    seen = await stops.look(subject)
    assert seen is not None
    assert None not in (seen.restricted_at, seen.objected_at)
    assert await app.permission() == "restricted"
    await app.sign_up(ADA, "updates")
    assert b"/confirm/" not in b"".join(one.raw for one in await app.deliver())
    assert await sound(app) == []
