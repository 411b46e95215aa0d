"""By SQL: rows that grant something, planted, copied, altered or set back."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update

from audit.kinds import Actor
from consent import fresh_links, gates, tokens
from consent import tables as consents
from consent.tokens import encode
from delivery import tables as delivery
from delivery.outbox import Parked
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving import verify
from gateway.flows.rights.session import open_session
from gateway.schema.tables import api_key
from storage import bad_rows
from tests.support.apps import ADA, App
from tests.support.clock import START
from tests.support.fresh_links import ask, sent_links
from tests.support.hostile import by_sql

BOB = "bob@example.org"
TOKEN = "cgw_" + "A" * 43
RAW = b"r" * 32
MESSAGE = {
    "to": {"email": ADA},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}


async def row_of(app: App, table: Table) -> dict[str, Any]:
    async with app.parts.data.read() as connection:
        row = (await connection.execute(select(table).limit(1))).one()
    return dict(row._mapping)


async def write(app: App, table: Table, **row: Any) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(table).values(**row))


async def alter(app: App, table: Table, **values: Any) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(update(table).values(**values))


async def doubts(app: App) -> list[str]:
    return list((await verify.verify(app.parts)).rows)


async def post(app: App, headers: dict[str, str], body: dict[str, Any] = MESSAGE) -> int:
    async with app.http.post("/v1/messages", json=body, headers=headers) as answer:
        return answer.status


async def queued(app: App) -> dict[str, Any]:
    """A message of a person who agreed, not yet claimed."""
    await app.subscribe(ADA)
    await app.deliver()
    assert await post(app, await app.key()) == 202
    async with app.parts.data.read() as connection:
        query = select(delivery.outbox).where(delivery.outbox.c.status == "queued")
        return dict((await connection.execute(query)).one()._mapping)


async def test_a_planted_key_opens_nothing_and_is_named(app: App) -> None:
    await write(
        app,
        api_key,
        id="key_planted",
        name="mine",
        token_hash=hashlib.sha256(TOKEN.encode()).digest(),
        scopes="messages:send audit:read",
        senders="",
        purposes="",
        created_at=START,
    )

    assert await post(app, {"Authorization": f"Bearer {TOKEN}"}) == 401
    assert any("api_key key_planted" in doubt for doubt in await doubts(app))


@pytest.mark.parametrize("change", [{"scopes": "messages:send"}, {"purposes": ""}], ids=str)
async def test_a_key_that_was_given_more_opens_nothing(app: App, change: dict[str, str]) -> None:
    headers = await app.key(Scope.AUDIT_READ, purposes=["offers"])
    await alter(app, api_key, **change)

    assert await post(app, headers) == 401


async def revoke(app: App) -> bool:
    async with app.parts.data.begin() as connection:
        (key,) = await api_keys.listed(connection, app.parts.rows)
        return await api_keys.revoke(connection, app.parts.rows, key.id, START)


async def test_a_revocation_cannot_be_undone_by_one_column(app: App) -> None:
    headers = await app.key()
    await revoke(app)
    await alter(app, api_key, revoked_at=None)

    assert await post(app, headers) == 401


async def test_a_key_that_looks_revoked_already_can_be_revoked_for_good(app: App) -> None:
    """Else whoever planted the moment lets the key live again, once its owner looked away."""
    headers = await app.key()
    await alter(app, api_key, revoked_at=START)

    assert await revoke(app)
    await alter(app, api_key, revoked_at=None)
    assert await post(app, headers) == 401


@pytest.mark.parametrize("change", [{"scopes": "root:all"}, {"name": "mine"}], ids=str)
async def test_an_altered_key_is_listed_as_such_and_can_be_revoked(
    app: App, change: dict[str, str]
) -> None:
    await app.key()
    await alter(app, api_key, **change)

    async with app.parts.data.read() as connection:
        (listed,) = await api_keys.listed(connection, app.parts.rows)
    assert isinstance(listed, api_keys.Altered)
    assert await revoke(app)


async def test_a_planted_link_shows_nothing_and_is_named(app: App) -> None:
    await app.subscribe(ADA)
    person = await row_of(app, consents.subject)
    now = app.parts.clock.wall()
    await write(
        app,
        consents.fresh_link,
        id="lnk_planted",
        token_hash=hashlib.sha256(RAW).digest(),
        subject=person["id"],
        created_at=now,
        expires_at=now + timedelta(minutes=15),
    )

    assert await open_session(app.parts, encode(RAW)) is None
    assert any("fresh_link lnk_planted" in doubt for doubt in await doubts(app))


async def test_a_copied_message_is_not_sent_and_is_named(app: App) -> None:
    message = await queued(app)
    for number in range(3):
        await write(app, delivery.outbox, **{**message, "id": f"msg_copy{number}"})

    assert len(await app.deliver()) == 1
    assert sum("outbox msg_copy" in doubt for doubt in await doubts(app)) == 3


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"purpose": "offers"}, id="another purpose"),
        pytest.param({"kind": "service"}, id="another class"),
        pytest.param({"origin": "key_other"}, id="another caller"),
        pytest.param({"expires_at": START + timedelta(days=999)}, id="longer"),
    ],
)
async def test_an_altered_message_is_parked_and_named(app: App, change: dict[str, Any]) -> None:
    message = await queued(app)
    await alter(app, delivery.outbox, **change)

    assert await app.deliver() == []
    assert (await row_of_message(app, message["id"]))["reason"] == Parked.ALTERED
    assert any(f"outbox {message['id']}" in doubt for doubt in await doubts(app))


async def row_of_message(app: App, name: str) -> dict[str, Any]:
    async with app.parts.data.read() as connection:
        query = select(delivery.outbox).where(delivery.outbox.c.id == name)
        return dict((await connection.execute(query)).one()._mapping)


async def test_a_parked_message_goes_on_once_its_row_is_mended(app: App) -> None:
    message = await queued(app)
    await alter(app, delivery.outbox, origin="key_other")
    assert await app.deliver() == []
    await alter(app, delivery.outbox, origin=message["origin"])
    app.step(bad_rows.FIRST)

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_message_whose_attempts_were_set_back_ends_no_worker(app: App) -> None:
    """Its next permit would be that of an attempt which there is already."""
    message = await queued(app)
    assert len(await app.deliver()) == 1
    async with app.parts.data.begin() as connection:
        this = update(delivery.outbox).where(delivery.outbox.c.id == message["id"])
        await connection.execute(this.values(status="queued", attempt=0, tries=0, ended_at=None))
    assert await post(app, await app.key()) == 202

    assert len(await app.deliver()) == 1  # the other one
    assert (await row_of_message(app, message["id"]))["reason"] == Parked.ATTEMPTS


async def test_a_sent_message_that_is_queued_again_is_not_sent_again(app: App) -> None:
    message = await queued(app)
    assert len(await app.deliver()) == 1
    async with app.parts.data.begin() as connection:
        this = update(delivery.outbox).where(delivery.outbox.c.id == message["id"])
        await connection.execute(this.values(status="queued", ended_at=None))

    assert await app.deliver() == []
    assert (await row_of_message(app, message["id"]))["reason"] == Parked.ATTEMPTS


@pytest.mark.parametrize("outcome", [None, "uncertain"], ids=["not told", "uncertain"])
async def test_what_may_have_been_sent_is_not_sent_again(app: App, outcome: str | None) -> None:
    """Set back while its worker carries it, and after nobody could say whether it left."""
    message = await queued(app)
    assert len(await app.deliver()) == 1
    await alter(app, delivery.attempt, outcome=outcome)
    async with app.parts.data.begin() as connection:
        this = update(delivery.outbox).where(delivery.outbox.c.id == message["id"])
        await connection.execute(this.values(status="queued", owner=None, ended_at=None))

    assert await app.deliver() == []
    assert (await row_of_message(app, message["id"]))["reason"] == Parked.ATTEMPTS


async def test_a_message_whose_content_is_gone_keeps_nobody_from_their_mail(app: App) -> None:
    message = await queued(app)
    await app.sign_up(BOB)
    await app.tick()
    free = ["SET LOCAL session_replication_role = replica"]  # from foreign keys
    free = free if app.parts.data.dialect == "postgresql" else []
    await by_sql(app, *free, f"DELETE FROM content WHERE id = '{message['content']}'")  # noqa: S608

    assert [mail.to for mail in await app.deliver()] == [BOB]
    assert (await row_of_message(app, message["id"]))["reason"] == Parked.ALTERED


async def test_a_request_cannot_be_prolonged(app: App) -> None:
    token = await app.confirmation(ADA)
    app.step(timedelta(hours=73))
    later = app.parts.clock.wall() + timedelta(days=1)
    await alter(app, consents.consent, lapses_at=later)
    await alter(app, consents.confirmation, expires_at=later)

    async with app.http.post(f"/confirm/{token}", data={"answer": "confirm"}):
        pass

    assert await app.permission(ADA) != "granted"


async def test_stops_that_were_taken_away_leave_nothing_permitted(app: App) -> None:
    await app.subscribe(ADA)
    person = await row_of(app, consents.subject)
    async with app.parts.data.begin() as connection:
        held = await gates.lock(connection, [person["id"]])
        held = await gates.object_to(
            connection, app.parts.rows, [(gate, START) for gate in held.values()]
        )
        await gates.suppress(connection, app.parts.rows, held.values(), "bounce")
    await alter(app, consents.subject, objected_at=None, suppressed=None)

    assert await app.permission(ADA) == "unproven"
    assert any(f"subject {person['id']}" in doubt for doubt in await doubts(app))


@pytest.mark.parametrize("column", ["why_hash", "preferences_hash", "unsubscribe_hash", "sealed"])
async def test_a_mail_that_nobody_could_leave_by_is_not_sent(app: App, column: str) -> None:
    message = await queued(app)
    await alter(app, consents.handle, **{column: b"x" * 32})

    assert await app.deliver() == []
    assert (await row_of_message(app, message["id"]))["reason"] == Parked.HANDLE_MISSING


async def test_a_person_in_a_state_that_no_gateway_wrote_keeps_nobody_else_from_their_mail(
    app: App,
) -> None:
    """Nothing is mailed to them, they can leave, and the row is named."""
    await app.subscribe(ADA)
    await app.subscribe(BOB)
    await app.deliver()
    headers = await app.key()
    assert await post(app, headers, MESSAGE | {"to": {"email": BOB}}) == 202
    assert await post(app, headers) == 202
    altered = update(consents.subject).where(consents.subject.c.id == await app.subject(ADA))
    async with app.parts.data.begin() as connection:
        await connection.execute(altered.values(state="vip"))

    assert [mail.to for mail in await app.deliver()] == [BOB]
    assert await post(app, headers) == 403
    assert any("subject" in one for one in await doubts(app))
    leave = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    async with app.http.post("/v1/withdrawals", json=leave, headers=headers) as answer:
        assert answer.status == 200


async def leave(app: App, headers: dict[str, str], kind: str) -> int:
    body = {"to": {"email": ADA}, "kind": kind, "channel": "phone"}
    body |= {"purpose": "newsletter"} if kind == "withdraw" else {"all": True}
    async with app.http.post("/v1/withdrawals", json=body, headers=headers) as answer:
        return answer.status


HIDING = [
    pytest.param({"state": state}, id=f"state {state}") for state in ("vip", "erasing", "erased")
]


@pytest.mark.parametrize("kind", ["withdraw", "object"])
@pytest.mark.parametrize("hidden", [*HIDING, pytest.param({"objected_at": START}, id="objected")])
async def test_who_left_while_their_row_was_altered_has_left(
    app: App, hidden: dict[str, Any], kind: str
) -> None:
    """The row fits again as soon as it is as it was; what was answered must stand all the same."""
    await app.subscribe(ADA)
    headers = await app.key()
    before = await row_of(app, consents.subject)
    await alter(app, consents.subject, **hidden)

    assert await leave(app, headers, kind) == 200

    await alter(app, consents.subject, **before)
    assert await post(app, headers) == 403
    assert (await row_of(app, consents.consent))["state"] == "withdrawn"


async def test_an_erasure_that_no_gateway_began_destroys_no_key(app: App) -> None:
    """A restored row brings the person back; a destroyed key, nobody."""
    await app.subscribe(ADA)
    before = await row_of(app, consents.subject)
    await alter(app, consents.subject, state="erasing")

    assert await RetentionRules(app.parts).erasures() == 0

    assert any("subject" in doubt for doubt in await doubts(app))
    await alter(app, consents.subject, **before)
    assert await app.permission() == "granted"
    assert len(await app.deliver()) == 0


async def test_a_link_is_spent_by_what_was_checked_not_by_what_stands_there_since(
    app: App,
) -> None:
    await app.subscribe(ADA)
    await ask(app.parts, ADA)
    (token,) = await sent_links(app.parts)
    digest = tokens.hash_of(token)
    assert digest is not None
    async with app.parts.data.read() as connection:
        found = await fresh_links.find(connection, app.parts.rows, digest)
    assert found is not None
    app.step(timedelta(minutes=16))

    await alter(app, consents.fresh_link, expires_at=app.parts.clock.wall() + timedelta(days=9))

    async with app.parts.data.begin() as connection:
        assert not await fresh_links.spend(connection, found, app.parts.clock.wall())


async def test_who_left_while_the_purpose_of_their_consent_was_another_has_left(app: App) -> None:
    await app.subscribe(ADA)
    headers = await app.key()
    await alter(app, consents.consent, purpose="product-updates")

    assert await leave(app, headers, "withdraw") == 200

    await alter(app, consents.consent, purpose="newsletter")
    assert await post(app, headers) == 403


@pytest.mark.parametrize("column", ["mac", "address", "kid"])
async def test_no_type_of_a_column_keeps_anybody_from_leaving(app: App, column: str) -> None:
    if app.parts.data.dialect != "sqlite":
        pytest.skip("columns of PostgreSQL have one type")
    await app.subscribe(ADA)
    headers = await app.key()
    handle = (await row_of(app, consents.subject))["id"]
    async with app.parts.data.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE subject SET {column} = 'text'")  # noqa: S608

    objection = Withdrawal(None, Actor.SUBJECT, "phone", objection=True)
    await Withdrawals(app.parts).by_subject(handle, objection)

    assert (await row_of(app, consents.consent))["state"] == "withdrawn"
    assert await post(app, headers) == 403
