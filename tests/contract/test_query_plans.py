"""What runs by itself, again and again, reads no table whole (SQLite tells its plan)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories, takers, within
from audit import person as audit_person
from audit.kinds import Kind
from consent import (
    erasures,
    external_ids,
    feed,
    gates,
    links,
    paces,
    resting,
    rights_requests,
    service_mails,
    shares,
    tellings,
    withheld,
)
from consent.asked_about import Asking
from consent.consents import Deadline, Page
from consent.feed import Position
from consent.model import SubjectState
from consent.rights import Progress
from delivery import (
    account,
    attempts,
    due,
    outbox,
    overview,
    own_messages,
    past,
    permits,
    retention,
    waits,
)
from delivery.own_messages import Asked
from storage.secret import Secret
from tests.support.apps import App, open_app
from tests.support.statements import engine_of

_WAITING = "USING INDEX outbox_due"  # which holds what waits, and nothing else
# As many rows as a keyring has keys of a kind; what was asked for.
_FEW = ("SCAN live_key", "SCAN json_each VIRTUAL TABLE INDEX 1:")
# What a subquery gives is no table: how that is found are steps of their own.
_MADE = ("CO-ROUTINE ", "MATERIALIZE ")
Look = Callable[[App, AsyncConnection], Awaitable[Any]]


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


def deadline(what: Deadline) -> Look:
    async def look(app: App, connection: AsyncConnection) -> None:
        now = app.parts.clock.wall()
        for after in (None, (now, "con_0")):
            await app.parts.consents.due(connection, what, now, Page(10, after))

    return look


async def told(app: App, connection: AsyncConnection) -> None:
    """What whoever confirms, ends, forgets or leaves asks of the log."""
    vault, macs = await app.parts.keystore.vault(["sub_0"]), app.parts.log.macs
    await histories.of_people(connection, macs, ["sub_0", "sub_1"], vault)
    now = app.parts.clock.wall()
    await histories.of_items(connection, macs, ["sub_0"], Kind.PERMIT_BATCH, now, vault)
    await account.granted(connection, ["msg_0", "msg_1"])
    await histories.batches_of(connection, macs, ["sub_0"], Kind.PERMIT_BATCH, now)
    await account.ended(connection, [("sub_0", b"e" * 16)])


async def people(app: App, connection: AsyncConnection) -> None:
    """What is read of the people of a claim, under their gates."""
    two, pairs = ["sub_0", "sub_1"], [("sub_0", "newsletter"), ("sub_1", "newsletter")]
    await gates.lock(connection, two)
    await shares.share(connection, two)
    await shares.free(connection, two)
    await app.parts.consents.of_subjects(connection, two)
    await app.parts.consents.get(connection, ["con_0", "con_1"])
    await links.handles(connection, app.parts.rows, pairs)
    await paces.read(connection, app.parts.rows, two)
    await attempts.so_far(connection, ["msg_0", "msg_1"])
    await permits.open_of(connection, pairs, app.parts.clock.wall())
    await permits.moments(connection, pairs, app.parts.clock.wall(), app.parts.clock.wall())
    await outbox.contents(connection, ["cnt_0", "cnt_1"])


async def dossier(app: App, connection: AsyncConnection) -> None:
    """What is read of one person's messages for that person."""
    await past.newest(connection, "sub_0", 10)
    await past.count(connection, "sub_0")
    await past.read(connection, ["msg_0", "msg_1"])
    _ = [page async for page in audit_person.items(connection, "sub_0", 10)]
    await rights_requests.of_subject(connection, app.parts.rows, "sub_0")
    await service_mails.to_subject(connection, "sub_0")


async def defence(app: App, connection: AsyncConnection) -> None:
    """What a mail is found by that somebody came with."""
    macs, now, kinds = app.parts.log.macs, app.parts.clock.wall(), (Kind.PERMIT_BATCH,)
    await within.stored(connection, macs, kinds[0], now, now)
    await within.of_person(connection, macs, "sub_0", kinds, now, 10)
    await outbox.get(connection, "msg_0")


async def followed(app: App, connection: AsyncConnection) -> None:
    """What callers who poll read, each time."""
    await feed.page(connection, app.parts.rows, Position(1, "chg_0"), 10)
    await feed.page(connection, app.parts.rows, None, 10)
    await external_ids.of(connection, ["sub_0", "sub_1"])
    for reference in (None, b"r" * 16):
        asked = Asked("key_0", reference=reference, before="msg_0")
        await own_messages.page(connection, asked, 10)


