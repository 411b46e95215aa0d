"""A backup of a gateway that lived, put back: on both databases, and from one to the other."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.engine import Engine

from audit import numbers
from audit.errors import GuardAhead
from audit.tables import audit_guard
from gateway.backups import manifest, reading, stream
from gateway.backups.manifest import Store
from gateway.backups.putting_back import put_back, standing
from gateway.backups.taking import Source, take
from gateway.errors import BackupError, TargetInUse
from gateway.schema import database_schema
from gateway.schema.database_schema import KEYSTORE
from storage.database import open_database
from tests.support.apps import ADA, App
from tests.support.databases import Databases
from tests.support.stores import rows

BOB = "bob@example.org"


def source_of(app: App) -> Source:
    parts = app.parts
    stores = {Store.DATA: parts.data, Store.KEYSTORE: parts.key_database}
    verifier = parts.publisher.verifier
    return Source(stores, parts.guard, parts.log, verifier, parts.rows, parts.clock)


async def taken(app: App, folder: Path, *recipients: str) -> Path:
    backup, _ = await take(folder, source_of(app), recipients, lambda done, total: None)
    return backup


async def lived(app: App) -> None:
    """A person with a consent, one who left, one who waits, and one who is erased."""
    await app.subscribe(ADA)
    await app.subscribe(BOB)
    headers = await app.key()
    body = {"to": {"email": BOB}, "all": True, "kind": "object", "channel": "letter"}
    assert (await app.http.post("/v1/withdrawals", json=body, headers=headers)).status == 200
    await app.sign_up("carl@example.org")
    await app.tick()


async def everything(urls: dict[Store, str]) -> dict[Store, dict[str, list[str]]]:
    """Every row as it is read, the same from both databases."""
    found: dict[Store, dict[str, list[str]]] = {}
    for store, url in urls.items():
        async with open_database(store, url) as database, database.snapshot() as connection:
            found[store] = {
                table.name: sorted(map(str, await rows(connection, table)))
                for metadata in store.schema.tables
                for table in metadata.sorted_tables
            }
    return found


def places(app: App) -> dict[Store, str]:
    storage = app.parts.config.storage
    return {Store.DATA: storage.url, Store.KEYSTORE: storage.keystore_url}


async def guard_of(app: App) -> Any:
    async with app.parts.guard.read() as connection:
        return await rows(connection, audit_guard)


BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@BOTH
async def test_what_is_put_back_is_what_was_there_and_the_guard_stays(
    app: App, dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    await lived(app)
    now, before = places(app), await everything(places(app))
    backup = await taken(app, tmp_path / "backups")
    new = {store: new_database_url(dialect) for store in Store}

    known = await put_back(backup, new, app.parts.rows)
    with pytest.raises(TargetInUse, match="--replace"):
        await put_back(backup, now, app.parts.rows)
    refused = await everything(now)
    await app.subscribe("dora@example.org")
    await app.tick()
    guard = await guard_of(app)
    await put_back(backup, now, app.parts.rows, replace=True)

    assert before == refused == await everything(new)
    assert before == await everything(now)
    text_of = [gzip.decompress(one.read_bytes()) for one in backup.glob("*.gz")]
    assert not [one for one in text_of if b"example.org" in one or b"audit_guard" in one]
    lines = [json.loads(line) for one in text_of for line in one.splitlines()]
    # What is in memory at once.
    assert max(len(line) for line in lines if isinstance(line, list)) == 250
    assert guard == await guard_of(app)
    assert known.guard_size == known.log.size < guard[0]["size"]
    assert (await drawn(new))[0] > len(before[Store.DATA]["consent"])
    with pytest.raises(GuardAhead):  # a restored backup: nothing is served
        await app.parts.publisher.publish(app.parts.data, app.parts.guard, app.parts.clock)


async def test_what_fails_on_its_way_leaves_the_store_as_it_was(
    embedded: App, tmp_path: Path
) -> None:
    await embedded.subscribe(ADA)
    backup = await taken(embedded, tmp_path / "backups")
    await embedded.subscribe(BOB)
    before = await everything(places(embedded))
    data = {Store.DATA: places(embedded)[Store.DATA]}

    for number in (30, 150, 260):
        with failing_at(number), pytest.raises(ZeroDivisionError):
            await put_back(backup, data, embedded.parts.rows, replace=True)
        assert await everything(places(embedded)) == before


@contextmanager
def failing_at(number: int) -> Iterator[None]:
    """Fail whoever sends that statement, as somebody who is killed there."""
    sent = itertools.count(1)

    def before(*_: Any) -> None:
        if next(sent) == number:
            raise ZeroDivisionError

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)


_MILLION = {
    "sqlite": "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number"
    " WHERE n < 1000000) INSERT INTO dek SELECT printf('sub_%026d', n), 'profile', 1,"
    " randomblob(114), '2026-01-02T03:04:05.000006Z' FROM number",
    "postgresql": "INSERT INTO dek SELECT 'sub_' || lpad(n::text, 26, '0'), 'profile', 1,"
    " decode(repeat(md5(n::text), 8), 'hex'), now() FROM generate_series(1, 1000000) AS number(n)",
}


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_million_rows_pass_through_little_memory(
    app: App, dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    async with app.parts.key_database.begin() as connection:
        await connection.execute(text(_MILLION[dialect]))
    most, seen = resident(), 0

    def look(done: int, total: int = 0) -> None:
        nonlocal seen
        seen = max(seen, resident())

    begun = time.process_time()
    backup, known = await take(tmp_path / "backups", source_of(app), (), look)
    made = time.process_time()
    await put_back(
        backup, {Store.KEYSTORE: new_database_url(dialect)}, app.parts.rows, progress=look
    )
    back = time.process_time()

    print(f"{dialect}: taken in {made - begun:.0f} s, put back in {back - made:.0f} s of processor")
    assert known.stores[Store.KEYSTORE].rows > 1_000_000
    assert seen - most < 150 << 20


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
async def test_rows_move_from_one_database_to_the_other_and_back(
    app: App, dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    await lived(app)
    backup = await taken(app, tmp_path / "backups")
    other = "postgresql" if dialect == "sqlite" else "sqlite"
    new = {store: new_database_url(dialect) for store in Store}
    moved = {store: new_database_url(other) for store in Store}

    for targets in (new, moved):
        await put_back(backup, targets, app.parts.rows)

    assert await everything(places(app)) == await everything(new) == await everything(moved)
    assert await drawn(new) == await drawn(moved)


async def drawn(urls: dict[Store, str]) -> list[int]:
    """The next numbers of staged events."""
    async with open_database("data", urls[Store.DATA]) as data, data.begin() as connection:
        return list(await numbers.draw(connection, 2, lambda row: True))


async def test_tables_without_rows_are_in_nobodys_way(
    app: App, dialect: str, new_database_url: Databases, tmp_path: Path
) -> None:
    """Whoever upgraded an empty database before the restore would be told that all is there."""
    await lived(app)
    backup = await taken(app, tmp_path)
    targets = {store: new_database_url(dialect) for store in Store}
    for store, url in targets.items():
        async with open_database(store, url) as empty:
            await database_schema.upgrade_one(empty, store.schema)
    before = [await standing(url, store) for store, url in targets.items()]

    await put_back(backup, targets, app.parts.rows)

    after = [await standing(url, store) for store, url in targets.items()]
    assert [found and found.rows for found in before] == [False, False]
    assert [found and found.rows for found in after] == [True, True]


async def test_one_store_is_put_back_alone(app: App, tmp_path: Path) -> None:
    await app.subscribe(ADA)
    backup = await taken(app, tmp_path / "backups")
    (backup / "data.rows.gz").rename(tmp_path / "elsewhere")
    subject = await app.subject()
    await app.subscribe(BOB)
    before = await everything(places(app))

    with pytest.raises(BackupError, match=r"data\.rows\.gz is missing"):
        await put_back(backup, places(app), app.parts.rows, replace=True)
    keys = {Store.KEYSTORE: places(app)[Store.KEYSTORE]}
    await put_back(backup, keys, app.parts.rows, replace=True)

    after = await everything(places(app))
    assert after[Store.DATA] == before[Store.DATA]
    assert all(str(subject) in row for row in after[Store.KEYSTORE]["dek"])


def as_first(lines: Iterable[Any]) -> Iterator[Any]:
    """A key store's rows as the first release had them."""
    table, columns, gone = "", 0, 0
    for line in lines:
        if isinstance(line, dict) and "table" in line:
            table, columns = line["table"], len(line["columns"])
            if table == "kek_epoch":
                columns = line["columns"].index("since") + 1
                line["columns"] = line["columns"][:columns]
        if isinstance(line, dict) and "rows" in line:
            line["rows"] -= gone
        elif table in ("content_key", "verified_backup", "node", "own_session", "set_key"):
            gone += len(line) if isinstance(line, list) else 0
            continue
        yield [row[:columns] for row in line] if isinstance(line, list) else line


