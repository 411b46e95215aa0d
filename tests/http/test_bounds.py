"""What the frame holds against hostile callers: headers, sizes, slowness, hosts, proxies."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from aiohttp import web

from gateway.http import frame, parsing
from gateway.http.parsing import read_bytes
from gateway.http.problems import middleware
from gateway.http.runner import Runner
from gateway.watch import logs
from tests.support.apps import ADA, App
from tests.support.waiting import PATIENCE, until

EVIL = "evil.example"
CROWD = 300
PUBLIC = (
    "/forms/signup",
    "/confirm/" + "A" * 43,
    "/unsubscribe/" + "A" * 22,
    "/stop/" + "A" * 43,
    "/again/" + "A" * 22,
    "/preferences/" + "A" * 22,
    "/my-data",
)


async def raw(base: str, sent: bytes) -> tuple[str, str]:
    """Write *sent* to a socket; the head and the body of the answer."""
    port = int(base.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        return head.decode(), body.decode()
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/forms/signup"),
        ("GET", "/forms/signup.json"),
        ("POST", "/forms/signup"),
        ("OPTIONS", "/forms/signup"),
        ("GET", "/confirm/x"),
        ("GET", "/unsubscribe/" + "A" * 22),
        ("GET", "/stop/" + "A" * 43),
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/nothing"),
        ("PUT", "/v1/messages"),
        ("POST", "/v1/messages"),
    ],
)
async def test_every_answer_may_be_neither_framed_nor_sniffed_nor_told_on(
    embedded: App, method: str, path: str
) -> None:
    async with embedded.http.request(method, path) as answer:
        headers = answer.headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    # What shows the API sets styles by itself (`docs/dependencies.md`); its scripts are files.
    by_itself = "style-src 'unsafe-inline'" if path == "/docs" else ""
    assert "unsafe" not in policy.replace(by_itself, "")
    assert "Server" not in headers
    assert "Set-Cookie" not in headers


async def test_https_is_remembered_where_there_is_any() -> None:
    for url, expected in (("https://gateway.example", "max-age=31536000"), ("http://x", None)):
        response = web.Response()
        await frame.protect(url)(None, response)  # type: ignore[arg-type]
        assert response.headers.get("Strict-Transport-Security") == expected


@pytest.mark.parametrize(
    "path", ["/nothing", "/forms/none.json", "/v1/nothing", "/v1/messages/x/y"]
)
async def test_what_is_not_there_is_a_problem(embedded: App, path: str) -> None:
    key = await embedded.key()
    async with embedded.http.get(path, headers=key) as answer:
        problem = await answer.json()

    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("/problems/not-found", 404)


async def test_a_method_that_is_not_served_is_told_the_right_ones(embedded: App) -> None:
    async with embedded.http.patch("/v1/messages") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")
        assert (await answer.json())["type"] == "/problems/method-not-allowed"
    async with embedded.http.delete("/confirm/x") as answer:
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
    async with embedded.http.post("/notices/x", data={"a": "b"}) as page:  # as a form may
        assert (page.status, page.content_type) == (405, "text/html")


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("told", [True, False], ids=["told", "in chunks"])
async def test_a_stranger_cannot_make_us_hold_much(embedded: App, path: str, told: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"a" * 1000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    data = b"a" * 70_000 if told else chunks()
    async with embedded.http.post(path, data=data, headers=headers) as answer:
        # Leaving works whatever the body is: the link alone says what is meant.
        assert answer.status == (200 if path.startswith(("/unsubscribe", "/stop")) else 413)


async def test_a_sender_may_send_more_and_must_show_a_key_first(embedded: App) -> None:
    key = await embedded.key()
    large = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "x" * 900_000},
    }

    async with embedded.http.post("/v1/messages", json=large, headers=key) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (403, "unknown")
    head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    told, _ = await raw(embedded.base, head + b"Content-Length: 16000000\r\n\r\n")
    assert " 401 " in told, "the body of a stranger was waited for"
    bearer = f"Authorization: {key['Authorization']}\r\n".encode()
    told, _ = await raw(embedded.base, head + bearer + b"Content-Length: 17000000\r\n\r\n")
    assert " 413 " in told
    async with embedded.http.post("/v1/permissions", json=large, headers=key) as answer:
        assert answer.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
async def test_a_compressed_body_is_not_unpacked(embedded: App, encoding: str) -> None:
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}

    async with embedded.http.post("/forms/signup", data=b"\x1f\x8b", headers=headers) as answer:
        assert answer.status == 415


async def test_an_unknown_expectation_is_refused_without_repeating_it(embedded: App) -> None:
    head = b"POST /forms/signup HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    head += b"Content-Type: application/json\r\n"

    told, body = await raw(embedded.base, head + b"Expect: ada@example.org\r\n\r\n{}")
    waiting, _ = await raw(embedded.base, head + b"Expect: 100-continue\r\n\r\n")

    assert " 417 " in told
    assert json.loads(body)["status"] == 417
    assert "ada" not in told + body
    assert waiting.startswith("HTTP/1.1 100 Continue")


async def test_no_host_header_changes_a_link_or_a_redirect(app: App) -> None:
    hosts = {"Host": EVIL, "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "gopher"}
    body = await app.posted()

    async with app.http.post("/forms/signup", json=body, headers=hosts) as answer:
        assert answer.status == 202
    for path in ("/forms/signup", "/openapi.json", "/docs", "/my-data"):
        async with app.http.get(path, headers=hosts) as page:
            assert EVIL not in await page.text()
    fields = [("email", ADA), ("purpose", "newsletter"), ("text", body["texts"][0])]
    fields.append(("profile.first_name", "Ada"))
    for posted in (fields, []):
        async with app.http.post(
            "/forms/linked", data=posted, headers=hosts, allow_redirects=False
        ) as answer:
            assert answer.headers["Location"].startswith("https://www.acme.example/")
    mail, *_ = await app.deliver()
    assert EVIL.encode() not in mail.raw
    assert b"http://gateway.example/confirm/" in mail.raw.replace(b"=\r\n", b"")


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/forms/signup/", "/docs/"],
)
async def test_no_path_leads_to_another_site(embedded: App, path: str) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()

    told, _ = await raw(embedded.base, head)

    assert "location:" not in told.lower()


async def test_a_forwarded_network_is_believed_only_of_a_proxy_of_ours(limited: App) -> None:
    """The test's peer is trusted; the hop before it is believed, those it names are not."""
    body = await limited.posted()

    async def post(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        async with limited.http.post("/forms/signup", json=body, headers=headers) as answer:
            return answer.status

    statuses = [await post(f"192.0.2.{n}, 203.0.113.7") for n in range(61)]

    assert statuses == [202] * 60 + [429], "a visitor chose its own network"
    assert await post("203.0.113.7, 203.0.113.8") == 202


async def test_a_customer_with_many_ipv6_addresses_is_one_network(limited: App) -> None:
    body = await limited.posted()

    async def post(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        async with limited.http.post("/forms/signup", json=body, headers=headers) as answer:
            return answer.status

    statuses = [await post(f"2001:db8:0:1:{n:x}::{n:x}") for n in range(1, 62)]

    assert statuses == [202] * 60 + [429], "each address of a household counted for itself"
    assert await post("2001:db8:0:2::1") == 202


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    captured = io.StringIO()
    logs.configure(captured)
    yield captured
    structlog.reset_defaults()


@pytest.fixture
async def patient(stream: io.StringIO) -> AsyncIterator[str]:
    """An app whose patience ends soon."""

    async def read(request: web.Request) -> web.Response:
        await read_bytes(request, patience=0.3)
        return web.Response()

    app = web.Application(middlewares=[middleware(lambda _r, s: web.Response(status=s))])
    app.router.add_post("/v1/read", read)
    runner = Runner(app, keepalive_timeout=0.3, lingering_time=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_body_that_does_not_come_is_not_waited_for(patient: str) -> None:
    head = b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"

    told, body = await raw(patient, head)

    assert " 408 " in told
    assert json.loads(body)["type"] == "/problems/too-slow"


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v1/read HT", b"POST /v1/read HTTP/1.1\r\nHost: x\r\nX-A: b"],
    ids=["nothing", "half a line", "half a head"],
)
async def test_a_head_that_does_not_come_is_not_waited_for(patient: str, sent: bytes) -> None:
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await raw(patient, sent)


async def test_a_head_that_comes_drop_by_drop_is_not_waited_for(patient: str) -> None:
    """What arrives does not prolong the time: else one byte a minute would hold a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(patient.rpartition(":")[2]))
    writer.write(b"GET /v1/read HTTP/1.1\r\nHost: x\r\nX-A: ")

    async def drip() -> None:
        while True:
            writer.write(b"b")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        answered = await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        dripping.cancel()
        writer.close()

    assert answered == b""


async def test_a_crowd_of_slow_callers_keeps_nobody_else_waiting(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = {**read_bytes.__kwdefaults__, "patience": 3600.0}
    monkeypatch.setattr(read_bytes, "__kwdefaults__", patient)
    body = await app.posted()
    port = int(app.base.rpartition(":")[2])
    head = b"POST /forms/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writers = []
    for number in range(CROWD):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head if number % 2 else head + b'Content-Length: 100\r\n\r\n{"email"')
        writers.append(writer)
    await asyncio.sleep(0.1)  # what was written is read by then

    async with asyncio.timeout(PATIENCE):  # the others are waited for until they go
        async with app.http.post("/forms/signup", json=body) as answer:
            status = answer.status
        async with app.http.get("/my-data") as page:
            await page.read()

    for writer in writers:
        writer.close()
    assert (status, page.status) == (202, 200)


async def test_a_caller_that_hangs_up_is_no_fault_of_ours(
    patient: str, stream: io.StringIO
) -> None:
    port = int(patient.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    await until(lambda: "/v1/read" in stream.getvalue())

    assert "request.failed" not in stream.getvalue()


async def test_the_default_bounds_are_those_of_the_threat_model() -> None:
    runner = Runner(web.Application())
    await runner.setup()
    try:
        assert runner.server is not None
        handler = runner.server()
        assert handler.keepalive_timeout == 75
        assert (handler.max_line_size, handler.max_field_size) == (8190, 8190)
    finally:
        await runner.cleanup()
    assert (parsing.SMALL, parsing.PATIENCE) == (65_536, 20.0)
