"""Cases at the desk: entered, listed as they are due, answered, extended, refused, erased."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from gateway.desk import case_pages
from gateway.flows.proving.verify import verify
from tests.http.test_dpo import AUDITOR, WHY, Sitting, enter_all, id_of, looks, sit
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases

DAY = timedelta(days=1)
GRACE = "grace@example.org"
BERLIN = """
[rights]
time_zone = "Europe/Berlin"
"""


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, more=BERLIN) as opened:
        await enter_all(opened)
        await opened.subscribe()
        yield opened


async def entered(sitting: Sitting, kind: str = "access", email: str = ADA, **more: str) -> str:
    """Write a case down; its number."""
    said = {"channel": "phone", **more}
    answer = await sitting.post("/dpo/cases", email=email, kind=kind, **said)
    text = await answer.text()
    assert answer.status == 200, text
    return re.findall(r"req_[0-9a-v]{26}", text)[0]


@pytest.mark.parametrize("left_out", ["channel", "kind"])
async def test_nothing_is_chosen_for_whoever_writes_a_case_down(app: App, left_out: str) -> None:
    sitting = await sit(app)
    said = {"email": ADA, "kind": "erasure", "channel": "letter"}

    empty = await shown(sitting, "/dpo/cases")
    answer = await sitting.post("/dpo/cases", **{**said, left_out: ""})
    text = await answer.text()

    assert " checked" not in empty
    assert " selected" not in empty
    assert answer.status == 422
    assert f'id="{left_out}-problem"' in text
    assert "req_" not in text


async def shown(sitting: Sitting, path: str) -> str:
    answer = await sitting.get(path)
    assert answer.status == 200
    return await answer.text()


async def decided(app: App, email: str = ADA) -> list[tuple[Kind, Actor, dict[str, Any]]]:
    """What the log tells of requests, with what its entries name in the clear."""
    subject = await app.subject(email)
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    kinds = {one for one in Kind if one.startswith("rights.")}
    async with app.parts.data.read() as connection:
        told = await audit_trail.told(connection, [subject], kinds, vault)
    return [(one.kind, one.entry.actor, dict(one.entry.refs)) for one in told]


async def test_a_case_that_came_by_letter_is_written_down_and_answered_in_one_click(
    app: App,
) -> None:
    sitting = await sit(app)
    case = await entered(sitting, received_on="2026-03-02", channel="letter")
    before = await looks(app)

    page = await shown(sitting, f"/dpo/cases/{case}")
    answer = await sitting.post(
        "/dpo/cases/answer", request=case, why=WHY, reason="Enclosed.", format="json"
    )
    body = await answer.text()
    after = await shown(sitting, f"/dpo/cases/{case}")

    assert ADA not in page
    assert (answer.status, ADA in body) == (200, True)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{case}.json"'
    assert "Answered" in after and "Take the paper" not in after
    assert len(await looks(app)) == len(before) + 1
    refs = {"request": case, "operator": await id_of(app)}
    assert await decided(app) == [
        (Kind.RIGHTS_REQUESTED, Actor.OPERATOR, refs),
        (Kind.RIGHTS_ANSWERED, Actor.OPERATOR, refs),
    ]
    await app.tick()
    assert (await verify(app.parts)).rows == []


async def test_what_waits_is_listed_as_it_is_due_and_without_an_address(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_pages, "AT_ONCE", 2)
    await app.subscribe(GRACE)
    sitting, today = await sit(app), app.parts.clock.wall().date()
    late = await entered(sitting, "access", received_on=str(today))
    soon = await entered(sitting, "erasure", received_on=str(today - 20 * DAY))
    over = await entered(sitting, "objection", GRACE, received_on=str(today - 60 * DAY))

    first = await shown(sitting, "/dpo/cases")
    (further,) = re.findall(r'href="(/dpo/cases\?[^"]*after=[^"]+)"', first)
    second = await shown(sitting, further.replace("&amp;", "&"))

    listed = [re.findall(r"/dpo/cases/(req_\w+)", page) for page in (first, second)]
    assert listed == [[over, soon], [late]]
    assert "Overdue" in first and "days left" in first
    assert not {ADA, GRACE} & set(re.findall(r"[\w.]+@[\w.]+", first + second))


async def test_of_nobody_nothing_is_written_down_and_the_log_has_it(app: App) -> None:
    sitting = await sit(app)

    nobody = await sitting.post("/dpo/cases", email=GRACE, kind="access", channel="phone")
    wrong = await sitting.post("/dpo/cases", email="ada", kind="access")

    assert "Nobody is known by this address" in await nobody.text()
    assert wrong.status == 422
    assert "Nobody waits for anything." in await shown(sitting, "/dpo/cases")
    await app.tick()
    async with app.parts.data.read() as connection:
        found = await connection.exec_driver_sql(
            "SELECT entry FROM audit_entry WHERE kind = 'subject.accessed'"
        )
        named = f'"operator":"{await id_of(app)}"'.encode()
        assert any(named in bytes(row[0]) for row in found)


@pytest.mark.parametrize(
    ("step", "became"), [("answer", "answered"), ("extend", "extended"), ("refuse", "refused")]
)
async def test_a_decision_takes_a_second_step_and_a_reason(
    app: App, step: str, became: str
) -> None:
    sitting = await sit(app)
    case = await entered(sitting, "rectification")

    first = await sitting.post("/dpo/cases/decide", request=case, step=step)
    unsaid = await sitting.post("/dpo/cases/decide", request=case, step=step, sure="yes")
    between = [kind for kind, *_ in await decided(app)]
    second = await sitting.post(
        "/dpo/cases/decide", request=case, step=step, sure="yes", reason="It is so.\r\nReally."
    )
    again = await sitting.post("/dpo/cases/decide", request=case, step=step)

    assert [one.status for one in (first, unsaid, second, again)] == [200, 422, 200, 409]
    assert between == [Kind.RIGHTS_REQUESTED]
    assert [kind for kind, *_ in await decided(app)][1:] == [Kind(f"rights.{became}")]
    assert "It was decided, or has its extension, before" in await again.text()


async def test_more_time_is_offered_and_taken_within_the_first_month_alone(app: App) -> None:
    sitting, today = await sit(app), app.parts.clock.wall().date()
    case = await entered(sitting, received_on=str(today - 40 * DAY))

    page = await shown(sitting, f"/dpo/cases/{case}")
    answer = await sitting.post(
        "/dpo/cases/decide", request=case, step="extend", sure="yes", reason="Too much."
    )

    assert "Take more time" not in page
    assert (answer.status, "The first month is over" in await answer.text()) == (409, True)


async def test_an_erasure_is_answered_by_the_act_and_its_certificate_is_at_hand(app: App) -> None:
    sitting = await sit(app)
    case = await entered(sitting, "erasure", channel="phone")
    waiting = await shown(sitting, f"/dpo/cases/{case}")
    asked = re.findall(r'name="channel" value="(\w*)"', waiting)
    about = {"subject": await app.subject() or "", "why": WHY, "act": "erase", "sure": "yes"}

    early = await sitting.post(
        "/dpo/cases/answer", request=case, why=WHY, reason="Enclosed.", format="json"
    )
    done = await (await sitting.post("/dpo/act", **about, channel="phone")).text()
    page = await shown(sitting, f"/dpo/cases/{case}")
    (link,) = set(re.findall(r'href="(/dpo/erasures/era_[0-9a-v]{26})\?', done))
    paper = await sitting.get(link)

    assert (early.status, "answered by the erasure" in await early.text()) == (409, True)
    assert link in page and "Answered" in page
    assert asked == ["phone"]  # who wrote the case down said so
    assert (await paper.read()).startswith(b"%PDF")


async def test_what_is_decided_is_listed_the_last_first_and_page_by_page(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe(GRACE)
    sitting = await sit(app)
    cases = []
    for kind, email in (("access", ADA), ("access", GRACE), ("portability", ADA)):
        cases.append(await entered(sitting, kind, email))
        app.step(timedelta(seconds=1))
    first, waits, last = cases
    for case in (first, last):
        done = {"request": case, "step": "refuse", "reason": "Unfounded.", "sure": "yes"}
        assert (await sitting.post("/dpo/cases/decide", **done)).status == 200

    whole = await shown(sitting, "/dpo/cases/decided?locale=de")
    monkeypatch.setattr(case_pages, "AT_ONCE", 1)
    top = await shown(sitting, "/dpo/cases/decided")
    (further,) = re.findall(r'href="(/dpo/cases/decided\?before=[^"]+)"', top)
    below = await shown(sitting, further.replace("&amp;", "&"))

    def listed(page: str) -> list[str]:
        return re.findall(r'href="/dpo/cases/(req_[0-9a-v]{26})', page)

    assert listed(whole) == [last, first] and "Entschieden" in whole
    assert (listed(top), listed(below)) == ([last], [first])
    assert ADA not in whole and waits not in whole
    assert "/dpo/cases/decided" in await shown(sitting, "/dpo/cases")


async def test_an_auditor_sees_cases_and_decides_none(app: App) -> None:
    officer = await sit(app)
    case = await entered(officer)
    auditor = await sit(app, AUDITOR)

    page = await shown(auditor, f"/dpo/cases/{case}")
    refused = await auditor.post("/dpo/cases/decide", request=case, step="refuse")

    assert "Decide" not in page and "Answer it at once" not in page
    assert "Write a case down" not in await shown(auditor, "/dpo/cases")
    assert refused.status == 403


async def test_a_persons_page_leads_to_their_cases_in_both_languages(app: App) -> None:
    sitting = await sit(app)
    case = await entered(sitting)

    english = await sitting.person()
    german = await shown(sitting, f"/dpo/cases/{case}?locale=de")

    assert f"/dpo/cases/{case}" in english
    assert "Auskunft" in german and "Sofort beantworten" in german
