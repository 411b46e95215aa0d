"""Everything about one person that their own pages show, and their switches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent import (
    evidence,
    external_ids,
    facts,
    gates,
    paces,
    personal,
    policy,
    texts,
)
from consent import retention as consent_rules
from consent.consents import Consent
from consent.errors import StoredError
from consent.evidence import Confirmed, Proof, Requested
from consent.keys.vault import Compartment, Vault
from consent.model import Reason, State
from consent.policy import Facts
from consent.texts import Text
from gateway.flows.leaving import preferences
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.preferences import Switched
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.rights import erasing, waiting
from gateway.flows.rights.waiting import Waiting
from gateway.limits import Wait
from gateway.parts import Parts

log = structlog.get_logger()

_KINDS = frozenset(Kind)
_SHOWN = (Compartment.PROFILE, Compartment.EVIDENCE)  # what is kept, and its story


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a consent, as the log tells it."""

    kind: Kind
    at: datetime
    said: Proof


@dataclass(frozen=True, slots=True)
class Held:
    """One consent with its wording and its story."""

    consent: Consent
    state: State
    text: Text | None  # none: it is not what its hash says any more
    story: Sequence[Step]
    # Confirmed by somebody who may not have asked: what the request said proves nothing, and the
    # story is without it. Who confirmed saw the wording on our own page.
    contested: bool = False
    confirmation_away: bool = False  # so nobody can tell: it may be contested, and counts as such
    kept_until: datetime | None = None  # at least; none: that is not known yet
    hindrance: Reason | None = None  # why nothing is mailed though it is confirmed

    @classmethod
    def of(
        cls,
        consent: Consent,
        now: datetime,
        text: Text | None,
        told: Sequence[Step],
        kept_until: datetime | None,
        hindrance: Reason | None,
    ) -> Self:
        """A consent with what the log *told* of it."""
        contested = evidence.contested([one.said for one in told], consent.state)
        known = any(isinstance(one.said, Confirmed) for one in told)
        story = [one for one in told if not (contested and isinstance(one.said, Requested))]
        state = policy.effective_state(consent, now)
        against = hindrance if state is State.CONFIRMED else None
        away = contested and not known
        return cls(consent, state, text, story, contested, away, kept_until, against)


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose of the preferences page."""

    purpose: str
    text: Text | None  # as of a consent
    on: bool
    waiting: bool


@dataclass(frozen=True, slots=True)
class OwnData:
    """Everything about one person that their own pages show."""

    email: str = field(repr=False)
    locale: str
    profile: Mapping[str, str] = field(repr=False)
    consents: Sequence[Held]
    choices: Sequence[Choice]
    restricted_at: datetime | None = None
    objected_at: datetime | None = None
    paused_until: datetime | None = None
    waiting: Waiting | None = None  # an erasure
    # What callers call them in their own systems, by the consent that it came with.
    external_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


async def look(parts: Parts, subject: str) -> OwnData | None:
    """What is kept about a person; None when they are no longer live. Changes nothing."""
    vault = await parts.keystore.vault([subject])
    # Of one moment: an event that gets its index between two statements would be missing.
    async with parts.data.snapshot() as connection:
        gate = (await gates.peek(connection, [subject])).get(subject)
        if not gates.usable(gate, vault, *_SHOWN):
            return None
        now = await parts.clock.now(connection)
        found = (await parts.consents.as_of(connection, [subject], now)).get(subject, [])
        known = await texts.get(connection, {consent.text_hash for consent in found})
        stories = await _stories(connection, subject, vault)
        # Such as left the configuration, too: what was agreed to can be taken back.
        purposes = dict.fromkeys([*parts.config.purposes, *(one.purpose for one in found)])
        pace = (await paces.read(connection, parts.rows, [subject])).get(subject, paces.NONE)
        pairs = [(subject, name) for name in purposes]
        read = await facts.read(connection, parts.consents, {subject: gate}, pairs, now)
        choices = await _choices(connection, read, gate.locale, now)
        asked = await waiting.look(connection, parts.rows, subject, now)
        called = await external_ids.of(connection, [subject])
    periods = erasing.periods_of(parts.config.retention)
    held = [
        Held.of(
            consent,
            now,
            known.get(consent.text_hash),
            stories.get(consent.id, []),
            None if gate.restricted_at else consent_rules.over_at(consent, periods),
            policy.hindrance(read[subject, consent.purpose], consent)
            if consent.purpose in parts.config.purposes
            else Reason.PURPOSE_UNKNOWN,
        )
        for consent in reversed(found)
    ]
    return OwnData(
        email=personal.open_mailbox(gate, vault) or "",
        locale=gate.locale,
        profile=personal.open_profile(gate, vault),
        consents=held,
        choices=choices,
        restricted_at=gate.restricted_at,
        objected_at=gate.objected_at,
        paused_until=pace.paused_until if pace.is_paused(now) else None,
        waiting=asked,
        external_ids={row.consent: external_ids.opened(row, vault) for row in called},
    )


async def _stories(
    connection: AsyncConnection, subject: str, vault: Vault
) -> dict[str, list[Step]]:
    """What the log tells of each consent, oldest first; only what was opened and fits.

    Items of batch events tell of mails and of who asked, not of consents, and there are
    as many as callers please: none is read, or whoever asks often would make the
    person's own page slow.
    """
    stories: dict[str, list[Step]] = {}
    for event in await audit_trail.told(connection, [subject], _KINDS, vault):
        said = _said(event)
        if said is not None:
            step = Step(event.kind, event.entry.at, said)
            for consent in said.consents:
                stories.setdefault(consent, []).append(step)
    return stories


def _said(event: Told) -> Proof | None:
    try:
        return evidence.read(event.kind, event.facts)
    except StoredError:
        log.error("evidence_not_read")
        return None


async def _choices(
    connection: AsyncConnection,
    read: Mapping[tuple[str, str], Facts],
    locale: str,
    now: datetime,
) -> list[Choice]:
    """Every purpose: as agreed to where it stands or waits, else as it would be asked for."""
    valid = await texts.valid(connection)
    choices = []
    for (_, purpose), about in read.items():
        on = policy.stands(about, now)
        states = {policy.effective_state(consent, now) for consent in about.consents}
        waiting = not on and State.PENDING in states
        rows = [consent for consent in about.consents if isinstance(consent, Consent)]
        if on or waiting:  # never in other words than those
            text = await preferences.wording(connection, rows)
        else:
            text = preferences.current_text(valid.values(), purpose, locale)
        if text is not None or on or waiting:
            choices.append(Choice(purpose, text, on, waiting))
    return choices


async def choose(
    parts: Parts,
    withdrawals: Withdrawals,
    subject: str,
    wanted: Mapping[str, bool],
    network: str | None,
) -> Switched | Wait:
    """Switch purposes. Off is final when this returns; on sends one mail that asks for them all."""
    seen = await look(parts, subject)
    if seen is None:
        return Switched()
    current = {choice.purpose: choice for choice in seen.choices}
    theirs = {held.consent.purpose for held in seen.consents}
    changed = {
        name: on for name, on in wanted.items() if name in current or (name in theirs and not on)
    }
    # Off first: whoever is told to wait for the others has left these all the same.
    for name, on in changed.items():
        if not on:  # also what is off already: whoever repeats it waits the same way
            await withdrawals.by_subject(subject, Withdrawal(name, Actor.SUBJECT, "my-data"))
    ask_for = [name for name, on in changed.items() if on and not current[name].on]
    if ask_for:
        wait = await preferences.ask(
            parts, subject, ask_for, network, client="my-data", by_mailbox=True
        )
        if wait is not None:
            return wait
    ended = {
        name
        for name, on in changed.items()
        if not on and name in current and (current[name].on or current[name].waiting)
    }
    return Switched(off=frozenset(ended), on=frozenset(ask_for))
