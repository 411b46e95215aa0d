"""Messages by the API: queued, seen, cancelled, refused; and the same request sent again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from gateway.callers import api_keys, idempotency
from gateway.callers.api_keys import Scope
from gateway.http.meaning import meaning_of
from tests.support.apps import ADA, App
from tests.support.calls import GRACE, INLINE, call, message, pointers
from tests.support.clock import START


async def test_a_message_is_queued_seen_and_sent(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()

    status, queued = await call(app, key, "POST", "/v1/messages", message())
    assert (status, queued["status"]) == (202, "queued")
    _, waiting = await call(app, key, "GET", f"/v1/messages/{queued['message_id']}")
    assert (waiting["status"], waiting["permit"], waiting["attempts"]) == ("queued", None, [])

    (mail,) = await app.deliver()
    _, seen = await call(app, key, "GET", f"/v1/messages/{queued['message_id']}")
    assert (mail.to, seen["status"]) == (ADA, "sent")
    assert seen["permit"]["ground"]["kind"] == "consent"
    assert [(one["n"], one["code"], one["outcome"]) for one in seen["attempts"]] == [
        (1, 250, "sent")
    ]
    assert seen["message_id_header"].encode() in mail.raw


async def test_nobody_is_mailed_who_did_not_agree_and_the_content_is_not_kept(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.confirmation()

    pending = await call(app, key, "POST", "/v1/messages", message())
    unknown = await call(app, key, "POST", "/v1/messages", message(to={"email": GRACE}))
    nowhere = await call(app, key, "POST", "/v1/messages", message(purpose="nothing"))

    answered = [(s, p["type"], p["reason"], p["class"]) for s, p in (pending, unknown, nowhere)]
    refused = "/problems/permission-refused"
    assert answered == [
        (403, refused, "pending", "later"),
        (403, refused, "unknown", "ask_first"),
        (403, refused, "purpose_unknown", "config"),
    ]
    assert await app.deliver() == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"to": {}}, "/to"),
        ({"to": {"email": ADA, "subject_id": "sub_1"}}, "/to"),
        ({"to": {"email": "ada@"}}, "/to/email"),
        ({"content": {}}, "/content"),
        ({"content": {"subject": "a\r\nBcc: x@example.org", "text": "b"}}, "/content/subject"),
        ({"content": {"subject": "a"}}, "/content"),
        ({"content": {"template": "nothing"}}, "/content/template"),
        ({"content": {"template": "confirmation"}}, "/content/template"),
        ({"content": {"template": "my_data"}}, "/content/template"),
        ({"content": {"template": "re_permission"}}, "/content/template"),
        ({"content": {"template": "../../etc/passwd"}}, "/content/template"),
        ({"send_at": "tomorrow"}, "/send_at"),
        ({"send_at": "2026-11-23"}, "/send_at"),
        ({"send_at": "9999-12-31T23:59:59Z"}, "/send_at"),
        ({"expires_at": "9999-12-31T23:59:59Z"}, "/expires_at"),
        (
            {"send_at": "2026-12-01T00:00:00Z", "expires_at": "2026-12-01T00:00:00Z"},
            "/expires_at",
        ),
        ({"reference": "a\nb"}, "/reference"),
        ({"priority": 1}, "/priority"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_wrong_field_of_a_message_is_named(
    embedded: App, change: dict[str, Any], pointer: str
) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)

    assert await pointers(embedded, key, "/v1/messages", message(**change)) == [pointer]


@pytest.mark.parametrize(
    ("first_name", "pointer"),
    [
        (["a"], "/content/data/first_name"),
        ({"a": "b"}, "/content/data/first_name"),
        (True, "/content/data/first_name"),
    ],
    ids=str,
)
async def test_what_a_template_cannot_print_is_named(
    embedded: App, first_name: Any, pointer: str
) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)
    said = message(content={"template": "welcome", "data": {"first_name": first_name}})

    assert await pointers(embedded, key, "/v1/messages", said) == [pointer]


@pytest.mark.parametrize("first_name", ["", "  ", "\u200b", None])
async def test_a_name_that_nobody_would_see_greets_nobody_by_it(
    embedded: App, first_name: str | None
) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)
    await embedded.subscribe()
    content = {"template": "welcome", "data": {"first_name": first_name}}

    status, _ = await call(embedded, key, "POST", "/v1/messages", message(content=content))
    (mail,) = await embedded.deliver()

    text = mail.raw.partition(b"\r\n\r\n")[2].replace(b"=\r\n", b"")
    assert status == 202
    assert b"Welcome," not in text
    assert b"Welcome" in text


async def test_a_null_is_what_nobody_said(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    content = INLINE | {"template": None, "html": None}
    said = message(content=content, send_at=None, expires_at=None, reference=None)

    assert (await call(app, key, "POST", "/v1/messages", said))[0] == 202
    (mail,) = await app.deliver()
    assert b"Hello." in mail.raw


async def test_a_message_waits_for_its_time_and_not_beyond_its_end(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    hour = timedelta(hours=1)

    def at(moment: Any) -> str:
        return str(moment.isoformat())

    past = message(send_at=at(START - hour))
    later = message(send_at=at(START + hour))
    ended = message(expires_at=at(START + hour / 2))
    ids = []
    for one in (later, past):
        _, queued = await call(app, key, "POST", "/v1/messages", one)
        ids.append(queued["message_id"])

    assert len(await app.deliver()) == 1, "a moment in the past means now"
    _, queued = await call(app, key, "POST", "/v1/messages", ended)
    app.step(hour)
    assert len(await app.deliver()) == 1
    _, seen = await call(app, key, "GET", f"/v1/messages/{queued['message_id']}")
    assert (seen["status"], seen["reason"]) == ("failed", "message_expired")


async def test_what_is_queued_can_be_cancelled_once(app: App) -> None:
    key, other = await app.key(Scope.MESSAGES_SEND), await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    _, queued = await call(app, key, "POST", "/v1/messages", message())
    path = f"/v1/messages/{queued['message_id']}"

    assert (await call(app, other, "GET", path))[0] == 404, "another caller's message was shown"
    assert (await call(app, other, "DELETE", path))[0] == 404
    assert await call(app, key, "DELETE", path) == (204, None)
    assert await call(app, key, "DELETE", path) == (204, None)
    assert await app.deliver() == []
    _, seen = await call(app, key, "GET", path)
    assert seen["status"] == "cancelled"

    _, sent = await call(app, key, "POST", "/v1/messages", message())
    await app.deliver()
    status, problem = await call(app, key, "DELETE", f"/v1/messages/{sent['message_id']}")
    assert (status, problem["type"]) == (409, "/problems/conflict")


@pytest.mark.parametrize("path", ["msg_x", "msg_%00", "%ff%00", "x" * 3000, "..%2fbatch"])
async def test_a_name_that_is_none_is_not_found(app: App, path: str) -> None:
    key = await app.key(Scope.MESSAGES_SEND)

    for method in ("GET", "DELETE"):
        status, problem = await call(app, key, method, f"/v1/messages/{path}")
        assert (status, problem["type"]) == (404, "/problems/not-found")
        assert problem["detail"] == (
            "There is no message of this id that this API key handed in."
            if path == "msg_x"
            else "This server has nothing at this path."
        )


async def test_the_same_request_twice_is_done_once(app: App) -> None:
    key, other = await app.key(Scope.MESSAGES_SEND), await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()

    async def post(key: dict[str, str], name: str, **more: Any) -> tuple[int, Any]:
        return await call(app, key, "POST", "/v1/messages", message(**more), Idempotency_Key=name)

    first = await post(key, "one")
    assert await post(key, "one") == first
    assert (await post(key, "one", reference="other"))[1]["type"] == (
        "/problems/idempotency-key-reused"
    )
    assert (await post(other, "one"))[1] != first[1], "keys of two callers were taken for one"
    assert (await post(key, "two"))[1] != first[1]
    assert (await post(key, "a b"))[0] == 422
    batch = {"messages": [message()]}
    answered = await call(app, key, "POST", "/v1/messages/batch", batch, Idempotency_Key="one")
    assert answered[0] == 200
    assert len(await app.deliver()) == 4


async def test_many_at_once_under_one_key_are_one_message(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()

    answers = await asyncio.gather(
        *(
            call(app, key, "POST", "/v1/messages", message(), Idempotency_Key="one")
            for _ in range(8)
        )
    )

    statuses = {status for status, _ in answers}
    assert statuses <= {202, 409}
    assert len({body["message_id"] for status, body in answers if status == 202}) == 1
    assert len(await app.deliver()) == 1


async def test_while_the_first_is_in_flight_the_second_is_told_so(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    parts = app.parts
    async with parts.data.begin() as connection:
        caller = (await api_keys.listed(connection, parts.rows))[0]
    body = (
        b'{"to": {"email": "ada@example.org"}, "purpose": "newsletter", '
        b'"content": {"subject": "News", "text": "Hello."}}'
    )
    named = idempotency.identify(
        parts.keyring.fingerprint,
        api_key=caller.id,
        endpoint="POST /v1/messages",
        key="one",
        body=body,
        meaning=meaning_of(body),
        status=202,
    )
    headers = key | {"Idempotency-Key": "one", "Content-Type": "application/json"}

    async def post() -> aiohttp.ClientResponse:
        async with app.http.post("/v1/messages", data=body, headers=headers) as answer:
            await answer.read()
            return answer

    async with parts.data.begin() as connection:
        (first,) = await idempotency.take(connection, [named], START)
        assert isinstance(first, idempotency.Ticket)
    during = await post()
    async with parts.data.begin() as connection:
        await idempotency.remember(connection, [(first, None)])
    after = await post()

    assert (during.status, during.headers["Retry-After"], after.status) == (409, "1", 202)


async def test_a_refusal_is_not_remembered(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)

    async def post() -> int:
        status, _ = await call(app, key, "POST", "/v1/messages", message(), Idempotency_Key="one")
        return status

    assert await post() == 403
    await app.subscribe()
    assert await post() == 202
