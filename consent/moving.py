"""Whether a mail about a person's address may go, and what pressing its link does.

Decided from facts alone. Who has a person's session for half an hour must not have their
data for ever: the mailbox on file is told before the new one is asked, and may take the change
back for two weeks; what it takes back, nothing that came later brings again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from consent import policy
from consent.model import Granted, Refused, Unneeded
from consent.policy import Facts, Link
from consent.sign_ups import CONFIRM_WITHIN

DAY = timedelta(days=1)
A_WEEK = timedelta(days=7)
TOLD_A_WEEK = 4  # mails to the mailbox on file: when it is asked for, and when it is done
TOLD_BEFORE = timedelta(minutes=1)  # the new one is asked so long after the one on file is told
TAKEN_BACK_WITHIN = timedelta(days=14)
# The purpose of mails that ask the new one. One of its own: whoever asks must not see whether it
# was mailed, and what its server said. No name in the configuration has a dot.
ASKING = "service.new-address"
LIFTS_TOLD_A_WEEK = 2  # of each kind of stop: the links of the first ones are still there


class Towards(StrEnum):
    """To which mailbox a mail goes, and so what its link does."""

    NEW = "to-new"  # moves the person there
    OLD = "to-old"  # leaves or takes them back there
    TOLD = "told"  # has no link
    LIFTED = "lifted"  # stops again what was lifted; moves nobody


LIVES = {
    Towards.NEW: CONFIRM_WITHIN,
    Towards.OLD: TAKEN_BACK_WITHIN,
    Towards.TOLD: timedelta(days=5),
    Towards.LIFTED: TAKEN_BACK_WITHIN,
}


class Mail(Link, Protocol):
    """What a decision needs to know of a link about an address; its row satisfies this."""

    @property
    def kind(self) -> Towards: ...


def mail_wanted(facts: Facts, link: Mail | None, now: datetime) -> Granted | Refused | Unneeded:
    """Say whether the mail that carries *link* may be sent at *now*.

    What the mailbox on file refused or objected to is no word of the new one; who objected or
    stopped such mails is told all the same that their address changes, or a stop was lifted.
    """
    if link is not None and link.kind is Towards.NEW:
        return policy.fresh_link_wanted(replace(facts, suppressed=None), link, now)
    return policy.fresh_link_wanted(replace(facts, asking_blocked_at=None), link, now)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose the address is that a link leads to."""

    themselves: bool = False  # it is on file already
    others: bool = False
    spare: bool = False  # who has it never decided anything: a stranger may have signed it up
    closed: bool = False  # a stop stands for it, or somebody left for it since


class Became(StrEnum):
    """What pressing a link led to."""

    MOVED = "moved"
    BACK = "back"
    KEPT = "kept"  # it had not been changed, and will not be
    TAKEN = "taken"  # it is somebody's, or must not be mailed; nothing was changed
    OVER = "over"  # the link does nothing any more


def press(towards: Towards, whose: Whose) -> Became:
    """Say what pressing a link that can be used leads to.

    Nobody but the mailbox of before can have been asked there meanwhile: whoever signed it
    up must not stand in the way of who takes their own address back.
    """
    if towards is Towards.OLD:
        if whose.themselves:
            return Became.KEPT
        return Became.TAKEN if whose.others and not whose.spare else Became.BACK
    if towards in (Towards.TOLD, Towards.LIFTED):
        return Became.OVER
    if whose.themselves:
        return Became.MOVED
    return Became.TAKEN if whose.others or whose.closed else Became.MOVED
