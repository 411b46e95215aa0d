"""The calendar that due dates are counted by; the package `holidays` knows the public ones."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consent.deadlines import Calendar

if TYPE_CHECKING:
    from gateway.config.config import Rights


def of(rights: Rights) -> Calendar:
    """As the configuration has it; without a country Saturdays and Sundays alone are no working
    days, so that nothing is put off by a holiday that is none there.

    Raises ValueError, `key: problem`, for a country or subdivision that nobody knows.
    """
    zone = UTC if rights.time_zone is None else ZoneInfo(rights.time_zone)
    if rights.country is None:
        return Calendar(zone)
    return Calendar(zone, _holidays(rights.country, rights.subdivision))


def problems(rights: Rights) -> list[str]:
    """What is wrong with it, as lines of the configuration; for a process that is starting."""
    try:
        of(rights)
    except ValueError as error:
        return [f"rights.{error}"]
    return []


@cache
def _holidays(country: str, subdivision: str | None) -> Container[date]:
    """Raises ValueError. Each year's are worked out when they are first asked for."""
    # Here, and once a process: it loads the calendars of every country, which takes a second.
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        raise ValueError(f"country: no holidays are known of {country}; leave it out")
    if subdivision is not None and subdivision not in known[country]:
        listed = ", ".join(known[country]) or "it has none"
        raise ValueError(f"subdivision: is none of {country}: {listed}")
    return holidays.country_holidays(country, subdiv=subdivision)
