"""Whoever received data is told what became of it: signed, in order, until they acknowledge it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from audit.kinds import Actor
from consent import tellings
from consent.feed import News
from gateway.callers.api_keys import Scope
from gateway.cli import status
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving.verify import verify
from gateway.flows.rights.telling import Tellings
from gateway.http.webhooks import Webhooks
from gateway.process import counting
from gateway.watch import overview, webhooks
from tests.support.apps import ADA, App, open_app, tellings_of
from tests.support.calls import call
from tests.support.databases import Databases
from tests.support.ports import free_port
from tests.support.receivers import SECRET, Elsewhere, Receiver, receiving, section
from tests.support.stops import stops_of
from tests.support.stores import dump
from tests.support.waiting import PATIENCE

DAY = timedelta(days=1)
ALL = [str(one) for one in News]
OWED = [str(one) for one in tellings.OWED]
BOB = "bob@example.org"
WHY = {
    "fails": "status 500",
    "redirects": "status 307",
    "hangs": "timeout",
    "ends never": "status 503",
}


@dataclass
class Scene:
    """A gateway with two receivers: one is told everything, one what is owed."""

    app: App
    crm: Receiver
    shop: Receiver

    async def tell(self) -> int:
        """What the duties do, until nothing is left that is due."""
        await self.app.tick()
        told, parts = self.tellings(), self.app.parts
        await told.spread()
        done = 0
        for name in parts.config.webhooks:
            while did := await told.tell(name):
                done += did
        return done

    def tellings(self) -> Tellings:
        # Who hangs is called within it, also where others work; everybody else is waited for.
        hangs = self.crm.how in ("hangs", "ends never")
        patience = aiohttp.ClientTimeout(total=3 if hangs else PATIENCE)
        send = Webhooks(self.app.parts.config.webhooks, patience).send
        return tellings_of(self.app.parts, send)

    async def erase(self, email: str = ADA) -> str:
        key = await self.app.key(Scope.SUBJECTS_MANAGE)
        code, said = await call(self.app, key, "POST", "/v1/erasures", {"email": email})
        assert code == 202
        return str(said["erasure_id"])

    async def certificate(self, erasure: str) -> dict[str, Any]:
        key = await self.app.key(Scope.SUBJECTS_MANAGE)
        _, said = await call(self.app, key, "GET", f"/v1/erasures/{erasure}")
        return dict(said["certificate"])

    async def doubts(self) -> list[str]:
        await self.app.tick()
        found = await verify(self.app.parts)
        return [*map(str, found.report.findings), *found.rows]

    async def kept(self, table: str) -> list[str]:
        rows = (await dump(self.app.parts.data, [table]))[table]
        return [str(one["kind"]) for one in rows]


@asynccontextmanager
async def staged(dialect: str, tmp_path: Path, databases: Databases) -> AsyncIterator[Scene]:
    (tmp_path / "webhook.secret").write_text(SECRET)
    async with AsyncExitStack() as stack:
        crm = await stack.enter_async_context(receiving())
        shop = await stack.enter_async_context(receiving())
        more = section("crm", crm.url, *ALL) + section("shop", shop.url, *OWED, processor="none")
        more += '[retention]\nevidence_after_withdrawal = "0d"\n'
        app = await stack.enter_async_context(open_app(tmp_path, databases, dialect, more=more))
        yield Scene(app, crm, shop)


@pytest.fixture
async def scene(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[Scene]:
    async with staged(dialect, tmp_path, new_database_url) as opened:
        yield opened


async def test_a_whole_life_is_told_in_order_signed_and_without_an_address(scene: Scene) -> None:
    app = scene.app
    await app.subscribe(ADA, "newsletter", "updates")
    subject = await app.subject()
    assert subject is not None
    await stops_of(app.parts).restrict(subject)
    await stops_of(app.parts).lift_restriction(subject)
    erasure = await scene.erase()
    await app.tick()

    waits = [
        (one["webhook"], one["acknowledged_at"])
        for one in (await scene.certificate(erasure))["told"]
    ]
    assert waits == [("crm", None), ("shop", None)]
    await scene.tell()

    ends = ["consent.withdrawn"] * 2
    life = ["consent.confirmed"] * 2 + ["subject.restricted", "subject.unrestricted", *ends]
    assert scene.crm.kinds() == [*life, "subject.erased"]
    assert scene.shop.kinds() == ["subject.restricted", "subject.unrestricted", "subject.erased"]
    names = {"change_id", "at", "kind", "subject_id", "purpose", "external_ids"}
    assert {frozenset(one) for one in scene.crm.heard} == {frozenset(names)}
    assert {one["subject_id"] for one in scene.crm.heard} == {subject}
    assert {one["purpose"] for one in scene.crm.heard[:2]} == {"newsletter", "updates"}
    shown = await scene.certificate(erasure)
    assert [(one["name"], one["acknowledged_at"] is None) for one in shown["told"]] == [
        ("Mail Relay GmbH", False),
        ("shop", False),
    ]
    assert "Mail Relay GmbH was told, and acknowledged it" in " ".join(shown["meaning"])
    # Of who is gone nothing else is left, and nothing of it is missed.
    assert await scene.kept("change") == ["subject.erased"]
    assert await scene.kept("telling") == ["subject.erased"] * 2
    assert await scene.doubts() == []
    assert await scene.tell() == 0


async def test_a_receiver_that_misbehaves_is_told_later_and_keeps_no_other_one_waiting(
    scene: Scene,
) -> None:
    app, crm = scene.app, scene.crm
    await app.subscribe(BOB)
    await app.subscribe()
    await scene.tell()
    crm.heard.clear()
    await scene.erase(BOB)
    await scene.erase()

    for tries, how in enumerate(WHY, 1):
        crm.how = how
        called = len(crm.called)
        await scene.tell()
        # The first of each person alone: what came later waits for it.
        assert [one["kind"] for one in crm.called[called:]] == ["consent.withdrawn"] * 2
        assert await scene.tell() == 0
        assert len(crm.called) == called + 2  # not before its time
        (behind,) = (await overview.look(app.parts)).webhooks
        assert behind.why == WHY[how]
        app.step(tellings.wait(tries))
    assert (crm.heard, crm.strayed) == ([], 0)
    assert scene.shop.kinds() == ["subject.erased"] * 2

    seen = await overview.look(app.parts)
    assert [(one.webhook, one.changes, one.tries) for one in seen.webhooks] == [("crm", 4, 4)]
    assert ("Webhooks", webhooks.said(seen.webhooks[0])) in [*status._lines(seen)]
    verifier, named = app.parts.publisher.verifier, app.parts.config.webhooks
    await counting.measure(
        app.parts.data, app.parts.clock, verifier, app.parts.lookup, app.counted, named
    )
    assert 'gateway_webhook_waiting{webhook="crm"} 4.0' in app.metrics()
    assert 'gateway_webhook_failing{webhook="crm",why="status 503"} 1.0' in app.metrics()
    found = webhooks.told(seen.webhooks, named, seen.at + DAY)
    assert [one.level for one in found] == ["warn"]

    crm.how = "well"
    assert await scene.tell() == 4
    assert sorted(crm.kinds()) == ["consent.withdrawn"] * 2 + ["subject.erased"] * 2
    assert (await overview.look(app.parts)).webhooks == []


async def test_what_was_told_goes_after_a_month_and_what_was_owed_is_kept_as_proof(
    scene: Scene,
) -> None:
    app = scene.app
    await app.subscribe(BOB)
    erasure = await scene.erase(BOB)
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    await scene.tell()
    scene.shop.how = "fails"
    await stops_of(app.parts).restrict(subject)
    await scene.tell()
    rules = RetentionRules(app.parts)

    app.step(29 * DAY)
    assert await rules.changes() == 0
    app.step(DAY)
    while await rules.changes():
        pass

    assert await scene.kept("change") == []
    owed = ["subject.erased", "subject.erased", "subject.restricted", "subject.restricted"]
    assert sorted(await scene.kept("telling")) == owed
    assert (await overview.look(app.parts)).webhooks == []  # given up
    assert (await scene.certificate(erasure))["told"][0]["acknowledged_at"] is not None
    assert await scene.doubts() == []
    app.step(4 * 365 * DAY)
    await rules.requests()
    await rules.changes()
    assert await scene.kept("telling") == []


async def test_two_nodes_tell_each_change_once(scene: Scene) -> None:
    await scene.app.subscribe()
    async with scene.app.parts.data.begin() as connection:
        await scene.app.parts.log.sequence(connection)
    one, two = scene.tellings(), scene.tellings()

    spread = await asyncio.gather(one.spread(), two.spread())
    told = await asyncio.gather(one.tell("crm"), two.tell("crm"), one.tell("crm"))

    assert (sum(spread), sum(told), len(scene.crm.called)) == (1, 1, 1)


async def test_a_receiver_that_was_killed_for_an_hour_hears_everything_once_in_order(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    """It is a process of its own, and killed; the hour is the clock's."""
    (tmp_path / "webhook.secret").write_text(SECRET)
    elsewhere = Elsewhere(free_port(), tmp_path / "heard.jsonl")
    more = section("crm", f"http://127.0.0.1:{elsewhere.port}/hook", *ALL)
    async with open_app(tmp_path, new_database_url, dialect, more=more) as app:
        scene = Scene(app, Receiver(), Receiver())
        try:
            await elsewhere.start()
            await app.subscribe(ADA, "newsletter", "updates")
            await app.subscribe(BOB)
            assert await scene.tell() == 3

            elsewhere.kill()
            for minute in range(0, 60, 5):
                await _go_on(app, minute)
                await scene.tell()
                app.step(timedelta(minutes=5))
            assert len(elsewhere.heard()) == 3
            (behind,) = (await overview.look(app.parts)).webhooks
            assert webhooks.said(behind).endswith("UTC: nobody listens there")
            await elsewhere.start()
            for _ in range(8):  # the longest wait so far was a quarter of an hour
                await scene.tell()
                app.step(timedelta(minutes=5))
        finally:
            elsewhere.kill()

        key = await app.key(Scope.CHANGES_READ)
        _, feed = await call(app, key, "GET", "/v1/changes?limit=1000")
        heard = elsewhere.heard()
        assert len(feed["changes"]) == 3 + 6
        assert sorted(heard, key=str) == sorted(feed["changes"], key=str)
        for subject in {one["subject_id"] for one in heard}:
            assert _of(subject, heard) == _of(subject, feed["changes"])


def _of(subject: str, said: list[Any]) -> list[Any]:
    return [one for one in said if one["subject_id"] == subject]


async def _go_on(app: App, minute: int) -> None:
    """What happens while nobody listens."""
    ada, bob = await app.subject(ADA), await app.subject(BOB)
    assert ada is not None
    assert bob is not None
    stops = stops_of(app.parts)
    match minute:
        case 5:
            await stops.restrict(ada)
        case 20:
            await stops.lift_restriction(ada)
        case 30:
            await stops.restrict(bob)
        case 40:
            await stops.lift_restriction(bob)
        case 50 | 55:
            withdrawal = Withdrawal("newsletter", Actor.SUBJECT, "letter")
            leaving = ada if minute == 50 else bob
            await Withdrawals(app.parts).by_subject(leaving, withdrawal)
