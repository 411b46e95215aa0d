"""Who was forwarded a mail, or kept one, presses "ask me again" as often as they can."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.http.test_again import AGAIN, leave
from tests.http.test_recipients import post
from tests.support.apps import ADA, App
from tests.support.calls import call, message

DAY = timedelta(days=1)
AT_ONCE = 25


async def flood(app: App, token: str, count: int) -> set[str]:
    """Press it *count* times, from ever other networks; what was answered."""
    seen = set()
    for start in range(0, count, AT_ONCE):
        answers = await asyncio.gather(
            *(
                post(
                    app,
                    f"/again/{token}",
                    data=AGAIN,
                    headers={"X-Forwarded-For": f"198.18.{n // 200}.{n % 200 + 1}"},
                )
                for n in range(start, start + AT_ONCE)
            )
        )
        assert {status for status, _ in answers} == {200}
        seen |= {text for _, text in answers}
    return seen


@pytest.mark.parametrize(
    "count", [pytest.param(1000, marks=pytest.mark.long, id="1000"), pytest.param(50, id="50")]
)
async def test_however_often_it_is_pressed_the_mailbox_gets_the_metered_mails(
    app: App, count: int
) -> None:
    token, came = (await leave(app))["again"], []
    app.step(7 * DAY)  # mails of the week count, too

    for day in range(4):
        said = await flood(app, token, count if day == 0 else AT_ONCE)
        came += [day] * len(await app.deliver())
        app.step(DAY)
        assert len(said) == 1

    assert came == [0, 1]


async def test_a_withdrawal_stays_final_until_the_mailbox_confirms(app: App) -> None:
    token, key = (await leave(app))["again"], await app.key()

    await flood(app, token, AT_ONCE)
    mails = await app.deliver()

    assert [(mail.to, b"/confirm/" in mail.raw) for mail in mails] == [(ADA, True)]
    assert (await call(app, key, "POST", "/v1/messages", message()))[0] == 403
    assert await app.deliver() == []
    app.step(timedelta(hours=73))
    await app.tick()
    assert await app.permission() == "withdrawn", "what nobody confirmed counts for something"


async def test_of_two_mails_that_were_forwarded_one_meter_counts(app: App) -> None:
    """Links of two purposes, and the switch of each, lead to one mailbox."""
    await app.subscribe(ADA, "newsletter", "updates")
    key, links = await app.key(), []
    for purpose in ("newsletter", "updates"):
        body = message(purpose=purpose)
        assert (await call(app, key, "POST", "/v1/messages", body))[0] == 202
    links = [mail.token("preferences") for mail in await app.deliver()]
    left = {"to": {"email": ADA}, "all": True, "kind": "withdraw", "channel": "phone"}
    assert (await call(app, key, "POST", "/v1/withdrawals", left))[0] == 200
    app.step(timedelta(seconds=1))

    for token in links:
        await flood(app, token, AT_ONCE)
        for purpose in ("newsletter", "updates"):
            await post(app, f"/preferences/{token}", data={f"purpose.{purpose}": "on"})

    assert len(await app.deliver()) == 1
