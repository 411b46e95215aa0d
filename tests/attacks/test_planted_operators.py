"""By SQL: whoever writes rows sits at the desk by none of them, and each is named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update

from audit.kinds import Kind
from audit.tables import audit_entry, audit_pending
from consent import personal
from consent.keys import tables as keystore
from consent.tables import subject as of_people
from gateway.callers import visits
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving import verify
from gateway.schema.tables import operator, operator_link, operator_session
from tests.http.test_dpo import (
    ADMIN,
    DPO,
    WHY,
    Sitting,
    app,
    enter,
    id_of,
    link,
    looks,
    press,
    sit,
    sitting_by,
)
from tests.support.apps import ADA, App, staff_of

__all__ = ["app"]  # with operators

TABLES = (operator, operator_link, operator_session)
Rows = Sequence[tuple[Table, dict[str, Any]]]


async def rows_of(app: App, *tables: Table) -> Rows:
    async with app.parts.data.read() as connection:
        return [
            (table, dict(row._mapping))
            for table in tables
            for row in await connection.execute(select(table))
        ]


async def put_back(app: App, rows: Rows) -> None:
    """Whole, as they stood."""
    async with app.parts.data.begin() as connection:
        for table in TABLES:
            theirs = [row for one, row in rows if one is table]
            if theirs:
                await connection.execute(delete(table))
                await connection.execute(insert(table), theirs)


async def alter(app: App, table: Table, of: str = "", **values: Any) -> None:
    these = update(table).values(**values)
    async with app.parts.data.begin() as connection:
        await connection.execute(these.where(table.c.id == of) if of else these)


async def hide(app: App, kind: Kind) -> None:
    """Take away what the log tells of it, placed or not."""
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(audit_pending))
        await connection.execute(delete(audit_entry).where(audit_entry.c.kind == kind))


async def doubts(app: App) -> list[str]:
    await app.tick()
    return list((await verify.verify(app.parts)).rows)


async def sees_nothing(app: App, sitting: Sitting) -> bool:
    """Whether whoever sits there is shown nobody, and nobody's trail tells of a look."""
    before = await looks(app)
    answer = await sitting.post("/dpo/people", email=ADA, why=WHY)
    assert ADA not in await answer.text()
    return answer.status == 303 and await looks(app) == before


async def test_planted_rows_let_nobody_in_and_are_named(app: App) -> None:
    await app.subscribe()
    sitting = await sit(app)
    now = app.parts.clock.wall()
    (_, row), *_ = await rows_of(app, operator)
    (_, session), *_ = await rows_of(app, operator_session)
    digest = visits.hash_of("A" * 43)
    planted = {"id": "lnk_planted", "token_hash": digest, "operator": row["id"]}
    planted |= {"created_at": now, "expires_at": now + visits.PRINTED_LIFE}
    planted |= {"kid": 1, "mac": b"m" * 32}
    async with app.parts.data.begin() as connection:
        copied = row | {"id": "opr_planted"}
        await connection.execute(insert(operator).values(copied))
        await connection.execute(insert(operator_link).values(**planted))
        copied = session | {"id_hash": b"i" * 32, "operator": "opr_planted"}
        await connection.execute(insert(operator_session).values(copied))

    pressed = await press(app, "A" * 43)
    named = await doubts(app)

    assert pressed.status == 410
    for one in ("operator opr_planted", "operator_link lnk_planted", "operator_session 6969"):
        assert any(doubt.startswith(one) for doubt in named), one
    assert "privacy-1" in await sitting.start()  # who is not touched is served


@pytest.mark.parametrize("column", ["role", "identity", "created_at", "revoked_at", "eid"])
async def test_an_altered_operator_is_out_and_named(app: App, column: str) -> None:
    await app.subscribe()
    admin, officer = await id_of(app, "admin-1"), await id_of(app)
    sitting, unspent = await sit(app, ADMIN), await link(app, ADMIN)
    (theirs,) = [row for _, row in await rows_of(app, operator) if row["id"] == officer]
    moment = app.parts.clock.wall() + timedelta(seconds=1)
    value = {"created_at": moment, "revoked_at": moment}.get(column, theirs[column])

    await alter(app, operator, admin, **{column: value})

    assert await sees_nothing(app, sitting)
    assert (await press(app, unspent)).status == 410
    await app.http.post("/dpo/sign-in", data={"email": ADMIN})
    assert [one.to for one in await app.deliver() if b"/dpo/link/" in one.raw] == []
    assert any(doubt.startswith(f"operator {admin}") for doubt in await doubts(app))


