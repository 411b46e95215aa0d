"""By SQL, and by old links: one row that nobody can work off. It keeps no other from its turn."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import DBAPIError

from audit.entry import Event, draft
from audit.errors import BadPending
from audit.kinds import Actor, Kind
from audit.tables import audit_pending
from consent import address, intakes
from consent import tables as consents
from consent.intakes import Under
from consent.keys import tables as keys
from consent.sign_ups import Asked, SignUp
from delivery import outbox
from delivery import tables as delivery
from delivery.desk import Ended, Parcel
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.flows.joining import intake
from gateway.flows.keeping.expire import Expiry
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.flows.sending import recover
from gateway.flows.sending.letters import Letter
from gateway.parts import Parts
from gateway.process import duties
from gateway.process.desk import Desk
from gateway.process.lifespan import put_in_order
from gateway.schema.tables import idempotency as remembered
from gateway.watch import overview, stuck
from gateway.watch.findings import Level
from storage import bad_rows
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases
from tests.support.hostile import SOME_OR_ALL, allow, attack, by_sql, hostile_to, refuse
from tests.support.posts import kept

BOB = "bob@example.org"
MANY = 200
CAPPED = """
[purposes.capped]
sender = "acme"
basis = "consent"
title = { en = "Capped" }
text = { en = "Yes, now and then." }
at_most = "2 per 7d"

[forms.capped]
purposes = ["capped"]
"""
TAKEN = Ending(Phase.REPLIED, Reply(250, "2.0.0", ""))


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, more=CAPPED) as opened:
        yield opened


def crowd(number: int) -> list[str]:
    return [f"person{one}@example.org" for one in range(number)]


async def posted(app: App, addresses: Sequence[str], *purposes: str) -> list[str]:
    """Acknowledge sign-ups without the doors; their rows' ids."""
    now = app.parts.clock.wall()
    (text,) = await app.texts("newsletter")
    under = Under(*await app.parts.keystore.intake_key(now), *app.parts.lookup.newest)
    asked = tuple(Asked(purpose, text) for purpose in purposes or ("newsletter",))
    forms = [SignUp("signup", address.parse(one), "en", asked) for one in addresses]
    rows = [intakes.seal_sign_up(form, under, now) for form in forms]
    async with app.parts.data.begin() as connection:
        await intakes.add(connection, rows)
    return [row.id for row in rows]


async def turn(app: App) -> None:
    """Until the duty has nothing left to do."""
    while await intake.work_off(app.parts):
        pass


async def standing(app: App) -> list[tuple[str, str, int]]:
    async with app.parts.data.read() as connection:
        return [(one.table, one.reason, one.rows) for one in await stuck.look(connection)]


async def states(app: App) -> dict[str, int]:
    table = consents.consent
    async with app.parts.data.read() as connection:
        query = select(table.c.state, func.count()).group_by(table.c.state)
        return {state: number for state, number in await connection.execute(query)}


async def statuses(app: App) -> dict[str, int]:
    table = delivery.outbox
    async with app.parts.data.read() as connection:
        query = select(table.c.status, func.count()).group_by(table.c.status)
        return {status: number for status, number in await connection.execute(query)}


async def subject_of(app: App, email: str) -> str:
    subject = await app.subject(email)
    assert subject is not None
    return subject


async def lose_keys(app: App, email: str = ADA) -> Sequence[dict[str, Any]]:
    subject = await subject_of(app, email)
    theirs = keys.dek.c.subject == subject
    async with app.parts.key_database.begin() as connection:
        rows = (await connection.execute(select(keys.dek).where(theirs))).all()
        await connection.execute(delete(keys.dek).where(theirs))
    app.parts.keystore._people.forget([subject])
    return [dict(row._mapping) for row in rows]


async def give_back(app: App, lost: Sequence[dict[str, Any]]) -> None:
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(keys.dek), list(lost))
    app.parts.keystore._people.forget({row["subject"] for row in lost})


async def break_trail(app: App, email: str = ADA) -> None:
    """Whatever is to be told of this person fails."""
    await refuse(app, "subject", await subject_of(app, email))


