"""The page of the API, and the pages that say what a type of problem means."""

from __future__ import annotations

import html
import re

import pytest

from gateway.http import problems
from tests.support.apps import App
from tests.support.outline import Outline


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


async def test_the_page_of_the_api_loads_our_scripts_and_its_document_alone(embedded: App) -> None:
    async with embedded.http.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]

    async with embedded.http.get("/docs") as page:
        text, policy = await page.text(), page.headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; ")
    assert "connect-src 'self'" in policy
    assert "unsafe-eval" not in policy
    outline = Outline(text)
    scripts = [attrs["src"] for tag, attrs in outline.tags if tag == "script"]
    assert scripts == ["/docs/rapidoc-min.js", "/docs/reference.js"]
    (shown,) = (attrs for tag, attrs in outline.tags if tag == "rapi-doc")
    assert (shown["spec-url"], shown["allow-try"]) == ("/openapi.json", "false")
    assert shown["load-fonts"] == "false", "fonts would come from elsewhere"
    links = [attrs["href"] or "" for tag, attrs in outline.tags if tag == "a"]
    named = {link[1:] for link in links if link.startswith("#")}
    assert named == {"overview"} | {
        f"{method}-{re.sub('[{}]', '-', path)}"
        for path, methods in paths.items()
        for method in methods
    }
    for sender in embedded.parts.config.senders.values():
        assert {sender.imprint_url, sender.privacy_url} <= set(links)


@pytest.mark.parametrize("name", ["rapidoc-min.js", "reference.js"])
async def test_its_scripts_are_packed_and_kept_by_browsers(embedded: App, name: str) -> None:
    async with embedded.http.get(f"/docs/{name}") as packed:
        body, tag = await packed.read(), packed.headers["ETag"]
    async with embedded.http.get(f"/docs/{name}", headers={"Accept-Encoding": "identity"}) as plain:
        assert await plain.read() == body
        assert "Content-Encoding" not in plain.headers
    async with embedded.http.get(f"/docs/{name}", headers={"If-None-Match": tag}) as known:
        assert (known.status, await known.read()) == (304, b"")

    assert packed.content_type == "text/javascript"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["X-Content-Type-Options"] == "nosniff"
    assert int(packed.headers["Content-Length"]) < 250_000


async def test_the_page_without_a_script_shows_every_operation_and_loads_nothing(
    embedded: App,
) -> None:
    async with embedded.http.get("/openapi.json") as answer:
        document = await answer.json()

    async with embedded.http.get("/docs/text") as page:
        text = await page.text()
        policy = page.headers["Content-Security-Policy"]

    outline = Outline(text)
    ids = {attrs["id"] for _, attrs in outline.tags if "id" in attrs}
    for path, methods in document["paths"].items():
        assert path in text
        assert {one["operationId"] for one in methods.values()} <= ids
    for name in document["components"]["schemas"]:
        assert f"schema-{name}" in ids
    links = [attrs["href"] or "" for tag, attrs in outline.tags if tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= ids | {"main"}
    senders = embedded.parts.config.senders.values()
    legal = {place for one in senders for place in (one.imprint_url, one.privacy_url)}
    away = {link for link in links if not link.startswith(("#", "/"))}
    assert away == legal, "a link leaves the site"
    loading = {"script", "img", "link", "iframe", "object", "source"}
    assert not [tag for tag, _ in outline.tags if tag in loading]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "&#34;newsletter&#34;" in text or '"newsletter"' in text
