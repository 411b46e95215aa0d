"""When a mail that may be sent goes, by what its person chose. Pure; it permits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from consent import frequency_cap
from consent.model import Reason
from consent.paces import NONE, Pace
from delivery.outbox import Message
from delivery.outcome import Kind
from delivery.permits import Counted, Moments
from gateway.config.durations import Cap

PAUSED: Final = "paused"  # why a message waits; nobody is refused for it
REASONS: Final = (PAUSED, Reason.FREQUENCY_CAP)  # all for which one waits here
_LOOK_AGAIN: Final = timedelta(hours=1)  # at a row that somebody altered


def pairs(paces: Mapping[str, Pace], purposes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Whose permits of what count for somebody who wants few mails: those of every purpose."""
    few = [subject for subject, one in paces.items() if one.apart is not None]
    return ((subject, purpose) for purpose in purposes for subject in few)


def waits(
    pace: Pace | None, message: str, permitted: Sequence[Counted], now: datetime
) -> tuple[str, datetime] | None:
    """Why *message* waits, and until when it is looked at again; None: it goes now.

    *permitted* are the person's earlier permits, of every purpose.
    """
    chosen = pace or NONE
    if not chosen.honest:
        return PAUSED, now + _LOOK_AGAIN
    if chosen.paused_until is not None and chosen.is_paused(now):
        return PAUSED, chosen.paused_until
    if chosen.apart is None:
        return None
    again = fits_at(message, permitted, 1, chosen.apart, now)
    return None if again is None else (Reason.FREQUENCY_CAP, again)


def fits_at(
    message: str, permitted: Sequence[Counted], count: int, window: timedelta, now: datetime
) -> datetime | None:
    """When a message fits under a cap; None: now.

    Its own earlier tries do not stand in its way: a greylisted mail is still one mail.
    Nor do those of another use up more than one place: its newest permit counts.
    """
    tried = sorted(permitted, key=lambda one: one.decided_at)
    others = {one.message: one for one in tried if one.message != message}.values()
    spent = [one.decided_at for one in others if one.spent]
    unspent = [one.decided_at for one in others if not one.spent]
    return frequency_cap.fits_at(spent, count, window, now, unspent=unspent)


def later(
    message: Message, cap: Cap | None, chosen: Pace | None, granted: Moments, now: datetime
) -> tuple[str, datetime] | None:
    """Why a mail that may be sent waits, and until when; None: it goes now.

    *chosen* is how often its person wants mails, *granted* what was permitted before.
    """
    if message.kind is not Kind.MARKETING:
        return None
    found: list[tuple[str, datetime]] = []
    if cap is not None:
        permitted = granted.get((message.subject, message.purpose), ())
        again = fits_at(message.id, permitted, cap.count, cap.window, now)
        found += [] if again is None else [(Reason.FREQUENCY_CAP, again)]
    if chosen is not None:
        theirs = [one for pair in granted if pair[0] == message.subject for one in granted[pair]]
        held = waits(chosen, message.id, theirs, now)
        found += [] if held is None else [held]
    return max(found, key=lambda one: one[1], default=None)
