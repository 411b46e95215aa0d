"""The key store makes, keeps and destroys keys, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Table, func, select, update
from sqlalchemy.exc import DBAPIError

from consent.errors import KeyUnusable, SealError
from consent.keys import tables
from consent.keys.keystore import Compartment, KeyStore
from consent.keys.vault import Vault
from storage.database import Database, open_database
from storage.errors import StorageAway
from storage.secret import Secret
from tests.support.clock import START as NOW

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
PLACE = ("subject", "address", "sub_1")
KEKS = {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}
EVERYTHING = list(Compartment)


class Stopwatch:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
async def schema(keystore: Database) -> None:
    async with keystore.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def store(keystore: Database, stopwatch: Stopwatch) -> KeyStore:
    return KeyStore(keystore, KEKS, 2, monotonic=stopwatch)


def another(keystore: Database, keks: Mapping[int, Secret] = KEKS, active: int = 2) -> KeyStore:
    """The same key store as a second process sees it."""
    return KeyStore(keystore, keks, active)


async def count(keystore: Database, table: Table) -> int:
    async with keystore.read() as connection:
        query = select(func.count()).select_from(table)
        return int((await connection.execute(query)).scalar_one())


def sealed_by(vault: Vault) -> bytes:
    return vault.seal("sub_1", Compartment.PROFILE, PLACE, b"ada@example.org")


def opened_by(vault: Vault, sealed: bytes) -> bytes | None:
    return vault.open("sub_1", Compartment.PROFILE, PLACE, sealed)


# Keys of people


async def test_keys_seal_in_one_process_and_open_in_another(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1"], NOW)

    sealed = sealed_by(await store.vault(["sub_1"]))

    assert opened_by(await another(keystore).vault({"sub_1"}), sealed) == b"ada@example.org"


async def test_every_person_and_compartment_has_a_key_of_its_own(store: KeyStore) -> None:
    await store.create(["sub_1", "sub_2"], NOW)
    vault = await store.vault(["sub_1", "sub_2"])

    sealed = sealed_by(vault)

    for subject, compartment in (("sub_2", "profile"), ("sub_1", "evidence")):
        with pytest.raises(SealError):
            vault.open(subject, compartment, PLACE, sealed)


async def test_creating_again_keeps_the_keys(store: KeyStore, keystore: Database) -> None:
    await store.create(["sub_1"], NOW)
    sealed = sealed_by(await store.vault(["sub_1"]))
    await another(keystore).create(["sub_1", "sub_2"], NOW)

    assert opened_by(await another(keystore).vault(["sub_1"]), sealed) == b"ada@example.org"
    assert await count(keystore, tables.dek) == 4


async def test_processes_that_create_together_agree(keystore: Database) -> None:
    stores = [another(keystore) for _ in range(4)]
    people = [f"sub_{n}" for n in range(20)]

    await asyncio.gather(*(one.create(people, NOW) for one in stores))

    first, *others = [await one.vault(people) for one in stores]
    sealed = sealed_by(first)
    assert all(opened_by(one, sealed) for one in others)
    assert await count(keystore, tables.dek) == 40


async def test_no_key_is_stored_unwrapped(store: KeyStore, keystore: Database) -> None:
    await store.create(["sub_1"], NOW)
    _, intake_key = await store.intake_key(NOW)
    [(_, limit_key)] = await store.limit_keys(NOW)
    async with keystore.read() as connection:
        stored = [
            row.wrapped
            for table in (tables.dek, tables.intake_key, tables.limit_key)
            for row in await connection.execute(select(table))
        ]

    assert len(stored) == 4
    for key in (intake_key, limit_key, *KEKS.values()):
        assert not any(key.reveal() in wrapped for wrapped in stored)


async def test_whoever_has_no_keys_is_missing(store: KeyStore) -> None:
    await store.create(["sub_1"], NOW)

    vault = await store.vault(["sub_1", "sub_2"])

    assert vault.has("sub_1")
    assert not vault.has("sub_2")
    assert vault.open("sub_2", Compartment.PROFILE, PLACE, b"") is None


async def test_a_key_that_was_missing_is_seen_as_soon_as_it_exists(
    store: KeyStore, keystore: Database
) -> None:
    assert not (await store.vault(["sub_1"])).has("sub_1")
    await another(keystore).create(["sub_1"], NOW)

    assert (await store.vault(["sub_1"])).has("sub_1")


async def test_many_people_are_fetched_at_once(store: KeyStore, keystore: Database) -> None:
    people = [f"sub_{n:05}" for n in range(5_100)]
    await store.create(people, NOW)

    vault = await another(keystore).vault(people)
    await store.erase(people, EVERYTHING, NOW)

    assert all(vault.has(one) for one in people)
    assert await count(keystore, tables.dek) == 0


async def test_fetched_keys_are_used_for_a_minute_and_no_longer(
    store: KeyStore, keystore: Database, stopwatch: Stopwatch
) -> None:
    await store.create(["sub_1"], NOW)
    await store.vault(["sub_1"])
    await another(keystore).erase(["sub_1"], EVERYTHING, NOW)

    stopwatch.seconds += 59
    assert (await store.vault(["sub_1"])).has("sub_1")
    stopwatch.seconds += 1
    assert not (await store.vault(["sub_1"])).has("sub_1")


async def test_one_key_that_cannot_be_unwrapped_stops_only_its_own_person(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1", "sub_2"], NOW)
    async with keystore.begin() as connection:
        mine = tables.dek.c.subject == "sub_1"
        await connection.execute(
            update(tables.dek).where(mine).values(wrapped=b"\x01\x01" + b"0" * 99)
        )

    vault = await store.vault(["sub_1", "sub_2"])

    assert [vault.has("sub_1"), vault.has("sub_2")] == [False, True]
    with pytest.raises(KeyUnusable):
        sealed_by(vault)


async def test_two_people_whose_wrapped_keys_were_swapped_open_nothing(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1", "sub_2"], NOW)
    async with keystore.begin() as connection:
        rows = {r.subject: r.wrapped for r in await connection.execute(select(tables.dek))}
        for subject, other in (("sub_1", "sub_2"), ("sub_2", "sub_1")):
            mine = update(tables.dek).where(tables.dek.c.subject == subject)
            await connection.execute(mine.values(wrapped=rows[other]))

    vault = await store.vault(["sub_1", "sub_2"])

    assert not vault.has("sub_1")
    assert not vault.has("sub_2")


async def test_keys_of_an_older_epoch_open_while_the_keyring_holds_it(keystore: Database) -> None:
    await another(keystore, {1: KEKS[1]}, 1).create(["sub_1"], NOW)

    assert (await another(keystore, KEKS, 2).vault(["sub_1"])).has("sub_1")
    assert not (await another(keystore, {2: KEKS[2]}, 2).vault(["sub_1"])).has("sub_1")


# Erasing


async def test_erased_keys_are_gone_and_in_the_ledger(store: KeyStore, keystore: Database) -> None:
    await store.create(["sub_1", "sub_2"], NOW)
    await store.vault(["sub_1", "sub_2"])

    await store.erase(["sub_1"], EVERYTHING, NOW)

    vault = await store.vault(["sub_1", "sub_2"])
    assert [vault.has("sub_1"), vault.has("sub_2")] == [False, True]
    assert await store.erased(["sub_1", "sub_2"]) == {
        ("sub_1", Compartment.PROFILE),
        ("sub_1", Compartment.EVIDENCE),
    }
    assert await count(keystore, tables.dek) == 2


async def test_locked_evidence_outlives_the_profile(store: KeyStore) -> None:
    await store.create(["sub_1"], NOW)

    await store.erase(["sub_1"], [Compartment.PROFILE], NOW)

    vault = await store.vault(["sub_1"])
    sealed = vault.seal("sub_1", Compartment.EVIDENCE, PLACE, b"proof")
    assert vault.open("sub_1", Compartment.EVIDENCE, PLACE, sealed) == b"proof"
    assert vault.open("sub_1", Compartment.PROFILE, PLACE, b"") is None
    assert not vault.has("sub_1")


async def test_erasing_again_changes_nothing_and_keeps_the_first_date(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1"], NOW)
    await store.erase(["sub_1"], EVERYTHING, NOW)
    await store.erase(["sub_1"], EVERYTHING, NOW + DAY)

    async with keystore.read() as connection:
        dates = set((await connection.execute(select(tables.erasure_ledger.c.done_at))).scalars())
    assert dates == {NOW}


async def test_whoever_was_erased_never_gets_a_key_again(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1"], NOW)
    await store.erase(["sub_1"], EVERYTHING, NOW)

    await store.create(["sub_1", "sub_2"], NOW)

    vault = await another(keystore).vault(["sub_1", "sub_2"])
    assert [vault.has("sub_1"), vault.has("sub_2")] == [False, True]


async def test_an_erasure_that_fails_destroys_nothing(store: KeyStore, keystore: Database) -> None:
    await store.create(["sub_1"], NOW)
    async with keystore.begin() as connection:
        await connection.run_sync(tables.erasure_ledger.drop)

    with pytest.raises((DBAPIError, StorageAway)):
        await store.erase(["sub_1"], EVERYTHING, NOW)

    assert (await another(keystore).vault(["sub_1"])).has("sub_1")


# Intake keys


async def test_an_intake_key_is_shared_by_processes_for_an_hour(
    store: KeyStore, keystore: Database, stopwatch: Stopwatch
) -> None:
    first_id, first = await store.intake_key(NOW)

    assert await another(keystore).intake_key(NOW + HOUR / 2) == (first_id, first)
    stopwatch.seconds += 3600
    later_id, later = await store.intake_key(NOW + HOUR)
    assert later_id != first_id
    assert later != first
    assert await store.intake_keys([first_id, later_id]) == {first_id: first, later_id: later}


async def test_the_hour_counts_even_while_the_key_is_fresh_in_memory(store: KeyStore) -> None:
    first_id, _ = await store.intake_key(NOW)

    assert (await store.intake_key(NOW + HOUR))[0] != first_id


async def test_an_erasure_changes_the_intake_key(
    store: KeyStore, keystore: Database, stopwatch: Stopwatch
) -> None:
    first_id, _ = await store.intake_key(NOW)
    await another(keystore).erase(["sub_1"], EVERYTHING, NOW)

    stopwatch.seconds += 60
    assert (await store.intake_key(NOW))[0] != first_id


async def test_requests_that_arrive_together_make_one_intake_key(
    store: KeyStore, keystore: Database
) -> None:
    keys = await asyncio.gather(*(store.intake_key(NOW) for _ in range(10)))

    assert len({key_id for key_id, _ in keys}) == 1
    assert await count(keystore, tables.intake_key) == 1


async def test_a_closed_intake_key_waits_for_those_who_may_still_seal_under_it(
    store: KeyStore,
) -> None:
    key_id, _ = await store.intake_key(NOW)
    await store.erase(["sub_1"], EVERYTHING, NOW)

    assert await store.closed_intake_keys(NOW + timedelta(minutes=9)) == []
    assert await store.closed_intake_keys(NOW + timedelta(minutes=10)) == [key_id]


async def test_only_closed_intake_keys_are_destroyed(store: KeyStore) -> None:
    closed, _ = await store.intake_key(NOW)
    current, _ = await store.intake_key(NOW + HOUR)

    await store.destroy_intake_keys([closed, current])

    assert set(await store.intake_keys([closed, current])) == {current}


# Limit keys


async def test_a_week_has_one_limit_key_in_every_process(
    store: KeyStore, keystore: Database
) -> None:
    keys = await asyncio.gather(store.limit_keys(NOW), another(keystore).limit_keys(NOW + DAY))

    assert keys[0] == keys[1]
    assert [period for period, _ in keys[0]] == ["2026-W48"]


async def test_last_weeks_limit_key_is_still_read_and_older_ones_are_destroyed(
    store: KeyStore, keystore: Database
) -> None:
    [first] = await store.limit_keys(NOW)
    second, *rest = await store.limit_keys(NOW + WEEK)
    third, *older = await store.limit_keys(NOW + 2 * WEEK)

    assert rest == [first]
    assert older == [second]
    assert len({key.reveal() for _, key in (first, second, third)}) == 3
    assert await count(keystore, tables.limit_key) == 2


async def test_the_weeks_of_two_years_follow_each_other(store: KeyStore) -> None:
    last_of_2026 = NOW + 5 * WEEK

    await store.limit_keys(last_of_2026)
    periods = [period for period, _ in await store.limit_keys(last_of_2026 + WEEK)]

    assert periods == ["2027-W01", "2026-W53"]


# Sweeping


async def test_keys_that_nobody_took_up_are_swept_when_a_day_old(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_old", "sub_known"], NOW)
    await store.create(["sub_new"], NOW + DAY)
    asked: list[str] = []

    async def named(subjects: Sequence[str]) -> Collection[str]:
        asked.extend(subjects)
        return {"sub_known"}

    assert await store.sweep(named, NOW + DAY + timedelta(seconds=1)) == 1

    vault = await another(keystore).vault(["sub_old", "sub_known", "sub_new"])
    assert [vault.has(one) for one in ("sub_old", "sub_known", "sub_new")] == [False, True, True]
    assert asked == ["sub_known", "sub_old"]
    assert await store.erased(["sub_old"]) == set()


async def test_nothing_is_swept_when_the_data_cannot_say(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1"], NOW)

    async def named(subjects: Sequence[str]) -> Collection[str]:
        raise StorageAway("data")

    with pytest.raises(StorageAway):
        await store.sweep(named, NOW + 2 * DAY)

    assert (await another(keystore).vault(["sub_1"])).has("sub_1")


# The store itself


async def test_installing_records_the_active_epoch_once(
    store: KeyStore, keystore: Database
) -> None:
    await store.install(NOW)
    await store.install(NOW + DAY)

    async with keystore.read() as connection:
        rows = (await connection.execute(select(tables.kek_epoch))).all()
    assert [(row.epoch, row.state, row.since) for row in rows] == [(2, "active", NOW)]


async def test_a_store_that_is_away_says_so() -> None:
    url = "postgresql://postgres@/none?host=/nowhere"
    async with open_database("key store", url) as gone:
        store = another(gone)

        for asked in (
            store.vault(["sub_1"]),
            store.create(["sub_1"], NOW),
            store.intake_key(NOW),
            store.limit_keys(NOW),
            store.erase(["sub_1"], EVERYTHING, NOW),
        ):
            with pytest.raises(StorageAway):
                await asked