async def mend_trail(app: App) -> None:
    await allow(app, "subject")


# Intake


async def of_a_purpose_that_left(app: App) -> None:
    await posted(app, [ADA], "gone")


async def of_who_has_no_key(app: App) -> None:
    await app.subscribe(ADA, "updates")
    await lose_keys(app)
    await posted(app, [ADA])


async def of_who_cannot_be_told_of(app: App) -> None:
    await app.subscribe(ADA, "updates")
    await break_trail(app)
    await posted(app, [ADA])


BAD = [
    pytest.param(of_a_purpose_that_left, "purpose_unknown", id="a purpose that left"),
    pytest.param(of_who_has_no_key, "key_missing", id="a key that is missing"),
    pytest.param(of_who_cannot_be_told_of, "failed", id="an error"),
]


@pytest.mark.parametrize(("bad", "why"), BAD)
async def test_of_two_hundred_sign_ups_with_a_bad_one_all_others_are_worked_off(
    app: App, bad: Callable[[App], Awaitable[None]], why: str
) -> None:
    await bad(app)
    await posted(app, crowd(MANY - 1))

    await turn(app)

    assert await kept(app) == 1
    assert (await states(app))["pending"] == MANY - 1
    assert await standing(app) == [("intake", why, 1)]


async def test_fifty_sign_ups_of_who_has_no_key_fill_no_batch(app: App) -> None:
    await app.subscribe(ADA, "updates")
    lost = await lose_keys(app)
    await posted(app, [ADA] * (intake.AT_ONCE + 10))
    await posted(app, [BOB])

    await turn(app)
    await turn(app)

    assert [mail.to for mail in await app.deliver()] == [BOB]
    await give_back(app, lost)
    app.step(bad_rows.FIRST)
    await turn(app)
    assert {mail.to for mail in await app.deliver()} == {ADA}
    assert (await kept(app), await standing(app)) == (0, [])


async def test_a_sign_up_goes_on_as_soon_as_a_process_knows_its_purpose_again(app: App) -> None:
    await posted(app, [ADA], "updates")
    config = app.parts.config
    fewer = {name: one for name, one in config.purposes.items() if name != "updates"}
    without = replace(app.parts, config=config.model_copy(update={"purposes": fewer}))
    await intake.work_off(without)
    assert await standing(app) == [("intake", "purpose_unknown", 1)]
    async with app.parts.data.read() as connection:  # nobody is kept for what waits
        assert (await connection.execute(select(func.count(consents.subject.c.id)))).scalar() == 0

    await put_in_order(app.parts)

    assert [mail.to for mail in await app.deliver()] == [ADA]
    assert await standing(app) == []


async def test_what_is_parked_waits_ever_longer_and_comes_behind_all_others(app: App) -> None:
    (bad,) = await posted(app, [ADA], "gone")
    waits = []
    for _ in range(14):
        await intake.work_off(app.parts)
        async with app.parts.data.read() as connection:
            query = select(bad_rows.parked.c.next_at).where(bad_rows.parked.c.row == bad)
            next_at = (await connection.execute(query)).scalar_one()
        waits.append(next_at - app.parts.clock.wall())
        app.step(waits[-1])

    assert waits[:4] == [timedelta(minutes=n) for n in (1, 2, 4, 8)]
    assert waits[-3:] == [timedelta(days=1)] * 3
    (fresh,) = await posted(app, [BOB])
    async with app.parts.data.read() as connection:
        now = app.parts.clock.wall()
        first, *others = [one.id for one in await intakes.oldest(connection, 10, now)]
        assert (first, others) == (fresh, [bad])
        assert [one.id for one in await intakes.oldest(connection, 1, now)] == [fresh]


async def test_a_sign_up_that_nobody_could_work_off_is_not_kept_for_ever(app: App) -> None:
    await posted(app, [ADA], "gone")
    await turn(app)
    app.step(app.parts.config.retention.unconfirmed)
    await posted(app, [BOB])

    await duties.sweep(app.parts)

    assert (await kept(app), await standing(app)) == (1, [])


