"""Nobody attacks: somebody's permission is asked while they are being erased.

Who asks takes no gate, so that asking often keeps nobody from leaving.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from sqlalchemy import select

from audit.entry import draft
from audit.tables import audit_item
from consent import address, shares
from consent.keys.vault import Vault
from consent.model import Reason, Refused
from gateway.flows.sending import enqueue, permission
from gateway.flows.sending.enqueue import Wanted
from gateway.flows.sending.permission import Asked, Question
from tests.promises.test_erased_is_erased import (
    BOB,
    NOTHING_KEPT,
    erase,
    rows_naming,
    run_rules,
    sound,
)
from tests.support.apps import App, open_app
from tests.support.calls import INLINE
from tests.support.databases import Databases

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite has one writer


async def test_who_is_erased_between_the_look_and_its_event_is_in_none(
    app: App, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.confirmation(BOB)
    bob = await app.subject(BOB)
    assert bob is not None
    vault, erased = app.parts.keystore.vault, list[int]()

    async def fetched_and_then_erased(subjects: Collection[str]) -> Vault:
        keys = await vault(subjects)
        monkeypatch.undo()
        erased.append((await erase(app, email=BOB))[0])
        await run_rules(app)
        return keys

    monkeypatch.setattr(app.parts.keystore, "vault", fetched_and_then_erased)
    question = Question("newsletter", address.parse(BOB))
    (decision,) = await permission.ask_all(app.parts, [Asked(question, "key")])

    assert erased == [202]
    assert decision == Refused(Reason.UNKNOWN)
    assert await sound(app) == []
    await run_rules(app)
    async with app.parts.data.read() as connection:
        named = (await connection.execute(select(audit_item.c.subject))).scalars().all()
    assert bob not in named


async def test_who_is_being_written_about_is_not_removed(app: App, dialect: str) -> None:
    await app.confirmation(BOB)
    bob = await app.subject(BOB)
    assert bob is not None
    parts, question = app.parts, Question("newsletter", address.parse(BOB))
    vault = await parts.keystore.vault({bob})
    async with parts.data.begin() as connection:
        advised = await permission.advise(parts, connection, [question])
        look = permission._look(question, advised.advice[0], vault, "key")
        drafts = [draft(look, vault, parts.log.node)]
        assert await parts.log.stage(connection, drafts, provided=shares.while_live({bob}))
        assert (await erase(app, email=BOB))[0] == 202
        await run_rules(app)
    assert await sound(app) == []
    await run_rules(app)

    async with parts.data.read() as connection:
        named = (await connection.execute(select(audit_item.c.subject))).scalars().all()
    assert await sound(app) == []
    assert bob not in named


async def test_a_message_that_is_committed_after_its_person_went_is_no_tampering(
    tmp_path: Path, new_database_url: Databases, dialect: str
) -> None:
    """It stays for as long as messages are kept, and each verification fails."""
    async with open_app(tmp_path, new_database_url, dialect, more=NOTHING_KEPT) as app:
        await app.subscribe(BOB)
        bob = await app.subject(BOB)
        assert bob is not None
        parts = app.parts
        vault = await parts.keystore.vault({bob})
        wanted = Wanted(Question("newsletter", address.parse(BOB)), INLINE, origin="key")
        async with parts.data.begin() as connection:
            advised = await permission.advise(parts, connection, [wanted.to])
            decided = enqueue._decide(parts.config, wanted, advised.advice[0], vault)
            ready = enqueue._Ready([decided], [], vault, advised.about)
            await enqueue.enqueue(connection, parts.rows, parts.log, ready)
            assert (await erase(app, email=BOB))[0] == 202

        assert await app.deliver() == []
        assert await sound(app) == []
        await run_rules(app)
        assert await sound(app) == []
        assert await rows_naming(app, bob) == {"change", "erasure", "erasure_ledger"}
