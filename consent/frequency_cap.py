"""The frequency cap of a purpose: so many mails to one person in so much time.

Decided for each mail by the claim, under the person's gate: of two claims at
once the second one sees the permits of the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

LOOK_AGAIN = timedelta(minutes=1)  # at a cap that a permit may yet give back


def fits_at(
    spent: Collection[datetime],
    count: int,
    window: timedelta,
    now: datetime,
    *,
    unspent: Collection[datetime] = (),
) -> datetime | None:
    """Say when the next mail fits under a cap of *count* per *window*; None: now.

    The moments are those of permits. One that is *unspent* counts, but may yet
    lapse: where only such ones are in the way, they are looked at again soon,
    or a mail that was never sent would keep another back for the whole window.
    """
    again = _fits_again(spent, count, window, now)
    if again is not None or _fits_again([*spent, *unspent], count, window, now) is None:
        return again
    return now + LOOK_AGAIN


def _fits_again(
    permitted: Iterable[datetime], count: int, window: timedelta, now: datetime
) -> datetime | None:
    # The next one fits once the oldest of the last *count* has left the window.
    recent = sorted(moment for moment in permitted if moment + window > now)
    return recent[-count] + window if len(recent) >= count else None
