"""By SQL, while people get rows under the next look-up key: nobody becomes somebody else by it.

Whoever writes rows knows none of the keys. They can copy hashes and rows that they saw, from
before an erasure or a change too, and wait for a rotation to make honest rows of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from consent import personal, tables
from consent.keys import blind
from gateway.flows.keeping import reindexing
from gateway.flows.proving import verify
from tests.support.apps import ADA, App
from tests.support.rotations import Node, set_states

BOB, CLEO = "bob@example.org", "cleo@example.org"
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
pytestmark = SELDOM_ON_BOTH
index, subject = tables.subject_index, tables.subject

Row = dict[str, Any]


async def rows(app: App, who: str | None = None, kid: int | None = None) -> list[Row]:
    query = select(index) if who is None else select(index).where(index.c.subject == who)
    async with app.parts.data.read() as connection:
        found = await connection.execute(query if kid is None else query.where(index.c.kid == kid))
        return [dict(row._mapping) for row in found]


async def put(app: App, *planted: Row) -> None:
    """In the place of whatever has that hash and key."""
    async with app.parts.data.begin() as connection:
        for row in planted:
            there = (index.c.kid == row["kid"], index.c.hash == row["hash"])
            await connection.execute(delete(index).where(*there))
            await connection.execute(insert(index), row)


async def subscribed(app: App, *emails: str) -> list[str]:
    for email in emails:
        await app.subscribe(email)
    found = [await app.subject(email) for email in emails]
    return [one for one in found if one is not None]


async def reindexed(app: App) -> None:
    """A second key is begun, and goes as far as it can now."""
    node = Node(app)
    await node.keep()
    assert await node.sets.begin("lookup") == 2
    await node.keep()  # it says that it holds it
    while await node.keep():
        pass
    assert await set_states(app, "lookup") == {1: "retiring", 2: "active"}


async def who_has(app: App, email: str) -> tuple[str, bool] | None:
    async with app.parts.data.read() as connection:
        found = (await app.parts.lookup.find(connection, [email])).get(email)
    return None if found is None else (found.subject, found.honest)


async def erase(app: App, email: str) -> None:
    key = await app.key()
    async with app.http.post("/v1/erasures", json={"email": email}, headers=key) as answer:
        assert answer.status == 202
    await app.tick()


async def test_rows_that_are_made_to_swap_two_people_swap_nobody(app: App) -> None:
    ada, bob = await subscribed(app, ADA, BOB)
    (of_ada,), (of_bob,) = await rows(app, ada), await rows(app, bob)
    await put(app, of_ada | {"subject": bob}, of_bob | {"subject": ada})

    await reindexed(app)

    assert await rows(app, kid=2) == []  # an altered row is nobody's word
    for email in (ADA, BOB):
        found = await who_has(app, email)
        assert found is not None
        assert not found[1]
        assert await app.permission(email) != "granted"
    named = (await verify.verify(app.parts)).rows
    assert len([one for one in named if one.startswith("subject_index ")]) == 2, named

    await put(app, of_ada, of_bob)  # and what was put right is gone on with
    assert (await who_has(app, ADA), await who_has(app, BOB)) == ((ada, True), (bob, True))


async def test_addresses_that_are_made_to_swap_two_people_swap_nobody(app: App) -> None:
    ada, bob = await subscribed(app, ADA, BOB)
    async with app.parts.data.begin() as connection:
        query = select(subject.c.id, subject.c.address).where(subject.c.id.in_([ada, bob]))
        sealed = {row.id: row.address for row in await connection.execute(query)}
        for one, other in ((ada, bob), (bob, ada)):
            theirs = update(subject).where(subject.c.id == one)
            await connection.execute(theirs.values(address=sealed[other]))

    await reindexed(app)

    assert await rows(app, kid=2) == []
    assert (await who_has(app, ADA), await who_has(app, BOB)) == ((ada, True), (bob, True))


async def test_a_hash_that_was_copied_under_the_next_key_finds_nobody(app: App) -> None:
    ada, bob = await subscribed(app, ADA, BOB)
    (of_ada,), (of_bob,) = await rows(app, ada), await rows(app, bob)
    await put(app, of_ada | {"kid": 2}, of_bob | {"kid": 2, "subject": ada})

    await reindexed(app)

    assert (await who_has(app, ADA), await who_has(app, BOB)) == ((ada, True), (bob, True))
    copied = (of_ada["hash"], of_bob["hash"])
    theirs = [row["subject"] for row in await rows(app, kid=2) if row["hash"] not in copied]
    assert sorted(theirs) == sorted([ada, bob])
    named = (await verify.verify(app.parts)).rows
    assert len([one for one in named if one.startswith("subject_index ")]) == 2, named


async def test_an_erased_person_s_own_row_brings_nobody_back(app: App) -> None:
    """It is honest: a gateway wrote it, before the erasure."""
    ada, bob = await subscribed(app, ADA, BOB)
    kept = await rows(app, ada)
    await erase(app, ADA)
    assert await rows(app, ada) == []
    await put(app, *kept)

    await reindexed(app)

    assert await rows(app, ada, kid=2) == []
    assert [row["subject"] for row in await rows(app, kid=2)] == [bob]
    assert await app.permission(ADA) != "granted"


async def test_an_erased_person_s_row_in_the_place_of_who_came_after_them_is_not_gone_on_with(
    app: App,
) -> None:
    (ada,) = await subscribed(app, ADA)
    kept = await rows(app, ada)
    await erase(app, ADA)
    app.step(timedelta(days=1))
    (again,) = await subscribed(app, ADA)
    assert again != ada
    await put(app, *kept)

    await reindexed(app)

    assert await rows(app, ada, kid=2) == []
    assert await app.permission(ADA) != "granted"  # the erased one's word, which permits nothing
    named = (await verify.verify(app.parts)).rows
    assert named, "whoever lost their row is named"


async def test_a_row_from_before_somebody_moved_does_not_give_their_old_address_back(
    app: App,
) -> None:
    """As whoever has it now would be admitted as them."""
    ada, bob = await subscribed(app, ADA, BOB)
    (of_ada,), (of_bob,) = await rows(app, ada), await rows(app, bob)
    parts = app.parts
    async with parts.data.begin() as connection:  # Ada has another address, and nobody Bob's
        await connection.execute(delete(index).where(index.c.subject.in_([ada, bob])))
        await parts.lookup.add(connection, {ada: CLEO})
    vault = await parts.keystore.vault([ada])
    async with parts.data.begin() as connection:
        sealed = personal.seal_mailbox(ada, CLEO, vault)
        theirs = update(subject).where(subject.c.id == ada)
        await connection.execute(theirs.values(address=sealed))
    await put(app, of_ada, of_bob | {"subject": bob})

    await reindexed(app)

    assert len(await rows(app, ada, kid=2)) <= 1
    hashes = [row["hash"] for row in await rows(app, kid=2)]
    assert of_ada["hash"] not in hashes
    new = parts.keyring.lookup.get(2)
    assert new is not None
    assert blind.blind_index(new, ADA) not in hashes


async def test_a_crowd_of_planted_rows_keeps_nobody_from_being_found(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "_AT_ONCE", 5)
    ada, bob = await subscribed(app, ADA, BOB)
    (of_ada,) = await rows(app, ada)
    crowd = [of_ada | {"hash": bytes([n]) * 16, "kid": 1 + n % 2} for n in range(60)]
    await put(app, *crowd)

    await reindexed(app)

    assert (await who_has(app, ADA), await who_has(app, BOB)) == ((ada, True), (bob, True))
    planted = {row["hash"] for row in crowd}
    new = [row for row in await rows(app, kid=2) if row["hash"] not in planted]
    assert sorted(row["subject"] for row in new) == sorted([ada, bob])
