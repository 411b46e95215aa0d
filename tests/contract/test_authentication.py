from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.callers import api_keys
from gateway.callers.api_keys import FRESH, ApiKey, Scope
from gateway.errors import NotAuthenticated, ScopeMissing
from gateway.http.authentication import Authentication
from gateway.schema.tables import metadata
from storage.database import Database
from tests.support.clock import START
from tests.support.rows import ROWS
from tests.support.statements import statements


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


async def test_what_a_token_opened_is_remembered_for_a_second(data: Database) -> None:
    key, token = await created(data)
    at = [100.0]
    door = Authentication(data, ROWS, monotonic=lambda: at[0])
    shown = make_mocked_request("POST", "/v1/messages", {"Authorization": f"Bearer {token}"})
    with statements() as heard:
        await door.authenticate(shown, Scope.MESSAGES_SEND)
        at[0] += FRESH - 0.01
        assert await door.authenticate(shown, Scope.MESSAGES_SEND) == key
    async with data.begin() as connection:
        assert await api_keys.revoke(connection, ROWS, key.id, START)

    at[0] += 0.01

    assert len(heard) == 1
    with pytest.raises(NotAuthenticated):
        await door.authenticate(shown, Scope.MESSAGES_SEND)


async def test_who_comes_by_many_connections_is_looked_up_once(data: Database) -> None:
    key, token = await created(data)
    door = Authentication(data, ROWS)
    shown = make_mocked_request("POST", "/v1/messages", {"Authorization": f"Bearer {token}"})
    with statements() as heard:
        first, *others = [
            asyncio.create_task(door.authenticate(shown, Scope.MESSAGES_SEND)) for _ in range(20)
        ]
        await asyncio.sleep(0)
        first.cancel()  # whoever hangs up ends it for nobody else

        assert await asyncio.gather(*others) == [key] * 19

    assert len(heard) == 1


async def test_a_look_that_lasts_longer_than_a_second_is_nobody_elses(data: Database) -> None:
    """It may have begun before the key was revoked."""
    _, token = await created(data)
    at = [100.0]
    door = Authentication(data, ROWS, monotonic=lambda: at[0])
    shown = make_mocked_request("POST", "/v1/messages", {"Authorization": f"Bearer {token}"})
    with statements() as heard:
        early = asyncio.create_task(door.authenticate(shown, Scope.MESSAGES_SEND))
        await asyncio.sleep(0)
        at[0] += FRESH
        await door.authenticate(shown, Scope.MESSAGES_SEND)
        await early

    assert len(heard) == 2


async def test_what_is_remembered_opens_no_more_than_the_key_does(data: Database) -> None:
    _, token = await created(data)
    door = Authentication(data, ROWS)
    shown = make_mocked_request("POST", "/v1/messages", {"Authorization": f"Bearer {token}"})
    await door.authenticate(shown, Scope.MESSAGES_SEND)

    with pytest.raises(ScopeMissing):
        await door.authenticate(shown, Scope.AUDIT_READ)


async def test_a_key_does_not_do_what_it_was_not_made_for(data: Database) -> None:
    _, token = await created(data)

    with pytest.raises(ScopeMissing) as caught:
        await authenticate(data, f"Bearer {token}", Scope.AUDIT_READ)

    assert caught.value.scope == "audit:read"