async def test_who_puts_their_own_mailbox_into_an_officers_row_gets_no_link(app: App) -> None:
    """Sealed for one operator it opens for no other, whatever signs the row."""
    officer, admin = await id_of(app), await id_of(app, "admin-1")
    rows = {row["id"]: row for _, row in await rows_of(app, operator)}

    await alter(app, operator, officer, **(rows[admin] | {"id": officer, "role": "dpo"}))
    await app.http.post("/dpo/sign-in", data={"email": ADMIN})
    mails = [one for one in await app.deliver() if b"/dpo/link/" in one.raw]
    came = sitting_by(app, await press(app, mails[0].token("dpo/link")))

    assert [one.to for one in mails] == [ADMIN]
    assert "Look up" not in await came.start()  # as an admin, who sees nobody


async def test_a_revoked_row_put_back_whole_opens_nothing(app: App) -> None:
    await app.subscribe()
    sitting, unspent = await sit(app), await link(app)
    before, officer = await rows_of(app, *TABLES), await id_of(app)
    assert await staff_of(app.parts).revoke(officer)

    await put_back(app, before)

    assert await sees_nothing(app, sitting)
    assert (await press(app, unspent)).status == 410
    await app.http.post("/dpo/sign-in", data={"email": DPO})
    assert [one.to for one in await app.deliver() if b"/dpo/link/" in one.raw] == []
    named = await doubts(app)
    for table in ("operator", "operator_link", "operator_session"):
        assert any(one.startswith(f"{table} ") for one in named), table
    assert any(one.startswith(f"operator {officer}: an old row was put back") for one in named)
    # Revoked again, it fits.
    assert await staff_of(app.parts).revoke(officer)
    assert await doubts(app) == []


async def test_a_revoked_row_put_back_opens_nothing_without_the_word_of_the_log(app: App) -> None:
    await app.subscribe()
    sitting, unspent = await sit(app), await link(app)
    before = await rows_of(app, *TABLES)
    await app.tick()
    assert await staff_of(app.parts).revoke(await id_of(app))

    await hide(app, Kind.OPERATOR_REVOKED)
    await put_back(app, before)

    assert await sees_nothing(app, sitting)
    assert (await press(app, unspent)).status == 410
    await app.http.post("/dpo/sign-in", data={"email": DPO})
    assert [one.to for one in await app.deliver() if b"/dpo/link/" in one.raw] == []


async def test_what_was_spent_and_left_opens_nothing_without_the_word_of_the_log(app: App) -> None:
    await app.subscribe()
    token = await link(app)
    unspent = await rows_of(app, operator_link)
    sitting = sitting_by(app, await press(app, token))
    there = await rows_of(app, operator_session)
    assert (await sitting.post("/dpo/leave")).status == 303

    for kind in (Kind.OPERATOR_SIGNED_IN, Kind.OPERATOR_SIGNED_OUT):
        await hide(app, kind)
    await put_back(app, [*unspent, *there])

    assert await sees_nothing(app, sitting)
    assert (await press(app, token)).status == 410


async def test_no_link_goes_to_whom_an_operators_address_leads_by_an_old_row(app: App) -> None:
    """Whoever has the mailbox of now would sit there as the operator."""
    await app.subscribe(DPO)
    subject = await app.subject(DPO)
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    elsewhere = personal.seal_mailbox(subject, ADA, vault)
    async with app.parts.data.begin() as connection:
        these = update(of_people).where(of_people.c.id == subject)
        await connection.execute(these.values(address=elsewhere))

    await app.http.post("/dpo/sign-in", data={"email": DPO})

    assert [one.to for one in await app.deliver() if b"/dpo/link/" in one.raw] == []


