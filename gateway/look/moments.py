"""Days and moments as a reader's language writes them, by what CLDR knows of it. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, get_timezone_name

from gateway.look.translations import SOURCE, choose_locale, languages, translations

_EUROPEAN: Final = {SOURCE: "en_GB"}  # else English would have the month before the day


def day(at: datetime, locale: str, zone: tzinfo = UTC) -> str:
    """The day that it is in *zone*."""
    return calendar_day(at.astimezone(zone).date(), locale)


def calendar_day(one: date, locale: str) -> str:
    """A day that somebody named, which is the same in every zone."""
    return _written(one, "long", locale)


def weekday(one: date, locale: str) -> str:
    """A day, with its name."""
    return _written(one, "full", locale)


def second(at: datetime, locale: str) -> str:
    """To the second, by the clock that *at* has; whoever asks says which one that is."""
    return f"{calendar_day(at.date(), locale)}, {at:%H:%M:%S}"


def here_and_utc(at: datetime, locale: str, zone: ZoneInfo | None) -> str:
    """To the second by the clock of *zone*, and by UTC, so that nobody has to work either out."""
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if zone is None:
        return utc
    return f"{second(at.astimezone(zone), locale)} {zone.key} ({utc})"


def moment(at: datetime, locale: str, zone: tzinfo = UTC) -> str:
    """To the minute, by the clock of *zone*, which is named."""
    local = at.astimezone(zone)
    named = "UTC" if zone is UTC else get_timezone_name(local, "long", locale=_cldr(locale))
    said = {"day": day(at, locale, zone), "time": f"{local:%H:%M}", "zone": named}
    return translations(locale).gettext("%(day)s, %(time)s %(zone)s") % said


def _written(one: date, length: Literal["long", "full"], locale: str) -> str:
    written = format_date(one, length, _cldr(locale))
    if one.day != 1:
        return written
    # CLDR has "1 mars" where a reader expects "1er mars".
    first = translations(locale).pgettext("first day of a month", "1")
    return written.replace("1 ", f"{first} ", 1)


@lru_cache(maxsize=64)
def _cldr(locale: str) -> Locale:
    """What the words around it are in, too: the catalogue's language, not the reader's region."""
    language = choose_locale(None, locale, languages())
    return Locale.parse(_EUROPEAN.get(language, language).replace("-", "_"))
