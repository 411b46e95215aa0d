"""By SQL: an old row put back while the operator asks anew, and taken away again afterwards.

Who withdrew would be mailed by the gateway itself, on the word of a row alone.
"""

from __future__ import annotations

from gateway.flows.proving.verify import verify
from tests.attacks.test_laundered_rows import kept, put_back, withdraw
from tests.contract.test_ask_anew import agreed, ask, started
from tests.support.apps import App


async def test_who_withdrew_is_not_asked_anew_by_a_row_that_was_put_back(app: App) -> None:
    text = await agreed(app)
    confirmed = await kept(app)
    await withdraw(app)
    withdrawn = await kept(app)
    async with started(app) as again:
        await put_back(again, confirmed)
        told = await ask(again, text)
        mails = await again.send_due()
        now = [one["id"] for one in withdrawn]
        assert now
        asked = [one for one in await kept(again) if one["id"] not in now]
        await put_back(again, withdrawn)
        await again.tick()
        verified = await verify(again.parts)

    assert asked or not told.asked
    assert (told.asked, mails) == (0, []) or not verified.ok
