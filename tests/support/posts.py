"""Posts of a form, and what is kept of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from consent import intakes
from consent.sign_ups import SignUp
from tests.support.apps import ADA, ORIGIN, App


async def kept(app: App) -> int:
    """How many sign-ups wait to be worked off."""
    async with app.parts.data.read() as connection:
        return await intakes.waiting(connection)


async def opened(app: App) -> list[SignUp]:
    """What waits, as the duty will read it."""
    async with app.parts.data.read() as connection:
        waiting = await intakes.oldest(connection, 10, app.parts.clock.wall())
    keys = await app.parts.keystore.intake_keys({one.key_id for one in waiting})
    return list(intakes.open_sign_ups(waiting, keys).said.values())


async def plain(app: App, *more: tuple[str, str], email: str = ADA) -> list[tuple[str, str]]:
    """The fields of a good plain form, and *more*."""
    newsletter, updates = await app.texts("newsletter", "updates")
    fields = [("email", email), ("purpose", "newsletter"), ("text", newsletter), ("text", updates)]
    return [*fields, *more]


async def hosted(
    app: App, form: str = "signup", *more: tuple[str, str], email: str = ADA
) -> list[tuple[str, str]]:
    """What a person posts who opened our page, ticked the newsletter and took a few seconds."""
    async with app.http.get(f"/forms/{form}") as page:
        shown = re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', await page.text())
    app.step(timedelta(seconds=5))
    hidden = [one for one in shown if one[0] in ("text", "stamp", "locale", "page_url")]
    return [*hidden, ("email", email), ("purpose", "newsletter"), *more]


async def scripted(
    app: App, email: str = ADA, *, origin: str | None = ORIGIN, **more: Any
) -> dict[str, Any]:
    """What our script posts from a page of *origin*."""
    headers = {"Origin": origin} if origin else {}
    async with app.http.get("/forms/signup.json", headers=headers) as answer:
        stamp = answer.headers["Consent-Stamp"]
    app.step(timedelta(seconds=5))
    body = await app.posted(email, stamp=stamp, page_url=f"{origin or ORIGIN}/offer")
    return body | more