@pytest.mark.parametrize("next_at", ["'9999-12-31T00:00:00.000000Z'", "'infinity'"])
async def test_nobody_is_put_aside_for_longer_than_a_day(app: App, next_at: str) -> None:
    """By a planted row of the register, whatever else stands in it."""
    (row,) = await posted(app, [ADA])
    now = f"'{app.parts.clock.wall():%Y-%m-%dT%H:%M:%S.%fZ}'"
    tries = 2**31 - 1
    values = f"'intake', '{row}', 'mine', {tries}, {now}, {next_at}"
    await by_sql(app, f"INSERT INTO parked VALUES ({values})")

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_no_tries_of_the_register_keep_a_row_from_being_parked_again(app: App) -> None:
    await posted(app, [ADA], "gone")
    await turn(app)
    await by_sql(app, f"UPDATE parked SET tries = {2**31 - 1}")
    app.step(bad_rows.FIRST)

    await turn(app)

    assert await standing(app) == [("intake", "purpose_unknown", 1)]
    assert bad_rows.wait(2**31 - 1) == bad_rows.LONGEST


async def test_what_the_operator_reads_is_in_no_words_of_whoever_planted_a_row(app: App) -> None:
    now = f"'{app.parts.clock.wall():%Y-%m-%dT%H:%M:%S.%fZ}'"
    for number in range(3):
        values = f"'{ADA}', 'row{number}', 'buy this', 1, {now}, {now}"
        await by_sql(app, f"INSERT INTO parked VALUES ({values})")

    assert await standing(app) == [("other", "failed", 3)]


@SOME_OR_ALL
async def test_whatever_stands_in_a_row_of_intake_keeps_no_other_waiting(
    app: App, dialect: str, each: int
) -> None:
    values = hostile_to(consents.intake, dialect, (0, 2**31), each)
    for number, (column, name, value, _) in enumerate(values):
        people = [f"n{number}p{one}@example.org" for one in range(3)]
        await posted(app, people)
        try:
            await by_sql(app, attack(column, dialect, value))
        except (DBAPIError, sqlite3.IntegrityError):  # the table takes no such value
            await by_sql(app, "DELETE FROM intake")
            continue

        await turn(app)
        asked = {mail.to for mail in await app.deliver()}

        await by_sql(app, "DELETE FROM intake", "DELETE FROM parked")
        assert len(asked & set(people)) >= 2, f"{column.name}: {name}"


# Claim


async def queued(app: App, *to: str, purpose: str = "newsletter") -> list[str]:
    """One message for each; their ids."""
    content = {"subject": "News", "text": "Hello."}
    messages = [{"to": {"email": one}, "purpose": purpose, "content": content} for one in to]
    key = await app.key()
    async with app.http.post(
        "/v1/messages/batch", json={"messages": messages}, headers=key
    ) as answer:
        return [one["message_id"] for one in (await answer.json())["results"]]


async def row_of(app: App, message: str) -> outbox.Message:
    async with app.parts.data.read() as connection:
        found = await outbox.get(connection, message)
    assert found is not None
    return found


async def confirm(app: App, email: str, purpose: str) -> None:
    texts = await app.texts(purpose, form=purpose)
    body = {"email": email, "purposes": [purpose], "texts": texts}
    assert (await app.http.post(f"/forms/{purpose}", json=body)).status == 202
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})


async def test_a_claim_that_fails_for_one_message_claims_the_others(app: App) -> None:
    for one in (ADA, BOB):
        await confirm(app, one, "capped")
    await queued(app, ADA, purpose="capped")
    assert len(await app.deliver()) == 1
    never = (
        "'infinity'" if app.parts.data.dialect == "postgresql" else "'9999-12-31T23:59:59.999999Z'"
    )
    await by_sql(app, f"UPDATE permit SET decided_at = {never}")
    (bad,) = await queued(app, ADA, purpose="capped")
    await queued(app, BOB, purpose="capped")

    assert [mail.to for mail in await app.deliver()] == [BOB]
    assert (await row_of(app, bad)).reason == outbox.Parked.FAILED
    assert await standing(app) == [("outbox", "failed", 1)]


LONG_AGO = "'2000-01-01T00:00:00.000000Z'"


