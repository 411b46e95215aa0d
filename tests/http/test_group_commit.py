"""Requests that come at the same time share a transaction, and no failure but that of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.tables import subject
from delivery.permits import Spending
from gateway.flows.sending import enqueue
from gateway.process.desk import Desk
from storage.errors import StorageAway
from storage.grouping import Grouped
from tests.support.apps import ADA, App
from tests.support.waiting import until

GRACE = "grace@example.org"
EDITH = "edith@example.org"
MANY = 24
OWNER = "wrk_group"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
Answer = tuple[int, Any]


class Door:
    """Counts writing transactions of the data; the first waits until *callers* have come.

    And until *handed_in* of them, all unless it is told, have said what is to be written: each
    looks things up before it does.
    """

    def __init__(
        self,
        app: App,
        monkeypatch: pytest.MonkeyPatch,
        callers: int,
        *,
        handed_in: int | None = None,
    ) -> None:
        self.begun = self._handed_in = 0
        self._begin: Callable[[], Any] = app.parts.data.begin
        self._requests = app.begun
        self._until = len(app.begun) + callers
        self._wanted = callers if handed_in is None else handed_in
        self._hand_in = Grouped.__call__
        monkeypatch.setattr(app.parts.data, "begin", self.begin)
        # A method of the class: a call looks for no other.
        monkeypatch.setattr(Grouped, "__call__", lambda to, item: self.hand_in(to, item))

    async def hand_in(self, to: Grouped, item: Any) -> Any:
        self._handed_in += 1
        return await self._hand_in(to, item)

    def all_came(self) -> bool:
        return len(self._requests) >= self._until

    def one_stands_in_it(self) -> bool:
        return self.begun > 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        self.begun += 1
        if self.begun == 1:
            await until(lambda: self.all_came() and self._handed_in >= self._wanted)
        async with self._begin() as connection:
            yield connection


@pytest.fixture
def door(app: App, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Door]:
    return partial(Door, app, monkeypatch)


def message(email: str = ADA, **more: Any) -> dict[str, Any]:
    content = {"subject": "News", "text": "Hello."}
    return {"to": {"email": email}, "purpose": "newsletter", "content": content} | more


def leave(email: str = ADA, **more: Any) -> dict[str, Any]:
    common = {"to": {"email": email}, "kind": "withdraw", "channel": "phone"}
    return common | ({} if "all" in more else {"purpose": "newsletter"}) | more


async def post(app: App, path: str, body: Any, key: dict[str, str], name: str = "") -> Answer:
    named = {"Idempotency-Key": name} if name else {}
    async with app.http.post(path, json=body, headers=key | named) as answer:
        return answer.status, await answer.json()


async def unsubscribe(app: App, token: str) -> int:
    async with app.http.post(f"/unsubscribe/{token}", data=ONE_CLICK) as answer:
        return answer.status


async def subscribed(app: App, key: dict[str, str], *people: str) -> dict[str, str]:
    """Let all confirm and get a mail; the token of the unsubscribe link in each."""
    for one in people:
        await app.subscribe(one)
    await send(app, key, *((message(one), "") for one in people))
    return {mail.to: mail.token("unsubscribe") for mail in await app.deliver()}


async def send(app: App, key: dict[str, str], *asked: tuple[dict[str, Any], str]) -> list[Answer]:
    """Messages at the same time, each with its idempotency key, or none."""
    return await asyncio.gather(
        *(post(app, "/v1/messages", body, key, name) for body, name in asked)
    )


async def damage(app: App, email: str, **values: object) -> None:
    """Write something into a person's row."""
    damaged = update(subject).where(subject.c.id == await app.subject(email))
    async with app.parts.data.begin() as connection:
        await connection.execute(damaged.values(**values))


async def trail(app: App, kind: str) -> int:
    await app.tick()
    key = await app.key()
    async with app.http.get(f"/v1/audit/events?kind={kind}&limit=1000", headers=key) as answer:
        return len((await answer.json())["events"])


