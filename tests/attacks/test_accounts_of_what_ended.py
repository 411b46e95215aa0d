"""What goes by its term is accounted for in the log, item by item: nobody gets more into it.

Whoever writes rows and could make an account say more than what went, could delete as
much elsewhere, and `audit verify` would say ok.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update

from audit import strays
from audit.kinds import Kind
from audit.tables import audit_entry, audit_item, audit_payload
from delivery import tables
from gateway.flows.proving.verify import verify
from tests.attacks.test_left_before import BOB, erased
from tests.promises.test_nothing_is_kept_longer import DAY, YEAR, later, run_rules, send, subject_of
from tests.support.apps import App

row = audit_item.c
MANY = 3
OF_MAILS = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH, Kind.PERMISSION_ASKED)


async def years(app: App) -> None:
    """Mails and questions whose term is over, which did not go yet, and younger ones."""
    await app.subscribe()
    for _ in range(MANY):
        await send(app)
        await app.permission()
    app.step(YEAR + DAY)
    for _ in range(MANY):
        await send(app)
        await app.permission()
    await app.tick()


async def batches(app: App, *kinds: Kind) -> list[bytes]:
    """Events with items of people, oldest first."""
    query = select(audit_entry.c.eid).where(audit_entry.c.kind.in_(kinds or OF_MAILS))
    async with app.parts.data.read() as connection:
        return list((await connection.execute(query.order_by(audit_entry.c.leaf_index))).scalars())


async def stored(app: App, *where: Any) -> list[dict[str, Any]]:
    async with app.parts.data.read() as connection:
        query = select(audit_item).where(*where)
        return [dict(one) for one in (await connection.execute(query)).mappings()]


async def executed(app: App, *statements: Any) -> None:
    async with app.parts.data.begin() as connection:
        for one in statements:
            await connection.execute(one)


def written(one: Mapping[str, Any]) -> Any:
    """What makes a row of the log's items as it was."""
    place = (row.eid == one["eid"]) & (row.position == one["position"])
    return update(audit_item).where(place).values(one)


async def planted_beyond(app: App) -> list[Any]:
    """More items than an old event has."""
    her = await subject_of(app)
    one = {"subject": her, "commitment": bytes(32), "sealed": bytes(80)}
    old = await batches(app)
    rows = [one | {"eid": old[0], "position": 100 + n} for n in range(MANY)]
    await executed(app, insert(audit_item).values(rows))
    return [delete(audit_item).where(row.position >= 100)]


async def copied_beyond(app: App) -> list[Any]:
    """Old items once more, behind those of the same event."""
    old = (await batches(app))[:MANY]
    rows = await stored(app, row.eid.in_(old), row.subject.is_not(None))
    copies = [one | {"position": 100 + n} for n, one in enumerate(rows)]
    assert copies
    await executed(app, insert(audit_item).values(copies))
    return [delete(audit_item).where(row.position >= 100)]


async def filled_again(app: App) -> list[Any]:
    """What went before, as if it had not, with anything in it."""
    her = await subject_of(app)
    blank = await _let_go_first(app)
    await executed(app, *(written(one | {"subject": her, "sealed": bytes(80)}) for one in blank))
    return [written(one) for one in blank]


async def put_back(app: App) -> list[Any]:
    """What went before, as it was."""
    whole = await stored(app, row.subject.is_not(None))
    blank = await _let_go_first(app)
    gone = [(one["eid"], one["position"]) for one in blank]
    again = [one for one in whole if (one["eid"], one["position"]) in gone]
    assert again
    await executed(app, *(written(one) for one in again))
    return [written(one) for one in blank]


async def _let_go_first(app: App) -> list[dict[str, Any]]:
    before = {(one["eid"], one["position"]) for one in await stored(app, row.sealed.is_(None))}
    await run_rules(app)
    blank = await stored(app, row.sealed.is_(None))
    return [one for one in blank if (one["eid"], one["position"]) not in before]


Attack = Callable[[App], Awaitable[list[Any]]]


async def look_deleted(app: App) -> list[Any]:
    """Deletes what a young event says of who asked about her: nothing else tells of that."""
    young = (await batches(app, Kind.PERMISSION_ASKED))[-1]
    assert await stored(app, row.eid == young, row.subject.is_not(None))
    return [update(audit_item).where(row.eid == young).values(subject=None, sealed=None)]


@pytest.mark.parametrize("attack", [planted_beyond, copied_beyond, filled_again, put_back])
async def test_no_row_that_somebody_writes_accounts_for_what_he_deletes(
    app: App, attack: Attack
) -> None:
    await years(app)
    undone = await attack(app)
    await later(app, DAY)  # by a process that begins anew

    await executed(app, *undone)
    await run_rules(app)
    assert (await verify(app.parts)).ok, "the attack shows without what he deletes"
    await executed(app, *await look_deleted(app))

    assert not (await verify(app.parts)).ok


async def test_what_went_and_was_put_back_is_named(app: App) -> None:
    await years(app)

    undone = await put_back(app)

    said = (await verify(app.parts)).rows
    assert len([one for one in said if one.startswith("audit_item ")]) == len(undone)
    await executed(app, *undone)
    assert (await verify(app.parts)).ok


@pytest.mark.parametrize("table", [audit_item, audit_payload], ids=["items", "payloads"])
async def test_nor_does_an_erasure_for_which_somebody_planted_more(app: App, table: Table) -> None:
    await app.subscribe(BOB)
    bob = await app.subject(BOB)
    await app.subscribe()
    await app.permission()
    await app.tick()
    one: dict[str, Any] = {"subject": bob, "sealed": bytes(80)}
    planted = [one | _place(table, number) for number in range(MANY)]
    await executed(app, insert(table).values(planted))

    await erased(app, BOB)
    await app.tick()
    assert not (await verify(app.parts)).ok  # what was planted was put aside, and is named
    await executed(app, delete(table).where(table.c.subject == strays.NOBODY))
    assert (await verify(app.parts)).ok
    if table is audit_item:
        await executed(app, *await look_deleted(app))
    else:
        (asked,) = await of_her_mail(app)
        await executed(app, delete(table).where(table.c.eid == asked))

    assert not (await verify(app.parts)).ok


async def of_her_mail(app: App) -> list[bytes]:
    """That the mail which asked her went out: an event by which no row stands."""
    query = select(audit_entry.c.eid).join(audit_payload, audit_payload.c.eid == audit_entry.c.eid)
    query = query.where(audit_entry.c.kind == Kind.CONSENT_MAIL_SENT)
    async with app.parts.data.read() as connection:
        return list((await connection.execute(query)).scalars())


def _place(table: Table, number: int) -> dict[str, Any]:
    place: dict[str, Any] = {"eid": b"%016d" % number}
    if table is audit_item:
        return place | {"position": 0, "commitment": bytes(32)}
    return place | {"compartment": "evidence"}


async def test_a_permit_that_somebody_dated_back_takes_no_facts_along(app: App) -> None:
    await app.subscribe()
    await send(app)
    await later(app, DAY)
    events = await batches(app)
    before = await stored(app, row.eid.in_(events), row.subject.is_not(None))
    permit = tables.permit
    old = app.parts.clock.wall() - 2 * YEAR
    await executed(
        app,
        update(permit).values(decided_at=old, keeps_use=False),
        delete(tables.attempt),
        delete(tables.outbox),
    )

    await later(app, DAY)

    assert await stored(app, row.eid.in_(events), row.subject.is_not(None)) == before
