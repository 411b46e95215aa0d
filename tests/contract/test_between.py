"""What happens between a look and a write, or between two steps of somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from audit.kinds import Actor
from consent import address, gates
from consent.model import State
from delivery import permits
from delivery.desk import Parcel
from gateway.flows.joining import intake, providers
from gateway.flows.joining.asking_limits import Asking, AskingKeys, AskingLimits
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.rights import overview
from gateway.flows.sending import permission, recover
from gateway.flows.sending.permission import Question
from gateway.limits import DOMAIN, PROVIDER, Limit
from gateway.process.desk import Desk
from tests.support.apps import ADA, App
from tests.support.calls import queue

TTL = 1.0  # of the configuration in tests.support.apps


@pytest.fixture
def app(limited: App) -> App:
    return limited


async def subject_of(app: App, email: str) -> str:
    async with app.parts.data.read() as connection:
        question = Question("newsletter", address.parse(email))
        (found,) = await permission.find_subjects(connection, app.parts.lookup, [question])
    assert found is not None
    return found.subject


async def claim(app: App) -> Sequence[Parcel]:
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    return await desk.claim("wrk_x", 10)


async def is_open(app: App, parcel: Parcel) -> bool:
    async with app.parts.data.read() as connection:
        now = await app.parts.clock.now(connection)
        return bool(await permits.open_permits(connection, parcel.subject, None, now))


async def test_off_said_twice_on_the_fresh_page_waits_twice(app: App) -> None:
    await app.subscribe(ADA)
    await queue(app, text="t")
    (parcel,) = await claim(app)
    withdrawals, off = Withdrawals(app.parts), {"newsletter": False}

    first = asyncio.create_task(overview.choose(app.parts, withdrawals, parcel.subject, off, None))
    while await app.permission(ADA) == "granted":  # noqa: ASYNC110 it is committed, and waits
        await asyncio.sleep(0.01)
    second = asyncio.create_task(overview.choose(app.parts, withdrawals, parcel.subject, off, None))
    done, _ = await asyncio.wait([first, second], timeout=TTL / 2)

    assert await is_open(app, parcel)
    assert done == set()
    app.step(timedelta(seconds=TTL))
    await asyncio.gather(first, second)


async def test_off_ends_the_consent_of_who_may_not_be_mailed_anyway(app: App) -> None:
    await app.subscribe(ADA)
    subject = await subject_of(app, ADA)
    async with app.parts.data.begin() as connection:
        held = await gates.lock(connection, [subject])
        await gates.suppress(connection, app.parts.rows, held.values(), "bounce")

    await overview.choose(app.parts, Withdrawals(app.parts), subject, {"newsletter": False}, None)

    async with app.parts.data.read() as connection:
        found = await app.parts.consents.of_subjects(connection, [subject])
    assert [one.state for one in found[subject]] == [State.WITHDRAWN]


async def test_an_objection_stops_whoever_signs_up_while_it_is_written(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.sign_up(ADA)  # acknowledged, and not worked off yet
    find, looks = permission.find_subjects, []

    async def find_and_then_work_off(*arguments: Any) -> Any:
        found = await find(*arguments)
        looks.append(found)
        if len(looks) == 1:
            await intake.work_off(app.parts)
        return found

    monkeypatch.setattr(permission, "find_subjects", find_and_then_work_off)
    objection = Withdrawal(None, Actor.API, "letter", objection=True)

    await Withdrawals(app.parts).withdraw(Question("", address.parse(ADA)), objection)

    assert looks[0] == [None]
    assert await app.deliver() == []


async def test_a_withdrawal_ends_the_sign_up_that_was_acknowledged_before_it(app: App) -> None:
    await app.subscribe(ADA)
    subject = await subject_of(app, ADA)
    await app.sign_up(ADA)  # acknowledged, and not worked off yet
    app.step(timedelta(seconds=1))

    await overview.choose(app.parts, Withdrawals(app.parts), subject, {"newsletter": False}, None)

    assert await app.deliver() == []


async def test_a_permit_does_not_outlive_the_lease_that_it_was_claimed_under(app: App) -> None:
    await app.subscribe(ADA)
    await queue(app, text="t")
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    app.step(app.parts.config.delivery.lease - timedelta(milliseconds=100))

    assert await desk.claim("wrk_x", 10) == []

    assert await recover.abandoned(app.parts) == 0


@pytest.mark.parametrize("limit", [DOMAIN, PROVIDER], ids=["anybody's", "a provider's"])
async def test_a_full_recipient_domain_puts_a_confirmation_off_and_does_not_lose_it(
    app: App, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is PROVIDER:
        known = frozenset({"example.org"})
        monkeypatch.setattr(providers, "mailbox_providers", lambda: known)
    await fill(app, "example.org", limit.burst)

    await app.sign_up(ADA)
    await app.tick()
    assert await app.deliver() == []
    app.step(limit.interval)

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def fill(app: App, domain: str, count: int) -> None:
    """Use up what the recipient domain's limit lets through at once."""
    parts = app.parts
    weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        for number in range(count):
            one = Asking(address.parse(f"madeup{number}@{domain}"))
            keys = AskingKeys(parts.keyring.suppression, weekly, parts.config.limits.enabled)
            limits = await AskingLimits.read(connection, keys, [one], now)
            assert await limits.allow(connection, one, now, wanted=True) == now
