"""A person leaves all that they agreed to from one sender, at once."""

from __future__ import annotations

from audit.kinds import Kind
from tests.http.test_people_rights import again, kinds, said, sound, visit
from tests.support.apps import ADA, App
from tests.support.calls import queue

PURPOSES = ("newsletter", "updates")


async def subscribed(app: App) -> str:
    """The unsubscribe token of a newsletter, of who has agreed to two purposes and waits for one.

    And to one of another sender.
    """
    await app.subscribe(ADA, *PURPOSES)
    me = await visit(app)
    await me.post("/my-data/preferences", **{"purpose.elsewhere": "on"})
    (mail,) = [one for one in await app.deliver() if b"/confirm/" in one.raw]
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    await queue(app, text="News.")
    (news,) = await app.deliver()
    return news.token("unsubscribe")


async def permissions(app: App) -> list[str]:
    return [await app.permission(ADA, one) for one in (*PURPOSES, "elsewhere")]


async def test_by_the_link_of_any_mail_all_of_its_sender_ends_and_nothing_of_others(
    app: App,
) -> None:
    """The page names the mail's own purpose and nothing of what else ends."""
    token = await subscribed(app)
    pages = [await (await app.http.get(f"/unsubscribe/{t}")).text() for t in (token, "A" * 22)]
    for page in pages:
        assert "Leave everything of this sender" in page
        assert "Updates" not in page
    assert await permissions(app) == ["granted"] * 3

    for _ in range(2):
        answer = await app.http.post(f"/unsubscribe/{token}", data={"scope": "sender"})
        assert (answer.status, "Updates" in await answer.text()) == (200, False)

    assert await permissions(app) == ["withdrawn", "withdrawn", "granted"]
    assert await kinds(app, Kind.CONSENT_WITHDRAWN) == ["consent.withdrawn"] * 2
    assert await sound(app) == []
    # The derived links of a mail, which may be shown around, give none of it.
    assert (await app.http.post("/unsubscribe/" + "A" * 22, data={"scope": "sender"})).status == 200


async def test_one_click_ends_what_the_mail_was_for_and_no_more(app: App) -> None:
    token = await subscribed(app)

    await app.http.post(f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})

    assert await permissions(app) == ["withdrawn", "granted", "granted"]


async def test_in_a_session_everything_of_a_sender_is_switched_off_at_once(app: App) -> None:
    await subscribed(app)
    me = await again(app)
    assert "Everything of Acme off" in await me.get("/my-data/preferences")

    page = await me.post("/my-data/preferences?locale=de", sender="acme")

    assert said("What you switched off has ended at once.", "de") in page
    assert "Alles von Acme aus" not in page
    assert "Alles von Other aus" in page
    assert await permissions(app) == ["withdrawn", "withdrawn", "granted"]
    await me.post("/my-data/preferences", sender="nobody")
    assert (await permissions(app))[2] == "granted"
    assert await sound(app) == []
