"""What all kinds of keys share: wrapped at rest, gone at once in an erasure, away together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from consent.keys import epochs, tables
from consent.keys.keystore import KeyStore
from storage.database import Database, open_database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.secret import Secret
from tests.support.clock import START as NOW
from tests.support.keys import EVERYTHING, KEKS, Stopwatch, another

pytestmark = pytest.mark.usefixtures("key_tables")

DAY = timedelta(days=1)
ROWS = RowKeys(KeySet.of(Secret(b"r" * 32)))


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


async def test_an_erasure_changes_the_intake_key(
    store: KeyStore, keystore: Database, stopwatch: Stopwatch
) -> None:
    first_id, _ = await store.intake_key(NOW)
    await another(keystore).erase(["sub_1"], EVERYTHING, NOW)

    stopwatch.seconds += 60
    assert (await store.intake_key(NOW))[0] != first_id


async def test_an_erasure_that_fails_destroys_nothing(store: KeyStore, keystore: Database) -> None:
    await store.create(["sub_1"], NOW)
    async with keystore.begin() as connection:
        await connection.run_sync(tables.erasure_ledger.drop)

    with pytest.raises((DBAPIError, StorageAway)):
        await store.erase(["sub_1"], EVERYTHING, NOW)

    assert (await another(keystore).vault(["sub_1"])).has("sub_1", *EVERYTHING)


async def test_installing_records_the_active_epoch_once(keystore: Database) -> None:
    await epochs.install(keystore, ROWS, 2, NOW)
    await epochs.install(keystore, ROWS, 2, NOW + DAY)

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
