"""Acknowledged sign-ups are worked off: on a fixed tick, the same work for every kind.

Whether an address is new, pending, confirmed, withdrawn or suppressed shows
neither in the answer that was given nor in when this happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import (
    changes,
    external_ids,
    gates,
    intakes,
    links,
    people,
    personal,
    policy,
    service_mails,
    texts,
)
from consent.address import Address
from consent.consents import Consent, Consents
from consent.evidence import Requested
from consent.gates import Gate
from consent.intakes import Intake
from consent.keys.vault import Compartment, Vault
from consent.lookup import LookUp
from consent.marks import Marks
from consent.policy import New
from consent.service_mails import Kind
from consent.sign_ups import CONFIRM_WITHIN, Asked, SignUp
from consent.texts import Text
from consent.trail import Trail
from delivery import outbox
from gateway.config.config import Config
from gateway.flows.bad_rows import Busy, each_for_itself, put_aside
from gateway.flows.joining import asking, contested
from gateway.flows.joining.asking_limits import Asking, AskingKeys, AskingLimits
from gateway.flows.joining.whose import Whose, elsewhere, whose_are
from gateway.flows.opening import opened
from gateway.parts import Parts
from gateway.watch.stuck import Why
from storage.ids import ordered_id
from storage.locks import try_alone
from storage.turns import in_turns

AT_ONCE = 50  # in the loop that answers: more at a time, and requests wait for them
_OF_THE_FORM = (Why.PURPOSE_UNKNOWN, Why.WORDING_MISSING)  # whoever it is from


async def work_off(parts: Parts) -> int:
    """Apply the oldest acknowledged sign-ups; returns how many were worked off or put aside.

    One that cannot be applied keeps none of the others waiting.
    """
    async with parts.data.read() as connection:
        waiting = await intakes.oldest(connection, AT_ONCE, await parts.clock.now(connection))
        if not waiting:
            await parts.lookup.find(connection, ())  # a key may have come that we lack
            return 0
    rows = {intake.id: intake for intake in waiting}
    apply = partial(_apply, parts)
    return sum(await each_for_itself(parts.data, parts.clock, intakes.NAME, rows, apply))


async def _apply(parts: Parts, waiting: Sequence[Intake]) -> int:
    """Apply these in one transaction; returns how many do not wait for the next tick.

    A sign-up whose subject appeared or ceased to be live while keys were being
    made stays for the next tick. One that no key opens is dropped: its key was
    destroyed on purpose, or the row is damaged and says so in the log. So is
    what somebody left for after it was received, and what is asked in the name
    of a stranger who must not be asked: nobody comes to be known by it.
    """
    forms = await opened(parts.keystore, waiting, intakes.open_sign_ups)
    whose = await whose_are(parts.data, parts.lookup, forms.values())
    # Keys are made for everybody: only for strangers, the key store's commit would tell them apart.
    # Those that no subject comes to name are swept when a day old.
    wall = parts.clock.wall()
    await parts.keystore.create(whose.made.values(), wall)
    theirs = [*whose.known.values(), *whose.made.values()]
    vault = await parts.keystore.vault(theirs, always=True)
    weekly = [secret for _, secret in await parts.keystore.limit_keys(wall)]
    asking = AskingKeys(parts.keyring.suppression, weekly, parts.config.limits.enabled)
    async with parts.data.begin() as connection:
        # One process at a time. Somebody unknown who leaves takes the same lock, so that none is
        # admitted between their look and their mark.
        if not await try_alone(connection, "intake"):
            raise Busy
        there = await intakes.lock(connection, [intake.id for intake in waiting])
        waiting = [intake for intake in waiting if intake.id in there]
        gone = await elsewhere(connection, parts.lookup, whose)
        moved = {one for one, form in forms.items() if form.email.canonical in gone}
        waiting = [intake for intake in waiting if intake.id not in moved]
        # Those who are known first: they hold their gate while they leave, and mark it under that.
        held = await gates.lock(connection, whose.known.values())
        now = await parts.clock.now(connection)
        forms = await _standing(connection, parts.marks, parts.lookup, waiting, forms, now)
        wordings = await texts.get(connection, _hashes(forms.values()))
        # Only for whoever is asked now: nobody comes to be known for a request that is parked.
        asked = [form for form in forms.values() if _unasked(parts.config, wordings, form) is None]
        newcomers = whose.newcomers(asked, vault)
        held |= await gates.admit(connection, parts.rows, parts.lookup, newcomers, wall)
        found = await parts.consents.as_of(connection, held, now)
        askings = [Asking.by(form) for form in forms.values()]
        batch = _Batch(
            consents=parts.consents,
            config=parts.config,
            people={name: _Person(gate, found.get(name, [])) for name, gate in held.items()},
            limits=await AskingLimits.read(connection, asking, askings, now),
            trail=Trail(parts.log, vault, held),
            vault=vault,
            wordings=wordings,
            now=now,
        )
        return await _write(connection, parts.lookup, batch, waiting, whose, forms)


async def _write(
    connection: AsyncConnection,
    lookup: LookUp,
    batch: _Batch,
    waiting: Sequence[Intake],
    whose: Whose,
    forms: Mapping[str, SignUp],
) -> int:
    done = await batch.apply(connection, waiting, whose.subjects, forms)
    await batch.write(connection)
    # Nobody comes to be known by a request that asks them for nothing.
    await people.dismiss(connection, [one for one in whose.made.values() if batch.unasked(one)])
    await intakes.remove(connection, done)
    left = {intake.id: forms[intake.id] for intake in waiting if intake.id not in set(done)}
    stuck = await _stuck(connection, lookup, batch, whose.subjects, left)
    await put_aside(connection, intakes.NAME, stuck, batch.now)
    await batch.trail.stage(connection)
    return len(done) + len(stuck)


async def _stuck(
    connection: AsyncConnection,
    lookup: LookUp,
    batch: _Batch,
    subjects: Mapping[str, str],
    left: Mapping[str, SignUp],
) -> dict[str, Why]:
    """Which of those that could not be applied cannot be on the next tick either, and why."""
    if not left:
        return {}
    found = await lookup.find(connection, {form.email.canonical for form in left.values()})
    stuck: dict[str, Why] = {}
    for intake, form in left.items():
        address = form.email.canonical
        subject, known = subjects.get(address), found.get(address)
        why = batch.why_not(subject, form)
        # Whom another process admitted meanwhile is met on the next tick. Who is found by nothing,
        # and cannot be admitted, would be so on every tick, and stand before all others.
        elsewhere = known is not None and known.honest and known.subject != subject
        if why in _OF_THE_FORM or (why is not None and not elsewhere):
            stuck[intake] = why
    return stuck


async def _standing(
    connection: AsyncConnection,
    marks: Marks,
    lookup: LookUp,
    waiting: Sequence[Intake],
    forms: Mapping[str, SignUp],
    now: datetime,
) -> Mapping[str, SignUp]:
    """The sign-ups with what they ask for that nobody left since; those that ask for nothing go."""
    held = lookup.held()
    indexes = {id: lookup.hashes(form.email.canonical) for id, form in forms.items()}
    marked = await marks.read(connection, {one for group in indexes.values() for one in group})
    # Who left while we waited for their gate may be marked by a key that came meanwhile.
    await lookup.require_still(connection, held)
    standing: dict[str, SignUp] = {}
    for intake in waiting:
        if intake.id in forms:
            form, theirs = forms[intake.id], indexes[intake.id]
            asked = tuple(
                one
                for one in form.asked
                if not marked.bars(theirs, one.purpose, intake.sealed_at, now)
            )
            if asked:
                standing[intake.id] = replace(form, asked=asked)
    return standing


def _hashes(forms: Iterable[SignUp]) -> set[str]:
    return {asked.text_hash for form in forms for asked in form.asked}


def _unasked(config: Config, wordings: Mapping[str, Text], form: SignUp) -> Why | None:
    """What a sign-up asks for that cannot be asked: an old link's purpose, a damaged wording."""
    if any(asked.purpose not in config.purposes for asked in form.asked):
        return Why.PURPOSE_UNKNOWN
    return None if _hashes([form]) <= wordings.keys() else Why.WORDING_MISSING


