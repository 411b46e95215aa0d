"""A person corrects what is kept of them, and has their mails sent to another address."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit import trail
from audit.kinds import Kind
from consent.moving import TOLD_BEFORE
from delivery.desk import Ended
from delivery.outcome import Ending, Phase, Reply
from gateway.flows.joining import intake
from gateway.flows.rights.move import Moving
from gateway.process import duties
from gateway.process.desk import Desk
from storage.errors import StorageAway
from tests.http.test_my_data import fresh_link
from tests.http.test_people_rights import Visit, again, kinds, said, sound, visit
from tests.support.addresses import NEW, PATH, ask, asked, delivered, look, press
from tests.support.apps import ADA, App, Mail
from tests.support.calls import queue
from tests.support.gaps import gap

DAY = timedelta(days=1)
TICK = timedelta(milliseconds=10)
MOVED = "Your mails start for this mailbox from now on, and for the one of before no more."
KEPT = "Your address has not been changed"
BACK = "for this mailbox from now on"
TAKEN = "This mailbox is known here already by itself, or was left or closed to such mails."
OVER = "This link does nothing any more"


async def subscribed(app: App, **profile: str) -> str:
    """The token of Ada's confirmation mail, which she confirmed."""
    await app.http.post("/forms/signup", json=await app.posted(profile=profile))
    (mail,) = await app.deliver()
    token = mail.token("confirm")
    assert (await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})).status == 200
    return token


def newsletters(mails: list[Mail]) -> list[Mail]:
    return [one for one in mails if b"List-Unsubscribe:" in one.raw]


async def told(app: App, subject: str) -> list[dict[str, object]]:
    """What the log has of a person's corrections."""
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.read() as connection:
        events = await trail.told(connection, [subject], [Kind.SUBJECT_RECTIFIED], vault)
    return [dict(one.facts) for one in events]


async def test_answers_are_corrected_at_once_and_the_proof_stays(app: App) -> None:
    await subscribed(app, first_name="Aada")
    me = await visit(app)
    assert 'value="Aada"' in await me.get(PATH)

    page = await me.post(f"{PATH}?locale=de", answer="profile", **{"profile.first_name": "Ada"})
    await me.post(PATH, answer="profile", **{"profile.first_name": "Ada", "profile.more": "x"})

    assert said("Saved.", "de") in page
    assert "<dd>Ada</dd>" in await me.get("/my-data")
    assert "Aada" not in await me.get("/my-data")
    assert "<dd>x</dd>" not in await me.get("/my-data"), "no answer is added"
    (correction,) = await told(app, await app.subject() or "")
    assert correction.items() >= {"what": "profile", "fields": ["first_name"]}.items()
    assert "Ada" not in str(correction), "which, and not what"
    vault = await app.parts.keystore.vault([await app.subject() or ""])
    async with app.parts.data.read() as connection:
        asked_for = await trail.told(
            connection, [await app.subject() or ""], [Kind.CONSENT_REQUESTED], vault
        )
    assert [one.facts["profile"] for one in asked_for] == [{"first_name": "Aada"}]

    too_long = {"profile.first_name": "123456789"}
    assert (await me.try_post(PATH, answer="profile", **too_long))[0] == 422
    await me.post(PATH, answer="profile", language="de", **{"profile.first_name": ""})
    assert "Ada</dd>" not in await me.get("/my-data")
    assert "German" in await me.get("/my-data?locale=en")
    for wrong in ({"answer": "both"}, {"answer": "profile", "language": "tlh"}):
        assert (await me.try_post(PATH, **wrong))[0] == 422
    assert (await me.try_post(PATH, csrf="x", answer="profile"))[0] == 403
    assert (await me.try_post(PATH, answer="address", email="ada"))[0] == 422
    status, page = await me.try_post(PATH, answer="address", email=ADA)
    assert (status, said("This is your present address.", "de") in page) == (422, True)
    assert await delivered(app) == []
    assert await sound(app) == []


