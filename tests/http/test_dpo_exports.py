"""Exports at the desk: made aside, seen to go on, fetched once by who asked; told each time."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from sqlalchemy import select, update

from audit.export.selection import Passed
from audit.kinds import Actor, Kind
from gateway.callers import desk_exports, visits
from gateway.callers.desk_exports import Job, State
from gateway.flows.desk import fetching, making
from gateway.flows.desk.making import Making
from gateway.flows.errors import PersonEnded, TooLong
from gateway.flows.proving.exports import Exports
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.http import typesetter
from gateway.schema.tables import desk_export, desk_export_piece
from tests.http.test_dpo import ADMIN, AUDITOR, WHY, Sitting, enter, enter_all, id_of, looks, sit
from tests.http.test_dpo_log import exported
from tests.support.apps import App, open_app, staff_of, start_app
from tests.support.databases import Databases
from tests.support.desk_exports import ids, make, newest, taken


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        await opened.tick()
        yield opened


async def pieces(app: App) -> list[bytes]:
    """What is kept of all of them."""
    query = select(desk_export_piece.c.sealed).order_by(desk_export_piece.c.n)
    async with app.parts.data.read() as connection:
        return [bytes(row[0]) for row in await connection.execute(query)]


async def job_of(app: App) -> Any:
    """The row of the newest."""
    query = select(desk_export).order_by(desk_export.c.asked_at.desc()).limit(1)
    async with app.parts.data.read() as connection:
        return (await connection.execute(query)).one()


async def shown(sitting: Sitting) -> str:
    return await (await sitting.get("/dpo/exports")).text()


async def begun(app: App, kept: int = 0) -> None:
    """Wait until it is being made, and so many pieces are kept."""
    async with asyncio.timeout(60):
        while (row := await job_of(app)).whole == 0 or row.pieces < kept:  # noqa: ASYNC110 rows tell nobody
            await asyncio.sleep(0.005)


def maker(app: App, paper: Any = None, **more: Any) -> Making:
    """What makes them in a process, with a paper of the test's own."""
    parts = app.parts

    def exports(passed: Passed) -> Exports:
        return Exports(parts, _at_once, passed)

    stores = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
    return Making(*stores, exports, paper or _no_paper, **more)


async def _at_once(work: Any) -> Any:
    return work()


async def _no_paper(*_: Any) -> bytes:
    raise AssertionError("nobody asked for a paper")


async def erase(app: App, subject: str) -> None:
    asked = Request(Question("", subject=subject), Actor.OPERATOR, "phone")
    await Erasures(Erasing(app.parts)).erase(asked)
    await Erasing(app.parts).finish([subject])


async def test_an_export_is_made_aside_and_fetched_once_which_is_told_once(app: App) -> None:
    sitting, facts = await sit(app), {"scope": "authority", "case": "17/2026", "format": "csv"}

    begun = await sitting.post("/dpo/log/export", **facts)
    waiting = await sitting.get("/dpo/exports")
    before = await exported(app)
    await make(app)
    ready = await sitting.get("/dpo/exports")
    name = await newest(sitting)
    fetched = await sitting.post("/dpo/exports", do="fetch", export=name)
    files = zipfile.ZipFile(io.BytesIO(await fetched.read())).namelist()
    second = await sitting.post("/dpo/exports", do="fetch", export=name)
    said = await second.text()

    assert (begun.status, begun.headers["Location"]) == (303, "/dpo/exports?locale=en")
    assert (
        "Waits for its turn." in await waiting.text()
        and "url=/dpo/exports?locale=en" in waiting.headers["Refresh"]
    )
    assert "Is ready, and is kept until" in await ready.text() and "Refresh" not in ready.headers
    assert before == []
    assert (fetched.status, fetched.content_type) == (200, "application/zip")
    assert fetched.headers["Content-Disposition"] == 'attachment; filename="audit.csv.zip"'
    assert any(one.endswith(".csv") for one in files)
    assert second.status == 410 and "This file was fetched" in said and "by privacy-1" in said
    assert 'value="again"' in said and await pieces(app) == []
    (told,) = await exported(app)
    assert {"operator": await id_of(app), "case": "17/2026"}.items() <= told.refs.items()
    assert (await verify(app.parts)).rows == []


async def test_who_has_nothing_to_make_waits_for_nobody_who_writes(app: App) -> None:
    """And keeps nobody waiting: on SQLite one writes at a time."""
    async with app.parts.data.begin() as connection, asyncio.timeout(60):
        await app.parts.clock.now(connection)

        assert await maker(app).work_off() == 0


