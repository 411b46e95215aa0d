"""Promise 5: what was erased nobody reads again; nobody mails or finds the person.

In the test's own process, so that years pass between two lines; that a kill between
any two steps loses nothing is in `tests/faults/test_erasure.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent.keys.vault import OF_PEOPLE, Compartment
from consent.tables import consent
from delivery.tables import outbox
from gateway.callers.api_keys import Scope
from gateway.flows.campaigning import launch
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.schema.database_schema import DATA, KEYSTORE
from tests.support import campaigns, stores
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.clock import SteppedClock
from tests.support.databases import Databases

YEAR = timedelta(days=365)
BOB = "bob@example.org"
NOTHING_KEPT = """
[retention]
evidence_after_withdrawal = "0d"
[rights]
suppress_after_erasure = "none"
"""
ERASED = {"state": "done", "channel": "letter"}

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


async def erase(app: App, **who: str) -> tuple[int, dict[str, Any]]:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    said = who or {"email": ADA}
    return await call(app, key, "POST", "/v1/erasures", {**said, "channel": "letter"})


async def shown(app: App, erasure: str) -> dict[str, Any]:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    status, body = await call(app, key, "GET", f"/v1/erasures/{erasure}")
    assert status == 200
    return body


async def sound(app: App) -> list[str]:
    """What a verification says: nothing."""
    await app.tick()
    found = await verify(app.parts)
    return [*map(str, found.report.findings), *found.rows]


async def run_rules(app: App) -> None:
    """Every rule until it finds nothing more, as its duty would."""
    await app.tick()
    for rule in RetentionRules(app.parts).rules().values():
        while await rule():
            pass
    await app.tick()


async def keys_of(app: App, subject: str) -> set[Compartment]:
    vault = await app.parts.keystore.vault([subject])
    return {one for one in OF_PEOPLE if vault.has(subject, one)}


async def rows_naming(app: App, subject: str) -> set[str]:
    """The tables in which the id of somebody stands."""
    found = set()
    for schema, database in ((DATA, app.parts.data), (KEYSTORE, app.parts.key_database)):
        names = [table.name for meta in schema.tables for table in meta.sorted_tables]
        for name, rows in (await stores.dump(database, names)).items():
            if any(subject in row.values() for row in rows):
                found.add(name)
    return found


async def ids_left(app: App, ids: set[str]) -> set[str]:
    """In which columns any of these ids stands."""
    found = set()
    for schema, database in ((DATA, app.parts.data), (KEYSTORE, app.parts.key_database)):
        names = [table.name for meta in schema.tables for table in meta.sorted_tables]
        for name, rows in (await stores.dump(database, names)).items():
            found |= {
                f"{name}.{column}"
                for row in rows
                for column, value in row.items()
                for one in ids
                if one in (value.decode("latin-1") if isinstance(value, bytes) else str(value))
            }
    return found


async def test_no_id_of_what_was_theirs_is_left_where_a_campaign_went_to_them_and_others_looked(
    open_one: OpenApp,
) -> None:
    async with open_one(NOTHING_KEPT) as app:
        await app.subscribe(ADA, "newsletter", "updates")
        app.step(timedelta(seconds=1))
        stores_ = campaigns.stores_of(app.parts)
        assert isinstance(await launch.launch(stores_, campaigns.order_of("June")), str)
        await campaigns.expand(app.parts)
        message = await queue(app, text="Hello.")
        assert len(await app.deliver()) == 2
        await campaigns.expand(app.parts)
        ids = {str(await app.subject(ADA)), message}
        async with app.parts.data.read() as connection:
            ids |= {*(await connection.execute(select(consent.c.id))).scalars()}
            ids |= {*(await connection.execute(select(outbox.c.id))).scalars()}
        assert await ids_left(app, ids)

        await erase(app)
        await run_rules(app)

        known = {"change.subject", "erasure.subject", "erasure_ledger.subject"}
        assert await ids_left(app, ids) <= known
        assert await sound(app) == []


async def test_with_nothing_to_keep_nothing_about_the_person_is_left(open_one: OpenApp) -> None:
    async with open_one(NOTHING_KEPT) as app:
        await app.subscribe(ADA, "newsletter", "updates")
        await app.subscribe(BOB)
        subject = await app.subject(ADA)
        await queue(app, text="Hello.")
        await app.deliver()
        await queue(app, text="Hello.")

        status, begun = await erase(app)

        assert status == 202
        assert begun | ERASED == begun
        assert begun["locked_until"] is None
        assert [mail.to for mail in await app.deliver()] == []
        assert await rows_naming(app, subject) == {"change", "erasure", "erasure_ledger"}
        certificate = (await shown(app, begun["erasure_id"]))["certificate"]
        assert certificate["keys_destroyed"] == ["evidence", "profile"]
        assert certificate["payloads_deleted"] > 0
        assert certificate["locked_evidence"] is None
        assert await app.permission(ADA) == "unknown"
        assert await app.permission(BOB) == "granted"
        assert await sound(app) == []


async def test_locked_evidence_stays_to_its_date_and_goes_the_same_way(open_one: OpenApp) -> None:
    async with open_one() as app:
        await app.subscribe()
        subject = await app.subject()
        assert subject is not None
        await queue(app, text="Hello.")
        await app.deliver()

        _, begun = await erase(app)

        assert await app.subject() is None
        assert await app.permission() == "unknown"
        assert (await shown(app, begun["erasure_id"]))["certificate"]["locked_evidence"] == {
            "what": "what proves this person's consents, and the mails sent under them",
            "until": begun["locked_until"],
        }
        assert await keys_of(app, subject) == {Compartment.EVIDENCE}
        assert await rows_naming(app, subject) == {
            "audit_item",
            "audit_payload",
            "change",
            "consent",
            "dek",
            "erasure",
            "erasure_ledger",
            "subject",
        }
        assert await sound(app) == []
        app.step(3 * YEAR - timedelta(hours=1))
        await run_rules(app)
        assert await keys_of(app, subject) == {Compartment.EVIDENCE}
        app.step(timedelta(hours=2))

        await run_rules(app)

        assert await keys_of(app, subject) == set()
        assert await rows_naming(app, subject) == {"erasure", "erasure_ledger"}
        assert await sound(app) == []
        app.step(3 * YEAR)
        await run_rules(app)
        assert await rows_naming(app, subject) == {"erasure_ledger"}
        assert await sound(app) == []


async def test_a_term_that_is_prolonged_later_does_not_put_off_what_was_told(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    kept = '[retention]\nevidence_after_withdrawal = "{}"\n'
    clock = SteppedClock()
    opening = partial(open_app, tmp_path, new_database_url, dialect, clock=clock)
    async with opening(more=kept.format("1y")) as app:
        await app.subscribe()
        subject = await app.subject()
        assert subject is not None
        await erase(app)
        longer = app.parts.config.retention.model_copy(
            update={"evidence_after_withdrawal": 9 * YEAR}
        )
        config = app.parts.config.model_copy(update={"retention": longer})
        app.step(YEAR)

        await run_rules(replace(app, parts=replace(app.parts, config=config)))

        assert await keys_of(app, subject) == set()


async def test_who_never_confirmed_leaves_nothing_behind(app: App) -> None:
    await app.sign_up()
    await app.tick()
    subject = await app.subject()
    assert subject is not None

    _, begun = await erase(app)

    assert begun["locked_until"] is None
    assert await rows_naming(app, subject) == {"change", "erasure", "erasure_ledger"}
    assert await app.deliver() == []
    assert await sound(app) == []


async def test_what_was_asked_for_in_their_name_before_brings_nobody_back(app: App) -> None:
    await app.subscribe()
    await app.sign_up()  # waits to be worked off
    await erase(app)

    assert await app.deliver() == []
    assert await app.subject() is None


async def test_an_address_that_is_nobodys_has_left_all_the_same(app: App) -> None:
    await app.sign_up()  # acknowledged, and nobody's yet

    status, _ = await erase(app)

    assert status == 404
    assert await app.deliver() == []
    assert await app.subject() is None


async def test_who_signs_up_again_is_a_stranger(app: App) -> None:
    await app.subscribe()
    first = await app.subject()
    await erase(app)
    app.step(timedelta(minutes=1))

    await app.subscribe()

    assert await app.subject() not in (None, first)
    assert await app.permission() == "granted"
    assert await sound(app) == []


async def test_repeating_by_the_id_of_the_person_answers_with_what_there_is(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    _, first = await erase(app)

    assert await erase(app, subject_id=subject) == (202, first)
    assert (await erase(app))[0] == 404
    key = await app.key(Scope.PERMISSIONS_READ)
    asked = {"to": {"subject_id": subject}, "purpose": "newsletter"}
    _, said = await call(app, key, "POST", "/v1/permissions", asked)
    assert said == {"granted": False, "reason": "erased", "class": "never"}


async def test_old_links_of_who_was_erased_give_nothing(app: App) -> None:
    confirm = await app.subscribe()
    await queue(app, text="Hello.")
    (mail,) = await app.deliver()
    await erase(app)

    assert (await app.http.get(f"/confirm/{confirm}")).status in (404, 410)
    assert (await app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")).status == 200
    page = await (await app.http.get(f"/why/{mail.token('why')}")).text()
    assert ADA not in page


@pytest.mark.parametrize(
    ("policy", "objected", "asked"),
    [
        ("none", True, True),
        ("objection", True, False),
        ("objection", False, True),
        ("always", False, False),
    ],
    ids=["none", "objected", "not objected", "always"],
)
async def test_whose_mailbox_is_not_asked_again_the_configuration_decides(
    open_one: OpenApp, policy: str, objected: bool, asked: bool
) -> None:
    async with open_one(f'[rights]\nsuppress_after_erasure = "{policy}"\n') as app:
        await app.subscribe()
        if objected:
            body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
            await call(app, await app.key(), "POST", "/v1/withdrawals", body)
        await erase(app)
        app.step(timedelta(minutes=1))

        await app.sign_up()

        assert bool(await app.deliver()) == asked


async def test_a_key_that_is_bound_may_erase_nobody(app: App) -> None:
    await app.subscribe()
    key = await app.key(Scope.SUBJECTS_MANAGE, purposes=["newsletter"])

    status, _ = await call(app, key, "POST", "/v1/erasures", {"email": ADA})

    assert status == 403
    assert await app.permission() == "granted"
