"""Who writes rows has the permit of a mail that was taken over name a mail that was not."""

from __future__ import annotations

from sqlalchemy import update

from delivery import tables
from delivery.permits import Spending
from gateway.process.desk import Desk
from tests.support.apps import ADA, App

BOB = "bob@example.org"
OWNER = "wrk_first"


async def test_what_was_taken_over_is_sent_under_no_permit_that_names_another(app: App) -> None:
    desk = Desk(app.parts)
    for person in (ADA, BOB):
        await app.sign_up(person)
    await app.tick()
    await desk.register(OWNER)
    lost, kept = await desk.claim(OWNER, 10)
    permit, outbox = tables.permit, tables.outbox
    named = {"message": kept.message, "attempt": kept.attempt}
    async with app.parts.data.begin() as connection:
        other = update(outbox).where(outbox.c.id == lost.message).values(owner="wrk_other")
        await connection.execute(other)
        # One permit a message and attempt: the other's row has to make room.
        freed = update(permit).where(permit.c.id == kept.permit).values(attempt=99)
        await connection.execute(freed)
        planted = update(permit).where(permit.c.id == lost.permit).values(named)
        await connection.execute(planted)

    both = [Spending(one.permit, one.message, one.attempt) for one in (lost, kept)]

    assert lost.permit not in await desk.spend(OWNER, both)
