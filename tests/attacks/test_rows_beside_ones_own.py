"""Rows that somebody planted beside a person's own make nobody else be read, and no look dearer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, text

from consent import address, gates, lookup, shares, tables
from consent.asked_about import AskedAbout, Asking
from consent.lookup import Found, LookUp
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Asked, Question
from tests.support.apps import ADA, App
from tests.support.clock import START
from tests.support.statements import statements

BOB = "bob@example.org"
MANY = 50
INDEX, SUBJECT = tables.subject_index, tables.subject


async def plant(app: App, kid: Callable[[int], int]) -> None:
    """As many people as that, and rows that find them by Ada's address."""
    (hashed,) = app.parts.lookup.hashes(ADA)
    named = [f"sub_planted{n}" for n in range(MANY)]
    row = {"state": "live", "locale": "en", "created_at": START, "trail_length": 0}
    people = [{"id": one, **row} for one in named]
    rows = [
        {"hash": hashed, "kid": kid(n), "subject": one, "mac": b"m" * 32}
        for n, one in enumerate(named)
    ]
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(SUBJECT), people)
        await connection.execute(insert(INDEX), rows)


async def without_key(app: App, table: Table) -> None:
    """As whoever owns a table can have it: any row may stand in it twice."""
    name = table.name
    changes = [f"ALTER TABLE {name} DROP CONSTRAINT {name}_pkey CASCADE"]
    if app.parts.data.dialect == "sqlite":
        changes = [
            f"CREATE TABLE forged AS SELECT * FROM {name}",  # noqa: S608 a table of ours
            f"DROP TABLE {name}",
            f"ALTER TABLE forged RENAME TO {name}",
        ]
    async with app.parts.data.begin() as connection:
        for one in changes:
            await connection.execute(text(one))


async def twice(app: App, email: str) -> None:
    """Plant a person's row once more."""
    await without_key(app, SUBJECT)
    async with app.parts.data.begin() as connection:
        theirs = select(SUBJECT).where(SUBJECT.c.id == await app.subject(email))
        row = (await connection.execute(theirs)).mappings().one()
        await connection.execute(insert(SUBJECT).values(dict(row)))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows of the index each look-up read."""
    seen: list[int] = []
    found = LookUp.found

    def noted(self: LookUp, hashes: lookup.Hashed, looked: Mapping[str, Any]) -> dict[str, Found]:
        seen.append(len(looked["theirs"]))
        return found(self, hashes, looked)

    monkeypatch.setattr(LookUp, "found", noted)
    return seen


async def asked_about(app: App, email: str) -> AskedAbout:
    asking = Asking(app.parts.lookup, app.parts.consents, app.parts.clock)
    async with app.parts.data.read() as connection:
        return await asking.about(connection, [email])


async def test_rows_under_keys_that_nobody_has_make_nobody_be_read(
    app: App, read: list[int]
) -> None:
    """Each look at her would read the rows of all of them, as large as somebody made these."""
    await app.subscribe()
    ada = await app.subject()
    await plant(app, lambda n: n + 2)
    read.clear()

    about = await asked_about(app, ADA)
    async with app.parts.data.read() as connection:
        found = await app.parts.lookup.find(connection, [ADA])

    assert found == about.found == {ADA: Found(str(ada))}
    assert about.gates.keys() == {ada}
    assert read == [1, 1]
    assert await app.permission() == "granted"


async def test_whoever_stands_under_her_own_key_too_is_not_read_and_she_is_found(app: App) -> None:
    """The table has no primary key any more; what was planted comes before what is hers."""
    await app.subscribe()
    ada = await app.subject()
    theirs = INDEX.c.subject == ada
    async with app.parts.data.begin() as connection:
        row = dict((await connection.execute(select(INDEX).where(theirs))).mappings().one())
    await without_key(app, INDEX)
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(INDEX).where(theirs))
    await plant(app, lambda _: 1)
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(INDEX).values(row))

    about = await asked_about(app, ADA)

    assert about.found == {ADA: Found(str(ada))}
    assert ada in about.gates
    assert len(about.gates) <= 2
    assert about.consents.keys() == {ada}
    assert await app.permission() == "granted"


async def test_of_whom_there_are_two_rows_is_answered_as_of_others(app: App, dialect: str) -> None:
    """Each look at her would be done once more, by the way that locks."""
    if dialect == "sqlite":
        pytest.skip("SQLite writes no row that names a table without a key")
    await app.subscribe()
    question = Asked(Question("newsletter", address.parse(ADA)), "key_1")
    await permission.ask_all(app.parts, [question])  # its wording and keys are at hand then
    with statements() as before:
        await permission.ask_all(app.parts, [question])
    await twice(app, ADA)

    with statements() as seen:
        (decision,) = await permission.ask_all(app.parts, [question])

    assert type(decision).__name__ == "Granted"
    assert len(seen) == len(before)


async def test_whoever_of_whom_one_row_of_two_is_held_is_not_removed(
    app: App, dialect: str
) -> None:
    if dialect == "sqlite":
        pytest.skip("with SQLite nobody holds a row while another writes")
    await app.subscribe(BOB)
    bob = str(await app.subject(BOB))
    await twice(app, BOB)
    one = select(SUBJECT.c.id).where(SUBJECT.c.id == bob).limit(1)

    async with app.parts.data.begin() as asker, app.parts.data.begin() as remover:
        await asker.execute(one.with_for_update(read=True, key_share=True))
        assert await shares.free(remover, [bob]) == {}

    async with app.parts.data.begin() as remover:
        assert (await shares.free(remover, [bob])).keys() == (
            await gates.peek(remover, [bob])
        ).keys()
