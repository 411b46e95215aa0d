"""Whoever has a form's stamp, from our page or our script, tries to make it prove more than it may.

A stamp is an attestation of one sign-up: that our page, or our script on a page of
a listed origin, was given the wording to show. It proves that once.
"""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.process import duties
from gateway.schema.tables import spent_stamp
from tests.support.apps import ADA, ORIGIN, App, open_app, start_app
from tests.support.clock import SteppedClock
from tests.support.databases import Databases
from tests.support.hostile import by_sql
from tests.support.posts import hosted, kept, opened, scripted

GRACE = "grace@example.org"
OUR_PAGE = "http://gateway.example/forms/signup"
THEIRS = "https://evil.example"


async def post(app: App, fields: list[tuple[str, str]], **headers: str) -> int:
    async with app.http.post("/forms/signup", data=fields, headers=headers) as answer:
        return answer.status


async def post_json(app: App, body: dict[str, Any], origin: str | None = ORIGIN) -> int:
    headers = {"Origin": origin} if origin else {}
    async with app.http.post("/forms/signup", json=body, headers=headers) as answer:
        return answer.status


def of(fields: list[tuple[str, str]], **changes: str) -> list[tuple[str, str]]:
    """The same post with other values."""
    return [(name, changes.get(name, value)) for name, value in fields]


async def proofs(app: App) -> dict[str, tuple[str, str | None]]:
    """Who showed the wording, and where, for each address that waits."""
    return {one.email.typed: (one.rendered_by, one.page_url) for one in await opened(app)}


async def spent(app: App) -> int:
    async with app.parts.data.read() as connection:
        query = select(func.count()).select_from(spent_stamp)
        return int((await connection.execute(query)).scalar_one())


async def test_one_stamp_proves_the_wording_to_one_person(app: App) -> None:
    fields = await hosted(app)

    assert await post(app, fields) == 200
    assert await post(app, of(fields, email=GRACE, page_url=f"{THEIRS}/trick")) == 200

    assert await proofs(app) == {
        ADA: ("page", OUR_PAGE),
        GRACE: ("asserted", f"{THEIRS}/trick"),
    }


async def test_our_page_is_where_it_is_and_not_where_a_post_says(app: App) -> None:
    fields = of(await hosted(app), page_url=f"{THEIRS}/trick")

    assert await post(app, fields) == 200

    assert await proofs(app) == {ADA: ("page", OUR_PAGE)}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": THEIRS}, id="its origin"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, id="without its origin"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="a neighbour"),
        pytest.param({"Origin": "http://gateway.example.evil.example"}, id="alike"),
    ],
)
async def test_our_stamp_on_another_sites_form_proves_nothing(
    app: App, headers: dict[str, str]
) -> None:
    fields = await hosted(app)

    assert await post(app, fields, **headers) == 200

    assert {by for by, _ in (await proofs(app)).values()} == {"asserted"}
    assert await spent(app) == 0, "the person on our page lost the proof to a stranger"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="an old browser"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, id="without referrer"),
        pytest.param({"Origin": "http://gateway.example"}, id="with its origin"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "none"}, id="reloaded"),
    ],
)
async def test_our_page_is_believed_as_browsers_post_it(app: App, headers: dict[str, str]) -> None:
    assert await post(app, await hosted(app), **headers) == 200

    assert await proofs(app) == {ADA: ("page", OUR_PAGE)}


async def test_our_script_proves_it_on_a_page_of_a_listed_origin_once(app: App) -> None:
    body = await scripted(app)

    assert await post_json(app, body) == 202
    assert await post_json(app, body | {"email": GRACE}) == 202

    assert await proofs(app) == {
        ADA: ("script", f"{ORIGIN}/offer"),
        GRACE: ("asserted", f"{ORIGIN}/offer"),
    }


