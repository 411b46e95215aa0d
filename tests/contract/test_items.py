"""What batch events say: each person once, in the order of the log, and what names nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from audit import items
from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from audit.tables import audit_item
from storage.database import Database
from tests.support.audit import GRACE, LOG, MOMENT, KeyRing, batch_event, create_log, write

KINDS = (Kind.PERMIT_BATCH, Kind.MESSAGE_CANCELLED)


@pytest.fixture(autouse=True)
async def opened_log(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)
    await write(database)


async def test_people_are_gone_through_by_id_and_each_once(database: Database) -> None:
    ring = KeyRing()
    for _ in range(2):
        await write(database, batch_event(ring, ["sub_c", "sub_a", None, "sub_b"]))

    async with database.read() as connection:
        first = await items.people(connection, "", 2)
        second = await items.people(connection, first[-1], 2)
        third = await items.people(connection, second[-1], 2)

    assert (first, second, third) == (["sub_a", "sub_b"], ["sub_c"], [])


async def test_what_is_said_of_people_is_in_order_and_what_is_staged_comes_last(
    database: Database,
) -> None:
    ring = KeyRing()
    await write(database, batch_event(ring, [GRACE, "sub_ada"]))
    cancelled = Event(
        Kind.MESSAGE_CANCELLED, Actor.API, MOMENT, items=[Item(GRACE, {"message": "msg_0"})]
    )
    async with database.begin() as connection:
        await LOG.stage(connection, [draft(cancelled, ring, LOG.node)])

    async with database.read() as connection:
        told = await items.told(connection, [GRACE], KINDS, ring)

    assert [(one.kind, one.facts["message"]) for one in told] == [
        (Kind.PERMIT_BATCH, "msg_0"),
        (Kind.MESSAGE_CANCELLED, "msg_0"),
    ]


async def test_what_names_nobody_is_read_and_what_is_no_item_passed_over(
    database: Database,
) -> None:
    ring = KeyRing()
    event = batch_event(ring, [GRACE, None])
    await write(database, event)
    planted = {"eid": event.eid, "subject": None, "commitment": bytes(32), "sealed": b"[" * 999}
    async with database.begin() as connection:
        await connection.execute(insert(audit_item).values(planted | {"position": 7}))

    async with database.read() as connection:
        page = await items.of_nobody(connection, KINDS, -1, 10)
        assert page.last is not None
        rest = await items.of_nobody(connection, KINDS, page.last, 10)

    assert [(one.kind, one.facts) for one in page.found] == [
        (Kind.PERMIT_BATCH, {"message": "msg_1"})
    ]
    assert (rest.found, rest.last) == ([], None)
