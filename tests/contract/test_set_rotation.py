"""The keys of the keyring's sets follow each other while several machines are at work."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from gateway.flows.keeping.set_rotation import NOTHING_DECLARED
from tests.support.apps import ADA, App
from tests.support.rotations import Node, set_states

BOB = "bob@example.org"
NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


async def keep(node: Node, declared: Declared = NOTHING_DECLARED) -> None:
    """As the duty of a process does, and a command that declares something."""
    await node.keep()
    while await node.keep() or await node.sets.go_on(declared):
        pass
    await node.sets.learn()


@SELDOM_ON_BOTH
async def test_rows_are_signed_anew_and_the_old_key_goes(app: App) -> None:
    await app.subscribe()
    node = Node(app)
    await keep(node)

    assert await node.sets.begin("rows") == 2
    await keep(node)
    assert await set_states(app, "rows") == {1: "retiring", 2: "active"}
    assert app.parts.keyring.rows.kid == 2
    assert await app.permission(ADA) == "granted"

    app.step(RESTS + timedelta(minutes=1))
    await keep(node, NOTHING_LEFT)
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}
    assert app.parts.keyring.rows.get(1) is None
    assert await app.permission(ADA) == "granted"
