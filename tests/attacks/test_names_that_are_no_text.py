"""By SQL, in SQLite: rows named by bytes that are no text. Nobody who goes through them stops.

What is read of such a name is another one, and the page after it begins before it again.
"""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Table, func, select

from consent import gates
from consent import tables as consents
from consent.keys import tables as keys
from gateway.flows.keeping.end_consents import Ending
from gateway.flows.keeping.expire import Expiry
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.flows.rights import erasing
from gateway.process import duties
from storage.database import driver_url
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

BOB = "bob@example.org"
DAY = timedelta(days=1)
PAGE = 200  # rows of one page of a duty
LONG = 120.0
ONLY = pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL keeps no such text


def copies(table: Table, number: int, **values: str) -> list[str]:
    """Copies of a row under names that are no text; *values* in SQL stand in place of others."""
    names = [column.name for column in table.columns]
    found = []
    for n in range(number):
        changed = {"id": f"CAST(x'ff{f'{n:06}'.encode().hex()}' AS TEXT)"} | values
        picked = ", ".join(changed.get(name, f'"{name}"') for name in names)
        listed = ", ".join(f'"{name}"' for name in names)
        found.append(
            f"INSERT INTO {table.name} ({listed}) SELECT {picked} FROM {table.name}"
            f" WHERE id NOT LIKE char(65533) || '%' AND substr(id, 4, 1) = '_' LIMIT 1"
        )
    return found


@ONLY
async def test_a_verification_ends(app: App, dialect: str) -> None:
    await app.subscribe()
    await app.tick()
    await by_sql(app, *copies(consents.subject, 1, blind_index="NULL"))

    verdict = await asyncio.wait_for(verify(app.parts), LONG)

    assert not verdict.ok


@ONLY
async def test_keys_that_nobody_names_are_swept_and_the_duty_ends(app: App, dialect: str) -> None:
    await app.subscribe()
    path = str(driver_url(app.parts.config.storage.keystore_url).database)
    app.step(3 * DAY)
    with closing(sqlite3.connect(path, timeout=60)) as raw, raw:
        raw.execute(
            "INSERT INTO dek (subject, compartment, epoch, wrapped, created_at)"
            " SELECT CAST(x'ff' AS TEXT), compartment, epoch, wrapped, created_at FROM dek LIMIT 1"
        )

    await asyncio.wait_for(RetentionRules(app.parts).keys(), LONG)

    async with app.parts.key_database.read() as connection:
        query = select(func.count()).select_from(keys.dek)
        assert (await connection.execute(query)).scalar_one() in (2, 3)


@ONLY
async def test_a_request_lapses_behind_a_page_of_such_rows(app: App, dialect: str) -> None:
    await app.confirmation()
    early = "'2020-01-01T00:00:00.000000Z'"
    await by_sql(app, *copies(consents.consent, PAGE, lapses_at=early, requested_at=early))
    app.step(4 * DAY)

    expiry = Expiry(app.parts)
    for _ in range(5):
        await expiry.by_date()

    async with app.parts.data.read() as connection:
        query = select(consents.consent.c.state).where(consents.consent.c.id.like("con_%"))
        assert (await connection.execute(query)).scalar_one() == "lapsed"


@ONLY
async def test_who_never_confirmed_is_forgotten_behind_a_page_of_such_rows(
    app: App, dialect: str
) -> None:
    """Promise 12: a rule runs by itself, whatever somebody wrote."""
    await app.confirmation()
    early = "'2020-01-01T00:00:00.000000Z'"
    nobody = "'sub_nobody'"  # so that nobody's own rows are in doubt
    changed = {"requested_at": early, "lapses_at": early, "state": "'lapsed'", "subject": nobody}
    await by_sql(app, *copies(consents.consent, PAGE, **changed))
    app.step(4 * DAY)
    await Expiry(app.parts).by_date()
    app.step(30 * DAY)

    rules = RetentionRules(app.parts)
    for _ in range(5):
        await asyncio.wait_for(rules.people(), LONG)

    assert await app.subject(ADA) is None


@ONLY
async def test_an_erasure_that_was_begun_ends_behind_a_page_of_such_rows(
    app: App, dialect: str
) -> None:
    await app.confirmation(BOB)
    bob = await app.subject(BOB)
    await by_sql(app, *copies(consents.subject, PAGE, state="'erasing'", blind_index="NULL"))
    rules = RetentionRules(app.parts)
    await rules.erasures()  # the walk stands at the end of such rows
    parts = app.parts
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [bob])
        now = await parts.clock.now(connection)
        await erasing.begin(
            parts.log, connection, parts.rows, parts.lookup, None, list(held.values()), now
        )

    for _ in range(5):
        await rules.erasures()

    async with parts.data.read() as connection:
        query = select(func.count()).where(consents.subject.c.id == bob)
        assert (await connection.execute(query.select_from(consents.subject))).scalar_one() == 0


@ONLY
async def test_a_wording_that_ends_consents_ends_those_behind_a_page_of_such_rows(
    app: App, dialect: str
) -> None:
    await app.subscribe()
    async with app.parts.data.read() as connection:
        query = select(consents.consent.c.text_hash)
        text = (await connection.execute(query)).scalar_one()
    before_ours = (one.replace("x'ff", "x'41ff") for one in copies(consents.consent, PAGE))
    await by_sql(app, *before_ours)

    ending, ended = Ending(app.parts, text), 0
    for _ in range(5):
        ended += await ending.some() or 0

    assert ended == 1


@ONLY
@pytest.mark.parametrize("name", ["CAST(x'ff' AS TEXT)", "'a' || char(0)"])
async def test_marks_and_keys_of_sign_ups_go_beside_such_rows(
    app: App, dialect: str, name: str
) -> None:
    await app.subscribe()
    ahead = "'2099-01-01T00:00:00.000000Z'"
    await by_sql(
        app,
        "INSERT INTO mark (id, address_hash, purpose, left_at)"
        f" VALUES ({name}, x'00', '', {ahead})",
    )
    path = str(driver_url(app.parts.config.storage.keystore_url).database)
    with closing(sqlite3.connect(path, timeout=60)) as raw, raw:
        raw.execute(
            f"INSERT INTO intake_key (id, epoch, wrapped, created_at, closed_at)"
            f" SELECT {name}, epoch, wrapped, created_at, created_at FROM intake_key LIMIT 1"
        )
    app.step(3 * DAY)

    await RetentionRules(app.parts).marks()
    await duties.sweep(app.parts)

    async with app.parts.data.read() as connection:
        query = select(func.count()).select_from(consents.mark)
        assert (await connection.execute(query)).scalar_one() == 0
    async with app.parts.key_database.read() as connection:
        closed = keys.intake_key.c.closed_at.is_not(None)
        query = select(func.count()).select_from(keys.intake_key).where(closed)
        assert (await connection.execute(query)).scalar_one() == 0
