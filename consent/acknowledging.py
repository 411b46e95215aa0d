"""One mail tells of a withdrawal, where the operator wants that: when it may go. Pure.

It is no marketing and rests on no consent, so whatever keeps a mailbox from being
mailed keeps it back too; and it never goes after a later word of the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from consent import policy
from consent.model import Granted, Ground, Reason, Refused, State, Unneeded
from consent.policy import Facts

SEND_WITHIN: Final = timedelta(days=3)  # what comes later tells nobody anything
A_WEEK: Final = 3  # to one mailbox, however many withdrawals there are
_WEEK: Final = timedelta(days=7)


def may_queue(sent: Sequence[datetime], now: datetime) -> bool:
    """Whether one more may go to a mailbox that nothing stops, after those *sent* to it."""
    return len([moment for moment in sent if now - moment < _WEEK]) < A_WEEK


def wanted(
    facts: Facts, about: str, now: datetime, *, queued_at: datetime
) -> Granted | Refused | Unneeded:
    """Say whether the mail that tells of the withdrawal of *about* may be sent at *now*.

    Who agreed anew meanwhile, or wants no such mails any more, is told nothing.
    """
    newest = policy.newest_decided(facts.consents)
    if newest is None:  # of who is gone as well: nothing is left to tell of
        return Unneeded()
    why = policy.hindrance(facts, newest)
    if why is not None and why is not Reason.NOT_COVERED:  # it does not rest on the wording
        return Refused(why)
    blocked = facts.asking_blocked_at is not None and queued_at <= facts.asking_blocked_at
    if blocked or newest.id != about or newest.state is not State.WITHDRAWN:
        return Unneeded()
    return Granted(Ground.service(about)) if newest.honest else Refused(Reason.UNPROVEN)
