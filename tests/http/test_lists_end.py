"""A list says that it goes on where something follows, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.api import cases
from gateway.desk import case_pages, log_pages
from gateway.desk import sent as desk_sent
from tests.contract.test_locked_evidence import opened
from tests.contract.test_rights_requests import asked, decide
from tests.http.test_bound_keys import CAMPAIGNS, campaign
from tests.http.test_dpo import ADMIN, DPO, enter_all, sit
from tests.promises.test_erased_is_erased import erase
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.databases import Databases

BOB, CLEO = "bob@example.org", "cleo@example.org"


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        yield opened


async def _requests(app: App) -> None:
    for _ in range(3):
        await asked(app)


async def _campaigns(app: App) -> None:
    key = await app.key()
    for _ in range(3):
        await campaign(app, key, "newsletter")


async def _messages(app: App, key: dict[str, str]) -> None:
    for _ in range(3):
        await queue(app, key=key, text="Hello.")


class Pages(NamedTuple):
    """How many rows a first page of so many has, and how many the one that it leads to.

    None: it leads to none.
    """

    first: int
    second: int | None


async def pages(app: App, key: dict[str, str], path: str, rows: str, limit: int) -> Pages:
    status, first = await call(app, key, "GET", f"{path}limit={limit}")
    assert status == 200, first
    if first["next"] is None:
        return Pages(len(first[rows]), None)
    _, second = await call(app, key, "GET", f"{path}limit={limit}&after={first['next']}")
    assert second["next"] is None
    return Pages(len(first[rows]), len(second[rows]))


LISTS: dict[str, tuple[Callable[[App, dict[str, str]], Awaitable[None]], str, str]] = {
    "rights requests": (lambda app, _: _requests(app), "/v1/rights-requests?", "requests"),
    "open ones": (lambda app, _: _requests(app), "/v1/rights-requests?state=open&", "requests"),
    "campaigns": (lambda app, _: _campaigns(app), f"{CAMPAIGNS}?", "campaigns"),
    "messages": (_messages, "/v1/messages?", "messages"),
    "queued messages": (_messages, "/v1/messages?status=queued&", "messages"),
    "events": (lambda app, _: _requests(app), "/v1/audit/events?kind=rights.requested&", "events"),
}


@pytest.mark.parametrize("which", LISTS)
async def test_a_list_of_the_api_goes_on_where_more_follows_alone(app: App, which: str) -> None:
    fill, path, rows = LISTS[which]
    key = await app.key()
    await fill(app, key)
    await app.tick()

    assert await pages(app, key, path, rows, 4) == Pages(3, None)
    assert await pages(app, key, path, rows, 3) == Pages(3, None)
    assert await pages(app, key, path, rows, 2) == Pages(2, 1)


async def test_a_search_of_locked_evidence_goes_on_where_somebody_follows_alone(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for email in (BOB, CLEO):
        await app.subscribe(email)
    for email in (ADA, BOB, CLEO):
        await erase(app, email=email)

    said: dict[int, Any] = {}
    for most in (3, 2):
        monkeypatch.setattr(cases, "_MOST", most)
        _, said[most] = await opened(app)
    _, rest = await opened(app, after=said[2]["next"])

    assert (said[3]["people"], said[3]["next"]) == (3, None)
    assert (said[2]["people"], rest["people"], rest["next"]) == (2, 1, None)


DESK: dict[str, tuple[Any, str, str]] = {
    "cases": (case_pages, "/dpo/cases", r'href="/dpo/cases\?[^"]*after='),
    "cases that are decided": (case_pages, "/dpo/cases/decided", r'href="[^"]*\?before='),
    "the log": (log_pages, "/dpo/log?kind=rights.answered", r'href="/dpo/log\?[^"]*after='),
    "messages": (desk_sent, "/dpo/sent?status=queued", r'href="/dpo/sent\?[^"]*before='),
}


@pytest.mark.parametrize("which", DESK)
async def test_a_list_at_the_desk_goes_on_where_more_follows_alone(
    app: App, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, path, link = DESK[which]
    await _requests(app)
    for _ in range(3):
        await decide(app, await asked(app), "answer")
    sitting = await sit(app, ADMIN if which in ("the log", "messages") else DPO)
    await _messages(app, await app.key())
    await app.tick()

    found = {}
    for at_once in (4, 3, 2):
        monkeypatch.setattr(where, "AT_ONCE", at_once)
        answer = await sitting.get(path)
        assert answer.status == 200
        found[at_once] = bool(re.search(link, await answer.text()))

    assert found == {4: False, 3: False, 2: True}
