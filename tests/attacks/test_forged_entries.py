"""By SQL: entries put into the log where the next one would stand. Nobody signs them."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import tomllib
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, nodes
from audit.canonical import encode
from audit.kinds import Kind
from audit.tables import audit_entry, audit_pending, audit_state
from audit.tree import Frontier, leaf_hash
from gateway.cli import main
from gateway.keyfiles import keyring
from tests.support import stores
from tests.support.databases import Databases
from tests.support.gateways import Gateway, open_gateway
from tests.support.waiting import until

ADA = "ada@example.org"


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, dialect) as opened:
        await opened.start("serve", "serve", "--worker")
        yield opened


async def command(config: Path, *arguments: str) -> tuple[int, str]:
    def run() -> int:
        try:
            main(["--config", str(config), *arguments])
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        return await asyncio.to_thread(run), said.getvalue()


async def signed(gateway: Gateway, key: str) -> str:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{gateway.base}/v1/audit/checkpoint"
    async with gateway.http.get(url, headers=headers) as answer:
        return await answer.text()


def size_of(kept: str) -> int:
    return int(kept.split("\n")[1])


async def append(connection: AsyncConnection, entry: bytes, eid: bytes) -> int:
    """Put it behind the last entry, with everything beside it as a sequencer makes it."""
    await connection.execute(delete(audit_pending))
    index = audit_entry.c.leaf_index
    last = (await connection.execute(select(audit_entry).order_by(index.desc()).limit(1))).one()
    at = last.leaf_index + 1
    added = last._asdict() | {"leaf_index": at, "eid": eid, "entry": entry}
    read = json.loads(entry)
    added |= {"leaf_hash": leaf_hash(entry), "kind": read["k"], "at": read["t"]}
    await connection.execute(insert(audit_entry).values(added))
    query = select(audit_state.c.size, audit_state.c.frontier)
    frontier = Frontier(*(await connection.execute(query)).one())
    await nodes.keep(connection, frontier.extend([leaf_hash(entry)]))
    state = {"size": frontier.size, "frontier": frontier.packed}
    await connection.execute(update(audit_state).values(state))
    return int(at)


async def test_a_confirmation_of_2020_that_was_appended_by_sql_is_never_signed(
    gateway: Gateway,
) -> None:
    await gateway.subscribe(ADA)
    await sequenced(gateway, Kind.CONSENT_CONFIRMED)
    async with stores.open_data(gateway) as data, data.begin() as connection:
        query = select(audit_entry.c.entry).where(audit_entry.c.kind == Kind.CONSENT_CONFIRMED)
        real = json.loads((await connection.execute(query)).scalar_one())
        eid = secrets.token_bytes(16)
        forged = real | {"id": encode(eid), "t": "2020-01-01T00:00:00.000Z"}
        raw = json.dumps(forged, sort_keys=True, separators=(",", ":")).encode()
        at = await append(connection, raw, eid)

    await until(lambda: '"LogForged"' in gateway.log("serve"))
    await gateway.subscribe("grace@example.org")  # everything else goes on
    await sequenced(gateway, Kind.CONSENT_CONFIRMED, 3)
    kept = await signed(gateway, await asyncio.to_thread(gateway.api_key, "audit:read"))
    status, said = await command(gateway.config, "audit", "verify")

    assert size_of(kept) <= at, "it was signed"
    assert status == 1
    assert f"first bad index {at}" in said
    assert await offline(gateway, kept) == 0, "what is signed is still in order"


async def sequenced(gateway: Gateway, kind: Kind, count: int = 1) -> None:
    """Wait until so many events of *kind* have an index, and no event waits for one."""
    async with stores.open_data(gateway) as data, asyncio.timeout(60):
        while True:
            async with data.read() as connection:
                kinds = (await connection.execute(select(audit_entry.c.kind))).scalars().all()
                staged = (await connection.execute(select(audit_pending.c.n))).all()
            if kinds.count(kind) >= count and not staged:
                return
            await asyncio.sleep(0.1)


async def offline(gateway: Gateway, kept: str) -> int:
    bundle, held = gateway.directory / "log.jsonl", gateway.directory / "kept"
    held.write_text(kept)
    assert (await command(gateway.config, "audit", "export", "-o", str(bundle)))[0] == 0
    settings: dict[str, Any] = tomllib.loads(gateway.config.read_text())
    ring = keyring.load(gateway.directory / "keyring.json")
    key = checkpoints.vkey(settings["audit"]["origin"], ring.signing.secret.reveal())
    checked = ("audit", "verify", "--bundle", str(bundle), "--key", key, "--checkpoint", str(held))
    return (await command(gateway.directory / "none.toml", *checked))[0]
