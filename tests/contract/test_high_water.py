"""What this machine saw published: a file that nothing rests on but the look for older stores."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import structlog
from sqlalchemy import update

from audit.errors import AllOlder
from audit.tables import audit_checkpoint, audit_guard, audit_state
from gateway.flows.restoring.high_water import HighWater
from gateway.process import duties
from gateway.watch.metrics import Metrics
from tests.support.apps import App

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def kept(app: App) -> Path:
    (found,) = app.parts.config.delivery.journal_dir.glob("published-*")
    return found


def of(app: App) -> HighWater:
    return HighWater(app.parts.config.delivery.journal_dir, app.parts.publisher, app.parts.rows)


async def grow(app: App) -> None:
    await app.sign_up()
    await app.tick()


async def test_it_keeps_what_was_published_last_and_is_its_owners_alone(app: App) -> None:
    await grow(app)
    first = of(app).read()
    await grow(app)

    (last,) = of(app).read()
    assert last > first[0]
    assert last.note == app.parts.publisher.held
    assert kept(app).stat().st_mode & 0o777 == 0o600


async def test_what_is_new_waits_for_the_turns_of_sequencer_and_publisher(app: App) -> None:
    """One after another without a pause, both cost a process as much as the sign-ups did."""
    await app.sign_up()
    known = {one.name: one for one in duties.of(app.parts)}
    await known["intake"].run()
    async with app.parts.data.read() as connection:
        before = await app.parts.log.size(connection)

    did = [await known["sequencer"].run(), await known["publisher"].run()]

    async with app.parts.data.read() as connection:
        assert await app.parts.log.size(connection) > before
    assert of(app).read()[-1].size > before
    assert did == [0, 0]


@pytest.mark.parametrize("content", [b"", b"\xff", b"a/b\n9\nAAAA\n\n", b"x" * 20_000])
async def test_what_no_key_of_ours_signed_says_nothing_and_is_written_anew(
    app: App, content: bytes
) -> None:
    kept(app).write_bytes(content)

    assert of(app).read() == []
    await grow(app)
    assert len(of(app).read()) == 1


async def test_where_it_cannot_be_written_it_is_said_once_and_everything_goes_on(app: App) -> None:
    folder = app.parts.config.delivery.journal_dir
    shutil.rmtree(folder)
    folder.write_text("in the way")
    parts, mark = app.parts, of(app)

    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            await mark.publish(parts.data, parts.guard, parts.clock)
            async with parts.data.begin() as connection:
                await parts.log.sequence(connection)

    assert [one["event"] for one in lines] == ["high_water_not_written"]


async def test_a_process_below_which_all_stores_were_put_back_ends(app: App) -> None:
    parts = app.parts
    await grow(app)
    async with parts.data.read() as reading, parts.guard.read() as guarding:
        state = (await reading.execute(audit_state.select())).one()._asdict()
        guard = (await guarding.execute(audit_guard.select())).one()._asdict()
    await grow(app)
    async with parts.data.begin() as connection:
        later = audit_checkpoint.c.size > state["size"]
        await connection.execute(audit_checkpoint.delete().where(later))
        await connection.execute(update(audit_state).values(state))
    async with parts.guard.begin() as connection:
        await connection.execute(update(audit_guard).values(guard))
    publisher = next(one for one in duties.of(parts) if one.name == "publisher")

    with pytest.raises(AllOlder, match="gateway restore"):
        await duties._run(publisher, Metrics())
