"""A domain that takes whatever is sent to it into one mailbox is not flooded by made-up names."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.flows.joining import providers
from gateway.limits import DOMAIN
from gateway.schema.tables import rate_limit
from storage import domains
from tests.support.apps import App

HOUR = timedelta(hours=1)
VICTIM = "ada.example"
NAMES = 120


async def flood(app: App, domain: str, first: int = 0) -> list[int]:
    body = await app.posted()
    statuses = []
    for number in range(first, first + NAMES):
        said = body | {"email": f"made.up{number}@{domain}"}
        network = {"X-Forwarded-For": f"198.18.{number // 250}.{number % 250 + 1}"}
        async with app.http.post("/forms/signup", json=said, headers=network) as answer:
            statuses.append(answer.status)
    return statuses


async def test_made_up_names_of_one_domain_bring_a_few_mails_and_the_same_answer(
    limited: App,
) -> None:
    statuses = await flood(limited, VICTIM)
    at_once = await limited.deliver()
    limited.step(24 * HOUR)
    in_a_day = await limited.deliver()

    assert set(statuses) == {202}
    assert len(at_once) == DOMAIN.burst == 20
    assert len(in_a_day) <= 48
    limited.step(HOUR)
    assert await limited.deliver() == []


async def test_other_domains_are_asked_meanwhile(limited: App) -> None:
    await flood(limited, VICTIM)

    await limited.sign_up("bob@example.org")

    assert "bob@example.org" in {mail.to for mail in await limited.deliver()}


async def test_where_many_people_have_mailboxes_many_are_asked(
    limited: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "mailbox_providers", lambda: frozenset({VICTIM}))
    await flood(limited, VICTIM)

    assert len(await limited.deliver()) == NAMES


async def test_the_domain_is_in_no_row(limited: App) -> None:
    await flood(limited, VICTIM)
    await limited.tick()

    async with limited.parts.data.read() as connection:
        keys = (await connection.execute(select(rate_limit.c.key))).scalars().all()
    assert keys
    assert not [key for key in keys if VICTIM.encode() in bytes(key)]


def test_the_shipped_list_has_what_addresses_have() -> None:
    listed = providers.mailbox_providers()

    assert {"gmail.com", "gmx.de", "web.de", "t-online.de", "outlook.com"} <= listed
    assert [one for one in listed if domains.to_ascii(one) != one] == []
    assert not {one for one in listed if one.endswith((".example", "example.org"))}
