"""Promise 6: what is done to the rows of a running gateway by SQL is found, and its place named."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import shutil
import signal
import tomllib
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints
from audit.export.jsonl import jsonl
from audit.kinds import Kind
from audit.log import Log
from audit.tables import audit_checkpoint, audit_entry, audit_payload, audit_pending
from consent import tokens
from consent.tables import confirmation, confirmation_consent, consent
from delivery.tables import outbox, permit
from gateway.cli import main
from gateway.keyfiles import keyring
from storage.database import Database
from tests.support import stores
from tests.support.gateways import Gateway
from tests.support.postgres import Postgres

ADA = "ada@example.org"
GRACE = "grace@example.org"

# Does something to rows and returns what the verification must say.
Attack = Callable[[AsyncConnection], Awaitable[str]]
index = audit_entry.c.leaf_index


@pytest.fixture
def gateway(one_process: Gateway) -> Gateway:
    return one_process


async def verify(gateway: Gateway) -> tuple[int, str]:
    """`gateway audit verify`: its exit status and what it says."""
    return await command(gateway.config, "audit", "verify")


async def command(config: Path, *arguments: str) -> tuple[int, str]:
    """Run a command as a shell would, but here: there are many, and each process costs a second."""

    def run() -> int:
        try:
            main(["--config", str(config), *arguments])
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        return await asyncio.to_thread(run), said.getvalue()


async def published(gateway: Gateway, data: Database) -> str:
    """Wait until everything that was staged is published; the checkpoint."""
    counts = [select(func.count()).select_from(one) for one in (audit_entry, audit_pending)]
    async with data.snapshot() as connection:
        size = sum([(await connection.execute(one)).scalar_one() for one in counts])
    newest = select(audit_checkpoint.c.note).order_by(audit_checkpoint.c.size.desc()).limit(1)
    async with asyncio.timeout(60):
        while True:
            async with data.read() as connection:
                kept = (await connection.execute(newest)).scalar_one()
            if int(kept.split("\n")[1]) >= size:
                return str(kept)
            await asyncio.sleep(0.05)


async def change_a_byte(connection: AsyncConnection) -> str:
    changed = (await entry(connection, 3))["entry"].replace(b'"t":"2', b'"t":"1')
    await connection.execute(update(audit_entry).where(index == 3).values(entry=changed))
    return "first bad index 3"


async def delete_a_row(connection: AsyncConnection) -> str:
    await connection.execute(delete(audit_entry).where(index == 4))
    return "first bad index 4"


async def swap_two_rows(connection: AsyncConnection) -> str:
    for old, new in ((2, -1), (5, 2), (-1, 5)):
        await connection.execute(update(audit_entry).where(index == old).values(leaf_index=new))
    return "first bad index 2"


async def insert_a_row(connection: AsyncConnection) -> str:
    """One in the middle, as like a real one as can be made without a key."""
    for at in range(await length(connection) - 1, 3, -1):
        await connection.execute(update(audit_entry).where(index == at).values(leaf_index=at + 1))
    added = await entry(connection, 3) | {"leaf_index": 4, "eid": secrets.token_bytes(16)}
    await connection.execute(insert(audit_entry).values(added))
    return "first bad index 4"


async def cut_off(connection: AsyncConnection) -> str:
    end = await length(connection)
    await connection.execute(delete(audit_entry).where(index >= end - 2))
    return f"cut off after {end - 2}"


async def entry(connection: AsyncConnection, at: int) -> dict[str, Any]:
    return dict((await connection.execute(select(audit_entry).where(index == at))).mappings().one())


async def length(connection: AsyncConnection) -> int:
    last: int = (await connection.execute(select(func.max(index)))).scalar_one()
    return last + 1


async def test_a_row_of_the_log_that_was_tampered_with_is_found_at_its_place(
    gateway: Gateway,
) -> None:
    async with stores.open_data(gateway) as data:
        early = await published(gateway, data)
        await gateway.subscribe(ADA)
        await published(gateway, data)
        assert (await verify(gateway))[0] == 0
        assert (await export_and_check(gateway, early))[0] == 0

        for attack in (change_a_byte, delete_a_row, swap_two_rows, insert_a_row, cut_off):
            async with data.begin() as connection:
                kept = await stores.Kept.of(connection, audit_entry)
                expected = await attack(connection)
            live = await verify(gateway)
            exported = await export_and_check(gateway, early)
            async with data.begin() as connection:
                await kept.put_back(connection)

            assert (live[0], exported[0]) == (1, 1), attack.__name__
            assert expected in live[1], attack.__name__

    assert (await verify(gateway))[0] == 0


async def export_and_check(gateway: Gateway, *kept: str) -> tuple[int, str]:
    """Not by the command, of which the log tells: what is done to its rows here is undone."""
    ring = keyring.load(gateway.directory / "keyring.json")
    origin = tomllib.loads(gateway.config.read_text())["audit"]["origin"]
    verifier = ring.signers(origin).verifier
    bundle = gateway.directory / "log.jsonl"
    async with stores.open_data(gateway) as data:
        parts = [part async for part in jsonl(data, Log(origin, ring.audit, "test"), verifier)]
    bundle.write_bytes(b"".join(parts))
    return await check(gateway, bundle, *kept)


async def check(gateway: Gateway, bundle: Path, *kept: str) -> tuple[int, str]:
    """Check an export as an outsider does: no configuration, no database, the public key."""
    held = []
    for number, one in enumerate(kept):
        path = gateway.directory / f"kept{number}"
        path.write_text(one)
        held += ["--checkpoint", str(path)]
    origin = tomllib.loads(gateway.config.read_text())["audit"]["origin"]
    ring = keyring.load(gateway.directory / "keyring.json")
    key = checkpoints.vkey(origin, ring.signing.secret.reveal())
    arguments = ("audit", "verify", "--bundle", str(bundle), "--key", key, *held)
    return await command(gateway.directory / "none.toml", *arguments)


@pytest.mark.parametrize("dialect", ["sqlite"])  # a file is a file
async def test_an_export_that_was_tampered_with_is_found_offline(gateway: Gateway) -> None:
    async with stores.open_data(gateway) as data:
        early = await published(gateway, data)
        await gateway.subscribe(ADA)
        later = await published(gateway, data)
    assert (await export_and_check(gateway, early, later))[0] == 0
    bundle = gateway.directory / "log.jsonl"
    lines = bundle.read_bytes().splitlines(keepends=True)
    size = len(lines) - 2
    attacks = {
        "changed": [*lines[:3], lines[3].replace(b'\\"t\\":\\"2', b'\\"t\\":\\"1'), *lines[4:]],
        "deleted": [*lines[:3], *lines[4:]],
        "swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "inserted": [*lines[:3], lines[3], *lines[3:]],
        "cut off": [*lines[:-2], lines[-1]],
        # The log as it was, with the checkpoint of that time: only what was kept shows it.
        "rolled back": [lines[0], *lines[1 : 1 + int(early.split("\n")[1])], checkpointed(early)],
    }
    for name, tampered in attacks.items():
        assert tampered != lines, name
        bundle.write_bytes(b"".join(tampered))

        status, said = await check(gateway, bundle, early, later)

        assert status == 1, name
        if name in ("deleted", "swapped", "inserted"):
            assert "first bad index" in said, name
        if name == "cut off":
            assert f"cut off after {size - 1}" in said


def checkpointed(kept: str) -> bytes:
    return json.dumps({"checkpoint": kept}).encode() + b"\n"


async def test_a_consent_that_was_confirmed_by_sql_is_found_and_not_mailed(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    withdrawn, queued = await queue_and_withdraw(gateway, key, ADA)
    _, waiting = await queue_and_withdraw(gateway, key, GRACE)
    assert await gateway.sign_up(GRACE) == 202
    await gateway.await_mail(GRACE, 2)
    async with stores.open_data(gateway) as data:
        (pending,) = await consents(data, consent.c.state == "pending")
        async with data.begin() as connection:
            forged = update(consent).where(consent.c.id.in_([withdrawn, pending]))
            await connection.execute(
                forged.values(state="confirmed", decided_at=consent.c.requested_at)
            )
            due = update(outbox).where(outbox.c.id.in_([queued, waiting]))
            await connection.execute(due.values(due_at=outbox.c.created_at))

        for address in (ADA, GRACE):
            status, refusal = await gateway.send(key, address)
            assert status == 403
            assert (refusal["reason"], refusal["class"]) == ("unproven", "ask_first")
        for message in (queued, waiting):
            seen = await gateway.await_status(key, message, "refused", "sent", "failed")
            assert (seen["status"], seen["reason"]) == ("refused", "unproven")
    done = await asyncio.to_thread(gateway.try_command, "audit", "verify")

    assert done.returncode == 1
    assert f"consent {withdrawn}: was changed" in done.stdout
    assert f"consent {pending}: was changed" in done.stdout
    assert [len(gateway.received(one)) for one in (ADA, GRACE)] == [1, 2], "something was mailed"
    transactions = [one for one in gateway.relay_events() if one["event"] == "mail"]
    assert len(transactions) == 3


async def test_a_queued_message_that_was_altered_by_sql_is_not_sent_on_another_ground(
    gateway: Gateway,
) -> None:
    """What was withdrawn must not go out as a service mail, nor for a purpose that still stands."""
    key = await asyncio.to_thread(gateway.api_key)
    await gateway.subscribe(ADA, "product-updates")
    _, other_purpose = await queue_and_withdraw(gateway, key, ADA)
    _, as_service = await queue_and_withdraw(gateway, key, GRACE)
    _, regarding = await queue_and_withdraw(gateway, key, GRACE)
    await sign_up_elsewhere(gateway, GRACE)
    await gateway.await_mail(GRACE, 3)
    sent = len(gateway.relay_events())
    changes: dict[str, dict[str, Any]] = {
        other_purpose: {"purpose": "product-updates"},
        as_service: {"kind": "service"},
        regarding: {},
    }
    async with stores.open_data(gateway) as data, data.begin() as connection:
        asking = select(outbox.c.regarding).where(outbox.c.regarding.is_not(None))
        newest = asking.order_by(outbox.c.id.desc()).limit(1)
        token = (await connection.execute(newest)).scalar_one()
        changes[as_service]["regarding"] = changes[regarding]["regarding"] = token
        for message, changed in changes.items():
            statement = update(outbox).where(outbox.c.id == message)
            await connection.execute(statement.values(due_at=outbox.c.created_at, **changed))

    for message in changes:
        seen = await gateway.await_status(key, message, "deferred", "failed", "refused", "sent")
        assert (seen["status"], seen["reason"]) == ("deferred", "parked_altered")
    assert len(gateway.relay_events()) == sent


async def sign_up_elsewhere(gateway: Gateway, address: str) -> None:
    """From far away: of a week's mails one is kept for who has not asked yet."""
    key = await asyncio.to_thread(gateway.api_key, "signups:create")
    body = {"email": address, "purposes": ["newsletter"], "form": "signup"}
    more = {"texts": await gateway.texts("newsletter"), "visitor_network": "198.51.100.7"}
    status, _ = await gateway.call(key, "POST", "/v1/signups", body | more)
    assert status == 202


