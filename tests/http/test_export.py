"""A person takes along everything that is held about them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from audit import trail
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from tests.http.test_people_rights import Visit, visit
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.databases import Databases

BOB = "bob@example.org"


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


async def take(me: Visit, form: str, query: str = "") -> tuple[aiohttp.ClientResponse, bytes]:
    said = {"csrf": me.token, "format": form}
    url = f"/my-data/export{query}"
    async with me.app.http.post(url, data=said, headers=me.cookie, allow_redirects=False) as answer:
        return answer, await answer.read()


async def test_smoke(app: App) -> None:
    body = await app.posted(profile={"first_name": "Ada"})
    await app.http.post("/forms/signup", json=body)
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    await queue(app, text="Hello, Ada.")
    await app.deliver()
    me = await visit(app)
    print(await me.get("/my-data"))
    for form in ("json", "html", "pdf"):
        answer, raw = await take(me, form, "?locale=de")
        assert answer.status == 200, raw
        print(answer.headers, raw[:6000].decode(errors="replace"))
    assert 0
