"""The link of a confirmation mail: look, confirm, "this was not me", ask again.

Nothing else writes "confirmed" than the spending of such a token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import (
    address,
    answers,
    changes,
    facts,
    gates,
    links,
    personal,
    policy,
    re_permission,
    service_mails,
    texts,
    tokens,
)
from consent.consents import Consent, Consents
from consent.errors import SealError
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.links import Confirmation
from consent.model import Reason, Refused, State
from consent.policy import Facts
from consent.sign_ups import Asked, SignUp
from consent.texts import Text
from consent.trail import Trail
from delivery import permits
from gateway.config.config import Purpose
from gateway.flows.joining import sign_up
from gateway.flows.leaving import withdraw
from gateway.flows.leaving.withdraw import Withdrawal
from gateway.limits import Wait
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.keysets import KeySet

log = structlog.get_logger()

# The links of its mails and the answers are sealed, and the confirmation is told of.
_CONFIRMING = (Compartment.PROFILE, Compartment.EVIDENCE)
DECLINED = "re-permission"  # the channel of who says no to what they were asked anew
_BY_LINK = "preferences"  # in the place of a form's name
NOT_CHOSEN = "confirmation-page"  # the channel of who confirms, and leaves this purpose out


class Declaration(StrEnum):
    """What a person can say behind the link."""

    CONFIRM = "confirm"
    DECLINE = "decline"  # no, to what the operator asked anew
    REJECT = "reject"  # "this was not me"


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a request a person confirms, and what they corrected of its answers."""

    purposes: frozenset[str] | None = None  # the others end rejected; None: all
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def covers(self, consent: Consent) -> bool:
        return self.purposes is None or consent.purpose in self.purposes


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request, for the page."""

    consents: Sequence[Consent]
    texts: Mapping[str, Text]  # by hash; one that somebody altered is missing
    answers: Mapping[str, str] = field(repr=False)  # to correct, of what waits
    refusals: Mapping[str, Reason]  # by consent: why it permits no mail, or would not
    expired: bool
    now: datetime

    @property
    def anew(self) -> bool:
        """Whether the operator asked: what was agreed to before is not so any more."""
        return any(consent.anew for consent in self.consents)


async def look(parts: Parts, token: str) -> Seen | None:
    """What a token asks for; None for one that nobody has. Changes nothing."""
    opened = await _open(parts.data, parts.rows, parts.keystore, token)
    if opened is None:
        return None
    view = _View(parts.consents, parts.clock, parts.config.purposes.keys(), *opened)
    async with parts.data.read() as connection:
        return await view.seen(connection)


async def _open(
    data: Database, rows: RowKeys, keystore: KeyStore, token: str
) -> tuple[Confirmation, Vault] | None:
    """What a token asks for, with the keys of whom it asks."""
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with data.read() as connection:
        found = await links.confirmation(connection, rows, digest)
    # Before any gate is held: whoever holds it keeps claims and withdrawals waiting.
    return None if found is None else (found, await keystore.vault([found.subject]))


@dataclass(frozen=True, slots=True)
class _View:
    """How a request is looked at."""

    consents: Consents
    clock: Clock
    purposes: Collection[str]  # of the configuration
    found: Confirmation
    vault: Vault

    async def seen(self, connection: AsyncConnection) -> Seen:
        rows = await self.consents.get(connection, self.found.consents)
        named = [rows[name] for name in self.found.consents if name in rows]
        now = await self.clock.now(connection)
        asked = await self.consents.with_cover(connection, named, now)
        known = await texts.get(connection, {consent.text_hash for consent in asked})
        held = await gates.peek(connection, [self.found.subject])
        pairs = {(consent.subject, consent.purpose) for consent in asked}
        read = await facts.read(connection, self.consents, held, pairs, now)
        refused = (
            (consent.id, self._refusal(read[consent.subject, consent.purpose], consent, now))
            for consent in asked
        )
        return Seen(
            asked,
            known,
            answers=dict(self._entered(asked, now)),
            refusals={name: reason for name, reason in refused if reason is not None},
            expired=self.found.expires_at <= now,
            now=now,
        )

    def _entered(self, asked: Sequence[Consent], now: datetime) -> Iterator[tuple[str, str]]:
        """The answers that wait with what can still be confirmed, as they may be shown."""
        for consent in asked:
            if consent.id in self.found.honest and policy.confirm(consent, now) is not None:
                yield from answers.entered(_waiting(consent, self.vault)).items()

    def _refusal(self, about: Facts, consent: Consent, now: datetime) -> Reason | None:
        if consent.purpose not in self.purposes:
            return Reason.PURPOSE_UNKNOWN
        if policy.effective_state(consent, now) is not State.CONFIRMED:
            return policy.hindrance(about, consent)
        decided = policy.decide(about, now)
        return decided.reason if isinstance(decided, Refused) else None


def _waiting(consent: Consent, vault: Vault) -> Mapping[str, str]:
    """The answers that wait with a request; none where a key is missing or a row was altered."""
    if not vault.has(consent.subject, Compartment.PROFILE):
        return {}
    try:
        return personal.open_answers(consent, vault)
    except SealError:
        log.error("answers_not_opened")
        return {}


async def answer(
    parts: Parts, token: str, said: Declaration, choice: Choice | None = None
) -> Seen | None:
    """Spend a token; repeating it grants nothing more and shows what became of it.

    Confirming acts on what is pending: what the *choice* leaves out is rejected,
    and the answers are those of this request, as corrected. "Not me" rejects
    what is pending, withdraws what was confirmed through the same request, and
    is final like any withdrawal: it returns only when nothing for them can start
    any more. Said to what was asked anew, it also ends what that was to replace;
    declining does so too, and keeps nobody from asking.
    """
    opened = await _open(parts.data, parts.rows, parts.keystore, token)
    if opened is None:
        return None
    found, vault = opened
    view = _View(parts.consents, parts.clock, parts.config.purposes.keys(), found, vault)
    still_open: set[str] = set()
    async with parts.data.begin() as connection:
        sharing: set[str] = set()
        if said is Declaration.REJECT:  # no mailbox is asked again under another spelling
            sharing = await service_mails.sharing(connection, [found.subject])
        held = await gates.lock(connection, {found.subject} | sharing)
        # Only now: a link that ran out while the lock was waited for confirms nothing any more.
        seen = await view.seen(connection)
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
                choice=choice or Choice(),
            )
            still_open = await act.take(said)
            await act.trail.stage(connection)
            seen = await view.seen(connection)
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
    choice: Choice

    async def take(self, said: Declaration) -> set[str]:
        """Do what was said; returns the permits to wait for."""
        match said:
            case Declaration.CONFIRM:
                await self.confirm()
                return set()
            case Declaration.DECLINE:
                return await self.decline()
            case Declaration.REJECT:
                return await self.reject()
            case _:
                assert_never(said)

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
        said = {consent.id: self._answers(consent) for consent in shown}
        chosen = [consent for consent in shown if self.choice.covers(consent)]
        confirmed = [c for one in chosen if (c := self._confirmed(one, said[one.id])) is not None]
        # Their links end with them: one of an older mail would put an older wording in its place.
        lapsed = [
            changes.supersede(other, self.trail, self.now)
            for consent in confirmed
            for other in policy.superseded(
                [c for c in everything if c.purpose == consent.purpose], consent.id
            )
        ]
        left_out = Withdrawal(None, Actor.SUBJECT, NOT_CHOSEN)
        rejected = self._ended([one for one in shown if one not in chosen], left_out)
        await self.consents.write(self.connection, [*confirmed, *lapsed, *rejected])
        pairs = {(subject, consent.purpose) for consent in confirmed}
        await links.ensure_handles(self.connection, self.consents.keys, pairs, self.vault)
        if confirmed:
            await self._keep_profile([said[one.id] for one in confirmed], confirmed[-1].locale)

    async def decline(self) -> set[str]:
        """Reject or withdraw; returns the permits to wait for, also if it was done before."""
        meant = re_permission.ended_by_no(await self._theirs(), self.found.consents)
        no = Withdrawal(None, Actor.SUBJECT, DECLINED)
        await self.consents.write(self.connection, self._ended(meant, no))
        ended = [(self.gate.subject, purpose) for purpose in {one.purpose for one in meant}]
        return set().union(*await permits.open_of(self.connection, ended, self.now))

    async def reject(self) -> set[str]:
        """Reject or withdraw, and ask this address no more; returns the permits to wait for."""
        not_me = Withdrawal(None, Actor.SUBJECT, withdraw.NOT_ME)
        meant = re_permission.ended_by_no(await self._theirs(), self.found.consents)
        await self.consents.write(self.connection, self._ended(meant, not_me))
        blocked = [self.gate, *self.others]
        await withdraw.block_asking(
            self.connection,
            self.consents.keys,
            self.suppression_keys,
            blocked,
            self.vault,
            self.now,
        )
        # Of all whose mails end: fresh links too, and other spellings. Whoever repeats it waits
        # the same way.
        everything = [(gate.subject, None) for gate in blocked]
        return set().union(*await permits.open_of(self.connection, everything, self.now))

    async def _theirs(self) -> list[Consent]:
        subject = self.gate.subject
        found = await self.consents.of_subjects(self.connection, [subject])
        return found.get(subject, [])

    def _ended(self, consents: Sequence[Consent], why: Withdrawal) -> list[Consent]:
        changed = [withdraw.take_back(one, why, self.trail, self.now) for one in consents]
        return [consent for consent in changed if consent is not None]

    def _answers(self, consent: Consent) -> dict[str, str]:
        return answers.settled(_waiting(consent, self.vault), self.choice.answers)

    def _confirmed(self, consent: Consent, said: Mapping[str, str]) -> Consent | None:
        # A purpose that left the configuration is confirmed all the same: the person said so.
        purpose = self.purposes.get(consent.purpose)
        after = purpose.expires_after if purpose else None
        ends_at = None if after is None else self.now + after
        token, trail = self.found.token_hash, self.trail
        return changes.confirm(consent, token, trail, self.now, ends_at=ends_at, answers=said)

    async def _keep_profile(self, said: Sequence[Mapping[str, str]], locale: str) -> None:
        """Form answers become the person's own only now that the mailbox confirmed them."""
        gate, vault = self.gate, self.vault
        profile = personal.open_profile(gate, vault)
        for one in said:
            profile |= one
        sealed = personal.seal_profile(gate.subject, profile, vault)
        await gates.set_profile(self.connection, gate.subject, locale, sealed)


