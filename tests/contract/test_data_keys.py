"""The keys of people are made, kept, destroyed and swept, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from consent.errors import KeyUnusable, SealError
from consent.keys import tables
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from storage.database import Database
from storage.errors import StorageAway
from tests.support.clock import START as NOW
from tests.support.keys import (
    EVERYTHING,
    KEKS,
    PLACE,
    Stopwatch,
    another,
    count,
    opened_by,
    sealed_by,
)

pytestmark = pytest.mark.usefixtures("key_tables")

DAY = timedelta(days=1)


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


async def test_the_keys_that_were_there_first_stand_in_every_process(
    store: KeyStore, keystore: Database
) -> None:
    await another(keystore).create(["sub_1"], NOW)
    await store.create(["sub_1", "sub_2"], NOW)

    sealed = sealed_by(await store.vault(["sub_1"]))

    assert opened_by(await another(keystore).vault(["sub_1"]), sealed) == b"ada@example.org"


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


async def test_whoever_has_no_keys_is_missing(store: KeyStore) -> None:
    await store.create(["sub_1"], NOW)

    vault = await store.vault(["sub_1", "sub_2"])

    assert vault.has("sub_1", *EVERYTHING)
    assert not vault.has("sub_2", *EVERYTHING)
    assert vault.open("sub_2", Compartment.PROFILE, PLACE, b"") is None


async def test_a_key_that_was_missing_is_seen_as_soon_as_it_exists(
    store: KeyStore, keystore: Database
) -> None:
    assert not (await store.vault(["sub_1"])).has("sub_1", *EVERYTHING)
    await another(keystore).create(["sub_1"], NOW)

    assert (await store.vault(["sub_1"])).has("sub_1", *EVERYTHING)


async def test_many_people_are_fetched_at_once(store: KeyStore, keystore: Database) -> None:
    people = [f"sub_{n:05}" for n in range(5_100)]
    await store.create(people, NOW)

    vault = await another(keystore).vault(people)
    await store.erase(people, EVERYTHING, NOW)

    assert all(vault.has(one, *EVERYTHING) for one in people)
    assert await count(keystore, tables.dek) == 0


async def test_fetched_keys_are_used_for_a_minute_and_no_longer(
    store: KeyStore, keystore: Database, stopwatch: Stopwatch
) -> None:
    await store.create(["sub_1"], NOW)
    await store.vault(["sub_1"])
    await another(keystore).erase(["sub_1"], EVERYTHING, NOW)

    stopwatch.seconds += 59
    assert (await store.vault(["sub_1"])).has("sub_1", *EVERYTHING)
    stopwatch.seconds += 1
    assert not (await store.vault(["sub_1"])).has("sub_1", *EVERYTHING)


async def test_one_key_that_cannot_be_unwrapped_stops_only_its_own_person(
    store: KeyStore, keystore: Database
) -> None:
    await store.create(["sub_1", "sub_2"], NOW)
    async with keystore.begin() as connection:
        mine = tables.dek.c.subject == "sub_1"
        await connection.execute(
            update(tables.dek).where(mine).values(wrapped=b"\x01\x01" + b"0" * 99)
        )

    vault = await another(keystore).vault(["sub_1", "sub_2"])

    assert [vault.has("sub_1", *EVERYTHING), vault.has("sub_2", *EVERYTHING)] == [False, True]
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

    vault = await another(keystore).vault(["sub_1", "sub_2"])

    assert not vault.has("sub_1", *EVERYTHING)
    assert not vault.has("sub_2", *EVERYTHING)


async def test_keys_of_an_older_epoch_open_while_the_keyring_holds_it(keystore: Database) -> None:
    await another(keystore, {1: KEKS[1]}, 1).create(["sub_1"], NOW)

    assert (await another(keystore, KEKS, 2).vault(["sub_1"])).has("sub_1", *EVERYTHING)
    assert not (await another(keystore, {2: KEKS[2]}, 2).vault(["sub_1"])).has("sub_1", *EVERYTHING)


# Erasing


async def test_erased_keys_are_gone_and_in_the_ledger(store: KeyStore, keystore: Database) -> None:
    await store.create(["sub_1", "sub_2"], NOW)
    await store.vault(["sub_1", "sub_2"])

    await store.erase(["sub_1"], EVERYTHING, NOW)

    vault = await store.vault(["sub_1", "sub_2"])
    assert [vault.has("sub_1", *EVERYTHING), vault.has("sub_2", *EVERYTHING)] == [False, True]
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
    assert not vault.has("sub_1", *EVERYTHING)


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
    assert [vault.has("sub_1", *EVERYTHING), vault.has("sub_2", *EVERYTHING)] == [False, True]


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
    assert [vault.has(one, *EVERYTHING) for one in ("sub_old", "sub_known", "sub_new")] == [
        False,
        True,
        True,
    ]
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

    assert (await another(keystore).vault(["sub_1"])).has("sub_1", *EVERYTHING)
