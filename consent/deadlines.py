"""Until when a request must be answered, or a breach told: Reg. (EEC, Euratom) 1182/71. Pure.

The months are those of Art. 12(3) GDPR, the hours those of Art. 33(1).
"""

from __future__ import annotations

import calendar
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

FIRST = 1  # month, of Art. 12(3) GDPR
EXTENDED = 3  # months in all: two further ones
NOTIFY = 72  # hours, of Art. 33(1) GDPR
_DAY = timedelta(days=1)
_LAST_SECOND = time(23, 59, 59)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where days begin and end, and which are holidays, as where the answer is due has them."""

    zone: tzinfo = UTC
    holidays: Container[date] = field(default=frozenset(), repr=False)

    def is_working(self, day: date) -> bool:
        """Say whether it is neither Saturday, Sunday nor a public holiday (Art. 2(2))."""
        return day.weekday() < _SATURDAY and day not in self.holidays


def due(received_at: datetime, kept: Calendar, months: int = FIRST) -> datetime:
    """The last second of the day that a period of *months* from the receipt on ends with.

    The day of the receipt does not count (Art. 3(1)). The period ends with the day of
    the same number (Art. 3(2)(c)), with the month's last one where there is none such,
    and with the next working day where it is none (Art. 3(4)).
    """
    day = months_after(_day_of(received_at, kept.zone), months)
    while not kept.is_working(day):
        day += _DAY
    return datetime.combine(day, _LAST_SECOND, kept.zone).astimezone(UTC)


def due_by_hours(known_at: datetime, kept: Calendar, hours: int = NOTIFY) -> datetime:
    """When a period of *hours* ends that runs from *known_at* on.

    The hour during which it became known does not count (Art. 3(1)): the period begins
    with the next full one where the notice is due. Saturdays, Sundays and holidays
    count (Art. 3(3)), and nothing is put off by them: Art. 3(4) is of other periods.
    """
    local = known_at.astimezone(kept.zone)
    begun = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    first = known_at.astimezone(UTC) - begun + timedelta(hours=1)
    return first + timedelta(hours=hours)


def months_after(day: date, months: int) -> date:
    """So many months later; the last day where that month has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def _day_of(moment: datetime, zone: tzinfo) -> date:
    """The day where the answer is due; of the first day that there is, none before it is."""
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return moment.date()