async def ask_again(parts: Parts, token: str, network: str | None) -> Wait | None:
    """The button on an expired page: the same sign-up once more, through the same door.

    None, or how long to wait, as `sign_up.accept` answers.

    Silent where the texts were retired or the token is nobody's.
    """
    async with parts.data.read() as connection:
        # Before anything is looked at: who leaves after this has left from what is asked here.
        looked_at = await parts.clock.now(connection)
    opened = await _open(parts.data, parts.rows, parts.keystore, token)
    if opened is None:
        return None
    found, vault = opened
    view = _View(parts.consents, parts.clock, parts.config.purposes.keys(), found, vault)
    async with parts.data.read() as connection:
        seen = await view.seen(connection)
        gate = (await gates.peek(connection, [found.subject])).get(found.subject)
        valid = await texts.valid(connection)
    if any(consent.text_hash not in seen.texts for consent in seen.consents):
        log.error("wording_missing")
        raise StorageAway("data")  # not silent: the mail that the page promises would never come
    asked = tuple(Asked(c.purpose, c.text_hash) for c in seen.consents if c.text_hash in valid)
    if not asked or not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    mailbox = personal.open_mailbox(gate, vault)
    if mailbox is None:
        return None
    # Who asks now is the mailbox, also where the operator asked before.
    form = _BY_LINK if seen.anew else seen.consents[0].form
    locale = seen.consents[0].locale
    again = SignUp(form, address.parse(mailbox), locale, asked, client="expired-link")
    return await sign_up.accept(parts, again, network, looked_at)
