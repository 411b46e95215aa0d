"""The API of the marketing automation: messages, batches, permissions, withdrawals, sign-ups."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from gateway.callers import api_keys, idempotency
from gateway.callers.api_keys import Scope
from storage.errors import StorageAway
from tests.support.apps import ADA, App
from tests.support.clock import START

INLINE = {"subject": "News", "text": "Hello."}
TO = {"email": ADA}
GRACE = "grace@example.org"


def message(**more: Any) -> dict[str, Any]:
    return {"to": TO, "purpose": "newsletter", "content": INLINE} | more


async def call(
    app: App, key: dict[str, str], method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with app.http.request(method, path, json=body, headers=key | sent) as answer:
        raw = await answer.read()
        return answer.status, await answer.json(content_type=None) if raw else None


async def pointers(app: App, key: dict[str, str], path: str, body: Any) -> list[str]:
    status, problem = await call(app, key, "POST", path, body)
    assert status == 422
    return [one["pointer"] for one in problem["errors"]]


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


async def test_a_batch_answers_each_in_order(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    batch = {
        "messages": [
            message(to={"email": "ada@"}),
            message(),
            message(to={"email": GRACE}),
            message(content={"template": "nothing"}),
            message(to={"email": ADA.upper()}),
        ]
    }

    status, answer = await call(app, key, "POST", "/v1/messages/batch", batch)

    assert status == 200
    results = answer["results"]
    assert [one["status"] for one in results] == [
        "invalid",
        "queued",
        "refused",
        "invalid",
        "queued",
    ]
    assert results[0]["errors"][0]["pointer"] == "/to/email"
    assert (results[2]["reason"], results[2]["class"]) == ("unknown", "ask_first")
    assert len(await app.deliver()) == 2


async def test_a_batch_has_a_largest_size(embedded: App) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)

    assert await pointers(embedded, key, "/v1/messages/batch", {"messages": []}) == ["/messages"]
    most = {"messages": [message()] * 1001}
    assert await pointers(embedded, key, "/v1/messages/batch", most) == ["/messages"]


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
        caller = (await api_keys.listed(connection))[0]
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


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/messages", Scope.MESSAGES_SEND),
        ("POST", "/v1/messages/batch", Scope.MESSAGES_SEND),
        ("GET", "/v1/messages/msg_1", Scope.MESSAGES_SEND),
        ("DELETE", "/v1/messages/msg_1", Scope.MESSAGES_SEND),
        ("POST", "/v1/permissions", Scope.PERMISSIONS_READ),
        ("POST", "/v1/withdrawals", Scope.CONSENTS_WITHDRAW),
        ("POST", "/v1/signups", Scope.SIGNUPS_CREATE),
        ("GET", "/v1/audit/events", Scope.AUDIT_READ),
    ],
)
async def test_a_call_needs_a_key_with_its_scope(
    embedded: App, method: str, path: str, scope: Scope
) -> None:
    others = await embedded.key(*(one for one in Scope if one is not scope))

    for key in ({}, {"Authorization": "Bearer cgw_" + "A" * 43}, {"Authorization": "Basic x"}):
        async with embedded.http.request(method, path, headers=key) as answer:
            assert (answer.status, (await answer.json())["type"]) == (
                401,
                "/problems/not-authenticated",
            )
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    status, problem = await call(embedded, others, method, path, {})
    assert (status, problem["type"], problem["scope"]) == (403, "/problems/scope-missing", scope)


async def test_a_bound_key_reaches_its_own_purposes_only(app: App) -> None:
    purpose = await app.key(purposes=["newsletter"])
    sender = await app.key(senders=["other"])
    await app.subscribe()
    outside = "/problems/outside-key"

    async def kind(key: dict[str, str], path: str, body: Any) -> Any:
        status, said = await call(app, key, "POST", path, body)
        return said.get("type", status)

    for key, own in ((purpose, "newsletter"), (sender, "elsewhere")):
        strange = "updates"
        question = {"to": TO, "purpose": own}
        assert await kind(key, "/v1/permissions", question) == 200
        assert await kind(key, "/v1/permissions", question | {"purpose": strange}) == outside
        assert await kind(key, "/v1/messages", message(purpose=strange)) == outside
        leave = {"to": TO, "purpose": strange, "kind": "withdraw", "channel": "phone"}
        assert await kind(key, "/v1/withdrawals", leave) == outside
        everything = {"to": TO, "all": True, "kind": "withdraw", "channel": "phone"}
        assert await kind(key, "/v1/withdrawals", everything) == outside
        objection = {"to": TO, "purpose": own, "kind": "object", "channel": "phone"}
        assert await kind(key, "/v1/withdrawals", objection) == outside
    batch = {"messages": [message(purpose="updates"), message()]}
    _, answer = await call(app, purpose, "POST", "/v1/messages/batch", batch)
    assert [one["status"] for one in answer["results"]] == ["invalid", "queued"]
    assert answer["results"][0]["errors"] == [
        {"pointer": "/purpose", "detail": "is outside the API key"}
    ]


async def test_a_permission_is_told_with_its_ground_or_its_reason(app: App) -> None:
    key = await app.key(Scope.PERMISSIONS_READ)
    question = {"to": TO, "purpose": "newsletter"}

    before = await call(app, key, "POST", "/v1/permissions", question)
    await app.subscribe()
    after = await call(app, key, "POST", "/v1/permissions", question)
    upper = await call(
        app, key, "POST", "/v1/permissions", question | {"to": {"email": ADA.upper()}}
    )

    assert before == (200, {"granted": False, "reason": "unknown", "class": "ask_first"})
    assert after[1]["granted"]
    assert after[1]["ground"]["kind"] == "consent"
    assert upper == after
    assert await pointers(app, key, "/v1/permissions", {"to": TO}) == ["/purpose"]


@pytest.mark.parametrize(
    ("said", "reason", "other"),
    [
        ({"purpose": "newsletter", "kind": "withdraw"}, "withdrawn", "granted"),
        ({"all": True, "kind": "withdraw"}, "withdrawn", "withdrawn"),
        ({"purpose": "newsletter", "kind": "object"}, "objected", "objected"),
        ({"all": True, "kind": "object"}, "objected", "objected"),
    ],
    ids=["one", "all", "objection to one is to all", "objection"],
)
async def test_a_withdrawal_by_letter_is_final(
    app: App, said: dict[str, Any], reason: str, other: str
) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    await app.subscribe(ADA, "newsletter", "updates")
    body = {"to": TO, "channel": "letter", "received_at": "2026-11-20T00:00:00Z"} | said

    first = await call(app, key, "POST", "/v1/withdrawals", body)
    again = await call(app, key, "POST", "/v1/withdrawals", body)

    assert first == again == (200, {"status": "done"})
    assert await app.permission() == reason
    assert await app.permission(purpose="updates") == other


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"purpose": "nothing"}, "/purpose"),
        ({"all": True}, ""),
        ({"purpose": None}, ""),
        ({"kind": "grant"}, "/kind"),
        ({"channel": "by phone"}, "/channel"),
        ({"received_at": "yesterday"}, "/received_at"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_field_of_a_withdrawal_is_named(
    embedded: App, change: dict[str, Any], pointer: str
) -> None:
    key = await embedded.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": TO, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}

    assert await pointers(embedded, key, "/v1/withdrawals", body | change) == [pointer]


async def test_an_objection_of_somebody_unknown_keeps_them_from_being_asked(app: App) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": TO, "all": True, "kind": "object", "channel": "reply"}

    assert (await call(app, key, "POST", "/v1/withdrawals", body))[0] == 200
    await app.sign_up()

    assert await app.deliver() == []


async def test_a_back_end_signs_people_up(app: App) -> None:
    key = await app.key(Scope.SIGNUPS_CREATE)
    body = await app.posted(form="signup", visitor_network="2001:db8::7")

    status, answer = await call(app, key, "POST", "/v1/signups", body)
    robot = await call(app, key, "POST", "/v1/signups", body | {"homepage": "x", "email": GRACE})

    assert (status, answer) == (202, {"status": "accepted"})
    assert robot == (status, answer)
    (mail,) = await app.deliver()
    assert mail.to == ADA


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"form": "nothing"}, "/form"),
        ({"form": None}, "/form"),
        ({"visitor_network": "here"}, "/visitor_network"),
        ({"visitor_network": "192.0.2.0/99"}, "/visitor_network"),
        ({"texts": []}, "/texts"),
        ({"purposes": ["elsewhere"]}, "/purposes/0"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_field_of_a_back_ends_sign_up_is_named(
    embedded: App, change: dict[str, Any], pointer: str
) -> None:
    key = await embedded.key(Scope.SIGNUPS_CREATE)
    body = await embedded.posted(form="signup") | change

    assert pointer in await pointers(embedded, key, "/v1/signups", body)


async def test_the_limits_of_a_back_end_are_its_visitors(limited: App) -> None:
    key = await limited.key(Scope.SIGNUPS_CREATE)
    body = await limited.posted(form="signup")

    async def post(network: str | None) -> int:
        said = body if network is None else body | {"visitor_network": network}
        return (await call(limited, key, "POST", "/v1/signups", said))[0]

    statuses = [await post(f"2001:db8::{n}") for n in range(61)]

    assert statuses == [202] * 60 + [429], "addresses of one household are one visitor"
    assert await post("2001:db8::/120") == 429
    assert await post("2001:db8:0:1::1") == 202
    assert await post("192.0.2.7") == 202
    assert await post(None) == 202


async def test_a_key_signs_up_for_its_own_purposes_only(embedded: App) -> None:
    key = await embedded.key(Scope.SIGNUPS_CREATE, purposes=["newsletter"])
    own = await embedded.posted(form="signup")
    other = await embedded.posted(ADA, "updates", form="signup")

    assert (await call(embedded, key, "POST", "/v1/signups", own))[0] == 202
    status, problem = await call(embedded, key, "POST", "/v1/signups", other)
    assert (status, problem["type"]) == (403, "/problems/outside-key")


async def test_the_log_is_listed_in_pages_and_its_checkpoint_is_public(app: App) -> None:
    key = await app.key(Scope.AUDIT_READ)
    await app.subscribe()
    await app.tick()

    _, whole = await call(app, key, "GET", "/v1/audit/events?limit=1000")
    paged, after = [], ""
    while True:
        _, page = await call(app, key, "GET", f"/v1/audit/events?limit=2{after}")
        paged += page["events"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"

    assert paged == whole["events"]
    assert [one["index"] for one in paged] == list(range(len(paged)))
    _, some = await call(app, key, "GET", "/v1/audit/events?kind=consent.confirmed")
    assert [one["kind"] for one in some["events"]] == ["consent.confirmed"]
    async with app.http.get("/v1/audit/checkpoint") as note:
        assert note.content_type == "text/plain"
        lines = (await note.text()).splitlines()
    assert lines[:2] == ["test.example/audit/gateway", str(len(paged))]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("kind=consent.nothing", "/kind"),
        ("kind=x", "/kind"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("after=-1", "/after"),
        ("after=99999999999999999999", "/after"),
        ("since=yesterday", "/since"),
        ("page=2", "/page"),
    ],
)
async def test_a_wrong_question_to_the_log_is_named(app: App, query: str, pointer: str) -> None:
    key = await app.key(Scope.AUDIT_READ)

    status, problem = await call(app, key, "GET", f"/v1/audit/events?{query}")

    assert (status, [one["pointer"] for one in problem["errors"]]) == (422, [pointer])


async def test_while_storage_is_away_nothing_is_accepted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await app.key()
    await app.subscribe()
    body = await app.posted()

    def away(*_: object) -> None:
        raise StorageAway("data")

    with monkeypatch.context() as patched:
        patched.setattr(app.parts.data, "begin", away)
        for path, sent in (
            ("/v1/messages", message()),
            ("/v1/messages/batch", {"messages": [message()]}),
            ("/v1/withdrawals", {"to": TO, "all": True, "kind": "object", "channel": "phone"}),
            ("/v1/signups", body | {"form": "signup"}),
            ("/forms/signup", body),
        ):
            async with app.http.post(path, json=sent, headers=key) as answer:
                problem = await answer.json()
            assert (answer.status, problem["type"]) == (503, "/problems/storage-away"), path
            assert answer.headers["Retry-After"]
    assert await app.deliver() == []
