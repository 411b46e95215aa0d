"""The pages behind the links in our mails."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from audit import trail
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from storage.errors import StorageAway
from tests.support.apps import ADA, App

NOBODYS = "A" * 22  # well-formed, and nobody has it
OTHER_SITE = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}


async def text_of(app: App, path: str, status: int = 200) -> str:
    async with app.http.get(path) as page:
        assert (page.status, page.content_type) == (status, "text/html")
        return await page.text()


async def post(app: App, path: str, **sent: Any) -> tuple[int, str]:
    async with app.http.post(path, allow_redirects=False, **sent) as page:
        assert "Set-Cookie" not in page.headers
        assert "Location" not in page.headers
        return page.status, await page.text()


async def nurture(app: App) -> dict[str, str]:
    """A subscriber's mail: the token of each of its links."""
    await app.subscribe()
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
    }
    key = await app.key(Scope.MESSAGES_SEND)
    async with app.http.post("/v1/messages", json=body, headers=key) as answer:
        assert answer.status == 202
    (mail,) = await app.deliver()
    return {route: mail.token(route) for route in ("unsubscribe", "why", "preferences")}


async def test_looking_at_a_confirmation_changes_nothing(app: App) -> None:
    token = await app.confirmation()

    for method in ("GET", "HEAD"):
        async with app.http.request(method, f"/confirm/{token}") as page:
            assert page.status == 200
    shown = await text_of(app, f"/confirm/{token}")

    assert "Yes, send me the newsletter." in shown
    assert ADA not in shown
    assert 'name="answer"' in shown
    assert await app.permission() == "pending"


async def test_confirming_again_shows_what_became_of_it(app: App) -> None:
    token = await app.confirmation()

    first = await post(app, f"/confirm/{token}", data={"answer": "confirm"})
    second = await post(app, f"/confirm/{token}", data={"answer": "confirm"})

    assert (first[0], second[0]) == (200, 200)
    assert await app.permission() == "granted"


async def test_not_me_rejects_and_after_a_confirmation_withdraws(app: App) -> None:
    token = await app.confirmation()
    await post(app, f"/confirm/{token}", data={"answer": "confirm"})

    status, _ = await post(app, f"/confirm/{token}", data={"answer": "reject"})

    assert status == 200
    assert await app.permission() == "withdrawn"
    await post(app, f"/confirm/{token}", data={"answer": "confirm"})
    assert await app.permission() == "withdrawn", "a spent token confirmed once more"


async def test_an_expired_link_says_so_and_offers_a_new_mail(app: App) -> None:
    token = await app.confirmation()
    app.step(timedelta(hours=73))
    await app.tick()

    shown = await text_of(app, f"/confirm/{token}", 410)
    status, _ = await post(app, f"/confirm/{token}", data={"answer": "confirm"})
    assert status == 410
    assert await app.permission() == "lapsed"

    assert 'value="again"' in shown
    status, _ = await post(app, f"/confirm/{token}", data={"answer": "again"})
    assert status == 200
    (mail,) = await app.deliver()
    assert mail.to == ADA
    status, _ = await post(app, f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    assert (status, await app.permission()) == (200, "granted")


@pytest.mark.parametrize(
    "fields", [{}, {"answer": "yes"}, {"answer": ""}], ids=["none", "other", "empty"]
)
async def test_an_answer_that_is_none_changes_nothing(app: App, fields: dict[str, str]) -> None:
    token = await app.confirmation()

    status, page = await post(app, f"/confirm/{token}", data=fields or b"")

    assert status == 422
    assert token not in page
    assert await app.permission() == "pending"


@pytest.mark.parametrize("token", [NOBODYS, "A" * 43, "x", "A" * 5000, "%00", "..%2f", "ü"])
async def test_a_link_that_nobody_has_tells_nothing(embedded: App, token: str) -> None:
    async with embedded.http.get(f"/confirm/{token}") as page:
        assert (page.status, page.content_type) == (404, "text/html")
    status, _ = await post(embedded, f"/confirm/{token}", data={"answer": "confirm"})
    assert status == 404


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (
            b"--x\r\nContent-Disposition: form-data; name=List-Unsubscribe\r\n\r\nOne-Click"
            b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"", "application/octet-stream"),
        (b"List-Unsubscribe=One-Click", "text/plain"),
        (b"\xff\x00{", "application/json"),
        (b"%%%=%ff", "application/x-www-form-urlencoded"),
        (b"nonsense", "multipart/form-data"),
        (b"x" * 100_000, "application/x-www-form-urlencoded"),
    ],
    ids=["urlencoded", "multipart", "empty", "text", "json", "broken", "no boundary", "large"],
)
async def test_one_click_withdraws_whatever_the_body(
    app: App, body: bytes, content_type: str
) -> None:
    token = (await nurture(app))["unsubscribe"]

    status, _ = await post(
        app, f"/unsubscribe/{token}", data=body, headers={"Content-Type": content_type}
    )

    assert (status, await app.permission()) == (200, "withdrawn")


