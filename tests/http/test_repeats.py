"""What a caller is told who sends a request again, under the same idempotency key."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.schema.tables import idempotency
from tests.support.apps import ADA, App

GRACE = "grace@example.org"
Answer = tuple[int, Any]


def message(email: str = ADA) -> dict[str, Any]:
    content = {"subject": "News", "text": "Hello."}
    return {"to": {"email": email}, "purpose": "newsletter", "content": content}


BATCH = {"messages": [message(), message(GRACE), message("ada@"), message()]}


async def post(app: App, key: dict[str, str], path: str, body: Any) -> Answer:
    headers = key | {"Idempotency-Key": "one"}
    async with app.http.post(path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_batch_is_remembered_as_a_whole_with_what_was_refused(app: App) -> None:
    key = await app.key()
    await app.subscribe()

    first = await post(app, key, "/v1/messages/batch", BATCH)
    sent = await app.deliver()
    await app.subscribe(GRACE)
    again = await post(app, key, "/v1/messages/batch", BATCH)
    other = await post(app, key, "/v1/messages/batch", {"messages": [message()]})

    said = [result["status"] for result in first[1]["results"]]
    assert said == ["queued", "refused", "invalid", "queued"]
    assert again == first
    assert (other[0], other[1]["type"]) == (422, "/problems/idempotency-key-reused")
    assert (len(sent), await app.deliver()) == (2, [])


async def test_one_batch_many_times_at_once_is_done_once(app: App) -> None:
    key = await app.key()
    await app.subscribe()

    answers = await asyncio.gather(*(post(app, key, "/v1/messages/batch", BATCH) for _ in range(6)))

    done = [body for status, body in answers if status == 200]
    assert done
    assert all(body == done[0] for body in done)
    assert {status for status, _ in answers} <= {200, 409}
    assert len(await app.deliver()) == 2


async def test_what_is_repeated_is_counted_once(app: App) -> None:
    key = await app.key()
    await app.subscribe()
    for _ in range(3):
        await post(app, key, "/v1/messages", message())
        await post(app, key, "/v1/messages/batch", BATCH)

    counted = app.metrics()

    assert 'gateway_messages_accepted_total{purpose="newsletter"} 3.0' in counted
    assert 'gateway_refusals_total{reason="unknown"} 1.0' in counted


@pytest.mark.parametrize(
    ("path", "body", "status", "remembered"),
    [
        (
            "/v1/messages",
            message(),
            202,
            b'{"message_id":"msg_of_old","status":"queued"}',
        ),
        (
            "/v1/messages/batch",
            BATCH,
            200,
            b'{"results":[{"message_id":"msg_of_old","status":"queued"},'
            b'{"status":"refused","reason":"withdrawn","class":"never"},'
            b'{"status":"invalid","errors":[{"pointer":"/to/email","detail":"said then"}]}]}',
        ),
    ],
    ids=["message", "batch"],
)
async def test_what_the_release_before_remembered_is_told_again(
    app: App, path: str, body: Any, status: int, remembered: bytes
) -> None:
    key = await app.key()
    await app.subscribe()
    await post(app, key, path, body)
    async with app.parts.data.begin() as connection:
        assert (await connection.execute(select(idempotency.c.status))).scalar_one() == status
        await connection.execute(update(idempotency).values(answer=remembered))

    assert await post(app, key, path, body) == (status, json.loads(remembered))


SPELLINGS = {
    "white space": lambda body: json.dumps(body, indent=3),
    "order": lambda body: json.dumps(dict(reversed(body.items()))),
    "escapes": lambda body: json.dumps(body).replace("News", "\\u004eews"),
    "a mark of the byte order": lambda body: "\ufeff" + json.dumps(body),
    "a name twice": lambda body: '{"purpose": "updates", ' + json.dumps(body)[1:],
}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch"])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_what_says_the_same_is_the_same_request(
    app: App, path: str, spelling: Callable[[Any], str]
) -> None:
    key = await app.key()
    await app.subscribe()
    body = message()
    spelled = spelling(body)
    if path.endswith("batch"):
        body, spelled = (
            {"messages": [body]},
            f'{{"messages": [{spelled.removeprefix(chr(0xFEFF))}]}}',
        )
    headers = key | {"Idempotency-Key": "one", "Content-Type": "application/json"}

    first = await post(app, key, path, body)
    async with app.http.post(path, data=spelled.encode(), headers=headers) as answer:
        again = answer.status, await answer.json()

    assert first[0] in (200, 202)
    assert again == first
    assert len(await app.deliver()) == 1


async def test_of_a_name_that_is_there_twice_the_last_is_done_and_remembered(app: App) -> None:
    """What a request is known by must be what was done for it."""
    key = await app.key()
    await app.subscribe()
    twice = json.dumps(message()).replace('"subject": ', '"subject": "Old", "subject": ')
    headers = key | {"Idempotency-Key": "one", "Content-Type": "application/json"}

    async with app.http.post("/v1/messages", data=twice, headers=headers) as answer:
        first = answer.status, await answer.json()

    assert await post(app, key, "/v1/messages", message()) == first
    (mail,) = await app.deliver()
    assert b"\r\nSubject: News\r\n" in mail.raw


async def test_a_request_of_the_release_before_is_known_by_its_bytes(app: App) -> None:
    key = await app.key()
    await app.subscribe()
    first = await post(app, key, "/v1/messages", message())
    secret = app.parts.keyring.fingerprint.secret.reveal()
    of_bytes = hmac.digest(secret, b"body\0" + json.dumps(message()).encode(), "sha256")
    async with app.parts.data.begin() as connection:
        await connection.execute(update(idempotency).values(fingerprint=of_bytes))

    assert await post(app, key, "/v1/messages", message()) == first
    assert (await post(app, key, "/v1/messages", message(GRACE)))[0] == 422
