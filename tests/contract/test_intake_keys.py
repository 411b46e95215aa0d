"""The keys of intake are made, shared, closed and destroyed, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from consent.keys import tables
from consent.keys.keystore import KeyStore
from storage.database import Database
from storage.errors import StorageAway
from tests.support.clock import START as NOW
from tests.support.keys import EVERYTHING, Stopwatch, another, count

HOUR = timedelta(hours=1)


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


async def test_what_was_sealed_before_a_standstill_is_not_kept(
    store: KeyStore, stopwatch: Stopwatch
) -> None:
    key, _ = await store.intake_key(NOW)
    stopwatch.seconds += 240
    store.require_in_time(key)

    stopwatch.seconds += 60
    with pytest.raises(StorageAway):
        store.require_in_time(key)
    assert (await store.intake_key(NOW))[0] == key
    store.require_in_time(key)


async def test_only_closed_intake_keys_are_destroyed(store: KeyStore) -> None:
    closed, _ = await store.intake_key(NOW)
    current, _ = await store.intake_key(NOW + HOUR)

    await store.destroy_intake_keys([closed, current])

    assert set(await store.intake_keys([closed, current])) == {current}
