"""Permission and the life of a consent, decided from facts alone.

Nothing here reads a clock, a database or chance. Dates count before duties do:
a request past its 72 hours is lapsed and a consent past its end is expired
whether or not somebody has written that down yet.

A row that is not honest never changes into an honest one here, except by being
rejected or withdrawn: writing it anew would hide what was done to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, assert_never

from consent.model import (
    Evidence,
    Granted,
    Ground,
    Reason,
    Refused,
    State,
    SubjectState,
    Unneeded,
)


class Standing(Protocol):
    """What a decision needs to know of one consent; its row satisfies this."""

    @property
    def id(self) -> str: ...
    @property
    def text_hash(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def evidence(self) -> Evidence: ...
    @property
    def requested_at(self) -> datetime: ...
    @property
    def lapses_at(self) -> datetime: ...
    @property
    def decided_at(self) -> datetime | None:
        """When it was confirmed, withdrawn, or ended; None where nothing was decided."""

    @property
    def ends_at(self) -> datetime | None:
        """When a confirmed consent expires; None for never."""

    @property
    def unused_at(self) -> datetime | None:
        """When it ended because nobody had used it for so long; None: it did not."""

    @property
    def covers(self) -> Collection[str] | None:
        """The senders whose mails its wording covers; None where that wording is not there."""

    @property
    def honest(self) -> bool:
        """Whether the row is what we wrote (`consent.honesty`)."""


class Link(Protocol):
    """What a decision needs to know of a fresh link; its row satisfies this."""

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def spent_at(self) -> datetime | None: ...


C = TypeVar("C", bound=Standing)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one person for one purpose, read under the person's gate."""

    subject_state: SubjectState | None  # None: nobody is known by that name
    restricted: bool
    objected: bool
    suppressed: Reason | None  # suppressed_complaint before suppressed_bounce
    consents: Sequence[Standing]  # every one of this purpose, in any order
    asking_blocked_at: datetime | None = None  # the last "not me", objection or stop
    honest: bool = True  # the person's row is what we wrote
    sender: str | None = None  # as whom the mail would go out; None: as nobody who is known


def decide(facts: Facts, now: datetime) -> Granted | Refused:
    """Say whether a mail for this purpose may be sent at *now*, and on what ground.

    Anything that is not a clear, current yes is a no. Missing facts refuse, so
    a failed look-up can never turn into a sent mail. The order of the checks is
    the order of `Reason`; purposes and caps are checked around it.
    """
    if gone := _gone(facts.subject_state):
        return gone
    if not facts.consents:
        return Refused(Reason.UNKNOWN)
    stop = _stop(facts)
    if stop is None and not facts.honest:
        return _UNPROVEN  # a stop may have been taken away
    return Refused(stop) if stop else _by_consents(facts.consents, now, facts.sender)


def stands(facts: Facts, now: datetime) -> bool:
    """Whether the person has agreed, to these mails as they are now or as they were.

    What covers no mail any more can be taken back all the same, so the person is
    shown it as given.
    """
    answer = decide(facts, now)
    return isinstance(answer, Granted) or answer.reason is Reason.NOT_COVERED


def confirmation_wanted(
    facts: Facts, asked: Sequence[Standing], now: datetime, *, queued_at: datetime
) -> Granted | Refused | Unneeded:
    """Say whether the mail that asks to confirm *asked* may be sent at *now*.

    A "not me" or an objection stops every mail that was queued up to then, for
    whatever request. Later ones are blocked where they are asked for, and not
    here: the mailbox itself may ask again.
    """
    if gone := _gone(facts.subject_state):
        return gone
    if facts.restricted:
        return Refused(Reason.RESTRICTED)
    if facts.suppressed is not None:
        return Refused(facts.suppressed)
    waiting = [consent for consent in asked if effective_state(consent, now) is State.PENDING]
    blocked = facts.asking_blocked_at is not None and queued_at <= facts.asking_blocked_at
    if blocked or not waiting:
        return Unneeded()
    if not facts.honest or not all(consent.honest for consent in asked):
        return Refused(Reason.UNPROVEN)
    return Granted(Ground.confirmation(min(waiting, key=_requested).id))


def hindrance(facts: Facts, asked: Standing) -> Reason | None:
    """What keeps mails from a person though they agree to what is *asked*; None: nothing.

    No confirmation lifts it: whoever asked may be somebody else, and an
    objection (Art. 21(3) GDPR) ends no consent but what may be done with it.
    """
    return hindered(facts) or (Reason.NOT_COVERED if _lacks_cover(asked, facts.sender) else None)


