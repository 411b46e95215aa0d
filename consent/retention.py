"""What nothing needs any more, decided from facts alone.

A row that is not honest is never over, and neither is anything else about its
person: deleting it would hide what was done to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from consent import policy
from consent.model import State, SubjectState
from consent.policy import Standing


@dataclass(frozen=True, slots=True)
class Periods:
    """How long what came to nothing, and what came to an end, is kept."""

    unconfirmed: timedelta  # from the request
    evidence: timedelta  # from the withdrawal, the end or the objection


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one person, read under the gate: what a gateway wrote of them, alone."""

    state: SubjectState
    restricted: bool
    objected_at: datetime | None


class Kept(Standing, Protocol):
    """What a rule needs to know of one consent; its row satisfies this."""

    @property
    def purpose(self) -> str: ...
    @property
    def anew(self) -> bool:
        """Whether it was asked for in the place of one that stood and covered no mail."""


C = TypeVar("C", bound=Kept)


def whole(person: Person, consents: Sequence[Standing], periods: Periods, now: datetime) -> bool:
    """Say whether the whole person is to be forgotten: each reason to know them is over.

    Who asked for restriction asked us to keep (Art. 18(1)(b) to (d) GDPR); an
    objection is kept for as long as the proof of a withdrawal.
    """
    if person.state is not SubjectState.LIVE or person.restricted or not consents:
        return False
    if person.objected_at is not None and _after(person.objected_at, periods.evidence) > now:
        return False
    return all(_over(consent, periods, now) for consent in consents)


def ended(person: Person, consents: Sequence[C], periods: Periods, now: datetime) -> Sequence[C]:
    """Those whose own time is over, of a person who stays for another consent.

    One that was decided after another of its purpose stays as long as that:
    without its end, the older one would permit again. One that was asked anew
    stays as long as what it asked about: that says that the person was asked.
    """
    if person.state is not SubjectState.LIVE or person.restricted:
        return []
    if not all(consent.honest for consent in consents):
        return []
    over = [consent for consent in consents if _over(consent, periods, now)]
    names = {consent.id for consent in over}
    kept = [consent for consent in consents if consent.id not in names]
    # Where all are over the whole person goes, with the keys: see `whole`.
    staying = (_holds_back(one, kept) or _asked_about(one, kept) for one in over)
    return [one for one, stays in zip(over, staying, strict=True) if not stays] if kept else []


def locked_until(
    person: Person, consents: Sequence[Standing], periods: Periods, now: datetime
) -> datetime | None:
    """Until when what proves their consents stays although they are erased; None: nothing stays.

    For as long as somebody may still claim that they were mailed without one
    (Art. 17(3)(e) GDPR). What nobody ever decided proves nothing. A row that is
    not honest locks nothing: who writes rows could keep people from being erased.
    """
    ends = [
        _after(consent.decided_at, periods.evidence)
        for consent in consents
        if consent.honest and consent.state.decided and consent.decided_at is not None
    ]
    if person.objected_at is not None:
        ends.append(_after(person.objected_at, periods.evidence))
    return max((end for end in ends if end > now), default=None)


def foreseen_lock(
    person: Person, consents: Sequence[Standing], periods: Periods, now: datetime
) -> datetime | None:
    """As `locked_until`, were they erased now: what stands is taken back first, and ends then."""
    stands = any(one.honest and one.state is State.CONFIRMED for one in consents)
    ends = [locked_until(person, consents, periods, now)]
    ends += [now + periods.evidence] if stands else []
    return max((end for end in ends if end is not None and end > now), default=None)


def _holds_back(consent: Kept, kept: Sequence[Kept]) -> bool:
    """Whether it ended what an older consent of its purpose would otherwise permit."""
    if not consent.state.decided or consent.decided_at is None:
        return False
    others = [one for one in kept if one.purpose == consent.purpose and one.state.decided]
    if policy.outdone(consent, others):
        return False
    return any(one.decided_at is None or one.decided_at <= consent.decided_at for one in others)


def _asked_about(consent: Kept, kept: Sequence[Kept]) -> bool:
    """Whether it is a question, unanswered or denied, about one that is kept."""
    if not consent.anew or consent.state.decided:
        return False
    others = (one for one in kept if one.purpose == consent.purpose and one.state.decided)
    return any(one.requested_at <= consent.requested_at for one in others)


def over_at(consent: Standing, periods: Periods) -> datetime | None:
    """When a consent's own time is over, whatever else keeps it; None: not while it is as it is.

    A link works until its request lapses, whatever the term: until then it must lead somewhere.
    """
    if consent.state in (State.REJECTED, State.LAPSED):
        return max(_after(consent.requested_at, periods.unconfirmed), consent.lapses_at)
    if consent.state in (State.WITHDRAWN, State.EXPIRED) and consent.decided_at is not None:
        return _after(consent.decided_at, periods.evidence)
    return None


def _over(consent: Standing, periods: Periods, now: datetime) -> bool:
    at = over_at(consent, periods)
    return consent.honest and at is not None and at <= now


def _after(moment: datetime, period: timedelta) -> datetime:
    """The end of *period*; the last moment that there is where it is longer than time."""
    try:
        return moment + period
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