@pytest.mark.parametrize(
    ("got", "posted", "page"),
    [
        pytest.param(THEIRS, THEIRS, THEIRS, id="an origin that is not listed"),
        pytest.param(THEIRS, ORIGIN, ORIGIN, id="got by another origin"),
        pytest.param(ORIGIN, THEIRS, ORIGIN, id="posted by another origin"),
        pytest.param(ORIGIN, None, ORIGIN, id="posted by no page"),
        pytest.param(None, ORIGIN, ORIGIN, id="got by no page"),
        pytest.param(ORIGIN, "null", ORIGIN, id="posted by a page that hides"),
        pytest.param(ORIGIN, ORIGIN, THEIRS, id="another page named"),
        pytest.param(ORIGIN, ORIGIN, f"{ORIGIN}.evil.example", id="a page alike"),
        pytest.param(ORIGIN, ORIGIN, f"{ORIGIN}@evil.example", id="a page that only begins so"),
    ],
)
async def test_a_scripts_stamp_needs_a_listed_origin_from_first_to_last(
    app: App, got: str | None, posted: str | None, page: str
) -> None:
    body = await scripted(app, origin=got, page_url=f"{page}/offer")

    assert await post_json(app, body, posted) == 202

    ((by, _),) = (await proofs(app)).values()
    assert by == "asserted"


async def test_a_stamp_proves_only_what_it_was_made_for(app: App) -> None:
    of_page = dict(await hosted(app))["stamp"]
    of_script = (await scripted(app))["stamp"]

    body = await app.posted(stamp=of_page)
    fields = [("email", GRACE), ("purpose", "newsletter"), ("text", body["texts"][0])]
    assert await post_json(app, body, None) == 202
    assert await post(app, [*fields, ("stamp", of_script)]) == 200

    assert {by for by, _ in (await proofs(app)).values()} == {"asserted"}


async def test_a_crowd_with_one_stamp_proves_one(app: App) -> None:
    fields = await hosted(app)
    # No more than are read at once below: whose post came first is not told by any order.
    crowd = [of(fields, email=f"ada{n}@example.org") for n in range(10)]

    assert set(await asyncio.gather(*(post(app, one) for one in crowd))) == {200}

    proven = [by for by, _ in (await proofs(app)).values()]
    assert sorted(proven)[-2:] == ["asserted", "page"]
    assert (len(proven), await spent(app)) == (10, 1)


async def test_an_old_stamp_is_refused_before_its_row_goes(app: App) -> None:
    fields = await hosted(app)
    await post(app, fields)

    app.step(timedelta(hours=23, minutes=30))
    await duties.sweep(app.parts)
    assert await spent(app) == 1
    assert await post(app, of(fields, email=GRACE)) == 422
    app.step(timedelta(hours=1))
    await duties.sweep(app.parts)

    assert (await spent(app), await kept(app)) == (0, 1)


async def test_a_planted_row_costs_the_proof_and_nobodys_sign_up(app: App) -> None:
    fields = await hosted(app)
    await post(app, fields)
    nothing = "x''" if app.parts.data.dialect == "sqlite" else r"'\x'"
    await by_sql(app, f"UPDATE spent_stamp SET post_mark = {nothing}")

    assert await post(app, fields) == 200

    assert sorted(one.rendered_by for one in await opened(app)) == ["asserted", "page"]


async def test_who_reads_the_rows_cannot_try_addresses_on_them(app: App) -> None:
    """Neither the stamp's number nor anything of the post is in them, or guessed from them."""
    fields = await hosted(app)
    await post(app, fields)

    async with app.parts.data.read() as connection:
        (row,) = (await connection.execute(select(spent_stamp))).all()
    assert {len(row.nonce_hash), len(row.post_mark)} == {32}
    await duties.sweep(app.parts)
    again = await hosted(app)
    await post(app, again)
    async with app.parts.data.read() as connection:
        marks = (await connection.execute(select(spent_stamp.c.post_mark))).scalars().all()
    assert len(set(marks)) == 2, "the same post under another stamp has the same mark"


@pytest.fixture
async def nodes(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> AsyncIterator[list[App]]:
    """Two processes of one gateway."""
    clock = SteppedClock()
    async with (
        open_app(tmp_path, new_database_url, dialect, limits=True, clock=clock) as first,
        start_app(first.parts.config, clock) as second,
    ):
        yield [first, second]


async def test_one_stamp_at_two_nodes_at_once_proves_one(nodes: list[App]) -> None:
    for turn in range(5):
        fields = await hosted(nodes[0])
        posts = [
            post(app, of(fields, email=f"ada{turn}{n}@example.org"))
            for n in range(3)
            for app in nodes
        ]
        assert set(await asyncio.gather(*posts)) == {200}
        nodes[0].step(timedelta(seconds=30))

    assert await spent(nodes[0]) == 5
