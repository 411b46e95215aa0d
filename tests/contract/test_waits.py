"""A look at what waits reads a part of the queue, by its index."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from delivery import tables, waits
from tests.support.apps import App


async def test_a_look_costs_the_same_however_many_mails_are_queued(
    embedded: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MOST", 2)
    now = embedded.parts.clock.wall()
    for number in range(3):
        await embedded.sign_up(f"{number}@example.org")
    await embedded.tick()
    due, coming = (
        str(select(found).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        for found in (
            waits._first(tables.outbox.c.due_at <= now),
            waits._first(tables.outbox.c.due_at > now),
        )
    )

    async with embedded.parts.data.read() as connection:
        found = await waits.look(connection, now, "confirmation")
        plans = [
            str((await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}")).all())
            for one in (due, coming)
        ]

    assert found.due == 2
    assert all("USING INDEX outbox_due" in plan for plan in plans), plans
    assert not any("SCAN outbox" in plan for plan in plans), plans
