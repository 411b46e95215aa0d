"""Rows as another release writes them: filled and signed by the upgrade, understood after it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Insert, insert, select, text, update

from consent import address
from consent.model import GroundKind
from delivery import outbox, permits, retention, tables
from delivery.permits import Terms
from gateway.flows.rights import fresh_link
from gateway.flows.sending import grounds
from gateway.schema import database_schema
from gateway.schema.database_schema import DATA
from storage import bad_rows
from storage.database import Database
from storage.signed import Adopter
from tests.support.apps import ADA, App
from tests.support.clock import START

BOB = "bob@example.org"
LATER = shutil.ignore_patterns("data_0002*")
HASH, LINK = "00ff" * 16, "lnk_06eb1vkk0345bbpfmu1qikssr4"


def queued(name: str, regarding: str | None) -> Insert:
    values = {
        "id": name,
        "kind": "service",
        "subject": "sub_1",
        "purpose": "news",
        "sender": "acme",
        "status": "queued",
        "due_at": START,
        "expires_at": START,
        "attempt": 0,
        "tries": 0,
        "regarding": regarding,
        "created_at": START,
    }
    return insert(tables.outbox).values(values)


def granted(kind: str) -> Insert:
    """A spent permit on a ground of that kind."""
    values = {
        "id": kind,
        "message": kind,
        "attempt": 1,
        "owner": "wrk_1",
        "subject": "sub_1",
        "purpose": "news",
        "ground_kind": kind,
        "ground_id": f"con_{kind}",
        "state": permits.SPENT,
        "decided_at": START,
        "expires_at": START,
        "spent_at": START,
        "eid": b"e",
    }
    return insert(tables.permit).values(values)


async def as_of_the_first_release(database: Database, folder: Path) -> None:
    """An empty database as that release made it."""
    shutil.copytree(DATA.migrations, folder / "data", ignore=LATER)
    await database_schema.upgrade_one(database, replace(DATA, migrations=folder / "data"))


async def test_the_upgrade_says_what_the_first_release_left_to_be_guessed(
    database: Database, tmp_path: Path
) -> None:
    await as_of_the_first_release(database, tmp_path)
    async with database.begin() as connection:
        for name, regarding in {"msg_hash": HASH, "msg_link": LINK, "msg_none": None}.items():
            await connection.execute(queued(name, regarding))
        for kind in GroundKind:
            await connection.execute(granted(str(kind)))

    assert await database_schema.upgrade_one(database, DATA)

    async with database.begin() as connection:
        found = await connection.execute(text("SELECT id, occasion FROM outbox ORDER BY id"))
        terms = text("SELECT id, counts, for_all, keeps_use FROM permit")
        filled = {row[0]: Terms(*row[1:]) for row in await connection.execute(terms)}
    assert [tuple(row) for row in found] == [
        ("msg_hash", "confirmation"),
        ("msg_link", "fresh-link"),
        ("msg_none", None),
    ]
    assert filled == {str(kind): grounds.terms(kind) for kind in GroundKind}


async def adopted(app: App, **values: str) -> None:
    """Sign all messages as those that another release left, with those values."""
    async with app.parts.data.begin() as connection:
        await connection.execute(update(tables.outbox).values(kid=None, mac=None, **values))
        await Adopter(outbox.SIGNED).adopt(connection, app.parts.rows)


async def test_mails_that_a_process_of_the_first_release_queued_are_sent(limited: App) -> None:
    await limited.subscribe(ADA)
    await limited.sign_up(BOB)
    await limited.tick()
    await fresh_link.accept(limited.parts, address.parse(ADA), None)
    await fresh_link.work_off(limited.parts)
    await adopted(limited)

    to = {mail.to: mail for mail in await limited.deliver()}

    assert to[BOB].token("confirm") and to[ADA].token("my-data")


async def test_a_mail_that_only_a_later_release_understands_is_left_to_it(limited: App) -> None:
    await limited.sign_up(BOB)
    await limited.tick()
    await adopted(limited, occasion="birthday")

    assert await limited.deliver() == []

    async with limited.parts.data.begin() as connection:
        status = select(tables.outbox.c.status)
        assert (await connection.execute(status)).scalar_one() == "deferred"
    await adopted(limited, occasion="confirmation")
    limited.step(bad_rows.FIRST)
    assert [mail.to for mail in await limited.deliver()] == [BOB]


async def test_permits_of_the_first_release_count_for_the_same(
    database: Database, tmp_path: Path
) -> None:
    await as_of_the_first_release(database, tmp_path)
    async with database.begin() as connection:
        for kind in GroundKind:
            await connection.execute(granted(str(kind)))
    await database_schema.upgrade_one(database, DATA)

    async with database.begin() as connection:
        page = await permits.after(connection, None, 10)
        pair, before = ("sub_1", "news"), START - timedelta(days=1)
        counted = await permits.moments(connection, [pair], before, START)
        kept = await retention.old_permits(connection, None, START, 10)
        later = START + timedelta(days=1)
        opened = update(tables.permit).values(state=permits.OPEN, expires_at=later)
        await connection.execute(opened)
        waited_for = await permits.open_permits(connection, "sub_1", "other", START)

    assert {one.id: one.terms for one in page} == {
        str(kind): grounds.terms(kind) for kind in GroundKind
    }
    assert [one.message for one in counted[pair]] == ["consent"]
    assert {one.id for one in kept if one.last_use is not None} == {"consent"}
    assert waited_for == {"confirmation"}