async def called(app: App, connection: AsyncConnection) -> None:
    """What callers call people, once that is over."""
    await external_ids.next_page(connection, "con_0", 10)
    await external_ids.purge(connection, ["con_0", "con_1"], app.parts.clock.wall())


LOOKS: dict[str, Look] = {
    "changes followed": followed,
    "external ids": called,
    "why a webhook is behind": lambda app, c: tellings.last_failure(c, "crm"),
    "defence": defence,
    "people of a claim": people,
    "told of people": told,
    "dossier": dossier,
    "claim": lambda app, c: due.look(c, app.parts.clock.wall(), 10),
    "counts": lambda app, c: outbox.counts(c),
    "what mail waits for": lambda app, c: waits.look(c, app.parts.clock.wall(), "confirmation"),
    "withheld": lambda app, c: withheld.count(c, [Secret(b"k" * 32)], app.parts.clock.wall()),
    "oldest due": lambda app, c: overview.oldest_due(c, app.parts.clock.wall()),
    "ended lately": lambda app, c: overview.ended_since(c, app.parts.clock.wall()),
    "bodies": lambda app, c: retention.drop_bodies(c, app.parts.clock.wall(), 10),
    "messages": lambda app, c: retention.drop_ended(c, app.parts.clock.wall(), 10),
    "permits": lambda app, c: retention.old_permits(c, "per_0", app.parts.clock.wall(), 10),
    "look-up": lambda app, c: app.parts.lookup.find(c, ["ada@example.org"]),
    "questions": lambda app, c: Asking(app.parts.lookup, app.parts.consents, app.parts.clock).about(
        c, ["ada@example.org", "bob@example.org"], ["sub_0"]
    ),
    "marks": lambda app, c: app.parts.marks.read(c, [b"i" * 16]),
    "marks ahead": lambda app, c: app.parts.marks.drop(c, None, app.parts.clock.wall(), 10),
    "erased": lambda app, c: gates.in_state(c, SubjectState.ERASED, "sub_0", 10),
    "erasures": lambda app, c: gates.in_state(c, SubjectState.ERASING, "sub_0", 10),
    "rights requests by state": lambda app, c: rights_requests.page(
        c, app.parts.rows, Progress.OPEN, "req_0", 10
    ),
    "rights requests by person": lambda app, c: rights_requests.waiting_of(
        c, app.parts.rows, ["sub_0"]
    ),
    "rights requests due": lambda app, c: rights_requests.count_due(c, app.parts.clock.wall()),
    "requests under way": lambda app, c: erasures.under_way(c, app.parts.rows, "era_0", 10),
    "cases that are decided": lambda app, c: rights_requests.decided_page(
        c, app.parts.rows, "req_1", 10
    ),
    "who took data out": lambda app, c: takers.between(
        c, app.parts.log.macs, app.parts.clock.wall(), app.parts.clock.wall()
    ),
    "people checked": lambda app, c: gates.after(c, "sub_0", 10),
    "permits checked": lambda app, c: permits.after(c, "per_0", 10),
    "messages checked": lambda app, c: account.after(c, "msg_0", 10),
    "consents on a wording": lambda app, c: resting.after(c, "sha256:", "con_0", 10),
    **{f"consents by {what}": deadline(what) for what in Deadline},
}


@pytest.mark.parametrize("name", LOOKS)
async def test_no_table_is_read_whole(app: App, name: str) -> None:
    statements: list[tuple[str, Any]] = []
    engine = engine_of(app.parts.data)

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    async with app.parts.data.begin() as connection:
        await LOOKS[name](app, connection)
    event.remove(engine, "before_cursor_execute", note)

    assert statements
    async with app.parts.data.begin() as connection:
        for statement, parameters in statements:
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [str(row[3]) for row in rows]
            made = {one.split()[-1] for one in steps if one.startswith(_MADE)}
            whole = [
                one
                for one in steps
                if one.startswith("SCAN") and _WAITING not in one and one not in _FEW
                if one.removeprefix("SCAN ") not in made
            ]
            assert not whole, (statement, steps)