@dataclass
class _Person:
    """One person in a batch: what is known, and what the batch asks them for."""

    gate: Gate
    consents: list[Consent]
    new: list[Consent] = field(default_factory=list)

    def of(self, purpose: str) -> list[Consent]:
        return [one for one in (*self.consents, *self.new) if one.purpose == purpose]


@dataclass(frozen=True, slots=True)
class _Mail:
    """One mail, and the request that it asks about: no other mail does, nor it about others."""

    locale: str
    email: Address
    asked: Sequence[Consent]
    due_at: datetime
    made_from: str | None = field(repr=False)
    kind: Kind
    by_form: bool  # else by a link in a mail


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
    called: list[external_ids.Row] = field(default_factory=list)

    async def apply(
        self,
        connection: AsyncConnection,
        waiting: Sequence[Intake],
        subjects: Mapping[str, str],
        forms: Mapping[str, SignUp],
    ) -> list[str]:
        """Apply what can be applied; returns the ids of all that need not wait for another tick."""
        done = [intake.id for intake in waiting if intake.id not in forms]
        async for intake in in_turns(waiting):
            form = forms.get(intake.id)
            subject = None if form is None else subjects.get(form.email.canonical)
            if form is not None and subject and self.why_not(subject, form) is None:
                await self.ask(connection, subject, form, intake.received_at)
                done.append(intake.id)
        return done

    def why_not(self, subject: str | None, form: SignUp) -> Why | None:
        """What keeps a sign-up from being applied; None: nothing."""
        if why := _unasked(self.config, self.wordings, form):
            return why
        person = None if subject is None else self.people.get(subject)
        if person is None or not person.gate.live:
            return Why.ALTERED
        # The answers and the mail are sealed, and the request is told of.
        if not gates.usable(person.gate, self.vault, Compartment.PROFILE, Compartment.EVIDENCE):
            return Why.KEY_MISSING
        return None

    async def ask(
        self, connection: AsyncConnection, subject: str, form: SignUp, received_at: datetime
    ) -> None:
        """Apply one sign-up: it becomes a request of its own where a mail may ask about it.

        Whoever cannot be asked must not come to be in what a link confirms: of
        that sign-up nothing is kept but a count.
        """
        person = self.people[subject]
        wanted = [asked for asked in form.asked if self._is_new(person, asked.purpose, received_at)]
        if form.by_link and not self._may_again(person, form):
            wanted = []
        known = self.askable
        due_at = await self.limits.allow(
            connection,
            Asking.by(form),
            self.now,
            wanted=bool(wanted) and all(asked.text_hash in known for asked in wanted),
        )
        if due_at is None:
            return
        requests = [self._request(subject, form, asked, received_at) for asked in wanted]
        person.new += requests
        if form.external_ids:
            ids = form.external_ids
            self.called += [external_ids.waiting(one, ids, self.vault) for one in requests]
        made_from = contested.made_from(form)
        kind = Kind.ASKED_AGAIN if form.by_link else Kind.CONFIRMATION
        by_form = not (form.by_link or form.by_mailbox)
        mail = _Mail(form.locale, form.email, requests, due_at, made_from, kind, by_form)
        self.mails.append(mail)

    def _may_again(self, person: _Person, form: SignUp) -> bool:
        """Whether a link out of a mail, perhaps forwarded, may have them asked: seldom.

        Not who does not want to be mailed, however long ago they said so: they lift that.
        """
        gate = person.gate
        if gate.objected_at or gate.restricted_at or gate.suppressed is not None:
            return False
        confirmed = (one.requested_at for one in person.consents if one.state.decided)
        return self.limits.may_again(Asking.by(form), max(confirmed, default=None), self.now)

    def _is_new(self, person: _Person, purpose: str, received_at: datetime) -> bool:
        existing, sender = person.of(purpose), self.consents.sender_of(purpose)
        return isinstance(policy.sign_up(existing, received_at, self.now, sender), New)

    @property
    def askable(self) -> Mapping[str, Text]:
        """The wordings that a mail may name: one that was retired since the post asks nobody."""
        return {key: text for key, text in self.wordings.items() if text.retired_at is None}

    def unasked(self, subject: str) -> bool:
        """Whether somebody was admitted by this batch, and then asked for nothing."""
        person = self.people.get(subject)
        return person is not None and not person.new

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
        await self.consents.add(connection, [one for mail in self.mails for one in mail.asked])
        await external_ids.add(connection, self.called)
        known = self.askable
        stops = [
            self.limits.stop(mail.asked[0].subject, mail.email, mail.kind) for mail in self.mails
        ]
        written = [
            asking.confirmation(
                self.config,
                mail.locale,
                mail.asked,
                known,
                self.vault,
                self.now,
                mail.due_at,
                stop,
                by_form=mail.by_form,
            )
            async for mail, (stop, _) in in_turns(zip(self.mails, stops, strict=True))
        ]
        tokens = [token for token, _ in written]
        for mail, token in zip(self.mails, tokens, strict=True):
            self.limits.note_link(token.token_hash, mail.made_from, self.now)
        await self.limits.store(connection, self.now)
        await links.add_confirmations(connection, self.consents.keys, tokens, self.now)
        await service_mails.add(connection, [row for _, row in stops], self.now)
        messages = [message for _, message in written]
        await outbox.enqueue(connection, self.consents.keys, messages, self.now)
