"""What a person was told of their erasure or withdrawal holds after a backup was put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent import tables
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.restoring import replay
from tests.support.apps import App
from tests.support.calls import call
from tests.support.databases import Databases
from tests.support.restoring import Site

ADA, BOB = "ada@example.org", "bob@example.org"
OTHERS = [f"person{number}@example.org" for number in range(4)]
_STORES = [
    pytest.param(("data",), id="data"),
    pytest.param(("data", "keys"), id="data and key store", marks=pytest.mark.long),
]


class _Keeping(Site):
    """One that keeps the proof of who left for as long as by default."""

    def write_config(self) -> Path:
        path = super().write_config()
        path.write_text(path.read_text().replace('evidence_after_withdrawal = "0d"', ""))
        return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def site(request: pytest.FixtureRequest, tmp_path: Path, new_database_url: Databases) -> Site:
    return await _Keeping.make(tmp_path, new_database_url, request.param)


async def _key(app: App) -> dict[str, str]:
    return await app.key(Scope.SUBJECTS_MANAGE, Scope.CONSENTS_WITHDRAW)


async def _withdraw(app: App, key: dict[str, str], email: str, kind: str) -> None:
    said: dict[str, Any] = {"to": {"email": email}, "all": True, "kind": kind, "channel": "phone"}
    assert (await call(app, key, "POST", "/v1/withdrawals", said))[0] == 200


async def _erase(app: App, key: dict[str, str], email: str) -> Mapping[str, Any]:
    status, begun = await call(app, key, "POST", "/v1/erasures", {"email": email})
    assert status == 202
    told: Mapping[str, Any] = begun
    return told


@pytest.mark.parametrize("stores", _STORES)
async def test_an_erasure_keeps_its_id_its_moment_and_the_end_of_what_is_locked(
    site: Site, stores: Sequence[str]
) -> None:
    async with site.started() as app:
        await app.subscribe(ADA)
        await app.subscribe(BOB)
        key, ada = await _key(app), await app.subject(ADA)
        assert ada is not None
        await app.tick()
    kept = site.keep()
    async with site.started() as app:
        site.clock.step(timedelta(days=10))
        await _withdraw(app, key, BOB, "withdraw")
        left_at = site.clock.wall()
        site.clock.step(timedelta(days=1))
        told = await _erase(app, key, ADA)
        await app.tick()
    site.clock.step(timedelta(days=20))

    site.put_back(kept, *stores)
    await site.restore()

    async with site.started() as app:
        status, now = await call(app, key, "GET", f"/v1/erasures/{told['erasure_id']}")
        same = ("erasure_id", "asked_at", "received_at", "due_at", "locked_until")
        assert (status, now.get("state")) == (200, "done"), now
        assert {name: now[name] for name in same} == {name: told[name] for name in same}
        async with app.parts.data.read() as connection:
            query = select(tables.consent.c.decided_at).where(tables.consent.c.subject != ada)
            assert abs((await connection.execute(query)).scalar_one() - left_at) < timedelta(1)
        assert await app.parts.keystore.held([ada])
        report, rows = await site.verified()
        assert (report.ok, rows) == (True, []), rows
        site.clock.step(timedelta(days=3 * 365 + 1 - 20))
        assert await RetentionRules(app.parts).locked_evidence() == 1
        assert not await app.parts.keystore.held([ada]), "the date that was told is over"


async def test_who_objected_and_was_erased_is_not_asked_again_however_many_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words come in no order, and page by page: an objection may come behind the erasure."""
    monkeypatch.setattr(replay, "_AT_ONCE", 1)
    async with site.started() as app:
        for email in OTHERS:
            await app.subscribe(email)
        key = await _key(app)
        await app.tick()
    kept = site.keep()
    async with site.started() as app:
        site.clock.step(timedelta(days=10))
        for email in OTHERS:
            await _withdraw(app, key, email, "object")
            await _erase(app, key, email)
        await app.tick()

    site.put_back(kept, "data", "keys")
    await site.restore()

    async with site.started() as app:
        site.clock.step(timedelta(hours=1))
        for email in OTHERS:
            await app.sign_up(email)
        assert await app.deliver() == []