async def queue_and_withdraw(gateway: Gateway, key: str, address: str) -> tuple[str, str]:
    """A consent that was withdrawn, and a message that was queued before."""
    async with stores.open_data(gateway) as data:
        before = await consents(data)
        await gateway.subscribe(address)
        (made,) = set(await consents(data)) - set(before)
    status, queued = await gateway.send(key, address, send_at=stores.in_an_hour())
    assert status == 202
    leave = {"to": {"email": address}, "purpose": "newsletter", "kind": "withdraw"}
    status, _ = await gateway.call(key, "POST", "/v1/withdrawals", leave | {"channel": "phone"})
    assert status == 200
    return made, queued["message_id"]


async def consents(data: Database, *where: Any) -> list[str]:
    async with data.read() as connection:
        return list((await connection.execute(select(consent.c.id).where(*where))).scalars())


async def test_rows_that_were_put_back_or_added_by_sql_do_not_fit_the_log(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    async with stores.open_data(gateway) as data:
        await gateway.subscribe(ADA)
        (one,) = await consents(data)
        async with data.read() as connection:
            (confirmed,) = await stores.rows(connection, consent)
        await withdraw(gateway, key)
        await published(gateway, data)
        assert (await verify(gateway))[0] == 0

        async def put_the_old_row_back(connection: AsyncConnection) -> str:
            await connection.execute(update(consent).values(confirmed))
            return f"consent {one}: an old row was put back"

        async def and_delete_what_tells_of_it(connection: AsyncConnection) -> str:
            await put_the_old_row_back(connection)
            gone = select(audit_entry.c.eid, index).where(
                audit_entry.c.kind == Kind.CONSENT_WITHDRAWN
            )
            eid, at = (await connection.execute(gone)).one()
            await connection.execute(delete(audit_payload).where(audit_payload.c.eid == eid))
            return f"first bad index {at}"

        async def delete_the_row(connection: AsyncConnection) -> str:
            await connection.execute(delete(confirmation_consent))
            await connection.execute(delete(consent))
            return f"consent {one}: the log tells of it, and its row is gone"

        async def add_a_permit(connection: AsyncConnection) -> str:
            eid = secrets.token_bytes(16)
            return await copy_the_permit(connection, eid=eid)

        async def add_a_permit_under_the_event_of_another(connection: AsyncConnection) -> str:
            return await copy_the_permit(connection)

        async def change_the_ground_of_a_permit(connection: AsyncConnection) -> str:
            (real,) = await stores.rows(connection, permit)
            await connection.execute(update(permit).values(ground_kind="consent"))
            return f"permit {real['id']}: no event in the log grants it"

        tables: tuple[Table, ...] = (consent, confirmation_consent, permit, audit_payload)
        for attack in (
            put_the_old_row_back,
            and_delete_what_tells_of_it,
            delete_the_row,
            add_a_permit,
            add_a_permit_under_the_event_of_another,
            change_the_ground_of_a_permit,
            let_no_withdrawal_wait_for_the_permit,
        ):
            async with data.begin() as connection:
                kept = await stores.Kept.of(connection, *tables)
                expected = await attack(connection)
            status, said = await verify(gateway)
            async with data.begin() as connection:
                await kept.put_back(connection)

            assert status == 1, attack.__name__
            assert expected in said, attack.__name__

    assert (await verify(gateway))[0] == 0


async def withdraw(gateway: Gateway, key: str) -> None:
    leave = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw"}
    status, _ = await gateway.call(key, "POST", "/v1/withdrawals", leave | {"channel": "letter"})
    assert status == 200


async def let_no_withdrawal_wait_for_the_permit(connection: AsyncConnection) -> str:
    (real,) = await stores.rows(connection, permit)
    await connection.execute(update(permit).values(for_all=False))
    return f"permit {real['id']}: counts for other things than its ground does"


async def copy_the_permit(connection: AsyncConnection, **changed: Any) -> str:
    (real,) = await stores.rows(connection, permit)
    added = real | {"id": "per_forged", "attempt": 7, **changed}
    await connection.execute(insert(permit).values(added))
    return "permit per_forged: no event in the log grants it"


async def test_rows_that_were_planted_are_not_made_honest_by_a_click(gateway: Gateway) -> None:
    """Whoever can write rows can make tokens too: clicking one must not prove anything."""
    key = await asyncio.to_thread(gateway.api_key)
    assert await gateway.sign_up(ADA) == 202
    mail = await gateway.await_mail(ADA)
    async with stores.open_data(gateway) as data:
        async with data.begin() as connection:
            (pending,) = await stores.rows(connection, consent)
            forged = pending | {"id": "con_forged", "purpose": "product-updates"}
            await connection.execute(insert(consent).values(forged))
            for_forged = await plant_a_token(connection, "con_forged")
            for_pending = await plant_a_token(connection, pending["id"])

        for token in (for_forged, for_pending):
            await confirm(gateway, f"{gateway.base}/confirm/{token}")

        states = await consents(data, consent.c.state == "confirmed")
        assert states == []
        for purpose in ("newsletter", "product-updates"):
            status, _ = await gateway.send(key, ADA, purpose=purpose)
            assert status == 403
        status, said = await verify(gateway)
        assert status == 1
        assert "consent con_forged: was changed by somebody else" in said

        await confirm(gateway, mail.link("confirm"))
        assert await consents(data, consent.c.state == "confirmed") == [pending["id"]]


async def plant_a_token(connection: AsyncConnection, for_consent: str) -> str:
    token, token_hash = tokens.new_link_token()
    (real, *_) = await stores.rows(connection, confirmation)
    await connection.execute(insert(confirmation).values(real | {"token_hash": token_hash}))
    (named, *_) = await stores.rows(connection, confirmation_consent)
    named |= {"token_hash": token_hash, "consent": for_consent}
    await connection.execute(insert(confirmation_consent).values(named))
    return token


async def confirm(gateway: Gateway, link: str) -> None:
    async with gateway.http.post(link, data={"answer": "confirm"}) as answer:
        assert answer.status < 500


async def test_a_restored_older_database_beside_a_newer_guard_is_not_served(
    gateway: Gateway, request: pytest.FixtureRequest
) -> None:
    gateway.kill("serve", signal.SIGTERM)
    older = back_up(gateway, request)
    await gateway.start("serve", "serve", "--worker")
    await gateway.subscribe(ADA)
    async with stores.open_data(gateway) as data:
        await published(gateway, data)
    gateway.kill("serve", signal.SIGTERM)
    url, _ = stores.urls(gateway)
    gateway.config.write_text(gateway.config.read_text().replace(url, older))

    for process in ("serve", "worker"):
        done = await asyncio.to_thread(gateway.try_command, process)

        assert done.returncode == 1
        assert "lacks entries that were published" in done.stderr
        assert "`gateway restore`" in done.stderr
    status, said = await verify(gateway)
    assert status == 1
    assert "cut off after" in said


def back_up(gateway: Gateway, request: pytest.FixtureRequest) -> str:
    """A copy of the data database as it stands; its URL."""
    url, _ = stores.urls(gateway)
    if url.startswith("sqlite:"):
        shutil.copy(url.removeprefix("sqlite:///"), gateway.directory / "older.db")
        return f"sqlite:///{gateway.directory}/older.db"
    server: Postgres = request.getfixturevalue("postgres_server")
    name = make_url(url).database
    return server.create_database(f"{name}_older", f"TEMPLATE {name}")
