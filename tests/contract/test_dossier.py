"""What is held about one person, on both databases: all of it, or what was left out is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete

from delivery.tables import attempt, outbox
from gateway.flows.rights.dossier import Dossier, Dossiers
from gateway.http import dossier_paper, dossiers
from gateway.look.papers import Paper, Words
from tests.support.apps import ADA, App
from tests.support.calls import call, queue

BOB = "bob@example.org"


async def aside(work: Callable[[], Any]) -> Any:
    return work()


async def held(app: App, **bounds: int) -> Dossier:
    found = await Dossiers(app.parts, **bounds).collect(await app.subject() or "", aside)
    assert found is not None
    return found


def words(paper: Paper) -> str:
    return " ".join(one.text for one in paper.blocks if isinstance(one, Words))


async def test_a_dossier_is_of_one_person_and_what_is_left_out_is_told(app: App) -> None:
    await app.subscribe()
    await app.subscribe(BOB)
    sent = []
    for text in ("one", "two"):
        app.step(timedelta(seconds=2))
        sent.append(await queue(app, text=text))
        await queue(app, BOB, text="not hers")
        await app.deliver()
    app.step(timedelta(seconds=2))
    await queue(app, text="three")

    found = await held(app)

    says = [one.says["text"] for one in found.mails if one.says and "text" in one.says]
    assert says == ["three", "two", "one"]
    assert [one.status for one in found.mails] == ["queued", "sent", "sent", "sent"]
    kinds = [ground.kind for one in found.mails for ground in one.grounds]
    assert kinds == ["consent", "consent", "confirmation"]
    assert {one.subject for one in found.events} == {await app.subject()}
    assert found.mails_left_out == 0

    less = await held(app, most_messages=1, most_items=3)

    assert (len(less.mails), less.mails_left_out, less.events_left_out) == (1, 3, True)
    assert b'"messages": 3' in dossiers.to_json(less, app.parts.config)
    told = words(dossier_paper.paper(less, app.parts.config, "en"))
    assert "3 older messages are in no file" in told
    assert "privacy@acme.example" in told

    async with app.parts.data.begin() as connection:  # as its term does
        await connection.execute(delete(attempt).where(attempt.c.message == sent[0]))
        await connection.execute(delete(outbox).where(outbox.c.id == sent[0]))

    (mail,) = [one for one in (await held(app)).mails if one.id == sent[0]]

    assert (mail.purpose, mail.sender, mail.status) == ("newsletter", None, "sent")
    (ground,) = mail.grounds
    assert (ground.kind, ground.outcome, ground.code) == ("consent", "sent", 250)

    app.step(app.parts.config.retention.messages + timedelta(days=1))
    of_paper = await Dossiers(app.parts).collect(await app.subject() or "", aside, for_paper=True)
    assert of_paper is not None
    assert [one for one in of_paper.mails if one.id == sent[0]] == [mail], "a paper tells it, too"

    subject = await app.subject() or ""
    app.step(timedelta(seconds=2))
    assert (await call(app, await app.key(), "POST", "/v1/erasures", {"email": ADA}))[0] == 202
    assert await Dossiers(app.parts).collect(subject, aside) is None
    assert await Dossiers(app.parts).collect("sub_" + "0" * 26, aside) is None
