"""Nobody attacks: somebody's permission is asked while they are being erased.

Who asks takes no gate, so that asking often keeps nobody from leaving.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from audit.entry import draft
from audit.tables import audit_item
from consent import address
from gateway.flows.sending import permission
from gateway.flows.sending.enqueue import Wanted, enqueue
from gateway.flows.sending.permission import Question
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


async def test_an_item_that_is_committed_after_its_person_went_is_no_tampering(
    app: App, dialect: str
) -> None:
    await app.confirmation(BOB)
    bob = await app.subject(BOB)
    assert bob is not None
    parts, question = app.parts, Question("newsletter", address.parse(BOB))
    vault = await parts.keystore.vault({bob})
    # As `permission.ask` does it; between its look and its commit the other one is done.
    async with parts.data.begin() as connection:
        (advice,) = await permission.advise(parts, connection, [question])
        assert (await erase(app, email=BOB))[0] == 202
        look = draft(permission._look(question, advice, vault, "key"), vault, parts.log.node)
        await parts.log.stage(connection, [look])
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
            await enqueue(parts, connection, [wanted], vault)
            assert (await erase(app, email=BOB))[0] == 202

        assert await app.deliver() == []
        assert await sound(app) == []
        await run_rules(app)
        assert await sound(app) == []
        assert await rows_naming(app, bob) == {"change", "erasure", "erasure_ledger"}
