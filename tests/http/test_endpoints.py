"""The table of endpoints makes the routes, and says who is there: a person or a program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pydantic import BaseModel

from gateway.errors import NotFound
from gateway.http import openapi, problems
from gateway.http.endpoints import endpoint, page

Client = TestClient[web.Request, web.Application]
METHODS = ("PUT", "PATCH", "DELETE", "POST")


class Body(BaseModel):
    said: str


async def refuse(request: web.Request) -> web.StreamResponse:
    raise NotFound


async def say(request: web.Request) -> web.StreamResponse:
    return web.Response(text=request.method)


def error_page(request: web.Request, status: int) -> web.Response:
    return web.Response(text="<h1>page</h1>", content_type="text/html", status=status)


ENDPOINTS = [
    *(endpoint(one, "/v1/things", summary=one, responses={200: None})(say) for one in METHODS),
    endpoint("GET", "/v1/things", summary="All", responses={200: None})(say),
    endpoint("GET", "/forms/{form:[a-z]+}.json", summary="A form", responses={200: None})(refuse),
    endpoint(
        "POST",
        "/forms/{form:[a-z]+}",
        summary="Sign up",
        responses={202: None},
        request=Body,
        people=True,
    )(refuse),
    page("GET", "/forms/{form:[a-z]+}", "The form")(refuse),
    page("GET", "/notes/{note:[a-z]+}", "A note")(refuse),
    page("POST", "/notes/{note:[a-z]+}", "Answer a note")(refuse),
]


@pytest.fixture
async def client(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    app = web.Application(middlewares=[problems.middleware(error_page)])
    openapi.add_routes(app, ENDPOINTS, public_url="https://mail.example.org")
    return await aiohttp_client(app)


@pytest.mark.parametrize("method", [*METHODS, "GET"])
async def test_every_method_of_the_table_is_served_and_is_in_the_document(
    client: Client, method: str
) -> None:
    answer = await client.request(method, "/v1/things")
    document = await (await client.get("/openapi.json")).json()

    assert (answer.status, await answer.text()) == (200, method)
    assert method.lower() in document["paths"]["/v1/things"]


async def test_what_can_be_got_can_be_asked_for_its_head(client: Client) -> None:
    assert (await client.head("/v1/things")).status == 200


FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@pytest.mark.parametrize(
    ("method", "path", "sent", "shown"),
    [
        ("GET", "/notes/a", None, True),
        ("HEAD", "/notes/a", None, True),
        ("POST", "/notes/a", None, True),
        ("POST", "/notes/a", JSON, True),
        ("GET", "/notes/a/b", None, True),
        ("POST", "/notes/a/b", JSON, True),
        ("DELETE", "/notes/a", None, False),
        ("GET", "/forms/a", None, True),
        ("POST", "/forms/a", FORM, True),
        ("POST", "/forms/a", JSON, False),
        ("POST", "/forms/a", None, False),
        ("GET", "/forms/a.json", None, False),
        ("GET", "/forms/A", None, True),
        ("GET", "/forms/A.json", None, False),
        ("POST", "/forms/A", FORM, True),
        ("POST", "/forms/A", JSON, False),
        ("GET", "/v1/nothing", None, False),
        ("GET", "/nothing", None, False),
    ],
)
async def test_people_are_shown_pages_and_programs_problems(
    client: Client, method: str, path: str, sent: str | None, shown: bool
) -> None:
    headers = {"Content-Type": sent} if sent else {}

    answer = await client.request(method, path, headers=headers)

    expected = "text/html" if shown else "application/problem+json"
    assert (answer.status >= 400, answer.content_type) == (True, expected)
