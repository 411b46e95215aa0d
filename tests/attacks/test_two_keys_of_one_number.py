"""Two machines each made a key of one number: what nobody announced wraps nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from consent.keys.nodes import SILENT_FOR
from gateway.errors import KeyFileError
from gateway.process.lifespan import put_in_order
from storage.errors import StorageAway
from tests.support.apps import App
from tests.support.rotations import (
    copy_keyring,
    machine,
    readable,
    rotation_of,
    states,
    wrapping,
)

BOB = "bob@example.org"
BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture
async def behind(app: App) -> AsyncIterator[App]:
    """A machine whose run was killed after it made its key, before it told of it."""
    await app.subscribe()
    async with machine(app, "second") as node:
        rotation_of(node)._keyring.make_kek([1])
        rotation = rotation_of(app)
        app.step(SILENT_FOR + timedelta(seconds=1))  # it stands still
        await rotation.keep()
        assert await rotation.begin() == 2
        await rotation.keep()
        assert await states(app) == {1: "retiring", 2: "active"}
        yield node


@BOTH
async def test_its_process_wraps_nothing_under_its_own(app: App, behind: App) -> None:
    subject = str(await app.subject())
    there = rotation_of(behind)

    with pytest.raises(StorageAway):
        await behind.parts.keystore.create(["sub_new"], app.parts.clock.wall())
    for _ in range(4):
        await there.keep()  # nor does it wrap anew what the others have
    assert await wrapping(app) == {1}
    assert await readable(behind.parts.keystore, subject)

    here = rotation_of(app)
    while await here.keep():
        pass
    assert await wrapping(app) == {2}
    assert await readable(app.parts.keystore, subject)
    with pytest.raises(StorageAway):  # and nobody passes for damaged there
        await readable(behind.parts.keystore, subject)


@BOTH
async def test_it_does_not_start_and_begins_nothing(app: App, behind: App) -> None:
    here = rotation_of(app)
    while await here.keep():
        pass

    assert await rotation_of(behind).lacking() == [2]
    with pytest.raises(KeyFileError, match="lacks epoch 2"):
        await put_in_order(behind.parts)

    copy_keyring(app, behind)
    async with machine(app, "second") as node:  # started anew
        await node.parts.keystore.create(["sub_new"], app.parts.clock.wall())
        assert await readable(app.parts.keystore, "sub_new")


@BOTH
async def test_a_key_that_was_never_announced_goes_before_the_next_is_made(app: App) -> None:
    """Its number went to another, which was lost and given up."""
    async with machine(app, "second") as second, machine(app, "third") as third:
        here = rotation_of(app)
        here._keyring.make_kek([1])
        mine = app.parts.keyring.keks[2]
        await here.keep()
        await rotation_of(second).begin()  # and its disk is gone
        await rotation_of(third).keep()

        assert await here.begin() == 3

        assert app.parts.keyring.keks.keys() == {1, 3}
        assert mine not in app.parts.keyring.keks.values()
