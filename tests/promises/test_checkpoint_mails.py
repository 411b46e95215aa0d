"""Promise 6, by a mailbox: what the data protection officer was sent convicts a forged log."""

from __future__ import annotations

import asyncio
import re
import zipfile
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from audit import mailed
from audit.kinds import Actor
from audit.tables import audit_entry
from consent import tables
from delivery.tables import outbox
from gateway.config.config import AuditMail
from gateway.flows.proving.checkpoint_mails import CheckpointMails
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, Taking, at_once
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erasing import Erasing
from gateway.parts import Parts
from gateway.watch import posted
from tests.promises.test_receipts import rewrite_without, show
from tests.support import bundles
from tests.support.apps import App, Mail
from tests.support.gateways import Gateway, open_gateway

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
KEEPER = "privacy@acme.example"
SELDOM = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
ONCE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def configure(app: App, every: str | None, contact: str = KEEPER) -> CheckpointMails:
    """As `[audit.mail]` in the configuration, and the duties of a process that has it."""
    parts = app.parts
    mail = None if every is None else AuditMail.model_validate({"every": every})
    changes = {
        "audit": parts.config.audit.model_copy(update={"mail": mail}),
        "controller": parts.config.controller.model_copy(update={"contact": contact}),
    }
    object.__setattr__(parts, "config", parts.config.model_copy(update=changes))
    return mails_of(parts)


def mails_of(parts: Parts) -> CheckpointMails:
    stores = (parts.data, parts.keystore, parts.clock, parts.log, parts.publisher)
    return CheckpointMails(*stores, parts.lookup, parts.consents, parts.config, Erasing(parts))


async def night(app: App, mails: CheckpointMails) -> list[Mail]:
    """What came of a day that began."""
    app.step(DAY)
    await show(app)
    await mails.queue()
    await app.tick()
    return [one for one in await app.deliver() if b"audit log" in one.raw]


def note_of(mail: Mail) -> str:
    found = bundles.kept_in(mail.raw)
    assert found.endswith("\n")
    return found


async def export(app: App) -> bytes:
    pieces = await Exports(app.parts, at_once).of_log(Taking(Form.BUNDLE, Actor.OPERATOR))
    assert pieces is not None
    return b"".join([piece async for piece in pieces.read()])


async def public_note(app: App) -> str:
    return await (await app.http.get("/v1/audit/checkpoint")).text()


