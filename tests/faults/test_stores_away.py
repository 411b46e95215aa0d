"""PostgreSQL is killed and comes back, under load: "ask again" meanwhile, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.postgres import Postgres, postgres
from tests.support.waiting import until

ADA = "ada@example.org"
AWAY = 60.0  # seconds
BEGUN_LATE = 3.0  # seconds: a permit of before counts for two, and the relay notes what it reads


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postgres, Postgres]]:
    """One for the data, one for keys and guard; both keep what they acknowledged."""
    with postgres(durable=True) as data, postgres(durable=True) as keys:
        yield data, keys


@pytest.fixture
async def gateway(servers: tuple[Postgres, Postgres], tmp_path: Path) -> AsyncIterator[Gateway]:
    names = iter(servers)

    def new_database_url(_dialect: str) -> str:
        return next(names).create_database(f"t{time.monotonic_ns()}")

    async with open_gateway(tmp_path, new_database_url, "postgresql", connections=5) as opened:
        yield opened


async def _answers(gateway: Gateway, requests: list[tuple[str, str, Any, Any]]) -> list[Any]:
    """Status and Retry-After of each."""
    answers = []
    for method, path, headers, body in requests:
        async with gateway.http.request(
            method, f"{gateway.base}{path}", headers=headers, **body
        ) as answer:
            answers.append((path, answer.status, "Retry-After" in answer.headers))
    return answers


async def _lacks(gateway: Gateway, *stores: str) -> None:
    """Wait until it says so: all who ask within a second are told the same."""
    async with asyncio.timeout(60):
        while await _readiness(gateway) != (503, [*stores]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _readiness(gateway: Gateway) -> tuple[int, list[str]]:
    async with gateway.http.get(f"{gateway.base}/readyz") as answer:
        return answer.status, (await answer.json())["lacking"]


# Two processes and a server that recovers; and the key of a request that was cut off is free again
# after a minute, if the loss hit one.
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_database_that_is_away_for_a_minute_costs_time_and_nothing_else(
    gateway: Gateway, servers: tuple[Postgres, Postgres]
) -> None:
    data, _ = servers
    for name in ("serve", "worker"):
        await gateway.start(name, name)
    key = await asyncio.to_thread(gateway.api_key)
    people = [f"delay-dot-100.person{n}@example.test" for n in range(5)]
    await crowds.subscribe(gateway, people)
    texts = await gateway.texts("newsletter")
    handed_over = crowds.HandedOver(gateway)
    before = handed_over()
    posting = asyncio.create_task(crowds.keep_posting(gateway, key, people, 120, ahead=60))
    await until(lambda: handed_over() >= before + 20)

    data.kill()
    killed_at = time.monotonic()
    signup = {"email": ADA, "purposes": ["newsletter"], "texts": texts}
    bearer = {"Authorization": f"Bearer {key}"}
    question = {"to": {"email": people[0]}, "purpose": "newsletter"}
    message = question | {"content": {"subject": "News", "text": "Hello."}}
    leave = gateway.received(people[0])[-1].link("unsubscribe").removeprefix(gateway.base)
    answers = await _answers(
        gateway,
        [
            ("POST", "/v1/messages", bearer, {"json": message}),
            ("POST", "/v1/permissions", bearer, {"json": question}),
            ("POST", "/forms/signup", {}, {"json": signup}),
            ("POST", leave, {}, {"data": {"List-Unsubscribe": "One-Click"}}),
        ],
    )
    assert [one[1:] for one in answers] == [(503, True)] * 4, answers
    await _lacks(gateway, "data")
    while_away = await _still(handed_over)
    while time.monotonic() < killed_at + AWAY:
        assert await _readiness(gateway) == (503, ["data"])
        await asyncio.sleep(1)
    begun = [one["at"] for one in gateway.relay_events() if one["event"] == "mail"]
    data.start()

    await gateway.await_ready("serve")
    accepted = await posting
    await crowds.make_due(gateway)
    seen = await crowds.final(gateway, key, accepted)
    ends, copies = Counter(one["status"] for one in seen.values()), crowds.copies(gateway)
    print(f"{len(accepted)} accepted, {while_away - before} before the loss, {dict(ends)}")
    assert max(begun) < killed_at + BEGUN_LATE, "permitted by a database that was away"
    assert ends == {"sent": len(accepted)}
    assert {copies[one["message_id_header"]] for one in seen.values()} == {1}
    assert await gateway.sign_up(ADA) == 202
    await gateway.await_mail(ADA)
    assert all(process.poll() is None for process in gateway.processes.values())


async def _still(handed_over: Callable[[], int]) -> int:
    """Wait until nothing more is handed over; dialogues past the dot may end."""
    last, since = handed_over(), time.monotonic()
    while time.monotonic() - since < 1.5:
        await asyncio.sleep(0.05)
        if (now := handed_over()) != last:
            last, since = now, time.monotonic()
    return last


@pytest.mark.timeout(600)  # the gateway starts twice
async def test_without_the_key_store_nothing_is_accepted_or_sent_until_it_is_back(
    gateway: Gateway, servers: tuple[Postgres, Postgres]
) -> None:
    _, keys = servers
    for name in ("serve", "worker"):
        await gateway.start(name, name)
    key = await asyncio.to_thread(gateway.api_key)
    await gateway.subscribe(ADA)
    await _restart(gateway)  # nobody holds a key in memory any more

    texts = await gateway.texts("newsletter")
    keys.kill()
    message = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
    }
    signup = {"email": "other@example.org", "purposes": ["newsletter"], "texts": texts}
    bearer = {"Authorization": f"Bearer {key}"}
    answers = await _answers(
        gateway,
        [
            ("POST", "/v1/messages", bearer, {"json": message}),
            ("POST", "/forms/signup", {}, {"json": signup}),
        ],
    )
    assert [one[1:] for one in answers] == [(503, True)] * 2, answers
    await _lacks(gateway, "keys", "guard")
    keys.start()

    await gateway.await_ready("serve")
    status, queued = await gateway.send(key, ADA)
    assert status == 202
    await gateway.await_status(key, queued["message_id"], "sent")
    assert len(gateway.received(ADA)) == 2, "a message that was answered 503 was sent"


@pytest.mark.long
@pytest.mark.timeout(600)  # the gateway starts twice
async def test_what_is_queued_waits_for_the_key_store(
    gateway: Gateway, servers: tuple[Postgres, Postgres]
) -> None:
    _, keys = servers
    for name in ("serve", "worker"):
        await gateway.start(name, name)
    key = await asyncio.to_thread(gateway.api_key)
    await gateway.subscribe(ADA)
    later = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 the caller's own clock
    status, queued = await gateway.send(key, ADA, send_at=later.isoformat())
    assert status == 202
    await _restart(gateway)  # nobody holds a key in memory any more
    await until(lambda: gateway.log("worker").count('"working"') == 2)

    keys.kill()
    await crowds.make_due(gateway)
    await until(lambda: '"claim_failed"' in gateway.log("worker"))
    status, _ = await gateway.call(key, "GET", f"/v1/messages/{queued['message_id']}")
    assert status == 503, "what became of it cannot be opened without the key store"
    assert await crowds.waiting(gateway) == 1
    keys.start()

    await gateway.await_status(key, queued["message_id"], "sent", seconds=40)
    assert len(gateway.received(ADA)) == 2


async def _restart(gateway: Gateway) -> None:
    for name in ("worker", "serve"):
        gateway.kill(name, signal.SIGTERM)  # a journal that is left would be replayed, with keys
        await gateway.start(name, name)
