"""The link of a confirmation mail: look, confirm, "this was not me", ask again.

Nothing else writes "confirmed" than the spending of such a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import address, changes, gates, links, personal, policy, texts, tokens
from consent.consents import Consent
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.links import Confirmation
from consent.sign_ups import Asked, SignUp
from consent.texts import Text
from consent.trail import Trail
from delivery import permits
from gateway.flows.joining import sign_up
from gateway.flows.leaving import withdraw
from gateway.limits import Wait
from gateway.parts import Parts
from storage.errors import StorageAway

log = structlog.get_logger()

# The links of its mails and the answers are sealed, and the confirmation is told of.
_CONFIRMING = (Compartment.PROFILE, Compartment.EVIDENCE)


class Answer(StrEnum):
    """What a person can say behind the link."""

    CONFIRM = "confirm"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request, for the page."""

    consents: Sequence[Consent]
    texts: Mapping[str, Text]
    expired: bool
    now: datetime


async def look(parts: Parts, token: str) -> Seen | None:
    """What a token asks for; None for one that nobody has. Changes nothing."""
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await links.confirmation(connection, parts.keyring.consent_mac, digest)
        if found is None:
            return None
        return await _seen(parts, connection, found)


async def _seen(parts: Parts, connection: AsyncConnection, found: Confirmation) -> Seen:
    rows = await parts.consents.get(connection, found.consents)
    consents = [rows[one] for one in found.consents if one in rows]
    known = await texts.get(connection, {one.text_hash for one in consents})
    now = await parts.clock.now(connection)
    return Seen(consents, known, found.expires_at <= now, now)


async def answer(parts: Parts, token: str, said: Answer) -> Seen | None:
    """Spend a token; repeating it grants nothing more and shows what became of it.

    Confirming acts on what is pending. "Not me" rejects what is pending,
    withdraws what was confirmed through the same request, and is final like any
    withdrawal: it returns only when nothing for them can start any more.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await links.confirmation(connection, parts.keyring.consent_mac, digest)
    if found is None:
        return None
    vault = await parts.keystore.vault([found.subject])
    still_open: set[str] = set()
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [found.subject])
        seen = await _seen(parts, connection, found)
        gate = held.get(found.subject)
        if gate is not None and gate.live and not seen.expired:
            act = _Act(parts, connection, gate, vault, found, seen.now)
            if said is Answer.CONFIRM:
                await act.confirm()
            else:
                still_open = await act.reject()
            await act.trail.stage(connection)
            seen = await _seen(parts, connection, found)
    await parts.quiet.wait_for(still_open)
    return seen


class _Act:
    """What one answer changes, in one transaction under the gate."""

    def __init__(
        self,
        parts: Parts,
        connection: AsyncConnection,
        gate: Gate,
        vault: Vault,
        found: Confirmation,
        now: datetime,
    ) -> None:
        self._parts = parts
        self._connection = connection
        self._gate = gate
        self._vault = vault
        self._found = found
        self._now = now
        self.trail = Trail(parts.log, vault, {gate.subject: gate})

    async def confirm(self) -> None:
        """Raises `StorageAway` where a key is missing: what nobody can prove is not confirmed."""
        subject = self._gate.subject
        everything = await self._consents()
        asked = [
            one
            for one in everything
            # Rows that we did not write must not confirm anything, nor be made honest by it.
            if one.id in self._found.honest
            and one.honest
            and policy.confirm(one, self._now) is not None
        ]
        if not asked:
            return
        if not gates.usable(self._gate, self._vault, *_CONFIRMING):
            log.error("key_missing")
            raise StorageAway("key store")
        confirmed = [new for one in asked if (new := self._confirmed(one)) is not None]
        lapsed = [
            changes.supersede(other, self.trail, self._now)
            for one in confirmed
            for other in policy.superseded(
                [c for c in everything if c.purpose == one.purpose], one.id
            )
        ]
        await self._parts.consents.write(self._connection, [*confirmed, *lapsed])
        pairs = {(subject, one.purpose) for one in confirmed}
        await links.ensure_handles(self._connection, pairs, self._vault)
        await self._keep_profile(confirmed)

    async def reject(self) -> set[str]:
        """Reject or withdraw, and ask this address no more; returns the permits to wait for."""
        not_me = withdraw.Withdrawal(None, Actor.SUBJECT, "confirmation-link")
        theirs = [one for one in await self._consents() if one.id in self._found.consents]
        taken_back = [withdraw.take_back(one, not_me, self.trail, self._now) for one in theirs]
        ended = [one for one in taken_back if one is not None]
        await self._parts.consents.write(self._connection, ended)
        key = self._parts.keyring.suppression
        await withdraw.block_asking(self._connection, key, [self._gate], self._vault, self._now)
        # All that this link stands for: whoever repeats it waits the same way.
        pairs = {(self._gate.subject, one.purpose) for one in theirs}
        return set().union(*await permits.open_of(self._connection, list(pairs), self._now))

    async def _consents(self) -> list[Consent]:
        subject = self._gate.subject
        found = await self._parts.consents.of_subjects(self._connection, [subject])
        return found.get(subject, [])

    def _confirmed(self, one: Consent) -> Consent | None:
        purpose = self._parts.config.purposes.get(one.purpose)
        after = purpose.expires_after if purpose else None
        ends_at = None if after is None else self._now + after
        token = self._found.token_hash
        return changes.confirm(one, token, self.trail, self._now, ends_at=ends_at)

    async def _keep_profile(self, confirmed: Sequence[Consent]) -> None:
        """Form answers become the person's own only now that the mailbox confirmed them."""
        gate, vault = self._gate, self._vault
        profile = personal.open_profile(gate, vault)
        for one in confirmed:
            profile |= personal.open_answers(one, vault)
        sealed = personal.seal_profile(gate.subject, profile, vault)
        await gates.set_profile(self._connection, gate.subject, confirmed[-1].locale, sealed)


async def ask_again(parts: Parts, token: str, network: str | None) -> Wait | None:
    """The button on an expired page: the same sign-up once more, through the same door.

    None, or how long to wait, as `sign_up.accept` answers.

    Silent where the texts were retired or the token is nobody's.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await links.confirmation(connection, parts.keyring.consent_mac, digest)
        if found is None:
            return None
        seen = await _seen(parts, connection, found)
        gate = (await gates.peek(connection, [found.subject])).get(found.subject)
        valid = await texts.valid(connection)
    asked = tuple(Asked(c.purpose, c.text_hash) for c in seen.consents if c.text_hash in valid)
    vault = await parts.keystore.vault([found.subject])
    if not asked or not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    mailbox = personal.open_mailbox(gate, vault)
    if mailbox is None:
        return None
    form, locale = seen.consents[0].form, seen.consents[0].locale
    again = SignUp(form, address.parse(mailbox), locale, asked, client="expired-link")
    return await sign_up.accept(parts, again, network)
