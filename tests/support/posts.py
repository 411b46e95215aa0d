"""Posts of a form, and what is kept of them."""

from __future__ import annotations

from consent import intakes
from consent.sign_ups import SignUp
from tests.support.apps import ADA, App


async def kept(app: App) -> int:
    """How many sign-ups wait to be worked off."""
    async with app.parts.data.read() as connection:
        return await intakes.waiting(connection)


async def opened(app: App) -> list[SignUp]:
    """What waits, as the duty will read it."""
    async with app.parts.data.read() as connection:
        waiting = await intakes.oldest(connection, 10)
    keys = await app.parts.keystore.intake_keys({one.key_id for one in waiting})
    index = app.parts.keyring.lookup.secret
    return list(intakes.open_sign_ups(waiting, keys, index).said.values())


async def plain(app: App, *more: tuple[str, str], email: str = ADA) -> list[tuple[str, str]]:
    """The fields of a good plain form, and *more*."""
    newsletter, updates = await app.texts("newsletter", "updates")
    fields = [("email", email), ("purpose", "newsletter"), ("text", newsletter), ("text", updates)]
    return [*fields, *more]
