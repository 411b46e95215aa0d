"""Whoever has their own erasure's certificate learns nothing of others by it, nor holds them up."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from gateway.callers.api_keys import Scope
from tests.http.test_my_data import cookie_of, csrf, fresh_link
from tests.http.test_people_rights import BOB, Visit, visit
from tests.promises.test_strangers_learn_nothing import People
from tests.support.addresses import ask, delivered
from tests.support.apps import ADA, App
from tests.support.calls import call

ASKED = ("pending", "confirmed", "withdrawn")
SILENT = ("suppressed", "objected", "blocked")
_OWN = re.compile(r"(era|evt)_[0-9a-v]+|/my-data/certificate/[^\"?]+")


async def erased_after_asking(app: App, for_address: str) -> tuple[str, str, str, bool]:
    """A stranger who never confirmed asks for an address, is erased, and reads what came of it.

    Their page and certificate, without what names this erasure; its path in the API; and
    whether the mailbox was asked.
    """
    await app.sign_up(ADA)
    await app.deliver()
    me = await visit(app)
    await ask(me, for_address)
    mails = await delivered(app)
    page = await me.post("/my-data/erase", answer="erase")
    link = re.findall(r"/my-data/certificate/[^\"?]+", page)[0]
    async with app.http.get(link) as answer:
        told, certificate = await answer.json(), await answer.text()
    assert told["certificate"]["keys_destroyed"] == ["evidence", "profile"]
    was_asked = for_address in {mail.to for mail in mails}
    return _OWN.sub("", page), _OWN.sub("", certificate), told["erasure_id"], was_asked


async def visit_of(app: App, email: str) -> Visit:
    opened = await app.http.post(f"/my-data/{await fresh_link(app, email)}", allow_redirects=False)
    person = {"Cookie": f"my-data={cookie_of(opened.headers['Set-Cookie']).value}"}
    return Visit(app, person, await csrf(app, person))


async def test_a_certificate_does_not_tell_whether_a_mailbox_was_asked(app: App) -> None:
    """By a mail more or less it would: who objected, complained or said "not me" is not asked."""
    people = People(app)
    await people.make()
    key = await app.key(Scope.SUBJECTS_MANAGE)

    seen, counts = {}, {}
    for kind in (*ASKED, *SILENT):
        *told, erasure, asked = await erased_after_asking(app, people.of(kind))
        assert asked == (kind in ASKED), kind
        _, whole = await call(app, key, "GET", f"/v1/erasures/{erasure}")
        counts[kind] = whole["certificate"]["items_deleted"]
        seen[kind] = [re.sub(r"\d{4}-\d\d-\d\dT[^\"]+|\d+ \w+ \d{4}[^<]*", "", one) for one in told]
        app.step(timedelta(days=8))

    assert len(set(counts.values())) == 2, "there is nothing to be told apart"
    assert [kind for kind in seen if seen[kind] != seen["pending"]] == []


@pytest.mark.long
async def test_who_was_erased_keeps_nobody_from_their_own_paper(limited: App) -> None:
    await limited.sign_up(ADA)
    await limited.deliver()
    me = await visit(limited)
    page = await me.post("/my-data/erase", answer="erase")
    paper = re.findall(r"/my-data/certificate/[^\"?]+", page)[0] + "?format=pdf"

    async def get() -> int:
        async with limited.http.get(paper) as answer:
            await answer.read()
            return answer.status

    first = await asyncio.gather(*(get() for _ in range(9)))
    await limited.subscribe(BOB)
    bob = await visit_of(limited, BOB)
    crowd = [asyncio.create_task(get()) for _ in range(30)]
    said = {"csrf": bob.token, "format": "pdf"}
    async with limited.http.post("/my-data/export", data=said, headers=bob.cookie) as answer:
        status = answer.status

    assert 200 in first
    assert status == 200
    assert set(await asyncio.gather(*crowd)) == {429}
