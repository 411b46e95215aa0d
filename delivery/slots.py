"""When the next messages of a campaign are due, as fast as it may go. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

AHEAD: Final = timedelta(minutes=10)  # no message of a paced campaign is made earlier
_HOUR: Final = timedelta(hours=1)


def slots(
    next_at: datetime, now: datetime, per_hour: int | None, count: int
) -> tuple[list[datetime], datetime]:
    """The moments at which *count* more are due, and that of the one behind them.

    What was not used while nothing could be made is not made up for: whoever asked for
    so many an hour gets no more in any.
    """
    if per_hour is None:
        return [now] * count, now
    first, apart = max(next_at, now), _HOUR / per_hour
    return [first + n * apart for n in range(count)], first + count * apart


def is_time(next_at: datetime, now: datetime, per_hour: int | None) -> bool:
    """Whether more messages are to be made."""
    return per_hour is None or next_at <= now + AHEAD
