"""What a restore leaves half done, or to be sent a second time, after a backup was put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery import changing
from delivery.changing import Change
from delivery.outbox import Parked, Status, outbox
from gateway.process.lifespan import put_in_order
from gateway.watch.marketing import look
from storage import bad_rows
from tests.support.apps import Mail
from tests.support.databases import Databases
from tests.support.restoring import STAYS, Site, live, mailed, queue
from tests.support.stops import paces_of

_ALL = ("data", "keys", "guard")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def site(request: pytest.FixtureRequest, tmp_path: Path, new_database_url: Databases) -> Site:
    return await Site.make(tmp_path, new_database_url, request.param)


@pytest.mark.parametrize("step", [0, 1, pytest.param(2, marks=pytest.mark.long)])
async def test_who_declared_it_once_need_not_say_so_again_for_marketing_to_be_held(
    site: Site, step: int
) -> None:
    past = await live(site)
    site.put_back(past.kept, *_ALL)
    site.forget()
    with pytest.raises(ZeroDivisionError):
        await site.restore(declared=True, broken_off=step)

    found, _ = await site.restore()

    assert not found.reaches
    async with site.started() as app:
        assert await mailed(app) == []
        async with app.parts.data.read() as connection:
            assert await look(connection, app.parts.log.macs) is not None


def _tells(mail: Mail) -> bool:
    """Whether it only tells that the pause was ended."""
    return b"/stop-again/" in mail.raw


async def test_what_waited_for_the_end_of_a_pause_is_not_sent_twice(site: Site) -> None:
    async with site.started() as app:
        await app.subscribe(STAYS)
        subject = await app.subject(STAYS)
        assert subject is not None
        await paces_of(app.parts).choose(subject, 1, None)
        key = await app.key()
        message = await queue(app, key, STAYS)
        assert await app.deliver() == []
        await app.tick()
    kept = site.keep()
    async with site.started() as app:
        await paces_of(app.parts).choose(subject, 0, None)
        assert [mail.to for mail in await app.deliver() if not _tells(mail)] == [STAYS]
        await app.tick()
    site.put_back(kept, "data")

    await site.restore()

    async with site.started() as app:
        await paces_of(app.parts).choose(subject, 0, None)
        assert [mail for mail in await app.deliver() if not _tells(mail)] == []
        answer = await app.http.get(f"/v1/messages/{message}", headers=key)
        assert (await answer.json())["status"] == "uncertain"


async def test_what_was_parked_at_the_backup_and_mended_since_is_not_sent_twice(
    site: Site,
) -> None:
    async with site.started() as app:
        await app.subscribe(STAYS)
        message = await queue(app, await app.key(), STAYS)
        async with app.parts.data.begin() as connection:
            now = await app.parts.clock.now(connection)
            for _ in range(8):
                again = await bad_rows.park(connection, outbox.name, {message: "failed"}, now)
            put_off = Change(message, Status.DEFERRED, Parked.FAILED, again[message])
            await changing.change(connection, [put_off], now)
        assert await app.deliver() == []
        await app.tick()
    kept = site.keep()
    async with site.started() as app:
        await put_in_order(app.parts)
        assert [mail.to for mail in await app.deliver() if not _tells(mail)] == [STAYS]
        await app.tick()
    site.put_back(kept, "data")

    await site.restore()

    async with site.started() as app:
        await put_in_order(app.parts)
        assert await app.deliver() == []
