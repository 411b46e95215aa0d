"""The log as tables and lines: what strangers typed is inert, and an export is always the same."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Place, draft
from audit.export.disclosed import Disclosing, Showing
from audit.export.pseudonyms import Pseudonyms
from audit.export.selection import Wanted
from audit.kinds import Actor, Kind
from audit.tables import audit_entry, audit_item, audit_payload
from audit.tree import leaf_hash
from gateway.flows.proving.export_forms import Form
from storage.database import Database
from tests.support import bundles, tables
from tests.support.audit import (
    GRACE,
    LOG,
    MOMENT,
    PUBLISHER,
    KeyRing,
    batch_event,
    create_log,
    person_events,
    write,
)
from tests.support.clock import SteppedClock

ADA = "sub_ada"
TYPED = {
    "first_name": '=HYPERLINK("http://evil.example","x")',
    "company": "\t=1+1",
    "city": "＝1+1",
    "phone": "4915112345678901234",
    "note": 'said "so";=1',
    "long": "x" * 40_000 + "=",
}
SEALED_FOR_ADA = Pseudonyms(bytes(32))


async def still(_connection: AsyncConnection) -> None:
    """They are there."""


def of_grace(ring: KeyRing) -> Wanted:
    return Wanted(person=Disclosing(GRACE, ring, lambda _kind, _facts: Showing.OPENED, still))


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing()


@pytest.fixture
async def log(
    database: Database, keystore: Database, clock: SteppedClock, ring: KeyRing
) -> Database:
    """Grace typed hostile answers, and is in a batch with Ada; each hour something happened."""
    await create_log(database, keystore)
    facts = {"evidence": {"profile": TYPED, "reply": {"code": 250}}}
    place = Place(GRACE, 0, None)
    at = MOMENT + timedelta(hours=1)
    asked = draft(
        Event(Kind.CONSENT_REQUESTED, Actor.SUBJECT, at, facts=facts, place=place), ring, LOG.node
    )
    later = [MOMENT + timedelta(hours=hour) for hour in (2, 3, 4)]
    covers = [draft(Event(Kind.LOG_COVER, Actor.SYSTEM, one), None, LOG.node) for one in later]
    case = Event(
        Kind.AUDIT_EXPORTED, Actor.OPERATOR, later[2], refs={"case": "=1", "format": "csv"}
    )
    batch = batch_event(ring, [ADA, GRACE, None, ADA])
    ada = person_events(ring, Place(ADA, 0, None), Kind.CONSENT_CONFIRMED)
    await write(database, batch, *ada, asked, *covers, draft(case, None, LOG.node))
    await PUBLISHER.publish(database, keystore, clock)
    return database


async def test_lines_have_what_was_typed_to_the_byte_and_tables_have_it_inert(
    log: Database, ring: KeyRing
) -> None:
    wanted = [await tables.order_of(log, form, of_grace(ring)) for form in Form if form != "pdf"]
    raw = {one.order.form: await tables.whole(one) for one in wanted}

    lines = [json.loads(line) for line in raw[Form.JSONL].splitlines()]
    (facts,) = (one["facts"] for one in lines if "profile" in one.get("facts", {}))
    as_csv = tables.of_csv(raw[Form.CSV])
    as_book = tables.of_workbook(raw[Form.XLSX])

    assert facts["profile"] == TYPED
    openings = bundles.files_of(raw[Form.BUNDLE])["openings.jsonl"].splitlines()
    opened = [base64.b64decode(json.loads(line)["opened"])[32:] for line in openings]
    assert [json.loads(one).get("profile") for one in opened] == [None, TYPED]
    found = {}
    for _, _, _, compartment, _, name, _, value, why in as_book["facts"][1:]:
        assert (compartment, why) == ("evidence", "")
        found[name] = found.get(name, "") + value
    assert {name: found[f"profile.{name}"] for name in TYPED} == TYPED
    assert found["reply.code"] == "250"
    cells = {row[5]: row[7] for row in as_csv["facts"][1:]}
    assert cells["profile.first_name"] == "'" + TYPED["first_name"]
    assert cells["profile.company"] == "'\t'=1+1"
    assert cells["profile.city"] == "'＝1+1"
    assert cells["profile.phone"] == "id:" + TYPED["phone"]
    assert cells["profile.note"] == 'said "so";\'=1'
    assert all(len(row[7]) <= 32_767 for row in as_csv["facts"])


async def test_a_table_of_events_names_nobody_and_leads_to_the_leaf(log: Database) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    export = await tables.order_of(log, Form.CSV, Wanted(), zone=berlin)

    (found,) = tables.of_csv(await tables.whole(export)).values()

    head, *rows = found
    shown = [dict(zip(head, row, strict=True)) for row in rows]
    assert [one["index"] for one in shown] == [str(number) for number in range(8)]
    assert shown[3]["kind"] == "consent.requested"
    assert shown[3]["at_utc"] == "2026-11-23T09:25:10.000Z"
    assert shown[3]["at_local"] == "2026-11-23T10:25:10.000+01:00"
    assert shown[1]["items"] == "4"
    assert shown[7]["refs"] == "case: =1; format: csv"
    async with log.read() as connection:
        entries = (await connection.execute(audit_entry.select())).all()
    leaves = {f"sha256:{leaf_hash(row.entry).hex()}" for row in entries}
    assert {one["leaf"] for one in shown} == leaves


@pytest.mark.parametrize("form", [Form.JSONL, Form.CSV, Form.XLSX, Form.BUNDLE])
async def test_an_export_of_a_time_has_its_entries_alone(log: Database, form: Form) -> None:
    hours = [MOMENT + timedelta(hours=hour) for hour in (2, 4)]

    raw = await tables.whole(await tables.order_of(log, form, Wanted(*hours)))

    if form == Form.JSONL:
        read = [json.loads(line) for line in raw.splitlines()]
        assert (read[0]["kind"], read[0]["since"]) == ("period", "2026-11-23T10:25:10.000Z")
        indexes = [one["index"] for one in read if "entry" in one]
        assert read[-1]["checkpoint"].startswith(LOG.first)
    elif form == Form.BUNDLE:
        assert bundles.check_here(raw, PUBLISHER.vkey)[0]
        entries = bundles.files_of(raw)["log/1/entries.jsonl"].splitlines()
        assert [line[:1] for line in entries] == [b"{", b"[", b"{", b"{", b"["]
        indexes = [0, 4, 5]
    else:
        read_back = tables.of_csv(raw) if form == Form.CSV else tables.of_workbook(raw)
        indexes = [int(row[1]) for row in read_back["events"][1:]]
    assert indexes == [0, 4, 5], "and the opening of the log, which every export has"


async def test_an_authority_sees_who_is_the_same_person_and_not_who(
    log: Database, ring: KeyRing
) -> None:
    wanted = Wanted(pseudonyms=SEALED_FOR_ADA)
    raw = {
        form: await tables.whole(await tables.order_of(log, form, wanted))
        for form in (Form.BUNDLE, Form.JSONL, Form.CSV, Form.XLSX)
    }

    files = bundles.files_of(raw[Form.BUNDLE])
    sound, said = bundles.check_here(raw[Form.BUNDLE], PUBLISHER.vkey)
    lines = [json.loads(line) for line in files["people.jsonl"].splitlines()]
    as_csv, as_book = tables.of_csv(raw[Form.CSV]), tables.of_workbook(raw[Form.XLSX])
    grace, ada = SEALED_FOR_ADA.of(GRACE), SEALED_FOR_ADA.of(ADA)

    assert sound, said
    assert "openings.jsonl" not in files
    assert json.loads(files["about.json"])["kind"] == "authority"
    assert [(one["index"], one["people"]) for one in lines] == [
        (1, sorted([ada, grace])),
        (2, [ada]),
        (3, [grace]),
    ]
    rows = [(row[1], row[3]) for row in as_csv["people"][1:]]
    assert rows == [(str(one["index"]), name) for one in lines for name in one["people"]]
    assert as_book["people"] == as_csv["people"]
    read = [json.loads(line) for line in raw[Form.JSONL].splitlines()]
    assert [one for one in read if "people" in one] == lines
    everything = b"".join([*files.values(), raw[Form.JSONL], repr([as_csv, as_book]).encode()])
    assert not any(one.encode() in everything for one in (GRACE, ADA, "HYPERLINK"))
    assert Pseudonyms(bytes([1]) * 32).of(GRACE) != grace, "another export, another name"


async def test_who_was_erased_has_no_name(log: Database, ring: KeyRing) -> None:
    async with log.begin() as connection:
        await connection.execute(delete(audit_payload).where(audit_payload.c.subject == GRACE))
        gone: dict[str, Any] = {"subject": None, "sealed": None}
        items = update(audit_item).where(audit_item.c.subject == GRACE)
        await connection.execute(items.values(gone))

    export = await tables.order_of(log, Form.CSV, Wanted(pseudonyms=SEALED_FOR_ADA))
    found = tables.of_csv(await tables.whole(export))

    assert {row[3] for row in found["people"][1:]} == {SEALED_FOR_ADA.of(ADA)}


@pytest.mark.parametrize("form", [Form.BUNDLE, Form.JSONL, Form.CSV, Form.XLSX])
async def test_an_export_goes_on_to_the_byte_while_the_log_grows(
    log: Database, keystore: Database, clock: SteppedClock, form: Form
) -> None:
    begun = await tables.order_of(log, form, Wanted())
    first = await tables.whole(begun)
    more = [draft(Event(Kind.LOG_COVER, Actor.SYSTEM, MOMENT), None, LOG.node) for _ in range(9)]
    await write(log, *more)
    await PUBLISHER.publish(log, keystore, clock)

    up_to = int(begun.name.partition("-")[0])
    again = await tables.order_of(log, form, Wanted(), up_to)
    rest = await tables.whole(again, len(first) // 3)
    newest = await tables.order_of(log, form, Wanted())

    assert again.name == begun.name
    assert first[: len(first) // 3] + rest == first
    assert await again.length() == len(first)
    assert newest.name != begun.name
    assert await tables.whole(newest) != first


async def test_whatever_decides_about_bytes_is_in_the_name(log: Database, ring: KeyRing) -> None:
    since = Wanted(MOMENT + timedelta(hours=2))
    berlin = ZoneInfo("Europe/Berlin")
    made = [
        await tables.order_of(log, Form.CSV, Wanted()),
        await tables.order_of(log, Form.XLSX, Wanted()),
        await tables.order_of(log, Form.CSV, Wanted(), zone=berlin),
        await tables.order_of(log, Form.CSV, since),
        await tables.order_of(log, Form.CSV, Wanted(pseudonyms=SEALED_FOR_ADA)),
        await tables.order_of(log, Form.CSV, Wanted(sizes={1: [3]})),
        await tables.order_of(log, Form.CSV, of_grace(ring)),
    ]

    assert len({one.name for one in made}) == len(made)


@pytest.mark.parametrize("raw", [b"[1]\n" * 20, None], ids=["altered", "deleted"])
async def test_a_row_that_was_tampered_with_stands_in_the_tables_as_such(
    log: Database, raw: bytes | None
) -> None:
    place = audit_entry.c.leaf_index == 4
    change: Any = delete(audit_entry) if raw is None else update(audit_entry).values(entry=raw)
    async with log.begin() as connection:
        await connection.execute(change.where(place))

    found = tables.of_csv(await tables.whole(await tables.order_of(log, Form.CSV, Wanted())))

    assert [row[5] for row in found["events"] if row[1] == "4"] == ["unreadable"]
    assert len(found["events"]) == 9
