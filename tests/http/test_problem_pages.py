"""The type of a problem document leads to a page that says what it means."""

from __future__ import annotations

import html

import pytest

from gateway.http import problems
from tests.support.apps import App


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/messages/msg_1", None),
        ("GET", "/nothing", None),
        ("PUT", "/v1/messages", None),
        ("POST", "/v1/messages", b"{"),
        ("POST", "/forms/signup", b"{}"),
    ],
    ids=["no key", "not found", "wrong method", "no key, bad body", "wrong fields"],
)
async def test_the_type_of_an_answer_can_be_opened(
    embedded: App, method: str, path: str, body: bytes | None
) -> None:
    kind = {"Content-Type": "application/json"}
    async with embedded.http.request(method, path, data=body, headers=kind) as answer:
        problem = await answer.json()

    async with embedded.http.get(problem["type"]) as page:
        text = html.unescape(await page.text())

    assert (page.status, page.content_type) == (200, "text/html")
    about = problems.find(problem["type"].removeprefix("/problems/"))
    assert about is not None
    for said in (f"<h1>{problem['title']}</h1>", problem["type"], problem["detail"], about.todo):
        assert said in text
    assert f"<dd>{problem['status']}</dd>" in text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")


@pytest.mark.parametrize("slug", ["nothing", "Invalid", "a" * 65, "%00", "..%2fdocs", ""])
async def test_a_type_that_is_none_is_not_found(embedded: App, slug: str) -> None:
    async with embedded.http.get(f"/problems/{slug}") as page:
        text = await page.text()

    assert (page.status, page.content_type) == (404, "text/html")
    assert "There is no such page" in text
