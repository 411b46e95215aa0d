"""The link of a confirmation mail: look, confirm, "this was not me", ask again.

Nothing else writes "confirmed" than the spending of such a token.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import (
    address,
    changes,
    gates,
    links,
    personal,
    policy,
    service_mails,
    texts,
    tokens,
)
from consent.consents import Consent, Consents
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.links import Confirmation
from consent.sign_ups import Asked, SignUp
from consent.texts import Text
from consent.trail import Trail
from delivery import permits
from gateway.config.config import Purpose
from gateway.flows.joining import sign_up
from gateway.flows.leaving import withdraw
from gateway.limits import Wait
from gateway.parts import Parts
from storage.clock import Clock
from storage.errors import StorageAway
from storage.keysets import KeySet

log = structlog.get_logger()

# The links of its mails and the answers are sealed, and the confirmation is told of.
_CONFIRMING = (Compartment.PROFILE, Compartment.EVIDENCE)


class Declaration(StrEnum):
    """What a person can say behind the link."""

    CONFIRM = "confirm"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request, for the page."""

    consents: Sequence[Consent]
    texts: Mapping[str, Text]  # by hash; one that somebody altered is missing
    expired: bool
    now: datetime


async def look(parts: Parts, token: str) -> Seen | None:
    """What a token asks for; None for one that nobody has. Changes nothing."""
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await links.confirmation(connection, parts.rows, digest)
        if found is None:
            return None
        return await _seen(connection, parts.consents, parts.clock, found)


async def _seen(
    connection: AsyncConnection, consents: Consents, clock: Clock, found: Confirmation
) -> Seen:
    rows = await consents.get(connection, found.consents)
    asked = [rows[name] for name in found.consents if name in rows]
    known = await texts.get(connection, {consent.text_hash for consent in asked})
    now = await clock.now(connection)
    return Seen(asked, known, found.expires_at <= now, now)