def hindered(facts: Facts) -> Reason | None:
    """What keeps mails from a person whatever allows them; None: nothing."""
    if gone := _gone(facts.subject_state):
        return gone.reason
    return _stop(facts) or (None if facts.honest else Reason.UNPROVEN)


def fresh_link_wanted(
    facts: Facts, link: Link | None, now: datetime
) -> Granted | Refused | Unneeded:
    """Say whether the mail that carries the fresh *link* may be sent at *now*.

    Who restricted, objected or complained may still see what is kept about them
    (Art. 15 GDPR); a mailbox that does not exist gets nothing. What was asked for
    before a "not me", an objection or the stopping of such mails is not sent any
    more; how often anybody may ask is metered before (`consent.link_meter`).
    """
    if gone := _gone(facts.subject_state):
        return gone
    if facts.suppressed is Reason.SUPPRESSED_BOUNCE:
        return Refused(Reason.SUPPRESSED_BOUNCE)
    if not facts.honest:
        return _UNPROVEN  # its index may be another's, and the link lead to their data
    blocked_at = facts.asking_blocked_at
    if link is None or not usable(link, now):
        return Unneeded()
    if blocked_at is not None and link.created_at <= blocked_at:
        return Unneeded()
    return Granted(Ground.service(link.id))


def _gone(state: SubjectState | None) -> Refused | None:
    match state:
        case SubjectState.LIVE:
            return None
        case None:
            return Refused(Reason.UNKNOWN)
        case SubjectState.ALTERED:
            return _UNPROVEN
        case SubjectState.ERASING | SubjectState.ERASED:
            # Nothing is left of what was asked, so this stands before "never asked".
            return Refused(Reason.ERASED)


def usable(link: Link, now: datetime) -> bool:
    """Whether a fresh link still opens something: once, and for its quarter of an hour.

    Made by a clock that ran ahead it would open until then, so it opens nothing.
    """
    return link.spent_at is None and link.created_at <= now < link.expires_at


def effective_state(consent: Standing, now: datetime) -> State:
    """The state at *now*, whether or not the duty that writes it down has come by."""
    return lapse(consent, now) or expire(consent, now) or consent.state


@dataclass(frozen=True, slots=True)
class New:
    """Make a new pending consent and ask for it."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The person agreed already: nothing changes and no mail goes out."""


def sign_up(
    existing: Sequence[Standing], received_at: datetime, now: datetime, sender: str | None
) -> New | Nothing:
    """Say what a sign-up does, given all *existing* consents of its purpose, mailed by *sender*.

    What waits already is not looked at: whoever asked first, perhaps somebody
    else, must not decide what is confirmed. A consent that permits nothing
    (unproven, not covering, or at its end) does not stand in the way of a better one. Who
    withdrew or rejected after the sign-up was *received* has ended it too,
    although it is worked off only now. Limits and blocks of an address are not
    checked.
    """
    if existing and isinstance(_by_consents(existing, now, sender), Granted):
        return Nothing()
    if any(_ended_since(consent, received_at) for consent in existing):
        return Nothing()
    return New()


def _ended_since(consent: Standing, moment: datetime) -> bool:
    said_no = consent.state in (State.WITHDRAWN, State.REJECTED)
    return said_no and consent.decided_at is not None and consent.decided_at > moment


def confirm(consent: Standing, now: datetime) -> State | None:
    """The state after the spending of its token; None: nothing changes."""
    waiting = effective_state(consent, now) is State.PENDING
    return State.CONFIRMED if waiting and consent.honest else None


def superseded(consents: Iterable[C], confirmed: str) -> list[C]:
    """The other pending requests of a purpose, which end `lapsed` when one is confirmed."""
    others = (consent for consent in consents if consent.id != confirmed)
    return [other for other in others if other.state is State.PENDING and other.honest]


def reject(state: State) -> State | None:
    """The state after "this was not me"; None: nothing changes."""
    return withdraw(state)


def withdraw(state: State) -> State | None:
    """The state after a withdrawal; None: nothing changes.

    Dates do not count: what takes permission away is always written down.
    """
    match state:
        case State.CONFIRMED:
            return State.WITHDRAWN
        case State.PENDING:
            return State.REJECTED
        case State.REJECTED | State.WITHDRAWN | State.LAPSED | State.EXPIRED:
            return None
        case _:
            assert_never(state)


def lapse(consent: Standing, now: datetime) -> State | None:
    """The state once nobody answered in time; None: nothing changes."""
    due = consent.state is State.PENDING and consent.lapses_at <= now
    return State.LAPSED if due and consent.honest else None


