"""Links as people and programs make them: with what stood behind, around, or was encoded along."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import aiohttp
import pytest
import structlog
from yarl import URL

from gateway.watch import logs
from tests.http.test_bounds import raw
from tests.http.test_my_data import fresh_link
from tests.http.test_recipients import NOBODYS, nurture
from tests.support.apps import App

GRACE = "grace@example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BEHIND = [
    ".", ")", ">", "%3E", "=", "%3D", "%20", ",", "'", "%22", "%E2%80%8B", "/", "]", "}", ";", "!",
    "*", "%0D%0A", "%09", "%00", "%C2%A0", "%EF%BB%BF", "%FF", "=%0D%0A", "&utm_source=x", "%", "_",
    "-", "//", "/>", "/.", ").", "%3C/a%3E", "%253E", "%2F", "?x=y", ":", "%E2%80%9D", "%E2%80%A6",
    "._",
]  # fmt: skip
AROUND = [
    ("%22", "%22"), ("%3C", "%3E"), ("(", ")"), ("%E2%80%9C", "%E2%80%9D"), ("/", ""), ("%20", "")
]  # fmt: skip


async def visit(app: App, path: str, method: str = "GET", **posted: str) -> int:
    """Ask for exactly this path, as it stands here."""
    url = URL(app.base + path, encoded=True)
    async with app.http.request(method, url, data=posted or None, allow_redirects=False) as page:
        await page.read()
        return page.status


@pytest.mark.parametrize("behind", BEHIND[:12])
async def test_leaving_works_by_whatever_became_of_the_link(embedded: App, behind: str) -> None:
    path = f"/unsubscribe/{(await nurture(embedded))['unsubscribe']}{behind}"

    assert await visit(embedded, path) == 200
    assert await embedded.permission() == "granted", "looking changed something"
    assert await visit(embedded, path, "POST", **ONE_CLICK) == 200

    assert await embedded.permission() == "withdrawn"


@pytest.mark.parametrize("behind", BEHIND[:12])
async def test_service_mails_are_stopped_by_whatever_became_of_the_link(
    embedded: App, behind: str
) -> None:
    await embedded.sign_up(GRACE)
    (mail,) = await embedded.deliver()
    path = f"/stop/{mail.token('stop')}{behind}"

    assert await visit(embedded, path) == 200
    assert await visit(embedded, path, "POST") == 200

    await embedded.sign_up(GRACE)
    assert await embedded.deliver() == []


async def test_the_token_is_found_in_whatever_was_followed(embedded: App) -> None:
    token = (await nurture(embedded))["why"]
    links = [token + behind for behind in BEHIND]
    links += [f"{before}{token}{behind}" for before, behind in AROUND]

    for link in links:
        async with embedded.http.get(URL(f"{embedded.base}/why/{link}", encoded=True)) as page:
            assert "Newsletter" in await page.text(), link


@pytest.mark.parametrize("followed", ["{}.", "%22{}%22", "{}/%0D%0A"])
async def test_every_link_of_a_mail_works_so(app: App, followed: str) -> None:
    links = await nurture(app)
    for route in ("why", "preferences"):
        async with app.http.get(
            URL(f"{app.base}/{route}/{followed.format(links[route])}", encoded=True)
        ) as page:
            assert "Newsletter" in await page.text(), route
    path = f"/preferences/{followed.format(links['preferences'])}"
    assert await visit(app, path, "POST", **{"purpose.newsletter": "off"}) == 200
    assert await app.permission() == "withdrawn"
    path = f"/confirm/{followed.format(await app.confirmation(GRACE))}"
    assert await visit(app, path) == 200
    assert await visit(app, path, "POST", answer="confirm") == 200
    assert await app.permission(GRACE) == "granted"


@pytest.mark.parametrize("route", ["my-data", "why", "preferences"])
@pytest.mark.parametrize("followed", ["{}.", "%22{}%22", "{}/%0D%0A"])
async def test_a_fresh_link_opens_once_so(embedded: App, route: str, followed: str) -> None:
    await embedded.subscribe()
    path = f"/{route}/{followed.format(await fresh_link(embedded))}"

    assert await visit(embedded, path) == 200
    assert await visit(embedded, path, "POST") == 303
    assert await visit(embedded, path, "POST") == 410


async def test_a_link_is_cut_and_never_made_up(embedded: App) -> None:
    """What was cut short, or is of another length, is nobody's; nothing is tried instead."""
    token = (await nurture(embedded))["unsubscribe"]

    for other in (token[:-1], token[1:], token[:10] + "." + token[10:], "A" + token):
        await visit(embedded, f"/unsubscribe/{other}", "POST", **ONE_CLICK)

    assert await embedded.permission() == "granted"


@pytest.mark.parametrize("path", ["/unsubscribe/.", "/unsubscribe/%3E", "/confirm/)", "/why//"])
async def test_where_nothing_is_left_nothing_is_found(embedded: App, path: str) -> None:
    assert await visit(embedded, path) == 404
    assert await visit(embedded, path, "POST", answer="confirm") in (404, 405)


async def test_a_link_that_a_mail_program_wrote_as_it_stood_works(embedded: App) -> None:
    """Such bytes are in no URL; some clients send them all the same."""
    token = (await nurture(embedded))["unsubscribe"].encode()
    for behind in (b">", b'"', b"}", b"|"):
        head = b"POST /unsubscribe/" + token + behind + b" HTTP/1.1\r\nHost: x\r\n"
        told, _ = await raw(embedded.base, head + b"Content-Length: 0\r\n\r\n")
        assert " 200 " in told, behind

    assert await embedded.permission() == "withdrawn"


async def test_a_notice_is_found_with_what_was_copied_along(embedded: App) -> None:
    async with embedded.http.get("/forms/signup.json") as described:
        form = await described.json()
    notice = form["purposes"][0]["text"]["bundle"]["notice"]

    for behind in ("", ".", ")", "%3E", "/"):
        assert await visit(embedded, f"/notices/{notice}{behind}") == 200


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    captured = io.StringIO()
    logs.configure(captured)
    yield captured
    structlog.reset_defaults()


async def test_neither_log_nor_metric_nor_problem_has_the_path(
    embedded: App, stream: io.StringIO
) -> None:
    marked = f"{NOBODYS}/ada@example.org"
    for route in ("unsubscribe", "confirm", "why", "preferences", "my-data"):
        for method in ("GET", "POST", "PUT"):
            url = f"/{route}/{marked}"
            async with embedded.http.request(method, url) as page:
                text = await page.text()
                assert NOBODYS not in text + str(page.headers), (method, route)
                assert "ada@" not in text + str(page.headers), (method, route)
    async with embedded.http.get("/metrics") as answer:
        counted = await answer.text()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    routes = {line["route"] for line in lines if line["event"] == "request"}
    assert {"/unsubscribe/{token}", "/confirm/{token}"} <= routes
    assert NOBODYS not in stream.getvalue() + counted
    assert "ada@" not in stream.getvalue() + counted


async def test_one_click_works_whatever_stands_behind(app: App) -> None:
    """RFC 8058: the mail program posts to the URL of the header, as it took it from there."""
    token = (await nurture(app))["unsubscribe"]
    multipart = aiohttp.FormData(ONE_CLICK, default_to_multipart=True)
    url = URL(f"{app.base}/unsubscribe/{token}%3E", encoded=True)

    async with app.http.post(url, data=multipart, allow_redirects=False) as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers

    assert await app.permission() == "withdrawn"
