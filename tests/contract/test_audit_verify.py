"""Whatever is done to the rows of the log is found, and the first bad entry is named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, forgetting, published, strays
from audit.checkpoints import Checkpoint
from audit.entry import Event, Place, draft
from audit.export.jsonl import check_jsonl, jsonl
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.report import Level, Problem, Report
from audit.rowmac import RowMac
from audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_guard,
    audit_item,
    audit_node,
    audit_payload,
    audit_pending,
    audit_state,
)
from audit.tree import Frontier, leaf_hash
from audit.verify import verify_live
from storage.database import Database
from storage.keysets import KeySet
from storage.secret import Secret
from tests.support.audit import (
    GRACE,
    LOG,
    MOMENT,
    PUBLISHER,
    KeyRing,
    batch_event,
    create_log,
    person_events,
    system_events,
    write,
)
from tests.support.clock import SteppedClock

index = audit_entry.c.leaf_index
Tamper = Callable[[AsyncConnection], Awaitable[None]]


@dataclass
class Scene:
    """A published log of 300 entries with one person in it, and a batch of three items."""

    data: Database
    guard: Database
    ring: KeyRing
    clock: SteppedClock
    person: int  # index of a person's event
    batch: int
    size: int

    async def verify(self, **options: Any) -> Report:
        return await verify_live(
            self.data, self.guard, log=LOG, verifier=PUBLISHER.verifier, **options
        )

    async def open_and_verify(self, **options: Any) -> Report:
        return await self.verify(opener=self.ring.for_subjects, **options)

    async def publish(self) -> str:
        await PUBLISHER.publish(self.data, self.guard, self.clock)
        async with self.data.read() as connection:
            newest = await published.newest(connection, PUBLISHER.verifier)
            return newest.note if newest else ""


@pytest.fixture
async def scene(database: Database, keystore: Database, clock: SteppedClock) -> Scene:
    ring = KeyRing()
    await create_log(database, keystore)
    await write(database, *system_events(99))
    made = Scene(database, keystore, ring, clock, 100, 102, 300)
    await made.publish()
    await write(
        database,
        *person_events(ring, Place(GRACE, 0, None), *[Kind.CONSENT_REQUESTED] * 2),
        batch_event(ring, [GRACE, "sub_ada", None]),
        *system_events(197),
    )
    await made.publish()
    return made


async def row(connection: AsyncConnection, at: int) -> dict[str, Any]:
    return dict((await connection.execute(select(audit_entry).where(index == at))).one()._mapping)


async def put(connection: AsyncConnection, number: int, **values: Any) -> None:
    await connection.execute(update(audit_entry).where(index == number).values(**values))


async def rebuild(connection: AsyncConnection) -> None:
    """Recompute whatever in the database depends on the entries and needs no key."""
    rows = await connection.execute(select(index, audit_entry.c.entry).order_by(index))
    leaves = []
    for at, entry in rows.all():
        leaves.append(leaf_hash(entry))
        await put(connection, at, leaf_hash=leaves[-1])
    frontier = Frontier()
    nodes = frontier.extend(leaves)
    await connection.execute(delete(audit_node))
    if nodes:
        await connection.execute(insert(audit_node), [node._asdict() for node in nodes])
    state = {"size": frontier.size, "frontier": frontier.packed}
    await connection.execute(update(audit_state).values(**state))


async def change_a_byte(connection: AsyncConnection) -> None:
    entry = (await row(connection, 40))["entry"].replace(b"08:25:10", b"08:25:11")
    await put(connection, 40, entry=entry, at="2026-11-23T08:25:11.000Z")


async def change_everything_of_a_row(connection: AsyncConnection) -> None:
    await change_a_byte(connection)
    await rebuild(connection)


async def change_bytes_to_no_entry(connection: AsyncConnection) -> None:
    await put(connection, 40, entry=b"\xff" * 60)


async def change_the_leaf_hash(connection: AsyncConnection) -> None:
    await put(connection, 40, leaf_hash=bytes(32))


async def change_the_kind(connection: AsyncConnection) -> None:
    await put(connection, 40, kind="consent.confirmed")


async def change_the_moment(connection: AsyncConnection) -> None:
    await put(connection, 40, at="2025-01-01T00:00:00.000Z")


async def change_the_event_id(connection: AsyncConnection) -> None:
    await put(connection, 40, eid=bytes(16))


async def change_the_mac(connection: AsyncConnection) -> None:
    await put(connection, 40, mac=bytes(32))


async def delete_a_row(connection: AsyncConnection) -> None:
    await connection.execute(delete(audit_entry).where(index == 40))


async def delete_a_row_and_close_the_gap(connection: AsyncConnection) -> None:
    await delete_a_row(connection)
    for at in range(41, 300):
        await put(connection, at, leaf_index=at - 1)
    await rebuild(connection)


async def swap_two_rows(connection: AsyncConnection) -> None:
    await put(connection, 40, leaf_index=1000)
    await put(connection, 200, leaf_index=40)
    await put(connection, 1000, leaf_index=200)
    await rebuild(connection)


async def insert_a_row(connection: AsyncConnection) -> None:
    for at in range(299, 39, -1):
        await put(connection, at, leaf_index=at + 1)
    forged = await row(connection, 39)
    entry = system_events(1)[0]
    forged |= {"leaf_index": 40, "eid": entry.eid, "entry": entry.entry}
    await connection.execute(insert(audit_entry).values(forged))
    await rebuild(connection)


async def copy_a_row_to_the_end(connection: AsyncConnection) -> None:
    if connection.dialect.name == "sqlite":
        # SQLite cannot drop the index of a UNIQUE column: a new table takes its place.
        await connection.execute(text("CREATE TABLE forged AS SELECT * FROM audit_entry"))
        await connection.execute(text("DROP TABLE audit_entry"))
        await connection.execute(text("ALTER TABLE forged RENAME TO audit_entry"))
    else:
        await connection.execute(
            text("ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_eid_key")
        )
    copied = await row(connection, 40) | {"leaf_index": 300}
    copied["mac"] = LOG.macs.entry(300, copied["entry"]).mac  # even by who has the key
    await connection.execute(insert(audit_entry).values(copied))
    await rebuild(connection)


async def change_a_node(connection: AsyncConnection) -> None:
    await connection.execute(update(audit_node).values(hash=bytes(32)))


async def delete_a_node(connection: AsyncConnection) -> None:
    await connection.execute(delete(audit_node))


async def add_a_node(connection: AsyncConnection) -> None:
    await connection.execute(insert(audit_node).values(level=8, position=7, hash=bytes(32)))


async def change_the_frontier(connection: AsyncConnection) -> None:
    await connection.execute(update(audit_state).values(frontier=bytes(32 * (300).bit_count())))


async def delete_the_state(connection: AsyncConnection) -> None:
    await connection.execute(delete(audit_state))


async def add_a_row_that_is_not_counted(connection: AsyncConnection) -> None:
    entry = system_events(1)[0]
    forged = await row(connection, 0) | {"leaf_index": 300, "eid": entry.eid, "entry": entry.entry}
    await connection.execute(insert(audit_entry).values(forged))


async def add_a_row_before_the_beginning(connection: AsyncConnection) -> None:
    forged = await row(connection, 0) | {"leaf_index": -1, "eid": bytes(16)}
    await connection.execute(insert(audit_entry).values(forged))


async def sign_a_checkpoint_with_another_key(connection: AsyncConnection) -> None:
    forged = checkpoints.sign(Checkpoint(LOG.origin, 100, bytes(32)), sha256(b"another").digest())
    first = update(audit_checkpoint).where(audit_checkpoint.c.size == 100)
    await connection.execute(first.values(note=forged))


async def put_an_older_checkpoint_in_the_place_of_the_newest(connection: AsyncConnection) -> None:
    query = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == 100)
    older = (await connection.execute(query)).scalar_one()
    newest = update(audit_checkpoint).where(audit_checkpoint.c.size == 300)
    await connection.execute(newest.values(note=older))


async def change_the_commitment_of_an_item(connection: AsyncConnection) -> None:
    item = update(audit_item).where(audit_item.c.position == 1)
    await connection.execute(item.values(commitment=bytes(32)))


async def delete_an_item(connection: AsyncConnection) -> None:
    await connection.execute(delete(audit_item).where(audit_item.c.position == 1))


async def add_an_item(connection: AsyncConnection) -> None:
    query = select(audit_item).where(audit_item.c.position == 2)
    last = (await connection.execute(query)).one()
    await connection.execute(insert(audit_item).values(last._asdict() | {"position": 3}))


async def change_the_facts_of_an_unsealed_item(connection: AsyncConnection) -> None:
    item = update(audit_item).where(audit_item.c.subject.is_(None))
    await connection.execute(item.values(sealed=bytes(32) + b'{"message":"msg_9"}'))


@pytest.mark.parametrize(
    ("tamper", "problem", "first_bad"),
    [
        (change_a_byte, Problem.ALTERED, 40),
        (change_everything_of_a_row, Problem.ALTERED, 40),
        (change_bytes_to_no_entry, Problem.ALTERED, 40),
        (change_the_leaf_hash, Problem.COLUMNS, 40),
        (change_the_kind, Problem.COLUMNS, 40),
        (change_the_moment, Problem.COLUMNS, 40),
        (change_the_event_id, Problem.COLUMNS, 40),
        (change_the_mac, Problem.ALTERED, 40),
        (delete_a_row, Problem.MISSING, 40),
        (swap_two_rows, Problem.ALTERED, 40),
        (insert_a_row, Problem.ALTERED, 40),
        (copy_a_row_to_the_end, Problem.DUPLICATE, 300),
        (change_a_node, Problem.NODE, None),
        (delete_a_node, Problem.NODE, None),
        (add_a_node, Problem.NODE, None),
        (change_the_frontier, Problem.STATE, None),
        (delete_the_state, Problem.STATE, None),
        (add_a_row_that_is_not_counted, Problem.EXTRA, 300),
        (add_a_row_before_the_beginning, Problem.MALFORMED, None),
        (sign_a_checkpoint_with_another_key, Problem.CHECKPOINT, None),
        (put_an_older_checkpoint_in_the_place_of_the_newest, Problem.CHECKPOINT, None),
        (change_the_commitment_of_an_item, Problem.ITEMS, 102),
        (delete_an_item, Problem.ITEMS, 102),
        (add_an_item, Problem.ITEMS, 102),
        (change_the_facts_of_an_unsealed_item, Problem.PAYLOAD, 102),
    ],
    ids=lambda one: one.__name__.replace("_", " ") if callable(one) else "",
)
async def test_tampering_is_found(
    scene: Scene, tamper: Tamper, problem: Problem, first_bad: int | None
) -> None:
    assert (await scene.verify()).ok
    async with scene.data.begin() as connection:
        await tamper(connection)

    report = await scene.verify()

    assert not report.ok
    assert report.level is None
    assert report.first_bad == first_bad
    assert report.cut_off_after is None
    assert problem in {one.problem for one in report.findings}


async def test_a_row_that_was_deleted_without_a_gap_is_found(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await delete_a_row_and_close_the_gap(connection)

    report = await scene.verify()

    assert (report.first_bad, report.cut_off_after) == (40, 299)


async def test_an_untouched_log_is_well(scene: Scene) -> None:
    seen: list[tuple[int, int]] = []

    report = await scene.open_and_verify(progress=lambda *done: seen.append(done))

    assert report == Report(True, 300, None, None, [], Level.SIGNED, reached=report.reached)
    assert report.reached is not None
    assert report.reached.size == 300
    assert seen == [(300, 300)]


async def test_a_log_without_entries_is_well(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)

    report = await verify_live(database, keystore, log=LOG, verifier=PUBLISHER.verifier)

    assert (report.ok, report.size) == (True, 0)


async def test_what_is_not_published_yet_is_verified_too(scene: Scene) -> None:
    await write(scene.data, *system_events(5))
    assert (await scene.verify()).size == 305
    async with scene.data.begin() as connection:
        await put(connection, 303, mac=bytes(32))

    assert (await scene.verify()).first_bad == 303


async def test_the_log_is_verified_over_many_chunks(scene: Scene) -> None:
    await write(scene.data, *system_events(4000))
    await scene.publish()

    assert (await scene.verify()).size == 4300


async def test_every_one_of_many_findings_is_counted_but_few_are_kept(scene: Scene) -> None:
    await write(scene.data, *system_events(1500))
    async with scene.data.begin() as connection:
        await connection.execute(update(audit_entry).values(mac=bytes(32)))

    report = await scene.verify()

    assert (report.first_bad, len(report.findings)) == (0, 1000)


@pytest.mark.parametrize("clever", [False, True], ids=["rows only", "all recomputed"])
async def test_a_log_that_was_cut_off_says_after_what(scene: Scene, clever: bool) -> None:
    async with scene.data.begin() as connection:
        await connection.execute(delete(audit_entry).where(index >= 120))
        if clever:
            await rebuild(connection)
            await connection.execute(delete(audit_checkpoint).where(audit_checkpoint.c.size > 100))

    report = await scene.verify()

    assert (report.ok, report.cut_off_after, report.first_bad) == (False, 120, None)


async def test_a_hole_before_the_cut_is_named_too(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await connection.execute(delete(audit_entry).where(index >= 120))
        await connection.execute(delete(audit_entry).where(index.between(50, 59)))

    report = await scene.verify()

    assert (report.first_bad, report.cut_off_after) == (50, 120)
    assert report.findings[-1].text == "entries 50 to 59 are missing"


async def test_an_emptied_log_is_cut_off_after_nothing(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await connection.execute(delete(audit_entry))

    assert (await scene.verify()).cut_off_after == 0


async def test_a_state_of_absurd_size_does_not_keep_the_verification_busy(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await connection.execute(update(audit_state).values(size=10**15))

    report = await scene.verify()

    assert report.cut_off_after == 300


async def test_a_missing_guard_is_a_failure(scene: Scene) -> None:
    async with scene.guard.begin() as connection:
        await connection.execute(delete(audit_guard))

    report = await scene.verify()

    assert [one.problem for one in report.findings] == [Problem.GUARD]


async def test_a_restored_guard_is_a_failure(scene: Scene) -> None:
    async with scene.data.read() as connection:
        query = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == 100)
        older = (await connection.execute(query)).scalar_one()
    async with scene.guard.begin() as connection:
        await connection.execute(update(audit_guard).values(size=100, note=older))

    report = await scene.verify()

    assert [one.problem for one in report.findings] == [Problem.GUARD]


async def test_a_forged_guard_is_a_failure(scene: Scene) -> None:
    forged = checkpoints.sign(Checkpoint(LOG.origin, 300, bytes(32)), sha256(b"another").digest())
    async with scene.guard.begin() as connection:
        await connection.execute(update(audit_guard).values(note=forged))

    report = await scene.verify()

    assert [one.problem for one in report.findings] == [Problem.GUARD]


async def rewrite_with_every_key(scene: Scene) -> None:
    """What only an operator with MAC key and signing key can do: tell a new past."""
    mac = RowMac(bytes(range(32)), LOG.origin)
    async with scene.data.begin() as connection:
        await change_everything_of_a_row(connection)
        forged = await row(connection, 40)
        await put(connection, 40, mac=mac.entry(40, forged["entry"]))
        frontier = await LOG.frontier(connection)
        await connection.execute(delete(audit_checkpoint))
    signed = checkpoints.sign(
        Checkpoint(LOG.origin, 300, frontier.root), sha256(b"TEST-SIGNING-KEY").digest()
    )
    async with scene.guard.begin() as connection:
        await connection.execute(update(audit_guard).values(note=signed))


async def test_a_checkpoint_kept_outside_exposes_even_the_operator(scene: Scene) -> None:
    kept = await scene.publish()
    assert (await scene.verify(held=[kept])).level is Level.HELD_OUTSIDE
    await rewrite_with_every_key(scene)
    assert (await scene.verify()).ok

    report = await scene.verify(held=[kept])

    assert [one.problem for one in report.findings] == [Problem.CHECKPOINT]


async def test_a_checkpoint_kept_outside_shows_what_was_cut_off(scene: Scene) -> None:
    await write(scene.data, *system_events(5))
    kept = await scene.publish()
    async with scene.data.begin() as connection, scene.guard.begin() as guard:
        await connection.execute(delete(audit_entry).where(index >= 300))
        await connection.execute(delete(audit_checkpoint).where(audit_checkpoint.c.size > 300))
        await rebuild(connection)
        query = select(audit_checkpoint.c.note).where(audit_checkpoint.c.size == 300)
        older = (await connection.execute(query)).scalar_one()
        await guard.execute(update(audit_guard).values(size=300, note=older))
    assert (await scene.verify()).ok

    assert (await scene.verify(held=[kept])).cut_off_after == 300


async def test_a_checkpoint_of_anybody_is_not_held(scene: Scene) -> None:
    forged = checkpoints.sign(Checkpoint(LOG.origin, 300, bytes(32)), sha256(b"another").digest())

    report = await scene.verify(held=[forged, "nonsense"])

    assert [one.problem for one in report.findings] == [Problem.CHECKPOINT] * 2


async def test_another_mac_key_makes_every_row_a_stranger(scene: Scene) -> None:
    other = Log(LOG.origin, KeySet.of(Secret(bytes(32))), "node-1")

    report = await verify_live(scene.data, scene.guard, log=other, verifier=PUBLISHER.verifier)

    assert report.first_bad == 0


async def erase(scene: Scene, refs: Mapping[str, str] | None = None) -> None:
    """Erase Grace as a gateway does, or with an event that says *refs*."""
    async with scene.data.begin() as connection:
        theirs, _ = await strays.set_aside(connection, GRACE, scene.ring, MOMENT)
    scene.ring.erase(GRACE)
    async with scene.data.begin() as connection:
        gone = await forgetting.erase(connection, LOG, GRACE, theirs)
        refs = gone.refs if refs is None else refs
        event = Event(Kind.SUBJECT_ERASED, Actor.SYSTEM, MOMENT, refs=refs)
        await LOG.stage(connection, [draft(event, None, LOG.node)])


async def test_an_erased_person_breaks_nothing(scene: Scene) -> None:
    await erase(scene)
    staged = await scene.open_and_verify()
    await write(scene.data)

    assert staged.ok
    assert (await scene.open_and_verify()).ok


async def test_a_person_whose_keys_are_gone_already_breaks_nothing(scene: Scene) -> None:
    async def ending(subjects: Collection[str]) -> Collection[str]:
        return {GRACE} & set(subjects)

    scene.ring.erase(GRACE)

    assert (await scene.open_and_verify(ending=ending)).ok
    assert (await scene.open_and_verify()).first_bad == 100


async def delete_a_payload(connection: AsyncConnection) -> None:
    first = select(audit_payload.c.eid).limit(1).scalar_subquery()
    await connection.execute(delete(audit_payload).where(audit_payload.c.eid == first))


async def hide_a_payload(connection: AsyncConnection) -> None:
    """Give it to somebody who does not exist: no key opens it."""
    first = select(audit_payload.c.eid).limit(1).scalar_subquery()
    hidden = update(audit_payload).where(audit_payload.c.eid == first)
    await connection.execute(hidden.values(subject="sub_nobody"))


async def blank_an_item(connection: AsyncConnection) -> None:
    item = update(audit_item).where(audit_item.c.position == 1)
    await connection.execute(item.values(sealed=None, subject=None))


@pytest.mark.parametrize(
    ("tamper", "places"),
    [(delete_a_payload, {100, 101}), (hide_a_payload, {100, 101}), (blank_an_item, {102})],
    ids=["payload deleted", "payload hidden", "item blanked"],
)
async def test_facts_that_are_gone_without_an_erasure_are_found(
    scene: Scene, tamper: Tamper, places: set[int]
) -> None:
    async with scene.data.begin() as connection:
        await tamper(connection)

    report = await scene.open_and_verify()

    assert not report.ok
    assert report.first_bad in places
    assert [one.problem for one in report.findings] == [Problem.GONE]


async def test_an_erasure_does_not_cover_what_else_is_gone(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await blank_an_item(connection)  # of somebody else
    await erase(scene)

    report = await scene.open_and_verify()

    assert [one.problem for one in report.findings] == [Problem.GONE]
    assert report.findings[0].text.endswith(
        "0 payloads, 1 items; something is gone at 100, 101, 102"
    )


async def test_an_erasure_that_nobody_staged_accounts_for_nothing(scene: Scene) -> None:
    event = Event(Kind.SUBJECT_ERASED, Actor.SYSTEM, MOMENT, refs={"payloads": "9", "items": "9"})
    forged = draft(event, None, LOG.node)
    async with scene.data.begin() as connection:
        await delete_a_payload(connection)
        row = {"eid": forged.eid, "entry": forged.entry, "mac": bytes(32)}
        await connection.execute(insert(audit_pending).values(row))

    report = await scene.open_and_verify()

    assert {one.problem for one in report.findings} == {Problem.GONE, Problem.PENDING}


async def test_a_staged_row_that_was_altered_is_found(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await LOG.stage(connection, system_events(2))
        first = select(func.min(audit_pending.c.n)).scalar_subquery()
        await connection.execute(
            update(audit_pending).where(audit_pending.c.n == first).values(eid=bytes(16))
        )

    report = await scene.verify()

    assert [one.problem for one in report.findings] == [Problem.PENDING]


async def swap_the_payloads(connection: AsyncConnection) -> None:
    rows = (await connection.execute(select(audit_payload))).all()
    for mine, other in zip(rows, reversed(rows), strict=True):
        one = update(audit_payload).where(audit_payload.c.eid == mine.eid)
        await connection.execute(one.values(sealed=other.sealed))


async def add_a_payload_that_nothing_commits_to(connection: AsyncConnection) -> None:
    first = (await connection.execute(select(audit_payload))).first()
    assert first is not None
    added = first._asdict() | {"compartment": "profile"}
    await connection.execute(insert(audit_payload).values(added))


async def change_the_facts_of_an_item(connection: AsyncConnection) -> None:
    item = update(audit_item).where(audit_item.c.position == 0)
    await connection.execute(item.values(sealed=bytes(80)))


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [(swap_the_payloads, 100), (change_the_facts_of_an_item, 102)],
    ids=["payloads", "item"],
)
async def test_sealed_facts_that_were_changed_are_found(
    scene: Scene, tamper: Tamper, first_bad: int
) -> None:
    async with scene.data.begin() as connection:
        await tamper(connection)

    report = await scene.open_and_verify()

    assert (report.ok, report.first_bad) == (False, first_bad)
    assert {one.problem for one in report.findings} == {Problem.PAYLOAD}


async def test_facts_that_nothing_commits_to_are_found(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await add_a_payload_that_nothing_commits_to(connection)
        scene.ring.keys[GRACE, "profile"] = scene.ring.keys[GRACE, "evidence"]

    report = await scene.open_and_verify()

    assert {one.problem for one in report.findings} == {Problem.PAYLOAD}


async def test_a_log_that_grows_between_any_two_reads_is_well(scene: Scene) -> None:
    class Growing(Database):
        """Something is written and published before every read."""

        def __init__(self, real: Database) -> None:
            self._real = real

        @asynccontextmanager
        async def read(self) -> AsyncIterator[AsyncConnection]:
            await write(scene.data, *system_events(260))
            await scene.publish()
            async with self._real.read() as connection:
                yield connection

    report = await verify_live(
        Growing(scene.data), Growing(scene.guard), log=LOG, verifier=PUBLISHER.verifier
    )

    assert report.ok
    assert report.size == 300 + 3 * 260


def put_in(lines: list[bytes], entry: bytes, index: bytes) -> list[bytes]:
    """Another line in the place of the fifth entry."""
    return [*lines[:5], b'{"entry":%s,"index":%s}\n' % (entry, index), *lines[6:]]


async def exported(scene: Scene) -> list[bytes]:
    parts = [part async for part in jsonl(scene.data, LOG, PUBLISHER.verifier)]
    return b"".join(parts).splitlines(keepends=True)


async def test_an_export_is_checked_without_the_database(scene: Scene) -> None:
    kept = await scene.publish()
    await write(scene.data, *system_events(3))  # not published, not exported

    lines = await exported(scene)

    assert len(lines) == 302
    assert check_jsonl(lines, PUBLISHER.verifier) == Report(True, 300, None, None, [], Level.SIGNED)
    assert check_jsonl(lines, PUBLISHER.verifier, [kept]).level is Level.HELD_OUTSIDE


async def test_an_export_of_many_chunks_is_checked(scene: Scene) -> None:
    await write(scene.data, *system_events(2500))
    await scene.publish()

    assert check_jsonl(await exported(scene), PUBLISHER.verifier).size == 2800


async def test_an_export_that_another_tool_wrote_again_is_still_good(scene: Scene) -> None:
    lines = [json.dumps(json.loads(line), indent=None).encode() for line in await exported(scene)]

    assert check_jsonl(lines, PUBLISHER.verifier).ok


async def test_an_export_says_nothing_of_a_person(scene: Scene) -> None:
    whole = b"".join(await exported(scene))

    assert GRACE.encode() not in whole
    assert b"msg_" not in whole


async def test_an_altered_log_is_exported_and_the_check_says_where(scene: Scene) -> None:
    async with scene.data.begin() as connection:
        await change_bytes_to_no_entry(connection)

    assert check_jsonl(await exported(scene), PUBLISHER.verifier).first_bad == 40


@pytest.mark.parametrize(
    ("change", "first_bad", "cut_off_after"),
    [
        pytest.param(lambda lines: lines[:50] + lines[51:], 49, None, id="a line is gone"),
        pytest.param(lambda lines: lines[:-20] + lines[-1:], None, 281, id="cut off"),
        pytest.param(lambda lines: lines[:-1], None, None, id="no checkpoint"),
        pytest.param(lambda lines: lines[1:], None, None, id="no header"),
        pytest.param(lambda lines: [], None, None, id="nothing"),
        pytest.param(lambda lines: [*lines, lines[5]], None, None, id="more behind the end"),
        pytest.param(lambda lines: [*lines[:5], b"[" * 99_999, *lines[6:]], 4, None, id="deep"),
        pytest.param(
            lambda lines: put_in(lines, b'"\\ud800"', b"4"), 4, None, id="half a character"
        ),
        pytest.param(lambda lines: put_in(lines, b'"{}"', b"NaN"), 4, None, id="no number"),
        pytest.param(lambda lines: put_in(lines, b"1", b"9" * 5000), 4, None, id="a huge number"),
        pytest.param(lambda lines: put_in(lines, b"null", b"4"), 4, None, id="null"),
        pytest.param(lambda lines: [*lines[:5], b"\xff\xfe\n", *lines[6:]], 4, None, id="no text"),
        pytest.param(
            lambda lines: [line.replace(b"08:25:10", b"08:25:11") for line in lines],
            None,
            None,
            id="every moment changed",
        ),
    ],
)
async def test_an_export_that_was_changed_is_found(
    scene: Scene,
    change: Callable[[list[bytes]], list[bytes]],
    first_bad: int | None,
    cut_off_after: int | None,
) -> None:
    report = check_jsonl(change(await exported(scene)), PUBLISHER.verifier)

    assert not report.ok
    assert (report.first_bad, report.cut_off_after) == (first_bad, cut_off_after)


async def test_an_older_export_does_not_pass_for_one_that_continues_what_was_kept(
    scene: Scene,
) -> None:
    older = await exported(scene)
    await write(scene.data, *system_events(5))
    kept = await scene.publish()

    report = check_jsonl(older, PUBLISHER.verifier, [kept])

    assert (report.ok, report.cut_off_after) == (False, 300)


async def test_an_export_with_entries_beyond_its_checkpoint_is_found(scene: Scene) -> None:
    lines = await exported(scene)
    entry = system_events(1)[0].entry.decode()
    added = json.dumps({"entry": entry, "index": 300}).encode() + b"\n"

    report = check_jsonl([*lines[:-1], added, lines[-1]], PUBLISHER.verifier)

    assert (report.ok, report.first_bad) == (False, 300)


async def test_a_log_that_was_never_published_exports_a_header(
    database: Database, keystore: Database
) -> None:
    await create_log(database, keystore)
    parts = [part async for part in jsonl(database, LOG, PUBLISHER.verifier)]

    assert json.loads(b"".join(parts))["size"] == 0
    async with database.read() as connection:
        assert (
            await connection.execute(select(func.count()).select_from(audit_entry))
        ).scalar() == 0
