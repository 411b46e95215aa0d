"""The links of a marketing mail beside unsubscribing: why it came, and this purpose's switch.

Such a link lives as long as the mail and may be forwarded, so it shows no date,
no address and no other purpose, and switching on asks the mailbox first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import address, facts, gates, links, personal, policy, texts
from consent.consents import Consent, Consents
from consent.keys.vault import Compartment
from consent.links import Route
from consent.model import State
from consent.sign_ups import ASK_AGAIN, SWITCHED_ON, Asked, RenderedBy, SignUp
from consent.texts import Text
from gateway.flows.joining import sign_up
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.limits import Wait
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PurposeSeen:
    """What a mail's link may show of one purpose."""

    subject: str
    purpose: str
    text: Text | None  # none: nothing was asked for, or its wording is not what it was
    on: bool
    waiting: bool
    asked: bool  # ever
    agreed: bool  # ever, to that text
    over: bool  # no consent to it stands or waits, whatever else stops mails


async def look(
    data: Database, clock: Clock, consents: Consents, route: Route, token: str
) -> PurposeSeen | None:
    """What a link is about; None for one that nobody has. Changes nothing."""
    async with data.read() as connection:
        found = await links.follow(connection, consents.keys, route, token)
        return None if found is None else await _seen(connection, consents, clock, *found)


async def _seen(
    connection: AsyncConnection, consents: Consents, clock: Clock, subject: str, purpose: str
) -> PurposeSeen:
    known = await gates.peek(connection, [subject])
    now = await clock.now(connection)
    read = await facts.read(connection, consents, known, [(subject, purpose)], now)
    about = read[subject, purpose]
    states = {policy.effective_state(consent, now) for consent in about.consents}
    rows = [consent for consent in about.consents if isinstance(consent, Consent)]
    text = await wording(connection, rows)
    on = policy.stands(about, now)
    waiting = not on and State.PENDING in states
    agreed = policy.newest_decided(rows) is not None
    over = bool(rows) and not states & {State.CONFIRMED, State.PENDING}
    asked = bool(rows)
    return PurposeSeen(subject, purpose, text, on, waiting, asked=asked, agreed=agreed, over=over)


async def wording(connection: AsyncConnection, consents: Sequence[Consent]) -> Text | None:
    """The wording that was agreed to last; None where it is not what it was."""
    if not consents:
        return None
    newest = policy.newest_decided(consents) or max(consents, key=_asked_at)
    return (await texts.get(connection, [newest.text_hash])).get(newest.text_hash)


def _asked_at(consent: Consent) -> tuple[datetime, str]:
    return consent.requested_at, consent.id


@dataclass(frozen=True, slots=True)
class Switched:
    """What a person changed: purposes that have ended, and such as a mail asks to confirm."""

    off: frozenset[str] = frozenset()
    on: frozenset[str] = frozenset()


async def switch(
    parts: Parts, withdrawals: Withdrawals, seen: PurposeSeen, on: bool, network: str | None
) -> Switched | Wait:
    """Off withdraws at once. On sends a confirmation mail: only its link can confirm.

    What was asked for is worked off in a moment: a look that comes before does not show it.
    """
    named = frozenset([seen.purpose])
    if not on:  # also what is off already: whoever repeats it waits the same way
        leave = Withdrawal(seen.purpose, Actor.SUBJECT, "preferences-link")
        await withdrawals.by_subject(seen.subject, leave)
        return Switched(off=named) if seen.on or seen.waiting else Switched()
    if seen.on or seen.purpose not in parts.config.purposes:
        return Switched()  # else the page would promise a mail that never comes
    wait = await ask(parts, seen.subject, [seen.purpose], network, client="preferences-link")
    return wait or Switched(on=named)


async def ask(
    parts: Parts,
    subject: str,
    purposes: Sequence[str],
    network: str | None,
    *,
    client: str,
    form: str = SWITCHED_ON,
    by_mailbox: bool = False,
) -> Wait | None:
    """Request consent to *purposes*, as a form would: one mail asks for them all.

    Unless it is *by_mailbox*, whoever asks has a link out of a mail, and may be anybody.
    """
    # Nothing is locked: this is a post like any other, which intake looks at under the gate.
    async with parts.data.read() as connection:
        looked_at = await parts.clock.now(connection)  # who leaves after this has left from it
        gate = (await gates.peek(connection, [subject])).get(subject)
        valid = await texts.valid(connection)
    vault = await parts.keystore.vault([subject])
    if not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    known = [purpose for purpose in purposes if purpose in parts.config.purposes]
    found = [current_text(valid.values(), purpose, gate.locale) for purpose in known]
    if any(text is None for text in found):
        log.error("wording_missing")
        raise StorageAway("data")  # not silent: the mail that the page promises would never come
    asked = tuple(Asked(text.purpose, text.hash) for text in found if text is not None)
    mailbox = personal.open_mailbox(gate, vault)
    if not asked or mailbox is None:
        return None
    again = SignUp(
        form,
        address.parse(mailbox),
        gate.locale,
        asked,
        # Behind "ask me again" nothing is shown of it: our mail and the page behind its link do.
        rendered_by=RenderedBy.MAIL if form == ASK_AGAIN else RenderedBy.ASSERTED,
        client=client,
        by_mailbox=by_mailbox,
        by_link=not by_mailbox,
    )
    return await sign_up.accept(parts, again, network, looked_at)


def current_text(valid: Iterable[Text], purpose: str, locale: str) -> Text | None:
    """The wording that a sign-up shows now, in the person's language where there is one."""
    current = [text for text in valid if text.current and text.purpose == purpose]
    return min(current, key=lambda text: (text.locale != locale, text.locale), default=None)
