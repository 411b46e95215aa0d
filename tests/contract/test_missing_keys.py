"""A key that is missing, damaged or not made yet stops the acts that need it, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
import structlog
from sqlalchemy import Row, delete, insert, select, update

from audit.kinds import Actor, Kind
from consent import address, gates
from consent.keys import data_keys, tables, vault
from consent.keys.vault import Compartment
from consent.model import State
from consent.tables import subject as subject_table
from delivery import outbox
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving.verify import verify
from gateway.flows.rights import fresh_link, overview
from gateway.flows.rights.session import open_session
from gateway.flows.sending.permission import Question
from tests.support.apps import ADA, App
from tests.support.fresh_links import sent_links

BOB = "bob@example.org"
DAY = timedelta(days=1)
Lose = Callable[[App, str], Awaitable[None]]


async def subject_of(app: App, email: str = ADA) -> str:
    async with app.parts.data.read() as connection:
        return (await app.parts.lookup.find(connection, [email]))[email].subject


async def all_gone(app: App, subject: str) -> None:
    await _change_keys(app, subject, delete(tables.dek))


async def no_profile(app: App, subject: str) -> None:
    profile = tables.dek.c.compartment == Compartment.PROFILE
    await _change_keys(app, subject, delete(tables.dek).where(profile))


async def no_evidence(app: App, subject: str) -> None:
    evidence = tables.dek.c.compartment == Compartment.EVIDENCE
    await _change_keys(app, subject, delete(tables.dek).where(evidence))


async def damaged(app: App, subject: str) -> None:
    """Nothing unwraps them: a lost epoch, or rows that were altered."""
    await _change_keys(app, subject, update(tables.dek).values(wrapped=b"\x01\x01" + b"0" * 99))


async def _change_keys(app: App, subject: str, statement: Any) -> None:
    async with app.parts.key_database.begin() as connection:
        await connection.execute(statement.where(tables.dek.c.subject == subject))
    app.parts.keystore._people.forget([subject])


async def keys_of(app: App, subject: str) -> Sequence[Row[Any]]:
    async with app.parts.key_database.read() as connection:
        query = select(tables.dek).where(tables.dek.c.subject == subject)
        return (await connection.execute(query)).all()


async def put_back(app: App, subject: str, keys: Sequence[Row[Any]]) -> None:
    await all_gone(app, subject)
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(tables.dek), [dict(one._mapping) for one in keys])
    app.parts.keystore._people.forget([subject])


async def states(app: App, email: str = ADA) -> list[State]:
    subject = await subject_of(app, email)
    async with app.parts.data.read() as connection:
        found = await app.parts.consents.of_subjects(connection, [subject])
    return [one.state for one in found[subject]]


async def kinds(app: App) -> list[Kind]:
    await app.tick()
    async with app.parts.data.read() as connection:
        found = await app.parts.log.events(connection, limit=1000)
    return [one.entry.kind for one in found]


async def queue(app: App, to: str = ADA) -> str:
    body = {"to": {"email": to}, "purpose": "newsletter", "content": {"subject": "s", "text": "t"}}
    answer = await app.http.post("/v1/messages", json=body, headers=await app.key())
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["message_id"])


LOSSES = pytest.mark.parametrize(
    "lose",
    [all_gone, no_profile, no_evidence, damaged],
    ids=["all gone", "no profile", "no evidence", "damaged"],
)


# Leaving


@LOSSES
async def test_whoever_leaves_by_link_needs_no_key(app: App, lose: Lose) -> None:
    await app.subscribe(ADA)
    await queue(app)
    (mail,) = await app.deliver()
    await lose(app, await subject_of(app))

    answer = await app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")

    assert answer.status == 200
    assert await states(app) == [State.WITHDRAWN]
    assert await app.permission() == "withdrawn"
    assert Kind.CONSENT_WITHDRAWN in await kinds(app)


@LOSSES
async def test_whoever_objects_needs_no_key(app: App, lose: Lose) -> None:
    await app.subscribe(ADA)
    await lose(app, await subject_of(app))
    said = Withdrawal(None, Actor.API, "letter", objection=True)

    await Withdrawals(app.parts).withdraw(Question("", address.parse(ADA)), said)

    assert await states(app) == [State.WITHDRAWN]
    assert await app.permission() == "objected"
    assert Kind.CONSENT_OBJECTED in await kinds(app)


@LOSSES
async def test_whoever_was_not_it_needs_no_key(app: App, lose: Lose) -> None:
    token = await app.confirmation(ADA)
    await lose(app, await subject_of(app))

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    assert answer.status == 200
    assert await states(app) == [State.REJECTED]
    async with app.parts.data.read() as connection:
        held = await gates.peek(connection, [await subject_of(app)])
    assert [one.asking_blocked_at is not None for one in held.values()] == [True]


async def test_one_missing_key_keeps_nobody_else_of_the_group_from_leaving_with_evidence(
    app: App,
) -> None:
    for one in (ADA, BOB):
        await app.subscribe(one)
    await all_gone(app, await subject_of(app, ADA))
    withdrawals, said = Withdrawals(app.parts), Withdrawal("newsletter", Actor.API, "phone")

    await withdrawals.withdraw(Question("newsletter", address.parse(ADA)), said)
    await withdrawals.withdraw(Question("newsletter", address.parse(BOB)), said)

    bob = await subject_of(app, BOB)
    await app.tick()
    seen = await overview.look(app.parts, bob)
    assert seen is not None
    assert [one.kind for one in seen.consents[0].story][-1] is Kind.CONSENT_WITHDRAWN


async def test_an_address_that_does_not_open_keeps_nobody_from_leaving(app: App) -> None:
    token = await app.confirmation(ADA)
    subject = await subject_of(app)
    async with app.parts.data.begin() as connection:
        mine = subject_table.c.id == subject
        await connection.execute(update(subject_table).where(mine).values(address=b"\x01" * 120))

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    assert answer.status == 200
    assert await states(app) == [State.REJECTED]


async def test_a_withdrawal_without_a_key_is_no_doubt_once_the_key_is_back(app: App) -> None:
    await app.subscribe(ADA)
    subject = await subject_of(app)
    keys = await keys_of(app, subject)
    await all_gone(app, subject)
    said = Withdrawal("newsletter", Actor.API, "phone")
    await Withdrawals(app.parts).withdraw(Question("newsletter", address.parse(ADA)), said)

    await put_back(app, subject, keys)
    await app.tick()

    verdict = await verify(app.parts)
    assert (verdict.rows, verdict.report.ok) == ([], True)


async def test_a_missing_key_is_told_to_the_operator(app: App) -> None:
    await app.subscribe(ADA)
    await all_gone(app, await subject_of(app))
    said = Withdrawal("newsletter", Actor.API, "phone")

    with structlog.testing.capture_logs() as lines:
        await Withdrawals(app.parts).withdraw(Question("newsletter", address.parse(ADA)), said)

    assert [one["event"] for one in lines if one["log_level"] == "error"] == ["key_missing"]


# Confirming


@LOSSES
async def test_who_confirms_without_a_key_is_told_to_come_again(app: App, lose: Lose) -> None:
    token = await app.confirmation(ADA)
    subject = await subject_of(app)
    keys = await keys_of(app, subject)
    await lose(app, subject)

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    assert answer.status == 503
    assert await states(app) == [State.PENDING]

    await put_back(app, subject, keys)
    again = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    assert again.status == 200
    assert await states(app) == [State.CONFIRMED]


async def test_who_confirmed_before_the_key_was_lost_is_told_so_again(app: App) -> None:
    token = await app.subscribe(ADA)
    await all_gone(app, await subject_of(app))

    again = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})

    assert again.status == 200
    assert await states(app) == [State.CONFIRMED]


# Other acts


async def test_no_mail_goes_out_that_could_not_be_told_of(app: App) -> None:
    await app.subscribe(ADA)
    message = await queue(app)
    await no_evidence(app, await subject_of(app))

    assert await app.deliver() == []

    async with app.parts.data.begin() as connection:
        (row,) = (await outbox.lock(connection, [message])).values()
    assert row.status is outbox.Status.DEFERRED


class _Later(StrEnum):
    """The compartments of a release to come; nobody who is known has a key for the last one."""

    PROFILE = "profile"
    EVIDENCE = "evidence"
    LEADS = "leads"


async def test_another_compartment_locks_nobody_out_of_acts_that_do_not_need_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await app.confirmation(ADA)
    for module in (vault, data_keys):
        monkeypatch.setattr(module, "Compartment", _Later)
    subject = await subject_of(app)
    app.parts.keystore._people.forget([subject])

    # They confirm, are mailed, and see what is kept.
    confirmed = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    assert confirmed.status == 200
    await queue(app)
    (mail,) = await app.deliver()
    await fresh_link.accept(app.parts, address.parse(ADA), None)
    await app.tick()
    (link,) = await sent_links(app.parts)
    assert await open_session(app.parts, link) is not None
    seen = await overview.look(app.parts, subject)
    assert seen is not None and seen.email == ADA
    told = [one.kind for one in seen.consents[0].story]
    assert Kind.CONSENT_CONFIRMED in told and Kind.CONSENT_MAIL_SENT in told
    # They ask for more, which lapses unanswered, and leave.
    await app.sign_up(ADA, "updates")
    await app.tick()
    app.step(4 * DAY)
    await app.tick()
    await app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")
    assert sorted(await states(app)) == [State.LAPSED, State.WITHDRAWN]
    await app.tick()
    verdict = await verify(app.parts)
    assert (verdict.rows, verdict.report.ok) == ([], True)


@pytest.mark.parametrize("lose", [damaged, no_evidence, no_profile])
async def test_a_key_that_cannot_be_used_is_named_and_ends_no_verification(
    app: App, lose: Lose
) -> None:
    await app.subscribe()
    subject = await subject_of(app)
    await app.tick()
    assert (await verify(app.parts)).ok
    await lose(app, subject)

    found = await verify(app.parts)

    assert any(row.startswith(f"dek {subject}/") for row in found.rows)
