"""A database is upgraded first, and processes of the release before go on working on it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import SchemaError
from gateway.schema import database_schema
from gateway.schema.database_schema import DATA, GUARD, Schema, Standing
from storage.database import Database
from tests.support.apps import ADA, App, open_app, start_app

_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}
branch_labels = None
depends_on = None
oldest = {oldest!r}


def upgrade() -> None:
{body}
"""
ADDS = """\
    for table in ("subject", "intake", "outbox", "permit", "attempt", "consent", "audit_pending"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("later", sa.Integer(), nullable=True))
            changed.add_column(sa.Column("count", sa.Integer(), nullable=False, server_default="0"))
    op.create_table("later", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_index("outbox_later", "outbox", ["later"])
"""
TAKES_AWAY = """\
    op.drop_table("rate_limit")
"""


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    async with open_app(tmp_path / "gateway", new_database_url, dialect) as opened:
        yield opened


def later(folder: Path, schema: Schema, *migrations: tuple[str, str | None]) -> Schema:
    """A later release's schema: ours and these migrations, each with its `oldest`."""
    where = folder / "migrations" / schema.name
    shutil.copytree(schema.migrations, where, dirs_exist_ok=True)
    for number, (body, oldest) in enumerate(migrations, _newest(schema) + 1):
        name, before = (f"{schema.name}_{n:04d}" for n in (number, number - 1))
        script = _MIGRATION.format(revision=name, before=before, oldest=oldest, body=body)
        (where / f"{name}.py").write_text(script)
    return replace(schema, migrations=where)


def _newest(schema: Schema) -> int:
    return int((database_schema.head(schema) or "_0").rpartition("_")[2])


NEXT, ONE_AFTER = (f"data_{_newest(DATA) + number:04d}" for number in (1, 2))


async def test_a_process_goes_on_and_comes_back_while_a_later_release_only_adds(
    app: App, tmp_path: Path
) -> None:
    await app.subscribe("before@example.org")
    newer = later(tmp_path, DATA, (ADDS, None))

    assert await database_schema.upgrade_one(app.parts.data, newer)
    await app.subscribe()
    async with start_app(app.parts.config, app.parts.clock) as again:
        key = await again.key()
        await again.subscribe("after@example.org")
        for email in ("before@example.org", ADA, "after@example.org"):
            body = {
                "to": {"email": email},
                "purpose": "newsletter",
                "content": {"subject": "News", "text": "Hello."},
            }
            answer = await again.http.post("/v1/messages", json=body, headers=key)
            assert answer.status == 202
        mails = await again.deliver()

    assert len(mails) == 3
    assert await database_schema.standing(app.parts.data, DATA) is Standing.EXPANDED
    assert await database_schema.standing(app.parts.data, newer) is Standing.CURRENT


async def test_a_process_does_not_start_on_what_a_later_release_took_away(
    app: App, tmp_path: Path
) -> None:
    newer = later(tmp_path, DATA, (ADDS, None), (TAKES_AWAY, NEXT))
    await database_schema.upgrade_one(app.parts.data, newer)

    with pytest.raises(SchemaError) as caught:
        async with start_app(app.parts.config, app.parts.clock):
            pass

    assert (caught.value.behind, caught.value.beyond) == ((), ("data",))
    assert "later release: data; run that release" in str(caught.value)
    between = later(tmp_path / "between", DATA, (ADDS, None))
    assert await database_schema.standing(app.parts.data, between) is Standing.EXPANDED


async def test_what_was_taken_away_stays_so_when_later_migrations_only_add(
    app: App, tmp_path: Path
) -> None:
    first = later(tmp_path / "first", DATA, (TAKES_AWAY, NEXT))
    await database_schema.upgrade_one(app.parts.data, first)
    second = later(tmp_path / "second", DATA, (TAKES_AWAY, NEXT), (ADDS, None))
    await database_schema.upgrade_one(app.parts.data, second)

    assert await database_schema.standing(app.parts.data, DATA) is Standing.BEYOND
    assert await database_schema.standing(app.parts.data, first) is Standing.EXPANDED


@pytest.mark.parametrize(
    "oldest", [(NEXT, ONE_AFTER), (ONE_AFTER, NEXT)], ids=["rising", "falling"]
)
def test_of_several_that_take_something_away_the_furthest_counts(
    tmp_path: Path, oldest: tuple[str, str]
) -> None:
    first, second = oldest
    newer = later(tmp_path, DATA, (ADDS, None), (TAKES_AWAY, first), (TAKES_AWAY, second))

    assert database_schema.oldest(newer) == ONE_AFTER
    assert database_schema.oldest(DATA) == "data_0002"  # whose code signs rows


async def test_a_later_release_does_not_start_before_the_upgrade(app: App, tmp_path: Path) -> None:
    newer = later(tmp_path, DATA, (ADDS, None))

    assert await database_schema.standing(app.parts.data, newer) is Standing.BEHIND


async def test_an_older_release_upgrades_nothing_of_a_later_one(
    database: Database, tmp_path: Path
) -> None:
    newer = later(tmp_path, GUARD, ("    pass", None))
    await database_schema.upgrade_one(database, newer)

    with pytest.raises(SchemaError) as caught:
        await database_schema.upgrade_one(database, GUARD)

    assert caught.value.beyond == ("guard",)
    assert await database_schema.standing(database, GUARD) is Standing.EXPANDED


async def test_tables_that_say_nothing_of_older_releases_are_left_to_their_own(
    database: Database,
) -> None:
    await database_schema.upgrade_one(database, GUARD)
    async with database.begin() as connection:
        unknown = "UPDATE schema_guard SET version_num = 'guard_9999', oldest = NULL"
        await connection.execute(text(unknown))

    assert await database_schema.standing(database, GUARD) is Standing.BEYOND
