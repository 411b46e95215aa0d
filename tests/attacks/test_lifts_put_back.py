"""By SQL, or by a crash: what stands around a lifted stop, its mail and the link in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from consent.paces import Pace
from consent.tables import address_link, pace, session, subject
from delivery.tables import outbox, permit
from gateway.flows.rights.lifted_links import LiftedLinks
from gateway.flows.rights.move import Moving
from gateway.process import duties
from gateway.process.desk import Desk
from storage.errors import StorageAway
from tests.attacks.test_hidden_rows import queue
from tests.http.test_people_lifted import lift, pressed, stands, stop, told
from tests.http.test_people_rights import Visit, sound, visit
from tests.support.addresses import NEW, asked, press
from tests.support.apps import ADA, App
from tests.support.gaps import gap
from tests.support.stops import paces_of, stops_of
from tests.support.stores import rows

SECOND = timedelta(seconds=1)


async def lifted(app: App, what: str = "restriction") -> tuple[Visit, str]:
    """A session in which a stop was lifted, and the token of the mail that tells of it."""
    await app.subscribe()
    me = await visit(app)
    await stop(me, what)
    await lift(me, what)
    (mail,) = await told(app)
    app.step(SECOND)
    return me, mail.token("stop-again")


async def test_a_link_that_was_pressed_is_over_though_its_row_is_put_back(app: App) -> None:
    """Who has an old mail would stop what its person lifted since, again and again."""
    _, token = await lifted(app)
    await pressed(app, token)
    await lift(await visit_again(app), "restriction")

    async with app.parts.data.begin() as connection:
        await connection.execute(update(address_link).values(spent_at=None))

    assert (await pressed(app, token))[0] == 410
    assert not await stands(app, "restriction")
    assert any("when it was spent" in doubt for doubt in await sound(app))


@pytest.mark.parametrize("what", ["restriction", "objection", "pause"])
async def test_a_lift_that_is_kept_from_being_told_is_named(app: App, what: str) -> None:
    """Whoever lifted it deletes the row of its link, so that the mail is never sent."""
    await app.subscribe()
    me = await visit(app)
    await stop(me, what)
    await lift(me, what)
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(address_link))

    assert await told(app) == []

    assert sum("its row is gone" in one for one in await sound(app)) == (
        1 if what == "pause" else 2
    )
    if what == "pause":
        return
    async with app.parts.data.begin() as connection:  # and the mail, as if there never was one
        await connection.execute(delete(outbox).where(outbox.c.purpose == "service.stops"))
    assert any("the log tells of its mail" in one for one in await sound(app))


async def test_a_link_is_missed_for_as_long_as_it_may_work_also_one_that_was_ended(
    app: App,
) -> None:
    """None goes by itself so long: else nobody could tell which was deleted."""
    await app.subscribe()
    me = await visit(app)
    mails = await asked(me)
    await stop(me, "restriction")
    await lift(me, "restriction")
    assert len(await told(app)) == 1
    await press(app, mails.keep)  # which ends what was lifted since
    app.step(timedelta(days=9))
    await duties.sweep(app.parts)

    assert await sound(app) == []
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(address_link).where(address_link.c.kind == "lifted"))
    assert sum("its row is gone" in doubt for doubt in await sound(app)) == 2


async def test_a_pause_whose_row_was_altered_is_not_ended_untold(app: App) -> None:
    """It holds mails back: whoever wants them to come alters it first, and then ends it."""
    await app.subscribe()
    me = await visit(app)
    await stop(me, "pause")
    async with app.parts.data.begin() as connection:
        await connection.execute(update(pace).values(paused_until=None))

    await lift(me, "pause")

    (mail,) = await told(app)
    assert await pressed(app, mail.token("stop-again"))
    assert await stands(app, "pause")
    assert await sound(app) == []


async def visit_again(app: App) -> Visit:
    app.step(timedelta(days=1, seconds=1))
    return await visit(app)


async def test_a_link_of_one_person_stops_nothing_of_another(app: App) -> None:
    """Its row is made that of somebody else, or tells of another stop."""
    _, token = await lifted(app)
    for planted in ({"lifted": "objection"}, {"kind": "to-old"}):
        async with app.parts.data.begin() as connection:
            before = await rows(connection, address_link)
            await connection.execute(update(address_link).values(**planted))

        assert (await pressed(app, token))[0] == 410

        assert any("address_link" in doubt for doubt in await sound(app))
        async with app.parts.data.begin() as connection:
            await connection.execute(delete(address_link))
            await connection.execute(insert(address_link), before)
    assert (await pressed(app, token))[0] == 200


@pytest.mark.parametrize("what", ["restriction", "pause"])
async def test_nothing_is_lifted_while_an_address_of_before_stands_that_would_be_told(
    app: App, what: str
) -> None:
    """A thief with a hand in the data has the mail go to a mailbox that its person left."""
    await app.subscribe()
    async with app.parts.data.read() as connection:
        (before,) = await rows(connection, subject)
    moved = await asked(await visit(app))
    await press(app, moved.new)
    one = await app.subject(NEW) or ""
    stops, paces = stops_of(app.parts), paces_of(app.parts)
    await (stops.restrict(one) if what == "restriction" else paces.choose(one, 1, None))
    app.step(SECOND)
    await app.deliver()

    async with app.parts.data.begin() as connection:
        await connection.execute(update(subject).values(address=before["address"]))
    with pytest.raises(StorageAway):
        await (stops.lift_restriction(one) if what == "restriction" else paces.choose(one, 0, None))

    assert await told(app) == []
    stands = await paces.look(one) if what == "pause" else await stops.look(one)
    assert stands is not None
    assert (stands.paused_until if isinstance(stands, Pace) else stands.restricted_at) is not None


async def test_planted_rows_of_links_do_not_keep_a_lift_from_being_told(app: App) -> None:
    """As many as a week has mails: the next ones would not go."""
    me, _ = await lifted(app)
    async with app.parts.data.begin() as connection:
        (one,) = await rows(connection, address_link)
        ends = [end for end in "048" if end != one["id"][-1]][:2]  # each is that of a name
        planted = [
            {**one, "id": one["id"][:-1] + end, "token_hash": end.encode() * 32} for end in ends
        ]
        await connection.execute(insert(address_link), planted)

    await stop(me, "restriction")
    await lift(me, "restriction")

    assert len(await told(app)) == 1


@pytest.mark.parametrize("how", ["kept", "moved", "stopped again", "paused"])
async def test_nobody_is_answered_while_a_permit_of_theirs_is_hidden(app: App, how: str) -> None:
    """It would be back when its worker begins: a mail would start after the answer."""
    me, token = await lifted(app)
    moved = await asked(me) if how in ("kept", "moved") else None
    await queue(app)
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    async with app.parts.data.begin() as connection:
        away = [row for row in await rows(connection, permit) if row["id"] == parcel.permit]
        await connection.execute(delete(permit).where(permit.c.id == parcel.permit))
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "kept": lambda: Moving(app.parts).press(moved.keep if moved else ""),
        "moved": lambda: Moving(app.parts).press(moved.new if moved else ""),
        "stopped again": lambda: LiftedLinks(stops_of(app.parts)).press(token),
        "paused": lambda: paces_of(app.parts).choose(parcel.subject, 1, None),
    }

    with pytest.raises(StorageAway):
        await acts[how]()

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(permit), away)


@pytest.mark.parametrize("by", ["kept", "stopped again"])
async def test_a_crash_behind_a_press_leaves_no_session_that_its_row_brings_back(
    app: App, by: str
) -> None:
    """The thief has a copy of the row of their session, and puts it back."""
    me, token = await lifted(app)
    keep = (await asked(me)).keep
    async with app.parts.data.read() as connection:
        before = await rows(connection, session)
    assert ADA in await me.get("/my-data")

    with gap(app.parts.data, 1, happened=True), pytest.raises(StorageAway):
        if by == "kept":
            await Moving(app.parts).press(keep)
        else:
            await LiftedLinks(stops_of(app.parts)).press(token)
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(session))
        await connection.execute(insert(session), before)

    assert (await me.try_post("/my-data/pace", pause="keep"))[0] == 303


@pytest.mark.parametrize("happened", [False, True], ids=["not done", "done and not heard of"])
async def test_a_lift_that_a_lost_connection_ends_is_told_if_it_is_done(
    app: App, happened: bool
) -> None:
    await app.subscribe()
    me = await visit(app)
    await stop(me, "restriction")
    one = await app.subject()

    with gap(app.parts.data, 1, happened=happened), pytest.raises(StorageAway):
        await stops_of(app.parts).lift_restriction(one or "")

    assert await stands(app, "restriction") != happened
    assert len(await told(app)) == (1 if happened else 0)
    assert await sound(app) == []


@pytest.mark.parametrize("happened", [False, True], ids=["not done", "done and not heard of"])
async def test_a_press_that_a_lost_connection_ends_is_done_whole_or_not_at_all(
    app: App, happened: bool
) -> None:
    _, token = await lifted(app, "objection")

    with gap(app.parts.data, 1, happened=happened), pytest.raises(StorageAway):
        await LiftedLinks(stops_of(app.parts)).press(token)

    assert await stands(app, "objection") == happened
    assert (await pressed(app, token))[0] == (410 if happened else 200)
    assert await stands(app, "objection")
    assert await sound(app) == []


async def test_who_takes_their_address_back_ends_the_links_that_a_thief_was_told_by(
    app: App,
) -> None:
    """Else the thief would stop their mails, and end their sessions, for two weeks."""
    await app.subscribe()
    moved = await asked(await visit(app))
    await press(app, moved.new)
    await app.deliver()
    one = await app.subject(NEW)
    await stops_of(app.parts).restrict(one or "")
    app.step(SECOND)
    await stops_of(app.parts).lift_restriction(one or "")
    (mail,) = await told(app)
    assert mail.to == NEW
    async with app.parts.data.read() as connection:
        before = await rows(connection, address_link)
    app.step(SECOND)
    await press(app, moved.keep)
    await stops_of(app.parts).lift_restriction(one or "")  # it stood again by that

    async with app.parts.data.begin() as connection:
        await connection.execute(delete(address_link))
        await connection.execute(insert(address_link), before)

    assert (await pressed(app, mail.token("stop-again")))[0] == 410
    assert await app.permission() == "granted"
