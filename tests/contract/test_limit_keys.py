"""Each week has one limit key, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from consent.keys import tables
from consent.keys.keystore import KeyStore
from storage.database import Database
from tests.support.clock import START as NOW
from tests.support.keys import another, count

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


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


async def test_who_only_looks_makes_no_key(store: KeyStore, keystore: Database) -> None:
    assert await store.standing_limit_keys(NOW) == []
    assert await count(keystore, tables.limit_key) == 0

    (first,) = await store.limit_keys(NOW)
    second, _ = await store.limit_keys(NOW + WEEK)

    looking = another(keystore).standing_limit_keys
    assert await looking(NOW + WEEK) == [second[1], first[1]]
    assert await looking(NOW + 2 * WEEK) == [second[1]]
    assert await count(keystore, tables.limit_key) == 2