async def copy_nameless(app: App, message: str, number: int, **values: str) -> None:
    """Rows like that of a message, first in every order, whose ids are no texts."""
    names = [column.name for column in delivery.outbox.columns]
    for one in range(number):
        changed = {"id": f"x'00{one:04x}'"} | values
        copied = ", ".join(changed.get(name, name) for name in names)
        query = f"SELECT {copied} FROM outbox WHERE id = '{message}'"
        await by_sql(app, f"INSERT INTO outbox ({', '.join(names)}) {query}")


async def test_messages_that_nobody_can_name_fill_no_claim(app: App) -> None:
    if app.parts.data.dialect != "sqlite":
        pytest.skip("columns of PostgreSQL have one type")
    await app.subscribe(ADA)
    (message,) = await queued(app, ADA)
    await copy_nameless(app, message, 400, content="NULL", due_at=LONG_AGO)
    desk = Desk(app.parts)
    await desk.register("wrk_x")

    assert [one.message for one in await desk.claim("wrk_x", 10)] == [message]


async def test_parked_messages_come_behind_all_others(app: App) -> None:
    await app.subscribe(ADA)
    bad = await queued(app, *[ADA] * 5)
    altered = "UPDATE outbox SET origin = 'key_other' WHERE status = 'queued'"
    await by_sql(app, altered)
    assert await app.deliver() == []
    app.step(timedelta(minutes=6))
    (good,) = await queued(app, ADA)
    desk = Desk(app.parts)
    await desk.register("wrk_x")

    assert [one.message for one in await desk.claim("wrk_x", 1)] == [good]
    assert await standing(app) == [("outbox", "altered", len(bad))]


# Settle


async def claimed(app: App, number: int) -> tuple[Desk, list[Parcel[Letter]]]:
    """Messages past their permit, about to be settled."""
    desk = Desk(app.parts)
    await desk.register("wrk_x")
    parcels = list(await desk.claim("wrk_x", number))
    spendings = [Spending(one.permit, one.message, one.attempt) for one in parcels]
    assert len(await desk.spend("wrk_x", spendings)) == number
    return desk, parcels


HUGE = {"sqlite": str(2**63 - 1), "postgresql": str(2**31 - 1)}


def unwritable(column: str, dialect: str) -> str | None:
    """What makes the row of a message under way one that no gateway wrote."""
    if column == "tries":
        return HUGE[dialect]
    if column == "tries as text":
        return "'often'" if dialect == "sqlite" else None
    return "'perhaps'"