async def test_messages_at_the_same_time_share_a_transaction(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    await app.subscribe()
    counted = door(MANY)

    names = ("" if n % 2 else f"name-{n}" for n in range(MANY))
    answers = await send(app, key, *((message(), name) for name in names))

    assert {status for status, _ in answers} == {202}
    assert len({said["message_id"] for _, said in answers}) == MANY
    assert counted.begun <= 3
    assert len(await app.deliver()) == MANY


async def test_each_message_is_answered_for_itself(app: App, door: Callable[..., Door]) -> None:
    key = await app.key()
    await app.subscribe()
    (before,) = await send(app, key, (message(), "old"))
    door(7)

    answers = await send(
        app,
        key,
        (message(), "first"),
        (message(GRACE), "refused"),
        (message(), "old"),
        (message(reference="other"), "old"),
        (message(), "good"),
        (message(purpose="nothing"), ""),
        (message(to={"subject_id": "sub_nobody"}), ""),
    )

    said = [(status, body.get("reason", body.get("type"))) for status, body in answers]
    assert said == [
        (202, None),
        (403, "unknown"),
        (202, None),
        (422, "/problems/idempotency-key-reused"),
        (202, None),
        (403, "purpose_unknown"),
        (403, "unknown"),
    ]
    assert answers[2] == before
    assert len(await app.deliver()) == 3
    await app.subscribe(GRACE)
    (again,) = await send(app, key, (message(GRACE), "refused"))
    assert again[0] == 202, "a refusal was remembered"


async def test_one_name_twice_at_the_same_time_is_done_once(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    await app.subscribe()
    door(9)
    bodies = message(), message(reference="x")
    asked = [(body, "one") for body in bodies for _ in range(4)]

    _, *answers = await send(app, key, (message(), "other"), *asked)
    after = await send(app, key, *((body, "one") for body in bodies))

    # Which body came first is the network's to say; no answer may say otherwise.
    (won, done), (lost, refused) = sorted(enumerate(after), key=lambda said: said[1][0])
    told = {body["type"] for _, body in answers[won * 4 :][:4] if body != done[1]}
    assert (done[0], refused[0]) == (202, 422)
    assert done in answers[won * 4 :][:4]
    assert told <= {"/problems/request-in-flight"}
    assert {body["type"] for _, body in answers[lost * 4 :][:4]} == {refused[1]["type"]}
    assert refused[1]["type"] == "/problems/idempotency-key-reused"
    assert len(await app.deliver()) == 2


async def test_what_the_database_refuses_of_one_is_that_ones_alone(
    app: App, door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await app.key()
    await app.subscribe()
    made = enqueue._message

    def of_nobody(parts: Any, one: enqueue.Wanted, *more: Any) -> Any:
        whole = made(parts, one, *more)
        return replace(whole, id="msg_twice") if one.reference == "bad" else whole

    with monkeypatch.context() as patched:
        patched.setattr(enqueue, "_message", of_nobody)
        await send(app, key, (message(reference="bad"), ""))
        door(6)
        asked = [(message(), ""), *((message(), f"n{n}") for n in range(4))]
        answers = await send(app, key, *asked, (message(reference="bad"), "bad"))
    (mended,) = await send(app, key, (message(reference="bad"), "bad"))

    assert [status for status, _ in answers] == [202] * 5 + [500]
    assert mended[0] == 202, "a request that failed kept its name"
    assert len(await app.deliver()) == 1 + 5 + 1


async def test_a_store_that_is_away_is_away_for_all(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await app.key()
    token = (await subscribed(app, key, ADA))[ADA]

    @asynccontextmanager
    async def away() -> AsyncIterator[None]:
        await asyncio.sleep(0.2)
        raise StorageAway("data")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(app.parts.data, "begin", away)
        answers = await send(app, key, *((message(), f"n{n}") for n in range(6)))
        left = await asyncio.gather(*(post(app, "/v1/withdrawals", leave(), key) for _ in range(6)))
        by_link = await asyncio.gather(*(unsubscribe(app, token) for _ in range(6)))

    assert {status for status, _ in (*answers, *left)} == set(by_link) == {503}
    assert await app.deliver() == []
    assert await app.permission() == "granted"


async def test_a_caller_that_hangs_up_takes_nobody_along(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    await app.subscribe()
    await app.subscribe(GRACE)
    await app.subscribe(EDITH)
    stood = door(7, handed_in=5)

    async with aiohttp.ClientSession(app.base) as impatient:
        gone = [
            asyncio.create_task(impatient.post(path, json=body, headers=key))
            for path, body in (("/v1/messages", message()), ("/v1/withdrawals", leave()))
        ]
        others = asyncio.gather(
            *(post(app, "/v1/messages", message(EDITH), key) for _ in range(4)),
            post(app, "/v1/withdrawals", leave(GRACE), key),
        )
        await until(stood.all_came)
        for one in gone:
            one.cancel()
    answers = await others
    for one in gone:
        with suppress(asyncio.CancelledError, aiohttp.ClientError):
            await one

    assert [status for status, _ in answers] == [202] * 4 + [200]
    assert await app.permission(GRACE) == "withdrawn"


async def test_withdrawals_at_the_same_time_share_a_transaction(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    people = [f"person{n}@example.org" for n in range(8)]
    for one in people:
        await app.subscribe(one, "newsletter", "updates")
    counted = door(8)

    answers = await asyncio.gather(
        *(post(app, "/v1/withdrawals", leave(one), key) for one in people)
    )

    assert answers == [(200, {"status": "done"})] * len(people)
    assert counted.begun <= 3
    assert {await app.permission(one) for one in people} == {"withdrawn"}
    assert {await app.permission(one, "updates") for one in people} == {"granted"}
    assert await trail(app, "consent.withdrawn") == len(people)


async def test_withdrawals_of_one_person_at_the_same_time_end_each_consent_once(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    await app.subscribe(ADA, "newsletter", "updates")
    door(8)
    said = [
        leave(GRACE),
        leave(),
        leave(),
        leave(purpose="updates"),
        leave(all=True),
        leave(all=True, kind="object"),
        leave(kind="object"),
        leave(GRACE, kind="object"),
    ]

    answers = await asyncio.gather(*(post(app, "/v1/withdrawals", one, key) for one in said))

    assert answers == [(200, {"status": "done"})] * len(said)
    assert await app.permission() == await app.permission(purpose="updates") == "objected"
    assert await trail(app, "consent.withdrawn") == 2
    assert await trail(app, "consent.objected") == 1
    await app.sign_up(GRACE)
    assert await app.deliver() == [], "an objection of nobody's address was lost"


async def test_a_withdrawal_waits_for_its_own_permits_and_for_no_others(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    for one in (ADA, GRACE, EDITH):
        await app.subscribe(one)
    await send(app, key, (message(), ""))
    desk = Desk(app.parts)
    await desk.register(OWNER)
    (parcel,) = await desk.claim(OWNER, 1)
    stood = door(3)

    first = asyncio.create_task(post(app, "/v1/withdrawals", leave(EDITH), key))
    await until(stood.one_stands_in_it)
    hers = asyncio.create_task(post(app, "/v1/withdrawals", leave(), key))
    other = await post(app, "/v1/withdrawals", leave(GRACE), key)
    done, _ = await asyncio.wait([hers], timeout=0.3)

    assert (other[0], (await first)[0]) == (200, 200)
    assert not done, "answered while a transmission could start"
    await desk.spend(OWNER, [Spending(parcel.permit, parcel.message, parcel.attempt)])
    assert (await hers)[0] == 200


async def test_a_person_whose_address_no_key_opens_leaves_like_everybody(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    people = [ADA, GRACE, EDITH]
    for one in people:
        await app.subscribe(one)
    await damage(app, GRACE, address=bytes(100))
    door(3)

    answers = await asyncio.gather(
        *(post(app, "/v1/withdrawals", leave(one, all=True, kind="object"), key) for one in people)
    )

    assert [status for status, _ in answers] == [200] * 3
    assert [await app.permission(one) for one in people] == ["objected"] * 3
    assert await trail(app, "consent.withdrawn") == 3


async def test_all_who_leave_by_link_at_the_same_time_share_a_transaction(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    people = [f"person{n}@example.org" for n in range(8)]
    tokens = await subscribed(app, key, *people)
    counted = door(15)

    by_link = asyncio.gather(*(unsubscribe(app, tokens[one]) for one in people[1:] * 2))
    passed_on = asyncio.create_task(post(app, "/v1/withdrawals", leave(people[0]), key))
    answers = [*await by_link, (await passed_on)[0]]

    assert set(answers) == {200}
    assert counted.begun <= 3
    assert {await app.permission(one) for one in people} == {"withdrawn"}
    assert await trail(app, "consent.withdrawn") == len(people)


async def test_who_leaves_by_link_waits_for_their_own_permits_and_so_does_a_repetition(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    tokens = await subscribed(app, key, ADA, GRACE, EDITH)
    await send(app, key, (message(), ""))
    desk = Desk(app.parts)
    await desk.register(OWNER)
    (parcel,) = await desk.claim(OWNER, 1)
    stood = door(4)

    first = asyncio.create_task(unsubscribe(app, tokens[EDITH]))
    await until(stood.one_stands_in_it)
    hers = [asyncio.create_task(unsubscribe(app, tokens[ADA])) for _ in range(2)]
    assert await unsubscribe(app, tokens[GRACE]) == await first == 200
    hers.append(asyncio.create_task(unsubscribe(app, tokens[ADA])))  # what it ends has ended
    done, _ = await asyncio.wait(hers, timeout=0.3)

    assert not done, "answered while a transmission could start"
    await desk.spend(OWNER, [Spending(parcel.permit, parcel.message, parcel.attempt)])
    assert await asyncio.gather(*hers) == [200] * 3


async def test_who_hangs_up_after_leaving_by_link_has_left_and_takes_nobody_along(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    tokens = await subscribed(app, key, ADA, GRACE, EDITH)
    stood = door(3, handed_in=2)

    first = asyncio.create_task(unsubscribe(app, tokens[EDITH]))
    async with aiohttp.ClientSession(app.base) as impatient:
        path = f"/unsubscribe/{tokens[ADA]}"
        gone = asyncio.create_task(impatient.post(path, data=ONE_CLICK))
        other = asyncio.create_task(unsubscribe(app, tokens[GRACE]))
        await until(stood.all_came)
        gone.cancel()
    with suppress(asyncio.CancelledError, aiohttp.ClientError):
        await gone

    assert await first == await other == 200
    assert {await app.permission(one) for one in (GRACE, EDITH)} == {"withdrawn"}
    async with asyncio.timeout(60):
        while await app.permission(ADA) != "withdrawn":  # noqa: ASYNC110 nobody is told of hers
            await asyncio.sleep(0.01)


async def test_one_who_objects_leaves_with_those_of_the_links_whatever_stands_in_a_row(
    app: App, door: Callable[..., Door]
) -> None:
    key = await app.key()
    tokens = await subscribed(app, key, ADA, GRACE, EDITH)
    await damage(app, GRACE, state="unheard")
    door(3)

    objection = post(app, "/v1/withdrawals", leave(GRACE, all=True, kind="object"), key)
    ada, (grace, _), edith = await asyncio.gather(
        unsubscribe(app, tokens[ADA]), objection, unsubscribe(app, tokens[EDITH])
    )

    assert (ada, grace, edith) == (200, 200, 200)
    assert [await app.permission(one) for one in (ADA, EDITH)] == ["withdrawn"] * 2
    assert await app.permission(GRACE) not in {"granted", "unknown"}
