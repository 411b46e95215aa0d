"""Re-permission: who is asked anew, because what they agreed to is not so any more. Pure.

A consent that stands and covers no mail permits nothing. Whoever gave it is
asked once for what is asked for now, by a request like any other that the
operator makes; a mail does not go once there is nothing left to ask.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from consent import policy
from consent.model import Evidence, Granted, Reason, Refused, State, Unneeded
from consent.policy import Facts, Standing
from consent.retention import Kept

ANSWER_WITHIN: Final = timedelta(days=14)  # from when the mail is due
PAUSE: Final = timedelta(days=30)  # after one question about a consent, before another one

C = TypeVar("C", bound=Kept)


class Unasked(StrEnum):
    """Why somebody is not asked anew, beside the reasons for which they are not mailed."""

    COVERED = "covered"  # by a consent of theirs that is newer
    OTHER = "other_wording"  # the consent that counts rests on another one
    BEFORE = "asked_before"  # for the very same, and did not agree
    LATELY = "asked_lately"  # for something else
    BLOCKED = "blocked"  # the mailbox must not be asked
    LIMITED = "limited"  # it was asked too often this week
    UNREADABLE = "unreadable"  # a key of theirs is missing


@dataclass(frozen=True, slots=True)
class Before:
    """A question that was put about a consent; None: what it asked for cannot be read any more."""

    at: datetime
    asked: str | None  # by `coverage.asked`


def uncovered(facts: Facts, now: datetime) -> Standing | None:
    """The consent that stands, is proven and covers no mail; None: there is nothing to ask."""
    answer = policy.decide(facts, now)
    if isinstance(answer, Granted) or answer.reason is not Reason.NOT_COVERED:
        return None
    newest = policy.newest_decided(facts.consents)
    honest = facts.honest and all(consent.honest for consent in facts.consents)
    proven = newest is not None and newest.evidence is not Evidence.ASSERTED
    return newest if honest and proven else None


def why_not(
    facts: Facts, about: str, asks: str, before: Sequence[Before], now: datetime
) -> Reason | Unasked | None:
    """What keeps a person from being asked for *asks* in place of the consent *about*.

    None: nothing does, but limits and blocks of their mailbox, which are not
    looked at. The very same is asked for once about each consent, and something
    else only after a pause; what was asked for and cannot be read counts as the same.
    """
    answer = policy.decide(facts, now)
    if isinstance(answer, Granted):
        return Unasked.COVERED
    if answer.reason is not Reason.NOT_COVERED:
        return answer.reason
    standing = uncovered(facts, now)
    if standing is None:
        return Reason.UNPROVEN
    if standing.id != about:
        return Unasked.OTHER
    if any(one.asked in (None, asks) for one in before):
        return Unasked.BEFORE
    if any(policy.effective_state(one, now) is State.PENDING for one in facts.consents):
        return Reason.PENDING
    return Unasked.LATELY if any(one.at > now - PAUSE for one in before) else None


def wanted(
    facts: Facts, asked: Sequence[Standing], now: datetime, *, queued_at: datetime
) -> Granted | Refused | Unneeded:
    """Say whether the mail that asks anew may be sent at *now*.

    As any mail that asks, and only while there is a consent to ask about: who
    objected, left or agreed meanwhile, or whose consent ended or covers again, gets none.
    """
    answer = policy.confirmation_wanted(facts, asked, now, queued_at=queued_at)
    if isinstance(answer, Granted) and uncovered(facts, now) is None:
        return Unneeded()
    return answer


def ended_by_no(theirs: Sequence[C], named: Collection[str]) -> list[C]:
    """What a no ends, of all consents of a person: those *named*, and what they were to replace.

    Whoever does not agree to what is so now must not be mailed under what was so
    before, should that come again.
    """
    asked = [consent for consent in theirs if consent.id in named]
    since = {one.purpose: one.requested_at for one in asked if one.anew}
    replaced = (
        one
        for one in theirs
        if one.purpose in since
        # Whatever its row says, where no gateway wrote that: it could escape by it.
        and (one.requested_at <= since[one.purpose] or not one.honest)
    )
    return list({one.id: one for one in (*asked, *replaced)}.values())