@pytest.mark.parametrize("column", ["tries", "tries as text", "kind"])
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "put off"])
async def test_of_two_hundred_outcomes_with_a_bad_row_all_others_are_written(
    app: App, dialect: str, column: str, accepted: bool
) -> None:
    await app.subscribe(ADA)
    await queued(app, *[ADA] * MANY)
    desk, parcels = await claimed(app, MANY)
    value = unwritable(column, dialect)
    if value is None:
        pytest.skip("columns of PostgreSQL have one type")
    bad, name = parcels[MANY // 2].message, column.partition(" ")[0]
    await by_sql(app, f"UPDATE outbox SET {name} = {value} WHERE id = '{bad}'")
    ending = TAKEN if accepted else Ending(Phase.REPLIED, Reply(451, "4.7.1", ""))

    await desk.settle("wrk_x", [Ended(one, ending) for one in parcels])

    found = await statuses(app)
    assert found.get("sent" if accepted else "deferred", 0) >= MANY - accepted
    assert "sending" not in found


async def test_an_outcome_that_cannot_be_told_of_is_known_all_the_same(app: App) -> None:
    """The row of one person is broken: every mail was sent, and no worker ends."""
    people = crowd(3)
    await posted(app, people)
    await turn(app)
    desk, parcels = await claimed(app, 3)
    await break_trail(app, people[1])

    with structlog.testing.capture_logs() as lines:
        await desk.settle("wrk_x", [Ended(one, TAKEN) for one in parcels])

    assert await statuses(app) == {"sent": 3}
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["outcome_failed"]


async def test_an_outcome_of_a_sender_that_left_the_configuration_is_written(app: App) -> None:
    await app.sign_up(ADA)
    await app.tick()
    _, parcels = await claimed(app, 1)
    config = app.parts.config
    others = {name: one for name, one in config.senders.items() if name != "acme"}
    later = replace(app.parts, config=config.model_copy(update={"senders": others}))

    await Desk(later).settle("wrk_x", [Ended(one, TAKEN) for one in parcels])

    assert await statuses(app) == {"sent": 1}


@pytest.mark.parametrize("column", ["tries", "tries as text", "kind"])
async def test_a_takeover_with_a_bad_row_takes_over_all_others(
    app: App, dialect: str, column: str
) -> None:
    await app.subscribe(ADA)
    await queued(app, *[ADA] * 20)
    _, parcels = await claimed(app, 20)
    value = unwritable(column, dialect)
    if value is None:
        pytest.skip("columns of PostgreSQL have one type")
    bad, name = parcels[7].message, column.partition(" ")[0]
    await by_sql(app, f"UPDATE outbox SET {name} = {value} WHERE id = '{bad}'")
    app.step(app.parts.config.delivery.lease + timedelta(seconds=1))

    await recover.abandoned(app.parts)

    assert (await statuses(app))["uncertain"] >= 19
    assert "sending" not in await statuses(app)


# Expiry, retention, erasing


async def key_missing(app: App) -> None:
    await lose_keys(app, crowd(1)[0])


async def altered(app: App) -> None:
    subject = await subject_of(app, crowd(1)[0])
    await by_sql(app, f"UPDATE consent SET form = 'mine' WHERE subject = '{subject}'")


async def cannot_be_told_of(app: App) -> None:
    await break_trail(app, crowd(1)[0])


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        pytest.param(key_missing, "key_missing", id="a key that is missing"),
        pytest.param(altered, "altered", id="an altered consent"),
        pytest.param(cannot_be_told_of, "failed", id="an error"),
    ],
)
async def test_of_two_hundred_requests_that_lapse_with_a_bad_one_all_others_do(
    app: App, bad: Callable[[App], Awaitable[None]], why: str
) -> None:
    await posted(app, crowd(MANY))
    await turn(app)
    await bad(app)
    app.step(timedelta(hours=73))

    await Expiry(app.parts).by_date()

    assert await states(app) == {"pending": 1, "lapsed": MANY - 1}
    assert await standing(app) == [("consent", why, 1)]


async def test_a_consent_is_written_down_as_over_once_its_cause_is_mended(app: App) -> None:
    await posted(app, crowd(3))
    await turn(app)
    await break_trail(app, crowd(1)[0])
    app.step(timedelta(hours=73))
    expiry = Expiry(app.parts)
    await expiry.by_date()
    await mend_trail(app)
    await expiry.by_date()
    assert (await states(app))["pending"] == 1  # its time has not come

    app.step(bad_rows.FIRST)
    await expiry.by_date()

    assert (await states(app), await standing(app)) == ({"lapsed": 3}, [])


async def test_an_erasure_that_the_tables_forbid_keeps_nobody_else_known(app: App) -> None:
    """A planted row names a consent of somebody who is to be forgotten."""
    people = crowd(4)
    await posted(app, people)
    await app.deliver()
    app.step(app.parts.config.retention.unconfirmed + timedelta(days=1))
    await Expiry(app.parts).by_date()
    bad, other = await subject_of(app, people[0]), await subject_of(app, people[-1])
    theirs = f"SELECT id FROM consent WHERE subject = '{bad}'"
    token = f"SELECT token_hash FROM confirmation WHERE subject = '{other}'"
    mac = "x'00'" if app.parts.data.dialect == "sqlite" else r"'\x00'"
    planted = f"SELECT ({token}), ({theirs}), {mac}"
    await by_sql(
        app,
        f"INSERT INTO confirmation_consent (token_hash, consent, mac) {planted}",
        f"UPDATE subject SET restricted_at = created_at WHERE id = '{other}'",  # stays
    )
    rules = RetentionRules(app.parts)

    await rules.people()
    await rules.erasures()

    async with app.parts.data.read() as connection:
        left = set((await connection.execute(select(consents.subject.c.id))).scalars())
    assert left == {bad, other}
    assert await standing(app) == [("subject", "failed", 1)]


