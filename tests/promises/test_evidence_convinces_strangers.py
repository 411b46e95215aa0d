"""Promise 6 for whoever distrusts us: a bundle is checked elsewhere, by one file, without us."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit import checkpoints
from audit.checkpoints import Checkpoint
from audit.rowmac import RowMacs
from audit.tables import audit_checkpoint, audit_entry, audit_guard, audit_node, audit_state
from audit.tree import Frontier, leaf_hash
from gateway.keyfiles import keyring
from storage.database import Database, open_database
from tests.promises.test_log_cannot_lie import index, published
from tests.support import bundles, stores
from tests.support.audit import MOMENT
from tests.support.gateways import Gateway

ADA = "ada@example.org"
GRACE = "grace@example.org"
PERSON = ("--subject-stdin", "--reason", "case 17: says that she never asked")


@pytest.fixture
async def gateway(one_process: Gateway) -> Gateway:
    """With two people, of whom Ada was mailed and left."""
    key = await asyncio.to_thread(one_process.api_key)
    await one_process.subscribe(ADA)
    await one_process.subscribe(GRACE)
    _, queued = await one_process.send(key, ADA)
    await one_process.await_status(key, queued["message_id"], "sent")
    leaving = (await one_process.await_mail(ADA, 2)).link("unsubscribe")
    async with one_process.http.post(leaving) as left:
        assert left.status == 200
    return one_process


async def export(gateway: Gateway, *options: str, stdin: str | None = None) -> Path:
    path = gateway.directory / "bundle.zip"
    arguments = ("audit", "export", "--format", "bundle", "-o", str(path), *options)
    done = await asyncio.to_thread(gateway.try_command, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("dialect", ["sqlite"])  # a file is a file
async def test_a_bundle_convinces_who_has_nothing_of_ours(gateway: Gateway) -> None:
    keys = await asyncio.to_thread(gateway.command, "audit", "keys")
    async with stores.open_data(gateway) as data:
        kept = await published(gateway, data)

        whole = await export(gateway, "--case", "2026-17")
        status, said = bundles.check_alone(whole, keys, kept)
        files = bundles.files_of(whole.read_bytes())
        verified = await asyncio.to_thread(
            gateway.try_command, "audit", "verify", "--bundle", str(whole)
        )
        await published(gateway, data)  # the person's events are all in it
        person = await export(gateway, *PERSON, stdin=ADA)
        of_person = bundles.check_alone(person, keys)
        told = [one async for one in exports_told(gateway, data)]

    assert (status, "ok; level: held outside" in said) == (0, True), said
    assert "who could have deceived you" in said
    assert ADA.encode() not in b"".join(files.values())
    assert "openings.jsonl" not in files
    assert (verified.returncode, "level: signed" in verified.stdout) == (0, True)
    assert (of_person[0], "8 of them opened and true" in of_person[1]) == (0, True), of_person
    opened = bundles.files_of(person.read_bytes())["openings.jsonl"].splitlines()
    facts = [base64.b64decode(json.loads(line)["opened"])[32:] for line in opened]
    assert any(json.loads(one).get("address") == ADA for one in facts)
    assert GRACE.encode() not in b"".join(facts)
    assert [(kind, {k: v for k, v in refs.items() if k != "export"}) for kind, refs in told] == [
        ("audit.exported", {"case": "2026-17", "format": "bundle"}),
        ("subject.accessed", {}),
    ]


async def exports_told(gateway: Gateway, data: Database) -> AsyncIterator[tuple[str, Any]]:
    """What the log holds of exports, oldest first."""
    await published(gateway, data)
    kinds = ("audit.exported", "subject.accessed")
    query = select(audit_entry.c.entry).where(audit_entry.c.kind.in_(kinds))
    async with data.read() as connection:
        for raw in (await connection.execute(query.order_by(index))).scalars():
            entry = json.loads(raw)
            yield entry["k"], entry.get("rf", {})


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_each_file_of_a_bundle_that_was_altered_or_left_out_is_found(
    gateway: Gateway,
) -> None:
    keys = await asyncio.to_thread(gateway.command, "audit", "keys")
    async with stores.open_data(gateway) as data:
        await published(gateway, data)
    files = bundles.files_of((await export(gateway, *PERSON, stdin=ADA)).read_bytes())
    assert bundles.check_here(bundles.zipped(files), keys)[0]
    assert len(files) == 14

    for name, content in files.items():
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        rest = {other: files[other] for other in files if other != name}
        for altered in (files | {name: flipped}, files | {name: content + b"\n"}, rest):
            sound, said = bundles.check_here(bundles.zipped(altered), keys)

            assert not sound, name
            assert name in said, said
    for added in ("notes.txt", "log/2/checkpoint", "../evil"):
        sound, said = bundles.check_here(bundles.zipped(files | {added: b"x"}), keys)
        assert (sound, added in said) == (False, True)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_an_operator_with_every_key_who_rewrites_is_convicted_by_an_older_checkpoint(
    gateway: Gateway,
) -> None:
    keys = await asyncio.to_thread(gateway.command, "audit", "keys")
    async with stores.open_data(gateway) as data:
        kept = await published(gateway, data)
        gateway.kill("serve")
        async with open_database("keys", stores.urls(gateway)[1]) as guard:
            await rewrite(gateway, data, guard, without="consent.withdrawn")
    bundle = await export(gateway)

    unsuspecting = bundles.check_alone(bundle, keys)
    convicted = bundles.check_alone(bundle, keys, kept)

    assert (unsuspecting[0], "level: signed" in unsuspecting[1]) == (0, True), unsuspecting
    assert "whoever holds the key of test.example/audit/gateway, alone" in unsuspecting[1]
    assert convicted[0] == 1
    assert "your checkpoint" in convicted[1]


async def rewrite(gateway: Gateway, data: Database, guard: Database, without: str) -> None:
    """Write the log anew as if something had never happened, and sign that, with all keys."""
    ring = keyring.load(gateway.directory / "keyring.json")
    origin = tomllib.loads(gateway.config.read_text())["audit"]["origin"]
    macs, tree = RowMacs(ring.audit, origin, 0), Frontier()
    async with data.begin() as connection, guard.begin() as other:
        rows = [row for row in await stores.rows(connection, audit_entry) if row["kind"] != without]
        # No shorter than it was, and dated behind what is there.
        rows += [rows[-1] | {"eid": secrets.token_bytes(16)}]
        for at, row in enumerate(rows):
            row |= {"leaf_index": at, "leaf_hash": leaf_hash(row["entry"])}
            row |= macs.entry(at, row["entry"])._asdict()
        nodes = tree.extend([row["leaf_hash"] for row in rows])
        signed = Checkpoint(origin, tree.size, tree.root)
        note = checkpoints.sign(signed, ring.signing.secret.reveal())
        for table in (audit_entry, audit_node, audit_checkpoint):
            await connection.execute(delete(table))
        await connection.execute(insert(audit_entry), rows)
        await connection.execute(insert(audit_node), [node._asdict() for node in nodes])
        state = {"size": tree.size, "frontier": tree.packed}
        await connection.execute(update(audit_state).values(state))
        shown = {"size": tree.size, "note": note, "published_at": MOMENT}
        await connection.execute(insert(audit_checkpoint).values(shown))
        await other.execute(update(audit_guard).values(size=tree.size, note=note))
