"""Until when a person's request must be answered."""

from __future__ import annotations

import calendar
from datetime import datetime


def month_after(moment: datetime) -> datetime:
    """One month later (Art. 12(3) GDPR), at the same hour; the last day where that has no such day.

    Reg. 1182/71, Art. 3(2)(c) and (4), gives until the end of that day, and of the next
    working day where it is none: whoever keeps to this moment keeps to the law's.
    """
    return months_after(moment, 1)


def months_after(moment: datetime, count: int) -> datetime:
    """So many months later, at the same hour; the last day where that month has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
