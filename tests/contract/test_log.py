"""Staging and sequencing on both databases: one event for each change, no gaps, no waiting."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError

from audit import forgetting, strays, tree
from audit.entry import Draft, Event, Place, draft
from audit.errors import BadPending, LogMissing
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.nodes import frontier_at
from audit.tables import (
    audit_entry,
    audit_item,
    audit_node,
    audit_payload,
    audit_pending,
)
from audit.trail import trail
from storage.database import Database
from storage.keysets import KeySet
from storage.secret import Secret
from tests.support.audit import (
    GRACE,
    LOG,
    MOMENT,
    KeyRing,
    batch_event,
    create_log,
    person_events,
    system_events,
    write,
)

START = Place(GRACE, 0, None)


@pytest.fixture(autouse=True)
async def opened_log(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)
    await write(database)


async def logged(database: Database) -> list[bytes]:
    """Event ids by index, which have no gap."""
    query = select(audit_entry.c.leaf_index, audit_entry.c.eid).order_by(audit_entry.c.leaf_index)
    async with database.read() as connection:
        rows = (await connection.execute(query)).all()
    assert [row.leaf_index for row in rows] == list(range(len(rows)))
    return [row.eid for row in rows]


async def test_the_first_entry_opens_the_log_and_is_written_once(database: Database) -> None:
    async with database.begin() as connection:
        assert not await LOG.open_log(connection, MOMENT)
        await LOG.sequence(connection)
        (first,) = await LOG.events(connection, limit=10)

    assert (first.index, first.entry.kind) == (0, Kind.LOG_OPENED)


async def test_nothing_can_be_sequenced_before_the_log_is_opened(database: Database) -> None:
    other = Log("other.example/log", KeySet.of(Secret(bytes(32))), "node-1")

    async with database.begin() as connection:
        with pytest.raises(LogMissing):
            await other.sequence(connection)


async def test_a_rolled_back_change_leaves_no_event(database: Database) -> None:
    ring = KeyRing()
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await LOG.stage(
                connection,
                [*person_events(ring, START, Kind.CONSENT_REQUESTED), batch_event(ring, [GRACE])],
            )
            raise ZeroDivisionError

    async with database.begin() as connection:
        assert await LOG.sequence(connection) == 0
        for table in (audit_payload, audit_item, audit_pending):
            assert (await connection.execute(select(func.count()).select_from(table))).scalar() == 0


async def test_events_are_sequenced_in_the_order_of_staging_across_transactions(
    database: Database,
) -> None:
    drafts = system_events(5)
    async with database.begin() as connection:
        await LOG.stage(connection, drafts[:2])
    async with database.begin() as connection:
        await LOG.stage(connection, drafts[2:])

    async with database.begin() as connection:
        assert await LOG.sequence(connection, limit=3) == 3
    async with database.begin() as connection:
        assert await LOG.sequence(connection, limit=3) == 2
        assert await LOG.sequence(connection, limit=3) == 0

    assert (await logged(database))[1:] == [one.eid for one in drafts]


async def test_numbers_are_never_given_twice(database: Database) -> None:
    numbers: list[int] = []
    for _ in range(3):
        async with database.begin() as connection:
            await LOG.stage(connection, system_events(2))
            query = select(audit_pending.c.n).order_by(audit_pending.c.n)
            numbers += (await connection.execute(query)).scalars()
        async with database.begin() as connection:
            await LOG.sequence(connection)

    assert numbers == sorted(set(numbers))
    assert len(numbers) == 6


async def test_a_batch_is_staged_with_as_many_statements_as_one_event(database: Database) -> None:
    ring = KeyRing()
    counts = []
    for size in (1, 50):
        drafts = [batch_event(ring, [GRACE] * 10) for _ in range(size)]
        drafts += person_events(ring, START, *[Kind.CONSENT_REQUESTED] * size)
        async with database.begin() as connection:
            statements: list[str] = []

            def heard(*call: object, to: list[str] = statements) -> None:
                to.append(str(call[2]))

            listen(connection.sync_connection, "before_cursor_execute", heard)
            await LOG.stage(connection, drafts)
            counts.append(len(statements))

    assert counts == ([4, 4] if database.dialect == "sqlite" else [2, 2])


async def test_concurrent_stagers_lose_nothing_and_wait_for_nobody(database: Database) -> None:
    batches = [system_events(7) for _ in range(12)]
    done = asyncio.Event()

    async def stage(batch: list[Draft]) -> None:
        async with database.begin() as connection:
            await LOG.stage(connection, batch)
            await asyncio.sleep(0.01)

    async def sequence() -> None:
        while True:
            last = done.is_set()
            async with database.begin() as connection:
                found = await LOG.sequence(connection, limit=5)
            if last and found == 0:
                return
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        group.create_task(sequence())
        group.create_task(sequence())
        async with asyncio.TaskGroup() as stagers:
            for batch in batches:
                stagers.create_task(stage(batch))
        done.set()

    found = await logged(database)
    assert sorted(found[1:]) == sorted(one.eid for batch in batches for one in batch)
    for batch in batches:
        places = [found.index(one.eid) for one in batch]
        assert places == sorted(places)


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer
async def test_a_row_that_commits_late_is_sequenced_late_and_not_lost(database: Database) -> None:
    early, late = system_events(2)
    async with database.begin() as connection:
        await LOG.stage(connection, [early])  # drawn first
        await write(database, late)  # committed and sequenced first
    async with database.begin() as connection:
        await LOG.sequence(connection)

    assert (await logged(database))[1:] == [late.eid, early.eid]


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer
async def test_only_one_node_sequences_at_a_time(database: Database) -> None:
    async with database.begin() as first, database.begin() as second:
        await LOG.stage(first, system_events(1))
        assert await LOG.sequence(first) == 1
        assert await LOG.sequence(second) is None


@pytest.mark.parametrize("column", ["mac", "entry", "n", "eid"])
async def test_a_forged_staged_row_stops_the_sequencing_and_is_named(
    database: Database, column: str
) -> None:
    values = {"mac": bytes(32), "entry": system_events(1)[0].entry, "n": 4711, "eid": bytes(16)}
    async with database.begin() as connection:
        await LOG.stage(connection, system_events(1))
        await connection.execute(update(audit_pending).values({column: values[column]}))
        n = (await connection.execute(select(audit_pending.c.n))).scalar_one()

    with pytest.raises(BadPending) as caught:
        async with database.begin() as connection:
            await LOG.sequence(connection)

    assert caught.value.n == n
    assert len(await logged(database)) == 1


async def test_a_staged_row_cannot_be_played_again(database: Database) -> None:
    async with database.begin() as connection:
        await LOG.stage(connection, system_events(1))
        row = (await connection.execute(select(audit_pending))).one()
    await write(database)
    async with database.begin() as connection:
        await connection.execute(insert(audit_pending).values(row._asdict()))

    with pytest.raises(BadPending, match="already"):
        async with database.begin() as connection:
            await LOG.sequence(connection)


async def test_an_event_cannot_be_staged_twice(database: Database) -> None:
    (one,) = system_events(1)
    with pytest.raises(IntegrityError):
        async with database.begin() as connection:
            await LOG.stage(connection, [one, one])


async def test_the_stored_tree_is_that_of_the_leaves(database: Database) -> None:
    await write(database, *system_events(600))

    async with database.read() as connection:
        query = select(audit_entry.c.leaf_hash).order_by(audit_entry.c.leaf_index)
        leaves = list((await connection.execute(query)).scalars())
        frontier = await LOG.frontier(connection)
        assert frontier.size == await LOG.size(connection) == 601
        assert frontier.root == tree.root_of(leaves)
        nodes = await connection.execute(select(audit_node).order_by(audit_node.c.position))
        assert [row.hash for row in nodes] == [
            tree.root_of(leaves[:256]),
            tree.root_of(leaves[256:512]),
        ]
        for size in (0, 1, 255, 256, 257, 512, 600, 601):
            assert (await frontier_at(connection, size)).root == tree.root_of(leaves[:size])


async def test_an_event_is_proved_in_trees_of_every_size_that_holds_it(database: Database) -> None:
    drafts = system_events(600)
    await write(database, *drafts)

    async with database.read() as connection:
        for index, size in ((1, 601), (1, 2), (300, 513), (300, 512), (600, 601), (600, None)):
            proof = await LOG.inclusion(connection, drafts[index - 1].eid, size)
            assert proof is not None
            root = (await frontier_at(connection, proof.size)).root
            assert proof.index == index
            assert proof.entry == drafts[index - 1].entry
            leaf = tree.leaf_hash(proof.entry)
            assert tree.verify_inclusion(proof.index, proof.size, leaf, proof.path, root)
        assert await LOG.inclusion(connection, drafts[99].eid, 100) is None
        assert await LOG.inclusion(connection, bytes(16)) is None


async def test_events_are_found_by_kind_and_moment_and_paged_by_index(database: Database) -> None:
    moments = [MOMENT + timedelta(seconds=n) for n in range(6)]
    kinds = [Kind.TEXT_PUBLISHED, Kind.KEY_ROTATED]
    events = [Event(kinds[n % 2], Actor.SYSTEM, at) for n, at in enumerate(moments)]
    await write(database, *(draft(one, None, "node-1") for one in events))

    async with database.read() as connection:
        rotated = await LOG.events(connection, kind=Kind.KEY_ROTATED)
        between = await LOG.events(connection, since=moments[1], until=moments[3])
        page = await LOG.events(connection, after=2, limit=2)

    assert [one.entry.at for one in rotated] == moments[1::2]
    assert [one.entry.eid for one in between] == [events[1].eid, events[2].eid]
    assert [one.index for one in page] == [3, 4]


async def test_erasing_takes_the_facts_and_leaves_the_commitments(database: Database) -> None:
    ring = KeyRing()
    claim = batch_event(ring, ["sub_ada", GRACE])
    await write(database, *person_events(ring, START, Kind.CONSENT_REQUESTED), claim)

    async with database.begin() as connection:
        theirs, _ = await strays.set_aside(connection, GRACE, ring, MOMENT)
        await forgetting.erase(connection, LOG, GRACE, theirs)
        await forgetting.erase(connection, LOG, GRACE, theirs)

    async with database.read() as connection:
        assert await trail(connection, GRACE, ring) == []
        rows = await connection.execute(select(audit_item).order_by(audit_item.c.position))
        ada, grace = rows.all()
        assert (ada.subject, grace.subject, grace.sealed) == ("sub_ada", None, None)
        assert [ada.commitment, grace.commitment] == [one.commitment for one in claim.items]


async def test_a_compartment_is_erased_alone(database: Database) -> None:
    ring = KeyRing()
    facts = {"evidence": {"a": 1}, "network": {"b": 2}}
    event = Event(Kind.CONSENT_REQUESTED, Actor.SUBJECT, MOMENT, facts=facts, place=START)
    await write(database, draft(event, ring, "n"), batch_event(ring, [GRACE]))

    async with database.begin() as connection:
        await forgetting.keep_evidence(connection, GRACE)
        found = await trail(connection, GRACE, ring)

    assert [[one.compartment for one in event.disclosures] for event in found] == [["evidence"]] * 2


async def test_the_tables_need_nothing_but_create_all_to_count_for_ever(database: Database) -> None:
    async with database.read() as connection:
        if database.dialect == "sqlite":
            query = "SELECT sql FROM sqlite_master WHERE name = 'audit_pending'"
            sql = (await connection.execute(text(query))).scalar_one()
            assert "AUTOINCREMENT" in sql
        else:
            query = (
                "SELECT seqcache FROM pg_sequence WHERE seqrelid = 'audit_pending_n_seq'::regclass"
            )
            assert (await connection.execute(text(query))).scalar_one() == 1
