"""Somebody who writes where backups lie swaps a file after its hash was looked at."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import select, update

from consent import tables
from gateway.backups import taking
from gateway.backups.manifest import Store
from gateway.backups.putting_back import put_back
from gateway.backups.taking import Source
from gateway.errors import BackupError
from storage.database import open_database
from tests.support.apps import App
from tests.support.databases import Databases

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


async def _taken(app: App, folder: Path, *recipients: str) -> tuple[Path, dict[Store, str]]:
    parts = app.parts
    stores = {Store.DATA: parts.data, Store.KEYSTORE: parts.key_database}
    verifier = parts.publisher.verifier
    source = Source(stores, parts.guard, parts.log, verifier, parts.rows, parts.clock)
    backup, made = await taking.take(folder, source, recipients, lambda done, total: None)
    return backup, {store: file.file for store, file in made.stores.items()}


@BOTH
@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_file_that_is_swapped_while_a_backup_is_put_back_changes_nothing(
    app: App, dialect: str, encrypted: bool, tmp_path: Path, new_database_url: Databases
) -> None:
    await app.subscribe()
    identity, key = tmp_path / "identity", pyrage.x25519.Identity.generate()
    identity.write_text(f"{key}\n")
    recipients = [str(key.to_public())] if encrypted else []
    other, files = await _taken(app, tmp_path / "other", *recipients)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(tables.subject).values(locale="xx"))
    app.step(timedelta(seconds=5))
    backup, _ = await _taken(app, tmp_path / "backup", *recipients)
    urls = {store: new_database_url(dialect) for store in Store}
    await put_back(backup, urls, app.parts.rows, identity=identity if encrypted else None)

    def swap(rows: int) -> None:
        """The key store is being put back: the data's file was looked at, and is not open yet."""
        shutil.copy(other / files[Store.DATA], backup / files[Store.DATA])

    with pytest.raises(BackupError):
        await put_back(
            backup,
            urls,
            app.parts.rows,
            identity=identity if encrypted else None,
            replace=True,
            progress=swap,
        )

    async with open_database("data", urls[Store.DATA]) as data, data.read() as connection:
        locales = await connection.execute(select(tables.subject.c.locale))
        assert set(locales.scalars()) == {"xx"}  # as it stood before, and as the manifest says
