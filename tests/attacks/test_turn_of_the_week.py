"""On Monday the keys of the limits change: nobody gets twice by it what there is once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from consent.keys.tables import limit_key
from gateway.limits import DOMAIN, FORM, NETWORK
from tests.attacks.test_catch_all import NAMES, VICTIM, flood
from tests.attacks.test_crowded_forms import enter
from tests.support.apps import App

SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def sunday(app: App, before: timedelta = SECOND) -> None:
    """Go to shortly *before* the end of the week."""
    now = app.parts.clock.wall()
    monday = datetime(now.year, now.month, now.day, tzinfo=now.tzinfo) - now.weekday() * (WEEK / 7)
    app.step(monday + WEEK - before - now)


async def weeks(app: App) -> int:
    async with app.parts.key_database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(limit_key))).scalar_one()


async def test_a_domain_gets_no_second_burst(limited: App) -> None:
    sunday(limited)
    await flood(limited, VICTIM)
    assert len(await limited.deliver()) == DOMAIN.burst
    limited.step(2 * SECOND)

    await flood(limited, VICTIM, first=NAMES)

    assert await limited.deliver() == []
    limited.step(timedelta(days=1))
    # What waits its turn, as in any other day: nothing of it came twice.
    assert len(await limited.deliver()) <= timedelta(days=1) / DOMAIN.interval
    assert await weeks(limited) == 2


async def test_a_mailbox_gets_no_second_three(limited: App) -> None:
    sunday(limited)
    for network in ("192.0.2.1", "198.51.100.1", "203.0.113.1"):
        await signed_up(limited, network)
    assert len(await limited.deliver()) == 3
    limited.step(2 * SECOND)

    for network in ("192.0.2.2", "198.18.0.1", "198.19.0.1"):
        await signed_up(limited, network)

    assert await limited.deliver() == []


async def signed_up(app: App, network: str) -> None:
    body = await app.posted()
    headers = {"X-Forwarded-For": network}
    async with app.http.post("/forms/signup", json=body, headers=headers) as answer:
        assert answer.status == 202


async def test_a_network_gets_no_second_burst(limited: App) -> None:
    sunday(limited)
    assert await enter(limited, ["192.0.2.7"] * NETWORK.burst) == NETWORK.burst
    limited.step(2 * SECOND)

    entered = await enter(limited, ["192.0.2.7"] * NETWORK.burst)

    assert entered == 2 * SECOND / NETWORK.interval == 1


@pytest.mark.parametrize("seen", [True, False], ids=["seen last week", "never seen"])
async def test_what_a_form_keeps_for_others_is_not_for_who_came_last_week(
    limited: App, seen: bool
) -> None:
    regulars = [f"198.18.{n // 250}.{n % 250 + 1}" for n in range(FORM.burst)]
    sunday(limited, timedelta(minutes=5))
    if seen:
        await enter(limited, regulars)
    limited.step(timedelta(minutes=6))

    entered = await enter(limited, regulars)

    assert entered == FORM.burst - (FORM.kept if seen else 0)


async def test_two_weeks_later_nothing_counts_any_more(limited: App) -> None:
    await enter(limited, ["192.0.2.7"] * NETWORK.burst)
    limited.step(2 * WEEK)

    assert await enter(limited, ["192.0.2.7"] * NETWORK.burst) == NETWORK.burst
    assert await weeks(limited) == 1
