"""Whoever asks about a person without end makes neither their page slow, nor the log endless."""

from __future__ import annotations

from gateway.flows.rights import overview
from tests.support.apps import App
from tests.support.statements import statements

ASKED = 30


async def test_her_page_reads_none_of_what_others_asked_about_her(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    before = await overview.look(app.parts, subject)
    for _ in range(ASKED):
        await app.permission()
    await app.tick()

    with statements() as seen:
        shown = await overview.look(app.parts, subject)

    assert before is not None
    assert shown is not None
    assert shown.consents == before.consents
    assert shown.consents[0].story
    assert not [one for one in seen if "audit_item" in one]