async def test_bodies_that_nobody_can_name_keep_no_other_from_being_deleted(app: App) -> None:
    if app.parts.data.dialect != "sqlite":
        pytest.skip("columns of PostgreSQL have one type")
    await app.subscribe(ADA)
    async with app.parts.data.read() as connection:
        message = (await connection.execute(select(delivery.outbox.c.id))).scalar_one()
    await copy_nameless(app, message, 300, ended_at=LONG_AGO)
    app.step(timedelta(days=400))
    rules = RetentionRules(app.parts)

    await rules.bodies()
    await rules.messages()

    async with app.parts.data.read() as connection:
        query = "SELECT count(*) FROM outbox WHERE typeof(id) = 'text'"
        assert (await connection.exec_driver_sql(query)).scalar_one() == 0


# The log, and what is remembered


async def stage(parts: Parts) -> None:
    async with parts.data.begin() as connection:
        event = Event(Kind.LOG_OPENED, Actor.SYSTEM, parts.clock.wall())
        await parts.log.stage(connection, [draft(event, None, parts.log.node)])


@pytest.mark.parametrize("where", ["next", "last"])
async def test_a_number_that_somebody_planted_a_row_under_stops_nothing_that_is_staged(
    app: App, where: str
) -> None:
    """The sequencer stops there and says so; deleted, the log goes on."""
    await stage(app.parts)
    async with app.parts.data.read() as connection:
        newest = (await connection.execute(select(func.max(audit_pending.c.n)))).scalar_one()
    planted = range(newest + 1, newest + 40) if where == "next" else [2**63 - 1, 2**62 - 1]
    rows = [{"n": n, "eid": n.to_bytes(16), "entry": b"x", "mac": b"m" * 32} for n in planted]
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(audit_pending), rows)

    for _ in range(3):
        await stage(app.parts)
    await app.sign_up(ADA)
    await turn(app)

    assert await states(app) == {"pending": 1}
    with pytest.raises(BadPending):
        await app.tick()
    async with app.parts.data.begin() as connection:
        these = audit_pending.c.n.in_([row["n"] for row in rows])
        await connection.execute(delete(audit_pending).where(these))
    assert len(await app.deliver()) == 1
    assert (await verify(app.parts)).ok


async def test_a_counter_that_was_set_back_stops_nothing_that_is_staged(app: App) -> None:
    await stage(app.parts)
    if app.parts.data.dialect == "sqlite":
        await by_sql(app, "UPDATE sqlite_sequence SET seq = 0")
    else:
        await by_sql(app, "SELECT setval('audit_pending_n_seq', 1, false)")

    await stage(app.parts)

    await app.tick()


async def test_a_remembered_answer_is_not_kept_longer_for_the_sake_of_its_date(app: App) -> None:
    await app.subscribe(ADA)
    headers = await app.key() | {"Idempotency-Key": "one"}
    body = {"to": {"email": ADA}, "purpose": "newsletter"}
    body |= {"content": {"subject": "News", "text": "Hello."}}
    async with app.http.post("/v1/messages", json=body, headers=headers) as answer:
        assert answer.status == 202
    await by_sql(app, "UPDATE idempotency SET expires_at = '9999-12-31T00:00:00.000000Z'")
    await duties.sweep(app.parts)
    app.step(timedelta(days=2))

    await duties.sweep(app.parts)

    async with app.parts.data.read() as connection:
        assert (
            await connection.execute(select(func.count()).select_from(remembered))
        ).scalar() == 0


# What the operator sees


async def test_the_doctor_and_status_say_what_is_parked_and_the_way_out(app: App) -> None:
    await posted(app, [ADA, BOB], "gone")
    await turn(app)

    (finding,) = await stuck.about(app.parts.data)
    seen = await overview.look(app.parts)

    assert finding.level is Level.WARN
    assert finding.text == "2 of intake: purpose_unknown, since 2026-11-23 09:00 UTC"
    assert "configuration" in finding.fix
    assert [(one.table, one.rows) for one in seen.parked] == [("intake", 2)]
