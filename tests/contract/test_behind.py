"""A verification that goes on from an earlier one: what it does not read again, and still sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import behind
from audit.report import Problem, Since
from audit.tables import audit_entry, audit_guard, audit_node
from tests.contract.test_audit_verify import Scene, change_everything_of_a_row, index, put, scene
from tests.support.audit import LOG, system_events, write

__all__ = ["scene"]

Tamper = Callable[[AsyncConnection], Awaitable[None]]


async def grown(scene: Scene) -> tuple[Since, int]:
    """Verified whole, and then more was published."""
    before = await scene.open_and_verify()
    assert before.reached is not None
    await write(scene.data, *system_events(300))
    await scene.publish()
    return before.reached, scene.size + 300


async def test_it_reads_what_is_newer_and_gives_the_same_root(scene: Scene) -> None:
    since, size = await grown(scene)
    seen: list[int] = []

    newer = await scene.open_and_verify(since=since, progress=lambda done, _: seen.append(done))
    whole = await scene.open_and_verify()

    assert (newer.ok, newer.whole, newer.size) == (True, False, size)
    assert (whole.ok, whole.whole) == (True, True)
    assert newer.reached == whole.reached
    assert seen == [size]


async def delete_a_row(connection: AsyncConnection) -> None:
    await connection.execute(delete(audit_entry).where(index == 40))


async def change_bytes_in_a_subtree(connection: AsyncConnection) -> None:
    entry = (await connection.execute(select(audit_entry.c.entry).where(index == 40))).scalar_one()
    await put(connection, 40, entry=entry.replace(b"08:25:10", b"08:25:11"))


async def change_a_node(connection: AsyncConnection) -> None:
    await connection.execute(update(audit_node).values(hash=bytes(32)))


@pytest.mark.parametrize(
    ("tamper", "problem", "at"),
    [
        (delete_a_row, Problem.MISSING, 40),
        (change_bytes_in_a_subtree, Problem.ALTERED, 40),
        (change_everything_of_a_row, Problem.ALTERED, 40),
        (change_a_node, Problem.NODE, None),
    ],
)
async def test_what_shows_that_something_before_is_other_makes_it_read_everything(
    scene: Scene, tamper: Tamper, problem: Problem, at: int | None
) -> None:
    since, _ = await grown(scene)
    async with scene.data.begin() as connection:
        await tamper(connection)

    report = await scene.open_and_verify(since=since)

    assert (report.ok, report.whole, report.first_bad) == (False, True, at)
    assert problem in {one.problem for one in report.findings}


async def test_what_is_newer_is_held_to_what_was_before(scene: Scene) -> None:
    since, _ = await grown(scene)
    async with scene.data.begin() as connection:
        entry = select(audit_entry.c.entry).where(index == 450)
        changed = (await connection.execute(entry)).scalar_one().replace(b"2026", b"2025")
        await put(connection, 450, entry=changed)
    async with scene.guard.begin() as connection:
        await connection.execute(update(audit_guard).values(size=3))

    report = await scene.open_and_verify(since=since)

    assert (report.whole, report.first_bad) == (False, 450)
    assert {Problem.ALTERED, Problem.GUARD} <= {one.problem for one in report.findings}


async def test_a_root_that_was_never_verified_is_no_place_to_go_on_from(scene: Scene) -> None:
    since, size = await grown(scene)

    wrong = await scene.open_and_verify(since=replace_root(since))
    beyond = await scene.open_and_verify(since=Since(1, size + 1, since.root))

    assert (wrong.ok, wrong.whole) == (True, True)
    assert (beyond.ok, beyond.whole) == (True, True)


def replace_root(since: Since) -> Since:
    return since._replace(root=bytes(32))


async def test_a_kept_checkpoint_of_an_older_size_is_compared_all_the_same(scene: Scene) -> None:
    kept = await scene.publish()
    since, _ = await grown(scene)

    fits = await scene.open_and_verify(since=since, held=[kept])

    assert (fits.ok, fits.whole, fits.level) == (True, False, "held outside")


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_each_stored_hash_above_is_held_to_those_below(scene: Scene) -> None:
    """Of a log that has subtrees of subtrees: 65,536 entries."""
    made = [*system_events(65_536 - scene.size)]
    for start in range(0, len(made), 8192):
        await write(scene.data, *made[start : start + 8192])
    since = (await scene.open_and_verify()).reached
    assert since is not None
    assert await behind.unaltered(scene.data, LOG.macs, 0, since, dice=lambda _: 0)
    async with scene.data.begin() as connection:
        one = audit_node.c.level == 8, audit_node.c.position == 9
        await connection.execute(update(audit_node).where(*one).values(hash=bytes(32)))

    assert not await behind.unaltered(scene.data, LOG.macs, 0, since, dice=lambda _: 0)
