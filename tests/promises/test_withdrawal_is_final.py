"""Promise 2, from outside: once a withdrawal was answered, no transmission for it starts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.crowds import Begun, subscribe
from tests.support.crowds import post as hand_in_batch
from tests.support.gateways import Gateway
from tests.support.waiting import until

ADA = "ada@example.org"
LEAVERS = 200
EACH = 8  # messages that are due for each of them, one after another, while they leave
SECONDS = 20.0
HAND_IN = 10.0  # seconds that handing in may take before the first of them is due
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Left:
    """One person's withdrawal: when it was asked for, and when the earlier answer came.

    What that waits for, and nothing longer, is asked by a clock that a test steps, in
    `tests/contract/test_lock_protocol.py`.
    """

    person: str
    asked_at: float
    answered_at: float


@pytest.mark.long
@pytest.mark.timeout(1200)  # where everybody else is at work, too
async def test_no_mail_is_begun_after_the_earlier_of_two_answers_under_load(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    people = [f"person-{n:03}@example.org" for n in range(LEAVERS)]
    links = await subscribed(gateway, key, people)
    await queue_over_time(gateway, key, people)

    left = await leave_amid_it(gateway, key, links)
    await asyncio.sleep(SECONDS / EACH * 2)  # as long as somebody's messages still come to be due

    begun = begun_for(gateway)
    late = [
        (one.person, at - one.answered_at)
        for one in left
        for at in begun[one.person]
        if at > one.answered_at
    ]
    assert late == []
    waited = sorted(one.answered_at - one.asked_at for one in left)
    middle = waited[len(waited) // 2]
    print(f"{len(left)} withdrawals took {middle:.2f} s, at most {waited[-1]:.2f} s")
    print(f"{sum(len(begun[one]) for one in people)} transmissions were begun")


async def test_the_link_of_the_oldest_mail_ends_whatever_consent_is_then_current(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    (link,) = (await subscribed(gateway, key, [ADA])).values()
    question = {"to": {"email": ADA}, "purpose": "newsletter"}

    answers = []
    for again in (False, True):
        if again:
            await gateway.subscribe(ADA)
        answers += [await post(gateway, link), await post(gateway, link)]
        _, permission = await gateway.call(key, "POST", "/v1/permissions", question)
        answers.append(permission.get("reason"))

    assert answers == [200, 200, "withdrawn"] * 2


async def test_no_mail_is_begun_after_an_erasure_was_answered(gateway: Gateway) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    # The relay is slow with her mails: else all are gone before a busy machine says what it saw.
    ada, bob = "delay-dot-1000.ada@example.org", "bob@example.org"
    await subscribed(gateway, key, [ada, bob])
    waiting = 160
    # At once: handed in bit by bit they are sent as they come where the machine is busy.
    await hand_in_batch(gateway, key, [ada, bob] * waiting, "queue")
    await until(lambda: len(begun_for(gateway)[ada]) >= 10)

    asked = {"email": ada, "channel": "letter"}
    status, _ = await gateway.call(key, "POST", "/v1/erasures", asked)

    answered_at = time.monotonic()
    assert status == 202
    await until(lambda: len(begun_for(gateway)[bob]) == waiting + 2)  # two came before
    begun = begun_for(gateway)[ada]
    assert [at - answered_at for at in begun if at > answered_at] == []
    assert len(begun) < waiting, "everything was sent before"
    assert await asyncio.to_thread(gateway.command, "audit", "verify")


@pytest.mark.long
@pytest.mark.timeout(1800)  # where everybody else is at work, too
async def test_no_mail_is_begun_after_an_erasure_in_the_middle_of_fifty_thousand(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    others = [f"person-{n:02}@example.org" for n in range(49)]
    await subscribe(gateway, [ADA, *others])
    begun = Begun(gateway)
    handing_in = time.monotonic()
    for number in range(50):
        await hand_in_batch(gateway, key, [ADA, *others] * 20, f"batch-{number}")
    waited, sent = time.monotonic() - handing_in, sum(map(len, begun().values()))
    print(f"50,000 were handed in within {waited:.0f} s; {sent} were sent meanwhile")

    status, _ = await gateway.call(key, "POST", "/v1/erasures", {"email": ADA, "channel": "letter"})

    answered_at = time.monotonic()
    assert status == 202
    sent = len(begun()[others[0]])
    assert sent < 900, "there was no queue"
    await until(lambda: len(begun()[others[0]]) >= sent + 50, 300)
    assert [at - answered_at for at in begun()[ADA] if at > answered_at] == []


async def leave_amid_it(gateway: Gateway, key: str, links: Mapping[str, str]) -> list[Left]:
    """Let each leave once one to five of their messages were begun, however fast that goes."""
    begun = Begun(gateway)
    first = len(begun()[next(iter(links))])  # everybody was asked, and had a first mail
    waiting = {person: first + 1 + number % 5 for number, person in enumerate(links)}
    leaving = []
    async with asyncio.timeout(900):
        while waiting:
            seen = begun()
            for person in [one for one, many in waiting.items() if len(seen[one]) >= many]:
                objects = waiting.pop(person) % 3 == 0
                doing = leave(gateway, key, person, links[person], objects=objects)
                leaving.append(asyncio.create_task(doing))
            await asyncio.sleep(0.02)
        return await asyncio.gather(*leaving)


async def subscribed(gateway: Gateway, key: str, people: list[str]) -> dict[str, str]:
    """Let all confirm and get a first mail; the unsubscribe link of each."""
    before = {person: len(gateway.received(person)) for person in people}
    texts = await gateway.texts("newsletter")
    for person in people:
        body = {"email": person, "purposes": ["newsletter"], "texts": texts}
        async with gateway.http.post(f"{gateway.base}/forms/signup", json=body) as answer:
            assert answer.status == 202
    for person in people:
        mail = await gateway.await_mail(person, before[person] + 1)
        async with gateway.http.post(mail.link("confirm"), data={"answer": "confirm"}) as answer:
            assert answer.status == 200
    await hand_in(gateway, key, [message_to(person) for person in people])
    return {
        person: (await gateway.await_mail(person, before[person] + 2)).link("unsubscribe")
        for person in people
    }


def message_to(person: str, **more: Any) -> dict[str, Any]:
    # Long enough to be some milliseconds between its permit and its MAIL.
    content = {"subject": "News", "text": "Grüße aus der Küche. " * 1000}
    return {"to": {"email": person}, "purpose": "newsletter", "content": content, **more}


async def hand_in(gateway: Gateway, key: str, messages: list[dict[str, Any]]) -> None:
    for start in range(0, len(messages), 20):
        body = {"messages": messages[start : start + 20]}
        status, answer = await gateway.call(key, "POST", "/v1/messages/batch", body)
        assert status == 200
        assert {one["status"] for one in answer["results"]} == {"queued"}


async def queue_over_time(gateway: Gateway, key: str, people: list[str]) -> None:
    """Messages that come to be due in waves, each for everybody."""
    now = time.time() + HAND_IN
    waves = [datetime.fromtimestamp(now + SECONDS * n / EACH, UTC).isoformat() for n in range(EACH)]
    await hand_in(gateway, key, [message_to(p, send_at=at) for at in waves for p in people])
    await asyncio.sleep(max(0.0, now - time.time()))


async def leave(gateway: Gateway, key: str, person: str, link: str, *, objects: bool) -> Left:
    """Withdraw twice at once: by the link, and by an objection or the link again."""
    objection = {"to": {"email": person}, "all": True, "kind": "object", "channel": "letter"}

    async def object_to() -> int:
        return (await gateway.call(key, "POST", "/v1/withdrawals", objection))[0]

    asked_at = time.monotonic()
    second = object_to() if objects else post(gateway, link)
    both = [asyncio.create_task(one) for one in (post(gateway, link), second)]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    answered_at = time.monotonic()
    assert await asyncio.gather(*both) == [200, 200]
    return Left(person, asked_at, answered_at)


async def post(gateway: Gateway, link: str) -> int:
    async with gateway.http.post(link, data=ONE_CLICK, allow_redirects=False) as answer:
        return answer.status


def begun_for(gateway: Gateway) -> dict[str, list[float]]:
    """When the relay read MAIL, by the recipient that followed on that connection."""
    begun: dict[str, list[float]] = {}
    mail_at: dict[int, float] = {}
    for one in gateway.relay_events():
        if one["event"] == "mail":
            mail_at[one["connection"]] = one["at"]
        elif one["event"] == "rcpt":
            begun.setdefault(one["rcpt_to"], []).append(mail_at[one["connection"]])
    return begun