@SELDOM
async def test_it_carries_the_public_checkpoint_and_nobody(app: App) -> None:
    mails = configure(app, "1d")
    await app.subscribe()

    (mail,) = await night(app, mails)

    body = message_from_bytes(mail.raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    text = str(body.get_content()).replace("\r\n", "\n")
    assert mail.to == KEEPER
    assert note_of(mail) == await public_note(app)
    assert await public_note(app) in text
    assert app.parts.publisher.vkey in text
    # a word of its own: the hashes and keys beside it are dice, which throw any three letters
    assert re.search(r"\bada\b", text, re.IGNORECASE) is None
    assert b"List-Unsubscribe" not in mail.raw
    assert b"DKIM-Signature" in mail.raw
    assert (await verify(app.parts)).ok


@SELDOM
async def test_there_is_one_for_each_public_checkpoint_and_each_period(app: App) -> None:
    mails = configure(app, "1d")
    assert len(await night(app, mails)) == 1
    for _ in range(3):
        app.step(HOUR)
        await mails.queue()
        assert await app.deliver() == []
    assert len(await night(app, mails)) == 1
    weekly = configure(app, "7d")

    came = [len(await night(app, weekly)) for _ in range(8)]

    assert came == [0, 0, 0, 0, 0, 0, 1, 0]
    assert (await verify(app.parts)).ok


@ONCE
async def test_without_configuration_there_is_none(app: App) -> None:
    assert await night(app, configure(app, None)) == []


@ONCE
async def test_the_mail_that_was_kept_convicts_a_log_written_anew(app: App, tmp_path: Path) -> None:
    """By an operator with every key, who rewrites and signs again; the mail was saved as it came.

    Checked by the file that lies in the export, with nothing else of ours.
    """
    mails = configure(app, "1d")
    await app.subscribe()
    (mail,) = await night(app, mails)
    keys = app.parts.publisher.vkey
    bundle, kept = tmp_path / "true.zip", mail.raw
    bundle.write_bytes(await export(app))
    sound, said = bundles.check_alone(bundle, keys, kept)
    assert (sound, "level: held outside" in said) == (0, True), said

    await rewrite_without(app, "consent.confirmed")
    forged = tmp_path / "forged.zip"
    forged.write_bytes(await export(app))
    unheld, _ = bundles.check_alone(forged, keys)
    convicted, why = bundles.check_alone(forged, keys, kept)

    assert unheld == 0, "whoever kept nothing sees nothing"
    assert convicted == 1
    assert "your checkpoint" in why


@ONCE
async def test_a_planted_row_sends_it_nowhere_else(app: App) -> None:
    mails = configure(app, "1d")
    await app.subscribe()
    ada = await app.subject()
    app.step(DAY)
    await show(app)
    assert await mails.queue() == 1
    mine = outbox.c.purpose == "service.checkpoint"
    async with app.parts.data.begin() as connection:
        await connection.execute(update(outbox).where(mine).values(subject=ada))

    assert await app.deliver() == []


@ONCE
async def test_it_goes_to_no_mailbox_that_is_configured_no_more(app: App) -> None:
    """Queued, and then the configuration names another one: that of before gets nothing."""
    mails = configure(app, "1d")
    app.step(DAY)
    await show(app)
    assert await mails.queue() == 1
    configure(app, "1d", "other@acme.example")

    assert await app.deliver() == []

    async with app.parts.data.read() as connection:
        query = select(outbox.c.status, outbox.c.reason)
        assert [tuple(one) for one in await connection.execute(query)] == [
            ("cancelled", "not_needed")
        ]


@ONCE
async def test_a_mailbox_of_another_person_is_taken_for_nobodys_wish(app: App) -> None:
    """Who has the mailbox may have signed up, too, and left: then nothing goes there."""
    await app.subscribe(KEEPER)
    mails = configure(app, "1d")
    assert [one.to for one in await night(app, mails)] == [KEEPER]
    key = await app.key()
    body = {"to": {"email": KEEPER}, "all": True, "kind": "object", "channel": "phone"}
    assert (await app.http.post("/v1/withdrawals", json=body, headers=key)).status == 200

    assert await night(app, mails) == []


@SELDOM
async def test_a_mailbox_that_is_configured_no_more_is_forgotten(app: App) -> None:
    mails = configure(app, "1d")
    await night(app, mails)
    assert await app.subject(KEEPER) is not None
    assert await mails.let_go() == 0

    assert await configure(app, "1d", "other@acme.example").let_go() == 1

    assert await app.subject(KEEPER) is None
    async with app.parts.data.read() as connection:
        left = await connection.execute(select(func.count()).select_from(tables.subject))
        assert left.scalar_one() == 0
    await app.tick()
    assert (await verify(app.parts)).ok


@ONCE
async def test_who_agreed_to_something_is_not_forgotten_for_that(app: App) -> None:
    await app.subscribe(KEEPER)
    await night(app, configure(app, "1d"))

    assert await configure(app, None).let_go() == 0

    assert await app.permission(KEEPER) == "granted"


@ONCE
async def test_a_late_one_is_told_and_when_the_relay_took_the_last(app: App) -> None:
    mails = configure(app, "1d")
    parts = app.parts

    async def seen() -> posted.Posted:
        async with parts.data.read() as connection:
            found = await posted.look(connection, parts.log.macs, parts.config.audit)
        assert found is not None
        return found

    assert (await seen()).said(parts.clock.wall()).startswith("none yet")
    await night(app, mails)
    taken = await seen()
    assert taken.accepted_at == parts.clock.wall()
    assert not taken.late(parts.clock.wall())
    app.step(DAY)
    await show(app)
    await mails.queue()  # and no worker comes by
    app.step(8 * HOUR)

    late = await seen()

    assert late.accepted_at == taken.accepted_at
    assert late.late(parts.clock.wall()) == 8 * HOUR
    (finding,) = posted.told(late, parts.clock.wall())
    assert finding.level == "warn"
    assert "LATE: the relay took the last one 32 hours ago" in finding.text


@SELDOM
async def test_killed_before_its_commit_it_is_due_and_behind_it_it_is_done(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = configure(app, "1d")
    app.step(DAY)
    await show(app)
    stage = app.parts.log.stage

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(app.parts.log), "stage", killed)
    with pytest.raises(KeyboardInterrupt):
        await mails.queue()
    monkeypatch.undo()
    assert app.parts.log.stage == stage
    async with app.parts.data.read() as connection:
        assert await mailed.newest(connection, app.parts.log.macs, 1) == []
    assert await mails.queue() == 1
    # The sequencer has not come by yet: another process sees it all the same.
    assert await mails_of(app.parts).queue() == 0

    assert len(await app.deliver()) == 1
    async with app.parts.data.read() as connection:
        told = select(func.count()).where(audit_entry.c.kind == "checkpoint.mailed")
        assert (await connection.execute(told)).scalar_one() == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_process_sends_it_by_smtp_and_the_bundle_is_checked_by_the_mail_alone(
    dialect: str, tmp_path: Path, new_database_url: object
) -> None:
    """A relay that speaks SMTP, a process that is killed once it was sent, and files."""
    async with open_gateway(tmp_path, new_database_url, dialect) as gateway:  # type: ignore[arg-type]
        config = tmp_path / "config.toml"
        config.write_text(config.read_text() + '\n[audit.mail]\nevery = "1d"\n')
        await gateway.start("serve", "serve", "--worker")
        mail = await gateway.await_mail(KEEPER)
        gateway.kill("serve")
        await gateway.start("again", "serve", "--worker")
        await gateway.subscribe("ada@example.org")
        await asyncio.sleep(0)
        await _check(gateway, tmp_path, mail.raw)

        assert len(gateway.received(KEEPER)) == 1, "it came twice"


async def _check(gateway: Gateway, folder: Path, raw: bytes) -> None:
    bundle, kept, keys = folder / "log.zip", folder / "mail.eml", folder / "keys.txt"
    kept.write_bytes(raw)
    keys.write_text(await asyncio.to_thread(gateway.command, "audit", "keys"))
    await asyncio.to_thread(
        gateway.command, "audit", "export", "--format", "bundle", "-o", str(bundle)
    )
    assert zipfile.is_zipfile(bundle)

    told = await asyncio.to_thread(
        gateway.command,
        *("audit", "verify", "--bundle", str(bundle)),
        *("--checkpoint", str(kept), "--keys", str(keys)),
    )

    assert "level: held outside" in told
    assert "ok" in await asyncio.to_thread(
        gateway.command, "audit", "verify", "--checkpoint", str(kept)
    )