def expire(consent: Standing, now: datetime) -> State | None:
    """The state once a confirmed consent ended; None: nothing changes.

    Store `end_of` as the moment of this decision, not the duty's: a consent
    confirmed in between is the newer one and stays it.
    """
    end = end_of(consent)
    due = consent.state is State.CONFIRMED and end is not None and end <= now
    return State.EXPIRED if due and consent.honest else None


def end_with_wording(consent: Standing, now: datetime) -> State | None:
    """The state once the operator ended what rests on its wording; None: nothing changes.

    Nobody said no: who is asked in other words may agree to them.
    """
    match effective_state(consent, now):
        case State.CONFIRMED if consent.honest:
            return State.EXPIRED
        case State.PENDING if consent.honest:
            return State.LAPSED
        case _:
            return None


def end_of(consent: Standing) -> datetime | None:
    """When a confirmed consent ends: by its date, or for want of use. None: never, as of now."""
    ends = [end for end in (consent.ends_at, consent.unused_at) if end is not None]
    return min(ends, default=None)


def _stop(facts: Facts) -> Reason | None:
    if facts.restricted:
        return Reason.RESTRICTED
    return Reason.OBJECTED if facts.objected else facts.suppressed


def misses_wording(facts: Facts) -> bool:
    """Whether something agreed to cannot be read just now: whoever put it away may put it back.

    Of what is otherwise as we wrote it, or a refusal is deserved all the same.
    """
    if not facts.honest or not all(consent.honest for consent in facts.consents):
        return False
    standing = (one for one in facts.consents if one.state is State.CONFIRMED)
    return any(consent.covers is None for consent in standing)


def _by_consents(
    consents: Sequence[Standing], now: datetime, sender: str | None
) -> Granted | Refused:
    """Decide by the newest decided consent; with none, by what became of the requests.

    Whether it covers the mail is asked of a consent that stands: of one that was
    taken back the person's no is told, and nobody is invited to ask again.
    """
    newest = newest_decided(consents)
    standing = newest is not None and effective_state(newest, now) is State.CONFIRMED
    states = {effective_state(consent, now) for consent in consents}
    if State.PENDING in states and not standing:
        return Refused(Reason.PENDING)
    if newest is None:
        return Refused(Reason.REJECTED if State.REJECTED in states else Reason.LAPSED)
    if standing and _lacks_cover(newest, sender):
        return Refused(Reason.NOT_COVERED)
    if not standing:
        ended = newest.state is State.WITHDRAWN
        return Refused(Reason.WITHDRAWN if ended else Reason.EXPIRED)
    return Granted(Ground.consent(newest.id)) if _proven(newest, consents) else _UNPROVEN


def newest_decided(consents: Sequence[Standing]) -> Standing | None:
    """The one that permission looks at; None where nothing was ever decided.

    What ended by itself or with its wording is no word of the person: it never outdoes what
    they decided of a later request, however long after it that end came.
    """
    decided = [consent for consent in consents if consent.state.decided]
    counting = [consent for consent in decided if not outdone(consent, decided)]
    return max(counting, key=_decided, default=None)


def outdone(consent: Standing, decided: Iterable[Standing]) -> bool:
    """Whether it ended without a word of the person, who decided of a later request as well."""
    # By requests, since an ended row no longer says when it was confirmed: each confirmation
    # ended the other requests that waited, so consents were confirmed in the order of these.
    ended = consent.state is State.EXPIRED
    return ended and any(other.requested_at > consent.requested_at for other in decided)


def _lacks_cover(consent: Standing, sender: str | None) -> bool:
    return consent.covers is not None and sender not in consent.covers


_UNPROVEN = Refused(Reason.UNPROVEN)


def _proven(newest: Standing, consents: Sequence[Standing]) -> bool:
    # One altered row spoils them all: it may be the withdrawal, made to look older.
    sound = all(consent.honest for consent in consents) and newest.decided_at is not None
    there = newest.covers is not None  # what nobody can show any more proves nothing
    return sound and there and newest.evidence is not Evidence.ASSERTED


def _decided(consent: Standing) -> tuple[bool, datetime, bool]:
    """Newest by its last decision; at the same moment the one that ends a permission."""
    undated = consent.decided_at is None  # cannot be; counts as newest and is never granted
    return undated, consent.decided_at or consent.requested_at, consent.state is not State.CONFIRMED


def _requested(consent: Standing) -> tuple[datetime, str]:
    return consent.requested_at, consent.id
