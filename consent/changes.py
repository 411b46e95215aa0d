"""The one way in which a consent changes: its next state, and the event that says so.

The row names the event that put it into its state, and verification compares
the two. So nothing else makes a `Consent` with another state; whoever gets one
from here stores it in the transaction that stages the trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from audit.kinds import Actor, Kind
from consent import policy
from consent.consents import Consent
from consent.evidence import Confirmed, EndedByItself, Requested, TakenBack, Why
from consent.model import Evidence, State
from consent.trail import Trail

EVENTS: Mapping[State, Kind] = {
    State.PENDING: Kind.CONSENT_REQUESTED,
    State.CONFIRMED: Kind.CONSENT_CONFIRMED,
    State.REJECTED: Kind.CONSENT_REJECTED,
    State.WITHDRAWN: Kind.CONSENT_WITHDRAWN,
    State.LAPSED: Kind.CONSENT_LAPSED,
    State.EXPIRED: Kind.CONSENT_EXPIRED,
}


def request(
    subject: str,
    evidence: Requested,
    trail: Trail,
    now: datetime,
    *,
    lapses_at: datetime,
    answers: bytes | None,
) -> Consent:
    """A new consent that waits for its answer; *answers* of the form, sealed, wait with it."""
    refs = {"text": evidence.text}
    kind = EVENTS[State.PENDING]
    eid = trail.record(kind, subject, Actor.SUBJECT, now, evidence=evidence, refs=refs)
    return Consent(
        id=evidence.consent,
        subject=subject,
        purpose=evidence.purpose,
        text_hash=evidence.text,
        form=evidence.form,
        locale=evidence.locale,
        state=State.PENDING,
        evidence=Evidence.PROVEN,
        requested_at=now,
        lapses_at=lapses_at,
        decided_at=None,
        ends_at=None,
        mails=0,
        profile=answers,
        eid=eid,
    )


def confirm(
    one: Consent, token_hash: bytes, trail: Trail, now: datetime, *, ends_at: datetime | None
) -> Consent | None:
    """The consent after the spending of its token; None: nothing changes."""
    state = policy.confirm(one, now)
    if state is None:
        return None
    evidence = Confirmed(one.id, one.purpose, one.text_hash, token_hash.hex(), now)
    eid = trail.record(
        EVENTS[state], one.subject, Actor.SUBJECT, now, evidence=evidence, refs=_refs(one)
    )
    return replace(one, state=state, decided_at=now, ends_at=ends_at, eid=eid)


def take_back(
    one: Consent, evidence: TakenBack, actor: Actor, trail: Trail, now: datetime
) -> Consent | None:
    """The consent after a withdrawal or a "not me"; None: nothing changes. Needs no key."""
    state = policy.withdraw(one.state)
    if state is None:
        return None
    eid = trail.record_leaving(
        EVENTS[state], one.subject, actor, now, evidence=evidence, refs=_refs(one)
    )
    return replace(one, state=state, decided_at=now, eid=eid)


def supersede(one: Consent, trail: Trail, now: datetime) -> Consent:
    """A pending request after another one of its purpose was confirmed."""
    return _end(one, State.LAPSED, Why.SUPERSEDED, trail, now)


def end(one: Consent, trail: Trail, now: datetime) -> Consent | None:
    """The consent at its end; None when it has none, or when the row is not what we wrote."""
    if policy.lapse(one, now) is State.LAPSED:
        return _end(one, State.LAPSED, Why.TIME, trail, now)
    if policy.expire(one, now) is State.EXPIRED:
        over_at = policy.end_of(one)
        why = Why.UNUSED if over_at == one.unused_at else Why.TIME
        return replace(_end(one, State.EXPIRED, why, trail, now), decided_at=over_at)
    return None


def _end(one: Consent, state: State, why: Why, trail: Trail, now: datetime) -> Consent:
    evidence = EndedByItself(one.id, one.purpose, why)
    eid = trail.record(
        EVENTS[state], one.subject, Actor.SYSTEM, now, evidence=evidence, refs=_refs(one)
    )
    return replace(one, state=state, eid=eid)


def _refs(one: Consent) -> Mapping[str, str]:
    return {"text": one.text_hash}
