"""By SQL: a wording or a notice altered under its hash. It is shown to nobody, and is named."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from consent.tables import consent_text, privacy_notice
from gateway.callers.api_keys import Scope
from gateway.flows.joining import publish_texts
from gateway.flows.proving import verify
from gateway.http import wordings
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

BOB = "bob@example.org"
AGREED = "Yes, send me the newsletter."
LIE = "Yes, sell my address to anybody."
DAMAGED = "cannot be shown at the moment"
MESSAGE = {
    "to": {"email": ADA},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}


class Wording:
    """The English wording of the newsletter, as whoever writes the database has it."""

    def __init__(self, app: App, row: dict[str, Any]) -> None:
        self._app = app
        self._row = row

    @property
    def name(self) -> str:
        return f"consent_text {self._row['hash']}"

    async def alter(self, how: str) -> None:
        this = consent_text.c.hash == self._row["hash"]
        if how == "text":
            named = f"hash = '{self._row['hash']}'"
            await by_sql(self._app, f"UPDATE consent_text SET bundle = 'text' WHERE {named}")  # noqa: S608
            return
        lie = self._row["bundle"].replace(AGREED.encode(), LIE.encode())
        statement = delete(consent_text).where(this)
        if how == "other words":
            statement = update(consent_text).where(this).values(bundle=lie)
        async with self._app.parts.data.begin() as connection:
            await connection.execute(statement)

    async def put_back(self) -> None:
        await self.alter("deleted")
        async with self._app.parts.data.begin() as connection:
            await connection.execute(insert(consent_text), [self._row])


@pytest.fixture
async def wording(app: App) -> Wording:
    async with app.parts.data.read() as connection:
        query = select(consent_text).where(
            consent_text.c.purpose == "newsletter", consent_text.c.locale == "en"
        )
        return Wording(app, dict((await connection.execute(query)).one()._mapping))


@pytest.fixture(params=["other words", "text", "deleted"])
def damage(request: pytest.FixtureRequest, dialect: str) -> str:
    if request.param == "text" and dialect != "sqlite":
        pytest.skip("columns of PostgreSQL have one type")
    how: str = request.param
    return how


async def read(app: App, path: str, **sent: Any) -> tuple[int, str]:
    async with app.http.get(path, **sent) as page:
        return page.status, await page.text()


async def post(app: App, path: str, said: dict[str, str], **sent: Any) -> int:
    async with app.http.post(path, data=said, allow_redirects=False, **sent) as page:
        return page.status


async def doubts(app: App) -> list[str]:
    return list((await verify.verify(app.parts)).rows)


async def marketing(app: App) -> dict[str, str]:
    """The token of each link of a mail that was sent on a consent."""
    await app.subscribe()
    key = await app.key(Scope.MESSAGES_SEND)
    async with app.http.post("/v1/messages", json=MESSAGE, headers=key) as answer:
        assert answer.status == 202
    (mail,) = await app.deliver()
    return {route: mail.token(route) for route in ("why", "preferences", "unsubscribe")}


async def test_a_mails_links_show_no_other_words_than_were_agreed_to(
    app: App, wording: Wording, damage: str
) -> None:
    tokens = await marketing(app)
    assert AGREED in (await read(app, f"/why/{tokens['why']}"))[1]
    await wording.alter(damage)

    for route in ("why", "preferences"):
        status, page = await read(app, f"/{route}/{tokens[route]}")
        assert (status, LIE in page, DAMAGED in page) == (200, False, True)
    assert any(one.startswith(wording.name) for one in await doubts(app))

    off = {"purpose.newsletter": "off"}
    assert await post(app, f"/preferences/{tokens['preferences']}", off) == 200
    assert await app.permission() == "withdrawn"


async def test_ones_own_pages_show_no_other_words_and_still_let_one_leave(
    app: App, wording: Wording, damage: str
) -> None:
    await app.subscribe()
    await app.http.post("/my-data", data={"email": ADA})
    (mail,) = await app.deliver()
    async with app.http.post(f"/my-data/{mail.token('my-data')}", allow_redirects=False) as opened:
        own = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}
    await wording.alter(damage)

    for path in ("/my-data/why", "/my-data/preferences"):
        status, page = await read(app, path, headers=own)
        assert (status, LIE in page, DAMAGED in page) == (200, False, True)
    overview = (await read(app, "/my-data", headers=own))[1]
    found = re.search(r'name="csrf" value="([^"]+)"', overview)
    assert found is not None
    off = {"csrf": found[1], "purpose.newsletter": "off"}
    assert await post(app, "/my-data/preferences", off, headers=own) == 200
    assert await app.permission() == "withdrawn"


async def test_what_nobody_could_read_is_confirmed_once_it_can_be_read_again(
    app: App, wording: Wording, damage: str
) -> None:
    token = await app.confirmation()
    await wording.alter(damage)

    status, page = await read(app, f"/confirm/{token}")
    assert (status, LIE in page, DAMAGED in page) == (200, False, True)
    assert 'value="confirm"' not in page
    assert await post(app, f"/confirm/{token}", {"answer": "confirm"}) == 503
    assert await app.permission() == "pending"

    await wording.put_back()
    assert await post(app, f"/confirm/{token}", {"answer": "confirm"}) == 200
    assert await app.permission() == "granted"


async def test_one_wording_keeps_nobody_from_confirming_another(app: App, wording: Wording) -> None:
    token = await app.confirmation(ADA, "newsletter", "updates")
    await wording.alter("other words")

    assert await post(app, f"/confirm/{token}", {"answer": "confirm"}) == 200

    asked = [await app.permission(ADA, one) for one in ("newsletter", "updates")]
    assert asked == ["pending", "granted"]


async def test_not_me_is_answered_whatever_became_of_the_wording(
    app: App, wording: Wording, damage: str
) -> None:
    token = await app.confirmation()
    await wording.alter(damage)

    assert await post(app, f"/confirm/{token}", {"answer": "reject"}) == 200
    assert await app.permission() == "rejected"


async def test_an_acknowledged_sign_up_waits_for_its_wording_and_keeps_nobody_else(
    app: App, wording: Wording, damage: str
) -> None:
    await app.sign_up(ADA)
    await wording.alter(damage)
    await app.http.post("/forms/signup", json=await app.posted(BOB, "updates"))

    assert [mail.to for mail in await app.deliver()] == [BOB]

    await wording.put_back()
    app.step(timedelta(minutes=1))  # what is parked is looked at again
    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_no_form_shows_other_words_and_a_start_puts_its_own_back(
    app: App, wording: Wording, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordings, "_FRESH", 0.0)
    monkeypatch.setattr(wordings, "_ASK_AGAIN", 0.0)
    await wording.alter(damage)

    for path in ("/forms/signup?locale=en", "/forms/signup.json?locale=en"):
        status, page = await read(app, path)
        assert (status, LIE in page) == (503, False)

    assert await publish_texts.publish(app.parts) == [wording.name.partition(" ")[2]]
    status, page = await read(app, "/forms/signup?locale=en")
    assert (status, AGREED in page) == (200, True)
    assert await doubts(app) == []


async def test_an_altered_notice_is_not_served_and_named_until_a_start_puts_it_back(
    app: App,
) -> None:
    async with app.parts.data.read() as connection:
        (name, *_) = (await connection.execute(select(privacy_notice.c.hash))).scalars()
    async with app.parts.data.begin() as connection:
        this = update(privacy_notice).where(privacy_notice.c.hash == name)
        await connection.execute(this.values(body=LIE.encode()))

    assert (await read(app, f"/notices/{name}"))[0] == 404
    assert any(one.startswith(f"privacy_notice {name}") for one in await doubts(app))

    await publish_texts.publish(app.parts)
    assert (await read(app, f"/notices/{name}"))[0] == 200
    assert await doubts(app) == []
