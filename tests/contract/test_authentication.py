from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.callers import api_keys
from gateway.callers.api_keys import ApiKey, Scope
from gateway.errors import NotAuthenticated, ScopeMissing
from gateway.http.authentication import Authentication
from gateway.schema.tables import metadata
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


async def authenticate(data: Database, header: str, scope: Scope) -> ApiKey:
    request = make_mocked_request("POST", "/v1/messages", {"Authorization": header})
    return await Authentication(data, ROWS).authenticate(request, scope)


async def test_a_token_opens_its_key(data: Database) -> None:
    key, token = await created(data, senders=["acme"], purposes=["newsletter"])

    assert await authenticate(data, f"Bearer {token}", Scope.MESSAGES_SEND) == key
    assert await authenticate(data, f"bearer  {token} ", Scope.MESSAGES_SEND) == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic Y2d3Xw==",
        "Bearer cgw_" + "A" * 43,
        "Bearer cgw_" + "é" * 43,
    ],
    ids=["none", "empty", "short", "other scheme", "unknown", "not ASCII"],
)
async def test_without_a_known_token_nobody_gets_in(data: Database, header: str) -> None:
    await created(data)

    with pytest.raises(NotAuthenticated):
        await authenticate(data, header, Scope.MESSAGES_SEND)


async def test_a_key_does_not_do_what_it_was_not_made_for(data: Database) -> None:
    _, token = await created(data)

    with pytest.raises(ScopeMissing) as caught:
        await authenticate(data, f"Bearer {token}", Scope.AUDIT_READ)

    assert caught.value.scope == "audit:read"