async def test_a_backup_of_earlier_tables_is_brought_to_this_release(
    embedded: App, tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    await embedded.subscribe(ADA)
    url = new_database_url("sqlite")
    backup = await taken(embedded, tmp_path)
    path, keys = backup / "keystore.rows.gz", embedded.parts.rows
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    lines = list(as_first(lines))
    lines[0]["revision"] = "keystore_0001"
    path.unlink()
    with stream.written(path, ()) as (write, measured):
        for line in lines:
            write(line)
    known = reading.read(backup, keys)
    old = replace(
        known.stores[Store.KEYSTORE],
        size=measured.size,
        sha256=measured.sha256,
        rows=lines[-1]["rows"],
    )
    changed = replace(known, stores={**known.stores, Store.KEYSTORE: old})
    (backup / "manifest.json").write_bytes(manifest.encode(changed, keys))

    await put_back(backup, {Store.KEYSTORE: url}, keys)

    found = await standing(url, Store.KEYSTORE)
    assert found is not None
    assert found.revision == database_schema.head(KEYSTORE)
    there = await everything({Store.KEYSTORE: url})
    assert (
        there[Store.KEYSTORE]["dek"] == (await everything(places(embedded)))[Store.KEYSTORE]["dek"]
    )


@BOTH
async def test_an_encrypted_backup_opens_with_its_identity_and_no_other(
    app: App, tmp_path: Path, new_database_url: Callable[[str], str], dialect: str
) -> None:
    ours, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "ours").write_text(f"# created: today\n{ours}\n")
    (tmp_path / "other").write_text(f"{other}\n")
    await app.subscribe(ADA)
    subject = str(await app.subject())
    backup = await taken(app, tmp_path / "backups", str(ours.to_public()))
    new = {store: new_database_url(dialect) for store in Store}

    for wrong, said in ((None, "--identity"), (tmp_path / "other", "opens"), (backup, "identity")):
        with pytest.raises(BackupError, match=said):
            await put_back(backup, new, app.parts.rows, identity=wrong)
        assert [await standing(url, store) for store, url in new.items()] == [None, None]
    await put_back(backup, new, app.parts.rows, identity=tmp_path / "ours")

    assert await everything(new) == await everything(places(app))
    files = sorted(backup.iterdir())
    assert [one.name for one in files] == [
        "data.rows.gz.age",
        "keystore.rows.gz.age",
        "manifest.json",
    ]
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert not [one for one in files if subject.encode() in one.read_bytes()]
    with pytest.raises(BackupError, match="no age recipient"):
        await taken(app, tmp_path / "backups", "age1nobody")