async def test_an_address_changes_once_both_mailboxes_were_written_to_and_the_new_one_said_so(
    app: App,
) -> None:
    """The whole of it: what goes along, what ends, and what old mails still do."""
    confirmed = await subscribed(app)
    await queue(app, text="First.")
    (first,) = await app.deliver()
    await app.sign_up(ADA, "updates")
    (waiting,) = await app.deliver()
    me, subject = await visit(app), await app.subject()

    mails = await asked(me)
    assert [one.to for one in mails.mails] == [ADA, NEW], "the one on file is told first"
    for mail in mails.mails:
        head, _, body = mail.raw.partition(b"\r\n\r\n")
        assert b"List-Unsubscribe" not in head
        assert ADA.encode() not in body
        assert NEW.encode() not in body
    for token in (mails.keep, mails.new):
        assert (await look(app, token))[0] == 200, "looking changes nothing"
    assert (await app.subject(), await app.subject(NEW)) == (subject, None)
    await queue(app, text="Second.")
    assert [one.to for one in newsletters(await app.deliver())] == [ADA], "until it is confirmed"
    await queue(app, text="Third.")

    status, page = await press(app, mails.new)

    assert (status, MOVED in page) == (200, True)
    assert (await app.subject(), await app.subject(NEW)) == (None, subject)
    assert await app.permission(NEW) == "granted"
    assert await app.permission() == "unknown"
    assert (await me.try_post(PATH, answer="profile"))[0] == 303, "the session ended"
    went = await app.deliver()
    assert [one.to for one in newsletters(went)] == [NEW], "what waited goes there"
    (notice,) = [one for one in went if b"/address/" in one.raw]
    assert notice.to == ADA
    assert (await press(app, mails.new))[0] == 410
    correction = (await told(app, subject or ""))[-1]
    assert correction.items() >= {"what": "address", "address": NEW}.items()
    # Links that went to the mailbox of before: one confirms nothing for the new one, the others
    # still leave.
    await app.http.post(f"/confirm/{waiting.token('confirm')}", data={"answer": "confirm"})
    assert await app.permission(NEW, "updates") == "lapsed"
    await app.http.post(f"/confirm/{confirmed}", data={"answer": "confirm"})
    await app.http.post(f"/unsubscribe/{first.token('unsubscribe')}")
    assert await app.permission(NEW) == "withdrawn"
    assert await sound(app) == []
    assert await kinds(app, Kind.SUBJECT_RECTIFIED) == ["subject.rectified"]


async def test_the_mailbox_of_before_keeps_its_address_and_takes_it_back_for_two_weeks(
    app: App,
) -> None:
    await app.subscribe()
    me = await visit(app)
    before = await asked(me)

    assert KEPT in (await press(app, before.keep))[1]
    assert OVER in (await press(app, before.new))[1]
    assert KEPT in (await press(app, before.keep))[1], "whoever presses twice is told the same"

    app.step(8 * DAY)
    me = await visit(app)
    later = await asked(me)
    await press(app, later.new)
    (told_it,) = [one for one in await app.deliver() if one.to == ADA]
    app.step(13 * DAY)
    assert BACK in (await press(app, told_it.token("address")))[1]
    assert await app.subject(ADA) is not None
    (undone,) = await app.deliver()
    assert (undone.to, b"/address/" in undone.raw) == (NEW, False)
    assert await sound(app) == []

    me = await again(app)
    last = await asked(me)
    await press(app, last.new)
    app.step(14 * DAY + timedelta(seconds=1))
    assert OVER in (await press(app, last.keep))[1]
    await duties.sweep(app.parts)
    assert await sound(app) == []


