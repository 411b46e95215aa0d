"""A person pauses, or has fewer mails: what they agreed to waits, and stands."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from consent.tables import pace
from gateway.flows.proving.verify import verify
from tests.http.test_people_rights import Visit, again, sound, visit
from tests.support.apps import ADA, App
from tests.support.calls import INLINE, call

PATH = "/my-data/pace"
DAY = timedelta(days=1)


Key = dict[str, str]


async def queue(app: App, key: Key, purpose: str = "newsletter", days: int = 5) -> str:
    expires = (app.parts.clock.wall() + days * DAY).isoformat()
    body = {"to": {"email": ADA}, "purpose": purpose, "content": INLINE, "expires_at": expires}
    status, said = await call(app, key, "POST", "/v1/messages", body)
    assert status == 202, said
    return str(said["message_id"])


async def state(app: App, key: Key, message: str) -> tuple[str, str | None]:
    _, said = await call(app, key, "GET", f"/v1/messages/{message}")
    return said["status"], said.get("reason")


async def mails(app: App) -> int:
    return len([mail for mail in await app.deliver() if b"/unsubscribe/" in mail.raw])


async def test_a_pause_holds_mails_back_until_its_day_and_ends_nothing(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    key = await app.key()
    short, long = await queue(app, key), await queue(app, key, days=60)

    assert "No pause" in await me.get(PATH)
    shown = await me.post(f"{PATH}?locale=de", pause="1")

    assert "wie bisher" in shown
    assert "paused until" in await me.get("/my-data")
    assert await mails(app) == 0
    assert await state(app, key, short) == await state(app, key, long) == ("deferred", "paused")
    assert await app.permission() == "granted"
    assert await sound(app) == []
    assert len([m for m in await asked(app) if b"/confirm/" in m]) == 1, "it asks all the same"
    await me.post(PATH, apart="any")  # what is not said stays
    app.step(6 * DAY)
    assert await mails(app) == 0
    assert await state(app, key, short) == ("failed", "message_expired")
    app.step(25 * DAY)  # of any month

    assert await mails(app) == 1
    assert (await state(app, key, long))[0] == "sent"


async def asked(app: App) -> list[bytes]:
    await app.sign_up(ADA, "updates")
    return [mail.raw for mail in await app.deliver()]


async def test_a_pause_is_ended_and_nothing_of_it_is_left(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    key = await app.key()
    await me.post(PATH, pause="6", apart="month")
    waiting = await queue(app, key)
    assert await mails(app) == 0
    await me.post(PATH, pause="1", apart="month")
    assert await mails(app) == 0
    assert await state(app, key, waiting) == ("deferred", "paused")
    await me.post(PATH, pause="none", apart="any")

    assert await mails(app) == 1, "what waited comes now, not at the end that the pause had"
    assert (await state(app, key, waiting))[0] == "sent"
    for wrong in ({"pause": "2"}, {"apart": "day"}):
        assert (await me.try_post(PATH, **wrong))[0] == 422
    assert (await me.try_post(PATH, csrf="x", pause="1"))[0] == 403
    await me.post(PATH, pause="3")
    await me.post("/my-data/erase", answer="erase")
    async with app.parts.data.read() as connection:
        assert (await connection.execute(pace.select())).all() == []


async def test_who_wants_few_mails_gets_one_in_so_many_days_of_whatever_purpose(app: App) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    me = await visit(app)
    key = await app.key()
    await me.post(PATH, apart="week")
    first, second = await queue(app, key, days=60), await queue(app, key, "updates", days=60)

    assert await mails(app) == 1
    assert sorted([await state(app, key, first), await state(app, key, second)])[0] == (
        "deferred",
        "frequency_cap",
    )
    app.step(7 * DAY - timedelta(seconds=1))
    assert await mails(app) == 0
    app.step(timedelta(seconds=2))
    assert await mails(app) == 1
    assert await sound(app) == []

    me = await again(app)
    await me.post(PATH, apart="month")
    await queue(app, key, days=60)
    app.step(28 * DAY)
    assert await mails(app) == 0
    app.step(2 * DAY)
    assert await mails(app) == 1


async def test_a_pace_that_somebody_altered_holds_mails_back_and_is_named(app: App) -> None:
    """To end a pause by hand sends nothing; to plant one only delays."""
    await app.subscribe()
    me = await visit(app)
    key = await app.key()
    await me.post(PATH, pause="1")
    message = await queue(app, key)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(pace).values(paused_until=None))

    assert await mails(app) == 0

    assert await state(app, key, message) == ("deferred", "paused")
    assert any("pace" in doubt for doubt in (await verify(app.parts)).rows)
    await _put_right(app, me)


async def _put_right(app: App, me: Visit) -> None:
    """The person chooses anew: what was planted goes."""
    await me.post(PATH, pause="none", apart="any")
    app.step(timedelta(hours=2))
    assert await mails(app) == 1
    assert await sound(app) == []
