"""Proofs of single events: against what was published, and from few rows."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, not_, or_

from audit import checkpoints, tree
from audit.proof import Proof, is_known, prove
from audit.tables import audit_entry
from storage.database import Database
from tests.support.audit import LOG, PUBLISHER, create_log, system_events, write
from tests.support.clock import SteppedClock


@pytest.fixture(autouse=True)
async def opened_log(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)
    await write(database)


async def proof_of(database: Database, eid: bytes) -> Proof | None:
    async with database.read() as connection:
        return await prove(connection, LOG, PUBLISHER.verifier, eid)


def holds(proof: Proof) -> bool:
    """Whether the proof leads to the root that its own checkpoint signs."""
    signed = checkpoints.verify(proof.checkpoint, PUBLISHER.vkey)
    found = proof.inclusion
    leaf = tree.leaf_hash(found.entry)
    return found.size == signed.size and tree.verify_inclusion(
        found.index, found.size, leaf, found.path, signed.root
    )


async def test_an_event_is_proved_against_the_newest_checkpoint_and_none_before(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    early, late = system_events(2)
    await write(database, early)
    before = await proof_of(database, early.eid)
    await PUBLISHER.publish(database, keystore, clock)
    first = await proof_of(database, early.eid)
    await write(database, late)

    assert before is None
    assert first is not None
    assert holds(first)
    assert await proof_of(database, late.eid) is None
    assert await proof_of(database, early.eid) == first, "the log grew, the checkpoint did not"
    await PUBLISHER.publish(database, keystore, clock)
    for one in (early, late):
        newest = await proof_of(database, one.eid)
        assert newest is not None
        assert holds(newest)
        assert newest.inclusion.size == 3


async def test_an_event_is_known_from_its_staging_on(database: Database) -> None:
    staged, sequenced = system_events(2)
    await write(database, sequenced)
    async with database.begin() as connection:
        await LOG.stage(connection, [staged])

    async with database.read() as connection:
        assert await is_known(connection, staged.eid)
        assert await is_known(connection, sequenced.eid)
        assert not await is_known(connection, bytes(16))


@pytest.mark.parametrize("at", [0, 700, 2_900], ids=["first", "middle", "last block"])
async def test_a_proof_needs_the_leaves_of_two_blocks_and_of_no_other(
    database: Database, keystore: Database, clock: SteppedClock, at: int
) -> None:
    drafts = system_events(3_000)
    await write(database, *drafts)
    await PUBLISHER.publish(database, keystore, clock)
    index, size = at + 1, 3_001
    own, last = (range(start, start + 256) for start in (index & ~255, size & ~255))
    leaf = audit_entry.c.leaf_index
    needed = or_(*(leaf.between(block[0], block[-1]) for block in (own, last)))
    async with database.begin() as connection:
        await connection.execute(delete(audit_entry).where(not_(needed)))

    proof = await proof_of(database, drafts[at].eid)

    assert proof is not None
    assert proof.inclusion.index == index
    assert holds(proof)
