"""Who may still be mailed when the configuration is another one, on both databases.

Asked as callers ask, claimed as a worker claims, and read in the log.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from audit import trail
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from gateway.config.config import Config
from gateway.flows.joining import declare
from gateway.flows.joining.declare import Declaration
from gateway.flows.proving import declarations, verify
from tests.support.apps import ADA, App, start_app
from tests.support.statements import statements

MESSAGE = {
    "to": {"email": ADA},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}
SAME, CHANGED, DECLARED = "same", "changed", "declared"
OTHER_CONTROLLER, OTHER_PLACE = "Acme Holding SE", "Musterstr. 2, 80331 Munich, Germany"
OTHER_SENDER, OTHER_ADDRESS = "Acme Brands", "hello@acme.example"
OTHER_WORDING = "Yes, send me offers of your 340 partners every day."


@dataclass(frozen=True)
class Change:
    """What the configuration has since the person agreed; declared or not."""

    controller: str = SAME
    sender: str = SAME
    address: str = SAME
    wording: str = SAME

    @property
    def expected(self) -> str:
        states = (self.controller, self.sender, self.address, self.wording)
        return "not_covered" if CHANGED in states else "granted"

    def of(self, config: Config) -> Config:
        """Of the two addresses, both change together."""
        controller, acme = config.controller, config.senders["acme"]
        place, address = controller.postal_address, acme.from_address
        moved = self.address != SAME
        controller = controller.model_copy(
            update={
                "name": controller.name if self.controller == SAME else OTHER_CONTROLLER,
                "postal_address": OTHER_PLACE if moved else place,
                "was": _was((self.controller, controller.name), (self.address, place)),
            }
        )
        acme = acme.model_copy(
            update={
                "name": acme.name if self.sender == SAME else OTHER_SENDER,
                "from_address": OTHER_ADDRESS if moved else address,
                "was": _was((self.sender, acme.name), (self.address, address)),
            }
        )
        purposes = dict(config.purposes)
        if self.wording != SAME:
            texts = purposes["newsletter"].text | {"en": OTHER_WORDING}
            purposes["newsletter"] = purposes["newsletter"].model_copy(update={"text": texts})
        update = {
            "controller": controller,
            "senders": config.senders | {"acme": acme},
            "purposes": purposes,
        }
        return config.model_copy(update=update)


def _was(*declared: tuple[str, str]) -> tuple[str, ...]:
    return tuple(name for state, name in declared if state == DECLARED)


def in_every_combination() -> list[Change]:
    """With those last that declare a wording: that stands for ever."""
    return sorted(_combinations(), key=lambda change: change.wording == DECLARED)


def _combinations() -> Iterator[Change]:
    """Each as it was or changed; what is changed all declared, or nothing of it, or all but one.

    Address by address, and whatever is declared: `tests/unit/test_coverage.py`.
    """
    for states in itertools.product([SAME, CHANGED], repeat=4):
        yield Change(*states)
        if CHANGED in states:
            yield Change(*(DECLARED if state == CHANGED else state for state in states))
    everything = Change(*[DECLARED] * 4)
    for name in ("controller", "sender", "address", "wording"):
        yield replace(everything, **{name: CHANGED})


@asynccontextmanager
async def changed(app: App, change: Change, text: str) -> AsyncIterator[App]:
    """The same gateway, started on another configuration."""
    config = change.of(app.parts.config)
    if change.wording == DECLARED:
        await declare_same(app, config, text)
    async with start_app(config, app.parts.clock) as again:
        yield again


async def declare_same(app: App, config: Config, text: str) -> declare.Outcome:
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        said = Declaration(text, "a typing mistake mended")
        return await declare.declare_same(connection, app.parts.log, config, said, now)


async def post(app: App, caller: dict[str, str]) -> str:
    answer = await app.http.post("/v1/messages", json=MESSAGE, headers=caller)
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["message_id"])


async def told_of(app: App, message: str) -> list[Any]:
    """What the log says became of a message: no reason where it was permitted."""
    await app.tick()
    subject = await app.subject()
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    found, after = [], None
    async with app.parts.data.read() as connection:
        while page := await trail.trail(connection, subject, vault, after=after):
            items = [part.facts for event in page for part in event.disclosures]
            found += [one for one in items if one and one.get("message") == message]
            after = page[-1].index
    return [one["reason"] for one in found if "reason" in one]


# A hundred starts: what is decided does not depend on the database.
@pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
async def test_in_every_combination_only_who_is_covered_is_mailed(app: App) -> None:
    """Before, each of these mails went out."""
    await app.subscribe()

    caller, (text,) = await app.key(), await app.texts("newsletter")

    for change in in_every_combination():
        message = await post(app, caller)
        async with changed(app, change, text) as again:
            said = await again.permission()
            answer = await again.http.post("/v1/messages", json=MESSAGE, headers=caller)
            posted = await answer.json()
            mails = await again.send_due()
            seen = await again.http.get(f"/v1/messages/{message}", headers=caller)
            status = await seen.json()
            log = await told_of(again, message)

        assert said == change.expected, change
        if change.expected == "granted":
            assert (answer.status, status["status"], log) == (202, "sent", [None]), change
            assert len(mails) == 2
        else:
            assert (answer.status, status["status"]) == (403, "refused"), change
            assert (posted["reason"], posted["class"]) == ("not_covered", "ask_first")
            assert (status["reason"], log, mails) == ("not_covered", ["not_covered"], [])


async def identities_declared(app: App) -> list[str]:
    async with app.parts.data.read() as connection:
        told = await trail.happenings(connection, app.parts.log.macs, [Kind.IDENTITY_DECLARED])
    return [one.refs["identity"] for one in told]


async def test_a_former_name_is_told_of_once_and_again_when_its_owner_changes(app: App) -> None:
    renamed = Change(controller=DECLARED, sender=DECLARED)
    assert await identities_declared(app) == []

    async with changed(app, renamed, "") as again:
        assert sorted(await identities_declared(again)) == ["controller", "sender.acme"]
    async with changed(app, renamed, "") as again:
        assert len(await identities_declared(again)) == 2, "a start with nothing new tells nothing"
    async with changed(app, replace(renamed, address=DECLARED), "") as again:
        # Three former names and addresses of who is called otherwise now, and the postal one.
        assert len(await identities_declared(again)) == 6
        assert (await verify.verify(again.parts)).ok


async def test_who_audits_sees_that_something_was_declared_and_what(app: App) -> None:
    (text,) = await app.texts("newsletter")
    async with changed(app, Change(sender=DECLARED, wording=DECLARED), text) as again:
        await again.tick()
        key = await again.key(Scope.AUDIT_READ)
        seen = {}
        for kind in ("identity.declared", "text.declared"):
            answer = await again.http.get(f"/v1/audit/events?kind={kind}", headers=key)
            (seen[kind],) = (await answer.json())["events"]
        async with again.parts.data.read() as connection:
            found = await declarations.listed(connection, again.parts.log)
        verified = await verify.verify(again.parts)

    assert [one["actor"] for one in seen.values()] == ["system", "operator"]
    sender, wording = sorted(found, key=lambda one: one.about)
    assert (sender.about, sender.said["was"]) == ("sender.acme", "Acme")
    assert (sender.said["name"], sender.said["address"]) == (OTHER_SENDER, "news@acme.example")
    assert (wording.about, wording.said["reason"]) == (text, "a typing mistake mended")
    assert wording.said["text"] == OTHER_WORDING
    assert verified.ok


async def test_a_purpose_that_was_given_to_another_brand_mails_nobody_who_agreed_to_the_first(
    app: App,
) -> None:
    """What was accepted before goes out as the brand that was agreed to."""
    await app.subscribe()
    caller = await app.key()
    message = await post(app, caller)
    config = app.parts.config
    given = config.purposes["newsletter"].model_copy(update={"sender": "other"})
    moved = config.model_copy(update={"purposes": config.purposes | {"newsletter": given}})

    async with start_app(moved, app.parts.clock) as again:
        said = await again.permission()
        (mail,) = await again.send_due()
        answer = await again.http.get(f"/v1/messages/{message}", headers=caller)
        status = (await answer.json())["status"]

    assert (said, status) == ("not_covered", "sent")
    assert b"news@acme.example" in mail.raw
    assert b"news@other.example" not in mail.raw


async def test_who_is_not_covered_may_sign_up_again_and_is(app: App) -> None:
    await app.subscribe()

    async with changed(app, Change(sender=CHANGED), "") as again:
        assert await again.permission() == "not_covered"
        again.step(timedelta(minutes=1))
        await again.subscribe()

        assert await again.permission() == "granted"


async def test_a_claim_looks_no_wording_up_that_its_process_knows(app: App) -> None:
    await app.subscribe()
    caller = await app.key()
    await post(app, caller)
    assert len(await app.send_due()) == 1
    await post(app, caller)

    with statements() as seen:
        assert len(await app.send_due()) == 1

    asked = [one for one in seen if "consent_text" in one]
    # Whether a restore holds marketing is asked once by each desk, and this one is new.
    of_log = [one for one in seen if "audit_entry" in one and "audit_entry.kind IN" not in one]
    assert seen and not asked and not of_log


async def test_what_was_declared_meanwhile_is_known_without_a_start(app: App) -> None:
    await app.subscribe()
    (text,) = await app.texts("newsletter")
    async with changed(app, Change(wording=CHANGED), "") as again:
        assert await again.permission() == "not_covered"
        # As a command does, beside the process.
        await declare_same(app, again.parts.config, text)
        again.step(timedelta(seconds=10))

        assert await again.permission() == "granted"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change(), declare.Outcome.NOT_CHANGED),
        (Change(wording=CHANGED), declare.Outcome.DECLARED),
    ],
    ids=["the same words", "other words"],
)
async def test_only_other_words_can_be_declared_to_say_the_same(
    app: App, change: Change, expected: declare.Outcome
) -> None:
    (text,) = await app.texts("newsletter")
    config = change.of(app.parts.config)

    assert await declare_same(app, config, text) is expected
    again = await declare_same(app, config, text)
    assert again is (declare.Outcome.BEFORE if change.wording == CHANGED else expected)
    assert await declare_same(app, config, "sha256:none") is declare.Outcome.NOT_FOUND


async def test_nothing_can_be_declared_the_same_as_a_language_that_is_not_there(app: App) -> None:
    (german,) = await app.texts("newsletter", locale="de")
    config = app.parts.config
    texts = {"en": config.purposes["newsletter"].text["en"]}
    english = config.purposes["newsletter"].model_copy(update={"text": texts})
    config = config.model_copy(update={"purposes": config.purposes | {"newsletter": english}})

    assert await declare_same(app, config, german) is declare.Outcome.NOTHING_NOW


async def test_who_confirms_words_of_before_is_told_that_no_mail_follows(app: App) -> None:
    token = await app.confirmation()

    async with changed(app, Change(sender=CHANGED), "") as again:
        before = await (await again.http.get(f"/confirm/{token}")).text()
        posted = await again.http.post(f"/confirm/{token}", data={"answer": "confirm"})
        after = await posted.text()

    for page in (before, after):
        assert "Since then the sender or this text has changed." in page
    async with start_app(app.parts.config, app.parts.clock) as again:
        assert "Since then" not in await (await again.http.get(f"/confirm/{token}")).text()


async def test_what_covers_no_mail_any_more_can_be_taken_back(app: App) -> None:
    await app.subscribe()
    await post(app, await app.key())
    (mail,) = await app.deliver()
    path = f"/preferences/{mail.token('preferences')}"

    async with changed(app, Change(sender=CHANGED), "") as again:
        page = await (await again.http.get(path)).text()
        await again.http.post(path, data={"purpose.newsletter": "off"})

        assert "checked" in page
        assert await again.permission() == "withdrawn"
