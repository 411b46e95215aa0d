"""How often a mail may go to a mailbox because somebody asked who may be anybody.

Decided from facts alone. Fresh links: who confirmed once may always see what is kept of them
(Art. 15 GDPR), whatever blocks asking them; of others we hold little, and
strangers choose who they are. "Ask me again", and the switch of one purpose: whoever
was forwarded a mail has the link. Only what anybody may ask for is metered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
MONTH = timedelta(days=30)
LINKS_A_MONTH = 5
GAPS = (DAY, timedelta(days=7), MONTH)  # after the first link, the second, each later one
# Long enough that whoever asks every month stays at the last of the gaps.
COUNTED_FOR = 4 * MONTH


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom the link would go to."""

    confirmed: bool  # ever
    blocked: bool  # from being asked: "not me", an objection, a complaint
    stopped: bool  # by the mailbox itself, all mails of this kind


def may_go(recipient: Recipient, sent: Sequence[datetime], now: datetime) -> bool:
    """Say whether one more link may go, after those that were *sent* to the mailbox."""
    if recipient.stopped:
        return False
    counted = sorted(moment for moment in sent if now - moment < COUNTED_FOR)
    if not counted:
        return True
    since = now - counted[-1]
    if recipient.confirmed:
        of_month = [moment for moment in counted if now - moment < MONTH]
        return since >= DAY and len(of_month) < LINKS_A_MONTH
    return since >= (MONTH if recipient.blocked else GAPS[min(len(counted), len(GAPS)) - 1])


def may_ask_again(sent: Sequence[datetime], confirmed_of: datetime | None, now: datetime) -> bool:
    """Say whether one more mail that asks to confirm may go, after those *sent* by such links.

    Whoever answers none gets few. *confirmed_of* is when the last request was made that the
    mailbox confirmed: what went up to then was theirs.
    """
    counted = [moment for moment in sent if confirmed_of is None or moment > confirmed_of]
    return may_go(Recipient(confirmed=False, blocked=False, stopped=False), counted, now)
