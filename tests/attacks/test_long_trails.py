"""Whoever asks about a person without end makes neither their page slow, nor the log endless."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway import limits
from gateway.callers.api_keys import Scope
from gateway.flows.rights import overview
from gateway.limits import Limit, Meter, Wait
from tests.attacks.test_unseen_looks import question
from tests.support.apps import App, open_app
from tests.support.calls import call
from tests.support.clock import START
from tests.support.databases import Databases
from tests.support.statements import statements

SECOND = timedelta(seconds=1)
ASKED = 30


async def test_her_page_reads_none_of_what_others_asked_about_her(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    before = await overview.look(app.parts, subject)
    for _ in range(ASKED):
        await app.permission()
    await app.tick()

    with statements() as seen:
        shown = await overview.look(app.parts, subject)

    assert before is not None
    assert shown is not None
    assert shown.consents == before.consents
    assert shown.consents[0].story
    assert not [one for one in seen if "audit_item" in one]


async def test_a_key_that_asks_without_end_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, new_database_url: Databases
) -> None:
    monkeypatch.setattr(limits, "QUESTIONS", Limit("questions", burst=3, interval=SECOND))
    async with open_app(tmp_path, new_database_url, "sqlite", limits=True) as app:
        key, other = await app.key(Scope.PERMISSIONS_READ), await app.key(Scope.PERMISSIONS_READ)

        said = [await call(app, key, "POST", "/v1/permissions", question()) for _ in range(5)]
        (of_other, _) = await call(app, other, "POST", "/v1/permissions", question())
        app.step(SECOND)
        (later, _) = await call(app, key, "POST", "/v1/permissions", question())

        assert [status for status, _ in said] == [200, 200, 200, 429, 429]
        assert said[-1][1]["type"] == "/problems/too-many-requests"
        assert (of_other, later) == (200, 200)


def test_what_one_key_asks_counts_for_no_other_and_time_empties_it() -> None:
    meter = Meter(Limit("some", burst=2, interval=SECOND))

    told = [meter.count("key_1", START) for _ in range(3)]

    assert told == [None, None, Wait(SECOND)]
    assert meter.count("key_2", START) is None
    assert meter.count("key_1", START + SECOND) is None
    assert meter.count("key_1", START + SECOND) == Wait(SECOND)