async def test_rows_that_somebody_planted_go_into_the_backup_and_come_back(
    embedded: App, tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    """Whoever writes rows must not be able to keep a gateway from being backed up."""
    await embedded.subscribe(ADA)
    planted = {
        "UPDATE subject SET locale = x'00ff', trail_length = 'many', created_at = 1.5",
        "UPDATE outbox SET due_at = 'never' || char(0) || 'x'",
        "INSERT INTO confirmation_consent (token_hash, consent, mac) VALUES (x'aa', 'nobody', 1)",
    }
    with closing(sqlite3.connect(tmp_path / "data.db")) as data, data:
        for one in planted:
            data.execute(one)
    backup = await taken(embedded, tmp_path / "backups")
    new = {store: new_database_url("sqlite") for store in Store}

    await put_back(backup, new, embedded.parts.rows)

    for table in ("subject", "outbox", "confirmation_consent"):
        query = f"SELECT * FROM {table} ORDER BY 1"  # noqa: S608 our own names
        both = [
            sqlite3.connect(str(make_url(urls[Store.DATA]).database))
            for urls in (places(embedded), new)
        ]
        assert both[0].execute(query).fetchall() == both[1].execute(query).fetchall()
        for copy in both:
            copy.close()
    elsewhere = {Store.DATA: new_database_url("postgresql")}
    with pytest.raises(BackupError, match="rows of subject cannot stand in its tables"):
        await put_back(backup, elsewhere, embedded.parts.rows)
    assert await standing(elsewhere[Store.DATA], Store.DATA) is None
