"""Whoever asks about people is answered by one statement, and as others would answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from audit.tables import audit_item
from consent import address, gates
from consent.asked_about import Asking
from gateway.callers.api_keys import Scope
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Asked, Question
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.statements import statements

BOB = "bob@example.org"


@pytest.fixture
def asking(app: App) -> Asking:
    return Asking(app.parts.lookup, app.parts.consents, app.parts.clock)


async def test_what_is_known_of_somebody_is_what_each_table_says(app: App, asking: Asking) -> None:
    await app.subscribe()
    app.step(timedelta(seconds=1))
    await app.confirmation(ADA, "updates")
    ada = await app.subject()
    assert ada is not None

    async with app.parts.data.read() as connection:
        about = await asking.about(connection, [ADA, BOB])
        assert about.gates == await gates.peek(connection, [ada])
        assert about.consents == await app.parts.consents.of_subjects(connection, [ada])
        assert about.found == await app.parts.lookup.find(connection, [ADA, BOB])

    assert [one.purpose for one in about.consents[ada]] == ["newsletter", "updates"]


async def test_who_is_named_is_found_like_who_is_found_by_address(app: App, asking: Asking) -> None:
    await app.subscribe()
    ada = await app.subject()
    assert ada is not None

    async with app.parts.data.read() as connection:
        named = await asking.about(connection, [], [ada, "sub_0"])
        found = await asking.about(connection, [ADA])

    assert (named.gates, named.consents) == (found.gates, found.consents)
    assert named.found == {}


async def test_of_more_than_fit_into_a_statement_each_is_found(app: App, asking: Asking) -> None:
    await app.subscribe(ADA)
    await app.confirmation(BOB)
    others = [f"nobody{n}@example.org" for n in range(300)]

    async with app.parts.data.read() as connection:
        about = await asking.about(connection, [ADA, *others, BOB])

    assert about.found.keys() == {ADA, BOB}
    assert len(about.gates) == 2


async def test_a_question_is_two_statements_with_postgresql(app: App) -> None:
    if app.parts.data.dialect == "sqlite":
        pytest.skip("SQLite draws numbers where it writes, and has no arrays")
    await app.subscribe()
    question = Asked(Question("newsletter", address.parse(ADA)), "key_1")
    await permission.ask_all(app.parts, [question])  # its wording and keys are at hand then

    with statements() as seen:
        (decision,) = await permission.ask_all(app.parts, [question])

    assert type(decision).__name__ == "Granted"
    assert [one.split()[0] for one in seen] == ["SELECT", "WITH"]


async def test_a_number_under_which_a_row_was_planted_is_not_drawn(app: App) -> None:
    """Whoever plants rows ahead of the counter stops the sequencer, and nobody who asks."""
    if app.parts.data.dialect == "sqlite":
        pytest.skip("SQLite draws numbers where it writes")
    await app.subscribe()
    key = await app.key(Scope.PERMISSIONS_READ)
    plant = text(
        "INSERT INTO audit_pending (n, eid, entry, mac, kid)"
        " SELECT (SELECT last_value FROM audit_pending_n_seq) + k, decode(md5(k::text), 'hex'),"
        " ''::bytea, ''::bytea, 1 FROM generate_series(1, 5) AS k"
    )
    async with app.parts.data.begin() as connection:
        await connection.execute(plant)

    body = {"to": {"email": ADA}, "purpose": "newsletter"}
    answers = [await call(app, key, "POST", "/v1/permissions", body) for _ in range(3)]

    assert [(status, said["granted"]) for status, said in answers] == [(200, True)] * 3
    async with app.parts.data.read() as connection:
        items = (await connection.execute(select(audit_item.c.subject))).scalars().all()
    assert items.count(await app.subject()) >= 3
