"""Machines that each have a keyring of their own, and the rotation as each sees it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import select

from consent.keys import epochs, sets, tables
from consent.keys.epochs import EpochState
from consent.keys.keystore import KeyStore
from consent.keys.vault import OF_PEOPLE
from consent.keys.verified import VerifiedBackup, record
from gateway.flows.keeping import endings
from gateway.flows.keeping.rotation import Rotation
from gateway.flows.keeping.set_rotation import SetRotation
from gateway.keyfiles.followed import FollowedKeyring
from gateway.keyfiles.followed_sets import FollowedSets
from tests.support.apps import App, start_app


def rotation_of(app: App) -> Rotation:
    """As the duty of that process has it, at its start."""
    parts = app.parts
    ring = FollowedKeyring(parts.config.keys.keyring_file, parts.keyring)
    return Rotation(parts.key_database, parts.data, parts.clock, parts.log, parts.rows, ring)


@asynccontextmanager
async def machine(app: App, name: str) -> AsyncIterator[App]:
    """Another process of the gateway, on a machine that has the keyring of today."""
    config = app.parts.config
    path = config.keys.keyring_file.with_name(f"{name}.json")
    copy_keyring(app, path)
    keys = config.keys.model_copy(update={"keyring_file": path})
    async with start_app(config.model_copy(update={"keys": keys}), app.parts.clock) as node:
        yield node


def copy_keyring(app: App, to: Path | App) -> None:
    """As the operator does: over the old one, in place of it."""
    path = to if isinstance(to, Path) else to.parts.config.keys.keyring_file
    draft = path.with_suffix(".draft")
    shutil.copy(app.parts.config.keys.keyring_file, draft)
    draft.chmod(0o600)
    draft.replace(path)


async def states(app: App) -> dict[int, str]:
    """Where each epoch stands."""
    async with app.parts.key_database.read() as connection:
        found = await epochs.standing(connection, app.parts.rows)
    return {one.epoch: str(one.state) for one in found}


async def wrapping(app: App) -> set[int]:
    """The epochs that anything is wrapped under."""
    found: set[int] = set()
    async with app.parts.key_database.read() as connection:
        for table in (tables.dek, tables.intake_key, tables.limit_key, tables.content_key):
            found |= set((await connection.execute(select(table.c.epoch))).scalars())
    return found


async def verify_backup(app: App, *wrapped: int) -> None:
    """As `gateway backup --verify` notes it, of a backup that is taken now."""
    parts = app.parts
    now = parts.clock.wall()
    one = VerifiedBackup(
        f"backup-{now:%H%M%S%f}", now, now, {1: EpochState.RETIRING}, frozenset(wrapped)
    )
    async with parts.key_database.begin() as connection:
        await record(connection, parts.rows, one)


async def readable(store: KeyStore, *subjects: str) -> bool:
    """Whether a process that holds nothing yet can open what is kept of these people."""
    store._people.forget(subjects)
    vault = await store.vault(subjects)
    return all(vault.has(one, *OF_PEOPLE) for one in subjects)


class Node:
    """A process with its duty that keeps keys, at its start."""

    def __init__(self, app: App) -> None:
        parts = app.parts
        self.ring = FollowedKeyring(parts.config.keys.keyring_file, parts.keyring)
        opened = (parts.data, parts.key_database, parts.guard, parts.clock)
        kinds = endings.of(
            *opened, parts.lookup, parts.keystore, parts.keyring.sets, parts.publisher
        )
        stores = (parts.key_database, parts.data, parts.clock, parts.log, parts.rows)
        self.sets = SetRotation(*stores, FollowedSets(self.ring), kinds)
        self.keks = Rotation(*stores, self.ring)

    async def keep(self) -> int:
        """One turn of the duty."""
        self.ring.refresh()
        return await self.sets.keep() + await self.keks.keep()


async def set_states(app: App, kind: str) -> dict[int, str]:
    """Where each key of a kind stands."""
    async with app.parts.key_database.read() as connection:
        found = await sets.standing(connection, app.parts.rows)
    return {one.name.number: str(one.state) for one in found.of(kind)}
