"""Callers follow what happens to people: in order, none lost, no more than is their business."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from audit.kinds import Actor, Kind
from consent import gates
from consent.external_id_tables import external_id
from consent.stop_proofs import Restricting
from consent.telling_tables import change
from consent.trail import Trail
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.flows.rights import following
from tests.attacks.test_unseen_looks import looks, told_of
from tests.http.test_my_data import session
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.stops import stops_of

DAY = timedelta(days=1)
BOB = "bob@example.org"
Key = dict[str, str]


async def poll(app: App, key: Key, after: str | None = None, limit: int = 100) -> dict[str, Any]:
    """One answer, once everything that happened was spread."""
    await app.tick()
    asked = f"/v1/changes?limit={limit}" + ("" if after is None else f"&after={after}")
    status, said = await call(app, key, "GET", asked)
    assert status == 200, said
    return dict(said)


def kinds(said: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in said["changes"]]


async def reader(app: App, *more: Scope, **bound: Any) -> Key:
    return await app.key(Scope.CHANGES_READ, *more, **bound)


async def erase(app: App, email: str = ADA) -> None:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    status, _ = await call(app, key, "POST", "/v1/erasures", {"email": email})
    assert status == 202
    await app.tick()


async def withdraw(app: App, email: str = ADA, **said: Any) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": {"email": email}, "kind": "withdraw", "channel": "phone"} | said
    assert (await call(app, key, "POST", "/v1/withdrawals", body))[0] == 200


async def signed_up(app: App, ids: dict[str, str], email: str = ADA, *purposes: str) -> str:
    """By a back end, which calls them something; returns the token of the confirmation mail."""
    key = await app.key(Scope.SIGNUPS_CREATE)
    body = await app.posted(email, *purposes, form="signup", external_ids=ids)
    assert (await call(app, key, "POST", "/v1/signups", body))[0] == 202
    (mail,) = [one for one in await app.deliver() if one.to == email]
    return mail.token("confirm")


async def confirmed(app: App, token: str) -> None:
    answer = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    assert answer.status == 200


async def test_a_life_is_read_once_in_order_page_by_page(app: App) -> None:
    key = await reader(app)
    begun = await poll(app, key)
    assert begun["changes"] == []
    await app.subscribe(ADA, "newsletter", "updates")
    subject = await app.subject()
    assert subject is not None
    await stops_of(app.parts).restrict(subject)
    await stops_of(app.parts).lift_restriction(subject)
    await withdraw(app, purpose="updates")

    whole = await poll(app, key, begun["next"])
    one_by_one, after = [], begun["next"]
    while (page := await poll(app, key, after, limit=1))["changes"]:
        one_by_one += page["changes"]
        after = page["next"]

    stopped = ["subject.restricted", "subject.unrestricted", "consent.withdrawn"]
    assert kinds(whole) == ["consent.confirmed"] * 2 + stopped
    assert one_by_one == whole["changes"]
    names = {"change_id", "at", "kind", "subject_id", "purpose", "external_ids"}
    assert {frozenset(one) for one in one_by_one} == {frozenset(names)}
    assert {one["subject_id"] for one in one_by_one} == {subject}
    assert (await poll(app, key, whole["next"]))["changes"] == []
    assert (await poll(app, key))["changes"] == whole["changes"]


async def test_what_commits_later_with_a_smaller_number_is_not_passed_over(app: App) -> None:
    """Its number was drawn first; its place in the log, by which one reads, it gets later."""
    if app.parts.data.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    key = await reader(app)
    for email in (ADA, BOB):
        await app.subscribe(email)
    seen = await poll(app, key)
    ada, bob = await app.subject(ADA), await app.subject(BOB)
    assert ada is not None
    assert bob is not None
    staged, may_end = asyncio.Event(), asyncio.Event()

    held_up = asyncio.create_task(_restrict_slowly(app, ada, staged, may_end))
    await staged.wait()
    await stops_of(app.parts).restrict(bob)
    first = await poll(app, key, seen["next"])
    may_end.set()
    await held_up
    second = await poll(app, key, first["next"])

    assert [one["subject_id"] for one in first["changes"]] == [bob]
    assert [one["subject_id"] for one in second["changes"]] == [ada]


async def _restrict_slowly(
    app: App, subject: str, staged: asyncio.Event, may_end: asyncio.Event
) -> None:
    """Of what `Stops.restrict` writes the event, by somebody who is held up before the commit."""
    parts = app.parts
    vault = await parts.keystore.vault([subject])
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [subject])
        trail = Trail(parts.log, vault, held, parts.rows)
        now, said = await parts.clock.now(connection), Restricting("slowly")
        kind = Kind.SUBJECT_RESTRICTED
        trail.record_leaving(kind, subject, Actor.SUBJECT, now, evidence=said)
        await trail.stage(connection)
        staged.set()
        await may_end.wait()


async def test_a_bound_key_hears_of_its_purposes_and_of_who_agreed_to_them(app: App) -> None:
    bound = await reader(app, purposes=["updates"])
    elsewhere = await reader(app, senders=["other"])
    await app.subscribe(ADA, "newsletter", "updates")
    await app.subscribe(BOB)
    for email in (ADA, BOB):
        subject = await app.subject(email)
        assert subject is not None
        await stops_of(app.parts).restrict(subject)
    ada = await app.subject()

    seen = await poll(app, bound)

    assert kinds(seen) == ["consent.confirmed", "subject.restricted"]
    assert {one["subject_id"] for one in seen["changes"]} == {ada}
    assert kinds(await poll(app, elsewhere)) == []
    await erase(app, BOB)
    assert kinds(await poll(app, bound, seen["next"])) == ["subject.erased"]


async def test_a_bound_key_is_led_past_what_is_not_its_business(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_AT_ONCE", 1)
    monkeypatch.setattr(following, "_LOOKED_AT", 2)
    bound = await reader(app, purposes=["updates"])
    for number in range(3):
        await app.subscribe(f"other{number}@example.org")
    await app.subscribe(ADA, "newsletter", "updates")

    first = await poll(app, bound)
    second = await poll(app, bound, first["next"])
    third = await poll(app, bound, second["next"])

    assert [len(one["changes"]) for one in (first, second, third)].count(0) >= 1
    heard = [*first["changes"], *second["changes"], *third["changes"]]
    assert [one["purpose"] for one in heard] == ["updates"]


async def test_an_address_is_released_to_who_may_and_the_log_holds_it_first(app: App) -> None:
    plain, may = await reader(app), await reader(app, Scope.CHANGES_ADDRESSES)
    await app.subscribe()

    without, told = await poll(app, plain), await poll(app, may)
    nothing_new = await poll(app, may, told["next"])

    assert "email" not in without["changes"][0]
    assert [one["email"] for one in told["changes"]] == [ADA]
    assert nothing_new["changes"] == []
    events = await looks(app, Kind.ADDRESSES_RELEASED)
    assert [one.batch and one.batch.count for one in events] == [1]
    assert events[0].refs["api_key"].startswith("key_")
    (said,) = await told_of(app, Kind.ADDRESSES_RELEASED)
    assert said["change"] == told["changes"][0]["change_id"]
    await erase(app)
    last = await poll(app, may, told["next"])
    assert kinds(last) == ["consent.withdrawn", "subject.erased"]
    assert "email" not in repr(last)
    assert len(await looks(app, Kind.ADDRESSES_RELEASED)) == 1
    await app.tick()
    assert (await verify(app.parts)).ok


async def test_rows_that_nobody_of_ours_wrote_are_told_to_nobody_and_hide_nothing(
    app: App,
) -> None:
    key = await reader(app)
    await app.subscribe()
    begun = await poll(app, key)
    async with app.parts.data.begin() as connection:
        honest = dict((await connection.execute(select(change))).one()._mapping)
        await connection.execute(
            insert(change),
            [
                honest | {"id": "chg_future", "eid": b"f" * 16, "place": 1 << 61},
                honest | {"id": "chg_0", "eid": b"0" * 16, "kind": "subject.erased"},
                honest | {"id": "chg_z", "eid": b"z" * 16},
            ],
        )
        await connection.execute(insert(change), [_crowd(honest, n) for n in range(5)])

    assert (await poll(app, key, limit=1))["changes"] == begun["changes"]
    caught_up = await poll(app, key, begun["next"], limit=2)
    assert caught_up["changes"] == []
    await withdraw(app, purpose="newsletter")
    assert kinds(await poll(app, key, caught_up["next"], limit=1)) == ["consent.withdrawn"]
    async with app.parts.data.begin() as connection:
        mine = change.c.id == honest["id"]
        await connection.execute(update(change).where(mine).values(kind="consent.withdrawn"))
    assert kinds(await poll(app, key)) == ["consent.withdrawn"]


def _crowd(honest: dict[str, Any], number: int) -> dict[str, Any]:
    """In front of everything."""
    return honest | {"id": f"chg_c{number}", "eid": bytes([number]) * 16, "place": -number}


async def test_a_cursor_is_ours_and_not_older_than_what_is_kept(app: App) -> None:
    key = await reader(app)
    after = (await poll(app, key))["next"]

    for wrong in ("1_AAAA", "9" + after, "nonsense", after[:-8] + "AAAAAAAA"):
        status, problem = await call(app, key, "GET", f"/v1/changes?after={wrong}")
        assert (status, problem["errors"][0]["pointer"]) == (422, "/after"), wrong
    app.step(29 * DAY)
    renewed = (await poll(app, key, after))["next"]
    app.step(2 * DAY)
    status, problem = await call(app, key, "GET", f"/v1/changes?after={after}")
    assert status == 422
    assert "30 days" in problem["errors"][0]["detail"]
    assert (await poll(app, key, renewed))["changes"] == []


async def test_without_the_scope_nobody_follows(app: App) -> None:
    key = await app.key(Scope.CHANGES_ADDRESSES)

    assert (await call(app, key, "GET", "/v1/changes"))[0] == 403


async def test_what_a_caller_calls_somebody_is_told_once_they_confirmed(app: App) -> None:
    key = await reader(app)
    token = await signed_up(app, {"crm": "4711", "shop": "a/b:9"})
    subject = await app.subject()
    assert subject is not None
    await stops_of(app.parts).restrict(subject)
    before = await poll(app, key)
    await stops_of(app.parts).lift_restriction(subject)

    await confirmed(app, token)
    await withdraw(app, purpose="newsletter")

    assert [one["external_ids"] for one in before["changes"]] == [{}]
    after = (await poll(app, key, before["next"]))["changes"]
    assert [one["kind"] for one in after][1:] == ["consent.confirmed", "consent.withdrawn"]
    assert [one["external_ids"] for one in after] == [{"crm": "4711", "shop": "a/b:9"}] * 3
    await erase(app)
    gone = (await poll(app, key))["changes"]
    assert gone[-1]["kind"] == "subject.erased"
    assert {str(one["external_ids"]) for one in gone} == {"{}"}
    assert await _kept(app) == 0


async def test_by_purpose_they_are_called_and_the_newest_request_counts(app: App) -> None:
    key, bound = await reader(app), await reader(app, purposes=["updates"])
    await confirmed(app, await signed_up(app, {"crm": "1"}, ADA, "newsletter"))
    await confirmed(app, await signed_up(app, {"crm": "2", "shop": "s"}, ADA, "updates"))
    await withdraw(app, purpose="newsletter")
    app.step(8 * DAY)  # for the third mail
    await confirmed(app, await signed_up(app, {"crm": "3"}, ADA, "newsletter"))
    subject = await app.subject()
    assert subject is not None
    await stops_of(app.parts).restrict(subject)

    told = (await poll(app, key))["changes"]
    bound_told = (await poll(app, bound))["changes"]

    by_purpose = {one["purpose"]: one["external_ids"] for one in told}
    assert by_purpose["newsletter"] == {"crm": "3"}
    assert by_purpose["updates"] == {"crm": "2", "shop": "s"}
    assert by_purpose[None]["shop"] == "s"
    assert [one["external_ids"] for one in bound_told] == [{"crm": "2", "shop": "s"}] * 2


async def test_nobody_who_writes_rows_calls_anybody_anything(app: App) -> None:
    key = await reader(app)
    await confirmed(app, await signed_up(app, {"crm": "ada"}))
    await signed_up(app, {"crm": "waits"}, ADA, "updates")
    await confirmed(app, await signed_up(app, {"crm": "bob"}, BOB))
    async with app.parts.data.begin() as connection:
        rows = (await connection.execute(select(external_id))).all()
        ada = await _row_of(app, rows, ADA, "newsletter")
        bob = await _row_of(app, rows, BOB, "newsletter")
        waits = await _row_of(app, rows, ADA, "updates")
        this = external_id.c.consent
        moved = update(external_id).where(this == ada.consent).values(sealed=bob.sealed)
        await connection.execute(moved)
        settled = update(external_id).where(this == waits.consent).values(state="settled")
        await connection.execute(settled)

    told = (await poll(app, key))["changes"]

    assert [one["external_ids"] for one in told] == [{}, {"crm": "bob"}]


async def _row_of(app: App, rows: Any, email: str, purpose: str) -> Any:
    subject = await app.subject(email)
    (found,) = [one for one in rows if (one.subject, one.purpose) == (subject, purpose)]
    return found


async def test_they_go_a_month_after_what_they_came_with_ended(app: App) -> None:
    await confirmed(app, await signed_up(app, {"crm": "1"}))
    await signed_up(app, {"crm": "2"}, BOB)
    rules = RetentionRules(app.parts)
    assert await rules.external_ids() == 0
    app.step(4 * DAY)  # nobody confirmed the second
    await app.tick()

    assert await rules.external_ids() == 1
    await withdraw(app, purpose="newsletter")
    app.step(29 * DAY)
    assert await rules.external_ids() == 0
    app.step(2 * DAY)
    assert await rules.external_ids() == 1
    assert await _kept(app) == 0


async def test_people_see_what_they_are_called_and_so_does_who_answers_for_the_data(
    app: App,
) -> None:
    await confirmed(app, await signed_up(app, {"crm": "4711"}))
    await signed_up(app, {"crm": "waits"}, ADA, "updates")
    key, subject = await app.key(Scope.SUBJECTS_READ), await app.subject()

    cookies = await session(app)
    page = await (await app.http.get("/my-data", headers=cookies)).text()
    path, why = f"/v1/subjects/{subject}/dossier", {"Access_Reason": "asked"}
    _, dossier = await call(app, key, "GET", path, **why)

    assert "Identifier in “crm”" in page
    assert "4711" in page
    assert "waits" not in page
    assert sorted(one["crm"] for one in dossier["external_ids"].values()) == ["4711", "waits"]


async def _kept(app: App) -> int:
    async with app.parts.data.read() as connection:
        return len((await connection.execute(select(external_id))).all())


@pytest.mark.parametrize(
    "ids",
    [
        {"crm": "ada@example.org"},
        {"crm": "two words"},
        {"crm": ""},
        {"crm": "x" * 129},
        {"CRM": "1"},
        {f"n{number}": "1" for number in range(11)},
        {"crm": 7},
    ],
    ids=str,
)
async def test_what_is_an_address_or_too_much_is_refused(
    embedded: App, ids: dict[str, Any]
) -> None:
    key = await embedded.key(Scope.SIGNUPS_CREATE)
    body = await embedded.posted(form="signup", external_ids=ids)

    (status, problem) = await call(embedded, key, "POST", "/v1/signups", body)

    assert status == 422
    assert problem["errors"][0]["pointer"].startswith("/external_ids")


async def test_a_public_form_names_nobody_so(embedded: App) -> None:
    body = await embedded.posted(external_ids={"crm": "1"})

    answer = await embedded.http.post("/forms/signup", json=body)

    assert answer.status == 422
