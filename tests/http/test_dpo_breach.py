"""A breach at the desk: what was taken, whose it is, what reads, and what is to be told by when."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from audit.entry import Entry, parse
from audit.kinds import Actor, Kind
from audit.tables import audit_entry
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from tests.http.test_dpo import AUDITOR, Sitting, enter_all, id_of, sit
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases
from tests.support.desk_exports import taken

GRACE = "grace@example.org"
CASE = "INC-2026-7"


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        await opened.subscribe(GRACE, "updates")
        await opened.tick()
        yield opened


async def worked_out(sitting: Sitting, *took: str, **fields: str) -> Any:
    """The answer for a program; several things that were taken are several fields."""
    return json.loads(await (await posted(sitting, *took, format="json", **fields)).read())


async def posted(sitting: Sitting, *took: str, locale: str = "en", **fields: str) -> Any:
    start = await (await sitting.get("/dpo/breach")).text()
    csrf = start.partition('name="csrf" value="')[2].partition('"')[0]
    given = [("csrf", csrf), ("case", CASE), *(("took", one) for one in took), *fields.items()]
    http = sitting.app.http
    return await http.post(
        f"/dpo/breach?locale={locale}", data=given, headers=sitting.headers, allow_redirects=False
    )


async def told(app: App) -> list[Entry]:
    await app.tick()
    query = select(audit_entry.c.entry).where(audit_entry.c.kind == Kind.BREACH_ASSESSED)
    async with app.parts.data.read() as connection:
        return [parse(bytes(row[0])) for row in await connection.execute(query)]


def reach_of(found: Any, matter: str) -> str:
    (one,) = [one["reach"] for one in found["findings"] if one["matter"] == matter]
    return str(one)


async def test_a_stolen_laptop_says_whose_data_was_on_it_and_drafts_both_notices(app: App) -> None:
    sitting = await sit(app)
    await sitting.person()
    await sitting.person(GRACE)
    await (await taken(sitting, "/dpo/log/export", format="jsonl")).read()
    await app.tick()

    found = await worked_out(sitting, "exports")
    page = await (await posted(sitting, "exports", locale="de")).text()
    paper = await (await posted(sitting, "exports", format="pdf")).read()

    (by,) = [one for one in found["taken_out"] if one["actor"] == "operator"]
    assert (by["by"], by["people"]) == (await id_of(app), 2)
    assert by["events"] == {"subject.accessed": 2, "audit.exported": 1}
    assert (found["reach"], reach_of(found, "profile")) == ("readable", "not_taken")
    assert found["people"] is None
    assert found["papers"].keys() == {"en", "de", "fr"}
    assert found["papers"]["de"].keys() == {"breach", "breach_authority", "breach_people"}
    assert "höchstens: 2;" in page and "Art. 33 DSGVO" in page and "Art. 34 DSGVO" in page
    assert paper.startswith(b"%PDF-")
    assert ADA not in page + json.dumps(found) and GRACE not in page + json.dumps(found)


async def test_a_backup_holds_data_and_keys_that_open_with_the_keyring_alone(app: App) -> None:
    sitting = await sit(app)

    backup = await worked_out(sitting, "data", "keystore")
    everything = await worked_out(sitting, "data", "keystore", "keyring")

    assert (reach_of(backup, "profile"), backup["would_open_with"]) == ("sealed", ["keyring"])
    assert backup["readable_people"] is None
    assert backup["people"]["by_state"] == {"live": 3}  # the mailbox of who sits at the desk, too
    assert {
        (one["purpose"], one["state"], one["people"]) for one in backup["people"]["by_purpose"]
    } >= {
        ("newsletter", "confirmed", 1),
        ("updates", "confirmed", 1),
    }
    assert reach_of(everything, "profile") == reach_of(everything, "staff") == "readable"
    assert everything["readable_people"]["people"] == 3
    assert {one["store"] for one in backup["taken"]} == {"data", "keystore", "guard"}


async def test_a_store_that_lies_in_another_is_named_once_where_both_were_taken(app: App) -> None:
    found = await worked_out(await sit(app), "keystore", "guard")

    assert [one["store"] for one in found["taken"]] == ["keystore", "guard"]


async def test_who_was_erased_since_is_still_in_a_copy_of_before(app: App) -> None:
    sitting = await sit(app)
    before = app.parts.clock.wall().date()
    app.step(timedelta(days=2))
    sitting = await sit(app)
    asked = Request(Question("", subject=await app.subject() or ""), Actor.OPERATOR, "letter")
    await Erasures(Erasing(app.parts)).erase(asked)
    await app.tick()
    app.step(timedelta(days=2))
    sitting = await sit(app)

    copies = {f"{one}_on": before.isoformat() for one in ("data", "keystore")}
    found = await worked_out(sitting, "data", "keystore", "keyring", **copies)
    later = await worked_out(
        sitting, "data", "keystore", "keyring", since=_day(app), until=_day(app)
    )

    assert found["readable_people"]["erased_since"] == 1
    assert later["readable_people"]["erased_since"] == 0


def _day(app: App) -> str:
    return app.parts.clock.wall().date().isoformat()


async def test_the_72_hours_run_from_the_full_hour_after_it_became_known(app: App) -> None:
    sitting, now = await sit(app), app.parts.clock.wall()
    day = (now - timedelta(days=1)).date()

    found = await worked_out(sitting, "data", known_on=day.isoformat(), known_at="00:20")

    known = datetime.fromisoformat(found["known_at"])
    assert (known.hour, known.minute) == (0, 20)
    due = datetime.fromisoformat(found["notify_by"])
    assert due - known == timedelta(hours=72, minutes=40)


async def test_a_breach_is_told_in_the_log_with_operator_and_file_number_alone(app: App) -> None:
    sitting = await sit(app)

    await worked_out(sitting, "data", "keyring")
    await posted(sitting, "logs")

    first, second = await told(app)
    said = {"operator": await id_of(app), "case": CASE, "taken": "data+keyring"}
    assert first.actor is Actor.OPERATOR and said.items() <= first.refs.items()
    assert first.refs.keys() == {"operator", "case", "taken", "since", "until"}
    assert second.refs["taken"] == "logs"


async def test_what_was_typed_stands_in_the_drafts_and_nowhere_else(app: App) -> None:
    sitting, words = await sit(app), "# Ada's laptop | on a train :: gone"

    found = await worked_out(sitting, "exports", happened=words, done="<b>wiped</b>")
    page = await (await posted(sitting, "exports", happened=words, done="<b>wiped</b>")).text()

    for locale in ("en", "de"):
        draft = found["papers"][locale]["breach_authority"]["blocks"]
        assert {"kind": "words", "text": words} in draft
        assert {"kind": "words", "text": "<b>wiped</b>"} in draft
    assert "&lt;b&gt;wiped&lt;/b&gt;" in page and "<b>wiped</b>" not in page
    assert "laptop" not in json.dumps([one.refs for one in await told(app)])


@pytest.mark.parametrize(
    ("took", "fields", "said"),
    [
        pytest.param((), {}, "Please say what was taken.", id="nothing"),
        pytest.param(("data",), {"case": "Ada"}, "It needs a number", id="a name"),
        pytest.param(("data",), {"since": "2099-01-01"}, "must not be before", id="to come"),
        pytest.param(("data",), {"known_at": "25:00"}, "There is no such time", id="no time"),
        pytest.param(("data",), {"data_on": "x"}, "Something of this cannot be read", id="no day"),
        pytest.param(("data",), {"done": "x" * 4001}, "Something of this", id="too long"),
    ],
)
async def test_what_makes_no_sense_is_not_worked_out_and_said_why(
    app: App, took: tuple[str, ...], fields: dict[str, str], said: str
) -> None:
    sitting = await sit(app)
    answer = await posted(sitting, *took, **fields) if "case" not in fields else None
    if answer is None:
        answer = await sitting.post("/dpo/breach", took=took[0], **fields)

    assert answer.status == 422
    assert said in await answer.text()
    assert await told(app) == []


async def test_an_auditor_works_out_no_breach(app: App) -> None:
    sitting = await sit(app, AUDITOR)

    assert (await sitting.get("/dpo/breach")).status == 403
    assert (await sitting.post("/dpo/breach", case=CASE, took="data")).status == 403
    assert "/dpo/breach" not in await sitting.start()
