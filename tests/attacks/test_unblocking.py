"""Somebody whose mailbox is spelled almost alike takes away what another one said.

A block of asking is of the folded mailbox, without dots and tags. At most servers these are
different people's mailboxes: who lifts their own objection, or is erased, must not lift the
"not me" of their neighbour, who would be asked again by whoever likes to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.kinds import Actor
from consent.errors import KeyringBehind
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from tests.attacks.test_lagging_node import beside
from tests.attacks.test_service_mails import object_to_it, stop
from tests.http.test_my_data import csrf, fresh_link
from tests.http.test_people_rights import Visit
from tests.promises.test_erased_is_erased import erase, run_rules
from tests.support.apps import App, open_app
from tests.support.databases import Databases

VICTIM, NEIGHBOUR = "jane.doe@example.org", "janedoe@example.org"
SECOND, A_WEEK = timedelta(seconds=1), timedelta(days=8)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    forgets = '[rights]\nsuppress_after_erasure = "none"\n'
    async with open_app(tmp_path, new_database_url, dialect, more=forgets) as opened:
        yield opened


async def not_me(app: App) -> None:
    token = await app.confirmation(VICTIM)
    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    assert answer.status == 200
    app.step(SECOND)


async def stops(app: App) -> None:
    await app.sign_up(VICTIM)
    (mail,) = [one for one in await app.deliver() if one.to == VICTIM]
    await stop(app, mail)


async def is_asked(app: App, email: str) -> bool:
    app.step(A_WEEK)  # beyond the week's count
    await app.sign_up(email)
    return [one.to for one in await app.deliver() if b"/confirm/" in one.raw] == [email]


async def at_their_pages(app: App, email: str) -> Visit:
    link = await fresh_link(app, email)
    answer = await app.http.post(f"/my-data/{link}", allow_redirects=False)
    cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    return Visit(app, cookie, await csrf(app, cookie))


async def lifts(app: App, email: str) -> None:
    """By their own pages, once they objected."""
    await lifted(await at_their_pages(app, email))


async def lifted(me: Visit) -> None:
    assert "Your objection is lifted." in await me.post("/my-data/object", answer="lift")


@pytest.mark.parametrize("said", [not_me, stops])
async def test_who_is_erased_lifts_no_block_of_a_neighbour(
    app: App, said: Callable[[App], Awaitable[None]]
) -> None:
    await app.subscribe(NEIGHBOUR)
    await said(app)

    assert (await erase(app, email=NEIGHBOUR))[0] == 202
    await run_rules(app)

    assert not await is_asked(app, VICTIM)


@pytest.mark.parametrize("objects_first", [False, True], ids=["after", "before"])
async def test_who_lifts_their_objection_lifts_no_block_of_a_neighbour(
    app: App, objects_first: bool
) -> None:
    await app.subscribe(NEIGHBOUR)
    app.step(A_WEEK)
    if objects_first:
        await app.sign_up(VICTIM)
        (mail,) = await app.deliver()
        await object_to_it(app, NEIGHBOUR)
        token = mail.token("confirm")
        await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
        app.step(SECOND)
    else:
        await not_me(app)
        await object_to_it(app, NEIGHBOUR)

    await lifts(app, NEIGHBOUR)

    assert not await is_asked(app, VICTIM)


async def test_who_has_a_neighbour_that_never_said_anything_lifts_their_own(app: App) -> None:
    await app.subscribe(NEIGHBOUR)
    await app.subscribe(VICTIM)
    await object_to_it(app, NEIGHBOUR)
    assert not await is_asked(app, NEIGHBOUR)

    await lifts(app, NEIGHBOUR)

    assert await is_asked(app, NEIGHBOUR)


async def test_who_is_erased_takes_their_own_block_along_though_they_have_a_neighbour(
    app: App,
) -> None:
    await app.subscribe(NEIGHBOUR)
    await app.subscribe(VICTIM)
    await object_to_it(app, NEIGHBOUR)

    assert (await erase(app, email=NEIGHBOUR))[0] == 202
    await run_rules(app)

    assert await is_asked(app, NEIGHBOUR)


@pytest.mark.parametrize("leave", ["erased", "lifts"])
async def test_nor_where_the_neighbour_was_asked_under_a_newer_key(app: App, leave: str) -> None:
    await app.subscribe(NEIGHBOUR)
    me = await at_their_pages(app, NEIGHBOUR)
    async with beside(app, kind="suppression") as newer:
        app.step(SECOND)
        await not_me(newer)
        if leave == "erased":
            assert (await erase(newer, email=NEIGHBOUR))[0] == 202
            await run_rules(newer)
        else:
            await object_to_it(newer, NEIGHBOUR)
            await lifted(replace(me, app=newer))

        assert not await is_asked(newer, VICTIM)


@pytest.mark.parametrize("leave", ["erased", "lifts"])
async def test_who_lacks_the_key_of_a_block_lifts_none_and_says_so(app: App, leave: str) -> None:
    """It would stay, by a hash of an address that nobody has a reason to keep."""
    await app.subscribe(NEIGHBOUR)
    me = await at_their_pages(app, NEIGHBOUR)
    async with beside(app, kind="suppression") as newer:
        await object_to_it(newer, NEIGHBOUR)
        subject = await newer.subject(NEIGHBOUR)

        if leave == "erased":
            asked = Request(Question("", subject=subject), Actor.SUBJECT, "my-data")
            with pytest.raises(KeyringBehind):
                await Erasures(Erasing(app.parts)).erase(asked)
        else:
            assert (await me.try_post("/my-data/object", answer="lift"))[0] == 503

        assert await newer.permission(NEIGHBOUR) == "objected"
