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
from consent.links import Handle
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
    actor: Actor = Actor.SUBJECT,
) -> Consent:
    """A new consent that waits for its answer; *answers* of the form, sealed, wait with it.

    Its own mail is queued with it: what asks for nothing is no request.
    """
    refs = {"text": evidence.text}
    kind = EVENTS[State.PENDING]
    eid = trail.record(kind, subject, actor, now, evidence=evidence, refs=refs)
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
        mails=1,
        profile=answers,
        eid=eid,
    )


def confirm(
    consent: Consent,
    token_hash: bytes,
    trail: Trail,
    now: datetime,
    *,
    ends_at: datetime | None,
    answers: Mapping[str, str],
    handle: Handle,
    contested: bool = False,
    shown: str | None = None,
) -> Consent | None:
    """The consent after the spending of its token; None: nothing changes."""
    state = policy.confirm(consent, now)
    if state is None:
        return None
    what = (consent.id, consent.purpose, consent.text_hash)
    evidence = Confirmed(
        *what,
        token_hash.hex(),
        now,
        answers=answers,
        handle=handle.unsubscribe_hash.hex(),
        handle_replaced=handle.replaced,
        contested=contested,
        shown=shown,
    )
    eid = trail.record(
        EVENTS[state], consent.subject, Actor.SUBJECT, now, evidence=evidence, refs=_refs(consent)
    )
    return replace(consent, state=state, decided_at=now, ends_at=ends_at, eid=eid)


def take_back(
    consent: Consent,
    evidence: TakenBack,
    actor: Actor,
    trail: Trail,
    now: datetime,
    *,
    by: Mapping[str, str] | None = None,
    said_at: datetime | None = None,
) -> Consent | None:
    """The consent after a withdrawal or a "not me"; None: nothing changes. Needs no key.

    *by* names who passed it on. Of what was said before, and is said again, the terms of
    keeping count from *said_at*.
    """
    state = policy.withdraw(consent.state)
    if state is None:
        return None
    refs = {**_refs(consent), **(by or {})}
    eid = trail.record_leaving(
        EVENTS[state], consent.subject, actor, now, evidence=evidence, refs=refs
    )
    return replace(consent, state=state, decided_at=_decided_at(consent, said_at, now), eid=eid)


def _decided_at(consent: Consent, said_at: datetime | None, now: datetime) -> datetime:
    # Not before what it ended: else that would be the newest decision.
    before = consent.decided_at or consent.requested_at
    return now if said_at is None else min(max(said_at, before), now)


def supersede(consent: Consent, trail: Trail, now: datetime) -> Consent:
    """A pending request after another one of its purpose was confirmed."""
    return _end(consent, State.LAPSED, Why.SUPERSEDED, trail, now)


def leave_behind(consent: Consent, trail: Trail, now: datetime) -> Consent:
    """A pending request after its person got another address: its link went to that of before."""
    return _end(consent, State.LAPSED, Why.MOVED, trail, now)


def end(consent: Consent, trail: Trail, now: datetime) -> Consent | None:
    """The consent at its end; None when it has none, or when the row is not what we wrote."""
    if policy.lapse(consent, now) is State.LAPSED:
        return _end(consent, State.LAPSED, Why.TIME, trail, now)
    if policy.expire(consent, now) is State.EXPIRED:
        # Not the moment of this run: what was confirmed in between would seem decided before it.
        over_at = policy.end_of(consent)
        why = Why.UNUSED if over_at == consent.unused_at else Why.TIME
        return replace(_end(consent, State.EXPIRED, why, trail, now), decided_at=over_at)
    return None


def end_with_wording(consent: Consent, trail: Trail, now: datetime) -> Consent | None:
    """The consent after its wording was retired together with it; None: nothing changes.

    What was over by then, and not written down yet, ends for what it ended by.
    """
    state = policy.end_with_wording(consent, now)
    if state is None:
        return end(consent, trail, now)
    ended = _end(consent, state, Why.RETIRED, trail, now, Actor.OPERATOR)
    return replace(ended, decided_at=now) if state.decided else ended


def _end(
    consent: Consent,
    state: State,
    why: Why,
    trail: Trail,
    now: datetime,
    actor: Actor = Actor.SYSTEM,
) -> Consent:
    evidence = EndedByItself(consent.id, consent.purpose, why)
    eid = trail.record(
        EVENTS[state], consent.subject, actor, now, evidence=evidence, refs=_refs(consent)
    )
    return replace(consent, state=state, eid=eid)


def _refs(consent: Consent) -> Mapping[str, str]:
    return {"text": consent.text_hash}
