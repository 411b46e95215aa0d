from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.http import pages
from tests.support.page_samples import BRAND

Client = TestClient[web.Request, web.Application]


async def thanks(request: web.Request) -> web.Response:
    return pages.response(request, "thanks", brand=BRAND, form_targets=["https://acme.example"])


async def lost(request: web.Request) -> web.Response:
    return pages.error(request, 503, retry_after=7)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_get("/thanks", thanks)
    app.router.add_get("/lost", lost)
    async with TestClient(TestServer(app)) as made:
        yield made


async def test_a_page_keeps_to_itself(client: Client) -> None:
    answer = await client.get("/thanks")

    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://acme.example;" in policy
    assert "Set-Cookie" not in answer.headers


async def test_the_policy_allows_exactly_the_style_of_the_page(client: Client) -> None:
    answer = await client.get("/thanks")

    style = re.search(r"<style>(.*?)</style>", await answer.text(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


async def test_a_failure_has_a_page_with_the_same_protection(client: Client) -> None:
    answer = await client.get("/lost", headers={"Accept-Language": "de"})

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "in 7 Sekunden" in await answer.text()


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "de-AT", "de"),
        ("?locale=en", "de", "en"),
        ("?locale=%3Cx", "it", "en"),
        ("", "fr-CA", "fr"),
    ],
)
async def test_a_page_speaks_the_visitors_language(
    client: Client, query: str, header: str, language: str
) -> None:
    answer = await client.get(f"/thanks{query}", headers={"Accept-Language": header})

    assert f'<html lang="{language}">' in await answer.text()
