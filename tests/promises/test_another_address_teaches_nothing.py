"""Promise 8, of who asks for another address: nothing is learned of whose that is."""

from __future__ import annotations

from typing import Any

import pytest

from consent import moving
from tests.http.test_people_rectify import MOVED, TAKEN
from tests.http.test_people_rights import Visit, sound, visit
from tests.promises.test_strangers_learn_nothing import People
from tests.support.addresses import ask, delivered, press
from tests.support.apps import ADA, App
from tests.support.remembering import remember
from tests.support.statements import statements

SILENT = ("suppressed", "objected", "blocked")  # they are not asked, however somebody asks
KNOWN = ("pending", "confirmed", "withdrawn")


async def test_asking_for_an_address_is_alike_whosever_it_is_and_pressing_moves_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page, the statements before it, what the mailbox on file is told; and all of it twice.

    What became of it is said behind the link alone, which only that mailbox gets.
    """
    monkeypatch.setattr(moving, "TOLD_A_WEEK", 100)
    remember(monkeypatch)
    await app.subscribe()
    people = People(app)
    await people.make()
    me, subject = await visit(app), await app.subject()
    await _asked(me, people.of("unknown"))
    await delivered(app)

    seen: dict[str, Any] = {}
    for kind in (*KNOWN, *SILENT, "unknown"):
        email = people.of(kind)
        seen[kind] = [await _asked(me, email)]
        mails = await delivered(app)
        links = [one.token("address") for one in mails if one.to == email]
        assert bool(links) == (kind not in SILENT), kind
        for token in links if kind in KNOWN else ():
            assert TAKEN in (await press(app, token))[1]
        seen[kind] += [await _asked(me, email)]
        again = await delivered(app)
        seen[kind] += [[one.to for one in some if one.to != email] for some in (mails, again)]
    taken_along = await me.post("/my-data/export", format="json")
    assert '"service.address"' in taken_along, "what the mailbox on file was told is theirs"
    for word in ("service.new-address", "address_confirm", '"kind": "address"'):
        assert word not in taken_along
    (newest,) = [one.token("address") for one in again if one.to == email]
    assert MOVED in (await press(app, newest))[1]

    assert [kind for kind in seen if seen[kind] != seen["unknown"]] == []
    assert seen["unknown"][-1] == [ADA]
    assert subject not in [await app.subject(people.of(kind)) for kind in (*KNOWN, *SILENT)]
    assert await app.subject() is None, "but the unknown one is theirs now"
    assert await sound(app) == []


async def _asked(me: Visit, email: str) -> tuple[str, tuple[str, ...]]:
    """The page without its token, and the statements that ran before it."""
    with statements() as ran:
        page = await ask(me, email)
    return page.partition("csrf")[0], tuple(ran)
