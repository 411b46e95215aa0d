"""Promise 12: every kind of record has a retention rule that runs by itself.

The clock is stepped, so that years pass between two lines; the rules are run as
the duty runs them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

import consent.keys.tables
import consent.tables
import delivery.tables
import gateway.schema.tables
from audit import trail
from audit.tables import audit_entry, audit_item, audit_payload
from consent import gates
from consent.keys.vault import OF_PEOPLE
from delivery.desk import Ended
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.flows.rights import erasing, overview
from gateway.process import duties
from gateway.process.desk import Desk
from gateway.schema.database_schema import DATA, KEYSTORE, SCHEMAS
from storage.database import Database
from tests.support.apps import ADA, App, open_app
from tests.support.statements import statements

DAY = timedelta(days=1)
YEAR = 365 * DAY
BOB = "bob@example.org"

consent_rows = consent.tables.consent
outbox = delivery.tables.outbox
permit = delivery.tables.permit
attempt = delivery.tables.attempt
content = delivery.tables.content
dek = consent.keys.tables.dek

OpenApp = Callable[..., Any]


@pytest.fixture
def open_one(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(more: str = "") -> AsyncIterator[App]:
        async with open_app(tmp_path, new_database_url, dialect, more=more) as app:
            yield app

    return opened


@pytest.fixture
async def app(open_one: OpenApp) -> AsyncIterator[App]:
    async with open_one() as opened:
        yield opened


async def run_rules(app: App) -> None:
    """Every rule until it finds nothing more, as its duty would."""
    await app.tick()
    for rule in RetentionRules(app.parts).rules().values():
        while await rule():
            pass
    await app.tick()


async def later(app: App, by: timedelta) -> None:
    app.step(by)
    await run_rules(app)


async def count(database: Database, table: Any, *where: Any) -> int:
    async with database.read() as connection:
        query = select(func.count()).select_from(table).where(*where)
        return int((await connection.execute(query)).scalar_one())


async def send(app: App, email: str = ADA) -> tuple[str, dict[str, str]]:
    """Hand in a message and deliver it; its id, and the key that may ask for it."""
    key = await app.key()
    body = {
        "to": {"email": email},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
    }
    answer = await (await app.http.post("/v1/messages", json=body, headers=key)).json()
    await app.deliver()
    return str(answer["message_id"]), key


async def subject_of(app: App) -> str:
    async with app.parts.data.read() as connection:
        query = select(consent.tables.subject.c.id)
        return str((await connection.execute(query)).scalar_one())


async def rows_naming(app: App, *needles: str | bytes) -> list[str]:
    """Where in both databases any of these stands, in whatever column."""
    found = []
    for database, schema in ((app.parts.data, DATA), (app.parts.key_database, KEYSTORE)):
        for metadata in schema.tables:
            for table in metadata.sorted_tables:
                async with database.read() as connection:
                    rows = (await connection.execute(select(table))).all()
                if any(_holds(value, one) for row in rows for value in row for one in needles):
                    found.append(table.name)
    return found


def _holds(value: object, needle: str | bytes) -> bool:
    if isinstance(value, str):
        return isinstance(needle, str) and needle in value
    if isinstance(value, bytes):
        return (needle.encode() if isinstance(needle, str) else needle) in value
    return False


async def blind_index_of(app: App) -> bytes:
    async with app.parts.data.read() as connection:
        query = select(consent.tables.subject_index.c.hash)
        return bytes((await connection.execute(query)).scalar_one())


async def verified(app: App) -> None:
    verdict = await verify(app.parts)
    assert verdict.ok, (verdict.report.findings, verdict.rows)


async def test_bodies_and_replies_go_and_what_became_of_the_message_stays(app: App) -> None:
    await app.subscribe()
    message, headers = await send(app)
    await later(app, 29 * DAY)
    assert await count(app.parts.data, content) == 2

    await later(app, DAY)

    assert await count(app.parts.data, content) == 0
    assert await count(app.parts.data, attempt, attempt.c.reply.is_not(None)) == 0
    seen = await (await app.http.get(f"/v1/messages/{message}", headers=headers)).json()
    assert (seen["status"], seen["attempts"][0]["code"]) == ("sent", 250)


async def test_the_body_of_a_message_that_waits_is_kept(app: App) -> None:
    await app.subscribe()
    headers = await app.key()
    due_at = (app.parts.clock.wall() + 200 * DAY).isoformat()
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
        "send_at": due_at,
    }
    await app.http.post("/v1/messages", json=body, headers=headers)

    await later(app, 100 * DAY)

    assert await count(app.parts.data, content) == 1
    app.step(101 * DAY)
    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_an_ended_message_goes_and_the_permit_of_the_last_use_stays(app: App) -> None:
    await app.subscribe()
    await send(app)
    app.step(10 * DAY)
    message, headers = await send(app)
    assert await count(app.parts.data, permit) == 3

    await later(app, YEAR)

    assert await count(app.parts.data, outbox) == 0
    assert await count(app.parts.data, attempt) == 0
    async with app.parts.data.read() as connection:
        assert list((await connection.execute(select(permit.c.message))).scalars()) == [message]
    assert (await app.http.get(f"/v1/messages/{message}", headers=headers)).status == 404
    assert await app.permission() == "granted"
    await verified(app)


async def test_the_last_permit_goes_once_its_consent_went_unused(app: App) -> None:
    await app.subscribe()
    await send(app)
    await later(app, 4 * YEAR - DAY)
    assert await count(app.parts.data, permit) == 1

    await later(app, DAY)

    assert await count(app.parts.data, permit) == 0
    assert await app.permission() == "expired"


async def test_a_person_who_never_confirmed_is_gone_after_a_month(app: App) -> None:
    await app.confirmation()
    subject, index = await subject_of(app), await blind_index_of(app)
    await later(app, 30 * DAY - timedelta(seconds=1))
    assert await app.permission() == "lapsed"
    assert await count(app.parts.data, consent_rows) == 1

    await later(app, timedelta(seconds=1))

    assert await app.permission() == "unknown"
    # The ledger alone keeps the random id: a restored key store must not bring the keys back.
    assert await rows_naming(app, subject, index) == ["erasure_ledger"]
    assert not (await app.parts.keystore.vault([subject])).has(subject, *OF_PEOPLE)
    await verified(app)
    kinds = await kinds_of(app)
    assert kinds[-2:] == ["subject.erasure_started", "subject.erased"]


async def kinds_of(app: App) -> list[str]:
    async with app.parts.data.read() as connection:
        query = select(audit_entry.c.kind).order_by(audit_entry.c.leaf_index)
        return list((await connection.execute(query)).scalars())


async def test_whoever_was_forgotten_may_sign_up_like_a_stranger(app: App) -> None:
    await app.confirmation()
    await later(app, 30 * DAY)

    app.step(timedelta(seconds=1))  # what came at the same moment as the erasure went with it
    await app.subscribe()

    assert await app.permission() == "granted"


async def test_who_said_it_was_not_them_is_gone_too_and_stays_unasked(app: App) -> None:
    token = await app.confirmation()
    await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    await later(app, 30 * DAY)
    assert await count(app.parts.data, consent.tables.subject) == 0

    await app.sign_up()

    assert await app.deliver() == []


async def test_a_request_that_came_to_nothing_goes_and_the_other_consent_stays(app: App) -> None:
    await app.subscribe(ADA, "newsletter")
    await app.sign_up(ADA, "updates")
    await app.deliver()

    await later(app, 31 * DAY)

    async with app.parts.data.read() as connection:
        rows = (await connection.execute(select(consent_rows.c.purpose))).scalars()
        assert list(rows) == ["newsletter"]
    assert await count(app.parts.data, consent.tables.confirmation) == 1
    assert await app.permission() == "granted"
    await verified(app)


async def test_form_answers_of_a_decided_request_are_not_kept_with_it(app: App) -> None:
    posted = await app.posted(ADA, profile={"first_name": "Ada"})
    await app.http.post("/forms/signup", json=posted)
    (mail,) = await app.deliver()
    assert await count(app.parts.data, consent_rows, consent_rows.c.profile.is_not(None)) == 1

    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})

    assert await count(app.parts.data, consent_rows, consent_rows.c.profile.is_not(None)) == 0
    held = consent.tables.subject
    assert await count(app.parts.data, held, held.c.profile.is_not(None)) == 1


async def withdrawn(app: App) -> None:
    await app.subscribe()
    await send(app)
    await withdraw(app)


async def withdraw(app: App, purpose: str = "newsletter") -> None:
    headers = await app.key()
    body = {"to": {"email": ADA}, "purpose": purpose, "kind": "withdraw", "channel": "phone"}
    # The permits of the mail were spent, so nothing is waited for.
    assert (await app.http.post("/v1/withdrawals", json=body, headers=headers)).status == 200
    await app.tick()


async def test_the_proof_of_a_withdrawn_consent_is_kept_three_years_and_no_longer(
    app: App,
) -> None:
    await withdrawn(app)
    subject, index = await subject_of(app), await blind_index_of(app)
    await later(app, 3 * YEAR - timedelta(seconds=1))
    assert await app.permission() == "withdrawn"
    assert await count(app.parts.data, audit_payload) > 0
    await verified(app)

    await later(app, timedelta(seconds=1))

    # That they are forgotten is kept a month, by their random id: others may have to hear it.
    assert await rows_naming(app, subject, index) == ["change", "erasure_ledger"]
    assert await count(app.parts.data, audit_payload) == 0
    assert await count(app.parts.data, audit_item, audit_item.c.subject.is_not(None)) == 0
    await verified(app)


async def test_with_no_evidence_kept_nothing_is_left_after_the_withdrawal(
    open_one: OpenApp,
) -> None:
    async with open_one('[retention]\nevidence_after_withdrawal = "0d"') as app:
        await withdrawn(app)
        subject, index = await subject_of(app), await blind_index_of(app)

        await run_rules(app)

        # That they are forgotten is kept a month, by their random id: others may have to hear it.
        assert await rows_naming(app, subject, index) == ["change", "erasure_ledger"]
        await verified(app)


async def stories(app: App) -> dict[str, list[str]]:
    """What can still be read of each consent, by its purpose."""
    seen = await overview.look(app.parts, await subject_of(app))
    assert seen is not None
    return {
        held.consent.purpose: [step.kind.value for step in held.story] for held in seen.consents
    }


async def readable(app: App) -> str:
    """Everything that the log still says of her."""
    subject = await subject_of(app)
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.read() as connection:
        events = await trail.trail(connection, subject, vault)
    assert trail.gaps(events) == []
    return str([part.facts for event in events for part in event.disclosures])


async def test_each_proof_ends_by_its_own_consents_end_while_another_stands(app: App) -> None:
    posted = await app.posted(ADA, "newsletter", page_url="https://www.acme.example/gone")
    await app.subscribe(ADA, "updates")
    app.step(timedelta(seconds=1))
    await app.http.post("/forms/signup", json=posted)
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    await withdraw(app)
    await later(app, 3 * YEAR - timedelta(seconds=1))
    assert set(await stories(app)) == {"newsletter", "updates"}
    assert "acme.example/gone" in await readable(app)
    assert await app.permission(ADA, "newsletter") == "withdrawn"

    await later(app, timedelta(seconds=1))

    assert set(await stories(app)) == {"updates"}
    assert "acme.example/gone" not in await readable(app)
    assert await app.permission(ADA, "newsletter") == "unknown"
    assert await app.permission(ADA, "updates") == "granted"
    await verified(app)


async def test_what_was_asked_in_her_name_and_came_to_nothing_cannot_be_read_either(
    app: App,
) -> None:
    await app.subscribe(ADA, "newsletter")
    posted = await app.posted(ADA, "updates", page_url="https://www.acme.example/gone")
    await app.http.post("/forms/signup", json=posted)
    await app.deliver()
    assert "acme.example/gone" in await readable(app)

    await later(app, 31 * DAY)

    assert "acme.example/gone" not in await readable(app)
    assert len((await stories(app))["newsletter"]) == 3
    await verified(app)


async def test_the_log_says_of_no_mail_longer_than_its_message_is_kept(app: App) -> None:
    await app.subscribe()
    first, _ = await send(app)
    await later(app, DAY)
    second, _ = await send(app)
    assert first in await readable(app)

    await later(app, YEAR)

    said = await readable(app)
    assert first not in said
    assert second in said  # its permit tells that the consent was used
    assert "'outcome'" not in said
    await verified(app)


async def test_who_asked_about_her_is_kept_no_longer_than_what_became_of_her_mails(
    app: App,
) -> None:
    await app.subscribe()
    assert await app.permission() == "granted"
    await later(app, YEAR - timedelta(seconds=1))
    assert "'answer': 'granted'" in await readable(app)

    await later(app, timedelta(seconds=1))

    assert "'answer'" not in await readable(app)
    await verified(app)


async def test_what_the_log_let_go_through_is_not_gone_through_again(app: App) -> None:
    """Of all the years a process that starts anew looks at what is new alone."""
    await app.subscribe()
    for _ in range(3):
        await send(app)
        await app.permission()
    await later(app, YEAR)
    await later(app, DAY)

    with statements() as seen:
        assert await RetentionRules(app.parts).rules()["facts"]() == 0

    assert seen
    assert not [one for one in seen if "audit_item" in one]
    await send(app)
    await later(app, YEAR)
    assert "'outcome'" not in await readable(app)


@pytest.mark.parametrize("mac", [True, False], ids=["by no gateway", "of another kind"])
async def test_facts_behind_rows_that_are_not_what_they_say_go_all_the_same(
    app: App, mac: bool
) -> None:
    await app.subscribe()
    await send(app)
    await app.tick()
    written: dict[str, Any] = {"kind": "delivery.batch"} | ({"mac": bytes(32)} if mac else {})
    async with app.parts.data.begin() as connection:
        covers = update(audit_entry).where(audit_entry.c.kind == "log.cover")
        assert (await connection.execute(covers.values(written))).rowcount > 200

    app.step(YEAR)
    facts = RetentionRules(app.parts).rules()["facts"]
    for _ in range(3):  # as a duty comes again, behind a thousand of them
        await facts()

    assert "'outcome'" not in await readable(app)


async def test_a_date_that_somebody_wrote_into_the_log_ends_no_facts(app: App) -> None:
    await app.subscribe()
    await send(app)
    await later(app, DAY)
    said = await readable(app)
    assert "'outcome'" in said
    row = audit_entry.c
    async with app.parts.data.begin() as connection:
        before = (await connection.execute(select(row.leaf_index, row.at))).all()
        await connection.execute(update(audit_entry).values(at="2020-01-01T00:00:00.000Z"))

    await later(app, DAY)
    await later(app, DAY)

    async with app.parts.data.begin() as connection:  # and leaves no trace
        for index, at in before:
            this = update(audit_entry).where(row.leaf_index == index)
            await connection.execute(this.values(at=at))
    assert await readable(app) == said


async def test_that_a_consent_was_used_is_not_kept_for_one_that_ended(app: App) -> None:
    await app.subscribe(ADA, "updates")
    await withdrawn(app)

    await later(app, YEAR)
    await later(app, DAY)  # of its event the day after

    assert await count(app.parts.data, permit) == 0
    assert await count(app.parts.data, audit_item, audit_item.c.subject.is_not(None)) == 0
    await verified(app)


async def test_that_somebody_else_deleted_facts_is_still_seen(app: App) -> None:
    await app.subscribe()
    await send(app)
    await later(app, DAY)
    await send(app)
    await later(app, YEAR)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(audit_item).values(subject=None, sealed=None))

    assert not (await verify(app.parts)).ok


async def test_what_a_form_was_told_goes_with_the_last_consent(app: App) -> None:
    posted = await app.posted(ADA, "newsletter", "updates", profile={"first_name": "Ada"})
    await app.http.post("/forms/signup", json=posted)
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})

    await withdraw(app, "newsletter")
    seen = await overview.look(app.parts, await subject_of(app))
    assert seen is not None
    assert seen.profile == {"first_name": "Ada"}
    await withdraw(app, "updates")
    seen = await overview.look(app.parts, await subject_of(app))
    assert seen is not None
    assert seen.profile == {}
    await verified(app)


async def test_an_altered_row_is_not_deleted_whatever_it_says(app: App) -> None:
    await app.subscribe()
    async with app.parts.data.begin() as connection:
        await connection.execute(
            consent_rows.update().values(state="lapsed", requested_at=app.parts.clock.wall())
        )

    await later(app, 31 * DAY)

    assert await count(app.parts.data, consent_rows) == 1
    assert not (await verify(app.parts)).ok


async def test_who_asked_for_restriction_is_kept(app: App) -> None:
    await app.confirmation()
    async with app.parts.data.begin() as connection:
        await connection.execute(
            consent.tables.subject.update().values(restricted_at=app.parts.clock.wall())
        )

    await later(app, 10 * YEAR)

    assert await count(app.parts.data, consent_rows) == 1


async def test_an_objection_outlives_a_request_that_came_to_nothing(app: App) -> None:
    await app.confirmation()
    headers = await app.key()
    body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
    app.step(timedelta(seconds=2))  # the permit of the confirmation mail was spent already
    assert (await app.http.post("/v1/withdrawals", json=body, headers=headers)).status == 200
    await later(app, YEAR)
    assert await app.permission() == "objected"

    await later(app, 2 * YEAR)

    assert await app.permission() == "unknown"


async def begin_erasure(app: App, subject: str) -> None:
    parts = app.parts
    async with parts.data.begin() as connection:
        held = (await gates.lock(connection, [subject])).values()
        now = parts.clock.wall()
        await erasing.begin(parts.log, connection, parts.rows, parts.lookup, parts.marks, held, now)


@pytest.mark.parametrize("gap", ["before the keys", "after the keys"])
async def test_an_erasure_that_a_crash_interrupted_is_finished(app: App, gap: str) -> None:
    await app.confirmation()
    subject = await subject_of(app)
    app.step(31 * DAY)
    await app.tick()
    await begin_erasure(app, subject)
    if gap == "after the keys":
        await erasing.Erasing(app.parts)._count([subject])  # they go after what is theirs was noted
        await app.parts.keystore.erase([subject], list(OF_PEOPLE), app.parts.clock.wall())
    await app.tick()
    await verified(app)
    assert await app.permission() == "unknown"  # by address nobody finds them any more

    await run_rules(app)

    assert await rows_naming(app, subject) == ["erasure_ledger"]
    await verified(app)


async def test_a_message_under_a_lease_is_left_to_its_outcome(app: App) -> None:
    await app.sign_up()
    await app.tick()
    subject = await subject_of(app)
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    spent = await desk.spend("wrk_slow", [Spending(parcel.permit, parcel.message, parcel.attempt)])
    assert spent

    await later(app, 31 * DAY)
    assert await count(app.parts.data, outbox) == 1
    assert not (await app.parts.keystore.vault([subject])).has(subject, *OF_PEOPLE)
    taken = Ending(Phase.REPLIED, Reply(250, "2.0.0", ""))
    await desk.settle("wrk_slow", [Ended(parcel, taken)])
    await run_rules(app)

    assert await count(app.parts.data, outbox) == 0
    assert await rows_naming(app, subject) == ["erasure_ledger"]
    await verified(app)


async def test_a_message_for_somebody_who_is_being_erased_stops_no_other_mail(app: App) -> None:
    await app.subscribe(ADA)
    ada = await subject_of(app)
    await app.subscribe(BOB)
    headers = await app.key()
    for email in (ADA, BOB):
        body = {
            "to": {"email": email},
            "purpose": "newsletter",
            "content": {"subject": "News", "text": "Hello."},
        }
        assert (await app.http.post("/v1/messages", json=body, headers=headers)).status == 202
    await begin_erasure(app, ada)
    await app.parts.keystore.erase([ada], list(OF_PEOPLE), app.parts.clock.wall())

    assert [mail.to for mail in await app.deliver()] == [BOB]
    assert await count(app.parts.data, outbox, outbox.c.status == "refused") == 1


async def test_keys_that_no_person_names_are_swept_after_a_day(app: App) -> None:
    await app.subscribe()
    known = await subject_of(app)
    await app.parts.keystore.create(["sub_orphan"], app.parts.clock.wall())
    await later(app, DAY)
    assert await rows_naming(app, "sub_orphan") == ["dek"]

    await later(app, timedelta(seconds=1))

    assert await rows_naming(app, "sub_orphan") == []
    assert (await app.parts.keystore.vault([known])).has(known, *OF_PEOPLE)


async def test_who_waits_for_an_answer_is_kept_until_it_and_the_request_its_own_term(
    app: App,
) -> None:
    await app.confirmation()
    key = await app.key()
    body = {"email": ADA, "kind": "access"}
    recorded = await (await app.http.post("/v1/rights-requests", json=body, headers=key)).json()
    await later(app, 100 * DAY)
    subject = await subject_of(app)

    path = f"/v1/rights-requests/{recorded['request_id']}/answer"
    answer = await app.http.post(path, json={"reason": "A copy was sent."}, headers=key)
    assert answer.status == 200
    await later(app, DAY)

    assert await rows_naming(app, subject) == ["rights_request", "erasure_ledger"]
    async with app.parts.data.read() as connection:
        kept = (await connection.execute(select(consent.tables.rights_request))).one()
    assert kept.reason is None, "its key is destroyed"
    await verified(app)
    await later(app, 3 * YEAR - 2 * DAY)
    assert await count(app.parts.data, consent.tables.rights_request) == 1
    await later(app, DAY)
    assert await count(app.parts.data, consent.tables.rights_request) == 0
    await verified(app)


async def test_every_rule_runs_as_a_duty(app: App) -> None:
    names = {one.name for one in duties.of(app.parts)}

    rules = RetentionRules(app.parts).rules()
    assert {f"retention of {what}" for what in rules} | {"expiry", "disuse", "sweep"} <= names


async def test_no_table_is_without_a_rule() -> None:
    """Whoever adds a table says here what ends its rows."""
    said = {
        "address_link": "a day after its end, a week after it was made",
        "api_key": "until the operator revokes it; says nothing about anybody",
        "attempt": "with its message; the reply text with its body",
        "audit_checkpoint": "for ever: no personal data",
        "audit_entry": "for ever: no personal data",
        "audit_guard": "one row",
        "audit_verified": "three rows: of each kind of verification the last",
        "audit_cosignature": "what others said of public checkpoints: nobody's data",
        "audit_item": "the commitment for ever, the facts with the person",
        "audit_node": "for ever: no personal data",
        "audit_payload": "with the person",
        "audit_pending": "until it is sequenced",
        "audit_state": "one row",
        "campaign": "`messages` after its end, once no message is left of it",
        "campaign_count": "with its campaign: numbers",
        "change": "a month, or with the person once it was told: random ids",
        "confirmation": "`unconfirmed` after its end, or with the person",
        "confirmation_consent": "with its token",
        "confirmation_count": "a week",
        "consent": "`unconfirmed`, or `evidence_after_withdrawal`",
        "consent_text": "for ever: consents name it; no personal data",
        "content": "`message_bodies`",
        "content_key": "within a day of its content",
        "desk_export": "a month; that it was of somebody, with the person",
        "desk_export_piece": "once fetched, or after a day",
        "dek": "with the person or the operator, or swept after a day",
        "erasure": "`rights_requests` after nothing else is left: random ids",
        "erasure_ledger": "for ever: random ids",
        "external_id": "`unconfirmed` after what it was given with ended, or with the person",
        "fresh_link": "a day after its end",
        "handle": "with the person",
        "hold": "until its date, or until it is lifted",
        "idempotency": "a day",
        "intake": "until it is worked off",
        "intake_key": "an hour, and until no row names it",
        "kek_epoch": "for ever: no personal data",
        "limit_key": "two weeks",
        "live_key": "with its key; no personal data",
        "mark": "ten minutes, and until nothing waits that was received before",
        "node": "a day after its process said something last",
        "operator": "who it was: `staff`, after they were revoked; a random id and a role for ever",
        "operator_link": "a day after its end",
        "operator_session": "at its end",
        "outbox": "`messages`",
        "own_session": "when its session would be over, or with the person",
        "pace": "with the person, or once nothing is chosen",
        "parked": "two days after its last time",
        "permit": "`messages`, or until cap and `unused_after` need it no more",
        "privacy_notice": "for ever: texts name it; no personal data",
        "rate_limit": "a day after it limits nothing",
        "rights_request": "`rights_requests` after it was decided: random ids",
        "service_mail": "a year, or with the person",
        "session": "at its end",
        "set_key": "for ever: no personal data",
        "specimen": "for ever: proof names it; no personal data",
        "spent_stamp": "a day: hashes of random numbers",
        "subject": "with its last consent",
        "subject_index": "with the person, at the begin of the erasure",
        "suppression": "its own end",
        "taking_away": "`takings_away`: random ids",
        "taking_away_due": "until the guard's store has it: random ids",
        "telling": "with its change; what Art. 19 owes `rights_requests`, or as the erasure",
        "verified_backup": "the newest ten; no personal data",
        "worker": "at the end of its lease",
    }
    schemas = SCHEMAS.values()
    tables = {t.name for schema in schemas for m in schema.tables for t in m.sorted_tables}

    assert tables == set(said)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_deleted_keys_are_not_in_the_files_of_sqlite_either(app: App, tmp_path: Path) -> None:
    await app.confirmation()
    async with app.parts.key_database.read() as connection:
        wrapped = bytes((await connection.execute(select(dek.c.wrapped).limit(1))).scalar_one())
    assert _is_in_a_file(wrapped, tmp_path)

    await later(app, 31 * DAY)

    assert not _is_in_a_file(wrapped, tmp_path)


def _is_in_a_file(wrapped: bytes, directory: Path) -> bool:
    return any(wrapped in file.read_bytes() for file in directory.glob("*.db*"))


async def test_what_protects_nothing_any_more_is_swept(app: App) -> None:
    token = await app.subscribe()
    headers = await app.key()
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
    }
    once = {**headers, "Idempotency-Key": "first"}
    assert (await app.http.post("/v1/messages", json=body, headers=once)).status == 202
    await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    tables = (
        consent.tables.confirmation,
        consent.tables.confirmation_count,
        consent.tables.service_mail,
        consent.tables.suppression,
        gateway.schema.tables.idempotency,
    )
    # Of the mail: that it went out, that its domain had a turn, and three times from where it was
    # asked for: from how near, for whom a mail of theirs waits, and by which link.
    assert [await count(app.parts.data, one) for one in tables] == [1, 5, 1, 1, 1]

    app.step(33 * DAY)
    await duties.sweep(app.parts)
    assert [await count(app.parts.data, one) for one in tables] == [1, 0, 1, 1, 0]
    app.step(YEAR)
    await duties.sweep(app.parts)

    assert [await count(app.parts.data, one) for one in tables] == [0, 0, 0, 0, 0]
