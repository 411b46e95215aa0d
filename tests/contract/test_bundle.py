"""Bundles out of the database: of the whole log, of a time, of a person; checked as elsewhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published
from audit.entry import Draft, Event, Place, draft
from audit.export.disclosed import Disclosing, Showing
from audit.export.selection import Wanted
from audit.export.spans import cut, merged, runs
from audit.kinds import Actor, Kind
from audit.tables import audit_entry
from audit.tree import Range
from storage.database import Database
from tests.support.audit import (
    GRACE,
    LOG,
    MOMENT,
    PUBLISHER,
    KeyRing,
    batch_event,
    create_log,
    person_events,
    write,
)
from tests.support.bundles import check_here, exported, files_of
from tests.support.clock import SteppedClock

index = audit_entry.c.leaf_index
KEYS = PUBLISHER.vkey
ADA = "sub_ada"


async def still(_connection: AsyncConnection) -> None:
    """They are there."""


def person(ring: KeyRing, subject: str = GRACE, showing: Showing = Showing.OPENED) -> Disclosing:
    return Disclosing(subject, ring, lambda _kind, _facts: showing, still)


def covers(count: int) -> list[Draft]:
    """Events about nobody, which no bundle about a person has."""
    events = [Event(Kind.LOG_COVER, Actor.SYSTEM, MOMENT) for _ in range(count)]
    return [draft(event, None, LOG.node) for event in events]


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing()


@pytest.fixture
async def notes(
    database: Database, keystore: Database, clock: SteppedClock, ring: KeyRing
) -> list[str]:
    """A log of 700 entries with three events and two items of Grace; its checkpoints."""
    await create_log(database, keystore)
    of_grace = person_events(ring, Place(GRACE, 0, None), *[Kind.SUBJECT_ACCESSED] * 3)
    kept = []
    for more in (
        [*covers(300), of_grace[0], batch_event(ring, [ADA, GRACE, None]), *covers(1)],
        [*covers(300), of_grace[1], batch_event(ring, [GRACE])],
        [*covers(92), of_grace[2]],
    ):
        await write(database, *more)
        await PUBLISHER.publish(database, keystore, clock)
        async with database.read() as connection:
            newest = await published.newest(connection, PUBLISHER.verifier)
        assert newest is not None
        kept.append(newest.note)
    return kept


async def test_a_whole_log_is_sound_and_names_nobody(
    database: Database, notes: list[str], ring: KeyRing
) -> None:
    raw = await exported(database, LOG)

    sound, said = check_here(raw, KEYS, notes)

    assert sound, said
    assert "699 of 699 entries" in said
    assert "7 sealed, 0 of them opened" in said
    assert GRACE.encode() not in b"".join(files_of(raw).values())


async def test_a_persons_bundle_has_their_facts_and_proves_them_among_others(
    database: Database, notes: list[str], ring: KeyRing
) -> None:
    wanted = Wanted(person=person(ring))
    raw = await exported(database, LOG, wanted)

    sound, said = check_here(raw, KEYS, notes[-1:])
    unprepared = check_here(raw, KEYS, notes)
    sizes = {1: [int(note.split("\n")[1]) for note in notes]}
    prepared = await exported(database, LOG, Wanted(person=person(ring), sizes=sizes))

    assert sound, said
    assert "5 of them opened and true" in said
    assert "6 of 699 entries" in said  # theirs, and the log's opening
    files = files_of(raw)
    assert ADA.encode() not in b"".join(files.values())
    assert not unprepared[0]
    assert "ask for a bundle that continues it" in unprepared[1]
    assert check_here(prepared, KEYS, notes)[0]


async def test_what_is_erased_or_may_not_be_shown_is_said_to_be_there(
    database: Database, notes: list[str], ring: KeyRing
) -> None:
    withheld = await exported(database, LOG, Wanted(person=person(ring, showing=Showing.WITHHELD)))
    ring.erase(GRACE)
    erased = await exported(database, LOG, Wanted(person=person(ring)))

    for raw, why in ((withheld, "withheld"), (erased, "erased")):
        sound, said = check_here(raw, KEYS)
        lines = [json.loads(line) for line in files_of(raw)["openings.jsonl"].splitlines()]

        assert sound, said
        assert [line["why"] for line in lines] == [why] * 3
        assert "0 of them opened and true,\n  3 withheld" in said


async def test_somebody_who_is_forgotten_meanwhile_ends_it(
    database: Database, notes: list[str], ring: KeyRing
) -> None:
    async def gone(_connection: AsyncConnection) -> None:
        raise LookupError

    disclosing = Disclosing(GRACE, ring, lambda _kind, _facts: Showing.OPENED, gone)

    with pytest.raises(LookupError):
        await exported(database, LOG, Wanted(person=disclosing))


@pytest.mark.parametrize(
    "altered",
    [
        update(audit_entry).where(index == 40).values(entry=b"[1]\n" * 20),
        delete(audit_entry).where(index == 40),
    ],
    ids=["altered", "deleted"],
)
async def test_a_row_that_was_tampered_with_is_named(
    database: Database, notes: list[str], altered: Any
) -> None:
    async with database.begin() as connection:
        await connection.execute(altered)

    sound, said = check_here(await exported(database, LOG), KEYS)

    assert (sound, "entry 40" in said) == (False, True), said


async def test_where_hashes_are_missing_a_persons_bundle_says_from_where(
    database: Database, notes: list[str], ring: KeyRing
) -> None:
    async with database.begin() as connection:
        await connection.execute(delete(audit_entry).where(index == 40))

    sound, said = check_here(await exported(database, LOG, Wanted(person=person(ring))), KEYS)

    assert (sound, "neither an entry here nor the hashes" in said) == (False, True), said


async def test_a_bundle_of_a_time_has_its_entries_and_proves_where_they_stand(
    database: Database, keystore: Database, clock: SteppedClock
) -> None:
    await create_log(database, keystore)
    times = [MOMENT + timedelta(hours=number) for number in range(400)]
    events = [draft(Event(Kind.LOG_COVER, Actor.SYSTEM, at), None, LOG.node) for at in times]
    await write(database, *events)
    await PUBLISHER.publish(database, keystore, clock)
    since, until = times[100], times[150]

    found = {
        "both": await exported(database, LOG, Wanted(since, until)),
        "since": await exported(database, LOG, Wanted(since)),
        "until": await exported(database, LOG, Wanted(None, until)),
        "nothing": await exported(database, LOG, Wanted(times[-1] + timedelta(hours=1))),
    }

    # With `log.opened`, which every bundle has.
    counts = {"both": 51, "since": 301, "until": 151, "nothing": 1}
    for name, raw in found.items():
        sound, said = check_here(raw, KEYS)
        assert (sound, f"{counts[name]} of 401 entries" in said) == (True, True), (name, said)
    about = json.loads(files_of(found["both"])["about.json"])
    assert (about["kind"], about["since"]) == ("period", "2026-11-27T12:25:10.000Z")


def test_spans_are_joined_and_cut() -> None:
    ranges = [Range(7, 9), Range(0, 1), Range(1, 2), Range(8, 9), Range(4, 4)]

    assert merged(ranges) == [Range(0, 2), Range(7, 9)]
    assert list(runs([0, 1, 2, 5, 7, 8])) == [Range(0, 3), Range(5, 6), Range(7, 9)]
    assert list(runs([])) == []
    assert list(cut(Range(2, 7), [1, 2, 4, 7, 4])) == [Range(2, 4), Range(4, 7)]