@pytest.mark.parametrize("by", ["unsubscribe-page", "one-click"])
async def test_the_proof_says_whether_a_page_or_a_mail_program_withdrew(app: App, by: str) -> None:
    token = (await nurture(app))["unsubscribe"]
    shown = await text_of(app, f"/unsubscribe/{token}")
    form, *_ = [one for one in re.findall(r"(?s)<form.*?</form>", shown) if 'action=""' in one]
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))

    one_click = {"List-Unsubscribe": "One-Click"}
    _, left = await post(
        app, f"/unsubscribe/{token}", data=one_click if by == "one-click" else fields
    )

    await app.tick()
    subject = await app.subject()
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.snapshot() as connection:
        told = await trail.told(connection, [subject], [Kind.CONSENT_WITHDRAWN], vault)
    assert [one.facts["channel"] for one in told] == [by]
    assert "List-Unsubscribe" not in left  # nor does the other language press for a mail program


async def test_looking_at_an_unsubscribe_link_changes_nothing_and_pressing_twice_is_fine(
    app: App,
) -> None:
    token = (await nurture(app))["unsubscribe"]

    shown = await text_of(app, f"/unsubscribe/{token}")
    assert await app.permission() == "granted"
    first = await post(app, f"/unsubscribe/{token}", data={})
    second = await post(app, f"/unsubscribe/{token}", data={})

    assert "<form" in shown
    assert first == second
    assert first[0] == 200
    assert await app.permission() == "withdrawn"


async def test_a_link_that_nobody_has_looks_like_any_other(app: App) -> None:
    tokens = await nurture(app)

    for route in ("unsubscribe", "again"):
        nobodys = await text_of(app, f"/{route}/{NOBODYS}")
        assert nobodys == await text_of(app, f"/{route}/{'B' * 21}A")
        assert "newsletter" not in nobodys.lower()
    assert await post(app, f"/unsubscribe/{NOBODYS}") == await post(app, f"/unsubscribe/{'A' * 43}")
    for route in ("why", "preferences"):
        assert ADA not in await text_of(app, f"/{route}/{tokens[route]}")
        await text_of(app, f"/{route}/{NOBODYS}")


