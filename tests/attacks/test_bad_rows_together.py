"""By SQL: bad rows where several mechanisms meet, each of which holds alone."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from consent import tables as consents
from consent.keys.vault import OF_PEOPLE
from delivery.desk import Ended
from delivery.journal import Journal, replayable
from gateway.callers.api_keys import Scope
from gateway.flows.bad_rows import Busy, each_for_itself
from gateway.flows.joining import intake
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.sending import recover
from gateway.process.desk import Desk
from tests.attacks.test_poison import (
    BOB,
    TAKEN,
    app,
    claimed,
    confirm,
    crowd,
    posted,
    queued,
    row_of,
    standing,
    subject_of,
    turn,
)
from tests.support.apps import ADA, App
from tests.support.hostile import allow, by_sql, refuse

__all__ = ["app"]  # the fixture


async def test_what_the_database_does_not_take_stays_in_the_journal_and_is_not_sent_again(
    app: App, tmp_path: Path
) -> None:
    await app.subscribe(ADA)
    await queued(app, ADA)
    desk, (parcel,) = await claimed(app, 1)
    with Journal.create(tmp_path / "journal", "wrk_x") as journal:
        journal.dot(parcel.message, parcel.attempt)
        journal.acc(parcel.message, parcel.attempt, 250)
        await refuse(app, "outbox", parcel.message)
        assert await desk.settle("wrk_x", [Ended(parcel, TAKEN)]) == {parcel.message}

    await replay(app, tmp_path / "journal", left=1)
    await allow(app, "outbox")
    await replay(app, tmp_path / "journal", left=0)

    assert (await row_of(app, parcel.message)).status == "sent"
    assert await app.deliver() == []


async def replay(app: App, journals: Path, *, left: int) -> None:
    config = app.parts.config
    delivery = config.delivery.model_copy(update={"journal_dir": journals})
    parts = replace(app.parts, config=config.model_copy(update={"delivery": delivery}))
    await recover.from_journals(parts)
    assert len([found.owner for found in replayable(journals)]) == left


async def test_an_index_row_that_nobody_can_read_lets_no_posts_fill_every_turn(app: App) -> None:
    if app.parts.data.dialect != "sqlite":
        pytest.skip("columns of PostgreSQL have one type")
    (hashed,) = app.parts.lookup.hashes(ADA)
    await by_sql(
        app,
        "INSERT INTO subject_index (hash, kid, subject, mac) "
        f"VALUES (x'{hashed.hex()}', 1, x'01', x'02')",
    )
    await posted(app, [ADA] * 50)
    await posted(app, [BOB])

    await turn(app)

    assert await standing(app) == [("intake", "altered", 50)]
    assert [mail.to for mail in await app.deliver()] == [BOB]


async def test_a_claim_that_has_enough_parks_nothing_that_is_healthy(app: App) -> None:
    people = crowd(8)
    for person in people:
        await confirm(app, person, "capped")
    for person in people:
        await queued(app, person, purpose="capped")
    await app.deliver()
    await by_sql(app, "DELETE FROM worker")  # the only one takes the oldest first
    second = []
    for person in people:
        app.step(timedelta(seconds=1))
        second += await queued(app, person, purpose="capped")
    for person in (people[0], people[4]):
        of = await subject_of(app, person)
        await by_sql(
            app,
            f"UPDATE permit SET decided_at = '9999-12-31T23:59:59.999999Z' WHERE subject='{of}'",
        )
    app.step(timedelta(minutes=1))

    desk = Desk(app.parts)
    await desk.register("wrk_x")
    await desk.claim("wrk_x", 4)

    reasons = [(await row_of(app, message)).reason for message in second]
    healthy = [reason for n, reason in enumerate(reasons) if n not in (0, 4)]
    assert set(healthy) == {None}


async def test_nobody_is_forgotten_by_a_row_that_lost_its_reason_to_be_kept(app: App) -> None:
    await app.subscribe(ADA)
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    subject = await subject_of(app, ADA)
    objection = {"to": {"email": ADA}, "kind": "object", "all": True, "channel": "phone"}
    async with app.http.post("/v1/withdrawals", json=objection, headers=key) as answer:
        assert answer.status == 200
    before = app.parts.config.retention.evidence_after_withdrawal
    await by_sql(app, f"UPDATE subject SET objected_at = NULL WHERE id = '{subject}'")
    app.step(before + timedelta(days=2))

    await RetentionRules(app.parts).people()

    assert await app.subject(ADA) == subject
    assert (await app.parts.keystore.vault([subject])).has(subject, *OF_PEOPLE)


async def test_what_another_process_works_off_stays_in_the_register(app: App) -> None:
    (row,) = await posted(app, [ADA], "gone")
    await turn(app)
    before = await standing(app)
    app.step(timedelta(minutes=2))

    async def busy(_: Sequence[str]) -> int:
        raise Busy

    assert await each_for_itself(app.parts.data, app.parts.clock, "intake", {row: row}, busy) == []
    assert await standing(app) == before
    assert await intake.work_off(app.parts) == 1
    assert await standing(app) == before


async def test_a_planted_index_row_keeps_nobodys_upgrade(app: App) -> None:
    await app.subscribe(ADA)
    (hashed,) = app.parts.lookup.hashes(ADA)
    subject = await subject_of(app, ADA)
    await by_sql(app, "DELETE FROM subject_index")
    async with app.parts.data.begin() as connection:
        planted = {"hash": hashed, "kid": 1, "subject": subject, "mac": b"m" * 32}
        await connection.execute(insert(consents.subject_index).values(planted))
    literal = hashed.hex()
    blob = f"x'{literal}'" if app.parts.data.dialect == "sqlite" else rf"'\x{literal}'"
    await by_sql(app, f"UPDATE subject SET blind_index = {blob}")

    async with app.parts.data.begin() as connection:
        assert await app.parts.lookup.adopt(connection) == [subject]

    assert await app.permission() == "granted"
