"""The script of a form: who may use it, what it weighs, and what its stamp proves."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.flows.joining.attestations import STAMP_LIFE
from tests.http.test_my_data import session
from tests.support.apps import ADA, ORIGIN, App, open_app

STAMP = "Consent-Stamp"
THERE = {"Origin": ORIGIN}


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


async def test_the_script_is_small_and_cached_and_for_its_origins(app: App) -> None:
    answer = await app.http.get("/forms/signup.js", headers={"Origin": ORIGIN})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Content-Encoding"] in ("gzip", "deflate")
    assert len(gzip.compress(await answer.read())) < 5000
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Origin", "Accept-Encoding"} <= set(answer.headers.getall("Vary"))
    assert "Set-Cookie" not in answer.headers


async def test_a_browser_that_has_the_script_is_told_so(app: App) -> None:
    first = await app.http.get("/forms/signup.js")
    tag = first.headers["ETag"]

    again = await app.http.get("/forms/signup.js", headers={"If-None-Match": tag})
    other = await app.http.get("/forms/signup.js", headers={"If-None-Match": '"other"'})

    assert (again.status, await again.read()) == (304, b"")
    assert other.status == 200


async def test_another_origin_may_not_read_it_and_no_form_has_none(app: App) -> None:
    stranger = await app.http.get("/forms/signup.js", headers={"Origin": "https://evil.example"})
    missing = await app.http.get("/forms/nothing.js")

    assert "Access-Control-Allow-Origin" not in stranger.headers
    assert missing.status == 404


async def test_the_stamp_can_be_read_by_the_forms_origins(app: App) -> None:
    answer = await app.http.get("/forms/signup.json", headers={"Origin": ORIGIN})

    assert answer.headers[STAMP]
    assert answer.headers["Access-Control-Expose-Headers"] == STAMP
    assert set(await answer.json()) == {"form", "locale", "locales", "purposes", "fields"}


async def stamped(app: App, form: str = "signup", **more: Any) -> dict[str, Any]:
    described = await app.http.get(f"/forms/{form}.json", headers=THERE)
    return await app.posted(stamp=described.headers[STAMP], **more)


async def test_a_stamp_proves_that_our_script_was_given_the_wording(app: App) -> None:
    body = await stamped(app)

    assert (await app.http.post("/forms/signup", json=body, headers=THERE)).status == 202
    await app.deliver()

    person = await session(app)
    assert "Our script showed the wording." in await _why(app, person)


async def test_without_a_stamp_the_wording_is_only_asserted(app: App) -> None:
    await app.sign_up()
    await app.deliver()

    person = await session(app)
    why = await _why(app, person)
    assert "Our script" not in why
    assert "is what the page's operator says" in why


async def _why(app: App, person: dict[str, str]) -> str:
    return await (await app.http.get("/my-data/why", headers=person)).text()


async def test_a_stamp_that_does_not_fit_is_refused_at_its_place(app: App) -> None:
    fresh = await stamped(app)
    altered = {**fresh, "stamp": fresh["stamp"][:-2] + "xx"}
    of_another = await stamped(app, "linked")
    app.step(STAMP_LIFE + timedelta(seconds=1))
    stale, altered = fresh, {**altered, "stamp": (await stamped(app))["stamp"][:-2] + "xx"}

    for body in (stale, altered, of_another):
        answer = await app.http.post("/forms/signup", json=body)
        assert answer.status == 422
        assert [one["pointer"] for one in (await answer.json())["errors"]] == ["/stamp"]
    assert [one for one in await app.deliver() if one.to == ADA] == []
