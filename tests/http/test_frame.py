"""The frame around every handler: parsing, problems, keys, metrics, the document."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient
from openapi_spec_validator import validate

from gateway import errors
from gateway.api.audit import AuditEvents, AuditQuery
from gateway.api.messages import MessageAccepted, MessageRequest
from gateway.api.permissions import PermissionGranted, PermissionRefusal, PermissionRequest
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.http import openapi, problems
from gateway.http.answers import answer
from gateway.http.authentication import AUTHENTICATION, CALLER, Authentication
from gateway.http.endpoints import Endpoint, endpoint, page
from gateway.http.parsing import read_fields, read_json, read_query
from gateway.schema.tables import metadata
from gateway.watch import logs, metrics
from gateway.watch.metrics import METRICS, Metrics
from storage.database import Database, open_database
from storage.errors import StorageAway
from tests.support.clock import START
from tests.support.rows import ROWS

Client = TestClient[web.Request, web.Application]
Start = Callable[[web.Application], Awaitable[Client]]

MESSAGE = {
    "to": {"email": "ada@example.org"},
    "purpose": "newsletter",
    "content": {"template": "welcome"},
}


@endpoint(
    "POST",
    "/v1/messages",
    summary="Queue a message",
    request=MessageRequest,
    responses={202: MessageAccepted},
    scope=Scope.MESSAGES_SEND,
    idempotent=True,
    tags=["messages"],
)
async def send(request: web.Request) -> web.Response:
    message = await read_json(request, MessageRequest)
    return answer(
        MessageAccepted(message_id=request[CALLER].name + message.purpose, warnings=[]), 202
    )


@endpoint(
    "POST",
    "/v1/permissions",
    summary="Ask for a permission",
    request=PermissionRequest,
    responses={200: PermissionGranted | PermissionRefusal},
)
async def ask(request: web.Request) -> web.Response:
    await read_json(request, PermissionRequest)
    raise errors.PermissionRefused("withdrawn", "never")


@endpoint(
    "GET",
    "/v1/audit/events",
    summary="List events",
    query=AuditQuery,
    responses={200: AuditEvents},
)
async def events(request: web.Request) -> web.Response:
    query = read_query(request, AuditQuery)
    return web.json_response({"limit": query.limit, "since": str(query.since)})


@endpoint("GET", r"/v1/messages/{id:msg_\w{1,40}}", summary="One message", responses={200: None})
async def fail(request: web.Request) -> web.Response:
    raise ValueError("ada@example.org")


@page("POST", "/unsubscribe/{token}", "Withdraw")
async def unsubscribe(request: web.Request) -> web.Response:
    fields = await read_fields(request)
    if fields.get("away"):
        raise StorageAway("data")
    return web.json_response(dict(fields))


@page("GET", "/confirm/{token}", "One button")
async def confirm(request: web.Request) -> web.Response:
    return web.Response()


ENDPOINTS: list[Endpoint] = [send, ask, events, fail, unsubscribe, confirm]


def error_page(request: web.Request, status: int) -> web.Response:
    return web.Response(text="<h1>page</h1>", content_type="text/html", status=status)


@pytest.fixture
async def data(new_database_url: Callable[[str], str]) -> AsyncIterator[Database]:
    async with open_database("data", new_database_url("sqlite")) as opened:
        async with opened.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield opened


@pytest.fixture
async def client(data: Database, aiohttp_client: Start) -> Client:
    app = web.Application(
        middlewares=[metrics.metrics_middleware, problems.middleware(error_page)],
        client_max_size=64 * 1024,
    )
    app[AUTHENTICATION] = Authentication(data, ROWS)
    app[METRICS] = Metrics()
    metrics.add_route(app, app[METRICS])
    openapi.add_routes(app, ENDPOINTS, public_url="https://mail.example.org")
    return await aiohttp_client(app)


@pytest.fixture
async def bearer(data: Database) -> dict[str, str]:
    async with data.begin() as connection:
        _, token = await api_keys.create(
            connection, ROWS, name="shop:", scopes=[Scope.MESSAGES_SEND], now=START
        )
    return {"Authorization": f"Bearer {token}"}


async def problem_of(response: Any) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = await response.json()
    assert document["status"] == response.status
    assert document["type"].startswith("/problems/")
    return document


async def test_a_good_request_is_answered(client: Client, bearer: dict[str, str]) -> None:
    response = await client.post("/v1/messages", json=MESSAGE, headers=bearer)

    assert response.status == 202
    assert await response.json() == {"message_id": "shop:newsletter", "status": "queued"}
    assert response.headers["Cache-Control"] == "no-store"


async def test_without_a_key_the_body_is_not_even_looked_at(client: Client) -> None:
    response = await client.post("/v1/messages", data=b"{")

    assert (await problem_of(response))["status"] == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "slug"),
    [
        (b"{", "application/json", 400, "malformed-json"),
        (b"\xff", "application/json", 400, "malformed-json"),
        (b"", "application/json", 400, "malformed-json"),
        (b"[" * 300, "application/json", 400, "malformed-json"),
        (b"[" * 5000, "application/json", 413, "too-many-values"),
        (b"{}", "text/plain", 415, "content-type"),
        (b"[]", "application/json", 422, "invalid"),
        (b" " * 70_000, "application/json", 413, "too-large"),
    ],
    ids=["cut", "not UTF-8", "empty", "deep", "deeper", "other type", "no object", "large"],
)
async def test_a_body_that_cannot_be_read_is_a_problem(
    client: Client, bearer: dict[str, str], body: bytes, content_type: str, status: int, slug: str
) -> None:
    headers = {**bearer, "Content-Type": content_type}

    response = await client.post("/v1/messages", data=body, headers=headers)

    document = await problem_of(response)
    assert (document["status"], document["type"]) == (status, f"/problems/{slug}")


async def test_a_large_body_in_chunks_is_refused_too(
    client: Client, bearer: dict[str, str]
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1000

    headers = {**bearer, "Content-Type": "application/json"}
    response = await client.post("/v1/messages", data=chunks(), headers=headers)

    assert (await problem_of(response))["status"] == 413


async def test_every_wrong_field_is_named_and_none_is_quoted(
    client: Client, bearer: dict[str, str]
) -> None:
    body = {
        "to": {"email": "ada@", "nick": "ada"},
        "purpose": 7,
        "content": {"template": "welcome", "data": {"a/b": {"ada@example.org": float("inf")}}},
        "ada@example.org": 1,
    }

    response = await client.post("/v1/messages", data=json.dumps(body), headers=_json(bearer))

    document = await problem_of(response)
    assert {error["pointer"] for error in document["errors"]} >= {
        "/to/email",
        "/to/nick",
        "/purpose",
        "",
    }
    assert "ada" not in json.dumps(document)


async def test_a_refusal_is_a_problem_with_its_reason(client: Client) -> None:
    asked = {"to": {"subject_id": "sub_1"}, "purpose": "newsletter"}

    document = await problem_of(await client.post("/v1/permissions", json=asked))

    assert (document["reason"], document["class"]) == ("withdrawn", "never")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing/ada@example.org", 404), ("PUT", "/v1/messages", 405)],
)
async def test_the_frameworks_own_errors_are_problems(
    client: Client, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)

    document = await problem_of(response)
    assert document["status"] == status
    assert "ada" not in json.dumps(document)


async def test_a_wrong_method_is_told_the_right_ones(client: Client) -> None:
    response = await client.put("/v1/messages")

    assert response.headers["Allow"] == "POST"


async def test_a_bug_is_a_500_that_says_nothing(client: Client, stream: io.StringIO) -> None:
    response = await client.get("/v1/messages/msg_1")

    assert "ada" not in json.dumps(await problem_of(response))
    lines = [json.loads(raw) for raw in stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "request.failed"]
    assert (line["error"], line["route"]) == ("ValueError", r"/v1/messages/{id}")
    assert "ada" not in stream.getvalue()


async def test_people_get_pages_and_programs_get_problems(client: Client) -> None:
    page = await client.post("/unsubscribe/t0ken", data={"away": "1"})
    missing = await client.get("/confirm/t0ken/more")

    assert (page.status, page.content_type) == (503, "text/html")
    assert page.headers["Retry-After"]
    assert (missing.status, missing.content_type) == (404, "text/html")


async def test_a_browser_gets_a_page_where_nothing_is_and_a_program_a_problem(
    client: Client,
) -> None:
    browsed = await client.get("/nope", headers={"Accept": "text/html,*/*;q=0.8"})
    asked = await client.get("/v1/nope", headers={"Accept": "text/html,*/*;q=0.8"})

    assert (browsed.status, browsed.content_type) == (404, "text/html")
    assert (await problem_of(asked))["status"] == 404


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"List-Unsubscribe=One-Click", {"Content-Type": "application/x-www-form-urlencoded"}),
        (
            b"--x\r\nContent-Disposition: form-data; name=List-Unsubscribe\r\n\r\n"
            b"One-Click\r\n--x--",
            {"Content-Type": "multipart/form-data; boundary=x"},
        ),
    ],
    ids=["urlencoded", "multipart"],
)
async def test_a_plain_form_is_read(client: Client, body: bytes, headers: dict[str, str]) -> None:
    response = await client.post("/unsubscribe/t0ken", data=body, headers=headers)

    assert await response.json() == {"List-Unsubscribe": "One-Click"}


async def test_an_empty_body_is_an_empty_form(client: Client) -> None:
    response = await client.post("/unsubscribe/t0ken")

    assert (response.status, await response.json()) == (200, {})


async def test_a_file_in_a_form_is_refused(client: Client) -> None:
    response = await client.post("/unsubscribe/t0ken", data={"photo": io.BytesIO(b"x")})

    assert response.status == 422


async def test_a_broken_form_is_refused(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    response = await client.post("/unsubscribe/t0ken", data=b"nonsense", headers=headers)

    assert response.status in (400, 422)


async def test_a_query_is_read(client: Client) -> None:
    query = {"limit": "7", "since": "2026-11-23T09:00:00+01:00"}

    response = await client.get("/v1/audit/events", params=query)

    assert await response.json() == {"limit": 7, "since": "2026-11-23 08:00:00+00:00"}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=x", "/limit"),
        ("limit=1&limit=2", "/limit"),
        ("since=yesterday", "/since"),
        ("page=2", "/page"),
        ("ada%40example.org=2", ""),
    ],
)
async def test_a_wrong_parameter_is_named(client: Client, query: str, pointer: str) -> None:
    response = await client.get(f"/v1/audit/events?{query}")

    document = await problem_of(response)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert "ada" not in json.dumps(document)


async def test_the_document_is_valid_openapi(client: Client) -> None:
    response = await client.get("/openapi.json")

    document = await response.json()
    validate(document)
    assert document["openapi"].startswith("3.1")


async def test_the_document_says_what_each_endpoint_takes_and_requires(client: Client) -> None:
    document = await (await client.get("/openapi.json")).json()

    send_it = document["paths"]["/v1/messages"]["post"]
    assert send_it["security"] == [{"apiKey": []}]
    assert [p["name"] for p in send_it["parameters"]] == ["Idempotency-Key"]
    assert set(send_it["responses"]) == {"202", "default"}
    one = document["paths"]["/v1/messages/{id}"]["get"]
    assert [(p["name"], p["in"]) for p in one["parameters"]] == [("id", "path")]
    listed = document["paths"]["/v1/audit/events"]["get"]["parameters"]
    assert [p["name"] for p in listed] == ["kind", "since", "until", "after", "limit"]
    denied = document["components"]["schemas"]["PermissionRefusal"]["properties"]
    assert set(denied) == {"granted", "reason", "class"}


async def test_metrics_name_routes_and_never_paths(client: Client) -> None:
    await client.get("/nothing/ada@example.org")
    await client.post("/unsubscribe/t0ken")

    text = await (await client.get("/metrics")).text()

    assert 'route="/unsubscribe/{token}"' in text
    assert 'route="unmatched"' in text
    assert "ada" not in text
    assert "t0ken" not in text


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    captured = io.StringIO()
    structlog.reset_defaults()
    logs.configure(captured)
    yield captured
    structlog.reset_defaults()


def _json(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Content-Type": "application/json"}
