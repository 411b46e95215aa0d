"""People are found by rows that a gateway wrote, one for each live key; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from consent import address, tables
from gateway.callers.api_keys import Scope
from gateway.flows.proving import verify
from gateway.flows.rights import fresh_link
from storage.ids import random_id
from tests.support.apps import ADA, App
from tests.support.clock import START
from tests.support.fresh_links import sent_links

BOB = "bob@example.org"
index = tables.subject_index
MESSAGE = {
    "to": {"email": ADA},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}


async def post(app: App, path: str, body: dict[str, Any], *scopes: Scope) -> int:
    async with app.http.post(path, json=body, headers=await app.key(*scopes)) as answer:
        return answer.status


async def doubts(app: App) -> str:
    return "\n".join((await verify.verify(app.parts)).rows)


async def alter(app: App, email: str, **values: Any) -> None:
    theirs = index.c.subject == await app.subject(email)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(index).where(theirs).values(values))


async def test_an_address_that_was_pointed_at_somebody_else_gets_nothing_of_theirs(
    app: App,
) -> None:
    await app.subscribe(BOB)
    await app.confirmation(ADA)

    await alter(app, ADA, subject=await app.subject(BOB))

    assert await app.permission(ADA) == "unproven"
    assert await post(app, "/v1/messages", MESSAGE) == 403
    await fresh_link.accept(app.parts, address.parse(ADA), None)
    await app.sign_up(ADA, "updates")
    assert await app.deliver() == []
    assert await sent_links(app.parts) == []
    assert "subject_index" in await doubts(app)
    assert await app.permission(BOB) == "granted"


async def test_who_leaves_while_their_row_was_altered_has_left(app: App) -> None:
    await app.subscribe()
    async with app.parts.data.read() as connection:
        (before,) = (await connection.execute(select(index))).all()
    await alter(app, ADA, mac=b"m" * 32)
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}

    assert await post(app, "/v1/withdrawals", body) == 200

    await alter(app, ADA, mac=before.mac)
    assert await app.permission() == "withdrawn"


async def test_a_deleted_row_is_named_by_whom_it_found(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(index))

    assert f"subject {subject}" in await doubts(app)


async def test_a_row_copied_under_another_number_is_named(app: App) -> None:
    await app.subscribe()
    async with app.parts.data.begin() as connection:
        row = (await connection.execute(select(index))).mappings().one()
        await connection.execute(insert(index).values(dict(row) | {"kid": 9}))

    assert "subject_index" in await doubts(app)
    assert await app.permission() == "granted"


async def test_a_row_that_was_planted_for_a_stranger_keeps_them_waiting_and_harms_nobody(
    app: App,
) -> None:
    await app.subscribe(BOB)
    (hashed,) = app.parts.lookup.hashes(ADA)
    planted = {"hash": hashed, "kid": 1, "subject": await app.subject(BOB), "mac": b"m" * 32}
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(index).values(planted))
    await app.sign_up(ADA)
    await app.sign_up("cleo@example.org")

    assert [mail.to for mail in await app.deliver()] == ["cleo@example.org"]

    async with app.parts.data.begin() as connection:
        await connection.execute(delete(index).where(index.c.mac == planted["mac"]))
    app.step(timedelta(minutes=1))  # what is parked is looked at again
    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_of_two_who_admit_one_address_at_once_one_does(app: App) -> None:
    await app.confirmation(ADA)
    late = random_id("sub")
    row = {"state": "live", "locale": "en", "created_at": START, "trail_length": 0}
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(tables.subject).values(id=late, **row))
        assert await app.parts.lookup.add(connection, {late: ADA}) == set()
        await connection.execute(delete(tables.subject).where(tables.subject.c.id == late))

    assert await app.subject(ADA) not in (late, None)


@pytest.mark.parametrize("odd", [None, b"x" * 16])
async def test_the_hashes_of_the_first_release_are_moved_page_by_page(
    app: App, odd: bytes | None
) -> None:
    lookup = app.parts.lookup
    people = {random_id("sub"): f"person{number}@example.org" for number in range(501)}
    row = {"state": "live", "locale": "en", "created_at": START, "trail_length": 0}
    rows = [
        {"id": one, "blind_index": lookup.hashes(email)[0], **row} for one, email in people.items()
    ]
    rows[-1]["blind_index"] = odd
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(tables.subject), rows)

    moved: list[int] = []
    page: list[str] = []
    while page or not moved:  # each in a transaction of its own: whoever is ended goes on
        async with app.parts.data.begin() as connection:
            page = await lookup.adopt(connection, page[-1] if page else None)
            moved.append(len(page))

    assert moved == ([500, 0] if odd is None else [500, 1, 0])
    assert await app.subject("person0@example.org") in people
    assert await app.subject("person500@example.org") is None
    async with app.parts.data.read() as connection:
        left = select(tables.subject.c.id).where(tables.subject.c.blind_index.is_not(None))
        assert (await connection.execute(left)).all() == []
