"""A sender, a purpose and a form leave the configuration: what happened under them stays told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from consent.evidence import MailSent
from delivery import outbox, tables
from delivery.desk import Parcel
from delivery.journal import Journal
from delivery.permits import Spending
from gateway.callers.api_keys import Scope
from gateway.config.config import Config
from gateway.flows.keeping.expire import Expiry
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving import verify
from gateway.flows.rights import overview
from gateway.flows.sending import recover
from gateway.process.desk import Desk
from tests.support.apps import ADA, App, Mail, open_app, start_app
from tests.support.calls import call
from tests.support.databases import Databases

BOB, CLEO = "bob@example.org", "cleo@example.org"
DEAD = "wrk_dead"
_MORE = """
[forms.elsewhere]
purposes = ["elsewhere"]
fields = { town = { label = { en = "Your town" } } }
"""


@dataclass
class Life:
    """A gateway whose sender `other` is gone with its purpose and form, and what was before."""

    app: App
    key: dict[str, str]
    before: Config
    mail: Mail  # a newsletter of `other` to Ada
    pending: str  # the token of Bob's confirmation mail
    seen: dict[str, Any] = field(default_factory=dict)  # messages as they were told before

    async def look(self, message: str) -> dict[str, Any]:
        status, seen = await call(self.app, self.key, "GET", f"/v1/messages/{message}")
        assert status == 200, message
        return dict(seen)

    def named(self, what: str) -> str:
        return str(self.seen[what]["message_id"])


async def sign_up(app: App, email: str) -> None:
    texts = await app.texts("elsewhere", form="elsewhere")
    body = {"email": email, "purposes": ["elsewhere"], "texts": texts}
    async with app.http.post("/forms/elsewhere", json=body) as answer:
        assert answer.status == 202


async def queue(app: App, key: dict[str, str], **more: Any) -> str:
    content = {"subject": "News", "text": "Hello."}
    body = {"to": {"email": ADA}, "purpose": "elsewhere", "content": content} | more
    status, said = await call(app, key, "POST", "/v1/messages", body)
    assert status == 202
    return str(said["message_id"])


async def die_past_the_dot(app: App, answered: Sequence[str]) -> None:
    """A worker claims what is due and dies; the relay had *answered* some of it."""
    desk = Desk(app.parts)
    await desk.register(DEAD)
    parcels: Sequence[Parcel] = await desk.claim(DEAD, 10)
    assert len(parcels) == 3
    with Journal.create(app.parts.config.delivery.journal_dir, DEAD) as journal:
        for one in parcels:
            spending = Spending(one.permit, one.message, one.attempt)
            assert await desk.spend(DEAD, [spending]) == {one.permit}
            journal.dot(one.message, one.attempt)
            if one.message in answered or one.kind == "service":
                journal.acc(one.message, one.attempt, 250)


async def live(app: App) -> Life:
    key = await app.key()
    for email in (ADA, BOB):
        await sign_up(app, email)
    tokens = {mail.to: mail.token("confirm") for mail in await app.deliver()}
    async with app.http.post(f"/confirm/{tokens[ADA]}", data={"answer": "confirm"}) as answer:
        assert answer.status == 200
    sent = await queue(app, key)
    (mail,) = await app.deliver()
    later = app.parts.clock.wall() + timedelta(hours=1)
    waits = await queue(app, key, send_at=later.isoformat())
    answered, doubtful = await queue(app, key), await queue(app, key)
    await sign_up(app, CLEO)
    await app.tick()
    await die_past_the_dot(app, [answered])
    life = Life(app, key, app.parts.config, mail, tokens[BOB])
    names = {"sent": sent, "waits": waits, "answered": answered, "doubtful": doubtful}
    life.seen = {what: await life.look(message) for what, message in names.items()}
    return life


def without_other(config: Config) -> Config:
    """As an operator leaves it who gave the brand up."""
    kept = {
        "senders": {name: one for name, one in config.senders.items() if name != "other"},
        "purposes": {name: one for name, one in config.purposes.items() if one.sender != "other"},
        "forms": {name: one for name, one in config.forms.items() if name != "elsewhere"},
    }
    return config.model_copy(update=kept)


@pytest.fixture
async def life(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[Life]:
    async with AsyncExitStack() as stack:
        async with open_app(tmp_path, new_database_url, dialect, more=_MORE) as app:
            lived = await live(app)
        opened = start_app(without_other(lived.before), app.parts.clock)
        lived.app = await stack.enter_async_context(opened)
        yield lived


async def test_each_message_is_told_as_it_was_and_a_replay_tells_how_it_ended(life: Life) -> None:
    for what, before in life.seen.items():
        assert await life.look(life.named(what)) == before

    assert await recover.from_journals(life.app.parts) == 3

    ends = {what: await life.look(life.named(what)) for what in life.seen}
    assert {what: seen["status"] for what, seen in ends.items()} == {
        "sent": "sent",
        "waits": "queued",
        "answered": "sent",
        "doubtful": "uncertain",
    }
    headers = {what: seen["message_id_header"] for what, seen in ends.items()}
    assert headers == {what: seen["message_id_header"] for what, seen in life.seen.items()}
    assert headers["sent"].encode() in life.mail.raw


async def test_the_proof_of_a_replayed_confirmation_says_nothing_of_todays_configuration(
    life: Life,
) -> None:
    await recover.from_journals(life.app.parts)
    await life.app.tick()

    seen = await overview.look(life.app.parts, await subject_of(life, CLEO))
    assert seen is not None
    (sent,) = [s.said for h in seen.consents for s in h.story if isinstance(s.said, MailSent)]
    assert (sent.message_id_header or "").endswith("@other.example")
    assert (sent.sender_address, sent.relay, sent.mail) == (None, None, None)
    assert sent.reply is not None and sent.reply.code == 250


async def test_what_still_waits_is_not_sent_and_says_why(life: Life) -> None:
    life.app.step(timedelta(hours=2))

    assert await life.app.deliver() == []
    waits = await life.look(life.named("waits"))
    assert (waits["status"], waits["reason"]) == ("deferred", "parked_sender_unknown")

    life.app.step(timedelta(days=6))
    assert await life.app.deliver() == []
    waits = await life.look(life.named("waits"))
    assert (waits["status"], waits["reason"]) == ("failed", "message_expired")


async def test_a_purpose_alone_that_is_gone_refuses(life: Life) -> None:
    config = life.before
    kept = {name: one for name, one in config.purposes.items() if name != "elsewhere"}
    forms = {name: one for name, one in config.forms.items() if name != "elsewhere"}
    changed = config.model_copy(update={"purposes": kept, "forms": forms})
    async with start_app(changed, life.app.parts.clock) as app:
        app.step(timedelta(hours=2))
        assert await app.deliver() == []

    waits = await life.look(life.named("waits"))
    assert (waits["status"], waits["reason"]) == ("refused", "purpose_unknown")


async def test_a_sender_that_comes_back_sends_what_waited_under_the_same_message_id(
    life: Life,
) -> None:
    life.app.step(timedelta(hours=2))
    await life.app.deliver()

    async with start_app(life.before, life.app.parts.clock) as app:
        app.step(timedelta(minutes=10))
        (mail,) = await app.deliver()

    assert life.seen["waits"]["message_id_header"].encode() in mail.raw


async def test_every_link_of_its_mails_shows_and_does_what_it_did(life: Life) -> None:
    http = life.app.http
    for route in ("why", "preferences", "unsubscribe"):
        async with http.get(f"/{route}/{life.mail.token(route)}") as page:
            assert page.status == 200, route
            assert route == "unsubscribe" or "Elsewhere" in await page.text()
    async with http.get(f"/confirm/{life.pending}") as page:
        assert (page.status, "the other brand" in await page.text()) == (200, True)
    async with http.post(f"/confirm/{life.pending}", data={"answer": "confirm"}) as page:
        assert (page.status, "Elsewhere" in await page.text()) == (200, True)

    preferences = f"/preferences/{life.mail.token('preferences')}"
    async with http.post(preferences, data={"purpose.elsewhere": "off"}) as page:
        assert page.status == 200
    async with http.post(f"/unsubscribe/{life.mail.token('unsubscribe')}") as page:
        assert page.status == 200

    assert await states(life, ADA) == ["withdrawn"]
    assert await states(life, BOB) == ["confirmed"]


async def test_nobody_is_promised_a_mail_for_a_purpose_that_is_gone(life: Life) -> None:
    http, preferences = life.app.http, f"/preferences/{life.mail.token('preferences')}"
    async with http.post(preferences, data={"purpose.elsewhere": "off"}) as page:
        assert page.status == 200

    async with http.post(preferences, data={"purpose.elsewhere": "on"}) as page:
        assert (page.status, "begins once you confirm it" in await page.text()) == (200, False)


async def states(life: Life, email: str) -> list[str]:
    """Of the consents of a person, as their own pages show them."""
    seen = await overview.look(life.app.parts, await subject_of(life, email))
    assert seen is not None
    return [str(held.state) for held in seen.consents]


async def subject_of(life: Life, email: str) -> str:
    found = await life.app.subject(email)
    assert found is not None
    return found


async def test_the_persons_own_pages_show_it_and_let_them_leave(life: Life) -> None:
    app = life.app
    async with app.http.post("/my-data", data={"email": ADA}) as answer:
        assert answer.status == 200
    (mail,) = await app.deliver()
    opened = f"/my-data/{mail.token('my-data')}"
    async with app.http.post(opened, allow_redirects=False) as answer:
        person = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    for page in ("/my-data", "/my-data/why", "/my-data/preferences"):
        async with app.http.get(page, headers=person) as answer:
            text = await answer.text()
            assert (answer.status, "Elsewhere" in text) == (200, True), page

    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    wanted = {"csrf": found[1], "purpose.elsewhere": "off"}
    for _ in range(2):
        async with app.http.post("/my-data/preferences", data=wanted, headers=person) as answer:
            assert answer.status == 200

    assert await states(life, ADA) == ["withdrawn"]


async def test_a_caller_who_hears_of_it_passes_a_withdrawal_on(life: Life) -> None:
    body = {
        "to": {"email": ADA},
        "purpose": "elsewhere",
        "kind": "withdraw",
        "channel": "phone",
    }
    theirs = await life.app.key(Scope.CONSENTS_WITHDRAW, purposes=["elsewhere"])
    others = await life.app.key(Scope.CONSENTS_WITHDRAW, senders=["acme"])

    assert (await call(life.app, others, "POST", "/v1/withdrawals", body))[0] == 403
    assert await states(life, ADA) == ["confirmed"]
    assert await call(life.app, theirs, "POST", "/v1/withdrawals", body) == (
        200,
        {"status": "done"},
    )
    assert await states(life, ADA) == ["withdrawn"]
    never = body | {"purpose": "never-was"}
    assert (await call(life.app, life.key, "POST", "/v1/withdrawals", never))[0] == 422


async def test_questions_about_it_are_answered_and_nothing_is_accepted_for_it(life: Life) -> None:
    app, body = life.app, {"to": {"email": ADA}, "purpose": "elsewhere"}

    assert await app.permission(ADA, "elsewhere") == "purpose_unknown"
    message = body | {"content": {"subject": "News", "text": "Hello."}}
    status, problem = await call(app, life.key, "POST", "/v1/messages", message)
    assert (status, problem["reason"]) == (403, "purpose_unknown")
    for path in ("/forms/elsewhere", "/forms/elsewhere.json"):
        async with app.http.get(path) as answer:
            assert answer.status == 404


async def test_duties_go_on_and_the_log_and_the_rows_verify(life: Life) -> None:
    parts = life.app.parts
    await recover.from_journals(parts)
    await life.app.deliver()
    for days in (4, 40, 400):
        life.app.step(timedelta(days=days))
        await Expiry(parts).by_date()
        await Expiry(parts).by_use()
        for rule in RetentionRules(parts).rules().values():
            await rule()
        await life.app.tick()

        found = await verify.verify(parts)

        assert list(found.rows) == []


async def test_what_the_first_release_queued_gets_its_domain_at_the_upgrade(life: Life) -> None:
    """The upgrade signs it with the domain that its sender has then; later that may be gone."""
    parts = life.app.parts
    async with parts.data.begin() as connection:
        unsigned = {"kid": None, "mac": None, "id_domain": None}
        await connection.execute(update(tables.outbox).values(unsigned))
    waits = await life.look(life.named("waits"))
    assert "message_id_header" not in waits, "not known"

    async with parts.data.begin() as connection:
        for domain in ("other.example", "another.example"):
            await outbox.name_domains(connection, {"other": domain})

    assert await life.look(life.named("waits")) == life.seen["waits"]
