"""Who has mailboxes at somebody's domain counts the mails there: they tell nothing of that person.

Of a domain that is no provider of mailboxes a few confirmation mails go out at once, for all
addresses together. If only mails were counted, who fills the rest with mailboxes of their own
would see by the first that waits whether somebody else was sent one: who confirmed is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.callers.api_keys import Scope
from gateway.limits import DOMAIN
from tests.support.apps import App

HER = "ada@firm.example"
KINDS = ("unknown", "pending", "confirmed", "withdrawn", "objected", "rejected")
OLD = timedelta(days=9)  # longer than any count lasts


async def sign_up(app: App, email: str, network: str) -> None:
    sent = {"X-Forwarded-For": network}
    body = await app.posted(email)
    async with app.http.post("/forms/signup", json=body, headers=sent) as answer:
        assert answer.status == 202


async def be(app: App, kind: str) -> None:
    """Let her be of that kind, some while ago."""
    if kind == "unknown":
        return
    token = await app.confirmation(HER)
    if kind == "rejected":
        await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    elif kind != "pending":
        await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    how = {"withdrawn": "withdraw", "objected": "object"}.get(kind)
    if how is not None:
        key = await app.key(Scope.CONSENTS_WITHDRAW)
        said = {"to": {"email": HER}, "all": True, "kind": how, "channel": "phone"}
        async with app.http.post("/v1/withdrawals", json=said, headers=key) as answer:
            assert answer.status == 200
    app.step(OLD if kind != "pending" else timedelta(hours=71))


async def once(app: App) -> None:
    await sign_up(app, HER, "203.0.113.1")


async def again_and_again(app: App) -> None:
    for number in range(4):
        await sign_up(app, HER, f"203.0.113.{number}")
        await app.tick()


async def from_everywhere(app: App) -> None:
    for number in range(5):
        await sign_up(app, HER, f"198.{number}.0.1")
        await app.tick()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("asked", "counted"), [(once, 1), (again_and_again, 2), (from_everywhere, 5)]
)
async def test_of_the_domains_mails_as_many_are_left_whoever_was_asked_for(
    limited: App, kind: str, asked: Callable[[App], Awaitable[None]], counted: int
) -> None:
    await be(limited, kind)
    await limited.deliver()

    await asked(limited)
    await limited.tick()
    for number in range(DOMAIN.burst + 2):
        await sign_up(limited, f"m{number}@firm.example", f"192.0.2.{number}")
    mails = await limited.deliver()

    theirs = [mail for mail in mails if mail.to != HER]
    assert len(theirs) == DOMAIN.burst - counted
