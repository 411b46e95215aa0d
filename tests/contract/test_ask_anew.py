"""Re-permission, on both databases: who is asked, what they answer, and what is mailed then."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from audit import trail
from audit.kinds import Kind
from consent import service_mails, tables
from consent.re_permission import ANSWER_WITHIN, PAUSE
from consent.sign_ups import RE_PERMISSION
from delivery.tables import outbox
from gateway.config.config import Config
from gateway.flows.joining import ask_anew
from gateway.flows.joining.ask_anew import AskingAnew, Question, Told, Unaskable, question
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving import verify
from gateway.process.lifespan import open_parts
from tests.contract.test_coverage import CHANGED, MESSAGE, Change, changed, declare_same, post
from tests.support.apps import ADA, App, Mail, start_app

BOB, GRACE = "bob@example.net", "grace@example.com"
DAY = timedelta(days=1)
NOW_ASKED = "Yes, send me offers of your 340 partners every day."


def reworded(config: Config, text: str) -> Config:
    newsletter = config.purposes["newsletter"]
    now = newsletter.model_copy(update={"text": newsletter.text | {"en": text}})
    return config.model_copy(update={"purposes": config.purposes | {"newsletter": now}})


@asynccontextmanager
async def started(app: App, text: str = NOW_ASKED) -> AsyncIterator[App]:
    """The same gateway, a minute later, started with another wording."""
    app.step(timedelta(minutes=1))
    async with start_app(reworded(app.parts.config, text), app.parts.clock) as again:
        yield again


async def begin(app: App, text: str, apart: timedelta = timedelta(), *, dry: bool = False) -> Any:
    async with app.parts.data.read() as connection:
        mailing = app.parts.consents.wordings.mailing
        put = await question(connection, mailing, app.parts.log.macs, text)
    return AskingAnew(app.parts, put, apart, dry) if isinstance(put, Question) else put


async def finish(asking: AskingAnew) -> Told:
    while await asking.some():
        pass
    return Told.of(asking)


async def ask(app: App, text: str, **how: Any) -> Told:
    return await finish(await begin(app, text, **how))


async def agreed(app: App, *emails: str) -> str:
    """Who agreed to the wording of before; returns its hash."""
    (text,) = await app.texts("newsletter")
    for email in emails or (ADA,):
        await app.subscribe(email)
    return text


def words(mail: Mail) -> str:
    body = message_from_bytes(mail.raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def said(app: App, token: str, answer: str) -> str:
    posted = await app.http.post(f"/confirm/{token}", data={"answer": answer})
    assert posted.status == 200, await posted.text()
    return await posted.text()


async def sent(app: App) -> list[str]:
    """To whom mail goes of all that was accepted before the change, or is tried now."""
    caller = await app.key()
    await app.http.post("/v1/messages", json=MESSAGE, headers=caller)
    return [mail.to for mail in await app.send_due()]


async def test_the_mail_says_what_was_and_what_is_and_looking_changes_nothing(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        told = await ask(again, text)
        (mail,) = await again.send_due()
        page = await (await again.http.get(f"/confirm/{mail.token('confirm')}")).text()
        permission = await again.permission()
        await again.tick()
        verified = await verify.verify(again.parts)

    assert told == Told(asked=1, unasked={}, left=0)
    assert mail.to == ADA
    for part in ("Yes, send me the newsletter.", NOW_ASKED, "Acme (Acme GmbH)", "/unsubscribe/"):
        assert part in words(mail)
    assert b"List-Unsubscribe" not in mail.raw, "a service mail, and no letter of a list"
    for part in (NOW_ASKED, 'value="confirm"', 'value="decline"', 'value="reject"', "Sender: Acme"):
        assert part in page
    assert permission == "not_covered"
    assert verified.rows == []


async def test_who_says_yes_is_mailed_under_what_is_so_now(app: App) -> None:
    text = await agreed(app)
    waiting = await post(app, await app.key())
    async with started(app) as again:
        await ask(again, text)
        mails = await again.send_due()
        (mail,) = [one for one in mails if "confirm" in words(one)]
        await said(again, mail.token("confirm"), "confirm")
        granted, mailed = await again.permission(), await sent(again)
        rows = await consents(again)
        story = await events(again)
        verified = await verify.verify(again.parts)

    assert [one.to for one in mails] == [ADA], "what waited for the wording of before went out"
    assert (granted, mailed) == ("granted", [ADA])
    old, new = rows
    assert (old["state"], new["state"], new["form"]) == ("confirmed", "confirmed", RE_PERMISSION)
    assert new["text_hash"] != text == old["text_hash"]
    (told,) = [one for one in story if one.get("in_place_of")]
    assert (told["in_place_of"], told["consent"]) == (old["id"], new["id"])
    assert (told["rendered_by"], told["text"]) == ("mail", new["text_hash"])
    assert verified.rows == [] and waiting


async def test_who_says_no_is_mailed_under_neither_wording_whatever_comes(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        page = await said(again, mail.token("confirm"), "decline")
        repeated = await said(again, mail.token("confirm"), "decline")
        after_yes = await said(again, mail.token("confirm"), "confirm")
        reasons = [await again.permission()]
        states = [row["state"] for row in await consents(again)]
        again.step(PAUSE)
        told = await ask(again, text)
        verified = await verify.verify(again.parts)
    # As before the change: no error of the operator mails them under what they had agreed to.
    async with start_app(app.parts.config, app.parts.clock) as back:
        reasons.append(await back.permission())
        mailed = await sent(back)
        await back.subscribe()
        anew = await back.permission()

    for shown in (page, repeated):
        assert "so has what you agreed to before" in shown
    assert "Thank you, confirmed" not in after_yes
    assert (states, reasons) == (["withdrawn", "rejected"], ["withdrawn", "withdrawn"])
    assert (told.asked, mailed, anew) == (0, [], "granted")
    assert verified.rows == []


async def test_not_me_ends_what_was_before_too_and_keeps_strangers_from_asking(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        page = await said(again, mail.token("confirm"), "reject")
        reason = await again.permission()
        await again.tick()
        verified = await verify.verify(again.parts)
    async with start_app(app.parts.config, app.parts.clock) as back:
        before = await back.permission()
        back.step(DAY)
        await back.sign_up()
        mails = await back.deliver()

    assert "What had been agreed to for these mails before has ended, too." in page
    assert (reason, before, mails) == ("withdrawn", "withdrawn", [])
    assert verified.rows == []


async def test_who_said_yes_by_mistake_can_take_back_both(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        await said(again, mail.token("confirm"), "confirm")
        await said(again, mail.token("confirm"), "reject")

        assert [row["state"] for row in await consents(again)] == ["withdrawn", "withdrawn"]
        assert await again.permission() == "withdrawn"


async def test_who_does_not_answer_is_not_mailed_and_not_asked_again(app: App) -> None:
    """Nor when everything is gone that goes by itself."""
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        assert len(await again.send_due()) == 1
        again.step(ANSWER_WITHIN)
        await again.tick()
        states = [row["state"] for row in await consents(again)]
        reason, mailed = await again.permission(), await sent(again)
        told = [await ask(again, text)]
        await again.confirmation(ADA, "updates")  # which is forgotten, and looked at for that
        again.step(400 * DAY)
        await again.tick()
        await RetentionRules(again.parts).people()
        told.append(await ask(again, text))
        kept = [row["state"] for row in await consents(again)]
        verified = await verify.verify(again.parts)

    assert (states, reason, mailed) == (["confirmed", "lapsed"], "not_covered", [])
    assert told == [Told(asked=0, unasked={"asked_before": 1}, left=0)] * 2
    assert kept == ["confirmed", "lapsed"]
    assert verified.rows == []


async def test_that_somebody_was_asked_goes_with_the_consent_that_it_was_about(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        await again.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")
        states = [row["state"] for row in await consents(again)]
        again.step(2000 * DAY)
        await RetentionRules(again.parts).people()

        assert states == ["withdrawn", "rejected"]
        assert await again.subject() is None


async def test_where_no_proof_is_kept_nothing_is_left_of_who_said_no(app: App) -> None:
    text = await agreed(app)
    config = reworded(app.parts.config, NOW_ASKED)
    kept = config.retention.model_copy(update={"evidence_after_withdrawal": timedelta()})
    app.step(timedelta(minutes=1))
    async with start_app(config.model_copy(update={"retention": kept}), app.parts.clock) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        await said(again, mail.token("confirm"), "decline")
        rules = RetentionRules(again.parts)
        await rules.people()
        left = [row["state"] for row in await consents(again)]
        again.step(31 * DAY)
        await rules.people()

        assert left == ["rejected"]
        assert await again.subject() is None


async def test_the_link_works_for_two_weeks_and_says_so(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        path = f"/confirm/{mail.token('confirm')}"
        again.step(ANSWER_WITHIN - timedelta(minutes=1))
        shown = (await again.http.get(path)).status
        again.step(timedelta(minutes=1))
        over = await again.http.get(path)
        page = await over.text()
        late = await again.http.post(path, data={"answer": "confirm"})

        assert (shown, over.status, late.status) == (200, 410, 410)
        assert "The link works for two weeks" in page
        assert await again.permission() == "not_covered"
        assert "two weeks" in words(mail)


async def test_an_expired_link_asks_like_any_sign_up(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        again.step(ANSWER_WITHIN)
        await said(again, mail.token("confirm"), "again")
        (new,) = await again.deliver()
        await said(again, new.token("confirm"), "confirm")

        assert await again.permission() == "granted"
        assert (await consents(again))[-1]["form"] == "service.preferences"


async def test_another_change_is_a_new_question_after_a_pause(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        await again.send_due()
    async with started(app, "Yes, send me everything, at any hour.") as third:
        third.step(ANSWER_WITHIN)
        await third.tick()
        told = [await ask(third, text)]
        third.step(PAUSE)
        told += [await ask(third, text), await ask(third, text)]
        (mail,) = await third.send_due()
        verified = await verify.verify(third.parts)

    assert [one.asked for one in told] == [0, 1, 0]
    assert [one.unasked for one in told] == [{"asked_lately": 1}, {}, {"asked_before": 1}]
    assert "at any hour" in words(mail)
    assert verified.rows == []


async def test_another_notice_is_no_new_question(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        config = again.parts.config
    moved = config.controller.model_copy(update={"contact": "dpo@acme.example"})
    async with start_app(config.model_copy(update={"controller": moved}), app.parts.clock) as third:
        third.step(2 * PAUSE)
        await third.tick()

        assert (await ask(third, text)).unasked == {"asked_before": 1}


async def test_two_operators_at_once_and_one_who_does_it_again_ask_each_person_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_anew, "_AT_ONCE", 2)
    people = [f"p{number}@example.org" for number in range(5)]
    text = await agreed(app, *people)
    async with started(app) as one, start_app(one.parts.config, app.parts.clock) as two:
        stopped = await begin(one, text)
        assert await stopped.some()  # its process ends here
        told = [*await asyncio.gather(ask(one, text), ask(two, text)), await ask(two, text)]
        mails = Counter(mail.to for mail in await one.send_due())

    assert mails == dict.fromkeys(people, 1)
    assert sum(one.asked for one in told) == 3
    assert [one.asked + sum(one.unasked.values()) + one.left for one in told] == [5, 5, 5]


async def test_what_fails_in_the_middle_asks_nobody_and_is_made_up_for(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = await agreed(app, ADA, BOB)
    async with started(app) as again:

        async def away(*_: Any) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(service_mails, "add", away)
            told = await ask(again, text)
        assert (told.asked, told.left) == (0, 2)
        assert await again.send_due() == []
        again.step(DAY)  # they were put aside meanwhile

        assert (await ask(again, text)).asked == 2
        assert sorted(mail.to for mail in await again.send_due()) == [ADA, BOB]


async def test_a_dry_run_counts_and_asks_nobody(app: App) -> None:
    text = await agreed(app, ADA, BOB)
    async with started(app) as again:
        told = await ask(again, text, dry=True)

        assert told == Told(asked=2, unasked={}, left=0)
        assert await again.send_due() == []
        assert await ask(again, text) == told


async def test_whoever_must_not_be_asked_is_not_and_the_operator_is_told_why(limited: App) -> None:
    app = limited
    names = ("withdrawn", "objected", "restricted", "covered", "pending", "blocked", "limited")
    people = {name: f"{name}@example.org" for name in names}
    text = await agreed(app, *people.values(), ADA)
    caller = await app.key()
    for kind, who in (("withdraw", "withdrawn"), ("object", "objected")):
        leave = {"to": {"email": people[who]}, "all": True, "kind": kind, "channel": "phone"}
        answer = await app.http.post("/v1/withdrawals", json=leave, headers=caller)
        assert answer.status == 200
    await restrict(app, people["restricted"])
    app.step(8 * DAY)  # what was sent for those sign-ups counts no more
    async with started(app) as again:
        await again.subscribe(people["covered"])
        await again.confirmation(people["pending"])
        await again.sign_up(people["blocked"], "updates")
        (mail,) = await again.deliver()
        await again.http.post(f"/stop/{mail.token('stop')}")
        for _ in range(2):
            again.step(timedelta(minutes=1))
            await again.sign_up(people["limited"], "updates")
            assert len(await again.deliver()) == 1

        told = await ask(again, text)
        mails = await again.send_due()
        again.step(8 * DAY)
        await again.tick()
        later = await ask(again, text)

    assert [mail.to for mail in mails] == [ADA]
    # Who withdrew or objected rests on no wording any more.
    assert told == Told(asked=1, unasked=dict.fromkeys(names[2:], 1), left=0)
    assert later.asked == 2, "who was asked too often that week, and whose own sign-up lapsed"


async def restrict(app: App, email: str) -> None:
    async with app.parts.data.begin() as connection:
        change = update(tables.subject).where(tables.subject.c.id == await app.subject(email))
        await connection.execute(change.values(restricted_at=app.parts.clock.wall()))


async def test_the_third_mail_of_a_week_is_kept_for_who_asks_by_a_form(limited: App) -> None:
    text = await agreed(limited)
    async with started(limited) as again:
        again.step(timedelta(minutes=1))
        await again.sign_up(ADA, "updates")
        assert len(await again.deliver()) == 1
        assert (await ask(again, text)).unasked == {"limited": 1}
        again.step(8 * DAY)
        await ask(again, text)
        assert len(await again.send_due()) == 1
        for place in ("192.0.2.7", "198.51.100.7", "203.0.113.7"):
            again.step(timedelta(minutes=1))
            body, network = await again.posted(ADA, "updates"), {"X-Forwarded-For": place}
            await again.http.post("/forms/signup", json=body, headers=network)

        assert len(await again.deliver()) == 2, "three a week, whoever asks"


@pytest.mark.parametrize("how", ["objects", "stops them", "withdraws", "is declared", "goes back"])
async def test_a_question_that_is_not_needed_any_more_does_not_go(app: App, how: str) -> None:
    (text,) = await app.texts("newsletter")
    await app.sign_up()
    (confirmation,) = await app.deliver()
    stop = confirmation.token("stop")
    await said(app, confirmation.token("confirm"), "confirm")
    async with started(app) as again:
        again.step(timedelta(minutes=1))
        await ask(again, text)
        caller = await again.key()
        if how in ("objects", "withdraws"):
            kind = "object" if how == "objects" else "withdraw"
            leave = {"to": {"email": ADA}, "all": True, "kind": kind, "channel": "phone"}
            await again.http.post("/v1/withdrawals", json=leave, headers=caller)
        elif how == "stops them":
            await again.http.post(f"/stop/{stop}")
        elif how == "is declared":
            await declare_same(again, again.parts.config, text)
            again.step(timedelta(seconds=10))
        if how == "goes back":
            async with start_app(app.parts.config, app.parts.clock) as back:
                mails = await back.send_due()
        else:
            mails = await again.send_due()
        ended = await ends(again)

    assert mails == []
    assert ended[0] == ("cancelled", "not_needed")


async def ends(app: App) -> list[Any]:
    """What became of the mails that asked anew."""
    async with app.parts.data.read() as connection:
        query = select(outbox.c.status, outbox.c.reason).where(outbox.c.occasion == "re-permission")
        return [tuple(row) for row in await connection.execute(query)]


async def test_whoever_signs_up_meanwhile_does_not_stand_in_line_behind_all_who_are_asked(
    app: App,
) -> None:
    text = await agreed(app, ADA, BOB, GRACE)
    async with started(app) as again:
        await ask(again, text, apart=timedelta(hours=1))
        again.step(timedelta(minutes=1))
        await again.sign_up("joan@example.org")
        first = [mail.to for mail in await again.deliver()]
        later = []
        for _ in range(2):
            again.step(timedelta(hours=1))
            later += [mail.to for mail in await again.send_due()]

    assert len(first) == 2, "one of those who are asked, and who signed up"
    assert "joan@example.org" in first
    assert len(later) == 2
    rows = [row for row in await consents(app) if row["form"] == RE_PERMISSION]
    ends_at = sorted(row["lapses_at"] for row in rows)
    assert ends_at[2] - ends_at[0] == timedelta(hours=2), "each has as long to answer"


async def test_it_is_asked_as_the_sender_who_was_agreed_to(app: App) -> None:
    text = await agreed(app)
    config = app.parts.config
    given = config.purposes["newsletter"].model_copy(update={"sender": "other"})
    moved = config.model_copy(update={"purposes": config.purposes | {"newsletter": given}})
    app.step(timedelta(minutes=1))
    async with start_app(moved, app.parts.clock) as again:
        await ask(again, text)
        (mail,) = await again.send_due()
        await said(again, mail.token("confirm"), "confirm")
        await again.http.post("/v1/messages", json=MESSAGE, headers=await again.key())
        (letter,) = await again.send_due()

    assert b"news@acme.example" in mail.raw
    assert "Sender: Other (Acme GmbH)" in words(mail)
    assert b"news@other.example" in letter.raw


@pytest.mark.parametrize(
    "change",
    [Change(controller=CHANGED), Change(sender=CHANGED), Change(address=CHANGED)],
    ids=["controller", "sender", "address"],
)
async def test_who_mails_may_have_changed_as_well(app: App, change: Change) -> None:
    text = await agreed(app)
    app.step(timedelta(minutes=1))
    async with changed(app, change, text) as again:
        assert (await ask(again, text)).asked == 1
        (mail,) = await again.send_due()
        assert "Acme (Acme GmbH)" in words(mail)
        await said(again, mail.token("confirm"), "confirm")

        assert await again.permission() == "granted"


async def test_where_there_is_nothing_to_ask_nobody_is_asked(app: App) -> None:
    text = await agreed(app)
    assert await begin(app, text) is Unaskable.COVERS
    assert await begin(app, "sha256:none") is Unaskable.NOT_FOUND
    config = app.parts.config
    gone = {name: one for name, one in config.purposes.items() if name != "newsletter"}
    forms = {name: one for name, one in config.forms.items() if name == "none"}
    without = config.model_copy(update={"purposes": gone, "forms": forms})
    async with start_app(without, app.parts.clock) as again:
        assert await begin(again, text) is Unaskable.NOTHING_NOW


async def test_what_was_not_started_with_yet_is_asked_of_nobody(app: App) -> None:
    text = await agreed(app)
    config = reworded(app.parts.config, NOW_ASKED)
    async with open_parts(config, app.parts.clock) as parts:
        asking = await begin(replace(app, parts=parts), text)

    assert asking is Unaskable.NOT_PUBLISHED


async def test_an_ordinary_request_cannot_be_declined(app: App) -> None:
    token = await app.confirmation()

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "decline"})

    assert answer.status == 422
    assert await app.permission() == "pending"


async def test_nobody_makes_another_mail_of_a_question_by_writing_rows(app: App) -> None:
    """One that goes whether or not a consent stands."""
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        async with again.parts.data.begin() as connection:
            await connection.execute(update(outbox).values(occasion="confirmation"))

        assert await again.send_due() == []


async def test_the_verification_names_a_question_that_somebody_deleted(app: App) -> None:
    """Without its row the person would be asked once more."""
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        await again.send_due()
        again.step(ANSWER_WITHIN)
        await again.tick()
        (asked,) = [row for row in await consents(again) if row["form"] == RE_PERMISSION]
        ties = tables.confirmation_consent
        async with again.parts.data.begin() as connection:
            await connection.execute(delete(ties).where(ties.c.consent == asked["id"]))
            theirs = tables.consent.c.id == asked["id"]
            await connection.execute(delete(tables.consent).where(theirs))
        verified = await verify.verify(again.parts)

    assert f"consent {asked['id']}: the log tells of it, and its row is gone" in verified.rows


async def test_the_log_says_that_the_operator_asked(app: App) -> None:
    text = await agreed(app)
    async with started(app) as again:
        await ask(again, text)
        await again.tick()
        async with again.parts.data.read() as connection:
            found = await again.parts.log.events(connection, kind=Kind.CONSENT_REQUESTED)

    assert [one.entry.actor for one in found] == ["subject", "operator"]


async def consents(app: App) -> list[Any]:
    """Every consent that is kept, oldest request first."""
    async with app.parts.data.read() as connection:
        query = select(tables.consent).order_by(tables.consent.c.requested_at, tables.consent.c.id)
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def events(app: App) -> list[Any]:
    """What the log keeps of Ada in her own trail."""
    await app.tick()
    subject = await app.subject()
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.read() as connection:
        page = await trail.trail(connection, subject, vault, after=None)
    return [part.facts for event in page for part in event.disclosures if part.facts]
