"""What a broken request gets, and what is logged of any: over a real socket."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from aiohttp import web

from gateway.http.parsing import read_bytes
from gateway.http.runner import Runner
from gateway.watch import logs
from tests.http import test_bounds


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    captured = io.StringIO()
    logs.configure(captured)
    yield captured
    structlog.reset_defaults()


@pytest.fixture
async def port(stream: io.StringIO) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/confirm/{token}", hello)
    runner = Runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def say(port: int, raw: bytes) -> tuple[str, str]:
    """Send *raw*, return the head and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    "raw",
    [
        b"ada@example.org\r\n\r\n",
        b"GET /ada@example.org HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nada@example.org\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: ada@example.org" + b"x" * 9000 + b"\r\n\r\n",
    ],
    ids=["no HTTP", "other version", "no header", "long header"],
)
async def test_what_is_no_http_gets_a_problem_that_quotes_nothing(
    port: int, stream: io.StringIO, raw: bytes
) -> None:
    head, body = await say(port, raw)

    assert "400 Bad Request" in head
    assert "application/problem+json" in head
    assert json.loads(body)["type"] == "/problems/bad-request"
    assert "ada" not in head + body + stream.getvalue()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["route"]) for line in lines] == [("request", "unmatched")]


async def test_a_request_is_logged_by_its_route_alone(port: int, stream: io.StringIO) -> None:
    request = "GET /confirm/t0ken?mail=ada HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    head, _ = await say(port, request.encode())

    assert "200 OK" in head
    (line,) = [json.loads(raw) for raw in stream.getvalue().splitlines()]
    assert (line["event"], line["route"], line["method"]) == ("request", "/confirm/{token}", "GET")
    assert (line["status"], "seconds" in line) == (200, True)
    assert "t0ken" not in stream.getvalue()
    assert "ada" not in stream.getvalue()


async def test_a_made_up_method_is_not_logged(port: int, stream: io.StringIO) -> None:
    await say(port, b"ADA /confirm/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert "ADA" not in stream.getvalue()


async def test_others_have_their_turn_while_a_body_of_seams_is_taken_in() -> None:
    """Sixty thousand chunks of one byte: each turn of the loop takes a few hundred of them."""
    turns, taken = 0, []

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read(request: web.Request) -> web.Response:
        begun = turns
        taken.append((len(await read_bytes(request)), turns - begun))
        return web.Response()

    app = web.Application()
    app.router.add_post("/read", read)
    runner = Runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    body = b"1\r\na\r\n" * 60_000 + b"0\r\n\r\n"
    counting = asyncio.create_task(others())
    try:
        told, _ = await test_bounds.raw(
            f"http://127.0.0.1:{runner.addresses[0][1]}",
            b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
        )
    finally:
        counting.cancel()
        await runner.cleanup()

    ((size, passed),) = taken
    assert (" 200 " in told, size) == (True, 60_000)
    assert passed > 60