async def answer(parts: Parts, token: str, said: Declaration) -> Seen | None:
    """Spend a token; repeating it grants nothing more and shows what became of it.

    Confirming acts on what is pending. "Not me" rejects what is pending,
    withdraws what was confirmed through the same request, and is final like any
    withdrawal: it returns only when nothing for them can start any more.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await links.confirmation(connection, parts.rows, digest)
        if found is None:
            return None
        sharing: set[str] = set()
        if said is Declaration.REJECT:  # no mailbox is asked again under another spelling
            sharing = await service_mails.sharing(connection, [found.subject])
    # Before the gate is held: whoever holds it keeps claims and withdrawals waiting.
    vault = await parts.keystore.vault([found.subject])
    still_open: set[str] = set()
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, {found.subject} | sharing)
        # Only now: a link that ran out while the lock was waited for confirms nothing any more.
        seen = await _seen(connection, parts.consents, parts.clock, found)
        gate = held.get(found.subject)
        if gate is not None and not gate.gone(parts.rows) and not seen.expired:
            act = _Act(
                connection,
                consents=parts.consents,
                purposes=parts.config.purposes,
                suppression_keys=parts.keyring.suppression,
                gate=gate,
                others=[other for other in held.values() if other.subject != found.subject],
                vault=vault,
                found=found,
                wordings=seen.texts.keys(),
                trail=Trail(parts.log, vault, held),
                now=seen.now,
            )
            if said is Declaration.CONFIRM:
                await act.confirm()
            else:
                still_open = await act.reject()
            await act.trail.stage(connection)
            seen = await _seen(connection, parts.consents, parts.clock, found)
    # With no connection held: the permits that it waits for are spent by others, who need one.
    await parts.permit_wait.until_over(still_open)
    return seen


@dataclass(frozen=True)
class _Act:
    """What one answer changes, in one transaction under the gate."""

    connection: AsyncConnection
    consents: Consents
    purposes: Mapping[str, Purpose]
    suppression_keys: KeySet
    gate: Gate
    others: Sequence[Gate]  # of the same mailbox
    vault: Vault
    found: Confirmation
    wordings: Collection[str]  # by hash, those that can be shown
    trail: Trail
    now: datetime

    async def confirm(self) -> None:
        """Raises `StorageAway` where a key is missing: what nobody can prove is not confirmed.

        Nor is what nobody could read: it waits until its wording is back.
        """
        subject = self.gate.subject
        everything = await self._theirs()
        asked = [
            consent
            for consent in everything
            # Rows that we did not write must not confirm anything, nor be made honest by it.
            if consent.id in self.found.honest
            and consent.honest
            and policy.confirm(consent, self.now) is not None
        ]
        if not asked:
            return
        if not gates.usable(self.gate, self.vault, *_CONFIRMING):
            log.error("key_missing")
            raise StorageAway("key store")
        shown = [consent for consent in asked if consent.text_hash in self.wordings]
        if not shown:
            log.error("wording_missing")
            raise StorageAway("data")
        confirmed = [new for consent in shown if (new := self._confirmed(consent)) is not None]
        # Their links end with them: one of an older mail would put an older wording in its place.
        lapsed = [
            changes.supersede(other, self.trail, self.now)
            for consent in confirmed
            for other in policy.superseded(
                [c for c in everything if c.purpose == consent.purpose], consent.id
            )
        ]
        await self.consents.write(self.connection, [*confirmed, *lapsed])
        pairs = {(subject, consent.purpose) for consent in confirmed}
        await links.ensure_handles(self.connection, self.consents.keys, pairs, self.vault)
        await self._keep_profile(confirmed)

    async def reject(self) -> set[str]:
        """Reject or withdraw, and ask this address no more; returns the permits to wait for."""
        not_me = withdraw.Withdrawal(None, Actor.SUBJECT, withdraw.NOT_ME)
        theirs = [consent for consent in await self._theirs() if consent.id in self.found.consents]
        ended = [
            changed
            for consent in theirs
            if (changed := withdraw.take_back(consent, not_me, self.trail, self.now)) is not None
        ]
        await self.consents.write(self.connection, ended)
        await withdraw.block_asking(
            self.connection,
            self.consents.keys,
            self.suppression_keys,
            [self.gate, *self.others],
            self.vault,
            self.now,
        )
        # All that this link stands for: whoever repeats it waits the same way.
        pairs = {(self.gate.subject, consent.purpose) for consent in theirs}
        return set().union(*await permits.open_of(self.connection, list(pairs), self.now))

    async def _theirs(self) -> list[Consent]:
        subject = self.gate.subject
        found = await self.consents.of_subjects(self.connection, [subject])
        return found.get(subject, [])

    def _confirmed(self, consent: Consent) -> Consent | None:
        # A purpose that left the configuration is confirmed all the same: the person said so.
        purpose = self.purposes.get(consent.purpose)
        after = purpose.expires_after if purpose else None
        ends_at = None if after is None else self.now + after
        token = self.found.token_hash
        return changes.confirm(consent, token, self.trail, self.now, ends_at=ends_at)

    async def _keep_profile(self, confirmed: Sequence[Consent]) -> None:
        """Form answers become the person's own only now that the mailbox confirmed them."""
        gate, vault = self.gate, self.vault
        profile = personal.open_profile(gate, vault)
        for consent in confirmed:
            profile |= personal.open_answers(consent, vault)
        sealed = personal.seal_profile(gate.subject, profile, vault)
        await gates.set_profile(self.connection, gate.subject, confirmed[-1].locale, sealed)


async def ask_again(parts: Parts, token: str, network: str | None) -> Wait | None:
    """The button on an expired page: the same sign-up once more, through the same door.

    None, or how long to wait, as `sign_up.accept` answers.

    Silent where the texts were retired or the token is nobody's.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        # Before anything is looked at: who leaves after this has left from what is asked here.
        looked_at = await parts.clock.now(connection)
        found = await links.confirmation(connection, parts.rows, digest)
        if found is None:
            return None
        seen = await _seen(connection, parts.consents, parts.clock, found)
        gate = (await gates.peek(connection, [found.subject])).get(found.subject)
        valid = await texts.valid(connection)
    if any(consent.text_hash not in seen.texts for consent in seen.consents):
        log.error("wording_missing")
        raise StorageAway("data")  # not silent: the mail that the page promises would never come
    asked = tuple(Asked(c.purpose, c.text_hash) for c in seen.consents if c.text_hash in valid)
    vault = await parts.keystore.vault([found.subject])
    if not asked or not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    mailbox = personal.open_mailbox(gate, vault)
    if mailbox is None:
        return None
    form, locale = seen.consents[0].form, seen.consents[0].locale
    again = SignUp(form, address.parse(mailbox), locale, asked, client="expired-link")
    return await sign_up.accept(parts, again, network, looked_at)
