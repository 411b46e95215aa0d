"""What an earlier release stored works on: databases, keys and links of then, the code of today.

`tests/data/` has a directory for each such release; its README says how it was made.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from audit.tables import audit_entry
from gateway.schema.tables import api_key
from tests.support.databases import Databases
from tests.support.stored import LIVES, Life, open_life
from tests.support.stores import open_data

AT_ONCE = timedelta(minutes=1)  # links of the hour still work
LATER = timedelta(hours=2)  # what waited for its time is due
STANDING = {
    "ada@example.org": "granted",
    "bob@example.org": "withdrawn",
    "cleo@example.org": "objected",
    "dan@example.org": "pending",
    "fay@example.org": "rejected",
    "nobody@example.org": "unknown",
}


@pytest.fixture(params=LIVES, ids=lambda path: path.name)
async def kept_life(
    request: pytest.FixtureRequest, dialect: str, tmp_path: Path, new_database_url: Databases
) -> AsyncIterator[Life]:
    async with open_life(request.param, tmp_path, new_database_url, dialect) as opened:
        yield opened


@pytest.fixture
async def life(kept_life: Life) -> Life:
    await asyncio.to_thread(kept_life.gateway.command, "db", "upgrade")
    return kept_life


async def test_whoever_had_a_link_or_a_key_uses_it(life: Life) -> None:
    await life.start(AT_ONCE)
    key = life.known["key"]

    assert {one: await permission(life, one) for one in STANDING} == STANDING
    for page in ("why", "preferences", "unsubscribe", "confirm", "fresh"):
        async with life.gateway.http.get(life.link(page)) as shown:
            assert shown.status == 200, page
    assert await press(life, "confirm", answer="confirm") == 200
    assert await permission(life, "dan@example.org") == "granted"
    assert await press(life, "fresh") == 303
    await life.gateway.await_status(key, life.known["messages"]["sent"], "sent")
    repeated = life.known["repeated"]
    call = (key, "POST", "/v1/messages", repeated["body"])
    assert (await life.gateway.call(*call, **repeated["headers"]))[1] == repeated["answer"]


async def test_what_waited_goes_on_its_way(life: Life) -> None:
    await life.start(AT_ONCE)
    await life.gateway.await_mail(life.known["intake"])  # acknowledged then, worked off now
    assert len(life.gateway.received()) == 1, "something went before its time"
    assert life.gateway.kill("serve", signal.SIGTERM) == 0
    await life.start(LATER)

    for name in ("queued", "deferred"):
        await life.gateway.await_status(life.known["key"], life.known["messages"][name], "sent")
    sent = [one.to for one in life.gateway.received()[1:]]
    assert sorted(sent) == ["ada@example.org", "eve@example.org"]


async def test_an_old_link_still_leaves_and_the_log_continues_what_was_published(
    life: Life, tmp_path: Path
) -> None:
    await life.start(LATER)

    assert await press(life, "unsubscribe") == 200
    assert await permission(life, "ada@example.org") == "withdrawn"
    (tmp_path / "kept.checkpoint").write_text(life.known["checkpoint"])
    verify = ("audit", "verify", "--checkpoint", str(tmp_path / "kept.checkpoint"))
    said = await asyncio.to_thread(life.gateway.command, *verify)

    assert said.startswith("ok: ")


async def test_an_old_keyring_that_turns_up_later_signs_nothing(life: Life) -> None:
    """On another machine, or from a backup: what was planted meanwhile stays nobody's."""
    token = f"cgw_{'A' * 43}"
    planted = dict.fromkeys(("senders", "purposes"), "") | {
        "id": "key_planted",
        "name": "mine",
        "token_hash": hashlib.sha256(token.encode()).digest(),
        "scopes": "permissions:read",
        "created_at": datetime(2026, 11, 26, tzinfo=UTC),
    }
    async with open_data(life.gateway) as data, data.begin() as connection:
        await connection.execute(insert(api_key).values(planted))
    life.put_keyring_back()

    await asyncio.to_thread(life.gateway.command, "db", "upgrade")

    await life.start(AT_ONCE)
    question = {"to": {"email": "ada@example.org"}, "purpose": "newsletter"}
    status, _ = await life.gateway.call(token, "POST", "/v1/permissions", question)
    assert status == 401
    assert await permission(life, "ada@example.org") == "granted"


@pytest.mark.timeout(1200)  # a start for every few statements of the upgrade
async def test_an_upgrade_that_is_killed_goes_on_where_it_ended(kept_life: Life) -> None:
    statement, deaths = 3, 0
    while await asyncio.to_thread(kept_life.upgrade_killed_at, statement) == -signal.SIGKILL:
        statement, deaths = statement + max(3, statement // 4), deaths + 1
    assert deaths > 5

    await kept_life.start(AT_ONCE)
    assert {one: await permission(kept_life, one) for one in STANDING} == STANDING
    messages = kept_life.known["messages"]
    await kept_life.gateway.await_status(kept_life.known["key"], messages["sent"], "sent")
    said = await asyncio.to_thread(kept_life.gateway.command, "audit", "verify")
    assert said.startswith("ok: ")
    async with open_data(kept_life.gateway) as data, data.read() as connection:
        kinds = (await connection.execute(select(audit_entry.c.kind))).scalars().all()
    assert kinds.count("rows.adopted") == 1


async def permission(life: Life, email: str) -> str:
    question = {"to": {"email": email}, "purpose": "newsletter"}
    _, said = await life.gateway.call(life.known["key"], "POST", "/v1/permissions", question)
    return "granted" if said["granted"] else str(said["reason"])


async def press(life: Life, name: str, **fields: str) -> int:
    """Press the button behind a link of then; the status."""
    link = life.link(name)
    async with life.gateway.http.post(link, data=fields, allow_redirects=False) as answer:
        return answer.status
