"""How the configuration writes lengths of time and frequency caps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_DURATION = re.compile(r"([0-9]{1,6})([smhdwy])", re.ASCII)
_CAP = re.compile(r"([0-9]{1,6}) per ([0-9]{1,6}[smhdwy])", re.ASCII)
_LONGEST = timedelta(days=365 * 200)  # a moment plus this is still a date


@dataclass(frozen=True)
class Cap:
    """At most *count* marketing mails of a purpose to one person within *window*."""

    count: int
    window: timedelta


def parse_duration(raw: object) -> timedelta:
    """Read `"72h"`; a year has 365 days. Raises ValueError."""
    match = _DURATION.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise ValueError('write a duration such as "30s", "15m", "72h", "30d" or "4y"')
    length = int(match[1]) * _UNITS[match[2]]
    if length > _LONGEST:
        raise ValueError("is longer than 200 years; write a shorter one")
    return length


def parse_lasting(raw: object) -> timedelta | None:
    """Read a duration, or `"never"` as None. Raises ValueError."""
    return None if raw == "never" else parse_duration(raw)


def parse_cap(raw: object) -> Cap:
    """Read `"2 per 7d"`. Raises ValueError."""
    match = _CAP.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise ValueError('write a cap such as "2 per 7d"')
    cap = Cap(int(match[1]), parse_duration(match[2]))
    if not cap.count or not cap.window:
        raise ValueError("a cap allows at least one mail in a window longer than nothing")
    return cap