async def test_a_second_change_outdoes_the_first_and_an_erasure_both(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    first = await asked(me)
    second = await asked(me, "ada.other@example.net")

    assert (await press(app, first.new))[0] == 410
    assert await app.subject(NEW) is None
    await me.post("/my-data/erase", answer="erase")
    for token in (second.new, second.keep, first.keep):
        assert (await press(app, token))[0] == 410
    assert await app.deliver() == []
    assert await sound(app) == []


async def test_who_signed_the_new_address_up_meanwhile_keeps_it(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    mails = await asked(me)
    await app.subscribe(NEW, "updates")
    other = await app.subject(NEW)

    assert TAKEN in (await press(app, mails.new))[1]

    assert await app.subject(NEW) == other
    assert await app.permission() == "granted"
    assert await sound(app) == []


async def test_a_sign_up_that_was_looked_up_before_the_change_is_not_the_persons(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look and its lock the address becomes nobody's."""
    await app.subscribe()
    me, subject = await visit(app), await app.subject()
    mails = await asked(me)
    parts, create = app.parts, app.parts.keystore.create

    async def moved_meanwhile(*given: object) -> None:
        monkeypatch.undo()
        app.step(-2 * TICK)  # so that its mark is older than the sign-up
        await press(app, mails.new)
        app.step(2 * TICK)
        await create(*given)  # type: ignore[arg-type]

    app.step(TICK)
    await app.sign_up(ADA, "updates")
    monkeypatch.setattr(parts.keystore, "create", moved_meanwhile)
    await intake.work_off(parts)

    went = [one for one in await app.deliver() if b"/confirm/" in one.raw]
    assert [one.to for one in went] == [ADA]
    assert await app.subject() not in (None, subject)
    assert await app.permission(NEW, "updates") == "unknown"
    assert await sound(app) == []


async def test_an_objection_goes_along_and_stays(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await me.post("/my-data/object")
    app.step(timedelta(seconds=1))
    mails = await asked(me)

    assert MOVED in (await press(app, mails.new))[1]
    await app.deliver()

    assert await app.permission(NEW) == "objected"
    for email in (ADA, NEW):
        await app.sign_up(email)
    assert [one for one in await app.deliver() if b"/confirm/" in one.raw] == []
    assert await sound(app) == []


async def test_what_the_new_mailbox_refuses_says_nothing_of_the_one_on_file(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await ask(me)
    await app.tick()
    app.step(TOLD_BEFORE)
    desk = Desk(app.parts)
    await desk.register("wrk_test")
    parcels = await desk.claim("wrk_test", 10)
    gone = Ending(Phase.RCPT, Reply(550, "5.1.1", "no such mailbox"))

    await desk.settle("wrk_test", [Ended(one, gone) for one in parcels])

    assert len(parcels) == 2
    assert await app.permission() == "granted"


async def test_each_link_that_stops_such_mails_stops_the_mailbox_it_went_to(app: App) -> None:
    """Also once that is not on file any more, or never was."""
    await app.sign_up()
    (old,) = await app.deliver()
    await app.http.post(f"/confirm/{old.token('confirm')}", data={"answer": "confirm"})
    me = await visit(app)
    mails = await asked(me)
    await app.http.post(f"/stop/{mails.stop}")
    app.step(timedelta(seconds=1))
    await app.sign_up(NEW)
    assert [one.to for one in await app.deliver()] == [], "it stopped the new one"
    await app.sign_up(ADA, "updates")
    assert [one.to for one in await app.deliver()] == [ADA], "and nobody else"

    app.step(8 * DAY)
    other = "ada.other@example.net"
    moved = await asked(await visit(app), other)
    await press(app, moved.new)
    await app.deliver()
    await app.http.post(f"/stop/{old.token('stop')}")
    app.step(timedelta(seconds=1))
    await app.sign_up(ADA)
    assert [one for one in await app.deliver() if one.to == ADA] == []
    assert await fresh_link(app, other), "the one on file was not stopped"
    assert await sound(app) == []


@pytest.mark.parametrize("happened", [False, True], ids=["not done", "done and not heard of"])
async def test_a_change_that_a_lost_connection_ends_is_done_whole_or_not_at_all(
    app: App, happened: bool
) -> None:
    await app.subscribe()
    mails = await asked(await visit(app))

    with gap(app.parts.data, 1, happened=happened), pytest.raises(StorageAway):
        await Moving(app.parts).press(mails.new)

    gone, there = (None, not None) if happened else (not None, None)
    assert (await app.subject() is None) == (gone is None)
    assert (await app.subject(NEW) is None) == (there is None)
    status, page = await press(app, mails.new)
    assert (status, MOVED in page) == ((410, False) if happened else (200, True))
    assert await app.permission(NEW) == "granted"
    assert await sound(app) == []


async def test_a_link_works_for_72_hours_and_the_mailboxes_are_written_to_seldom(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    mails = await asked(me)
    for number in range(6):
        await ask(me, f"third{number}@example.com")
        await app.tick()
    told_of = [one.to for one in await delivered(app)]
    assert told_of.count(ADA) == 3, "four in a week, with the first"

    app.step(8 * DAY)
    assert (await look(app, mails.new))[0] == 410
    late = await asked(await visit(app), "ada.late@example.com")
    app.step(timedelta(hours=72) - TOLD_BEFORE - timedelta(seconds=1))
    assert (await look(app, late.new))[0] == 200
    app.step(timedelta(seconds=1))
    assert (await press(app, late.new))[0] == 410


async def test_who_asks_for_many_addresses_of_one_mailbox_floods_it_not(app: App) -> None:
    """By whatever spelling, and by whatever people: as often as by a form."""
    mails: list[Mail] = []
    for name in ("eve1", "eve2"):
        await app.subscribe(f"{name}@example.com")
        link = await fresh_link(app, f"{name}@example.com")
        answer = await app.http.post(f"/my-data/{link}", allow_redirects=False)
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        page = await (await app.http.get("/my-data", headers=cookie)).text()
        me = Visit(app, cookie, page.partition('name="csrf" value="')[2].partition('"')[0])
        for tag in ("a", "b", "c"):
            await ask(me, f"victim+{tag}@example.org")
            mails += [one for one in await delivered(app) if one.to.startswith("victim")]

    assert len(mails) == 2
