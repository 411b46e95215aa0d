"""Rotation among real processes: killed at each statement, and one that is stopped meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from audit import published
from audit.checkpoints import Verifier
from audit.tables import audit_checkpoint
from consent import gates, personal
from consent.gates import Newcomer
from consent.keys import sets, tables
from consent.keys.vault import OF_PEOPLE
from consent.tables import subject, subject_index
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.config import config
from gateway.flows.proving import verify
from gateway.parts import Parts
from gateway.process.lifespan import open_parts, put_in_order
from gateway.schema.tables import api_key
from storage.ids import random_id
from tests.support import forking
from tests.support.databases import Databases
from tests.support.gateways import Gateway, open_gateway

pytestmark = pytest.mark.long

_HERE = Path(__file__).parents[2]
PEOPLE = [f"sub_{n:04}" for n in range(1500)]  # two keys each: three pages
DECLARED = ("--no-backups-exist", "--copies-replaced")
BOB, CLEO = "bob@example.org", "cleo@example.org"


def killed_at(gateway: Gateway, statement: int, *more: str) -> int:
    """Rotate, and die before the *statement*-th one of it; how the process ended."""
    command = [str(statement), "--config", str(gateway.config), "keys", "rotate", *more]
    return forking.run(command, _HERE, dict(os.environ), module="tests.support.killed").returncode


async def epochs_of(parts: Parts) -> dict[int, str]:
    async with parts.key_database.read() as connection:
        rows = await connection.execute(select(tables.kek_epoch))
        return {row.epoch: row.state for row in rows}


async def wrapping(parts: Parts) -> set[int]:
    async with parts.key_database.read() as connection:
        return set((await connection.execute(select(tables.dek.c.epoch).distinct())).scalars())


@pytest.mark.timeout(3000)
async def test_a_rotation_that_is_killed_at_each_statement_goes_on_and_loses_nobody(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:
        settings = config.load(gateway.config)
        async with open_parts(settings) as parts:
            await parts.keystore.create(PEOPLE, parts.clock.wall())

        statement, declared = 1, ()
        while True:
            ended = await asyncio.to_thread(killed_at, gateway, statement, *declared)
            async with open_parts(settings) as parts:
                vault = await parts.keystore.vault(PEOPLE)
                assert all(vault.has(one, *OF_PEOPLE) for one in PEOPLE)
                assert await wrapping(parts) <= parts.keyring.keks.keys()
                found = await epochs_of(parts)
            statement += 1
            if ended != -signal.SIGKILL:
                if declared:
                    break
                statement, declared = 1, DECLARED  # what comes behind the gate, too

        assert ended == 0
        assert found == {1: "destroyed", 2: "active"}
        assert json.loads(settings.keys.keyring_file.read_text())["keks"].keys() == {"2"}


def killed_at_rows(gateway: Gateway, statement: int) -> int:
    return killed_at(gateway, statement, "--kind", "rows")


@pytest.mark.timeout(3000)
async def test_a_rotation_of_rows_that_is_killed_at_each_statement_goes_on_and_forges_nothing(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:
        settings = config.load(gateway.config)
        async with open_parts(settings) as parts:
            await put_in_order(parts)
            for number in range(3):
                async with parts.data.begin() as connection:
                    facts = {"name": f"crm {number}", "scopes": [Scope.PERMISSIONS_READ]}
                    now = parts.clock.wall()
                    key, _ = await api_keys.create(connection, parts.rows, **facts, now=now)
                    await api_keys.revoke(connection, parts.rows, key.id, now)

        statement, ended = 1, -signal.SIGKILL
        while ended == -signal.SIGKILL:
            ended = await asyncio.to_thread(killed_at_rows, gateway, statement)
            statement += 1
            async with open_parts(settings) as parts:
                for table, of in ((api_keys.SIGNED, parts.data), (sets.SIGNED, parts.key_database)):
                    assert [row async for row in table.strangers(of, parts.rows)] == []
                found = await sets_of(parts)
                kid = parts.keyring.rows.kid

        assert (ended, found, kid) == (0, {1: "retiring", 2: "active"}, 2)
        async with open_parts(settings) as parts, parts.data.read() as connection:
            kids = set((await connection.execute(select(api_key.c.kid))).scalars())
        assert kids == {2}


async def sets_of(parts: Parts) -> dict[int, str]:
    async with parts.key_database.read() as connection:
        found = await sets.standing(connection, parts.rows)
    return {one.name.number: str(one.state) for one in found.of("rows")}


async def answer(gateway: Gateway, *command: str) -> Mapping[str, Any]:
    said: Mapping[str, Any] = json.loads(
        await asyncio.to_thread(gateway.command, "keys", *command, "--json")
    )
    return said


async def until(gateway: Gateway, wanted: Mapping[int, str], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            shown = (await answer(gateway, "status"))["epochs"]
            if {one["epoch"]: one["state"] for one in shown} == wanted:
                return
            await asyncio.sleep(1)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_with_three_processes_and_one_that_is_stopped_everybody_is_mailed(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:
        await gateway.start("serve", "serve", "--no-worker")
        await gateway.start("first", "worker")
        await gateway.start("second", "worker")
        await gateway.subscribe("ada@example.org")
        gateway.signal("second", signal.SIGSTOP)

        said = await answer(gateway, "rotate")
        assert said["begun"] == 2
        assert len(said["epochs"][1]["waits_for"]) == 3
        await gateway.subscribe(BOB)  # nobody is kept waiting by who is waited for
        await until(gateway, {1: "retiring", 2: "active"}, 150)
        gateway.kill("serve")
        await gateway.start("serve", "serve", "--no-worker")
        await gateway.subscribe(CLEO)
        await answer(gateway, "rotate", "--no-backups-exist")

        gateway.signal("second", signal.SIGCONT)
        gateway.kill("first")  # now the one that stood still is alone
        await gateway.subscribe("dora@example.org")
        key = gateway.api_key()
        for email in ("ada@example.org", BOB, CLEO):
            status, sent = await gateway.send(key, email)
            assert status == 202
            await gateway.await_status(key, sent["message_id"], "sent", seconds=60)

        settings = config.load(gateway.config)
        async with open_parts(settings) as parts:
            assert await wrapping(parts) == {2}
        assert "keyring_unreadable" not in gateway.log("second")


@pytest.mark.timeout(3000)
async def test_a_rotation_of_the_look_up_key_that_is_killed_at_each_statement_loses_nobody(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    everybody = [f"person{n}@example.org" for n in range(250)]  # three pages
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:
        settings = config.load(gateway.config)
        async with open_parts(settings) as parts:
            before = await admitted(parts, everybody)

        for statement in itertools.count(1):
            ended = await asyncio.to_thread(killed_at, gateway, statement, "--kind", "lookup")
            async with open_parts(settings) as parts, parts.data.read() as connection:
                found = await parts.lookup.find(connection, everybody)
                assert {email: one.subject for email, one in found.items() if one.honest} == before
            if ended != -signal.SIGKILL:
                break

        # Each run finds done what the ones before it did.
        assert (ended, statement > 20) == (0, True), statement
        async with open_parts(settings) as parts, parts.data.read() as connection:
            rows = await connection.execute(select(subject_index.c.kid))
            assert sorted(rows.scalars()) == [1] * 250 + [2] * 250


async def admitted(parts: Parts, everybody: Sequence[str]) -> dict[str, str]:
    """People who are known, each with an address that can be read."""
    fresh = {email: random_id("sub") for email in everybody}
    await parts.keystore.create(fresh.values(), parts.clock.wall())
    vault = await parts.keystore.vault(fresh.values())
    newcomers = [
        Newcomer(one, email, personal.seal_mailbox(one, email, vault), "en")
        for email, one in fresh.items()
    ]
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await gates.admit(connection, parts.rows, parts.lookup, newcomers, now)
    return fresh


@pytest.mark.timeout(3000)
async def test_a_rotation_of_the_log_s_key_that_is_killed_at_each_statement_leaves_one_log(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:
        settings = config.load(gateway.config)
        for statement in itertools.count(1):
            ended = await asyncio.to_thread(killed_at, gateway, statement, "--kind", "signing")
            async with open_parts(settings) as parts:
                await put_in_order(parts)
                async with parts.data.begin() as connection:
                    await parts.log.sequence(connection)
                await parts.publisher.publish(parts.data, parts.guard, parts.clock)
                assert (await verify.verify(parts)).ok
            if ended != -signal.SIGKILL:
                break

        assert (ended, statement > 20) == (0, True), statement
        async with open_parts(settings) as parts:
            old, new = parts.publisher.signers.spans(1)
            async with parts.data.read() as connection:
                query = select(audit_checkpoint.c.note)
                notes = list((await connection.execute(query)).scalars())
            for note in notes:
                size = parts.publisher.verifier.checkpoint(note).size
                key = old if old.end is not None and size <= old.end else new
                assert Verifier(key.vkey).checkpoint(note).size == size


@pytest.mark.timeout(900)
@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_with_a_process_that_stood_still_nobody_is_admitted_twice_and_the_log_is_one(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:
        await gateway.start("serve", "serve", "--no-worker")
        await gateway.start("first", "worker")
        await gateway.start("second", "worker")
        await gateway.subscribe("ada@example.org")
        gateway.signal("second", signal.SIGSTOP)

        for kind in ("lookup", "signing"):
            said = await answer(gateway, "rotate", "--kind", kind)
            assert said["begun"] == 2
        await gateway.subscribe(BOB)
        for kind in ("lookup", "signing"):
            await until_active(gateway, kind, 150)
        await gateway.subscribe(CLEO)

        gateway.signal("second", signal.SIGCONT)
        gateway.kill("first")
        gateway.kill("serve")  # whose door another one opens; its duties may be the old one's
        await gateway.start("serve", "serve", "--no-worker")
        for email in ("ada@example.org", BOB, CLEO):
            await gateway.sign_up(email)
        await gateway.subscribe("dora@example.org")

        settings = config.load(gateway.config)
        async with open_parts(settings) as parts:
            async with parts.data.read() as connection:
                kids = (await connection.execute(select(subject_index.c.kid))).scalars().all()
                people = (await connection.execute(select(subject.c.id))).scalars().all()
            assert (len(people), sorted(kids)) == (4, [1] * 4 + [2] * 4)
            found = await verify.verify(parts)
            assert (found.ok, found.rows) == (True, [])
            _, new = parts.publisher.signers.spans(1)
            async with parts.data.read() as connection:
                newest = await published.newest(connection, Verifier(new.vkey))
            assert newest is not None
            assert newest.checkpoint.size >= new.start


async def until_active(gateway: Gateway, kind: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            shown = (await answer(gateway, "status"))["keys"][kind]
            if [one["state"] for one in shown] == ["retiring", "active"]:
                return
            await asyncio.sleep(1)