async def test_a_page_that_may_stay_as_it_is_does_not_look_again_by_itself(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")

    still = await sitting.get("/dpo/exports?still=yes")

    assert "Refresh" not in still.headers and "This page stays as it is." in await still.text()


async def test_a_page_that_asks_for_itself_again_keeps_no_session_alive(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")

    for _ in range(3):
        app.step(visits.IDLE / 2 - timedelta(seconds=1))
        last = await sitting.get("/dpo/exports")

    assert (last.status, last.headers["Location"]) == (303, "/dpo/")


async def test_nobody_gets_or_learns_of_the_export_of_another_operator(app: App) -> None:
    sitting, other, admin = await sit(app), await sit(app, AUDITOR), await sit(app, ADMIN)
    await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    name = await newest(sitting)

    answers = [
        await one.post("/dpo/exports", do=act, export=asked)
        for one in (other, admin)
        for asked in (name, "exp_" + "0" * 26)
        for act in ("fetch", "cancel", "again")
    ]
    listed = await shown(other)

    assert [one.status for one in answers] == [404] * 6 + [403] * 6
    assert len({await one.text() for one in answers[:6]}) == 1
    assert ids(listed) == [] and "You asked for none" in listed
    assert await exported(app) == []
    own = await sitting.post("/dpo/exports", do="fetch", export=name)
    assert (own.status, (await own.read())[:1]) == (200, b"{")


async def test_of_two_who_fetch_at_once_one_gets_it(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    name = await newest(sitting)

    answers = await asyncio.gather(
        *(sitting.post("/dpo/exports", do="fetch", export=name) for _ in range(5))
    )

    assert [await one.read() for one in answers]
    assert sorted(one.status for one in answers) == [200, 410, 410, 410, 410]
    assert len(await exported(app)) == 1


async def test_a_persons_is_told_when_it_is_asked_for_and_when_it_is_fetched(app: App) -> None:
    sitting, subject = await sit(app), await app.subject() or ""

    without = await sitting.post("/dpo/log/person", subject=subject, format="jsonl")
    await sitting.post("/dpo/log/person", subject=subject, why=WHY, format="jsonl")
    asked = len(await looks(app))
    await make(app)
    made = len(await looks(app))
    name = await newest(sitting)
    fetched = await sitting.post("/dpo/exports", do="fetch", export=name)

    assert (without.status, asked, made) == (422, 1, 1)
    assert b"consent.confirmed" in await fetched.read()
    found = await looks(app)
    assert [(one["why"], one["operator"]) for _, one in found] == [(WHY, "privacy-1")] * 2
    assert WHY.encode() not in b"".join(await pieces(app))


@pytest.mark.parametrize("made", [True, False], ids=["made", "asked for"])
async def test_of_who_is_erased_meanwhile_nothing_is_handed_over(app: App, made: bool) -> None:
    sitting, subject = await sit(app), await app.subject() or ""
    await sitting.post("/dpo/log/person", subject=subject, why=WHY, format="bundle")
    name = await newest(sitting)
    if made:
        await make(app)
    assert bool(await pieces(app)) == made

    await erase(app, subject)
    await make(app)
    page = await shown(sitting)
    answer = await sitting.post("/dpo/exports", do="fetch", export=name)
    again = await sitting.post("/dpo/exports", do="again", export=name)

    assert "The person was erased meanwhile" in page and 'value="again"' not in page
    assert (answer.status, again.status) == (410, 404)
    row = await job_of(app)
    assert (row.subject, row.why, await pieces(app)) == (None, None, [])
    assert (await verify(app.parts)).rows == []


async def test_of_who_is_erased_while_it_is_handed_over_no_more_comes(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PIECE", 64)
    sitting, subject = await sit(app), await app.subject() or ""
    await sitting.post("/dpo/log/person", subject=subject, why=WHY, format="jsonl")
    await make(app)
    row = await job_of(app)
    job = Job(**{name: row._mapping[name] for name in desk_exports._COLUMNS})
    parts, found = app.parts, []
    job = replace(job, lease_until=parts.clock.wall() + desk_exports.HANDING)
    exports = fetching.DeskExports(parts.data, parts.keystore, parts.clock, parts.rows, *[None] * 2)  # type: ignore[arg-type]  # neither is asked

    with pytest.raises(PersonEnded):
        async for one in exports.pieces(job):
            found.append(one)
            if len(found) == 2:
                await erase(app, subject)

    assert len(found) == 2


async def test_a_piece_that_was_moved_or_cut_off_is_not_handed_over(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PIECE", 1024)
    sitting = await sit(app)
    for change in ("cut", "moved"):
        await sitting.post("/dpo/log/export", format="jsonl")
        await make(app)
        row = await job_of(app)
        assert row.pieces > 3
        async with app.parts.data.begin() as connection:
            this = desk_export.c.id == row.id
            if change == "cut":
                await connection.execute(
                    update(desk_export).where(this).values(pieces=2, size=2048)
                )
            else:
                piece = desk_export_piece
                (first,) = (
                    await connection.execute(
                        select(piece.c.sealed).where(piece.c.export == row.id, piece.c.n == 0)
                    )
                ).scalars()
                moved = update(piece).where(piece.c.export == row.id, piece.c.n == 1)
                await connection.execute(moved.values(sealed=first))

        with pytest.raises(ClientPayloadError):
            await (await sitting.post("/dpo/exports", do="fetch", export=row.id)).read()
        async with asyncio.timeout(60):
            while await pieces(app):  # whoever deletes them tells nobody
                await making.drop_ended(app.parts.data, app.parts.clock)
                await asyncio.sleep(0.01)
        app.step(timedelta(seconds=1))


async def test_what_was_interrupted_goes_on_with_the_same_bytes_and_says_so(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = await sit(app)
    whole = await (await taken(sitting, "/dpo/log/export", until="2026-01-01", format="csv")).read()
    monkeypatch.setattr(making, "PIECE", 200)
    app.step(timedelta(seconds=1))  # the newest is found by its moment
    await sitting.post("/dpo/log/export", until="2026-01-01", format="csv")
    killed = asyncio.ensure_future(maker(app).work_off())
    await begun(app, 2)
    killed.cancel()
    await asyncio.wait({killed})
    kept = len(await pieces(app))

    await make(app)
    early = await job_of(app)
    app.step(desk_exports.LEASE + timedelta(seconds=1))
    await make(app)
    page = await shown(sitting)
    name = await newest(sitting)
    fetched = await (await sitting.post("/dpo/exports", do="fetch", export=name)).read()

    assert (early.state, early.pieces) == (State.MAKING, kept)
    assert "It was interrupted, and went on where it was." in page
    assert fetched == whole


async def test_what_cannot_go_on_with_the_same_bytes_is_begun_anew_and_says_so(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PIECE", 64)
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl", scope="authority", case="1")
    killed = asyncio.ensure_future(maker(app).work_off())
    await begun(app, 2)
    killed.cancel()
    await asyncio.wait({killed})
    await erase(app, await app.subject() or "")  # who is named in it is another matter now
    await app.tick()

    app.step(desk_exports.LEASE + timedelta(seconds=1))
    await make(app)
    page = await shown(sitting)
    name = await newest(sitting)
    fetched = await sitting.post("/dpo/exports", do="fetch", export=name)

    assert "It was interrupted, and was begun anew." in page
    assert (await fetched.read()).endswith(b"}\n") and b"erased" in await fetched.read()


async def slowly(*_: Any) -> bytes:
    await asyncio.Event().wait()
    return b""


async def test_what_is_being_made_says_how_far_it_is_and_can_be_cancelled(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_BEAT", 0.01)
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="pdf")
    name = await newest(sitting)
    at_work = asyncio.ensure_future(maker(app, slowly).work_off())
    await begun(app)

    page = await shown(sitting)
    await sitting.post("/dpo/exports", do="cancel", export=name)
    async with asyncio.timeout(60):
        await at_work

    assert "Is being made: 0 of" in page and "<progress" in page
    assert "Was cancelled." in await shown(sitting)
    assert (await job_of(app)).state == State.CANCELLED


async def test_a_process_that_ends_gives_back_what_it_makes_at_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_BEAT", 0.01)
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="pdf")
    ending = maker(app, slowly)
    at_work = asyncio.ensure_future(ending.work_off())
    await begun(app)

    ending.stopping.set()
    async with asyncio.timeout(60):
        did = await at_work
    row = await job_of(app)
    await make(app)

    assert (did, row.state, row.tries) == (0, State.WAITS, 0)
    assert (await job_of(app)).state == State.READY


async def test_two_are_made_at_once_and_a_short_one_does_not_wait_for_a_long_one(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="pdf")
    at_work = asyncio.ensure_future(maker(app, slowly).work_off())
    await begun(app)

    await sitting.post("/dpo/log/export", format="jsonl")
    await maker(app).work_off()
    page = await shown(sitting)
    at_work.cancel()
    await asyncio.wait({at_work})

    assert "Is being made" in page and "Is ready" in page


async def test_what_comes_to_too_much_or_cannot_be_made_says_what_to_do(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")
    await maker(app, most=100).work_off()
    large = await shown(sitting)

    async def broken(*_: Any) -> bytes:
        raise typesetter.NotSet

    async def too_long(*_: Any) -> bytes:
        raise TooLong

    await sitting.post("/dpo/log/export", format="pdf")
    await maker(app, too_long).work_off()
    paper = await shown(sitting)
    await sitting.post("/dpo/log/export", format="pdf")
    for _ in range(5):
        with pytest.raises(typesetter.NotSet):
            await maker(app, broken).work_off()
    page = await shown(sitting)

    assert "It came to more than 2 GiB." in large and "That is too much for a paper." in paper
    assert "It could not be made." in page and await pieces(app) == []
    assert await maker(app, broken).work_off() == 0


async def test_only_a_few_may_wait_to_be_fetched_and_each_for_a_day(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = await sit(app)
    for _ in range(fetching.AT_ONCE):
        assert (await sitting.post("/dpo/log/export", format="jsonl")).status == 303
    many = await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    monkeypatch.setattr(fetching, "ROOM", 100)
    full = await (await sit(app, AUDITOR)).post("/dpo/log/export", format="jsonl")
    name = await newest(sitting)
    app.step(desk_exports.LIFE)
    later = await sit(app)
    page = await shown(later)
    late = await later.post("/dpo/exports", do="fetch", export=name)
    async with app.parts.data.begin() as connection:
        await desk_exports.forget(connection, app.parts.clock.wall())
    swept = await pieces(app)
    async with app.parts.data.begin() as connection:
        month = app.parts.clock.wall() + desk_exports.KEPT
        await desk_exports.forget(connection, month)

    assert (many.status, full.status, late.status) == (409, 409, 410)
    assert "Nothing was begun: 4 of your exports" in await many.text()
    assert "take all the room" in await full.text()
    assert "Nobody fetched it within a day" in page and swept == []
    assert "You asked for none" in await shown(later)


async def test_who_was_revoked_meanwhile_has_nothing_made(app: App) -> None:
    one = await enter(app, "late@acme.example")
    sitting = await sit(app, "late@acme.example")
    await sitting.post("/dpo/log/export", format="jsonl")
    assert await staff_of(app.parts).revoke(one.id)
    await make(app)

    assert (await job_of(app)).state == State.FAILED and await pieces(app) == []


async def test_a_row_that_nobody_of_ours_wrote_is_never_made_and_named(app: App) -> None:
    sitting, other = await sit(app), await id_of(app, "auditor-1")
    await sitting.post("/dpo/log/export", format="jsonl")
    async with app.parts.data.begin() as connection:
        await connection.execute(update(desk_export).values(operator=other))

    await make(app)
    rows = (await verify(app.parts)).rows

    assert (await job_of(app)).state == State.FAILED
    assert ids(await shown(await sit(app, AUDITOR))) == []
    assert any(one.startswith("desk_export exp_") for one in rows)


async def test_no_word_of_a_form_gets_into_the_name_of_a_file(app: App) -> None:
    sitting = await sit(app)

    odd = await sitting.post(
        "/dpo/log/export", scope="authority", case='1"\r\nX-Evil: 1', format="csv"
    )
    good = await taken(sitting, "/dpo/log/export", scope="authority", case="1/=cmd", format="csv")

    assert (await good.read()).startswith(b"PK")
    assert odd.status == 422 and "X-Evil" not in odd.headers
    assert good.headers["Content-Disposition"] == 'attachment; filename="audit.csv.zip"'


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_what_one_node_made_another_one_hands_over(app: App) -> None:
    sitting = await sit(app)
    await sitting.post("/dpo/log/export", format="jsonl")
    await make(app)
    name = await newest(sitting)

    async with start_app(app.parts.config, app.parts.clock) as other:
        there = Sitting(replace(app, http=other.http), "")
        there.headers = sitting.headers
        fetched = await there.post("/dpo/exports", do="fetch", export=name)
        body = await fetched.read()
    here = await sitting.post("/dpo/exports", do="fetch", export=name)

    assert (fetched.status, here.status) == (200, 410) and body.startswith(b"{")
    assert [one.kind for one in await exported(app)] == [Kind.AUDIT_EXPORTED]
