from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.look import moments

NIGHT = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "1 July 2026, 22:30 UTC"),
        ("de-AT", "1. Juli 2026, 22:30 Uhr (UTC)"),
        ("fr", "1er juillet 2026, 22:30 (UTC)"),
        ("it", "1 July 2026, 22:30 UTC"),
    ],
)
def test_a_moment_is_written_as_its_readers_language_does(locale: str, expected: str) -> None:
    assert moments.moment(NIGHT, locale) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "2 July 2026, 00:30 Central European Summer Time"),
        ("de", "2. Juli 2026, 00:30 Uhr (Mitteleuropäische Sommerzeit)"),
        ("fr", "2 juillet 2026, 00:30 (heure d’été d’Europe centrale)"),
    ],
)
def test_a_moment_by_another_clock_names_it(locale: str, expected: str) -> None:
    assert moments.moment(NIGHT, locale, BERLIN) == expected
    assert expected.startswith(moments.day(NIGHT, locale, BERLIN))


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("en", "Wednesday"), ("de", "Mittwoch, 1. Juli 2026"), ("fr", "mercredi 1er juillet 2026")],
)
def test_a_day_has_its_name(locale: str, expected: str) -> None:
    assert moments.weekday(NIGHT.date(), locale).startswith(expected)


def test_what_a_paper_says_to_the_second_leaves_the_clock_to_it() -> None:
    assert moments.second(NIGHT, "fr-BE") == "1er juillet 2026, 22:30:05"


def test_only_the_first_day_of_a_french_month_is_an_ordinal() -> None:
    days = [moments.calendar_day(date(2026, 7, day), "fr-CA") for day in (1, 2, 11, 21, 31)]

    assert [one.split()[0] for one in days] == ["1er", "2", "11", "21", "31"]
