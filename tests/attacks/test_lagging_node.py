"""Two nodes on one database: one that lacks the newest key looks nobody up, and no more."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import insert, select

from consent import intakes, tables
from consent.errors import KeyringBehind
from gateway.callers.api_keys import Scope
from gateway.config.config import Config
from gateway.flows.joining import intake
from gateway.flows.proving import verify
from gateway.flows.rights import fresh_link
from gateway.process import duties
from gateway.watch import examination
from gateway.watch.findings import Finding, Level
from gateway.watch.metrics import Metrics
from storage.keysets import KeyState
from tests.support.apps import ADA, App, start_app

BOB = "bob@example.org"
CLEO = "cleo@example.org"
NEW = base64.b64encode(b"n" * 32).decode()
CONTENT = {"subject": "News", "text": "Hello."}


def with_two_keys(config: Config, first: KeyState, second: KeyState, kind: str) -> Config:
    """The same gateway with a keyring that has another key of a kind, as an operator copied it."""
    path = config.keys.keyring_file
    document = json.loads(path.read_text())
    old = document["sets"][kind][0]
    new = {"kid": 2, "state": second, "key": NEW}
    document["sets"][kind] = [old | {"state": first}, new]
    newer = path.with_name(f"{kind}-{second}.json")
    newer.touch(0o600)
    newer.write_text(json.dumps(document))
    return config.model_copy(
        update={"keys": config.keys.model_copy(update={"keyring_file": newer})}
    )


@asynccontextmanager
async def beside(
    app: App,
    first: KeyState = KeyState.RETIRING,
    second: KeyState = KeyState.ACTIVE,
    kind: str = "lookup",
) -> AsyncIterator[App]:
    """A second node, whose keyring has one key more."""
    config = with_two_keys(app.parts.config, first, second, kind)
    async with start_app(config, app.parts.clock) as node:
        yield node


async def hashes_of(app: App, email: str) -> set[int]:
    """The keys under which somebody is found."""
    query = select(tables.subject_index.c.kid).where(
        tables.subject_index.c.subject == await app.subject(email)
    )
    async with app.parts.data.read() as connection:
        return set((await connection.execute(query)).scalars())


async def waiting(app: App) -> int:
    async with app.parts.data.read() as connection:
        return await intakes.waiting(connection)


TO_ADA = {"to": {"email": ADA}, "purpose": "newsletter"}
LOOKS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "permission": ("/v1/permissions", TO_ADA),
    "message": ("/v1/messages", TO_ADA | {"content": CONTENT}),
    "withdrawal": ("/v1/withdrawals", TO_ADA | {"kind": "withdraw", "channel": "phone"}),
}


async def test_it_takes_nothing_that_needs_a_look(app: App) -> None:
    await app.subscribe()
    headers = await app.key()
    body = await app.posted(BOB)
    async with beside(app):
        await app.tick()

        for path, said in [*LOOKS.values(), ("/forms/signup", body)]:
            async with app.http.post(path, json=said, headers=headers) as answer:
                told = await answer.json()
                assert (answer.status, told["type"]) == (503, "/problems/keyring-behind"), path
                assert int(answer.headers["Retry-After"]) > 0
        for path, fields in {
            "/my-data": {"email": ADA},
            "/forms/signup": {"email": BOB, "purpose": "newsletter", "text": body["texts"][0]},
        }.items():
            async with app.http.post(path, data=fields, allow_redirects=False) as answer:
                assert answer.status == 503, path
    assert await waiting(app) == 0


async def test_who_has_a_link_leaves_and_who_is_named_is_mailed(app: App) -> None:
    await app.subscribe()
    subject, headers = await app.subject(), await app.key(Scope.MESSAGES_SEND)
    async with beside(app) as newer:
        await app.tick()
        message = {"to": {"subject_id": subject}, "purpose": "newsletter", "content": CONTENT}
        async with app.http.post("/v1/messages", json=message, headers=headers) as answer:
            assert answer.status == 202

        (mail,) = await app.deliver()
        async with app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}") as answer:
            assert answer.status == 200

        assert await newer.permission() == "withdrawn"


async def test_the_other_node_is_unharmed_and_its_people_are_found(app: App) -> None:
    await app.subscribe(CLEO)
    async with beside(app) as newer:
        await app.tick()

        await newer.subscribe()

        assert await newer.permission() == await newer.permission(CLEO) == "granted"
        assert await hashes_of(newer, ADA) == {1, 2}


async def test_what_was_acknowledged_before_it_noticed_waits_for_the_other_node(app: App) -> None:
    body = await app.posted(BOB)
    async with beside(app) as newer:
        async with app.http.post("/forms/signup", json=body) as answer:
            assert answer.status == 202  # its next tick shows it the key
        await newer.http.post("/my-data", data={"email": BOB})

        for work_off in (intake.work_off, fresh_link.work_off):
            with pytest.raises(KeyringBehind):
                await work_off(app.parts)
        assert await waiting(app) == 2
        (duty,) = [one for one in duties.of(app.parts) if one.name == "intake"]
        assert (await duties._run(duty, Metrics())).result == "behind"

        assert {mail.to for mail in await newer.deliver()} == {BOB}
        assert await hashes_of(newer, BOB) == {1, 2}


async def test_who_leaves_by_it_has_left_from_what_waits_at_the_other_node(app: App) -> None:
    async with beside(app) as newer:
        await newer.subscribe(ADA, "updates")
        subject, headers = await newer.subject(), await newer.key()
        await newer.sign_up()
        body = {"to": {"subject_id": subject}, "all": True, "kind": "withdraw", "channel": "phone"}

        async with app.http.post("/v1/withdrawals", json=body, headers=headers) as answer:
            assert answer.status == 200

        assert await newer.deliver() == []


async def test_a_key_that_is_only_announced_stops_nobody_and_is_written_once_it_is_live(
    app: App,
) -> None:
    async with beside(app, KeyState.ACTIVE, KeyState.ANNOUNCED) as learning:
        await app.subscribe(BOB)
        await learning.subscribe(ADA)
        assert await hashes_of(learning, ADA) == {1}

        async with beside(app):  # now a third node makes rows with it
            await learning.tick()
            await learning.subscribe(CLEO)

            assert await hashes_of(learning, CLEO) == {1, 2}


async def test_an_old_keyring_that_starts_beside_a_newer_one_lags_at_once(app: App) -> None:
    async with beside(app), start_app(app.parts.config, app.parts.clock) as old:
        answer = await old.http.post("/forms/signup", json=await old.posted())

        assert answer.status == 503


async def test_the_doctor_names_the_key(app: App) -> None:
    async with beside(app) as newer:
        assert await about_keys(newer.parts.config) == [Level.OK]
        assert await about_keys(app.parts.config) == [Level.FAIL]


async def about_keys(config: Config) -> list[Level]:
    found: list[Finding] = [one async for one in examination.about_databases(config)]
    return [one.level for one in found if one.about == "look-up keys"]


async def test_a_planted_key_stops_no_node_and_is_named(app: App) -> None:
    async with app.parts.data.begin() as connection:
        query = select(tables.live_key).where(tables.live_key.c.kind == "lookup")
        copied = (await connection.execute(query)).one()
        for number, mac in ((7, b"m" * 32), (8, copied.mac)):
            planted = {"kind": "lookup", "number": number, "kid": 1, "mac": mac}
            await connection.execute(insert(tables.live_key).values(planted))

    await app.subscribe()

    assert await app.permission() == "granted"
    named = (await verify.verify(app.parts)).rows
    assert {"live_key lookup/7", "live_key lookup/8"} <= {one.partition(":")[0] for one in named}


async def test_verifying_there_doubts_no_row_that_it_cannot_check(app: App) -> None:
    async with beside(app) as newer:
        await newer.subscribe()
        await app.tick()

        assert (await verify.verify(app.parts)).rows == []


async def test_without_a_newer_key_of_marks_it_works_off_nothing_of_who_left_meanwhile(
    app: App,
) -> None:
    async with beside(app, kind="marks") as newer:
        await app.sign_up(BOB)
        body = {"to": {"email": BOB}, "all": True, "kind": "withdraw", "channel": "phone"}
        headers = await newer.key()
        async with newer.http.post("/v1/withdrawals", json=body, headers=headers) as answer:
            assert answer.status == 200

        with pytest.raises(KeyringBehind):
            await intake.work_off(app.parts)
        assert (await verify.verify(app.parts)).rows == []
        assert await newer.deliver() == []


async def test_without_a_newer_key_of_suppressions_it_asks_nobody(app: App) -> None:
    async with beside(app, kind="suppression") as newer:
        token = await newer.confirmation(BOB)
        await newer.http.post(f"/confirm/{token}", data={"answer": "reject"})

        async with app.http.post("/forms/signup", json=await newer.posted(BOB)) as answer:
            assert answer.status in (202, 503)  # its next look shows it the key
        with pytest.raises(KeyringBehind):
            await intake.work_off(app.parts)

        assert await about_keys(app.parts.config) == [Level.FAIL]
        assert await newer.deliver() == []
