"""The links of a marketing mail beside unsubscribing: why it came, and this purpose's switch.

Such a link lives as long as the mail and may be forwarded, so it shows no date,
no address and no other purpose, and switching on asks the mailbox first.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import address, facts, gates, links, policy, texts
from consent.consents import Consent
from consent.links import Route
from consent.model import Granted, State
from consent.texts import Text
from gateway.flows import sign_up, withdraw
from gateway.flows.sign_up import Asked, SignUp
from gateway.flows.withdraw import Withdrawal
from gateway.parts import Parts


@dataclass(frozen=True, slots=True)
class Seen:
    """What a mail's link may show of one purpose."""

    subject: str
    purpose: str
    text: Text | None
    on: bool
    waiting: bool


async def look(parts: Parts, route: Route, token: str) -> Seen | None:
    """What a link is about; None for one that nobody has. Changes nothing."""
    async with parts.data.read() as connection:
        found = await links.follow(connection, route, token)
        return None if found is None else await _seen(parts, connection, *found)


async def _seen(parts: Parts, connection: AsyncConnection, subject: str, purpose: str) -> Seen:
    known = await gates.peek(connection, [subject])
    read = await facts.read(connection, parts.consents, known, [(subject, purpose)])
    about = read[subject, purpose]
    now = await parts.clock.now(connection)
    states = {policy.effective_state(one, now) for one in about.consents}
    text = await _wording(connection, [one for one in about.consents if isinstance(one, Consent)])
    on = isinstance(policy.decide(about, now), Granted)
    return Seen(subject, purpose, text, on, not on and State.PENDING in states)


async def _wording(connection: AsyncConnection, consents: list[Consent]) -> Text | None:
    """The wording that was agreed to last."""
    decided = [one for one in consents if one.decided_at is not None] or consents
    if not decided:
        return None
    newest = max(decided, key=lambda one: (one.decided_at or one.requested_at, one.id))
    return (await texts.get(connection, [newest.text_hash])).get(newest.text_hash)


async def switch(parts: Parts, token: str, on: bool, network: str | None) -> Seen | None:
    """Off withdraws at once. On sends a confirmation mail: only its link can confirm."""
    seen = await look(parts, Route.PREFERENCES, token)
    if seen is None:
        return None
    if not on:
        leave = Withdrawal(seen.purpose, Actor.SUBJECT, "preferences-link")
        await withdraw.withdraw(parts, seen.subject, leave)
    elif not seen.on:
        await _ask(parts, seen, network)
    return await look(parts, Route.PREFERENCES, token)


async def _ask(parts: Parts, seen: Seen, network: str | None) -> None:
    async with parts.data.read() as connection:
        gate = (await gates.peek(connection, [seen.subject])).get(seen.subject)
        valid = await texts.valid(connection)
    if gate is None or gate.address is None:
        return
    current = [t for t in valid.values() if t.current and t.purpose == seen.purpose]
    current.sort(key=lambda text: text.locale != gate.locale)
    vault = await parts.keystore.vault([seen.subject])
    place = gates.address_place(seen.subject)
    raw = vault.open(seen.subject, "profile", place, gate.address)
    if current and raw is not None:
        asked = (Asked(seen.purpose, current[0].hash),)
        form = SignUp(
            "preferences",
            address.parse(raw.decode()),
            gate.locale,
            asked,
            client="preferences-link",
        )
        await sign_up.accept(parts, form, network)
