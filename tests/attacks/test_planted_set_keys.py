"""By SQL: rows that say how the keyring's keys stand, and rows that hope to be signed anew."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from consent import tables as people
from consent.keys import sets, tables
from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from consent.keys.sets import KeyName, SetKey
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.flows.proving import verify
from gateway.schema.tables import api_key
from storage.honesty import RowKeys
from storage.keysets import KeySet, KeyState
from storage.secret import Secret
from tests.support.apps import ADA, App, start_app
from tests.support.rotations import Node, set_states

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)
FORGER = RowKeys(KeySet.of(Secret(b"f" * 32)))  # signs as key 1, which is ours
table = tables.set_key


async def work(node: Node, declared: Declared = NOTHING_LEFT) -> None:
    while await node.keep() or await node.sets.go_on(declared):
        pass
    await node.sets.learn()


def planted(app: App, kind: str, number: int, state: KeyState, **more: Any) -> dict[str, object]:
    """A row as whoever lacks our keys would write it."""
    now = app.parts.clock.wall()
    one = SetKey(KeyName(kind, number), state, now, "0" * 16, told=str(state), **more)
    return sets.row_of(FORGER, one)


@BOTH
@pytest.mark.parametrize("kid", [1, 7, None], ids=["our key", "none that we have", "none"])
async def test_a_planted_row_has_no_key_used_and_none_destroyed(app: App, kid: int | None) -> None:
    await app.subscribe()
    over = {"renewed_at": app.parts.clock.wall(), "released_at": app.parts.clock.wall()}
    rows = [
        planted(app, "web", 1, KeyState.RETIRING, **over),
        planted(app, "audit", 1, KeyState.DESTROYED),
        planted(app, "rows", 7, KeyState.ACTIVE),
        planted(app, "suppression", 2, KeyState.ANNOUNCED),
    ]
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(table), [row | {"kid": kid} for row in rows])

    node = Node(app)
    await work(node)

    for kind, keys in app.parts.keyring.sets.items():
        assert ([key.kid for key in keys.keys], keys.lacking) == ([1], frozenset()), kind
    assert await app.permission(ADA) == "granted"
    assert await node.sets.begin("suppression") in (2, 3)  # nor is the next one held up
    await work(node)
    assert app.parts.keyring.suppression.kid in (2, 3)
    async with start_app(app.parts.config, app.parts.clock) as later:
        assert await later.permission(ADA) == "granted"
    named = "\n".join((await verify.verify(app.parts)).rows)
    assert "set_key rows/7" in named
    assert "set_key audit/1" in named


@BOTH
async def test_an_old_row_that_is_put_back_brings_no_key_back_and_takes_none_away(app: App) -> None:
    await app.subscribe()
    node = Node(app)
    await work(node)
    await node.sets.begin("rows")
    async with app.parts.key_database.read() as connection:
        early = [dict(row._mapping) for row in await connection.execute(select(table))]
    await work(node)
    await app.tick()
    app.step(RESTS + timedelta(minutes=1))
    await work(node)
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}

    async with app.parts.key_database.begin() as connection:
        await connection.execute(table.delete())
        await connection.execute(insert(table), early)
    await work(node)

    assert app.parts.keyring.rows.get(1) is None
    assert app.parts.keyring.rows.kid == 2
    assert await app.permission(ADA) == "granted"


@BOTH
async def test_no_forged_row_is_signed_anew(app: App) -> None:
    """Each of them names our key, and one was ours before somebody changed it."""
    await app.subscribe()
    node = Node(app)
    await work(node)
    consent, subject = people.consent, people.subject
    async with app.parts.data.begin() as connection:
        await connection.execute(update(consent).values(purpose="updates"))
        await connection.execute(update(subject).values(mac=b"m" * 32))

    await node.sets.begin("rows")
    await work(node)
    await app.tick()
    app.step(RESTS + timedelta(minutes=1))
    await work(node)

    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}  # nor do they keep it
    async with app.parts.data.read() as connection:
        for one in (consent, subject):
            assert set((await connection.execute(select(one.c.kid))).scalars()) == {1}
    assert await app.permission(ADA, "updates") != "granted"
    named = "\n".join((await verify.verify(app.parts)).rows)
    assert str(await app.subject()) in named


@BOTH
async def test_who_has_a_key_that_was_let_go_signs_nothing_that_counts(app: App) -> None:
    """They had a copy of the keyring, from before."""
    await app.subscribe()
    stolen = RowKeys(KeySet.of(app.parts.keyring.rows.secret))
    node = Node(app)
    await work(node)
    await node.sets.begin("rows")
    await work(node)
    await app.tick()
    app.step(RESTS + timedelta(minutes=1))
    await work(node)
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}

    async with app.parts.data.begin() as connection:
        now = app.parts.clock.wall()
        _, token = await api_keys.create(
            connection, stolen, name="crm", scopes=[Scope.PERMISSIONS_READ], now=now
        )
        assert (await connection.execute(select(api_key.c.kid))).scalars().all() == [1]
    asked = json.dumps({"to": {"email": ADA}, "purpose": "newsletter"})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with app.http.post("/v1/permissions", data=asked, headers=headers) as answer:
        assert answer.status == 401
    # And what is in the key store by it, they cannot have signed anew by another rotation.
    forged = SetKey(KeyName("web", 1), KeyState.DESTROYED, now, "0" * 16)
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(table).values(sets.row_of(stolen, forged)))
    await node.sets.begin("rows")
    await work(node)
    assert app.parts.keyring.web.get(1) is not None
    assert (await set_states(app, "web")) == {}
