"""Locked evidence is found among a hundred thousand, by decrypting, while the loop stays free."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from audit.kinds import Actor, Kind
from consent import gates
from consent.evidence import Requested
from consent.gates import Newcomer
from consent.personal import seal_mailbox
from consent.sign_ups import RenderedBy
from consent.trail import Trail
from gateway.callers.api_keys import Scope
from storage.ids import random_id
from tests.contract.test_locked_evidence import opened
from tests.promises.test_erased_is_erased import erase
from tests.support.apps import App, open_app
from tests.support.databases import Databases

PEOPLE = 100_000
_AT_ONCE = 1_000
_MEGABYTE = 1024  # of what the system counts in


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_one_among_a_hundred_thousand_is_found_and_the_loop_stays_free(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_app(tmp_path, new_database_url, dialect) as app:
        await app.subscribe()
        await erase(app)
        for first in range(0, PEOPLE, _AT_ONCE):
            await _erased(app, [f"person{n}@example.org" for n in range(first, first + _AT_ONCE)])
        while await _sequenced(app):
            pass
        key = await app.key(Scope.EVIDENCE_OPEN)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        begun, found, calls, after = time.monotonic(), [], 0, None
        async with _watching(app) as waits:
            while True:
                more: dict[str, str] = {} if after is None else {"after": after}
                status, said = await opened(app, key, **more)
                assert status == 200
                found += said["found"]
                calls, after = calls + 1, said["next"]
                if after is None:
                    break
        seconds = time.monotonic() - begun
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // _MEGABYTE

    print(f"{said['total']} people in {seconds:.1f} s and {calls} calls, {grown} MB more")
    waits.sort()
    print(f"/healthz: {waits[len(waits) // 2] * 1000:.0f} ms, at most {waits[-1] * 1000:.0f} ms")
    assert len(found) == 1
    assert said["total"] == PEOPLE + 1
    assert waits[len(waits) * 99 // 100] < 0.25
    assert grown < 100


async def _erased(app: App, addresses: Sequence[str]) -> None:
    """People who were asked, and erased, each with one event that says their address."""
    parts, now = app.parts, app.parts.clock.wall()
    people = {random_id("sub"): one for one in addresses}
    await parts.keystore.create(people, now)
    vault = await parts.keystore.vault(people)
    newcomers = [
        Newcomer(subject, email, seal_mailbox(subject, email, vault), "en")
        for subject, email in people.items()
    ]
    async with parts.data.begin() as connection:
        held = await gates.admit(connection, parts.rows, parts.lookup, newcomers, now)
        trail = Trail(parts.log, vault, held)
        for subject, email in people.items():
            said = Requested(
                consent=random_id("con"),
                purpose="newsletter",
                text="sha256:" + "0" * 64,
                address_typed=email,
                address=email,
                received_at=now,
                form="signup",
                form_digest=None,
                page_url="https://www.acme.example/",
                rendered_by=RenderedBy.PAGE,
                client=None,
                locale="en",
                profile={},
            )
            trail.record(Kind.CONSENT_REQUESTED, subject, Actor.SUBJECT, now, evidence=said)
        await parts.lookup.forget(connection, people)
        await gates.begin_erasure(connection, parts.rows, held.values())
        await gates.end_erasure(connection, parts.rows, held.values())
        await trail.stage(connection)


async def _sequenced(app: App) -> int:
    async with app.parts.data.begin() as connection:
        return await app.parts.log.sequence(connection) or 0


@asynccontextmanager
async def _watching(app: App) -> AsyncIterator[list[float]]:
    """How long each look at whether the process lives took meanwhile, in seconds."""
    waits: list[float] = []

    async def watch() -> None:
        while True:
            asked_at = time.monotonic()
            async with app.http.get("/healthz") as answer:
                assert answer.status == 200
            waits.append(time.monotonic() - asked_at)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    try:
        yield waits
    finally:
        watching.cancel()
