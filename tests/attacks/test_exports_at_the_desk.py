"""What somebody gets by ending a process, writing rows or racing while the desk takes out data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.callers import desk_exports
from gateway.callers.desk_exports import Job, State
from gateway.callers.operators import Role
from gateway.flows.desk import fetching, making
from gateway.flows.desk.fetching import DeskExports, Wanted
from gateway.flows.desk.sitting import Operator
from gateway.flows.errors import NotNow
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports
from gateway.flows.proving.verify import verify
from gateway.flows.rights.handing_out import HandingOut
from gateway.process import duties
from gateway.schema.tables import desk_export, desk_export_piece
from storage.database import Database
from storage.errors import StorageAway
from tests.http.test_dpo import WHY, enter_all, id_of, sit
from tests.http.test_dpo_exports import erase, job_of, maker, shown
from tests.http.test_dpo_log import exported
from tests.support.apps import App, open_app
from tests.support.databases import Databases
from tests.support.desk_exports import make, newest, taken


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        await enter_all(opened)
        await opened.subscribe()
        await opened.tick()
        yield opened


async def directly(work: Any) -> Any:
    return work()


class CutOff:
    """A database whose connection is lost behind the commit of one of its transactions."""

    def __init__(self, data: Database, after: int) -> None:
        self._data = data
        self.left = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._data.begin() as connection:
            yield connection
        self.left -= 1
        if self.left <= 0:
            raise StorageAway("data")


async def test_whoever_is_cut_off_behind_any_commit_leaves_a_file_that_opens(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting, facts = await sit(app), {"until": "2026-01-01", "format": "csv"}
    whole = await (await taken(sitting, "/dpo/log/export", **facts)).read()
    monkeypatch.setattr(making, "PIECE", (len(whole) + 2) // 3)
    found, states = [], []
    for after in range(1, 20):
        app.step(timedelta(minutes=1))  # the newest is found by its moment
        await sitting.post("/dpo/log/export", **facts)
        data: Any = CutOff(app.parts.data, after)

        try:
            await replace(maker(app), data=data).work_off()
        except StorageAway:
            states.append((await job_of(app)).state)
        app.step(timedelta(minutes=5))
        await make(app)
        name = await newest(sitting)
        found.append(await (await sitting.post("/dpo/exports", do="fetch", export=name)).read())
        if data.left > 0:
            break

    assert len(states) == 6 and states[-1] == desk_exports.State.READY
    assert found == [whole] * len(found)


@pytest.mark.parametrize(
    "name",
    ["1-0123456789abcdef", "ada@example.com was read", "", None],
    ids=["of another export", "words", "nothing", "none"],
)
async def test_the_log_tells_of_no_export_but_the_one_that_is_handed_over(
    app: App, name: str | None
) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    async with app.parts.data.begin() as connection:
        await connection.execute(update(desk_export).values(name=name))

    answer = await sitting.post("/dpo/exports", do="fetch", export=await newest(sitting))
    page = await shown(sitting)

    assert (answer.status, await exported(app)) == (410, [])
    assert "It could not be made." in page and 'value="again"' in page
    assert (await job_of(app)).pieces == 0


@pytest.mark.parametrize("killed", [False, True], ids=["away", "killed"])
async def test_a_file_that_could_not_be_told_of_can_be_fetched_later(
    app: App, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    sitting, tell = await sit(app), Exports.tell_named
    await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    name = await newest(sitting)

    async def away(self: Exports, *told: Any) -> None:
        if killed:  # nothing of ours runs behind it
            monkeypatch.setattr(desk_exports, "unclaim", nothing)
        raise StorageAway("data")

    async def nothing(*_: Any) -> None:
        pass

    monkeypatch.setattr(Exports, "tell_named", away)
    first = await sitting.post("/dpo/exports", do="fetch", export=name)
    monkeypatch.setattr(Exports, "tell_named", tell)
    if killed:
        app.step(desk_exports.LEASE)
    second = await sitting.post("/dpo/exports", do="fetch", export=name)

    assert (first.status, second.status) == (503, 200)
    assert (await second.read()).startswith(b"{") and len(await exported(app)) == 1


async def test_of_who_is_erased_while_their_export_is_asked_for_no_row_is_left(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting, subject = await sit(app), await app.subject() or ""
    add, tell = desk_exports.add, HandingOut.tell

    async def told(self: HandingOut, whose: str, asked: Any) -> bool:
        did = await tell(self, whose, asked)
        await erase(app, subject)
        return did

    monkeypatch.setattr(HandingOut, "tell", told)
    answer = await sitting.post("/dpo/log/person", subject=subject, why=WHY, format="jsonl")
    async with app.parts.data.begin() as connection:
        left = (await connection.execute(select(desk_export))).all()
        # As a gateway that did not look again wrote it.
        now, wanted = app.parts.clock.wall(), Wanted(Form.JSONL, "en", subject=subject).write()
        late = Job("exp_late", await id_of(app), subject, b"sealed", wanted, now)
        await add(connection, app.parts.rows, late)
    await make(app)
    row = await job_of(app)

    assert (answer.status, left) == (404, [])
    assert (row.state, row.subject, row.why) == ("failed", None, None)
    assert (await verify(app.parts)).rows == []


async def test_who_asks_many_times_directly_or_behind_many_others_has_four_that_stand(
    app: App,
) -> None:
    sitting, who = await sit(app), await id_of(app)
    async with app.parts.data.begin() as connection:
        for n in range(fetching.SHOWN):  # newer than all that stand
            wanted = Wanted(Form.JSONL, "en").write()
            at = app.parts.clock.wall() + timedelta(hours=1)
            late = Job(f"exp_{n}", who, None, None, wanted, at, State.CANCELLED)
            await desk_exports.add(connection, app.parts.rows, late)

    asked = [sitting.post("/dpo/log/export", format="jsonl") for _ in range(8)]
    answers = sorted([one.status for one in await asyncio.gather(*asked)])
    more = await sitting.post("/dpo/log/export", format="jsonl")

    assert (answers, more.status) == ([303] * 4 + [409] * 4, 409)


async def test_room_that_ends_while_somebody_asks_is_not_taken(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting, subject = await sit(app), await app.subject() or ""
    await sitting.post("/dpo/log/export", format="jsonl")
    tell = HandingOut.tell

    async def told(self: HandingOut, whose: str, asked: Any) -> bool:
        async with app.parts.data.begin() as connection:  # somebody else's was made
            await connection.execute(update(desk_export).values(size=fetching.ROOM))
        return await tell(self, whose, asked)

    monkeypatch.setattr(HandingOut, "tell", told)
    answer = await sitting.post("/dpo/log/person", subject=subject, why=WHY, format="jsonl")

    assert answer.status == 409


async def test_what_always_ends_its_maker_is_given_up_and_keeps_nobody_waiting(app: App) -> None:
    sitting, kills = await sit(app), 0
    await sitting.post("/dpo/log/export", format="pdf")

    async def away(*_: Any) -> bytes:
        raise StorageAway("keys")

    while kills < 10:
        try:
            await maker(app, away).work_off()
        except StorageAway:
            kills += 1
            async with app.parts.data.begin() as connection:  # as a process that ends leaves it
                gone = {
                    "state": State.MAKING,
                    "maker": "mkr_gone",
                    "lease_until": app.parts.clock.wall(),
                }
                await connection.execute(update(desk_export).values(gone))
        else:
            break
    row = await job_of(app)

    assert (kills, row.state, row.reason) == (5, State.FAILED, "fault")


async def test_a_store_that_is_away_for_some_minutes_ends_no_export(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="pdf")

    async def away(*_: Any) -> bytes:
        raise StorageAway("keys")

    for _ in range(20):
        with suppress(StorageAway):
            await maker(app, away).work_off()
        app.step(timedelta(seconds=15))
    await make(app)
    app.step(timedelta(minutes=10))
    await make(app)

    assert (await job_of(app)).state == State.READY


async def test_a_paper_that_finds_the_typesetter_busy_lets_others_go_first(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="pdf")
    app.step(timedelta(seconds=1))
    await sitting.post("/dpo/log/export", format="jsonl")

    async def busy(*_: Any) -> bytes:
        raise NotNow

    for _ in range(2):
        await maker(app, busy).work_off()
    newest_one = await job_of(app)
    parked = await maker(app, busy).work_off()
    app.step(timedelta(seconds=10))
    await make(app)
    page = await shown(sitting)

    assert (newest_one.state, parked) == (State.READY, 0)
    assert page.count("Is ready") == 2


async def many_pieces(app: App, name: str, state: State) -> None:
    """An export of many pieces, of whatever is in them."""
    who, now = await id_of(app), app.parts.clock.wall() + timedelta(seconds=1)
    wanted = Wanted(Form.JSONL, "en").write()
    job = Job(name, who, None, None, wanted, now, state, ended_at=now)
    job = replace(job, name="1-0123456789abcdef", pieces=40, size=40)
    rows = [{"export": name, "n": n, "sealed": b"x"} for n in range(40)]
    async with app.parts.data.begin() as connection:
        await desk_exports.add(connection, app.parts.rows, job)
        await connection.execute(insert(desk_export_piece), rows)


async def kept(app: App) -> dict[str, int]:
    pieces = desk_export_piece
    query = select(pieces.c.export, func.count()).group_by(pieces.c.export)
    async with app.parts.data.read() as connection:
        return {name: n for name, n in await connection.execute(query)}


async def test_a_large_export_is_deleted_little_by_little_so_that_nobody_waits_for_it(
    app: App,
) -> None:
    sitting = await sit(app)
    await many_pieces(app, "exp_a", State.READY)
    await many_pieces(app, "exp_b", State.READY)
    (duty,) = [one for one in duties.of(app.parts) if one.name == "exports that ended"]

    await sitting.post("/dpo/exports", do="cancel", export="exp_a")
    left = [await kept(app)]
    while await duty.run():
        left.append(await kept(app))

    assert left == [{"exp_a": n, "exp_b": 40} for n in (24, 8)] + [{"exp_b": 40}]


async def test_what_is_begun_anew_has_none_of_the_many_pieces_of_before(app: App) -> None:
    sitting = await sit(app)
    await many_pieces(app, "exp_a", State.WAITS)

    await make(app)
    left = await kept(app)
    fetched = await sitting.post("/dpo/exports", do="fetch", export="exp_a")

    assert left == {"exp_a": 1} and (await fetched.read()).startswith(b"{")


async def test_who_reads_slowly_keeps_what_they_read_and_who_went_does_not(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PIECE", 1024)
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    (duty,) = [one for one in duties.of(app.parts) if one.name == "exports that ended"]
    parts, row = app.parts, await job_of(app)
    exports = DeskExports(
        *(parts.data, parts.keystore, parts.clock, parts.rows),
        HandingOut(parts, directly),
        Exports(parts, directly),
    )
    who = Operator(row.operator, "privacy-1", Role.DPO, None)  # type: ignore[arg-type]  # not asked

    job = await exports.fetch(who, row.id)
    assert job is not None
    size = 0
    async for one in exports.pieces(job):
        size += len(one)
        app.step(timedelta(minutes=2))
        async with parts.data.begin() as connection:
            await desk_exports.forget(connection, parts.clock.wall())
    async with parts.data.read() as connection:
        whole = (await connection.execute(select(desk_export.c.size))).scalar_one()
    app.step(desk_exports.HANDING)
    while await duty.run():
        pass

    assert row.pieces > 4 and (size, await kept(app)) == (whole, {})
