"""What keeps mail from moving is found in the stores, and told by metric, log and `readyz`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from delivery import leases, tables
from delivery.errors import RelayAway
from delivery.outbox import Status
from delivery.waits import Waits
from gateway.watch import held_up, hindrances, logs
from gateway.watch.held_up import Eyes, Here, Lookout
from gateway.watch.hindrances import Facts
from storage.database import open_database
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases
from tests.support.ports import free_port

TWICE = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, limits=True) as opened:
        yield opened


def eyes_of(app: App) -> Eyes:
    parts = app.parts
    return Eyes(parts.data, parts.keystore, parts.clock, parts.log.macs, parts.lookup)


async def reasons(app: App) -> dict[str, int]:
    facts = await eyes_of(app).facts(Facts(now=app.parts.clock.wall()))
    return {one.why: one.number for one in hindrances.decide(facts)}


async def with_worker(app: App) -> None:
    async with app.parts.data.begin() as connection:
        now = app.parts.clock.wall()
        await leases.register(connection, "wrk_1", "boot", now, timedelta(hours=1))


@TWICE
async def test_what_waits_is_found_with_its_reason(app: App) -> None:
    assert await reasons(app) == {}
    await app.sign_up(ADA)
    await app.tick()
    assert await reasons(app) == {"no_worker": 1}
    await with_worker(app)
    app.step(timedelta(minutes=1))
    assert await reasons(app) == {"slow": 1}

    async with app.parts.data.begin() as connection:
        soon = app.parts.clock.wall() + timedelta(hours=1)
        put_off = {"status": Status.DEFERRED, "due_at": soon}
        await connection.execute(update(tables.outbox).values(put_off))

    # It waits for who puts it off, and is one that asks to confirm.
    assert await reasons(app) == {"put_off": 1, "confirmations_wait": 1}


@TWICE
async def test_mailboxes_that_got_no_confirmation_mail_are_counted_once_a_day(app: App) -> None:
    """Each of five sign-ups is answered alike; three mails go, and nothing says to whom."""
    for _ in range(5):
        await app.sign_up(ADA)
        await app.deliver()
    await with_worker(app)

    assert await reasons(app) == {"confirmations_withheld": 1}
    app.step(timedelta(days=8))
    await with_worker(app)
    assert await reasons(app) == {}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_lookout_tells_metric_and_log_once_and_never_what_a_relay_said(app: App) -> None:
    away: list[RelayAway | None] = [RelayAway("it turned us away", 554, "ada@example.org")]

    async def lacking() -> Sequence[str]:
        return ["guard"]

    lines = io.StringIO()
    logs.configure(lines)
    lookout = Lookout(eyes_of(app), Here(lacking, lambda: away[0]), app.counted)
    await lookout.look()
    await lookout.look()

    said = lines.getvalue()
    assert said.count("mail_waits") == 1
    assert '"why": "relay_away, store_away"' in said
    assert 'gateway_hindered{why="relay_away"} 1.0' in app.metrics()
    assert "it turned us away: 554" in str(lookout.told)
    assert ADA not in said + app.metrics() + str(lookout.told)

    lookout.here, away[0] = replace(lookout.here, lacking=_none), None
    await lookout.look()
    assert "mail_moves" in lines.getvalue()
    assert "gateway_hindered{" not in app.metrics()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_worker_that_ends_in_order_is_no_reason_why_mail_waits(app: App) -> None:
    """Ctrl-C would write a warning, and a drain of minutes would raise the alert."""
    ending = asyncio.Event()

    async def lacking() -> Sequence[str]:
        return ["worker"]

    lookout = Lookout(eyes_of(app), Here(lacking, lambda: None, ending), app.counted)
    await lookout.look()
    stopped = [one.why for one in lookout.told]
    ending.set()
    await lookout.look()

    assert (stopped, [one.why for one in lookout.told]) == (["worker_stopped"], [])


async def _none() -> Sequence[str]:
    return []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_where_a_store_is_away_that_is_the_reason(app: App) -> None:
    nowhere = f"postgresql://gateway@127.0.0.1:{free_port()}/gateway"
    async with open_database("data", nowhere) as away:
        facts = await replace(eyes_of(app), data=away).facts(Facts(now=app.parts.clock.wall()))

    assert [one.why for one in hindrances.decide(facts)] == ["store_away"]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_who_looks_once_asks_the_relay_and_dns_only_while_mail_waits(app: App) -> None:
    config, asked = app.parts.config, list[str]()
    relay = config.delivery.relay.model_copy(update={"port": free_port()})
    delivery = config.delivery.model_copy(update={"relay": relay, "transport": "relay"})
    config = config.model_copy(update={"delivery": delivery})

    def resolver(name: str) -> Sequence[str]:
        asked.append(name)
        return []

    idle = Facts(now=app.parts.clock.wall(), waits=Waits(workers=1))
    assert await held_up.closer(config, idle, resolver) == idle
    assert asked == []

    busy = replace(idle, waits=Waits(due=1, workers=1))
    told = hindrances.decide(await held_up.closer(config, busy, resolver))

    assert [one.why for one in told] == ["relay_away", "dns"]
    assert "Connection refused" in told[0].said
    assert asked
    assert all(name in told[1].said for name in asked)
