"""Whoever's network is over its limit is told so, at every door that asks a mailbox."""

from __future__ import annotations

import re
from datetime import timedelta
from http.cookies import SimpleCookie

from consent import address
from consent.sign_ups import Asked, SignUp
from gateway.callers.api_keys import Scope
from gateway.flows.joining.sign_up import Posted, accept_all
from tests.support.apps import ADA, App

NETWORK = "203.0.113.9"
FROM_THERE = {"X-Forwarded-For": NETWORK}


async def use_up(app: App) -> None:
    """Let that network post as often as it may."""
    (text,) = await app.texts("newsletter")
    form = SignUp("signup", address.parse(ADA), "en", (Asked("newsletter", text),))
    waits = await accept_all(app.parts, [Posted(form, NETWORK)] * 60)
    assert set(waits) == {None}


async def post(app: App, path: str, data: dict[str, str], **headers: str) -> tuple[int, str | None]:
    async with app.http.post(
        path, data=data, headers=FROM_THERE | headers, allow_redirects=False
    ) as page:
        assert page.content_type == "text/html"
        return page.status, page.headers.get("Retry-After")


async def session(app: App) -> str:
    """The cookie of a session of ADA's own pages."""
    await app.http.post("/my-data", data={"email": ADA})
    (mail,) = [mail for mail in await app.deliver() if b"/my-data/" in mail.raw]
    opened = await app.http.post(f"/my-data/{mail.token('my-data')}", allow_redirects=False)
    (cookie,) = SimpleCookie(opened.headers["Set-Cookie"]).values()
    return f"my-data={cookie.value}"


async def test_asking_for_a_fresh_link(limited: App) -> None:
    await use_up(limited)

    assert await post(limited, "/my-data", {"email": ADA}) == (429, "2")


async def test_asking_for_another_confirmation_mail(limited: App) -> None:
    token = await limited.confirmation()
    limited.step(timedelta(hours=73))
    await use_up(limited)

    assert await post(limited, f"/confirm/{token}", {"answer": "again"}) == (429, "2")


async def test_switching_on_by_the_link_of_a_mail(limited: App) -> None:
    await limited.subscribe()
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
    }
    key = await limited.key(Scope.MESSAGES_SEND)
    await limited.http.post("/v1/messages", json=body, headers=key)
    (mail,) = await limited.deliver()
    path = f"/preferences/{mail.token('preferences')}"
    assert (await post(limited, path, {"purpose.newsletter": "off"}))[0] == 200
    await use_up(limited)

    assert await post(limited, path, {"purpose.newsletter": "on"}) == (429, "2")


async def test_switching_on_in_a_session_after_what_was_switched_off(limited: App) -> None:
    await limited.subscribe()
    cookie = await session(limited)
    page = await limited.http.get("/my-data/preferences", headers={"Cookie": cookie})
    found = re.search(r'name="csrf" value="([^"]+)"', await page.text())
    assert found is not None
    choice = {"csrf": found[1], "purpose.newsletter": "off", "purpose.updates": "on"}
    await use_up(limited)

    assert await post(limited, "/my-data/preferences", choice, Cookie=cookie) == (429, "2")
    assert await limited.permission() == "withdrawn"
