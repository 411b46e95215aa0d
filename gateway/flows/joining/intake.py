"""Acknowledged sign-ups are worked off: on a fixed tick, the same work for every kind.

Whether an address is new, pending, confirmed, withdrawn or suppressed shows
neither in the answer that was given nor in when this happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import changes, gates, intakes, links, personal, policy, texts
from consent.consents import Consent, Consents
from consent.evidence import Requested
from consent.gates import Gate, Newcomer
from consent.intakes import Intake
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.policy import Nothing, Same
from consent.sign_ups import Asked, SignUp
from consent.texts import Text
from consent.trail import Trail
from delivery import outbox
from gateway.config.config import Config
from gateway.flows.joining import asking
from gateway.flows.joining.asking_limits import AskingKeys, AskingLimits
from gateway.parts import Parts
from storage.honesty import RowKeys
from storage.ids import ordered_id, random_id
from storage.locks import try_alone
from storage.secret import Secret

log = structlog.get_logger()

AT_ONCE = 50  # in the loop that answers: more at a time, and requests wait for them
CONFIRM_WITHIN = timedelta(hours=72)
MAILS_A_REQUEST = 2


async def work_off(parts: Parts) -> int:
    """Apply the oldest acknowledged sign-ups; returns how many were worked off.

    A sign-up whose subject appeared or ceased to be live while keys were being
    made stays for the next tick. One that no key opens is dropped: its key was
    destroyed on purpose, or the row is damaged and says so in the log.
    """
    async with parts.data.read() as connection:
        waiting = await intakes.oldest(connection, AT_ONCE)
        known = await gates.find(connection, {intake.blind_index for intake in waiting})
    if not waiting:
        return 0
    forms = await _open(parts.keystore, parts.keyring.lookup.secret, waiting)
    # Keys are made for everybody: only for strangers, the key store's commit would tell them apart.
    # Those that no subject comes to name are swept when a day old.
    made = {intake.blind_index: random_id("sub") for intake in waiting}
    wall = parts.clock.wall()
    await parts.keystore.create(made.values(), wall)
    vault = await parts.keystore.vault([*known.values(), *made.values()])
    newcomers = {index: subject for index, subject in made.items() if index not in known}
    weekly = [secret for _, secret in await parts.keystore.limit_keys(wall)]
    limited = parts.config.limits.enabled
    asking = AskingKeys(parts.keyring.suppression.secret, weekly, limited)
    async with parts.data.begin() as connection:
        # One process at a time. An objection of somebody unknown takes the same lock, so that none
        # is admitted between its look and its block.
        if not await try_alone(connection, "intake"):
            return 0
        there = await intakes.lock(connection, [intake.id for intake in waiting])
        waiting = [intake for intake in waiting if intake.id in there]
        await _admit(connection, parts.rows, waiting, forms, newcomers, vault, wall)
        subjects = {**known, **newcomers}
        held = await gates.lock(connection, {subjects[intake.blind_index] for intake in waiting})
        now = await parts.clock.now(connection)
        found = await parts.consents.as_of(connection, held, now)
        addresses = {form.email for form in forms.values()}
        hashes = {asked.text_hash for form in forms.values() for asked in form.asked}
        batch = _Batch(
            consents=parts.consents,
            config=parts.config,
            people={name: _Person(gate, found.get(name, [])) for name, gate in held.items()},
            limits=await AskingLimits.read(connection, asking, addresses, now),
            trail=Trail(parts.log, vault, held),
            vault=vault,
            wordings=await texts.get(connection, hashes),
            now=now,
        )
        done = await batch.apply(connection, waiting, subjects, forms)
        await batch.write(connection)
        await intakes.remove(connection, done)
        await batch.trail.stage(connection)
    return len(done)


async def _open(
    keystore: KeyStore, index: Secret, waiting: Sequence[Intake]
) -> Mapping[str, SignUp]:
    keys = await keystore.intake_keys({intake.key_id for intake in waiting})
    opened = intakes.open_sign_ups(waiting, keys, index)
    for intake in opened.damaged:
        log.error("intake_not_opened", key_id=intake.key_id)
    return opened.said


async def _admit(
    connection: AsyncConnection,
    row_keys: RowKeys,
    waiting: Sequence[Intake],
    forms: Mapping[str, SignUp],
    newcomers: Mapping[bytes, str],
    vault: Vault,
    now: datetime,
) -> None:
    """Make gates for people who were never heard of; their keys exist already."""
    rows: dict[bytes, Newcomer] = {}
    for intake in waiting:
        subject = newcomers.get(intake.blind_index)
        if subject is None or intake.id not in forms or intake.blind_index in rows:
            continue
        form = forms[intake.id]
        sealed = personal.seal_mailbox(subject, form.email.mailbox, vault)
        rows[intake.blind_index] = Newcomer(subject, intake.blind_index, sealed, form.locale)
    await gates.admit(connection, row_keys, list(rows.values()), now)


@dataclass
class _Person:
    """One person in a batch: what is known, and what the batch changes."""

    gate: Gate
    consents: list[Consent]
    new: dict[str, Consent] = field(default_factory=dict)
    changed: dict[str, Consent] = field(default_factory=dict)

    def of(self, purpose: str) -> list[Consent]:
        rows = {consent.id: consent for consent in self.consents} | self.changed | self.new
        return [consent for consent in rows.values() if consent.purpose == purpose]

    def count_mail(self, consent: Consent) -> None:
        group = self.new if consent.id in self.new else self.changed
        group[consent.id] = replace(consent, mails=consent.mails + 1)


@dataclass(frozen=True, slots=True)
class _Mail:
    """One mail that asks for consents."""

    locale: str
    asked: list[Consent]
    due_at: datetime

    @property
    def text_hashes(self) -> set[str]:
        return {consent.text_hash for consent in self.asked}


@dataclass
class _Batch:
    """The sign-ups of one transaction, each applied in the order of arrival."""

    consents: Consents
    config: Config
    people: Mapping[str, _Person]
    limits: AskingLimits
    trail: Trail
    vault: Vault
    wordings: Mapping[str, Text]  # of these sign-ups, retired or not
    now: datetime
    mails: list[_Mail] = field(default_factory=list)

    async def apply(
        self,
        connection: AsyncConnection,
        waiting: Sequence[Intake],
        subjects: Mapping[bytes, str],
        forms: Mapping[str, SignUp],
    ) -> list[str]:
        """Apply what can be applied; returns the ids of all that need not wait for another tick."""
        done = [intake.id for intake in waiting if intake.id not in forms]
        for intake in waiting:
            subject = subjects[intake.blind_index]
            form = forms.get(intake.id)
            if form is not None and self.can_ask(subject) and self.can_show(form):
                await self.ask(connection, subject, form, intake.received_at)
                done.append(intake.id)
        return done

    def can_ask(self, subject: str) -> bool:
        """A person whom somebody else admitted or is erasing is met again on the next tick."""
        person = self.people.get(subject)
        gate = None if person is None else person.gate
        # The answers and the mail are sealed, and the request is told of.
        return gates.usable(gate, self.vault, Compartment.PROFILE, Compartment.EVIDENCE)

    def can_show(self, form: SignUp) -> bool:
        """What was acknowledged waits while a wording that it names is not what it was."""
        missing = {asked.text_hash for asked in form.asked} - self.wordings.keys()
        if missing:
            log.error("wording_missing")
        return not missing

    async def ask(
        self, connection: AsyncConnection, subject: str, form: SignUp, received_at: datetime
    ) -> None:
        """Apply one sign-up; at most one mail asks for all its purposes."""
        person = self.people[subject]
        pending: list[Consent] = []
        for asked in form.asked:
            existing = person.of(asked.purpose)
            match policy.sign_up(existing, asked.text_hash, received_at, self.now):
                case Nothing():
                    continue
                case Same(consent):
                    pending.append(consent)
                case _:
                    consent = self._request(subject, form, asked, received_at)
                    person.new[consent.id] = consent
                    pending.append(consent)
        fresh = [consent for consent in pending if consent.mails < MAILS_A_REQUEST]
        if not fresh:
            return
        due_at = await self.limits.allow(
            connection, form.email, self.now, by_mailbox=form.by_mailbox
        )
        if due_at is not None:
            for consent in fresh:
                person.count_mail(consent)
            self.mails.append(_Mail(form.locale, fresh, due_at))

    def _request(self, subject: str, form: SignUp, asked: Asked, received_at: datetime) -> Consent:
        consent_id = ordered_id("con", self.now)
        return changes.request(
            subject,
            Requested.by(consent_id, form, asked, received_at),
            self.trail,
            self.now,
            # Not from the post: what waited here must not use up the time there is to answer.
            lapses_at=self.now + CONFIRM_WITHIN,
            # They wait with the request: only its confirmation makes them the person's.
            answers=personal.seal_answers(subject, consent_id, form.profile, self.vault),
        )

    async def write(self, connection: AsyncConnection) -> None:
        people = self.people.values()
        new = [consent for person in people for consent in person.new.values()]
        changed = [consent for person in people for consent in person.changed.values()]
        await self.consents.add(connection, new)
        await self.consents.write(connection, changed)
        await self.limits.store(connection, self.now)
        known = {key: text for key, text in self.wordings.items() if text.retired_at is None}
        written = [
            asking.confirmation(
                self.config, mail.locale, mail.asked, known, self.vault, self.now, mail.due_at
            )
            for mail in self.mails
            if mail.text_hashes <= known.keys()  # else retired since the post
        ]
        tokens = [token for token, _ in written]
        await links.add_confirmations(connection, self.consents.keys, tokens, self.now)
        messages = [message for _, message in written]
        await outbox.enqueue(connection, self.consents.keys, messages, self.now)
