"""Rotation of the key-encryption keys: every key of people wrapped anew, on PostgreSQL."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, tell
from benchmarks.gateway import configuration, durable_postgres, open_gateway, pin
from gateway.config.config import Config
from gateway.flows.keeping.rotation import Rotation
from gateway.keyfiles.followed import FollowedKeyring
from gateway.parts import Parts
from storage.ids import random_id

PEOPLE = 500_000  # two keys each
_AT_ONCE = 5_000


def run() -> None:
    """This process on one core, PostgreSQL on the other."""
    pin({1})
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        data, keys = server.create_database("data"), server.create_database("keys")
        settings = configuration(Path(folder), data, keys)
        pin({0})
        asyncio.run(_run(settings))


async def _run(settings: Config) -> None:
    async with open_gateway(settings) as parts:
        for _ in range(0, PEOPLE, _AT_ONCE):
            people = [random_id("sub") for _ in range(_AT_ONCE)]
            await parts.keystore.create(people, parts.clock.wall())
        seconds, wrapped = await _rotate(parts)
    tell(
        Figure("keys wrapped anew", "per s", [wrapped / seconds]),
        Figure("1,000,000 keys wrapped anew (must 120)", "s", [1e6 * seconds / wrapped]),
    )


async def _rotate(parts: Parts) -> tuple[float, int]:
    ring = FollowedKeyring(parts.config.keys.keyring, parts.keyring)
    args = parts.key_database, parts.data, parts.clock, parts.log, parts.rows
    rotation = Rotation(*args, ring)
    await rotation.begin()
    begun, wrapped = time.perf_counter(), 0
    while did := await rotation.go_on():
        wrapped += did
    return time.perf_counter() - begun, wrapped
