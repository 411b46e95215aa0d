"""A log that lost entries, or in which some were altered, and the one that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit import nodes, published, successor
from audit.entry import Event, draft
from audit.errors import BadPending, GuardAhead, LogMissing
from audit.export.jsonl import check_jsonl, jsonl
from audit.gaps import Cause
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.proof import prove
from audit.publish import Publisher
from audit.report import Level, Report
from audit.successor import Opening
from audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_node,
    audit_pending,
    audit_state,
)
from audit.tree import leaf_hash
from audit.verify import verify_live
from storage.database import Database
from tests.support import bundles
from tests.support.audit import LOG, PUBLISHER, SIGNERS, create_log, system_events, write
from tests.support.clock import SteppedClock

_KEPT, _STOOD = 300, 600  # entries at the backup, and when it was put back
_UNPROVED = (
    f"your checkpoint of size {_STOOD} covers lost entries: it was compared with the guard's alone"
)
place = audit_entry.c.leaf_index


@dataclass
class Scene:
    """A published log of which checkpoints of some sizes were kept outside."""

    data: Database
    guard: Database
    clock: SteppedClock
    notes: dict[int, str]
    log: Log = LOG

    async def publish(self) -> None:
        await Publisher(self.log, SIGNERS).publish(self.data, self.guard, self.clock)

    async def verify(self, *held: int) -> Report:
        notes = [self.notes[size] for size in held]
        return await verify_live(
            self.data, self.guard, log=self.log, verifier=PUBLISHER.verifier, held=notes
        )

    async def offline(self, *held: int) -> Report:
        parts = [part async for part in jsonl(self.data, self.log, PUBLISHER.verifier)]
        lines = b"".join(parts).splitlines(keepends=True)
        notes = [self.notes[size] for size in held]
        report = check_jsonl(lines, PUBLISHER.verifier, notes)
        raw = await bundles.exported(self.data, self.log)
        sound, said = bundles.check_here(raw, PUBLISHER.vkey, notes)
        assert sound == report.ok, said
        assert not sound or all(gap in said for gap in report.gaps)
        return report

    async def set_back(self) -> list[dict[str, Any]]:
        """Let the data be what they were at the backup; what was lost."""
        async with self.data.begin() as connection:
            lost = await connection.execute(select(audit_entry).where(place >= _KEPT))
            rows = [dict(row._mapping) for row in lost]
            frontier = await nodes.frontier_at(connection, _KEPT)
            await connection.execute(delete(audit_entry).where(place >= _KEPT))
            await connection.execute(
                delete(audit_checkpoint).where(audit_checkpoint.c.size > _KEPT)
            )
            await connection.execute(delete(audit_node).where(audit_node.c.position >= 1))
            values = {"size": frontier.size, "frontier": frontier.packed}
            await connection.execute(update(audit_state).values(**values))
        return rows

    async def go_on(self, cause: Cause = Cause.RESTORED) -> None:
        opening = Opening(self.log, SIGNERS, self.data, self.guard, self.clock)
        new = await opening.begin()
        await opening.end(new, cause)
        self.log = new
        await self.write(40)

    async def write(self, count: int) -> None:
        async with self.data.begin() as connection:
            await self.log.stage(connection, system_events(count))
        async with self.data.begin() as connection:
            await self.log.sequence(connection)
        await self.publish()


@pytest.fixture
async def scene(database: Database, keystore: Database, clock: SteppedClock) -> Scene:
    await create_log(database, keystore)
    made = Scene(database, keystore, clock, {})
    for size in (100, _KEPT, _STOOD):
        async with database.read() as connection:
            grown = await LOG.size(connection)
        await write(database, *system_events(size - grown - (grown == 0)))
        await made.publish()
        async with database.read() as connection:
            newest = await published.newest(connection, PUBLISHER.verifier)
        assert newest is not None
        made.notes[newest.checkpoint.size] = newest.note
    return made


async def test_a_gap_is_told_and_accepted_live_and_offline(scene: Scene) -> None:
    await scene.set_back()
    await scene.go_on()

    for report in (await scene.verify(100, _STOOD), await scene.offline(100, _STOOD)):
        assert (report.ok, report.level) == (True, Level.HELD_OUTSIDE), report
        assert report.gaps == (f"accepted gap {_KEPT}..{_STOOD} in {LOG.origin}", _UNPROVED)
        assert report.size == _KEPT + 41
    async with scene.data.read() as connection:
        eid = (await connection.execute(select(audit_entry.c.eid).where(place == 7))).scalar_one()
        old = await prove(connection, scene.log, PUBLISHER.verifier, eid)
        youngest = select(audit_entry.c.eid).order_by(place.desc()).limit(1)
        eid = (await connection.execute(youngest)).scalar_one()
        new = await prove(connection, scene.log, PUBLISHER.verifier, eid)
    assert old is not None and (old.inclusion.index, old.inclusion.size) == (7, _KEPT)
    assert new is not None and (new.inclusion.index, new.inclusion.size) == (40, 41)


async def test_an_old_checkpoint_convicts_what_was_tampered_with_below_the_gap(
    scene: Scene,
) -> None:
    await scene.set_back()
    await scene.go_on()
    async with scene.data.begin() as connection:
        # By somebody who has every key of the gateway: it is in place, and signed anew.
        entry = system_events(1)[0].entry
        signed = LOG.macs.entry(50, entry)._asdict()
        changed = {"entry": entry, "leaf_hash": leaf_hash(entry), **signed}
        await connection.execute(update(audit_entry).where(place == 50).values(changed))

    assert not (await scene.verify(100)).ok
    assert not (await scene.offline(100)).ok


async def test_what_the_lost_tail_held_fits_nowhere_behind_it(scene: Scene) -> None:
    staged = draft(Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, scene.clock.moment), None, LOG.node)
    async with scene.data.begin() as connection:
        await LOG.stage(connection, [staged])
        kept = dict((await connection.execute(select(audit_pending))).one()._mapping)
        await connection.execute(delete(audit_pending))
    lost = await scene.set_back()
    await scene.go_on()

    async with scene.data.begin() as connection:
        await connection.execute(insert(audit_entry).values(lost[0]))
    assert not (await scene.verify()).ok
    async with scene.data.begin() as connection:
        await connection.execute(delete(audit_entry).where(place == _KEPT))
        await connection.execute(insert(audit_pending).values(kept))
    with pytest.raises(BadPending):
        async with scene.data.begin() as connection:
            await scene.log.sequence(connection)


async def test_a_damaged_log_is_closed_before_the_damage(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await connection.execute(update(audit_entry).where(place == 270).values(entry=b"{}"))
    async with scene.guard.read() as connection:
        held = await successor.guards(connection, PUBLISHER.verifier)

    found = await successor.survey(scene.data, LOG, 1, held, PUBLISHER.verifier)
    await scene.go_on(Cause.DAMAGED)

    assert (found.size, found.flaw is None) == (270, False)
    report = await scene.verify(100, _STOOD)
    gap = f"accepted gap 270..{_STOOD} in {LOG.origin}"
    assert (report.ok, report.gaps) == (True, (gap, _UNPROVED))
    assert (await scene.offline(100)).ok


async def test_until_the_successor_is_there_nothing_goes_on_and_nobody_goes_back(
    scene: Scene,
) -> None:
    await scene.set_back()
    opening = Opening(LOG, SIGNERS, scene.data, scene.guard, scene.clock)

    new = await opening.begin()
    with pytest.raises(GuardAhead):
        await scene.publish()
    again = await opening.begin()
    await opening.end(again, Cause.RESTORED)

    assert new.generation == again.generation == 2
    with pytest.raises(LogMissing):
        async with scene.data.begin() as connection:
            await LOG.sequence(connection)
    with pytest.raises(GuardAhead):
        await scene.publish()


async def test_a_second_restore_tells_of_every_log_that_lost_something(scene: Scene) -> None:
    await scene.set_back()
    await scene.go_on()
    async with scene.data.begin() as connection:  # the same backup once more
        await connection.execute(delete(audit_entry).where(place >= _KEPT - 100))
        await connection.execute(
            delete(audit_checkpoint).where(audit_checkpoint.c.size > _KEPT - 100)
        )
        frontier = await nodes.frontier_at(connection, 0)
        await connection.execute(delete(audit_state))
        row = {"log": LOG.origin, "size": frontier.size, "frontier": frontier.packed}
        await connection.execute(insert(audit_state).values(row | {"size": 0}))
        await connection.execute(delete(audit_entry))
        await connection.execute(delete(audit_checkpoint))
        await connection.execute(delete(audit_node))
    scene.log = LOG

    await scene.go_on()

    assert scene.log.generation == 3
    report = await scene.verify(_STOOD)
    assert (report.ok, report.size) == (True, 42)
    assert report.gaps == (
        f"accepted gap 0..{_STOOD} in {LOG.origin}",
        f"accepted gap 0..41 in {LOG.origin}/2",
        _UNPROVED,
    )