async def test_a_link_that_waits_does_not_go_to_whom_a_row_leads_by_then(app: App) -> None:
    """In the second between queueing and claim; the person's own row, for a mailbox of theirs."""
    await app.subscribe(DPO)
    subject = await app.subject(DPO)
    assert subject is not None
    await app.http.post("/dpo/sign-in", data={"email": DPO})
    await app.tick()

    vault = await app.parts.keystore.vault([subject])
    elsewhere = personal.seal_mailbox(subject, ADA, vault)
    async with app.parts.data.begin() as connection:
        these = update(of_people).where(of_people.c.id == subject)
        await connection.execute(these.values(address=elsewhere))

    assert [one.to for one in await app.deliver() if b"/dpo/link/" in one.raw] == []


@pytest.mark.parametrize("whole", [True, False], ids=["put back whole", "said to be unspent"])
async def test_a_spent_link_opens_nothing_again(app: App, whole: bool) -> None:
    token = await link(app)
    before = await rows_of(app, operator_link)
    assert (await press(app, token)).status == 303

    if whole:
        await put_back(app, before)
    else:
        await alter(app, operator_link, spent_at=None)

    assert (await press(app, token)).status == 410
    assert any("when it was spent, or whether" in one for one in await doubts(app))


async def test_a_session_that_was_left_opens_nothing_again(app: App) -> None:
    await app.subscribe()
    sitting = await sit(app)
    before = await rows_of(app, operator_session)
    assert (await sitting.post("/dpo/leave")).status == 303

    await put_back(app, before)

    assert await sees_nothing(app, sitting)
    assert any(one.startswith("operator_session ") for one in await doubts(app))


@pytest.mark.parametrize("column", ["seen_at", "expires_at"])
async def test_a_session_is_prolonged_by_nobody(app: App, column: str) -> None:
    await app.subscribe()
    sitting = await sit(app)
    app.step(visits.IDLE)
    later = app.parts.clock.wall() + visits.IDLE

    await alter(app, operator_session, **{"seen_at": app.parts.clock.wall(), column: later})

    assert await sees_nothing(app, sitting)
    assert any(one.startswith("operator_session ") for one in await doubts(app))


async def test_a_link_of_ones_own_opens_no_others_desk(app: App) -> None:
    mine, officer = await enter(app, "mallory@x.example", "admin"), await id_of(app)
    (theirs,) = [row for _, row in await rows_of(app, operator_link) if row["operator"] == officer]

    await alter(app, operator_link, of=await _only_link(app, mine.id), operator=officer)

    assert (await press(app, mine.token)).status == 410
    assert theirs["id"] not in str(await doubts(app))
    assert any(one.startswith("operator_link ") for one in await doubts(app))


async def _only_link(app: App, operator_id: str) -> str:
    rows = await rows_of(app, operator_link)
    (one,) = [row["id"] for _, row in rows if row["operator"] == operator_id]
    return str(one)


async def test_an_operator_whose_row_is_deleted_is_out_and_named(app: App) -> None:
    sitting, officer = await sit(app), await id_of(app)
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(operator).where(operator.c.id == officer))

    assert "privacy-1" not in await sitting.start()
    assert any(one.startswith(f"operator {officer}: the log tells") for one in await doubts(app))


async def test_of_whom_nobody_can_say_who_they_are_nobody_sits_there(app: App) -> None:
    await app.subscribe()
    sitting, officer = await sit(app), await id_of(app)
    dek = keystore.dek
    async with app.parts.key_database.begin() as connection:
        await connection.execute(delete(dek).where(dek.c.subject == officer))
    app.step(visits.IDLE / 2)
    app.parts.keystore._people.forget([officer])  # what a process keeps for a minute

    assert await sees_nothing(app, sitting)
    assert any(one.startswith(f"dek {officer}/staff") for one in await doubts(app))


async def test_who_an_operator_was_does_not_come_back_with_their_row(app: App) -> None:
    officer, staff = await id_of(app), staff_of(app.parts)
    await staff.revoke(officer)
    before = await rows_of(app, operator)
    app.step(app.parts.config.retention.staff)
    assert await RetentionRules(app.parts).staff() == 1

    await put_back(app, before)

    (one,) = [one for one in await staff.listed() if one.row.id == officer]
    assert one.name is None
    assert any(one.startswith(f"operator {officer}: an old row") for one in await doubts(app))
