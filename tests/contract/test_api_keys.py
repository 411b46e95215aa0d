from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from gateway.callers import api_keys
from gateway.callers.api_keys import ApiKey, Scope
from gateway.schema.tables import api_key, metadata
from storage.database import Database
from tests.support.clock import START
from tests.support.rows import ROWS


@pytest.fixture
async def data(database: Database) -> AsyncIterator[Database]:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database


async def created(data: Database, **facts: list[str]) -> tuple[ApiKey, str]:
    async with data.begin() as connection:
        return await api_keys.create(
            connection, ROWS, name="shop", scopes=[Scope.MESSAGES_SEND], now=START, **facts
        )


async def test_the_token_itself_is_stored_nowhere(data: Database) -> None:
    _, token = await created(data)

    async with data.read() as connection:
        row = (await connection.execute(select(api_key))).one()

    assert token.removeprefix("cgw_") not in repr(row)


async def test_a_revoked_key_ends_at_once_and_stays_listed(data: Database) -> None:
    key, token = await created(data)

    async with data.begin() as connection:
        first = await api_keys.revoke(connection, ROWS, key.id, START)
        second = await api_keys.revoke(connection, ROWS, key.id, START)
        listed = await api_keys.listed(connection, ROWS)

    assert (first, second) == (True, False)
    assert listed == [replace(key, revoked_at=START)]
    async with data.read() as connection:
        assert await api_keys.find(connection, ROWS, token) is None


@pytest.mark.parametrize(
    ("senders", "purposes", "inside"),
    [
        ([], [], True),
        (["acme"], [], True),
        ([], ["newsletter"], True),
        (["other"], [], False),
        ([], ["offers"], False),
        (["acme"], ["offers"], False),
        (["other"], ["newsletter"], False),
    ],
)
async def test_a_key_may_be_bound_to_senders_and_purposes(
    data: Database, senders: list[str], purposes: list[str], inside: bool
) -> None:
    key, _ = await created(data, senders=senders, purposes=purposes)

    assert key.covers("newsletter", "acme") is inside
