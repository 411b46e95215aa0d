"""Permitted letters become mails: kept by nobody, and one that fails stops no other."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from email import message_from_bytes, policy
from typing import Any

import pytest

from consent.keys.vault import OF_PEOPLE
from delivery.desk import Composed, Ended, Parcel
from delivery.outcome import Ending, Phase
from gateway.flows.sending import composing
from gateway.flows.sending.letters import Letter
from gateway.process.desk import Desk
from tests.support.apps import ADA, App
from tests.support.calls import queue
from tests.support.waiting import until

BOB = "bob@example.org"


@pytest.fixture
def app(limited: App) -> App:
    return limited


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
    await until(lambda: aside or vaults[1]() is None)  # it is composed ahead, in the loop
    await asyncio.sleep(0.05)
    assert [one() is None for one in vaults] == [True, not aside, False]
    await desk.settle("wrk_x", [Ended(one, Ending(Phase.GREETED)) for one in (second, third)])

    assert mail is not None
    assert [one() for one in vaults] == [None, None, None]
    assert [one.letter._held for one in parcels] == [None, None, None]


async def claimed(app: App, count: int) -> tuple[Desk, Sequence[Parcel[Letter]]]:
    """So many mails to Ada, and the desk that has them for its worker."""
    await app.subscribe(ADA)
    for _ in range(count):
        await queue(app, text="x")
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    return desk, await desk.claim("wrk_x", 10)


async def test_the_next_mails_are_composed_while_the_first_is_carried_but_not_all_of_them(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else connections that wait for a permit to be spent would let the processor wait too."""
    monkeypatch.setattr(composing, "_AHEAD", 2)
    desk, (first, *others) = await claimed(app, 5)

    await desk.compose(first, others)
    await until(lambda: [one.letter.is_sealed for one in others][:2] == [False, False])
    await asyncio.sleep(0.05)

    assert [one.letter.is_sealed for one in others] == [False, False, True, True]
    assert len({(await desk.compose(one)).digest for one in others}) == 4


async def test_mails_that_take_long_are_composed_one_at_a_time(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five large ones at once would take most of what their permits last."""
    monkeypatch.setattr(composing, "_FOR_LONG", -1.0)
    desk, (first, *others) = await claimed(app, 4)

    await desk.compose(first, others)
    seen = []
    for _ in range(3):
        await asyncio.sleep(0)
        seen.append(sum(not one.letter.is_sealed for one in others))

    assert seen == [1, 2, 3]


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
    known = [{one for one in subjects if letter.vault.has(one, *OF_PEOPLE)} for letter in letters]
    assert known == [{letter.message.subject} for letter in letters]
    assert len(subjects) == 2


async def test_a_marketing_mail_says_what_was_agreed_to(app: App) -> None:
    await app.subscribe(ADA)
    await queue(app, text="Hello.")

    (mail,) = await app.deliver()

    parsed = message_from_bytes(mail.raw, policy=policy.default)
    assert "because you agreed to “Newsletter”" in parsed.get_body(("plain",)).get_content()
