"""By SQL: wordings and declarations made up, so that consents cover mails of who was not named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.tables import audit_entry, audit_item, audit_pending
from consent import coverage, texts, wordings
from consent.tables import consent, consent_text
from delivery.tables import outbox
from gateway.config.config import Config
from gateway.flows.joining import declare
from gateway.flows.joining.declare import Declaration
from gateway.flows.proving import declarations, verify
from storage.keysets import KeySet
from storage.secret import Secret
from tests.support.apps import ADA, App, start_app

MESSAGE = {
    "to": {"email": ADA},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}
DAILY = "Yes, send me offers of 340 partners every day."


@pytest.fixture
async def waiting(app: App) -> str:
    """A message that was accepted while the consent covered it."""
    await app.subscribe()
    answer = await app.http.post("/v1/messages", json=MESSAGE, headers=await app.key())
    return str((await answer.json())["message_id"])


def renamed(config: Config) -> Config:
    acme = config.senders["acme"].model_copy(update={"name": "Globex"})
    return config.model_copy(update={"senders": config.senders | {"acme": acme}})


def reworded(config: Config) -> Config:
    newsletter = config.purposes["newsletter"]
    said = newsletter.model_copy(update={"text": newsletter.text | {"en": DAILY}})
    return config.model_copy(update={"purposes": config.purposes | {"newsletter": said}})


@asynccontextmanager
async def started(app: App, config: Config) -> AsyncIterator[App]:
    async with start_app(config, app.parts.clock) as again:
        yield again


async def agreed(app: App) -> dict[str, Any]:
    """The row of the wording that was agreed to."""
    (text,) = await app.texts("newsletter")
    async with app.parts.data.read() as connection:
        query = select(consent_text).where(consent_text.c.hash == text)
        return dict((await connection.execute(query)).one()._mapping)


async def execute(app: App, statement: Any) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(statement)


async def state(app: App) -> tuple[str | None, str | None]:
    async with app.parts.data.read() as connection:
        rows = await connection.execute(select(outbox.c.status, outbox.c.reason, outbox.c.kind))
        (found,) = [(row.status, row.reason) for row in rows if row.kind == "marketing"]
    return found


async def test_a_wording_that_was_made_to_name_another_sender_lets_it_mail_nobody(
    app: App, waiting: str
) -> None:
    row = await agreed(app)
    lie = row["bundle"].replace(b'"name":"Acme"', b'"name":"Globex"')
    assert lie != row["bundle"]
    await execute(
        app, update(consent_text).where(consent_text.c.hash == row["hash"]).values(bundle=lie)
    )

    async with started(app, renamed(app.parts.config)) as again:
        assert await again.permission() == "unproven"
        assert await again.send_due() == []
        assert await state(again) == ("deferred", "parked_altered")
        assert (
            f"consent_text {row['hash']}: is not what its hash says, or gone"
            in (await verify.verify(again.parts)).rows
        )

    # Whoever puts it back puts the truth back: it waited, and is refused for what it is.
    await execute(app, delete(consent_text).where(consent_text.c.hash == row["hash"]))
    await execute(app, insert(consent_text).values(row))
    async with started(app, renamed(app.parts.config)) as again:
        assert await again.permission() == "not_covered"
        assert await again.send_due() == []
        assert await state(again) == ("refused", "not_covered")


async def test_a_wording_that_was_deleted_ends_no_message(app: App, waiting: str) -> None:
    """The process that starts with it in its configuration puts it back; another one waits."""
    row = await agreed(app)
    await execute(app, delete(consent_text).where(consent_text.c.hash == row["hash"]))

    async with started(app, reworded(app.parts.config)) as again:
        assert await again.send_due() == []
        assert await state(again) == ("deferred", "parked_altered")
    async with started(app, app.parts.config) as again:
        assert len(await again.send_due()) == 1


async def test_a_consent_that_was_made_to_rest_on_another_wording_permits_nothing(
    app: App, waiting: str
) -> None:
    async with started(app, renamed(app.parts.config)) as again:
        (named,) = await again.texts("newsletter")
        await execute(again, update(consent).values(text_hash=named))

        assert await again.permission() == "unproven"
        assert await again.send_due() == []


async def test_what_nobody_declared_is_not_the_same_whatever_stands_in_the_log(
    app: App, waiting: str
) -> None:
    """Whoever writes the tables has no key of the log."""
    row = await agreed(app)
    config = reworded(app.parts.config)
    async with app.parts.data.read() as connection:
        bundle = (await texts.get(connection, [row["hash"]]))[row["hash"]].bundle
    same = (coverage.said(bundle), coverage.said(bundle | {"text": DAILY}))
    refs = wordings.refs_of(row["hash"], same)
    forger = Log(app.parts.log.origin, KeySet.of(Secret(b"f" * 32)), "node")
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        event = Event(Kind.TEXT_DECLARED, Actor.OPERATOR, now, refs=refs)
        await forger.stage(connection, [draft(event, None, "node")])
        # The same, said with the key of the log: then it would be so.
        assert same not in await wordings.declared_same(connection, app.parts.log.macs)
        assert same in await wordings.declared_same(connection, forger.macs)
        await connection.execute(delete(audit_pending))

    async with started(app, config) as again:
        assert await again.permission() == "not_covered"
        assert await again.send_due() == []


async def test_a_reason_that_was_altered_is_not_shown_for_what_was_declared(app: App) -> None:
    row = await agreed(app)
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        said = Declaration(row["hash"], "a hyphen")
        config = reworded(app.parts.config)
        done = await declare.declare_same(connection, app.parts.log, config, said, now)
        assert done is declare.Outcome.DECLARED
    await app.tick()
    async with app.parts.data.read() as connection:
        (one,) = await declarations.listed(connection, app.parts.log)
    assert one.said["reason"] == "a hyphen"

    event = select(audit_entry.c.eid).where(audit_entry.c.kind == Kind.TEXT_DECLARED)
    this = audit_item.c.eid.in_(event)
    async with app.parts.data.begin() as connection:
        sealed = (await connection.execute(select(audit_item.c.sealed).where(this))).scalar_one()
        lie = sealed.replace(b"a hyphen", b"the same")
        await connection.execute(update(audit_item).where(this).values(sealed=lie))
        (altered,) = await declarations.listed(connection, app.parts.log)

    assert altered == replace(one, said={})
    assert not (await verify.verify(app.parts)).ok
