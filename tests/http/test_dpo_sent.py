"""What was sent, at the desk: by purpose, state and reason; to whom is nowhere on it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.desk import sent as desk_sent
from gateway.watch.stuck import Why
from storage import bad_rows
from tests.http.test_dpo import ADMIN, Sitting, enter_all, sit
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.databases import Databases


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        yield opened


async def shown(sitting: Sitting, path: str, status: int = 200) -> str:
    answer = await sitting.get(path)
    assert answer.status == status, path
    return await answer.text()


async def hand_in(app: App) -> str:
    """A message to Ada; its number."""
    body = {"to": {"email": ADA}, "purpose": "newsletter"}
    app.step(timedelta(seconds=1))  # the order of one second is chance
    body |= {"content": {"subject": "News", "text": "Hello."}}
    status, said = await call(app, await app.key(), "POST", "/v1/messages", body)
    assert status == 202, said
    return str(said["message_id"])


def listed(page: str) -> list[str]:
    return re.findall(r'<span class="hash">(msg_\w+)', page)


async def test_a_days_messages_stand_there_by_purpose_state_and_reason_and_to_nobody(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = await sit(app, ADMIN)
    first, second = [await hand_in(app) for _ in range(2)]
    await app.deliver()
    third = await hand_in(app)
    left = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    await call(app, await app.key(), "POST", "/v1/withdrawals", left)
    await app.deliver()

    whole = await shown(sitting, "/dpo/sent")
    (asking,) = set(listed(await shown(sitting, "/dpo/sent?purpose=newsletter&status=sent"))) - {
        first,
        second,
    }
    refused = await shown(sitting, "/dpo/sent?purpose=newsletter&status=refused")
    before = app.parts.clock.wall().date() - timedelta(days=1)
    none = await shown(sitting, f"/dpo/sent?day={before}&locale=de")
    monkeypatch.setattr(desk_sent, "AT_ONCE", 2)
    pages = [await shown(sitting, "/dpo/sent?purpose=newsletter")]
    (older,) = re.findall(r'href="(/dpo/sent\?[^"]*before=msg_\w+)"', pages[0])
    pages.append(await shown(sitting, older.replace("&amp;", "&")))

    assert "Not permitted, not sent: withdrawn" in refused
    assert listed(refused) == [third]
    assert [listed(one) for one in pages] == [[third, second], [first, asking]]
    assert {first, second, third} < set(listed(whole))
    assert "Your link to the desk" in whole and "Newsletter, a service mail" in whole
    assert "keine solche Nachricht angenommen" in none
    assert not {ADA, ADMIN} & set(re.findall(r"[\w.]+@[\w.]+", whole))


async def test_what_waits_and_what_stands_aside_is_said_and_why(app: App) -> None:
    sitting = await sit(app, ADMIN)
    well = await shown(sitting, "/dpo/sent")
    await hand_in(app)
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        await bad_rows.park(connection, "intake", {"int_1": Why.KEY_MISSING}, now)

    page = await shown(sitting, "/dpo/sent")

    assert "No row stands aside" in well and "0 messages have not ended." in well
    assert "1 message has not ended." in page
    assert "1 row of sign-ups stands aside" in page and "Its key is missing." in page


async def test_a_day_that_there_is_none_of_is_said_so(app: App) -> None:
    sitting = await sit(app, ADMIN)

    assert "There is no such day." in await shown(sitting, "/dpo/sent?day=2026-02-30", 422)
    await shown(sitting, "/dpo/sent?day=9999-12-31", 422)
    await shown(sitting, "/dpo/sent?day=0001-01-01", 422)