async def test_a_switch_turns_one_purpose_off_and_asks_before_it_is_on_again(app: App) -> None:
    token = (await nurture(app))["preferences"]

    status, _ = await post(app, f"/preferences/{token}", data={"purpose.newsletter": "off"})
    assert (status, await app.permission()) == (200, "withdrawn")
    app.step(timedelta(seconds=1))  # at the same moment who left has left
    status, _ = await post(app, f"/preferences/{token}", data={"purpose.newsletter": "on"})
    assert (status, await app.permission()) == (200, "withdrawn"), "a forwarded mail subscribed"

    (mail,) = await app.deliver()
    app.step(timedelta(seconds=1))  # what was decided last holds
    await post(app, f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    assert await app.permission() == "granted"


async def test_the_switch_shows_at_once_what_was_said_and_says_what_comes_of_it(app: App) -> None:
    path = f"/preferences/{(await nurture(app))['preferences']}"
    ended, asked = "has ended at once", "begins once you confirm it"

    def shown(page: str) -> tuple[str, bool, bool]:
        (chosen,) = re.findall(r'value="(on|off)" checked', page)
        return chosen, ended in page, asked in page

    _, unchanged = await post(app, path, data={"purpose.newsletter": "on"})
    _, off = await post(app, path, data={"purpose.newsletter": "off"})
    _, again = await post(app, path, data={"purpose.newsletter": "off"})
    app.step(timedelta(seconds=1))
    _, on = await post(app, path, data={"purpose.newsletter": "on"})
    await app.tick()
    _, waits = await post(app, path, data={"purpose.newsletter": "off"})

    assert shown(unchanged) == ("on", False, False)
    assert shown(off) == shown(waits) == ("off", True, False)
    assert shown(again) == ("off", False, False)
    assert shown(on) == ("on", False, True)
    assert "Not confirmed yet" in on


@pytest.mark.parametrize(
    "fields",
    [{}, {"purpose.newsletter": "maybe"}, {"purpose.updates": "off"}],
    ids=["nothing", "neither", "another purpose"],
)
async def test_a_switch_that_says_neither_changes_nothing(app: App, fields: dict[str, str]) -> None:
    token = (await nurture(app))["preferences"]

    status, _ = await post(app, f"/preferences/{token}", data=fields)

    assert (status, await app.permission()) == (422, "granted")


@pytest.mark.parametrize("route", ["confirm", "unsubscribe", "preferences"])
async def test_while_storage_is_away_nothing_is_answered_as_done(
    app: App, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await app.confirmation() if route == "confirm" else (await nurture(app))[route]
    before = await app.permission()
    said = {"answer": "confirm", "purpose.newsletter": "off"}

    def away(*_: object) -> None:
        raise StorageAway("data")

    for how in ("begin", "read"):
        with monkeypatch.context() as patched:
            patched.setattr(app.parts.data, how, away)
            async with app.http.post(f"/{route}/{token}", data=said) as page:
                assert (page.status, page.content_type) == (503, "text/html")
                assert page.headers["Retry-After"]
    assert await app.permission() == before

    status, _ = await post(app, f"/{route}/{token}", data=said)
    assert status == 200
    assert await app.permission() != before


async def test_a_page_of_another_site_has_no_more_power_than_its_own_link(app: App) -> None:
    """Our links are the whole authority: no cookie, so that nothing can ride on a visitor's."""
    token = await app.confirmation()

    status, _ = await post(app, f"/confirm/{NOBODYS}", data={"answer": "confirm"})
    assert status == 404
    for path in (f"/confirm/{NOBODYS}", f"/unsubscribe/{NOBODYS}", f"/preferences/{NOBODYS}"):
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            aiohttp.ClientSession(app.base, cookie_jar=jar) as visitor,
            visitor.get(f"/confirm/{token}") as page,
        ):
            assert "Set-Cookie" not in page.headers
            async with visitor.post(path, data={"answer": "confirm"}, headers=OTHER_SITE):
                assert len(jar) == 0
    assert await app.permission() == "pending"


async def test_the_privacy_notice_stays_what_it_was(embedded: App) -> None:
    async with embedded.http.get("/forms/signup.json?locale=en") as answer:
        described = await answer.json()
    notice = described["purposes"][0]["text"]["bundle"]["notice"]

    shown = await text_of(embedded, f"/notices/{notice}")

    assert "Acme GmbH" in shown
    assert notice in shown
    await text_of(embedded, "/notices/sha256:" + "0" * 64, 404)


async def test_the_front_page_says_who_mails_from_here_and_how_to_leave(embedded: App) -> None:
    english = await text_of(embedded, "/")
    german = await text_of(embedded, "/?locale=de")

    for shown in (english, german):
        assert "Acme GmbH" in shown
        assert 'href="mailto:privacy@acme.example"' in shown
    assert 'href="/my-data?locale=en"' in english
    assert 'href="/my-data?locale=de"' in german
    assert "Abmeldelink" in german


@pytest.mark.parametrize("name", ["%00", "a%00b", "%0d%0aSet-Cookie:x", "%ff"])
async def test_a_name_that_no_database_takes_is_not_found(app: App, name: str) -> None:
    for path in ("notices", "confirm", "unsubscribe", "why", "preferences"):
        await text_of(app, f"/{path}/{name}", 404)
