"""Publishing keeps log and guard together through crashes, races and restored backups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, published
from audit.checkpoints import Checkpoint
from audit.errors import (
    GuardAhead,
    GuardBehind,
    GuardConflict,
    GuardMissing,
    LogDamaged,
    LogForged,
    LogMissing,
)
from audit.nodes import frontier_at
from audit.report import Problem
from audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_guard,
    audit_node,
    audit_state,
    guard_metadata,
    metadata,
)
from audit.tree import Frontier
from audit.verify import verify_live
from storage.database import Database
from storage.errors import StorageAway
from tests.support.audit import LOG, PUBLISHER, create_log, system_events, write
from tests.support.clock import SteppedClock


class Failing(Database):
    """A database whose commits fail: before they happen, or after, when nobody hears of it."""

    def __init__(self, real: Database, *, happens: bool) -> None:
        self.name = real.name
        self._real = real
        self._happens = happens

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._real.begin() as connection:
            yield connection
            if not self._happens:
                raise StorageAway(self.name)
        raise StorageAway(self.name)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._real.read() as connection:
            yield connection


@pytest.fixture(autouse=True)
async def opened_log(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)
    await write(database, *system_events(9))


async def guarded(keystore: Database) -> Checkpoint:
    async with keystore.read() as connection:
        row = (await connection.execute(select(audit_guard))).one()
    checkpoint = checkpoints.verify(row.note, PUBLISHER.vkey)
    assert checkpoint.size == row.size
    return checkpoint


async def stored(database: Database) -> list[Checkpoint]:
    async with database.read() as connection:
        query = select(audit_checkpoint).order_by(audit_checkpoint.c.size)
        rows = (await connection.execute(query)).all()
    found = [checkpoints.verify(row.note, PUBLISHER.vkey) for row in rows]
    assert [checkpoint.size for checkpoint in found] == [row.size for row in rows]
    return found


async def replace_last_leaf(database: Database) -> None:
    """Tell the last event differently, with everything in the database recomputed."""
    async with database.begin() as connection:
        size = await LOG.size(connection)
        forged = update(audit_entry).where(audit_entry.c.leaf_index == size - 1)
        await connection.execute(forged.values(leaf_hash=bytes(32)))
        query = select(audit_entry.c.leaf_hash).order_by(audit_entry.c.leaf_index)
        frontier = Frontier()
        frontier.extend(list((await connection.execute(query)).scalars()))
        await connection.execute(update(audit_state).values(frontier=frontier.packed))


async def test_what_is_sequenced_is_published_once(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    checkpoint = await PUBLISHER.publish(database, keystore, clock)

    async with database.read() as connection:
        assert checkpoint == Checkpoint(LOG.origin, 10, (await frontier_at(connection, 10)).root)
        latest = await published.newest(connection, PUBLISHER.verifier)
    assert latest is not None
    assert latest.checkpoint == checkpoint == await guarded(keystore)
    assert await PUBLISHER.publish(database, keystore, clock) is None


async def test_checkpoints_follow_the_log_across_stored_nodes(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    for count in (1, 300, 1, 700):
        await write(database, *system_events(count))
        await PUBLISHER.publish(database, keystore, clock)

    assert [one.size for one in await stored(database)] == [11, 311, 312, 1012]


@pytest.mark.parametrize("happens", [False, True], ids=["did not happen", "did happen"])
async def test_a_guard_that_fails_is_mended_by_the_next_call(
    database: Database, keystore: Database, clock: SteppedClock, happens: bool
) -> None:
    with pytest.raises(StorageAway):
        await PUBLISHER.publish(database, Failing(keystore, happens=happens), clock)
    assert (await guarded(keystore)).size == (10 if happens else 0)
    assert await stored(database) == []

    published = await PUBLISHER.publish(database, keystore, clock)

    assert [published] == await stored(database) == [await guarded(keystore)]


@pytest.mark.parametrize("grown", [False, True], ids=["as it was", "grown"])
@pytest.mark.parametrize("happens", [False, True], ids=["did not happen", "did happen"])
async def test_a_checkpoint_that_was_not_stored_is_stored_by_the_next_call(
    database: Database, keystore: Database, clock: SteppedClock, happens: bool, grown: bool
) -> None:
    with pytest.raises(StorageAway):
        await PUBLISHER.publish(Failing(database, happens=happens), keystore, clock)
    assert (await guarded(keystore)).size == 10
    assert len(await stored(database)) == happens
    if grown:
        await write(database, *system_events(1))

    await PUBLISHER.publish(database, keystore, clock)

    assert [one.size for one in await stored(database)] == [10, 11] if grown else [10]
    assert (await stored(database))[-1] == await guarded(keystore)


async def test_many_publishers_never_sign_two_roots_for_one_size(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    async def publish() -> None:
        for _ in range(6):
            await write(database, *system_events(1))
            await PUBLISHER.publish(database, keystore, clock)

    await asyncio.gather(*(publish() for _ in range(4)))
    await PUBLISHER.publish(database, keystore, clock)

    checkpoints = await stored(database)
    assert checkpoints[-1] == await guarded(keystore)
    assert checkpoints[-1].size == 34
    async with database.read() as connection:
        for one in checkpoints:
            assert one.root == (await frontier_at(connection, one.size)).root


async def test_whoever_loses_the_swap_publishes_nothing(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    class Overtaken(Database):
        """Another node publishes just before this one swaps."""

        def __init__(self) -> None:
            self.name = keystore.name

        @asynccontextmanager
        async def begin(self) -> AsyncIterator[AsyncConnection]:
            await PUBLISHER.publish(database, keystore, clock)
            async with keystore.begin() as connection:
                yield connection

        def read(self):  # type: ignore[no-untyped-def]
            return keystore.read()

    assert await PUBLISHER.publish(database, Overtaken(), clock) is None

    assert len(await stored(database)) == 1


async def test_nothing_is_signed_without_a_guard(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    async with keystore.begin() as connection:
        await connection.execute(delete(audit_guard))

    with pytest.raises(GuardMissing) as caught:
        await PUBLISHER.publish(database, keystore, clock)

    assert (caught.value.log_size, caught.value.guard_size) == (10, None)
    assert await stored(database) == []


async def test_a_guard_is_not_made_anew_beside_entries(
    database: Database, keystore: Database
) -> None:
    async with database.begin() as data, keystore.begin() as guard:
        assert not await PUBLISHER.create_guard(guard, data)
        await guard.execute(delete(audit_guard))
        with pytest.raises(GuardMissing):
            await PUBLISHER.create_guard(guard, data)


async def test_a_restored_log_is_noticed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    async with database.read() as connection:
        backup = (await connection.execute(select(audit_state))).one()
    await write(database, *system_events(5))
    await PUBLISHER.publish(database, keystore, clock)
    async with database.begin() as connection:
        await connection.execute(delete(audit_entry).where(audit_entry.c.leaf_index >= 10))
        await connection.execute(delete(audit_checkpoint))
        await connection.execute(update(audit_state).values(**backup._asdict()))

    with pytest.raises(GuardAhead) as caught:
        await PUBLISHER.publish(database, keystore, clock)

    assert (caught.value.log_size, caught.value.guard_size) == (10, 15)


async def test_a_log_that_vanished_is_noticed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    await PUBLISHER.publish(database, keystore, clock)
    async with database.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)

    with pytest.raises(GuardAhead):
        await PUBLISHER.publish(database, keystore, clock)


async def test_a_restored_guard_is_noticed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    await PUBLISHER.publish(database, keystore, clock)
    async with keystore.read() as connection:
        backup = (await connection.execute(select(audit_guard))).one()
    await write(database, *system_events(1))
    await PUBLISHER.publish(database, keystore, clock)
    async with keystore.begin() as connection:
        await connection.execute(update(audit_guard).values(**backup._asdict()))

    with pytest.raises(GuardBehind):
        await PUBLISHER.publish(database, keystore, clock)


@pytest.mark.parametrize("grown", [0, 5], ids=["as it was", "grown"])
async def test_a_rewritten_past_is_never_signed(
    database: Database, keystore: Database, clock: SteppedClock, grown: int
) -> None:
    await PUBLISHER.publish(database, keystore, clock)
    await replace_last_leaf(database)
    await write(database, *system_events(grown))

    with pytest.raises(GuardConflict):
        await PUBLISHER.publish(database, keystore, clock)

    assert [one.size for one in await stored(database)] == [10]


async def test_a_frontier_that_the_leaves_do_not_give_is_never_signed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    async with database.begin() as connection:
        await connection.execute(update(audit_state).values(frontier=bytes(64)))

    with pytest.raises(GuardConflict):
        await PUBLISHER.publish(database, keystore, clock)


async def test_a_forged_guard_is_noticed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    async with database.read() as connection:
        forged = Checkpoint(LOG.origin, 10, (await frontier_at(connection, 10)).root)
    async with keystore.begin() as connection:
        signed = checkpoints.sign(forged, sha256(b"another key").digest())
        await connection.execute(update(audit_guard).values(size=10, note=signed))

    with pytest.raises(GuardConflict):
        await PUBLISHER.publish(database, keystore, clock)


async def test_a_planted_checkpoint_is_none_and_stops_nothing(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    ours = await PUBLISHER.publish(database, keystore, clock)
    forged = checkpoints.sign(
        Checkpoint(LOG.origin, 99, bytes(32)), sha256(b"another key").digest()
    )
    async with database.begin() as connection:
        planted = {"note": forged, "published_at": await clock.now(connection)}
        rows = [{"size": 99, **planted}, {"size": 100, **planted}]
        await connection.execute(insert(audit_checkpoint), rows)

    async with database.read() as connection:
        newest = await published.newest(connection, PUBLISHER.verifier)
    await write(database, *system_events(1))
    grown = await PUBLISHER.publish(database, keystore, clock)
    report = await verify_live(database, keystore, log=LOG, verifier=PUBLISHER.verifier)

    assert newest is not None
    assert newest.checkpoint == ours
    assert grown is not None
    assert grown.size == 11
    assert [one.problem for one in report.findings] == [Problem.CHECKPOINT] * 2


async def test_an_entry_whose_mac_is_wrong_is_never_signed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    await PUBLISHER.publish(database, keystore, clock)
    await write(database, *system_events(3))
    async with database.begin() as connection:
        wrong = update(audit_entry).where(audit_entry.c.leaf_index == 11)
        await connection.execute(wrong.values(mac=bytes(32)))

    for _ in range(2):  # also where it goes on from what it walked before
        with pytest.raises(LogForged) as caught:
            await PUBLISHER.publish(database, keystore, clock)

    assert caught.value.index == 11
    assert (await guarded(keystore)).size == 10


async def test_a_leaf_hash_that_its_entry_does_not_give_is_never_signed(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    await PUBLISHER.publish(database, keystore, clock)
    await write(database, *system_events(3))
    await replace_last_leaf(database)  # and the frontier with it; the entry and its MAC fit

    with pytest.raises(GuardConflict):
        await PUBLISHER.publish(database, keystore, clock)


async def test_a_node_that_is_missing_is_named(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    await write(database, *system_events(500))
    async with database.begin() as connection:
        await connection.execute(delete(audit_node))

    with pytest.raises(LogDamaged) as caught:
        await PUBLISHER.publish(database, keystore, clock)

    assert caught.value.level == 8


async def test_a_guard_in_the_wrong_place_belongs_to_no_log(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    async with database.begin() as connection:
        await connection.execute(delete(audit_state))
    async with keystore.begin() as connection:
        await connection.run_sync(guard_metadata.drop_all)
        await connection.run_sync(guard_metadata.create_all)

    with pytest.raises(LogMissing):
        await PUBLISHER.publish(database, keystore, clock)
