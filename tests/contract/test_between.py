"""What happens between a look and a write, or between two steps of somebody else."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest

from audit.kinds import Actor
from consent import address, gates
from consent.keys.vault import Compartment
from consent.model import State
from delivery import permits
from delivery.desk import Composed, Ended, Parcel
from delivery.outcome import Ending, Phase
from gateway.flows.joining import intake
from gateway.flows.joining.asking_limits import AskingLimits
from gateway.flows.leaving.withdraw import Withdrawal, Withdrawals
from gateway.flows.rights import overview
from gateway.flows.sending import composing, permission, recover
from gateway.flows.sending.permission import Question
from gateway.limits import RECIPIENT_DOMAIN
from gateway.process.desk import Desk
from tests.support.apps import ADA, App

BOB = "bob@example.org"
TTL = 1.0  # of the configuration in tests.support.apps


@pytest.fixture
def app(limited: App) -> App:
    return limited


async def queue(app: App, to: str = ADA, key: dict[str, str] | None = None, **content: str) -> str:
    body = {"to": {"email": to}, "purpose": "newsletter", "content": {"subject": "s", **content}}
    answer = await app.http.post("/v1/messages", json=body, headers=key or await app.key())
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["message_id"])


async def subject_of(app: App, email: str) -> str:
    async with app.parts.data.read() as connection:
        question = Question("newsletter", address.parse(email))
        key = app.parts.keyring.blind_index
        (found,) = await permission.find_subjects(connection, key, [question])
    assert found is not None
    return found


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
        await gates.suppress(connection, [subject], "bounce")

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


async def test_a_mail_that_cannot_be_composed_ends_and_the_others_go(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (ADA, BOB):
        await app.subscribe(one)
    key = await app.key()
    poison = await queue(app, ADA, key, text="poison")
    await queue(app, BOB, key, text="x")
    compose = composing._composed

    def fail(tools: Any, sealed: Any) -> Composed:
        if sealed.message.id == poison:
            raise AssertionError("whatever a library thinks of it")
        return compose(tools, sealed)

    monkeypatch.setattr(composing, "_composed", fail)

    assert [mail.to for mail in await app.deliver()] == [BOB]

    seen = await (await app.http.get(f"/v1/messages/{poison}", headers=key)).json()
    assert (seen["status"], seen["reason"]) == ("failed", "not_composable")


@pytest.mark.parametrize("aside", [False, True], ids=["in the loop", "aside"])
async def test_nothing_is_kept_of_a_mail_that_was_composed_or_will_not_be(
    app: App, aside: bool
) -> None:
    """Neither the words nor the keys that open them."""
    await app.subscribe(ADA)
    for _ in range(3):
        await queue(app, text="x")
    desk = Desk(app.parts, aside=aside)
    await desk.register("wrk_x")
    parcels = first, second, third = await desk.claim("wrk_x", 10)
    vaults = [weakref.ref(one.letter._held.vault) for one in parcels]

    mail = await desk.compose(first, [second])
    await asyncio.sleep(0.05)  # the second is composed ahead, in the loop
    assert [one() is None for one in vaults] == [True, not aside, False]
    await desk.settle("wrk_x", [Ended(one, Ending(Phase.GREETED)) for one in (second, third)])

    assert mail is not None
    assert [one() for one in vaults] == [None, None, None]
    assert [one.letter._held for one in parcels] == [None, None, None]


async def test_the_next_mails_are_composed_while_the_first_is_carried_but_not_all_of_them(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else connections that wait for a permit to be spent would let the processor wait too."""
    monkeypatch.setattr(composing, "_AHEAD", 2)
    await app.subscribe(ADA)
    for _ in range(5):
        await queue(app, text="x")
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    first, *others = await desk.claim("wrk_x", 10)

    await desk.compose(first, others)
    await asyncio.sleep(0.05)

    assert [one.letter.is_sealed for one in others] == [False, False, True, True]
    assert len({(await desk.compose(one)).digest for one in others}) == 4


async def test_a_key_kept_for_one_mail_opens_nobody_elses(app: App) -> None:
    for one in (ADA, BOB):
        await app.subscribe(one)
    for one in (ADA, BOB):
        await queue(app, one, text="x")
    desk = Desk(app.parts)
    await desk.register("wrk_x")

    parcels = await desk.claim("wrk_x", 10)

    letters = [one.letter.unseal() for one in parcels]
    subjects = {letter.message.subject for letter in letters}
    known = [{one for one in subjects if letter.vault.has(one, *Compartment)} for letter in letters]
    assert known == [{letter.message.subject} for letter in letters]
    assert len(subjects) == 2


async def test_a_full_recipient_domain_puts_a_confirmation_off_and_does_not_lose_it(
    app: App,
) -> None:
    await fill(app, "example.org")

    await app.sign_up(ADA)
    await app.tick()
    assert await app.deliver() == []
    app.step(RECIPIENT_DOMAIN.interval)

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def fill(app: App, domain: str) -> None:
    """Use up what the recipient domain's limit lets through at once."""
    parts = app.parts
    weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        for number in range(RECIPIENT_DOMAIN.burst):
            one = address.parse(f"madeup{number}@{domain}")
            limits = await AskingLimits.read(parts, connection, weekly, [one], now)
            assert await limits.allow(connection, one, now) == now


async def test_a_marketing_mail_says_what_was_agreed_to(app: App) -> None:
    await app.subscribe(ADA)
    await queue(app, text="Hello.")

    (mail,) = await app.deliver()

    parsed = message_from_bytes(mail.raw, policy=policy.default)
    assert "because you agreed to “Newsletter”" in parsed.get_body(("plain",)).get_content()
