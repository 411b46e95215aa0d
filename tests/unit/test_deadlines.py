"""Due dates on awkward days, as Reg. (EEC, Euratom) 1182/71 has them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import deadlines
from consent.deadlines import EXTENDED, FIRST, Calendar
from consent.suppressions import blocked_until
from gateway.config import calendars
from gateway.config.config import Rights
from tests.support.clock import START

BERLIN = Rights(country="DE", subdivision="BE", time_zone="Europe/Berlin")
GERMANY = Rights(country="DE", time_zone="Europe/Berlin")
VIENNA = Rights(country="AT", subdivision="9", time_zone="Europe/Vienna")
NOWHERE = Rights()
UNKNOWN = Rights().model_copy(update={"country": "XX"})

AWKWARD = {
    "a day like any other": (BERLIN, "2026-11-23T09:00Z", FIRST, "2026-12-23"),
    "31 January, no leap year, a Sunday": (BERLIN, "2027-01-31T09:00Z", FIRST, "2027-03-01"),
    "31 January, no leap year, a Saturday": (BERLIN, "2026-01-31T09:00Z", FIRST, "2026-03-02"),
    "31 January of a leap year": (BERLIN, "2028-01-31T09:00Z", FIRST, "2028-02-29"),
    "29 January of a leap year": (BERLIN, "2028-01-29T09:00Z", FIRST, "2028-02-29"),
    "29 February": (BERLIN, "2028-02-29T09:00Z", FIRST, "2028-03-29"),
    "28 February, no month end any more": (BERLIN, "2026-02-28T09:00Z", FIRST, "2026-03-30"),
    "31 August (EDPB 01/2022)": (BERLIN, "2026-08-31T09:00Z", FIRST, "2026-09-30"),
    "31 December, then a Sunday": (BERLIN, "2026-12-31T09:00Z", FIRST, "2027-02-01"),
    "Christmas, then a weekend": (BERLIN, "2026-11-25T09:00Z", FIRST, "2026-12-28"),
    "New Year's Day, then a weekend": (VIENNA, "2026-12-01T09:00Z", FIRST, "2027-01-04"),
    "Easter Sunday and Monday": (BERLIN, "2026-03-05T09:00Z", FIRST, "2026-04-07"),
    "Good Friday in Berlin": (BERLIN, "2027-02-26T09:00Z", FIRST, "2027-03-30"),
    "Good Friday in Vienna is a working day": (VIENNA, "2027-02-26T09:00Z", FIRST, "2027-03-26"),
    "8 March in Berlin": (BERLIN, "2027-02-08T09:00Z", FIRST, "2027-03-09"),
    "8 March elsewhere in Germany": (GERMANY, "2027-02-08T09:00Z", FIRST, "2027-03-08"),
    "8 March in Vienna": (VIENNA, "2027-02-08T09:00Z", FIRST, "2027-03-08"),
    "Epiphany in Vienna": (VIENNA, "2026-12-06T09:00Z", FIRST, "2027-01-07"),
    "Epiphany in Berlin": (BERLIN, "2026-12-06T09:00Z", FIRST, "2027-01-06"),
    "Austria's national day": (VIENNA, "2026-09-26T09:00Z", FIRST, "2026-10-27"),
    "a holiday of no country that was named": (NOWHERE, "2027-11-25T09:00Z", FIRST, "2027-12-27"),
    "past midnight there, a day before here": (BERLIN, "2026-06-30T22:30Z", FIRST, "2026-08-03"),
    "a minute before midnight there": (BERLIN, "2026-06-30T21:59Z", FIRST, "2026-07-30"),
    "the first day that there is": (BERLIN, "0001-01-01T00:00Z", FIRST, "0001-02-01"),
    "extended": (BERLIN, "2026-08-31T09:00Z", EXTENDED, "2026-11-30"),
    "extended into the end of a February": (BERLIN, "2026-11-30T09:00Z", EXTENDED, "2027-03-01"),
    "extended over a year's end": (VIENNA, "2026-10-08T09:00Z", EXTENDED, "2027-01-08"),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_date(name: str) -> None:
    where, received, months, expected = AWKWARD[name]
    kept = calendars.of(where)

    due = deadlines.due(datetime.fromisoformat(received), kept, months)

    there = due.astimezone(kept.zone)
    assert (there.date().isoformat(), there.strftime("%H:%M:%S")) == (expected, "23:59:59")
    assert due.tzinfo is UTC


def test_a_year_before_the_first_has_no_other_zone() -> None:
    west = Rights(time_zone="America/New_York")

    assert deadlines.due(datetime(1, 1, 1, tzinfo=UTC), calendars.of(west)).year == 1


@given(st.integers(-13_000, 13_000))
def test_it_ends_on_a_working_day_and_never_before_the_month_is_over(days: int) -> None:
    moment = START + timedelta(days=days)
    holidays = frozenset(date(year, 12, 25) for year in range(1990, 2064))
    kept = Calendar(holidays=holidays)

    due = deadlines.due(moment, kept)

    assert kept.is_working(due.date())
    assert 28 <= (due.date() - moment.date()).days <= 31 + 3
    assert deadlines.due(moment, kept, EXTENDED) > due


@pytest.mark.parametrize(
    ("rights", "problem"),
    [
        (Rights(country="DE", subdivision="9"), "rights.subdivision: is none of DE: BB, BE, "),
        (UNKNOWN, "rights.country: no holidays are known of XX"),
    ],
    ids=["a subdivision of another country", "a country without a calendar"],
)
def test_a_start_names_what_it_knows_no_holidays_of(rights: Rights, problem: str) -> None:
    (found,) = calendars.problems(rights)

    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("rights", "known", "due"),
    [
        pytest.param(BERLIN, "2026-11-27T09:20Z", "2026-11-30T10:00Z", id="over a weekend"),
        pytest.param(BERLIN, "2026-11-27T09:00Z", "2026-11-30T10:00Z", id="on the hour"),
        pytest.param(BERLIN, "2026-12-24T22:59:59Z", "2026-12-27T23:00Z", id="over Christmas"),
        pytest.param(BERLIN, "2027-03-27T10:10Z", "2027-03-30T11:00Z", id="over summer time"),
        pytest.param(
            Rights(time_zone="Asia/Kolkata", country="IN"),
            "2026-11-27T09:20Z",
            "2026-11-30T09:30Z",
            id="where hours begin at half past",
        ),
    ],
)
def test_a_breach_is_told_within_72_hours_from_the_next_full_one(
    rights: Rights, known: str, due: str
) -> None:
    found = deadlines.due_by_hours(datetime.fromisoformat(known), calendars.of(rights))

    assert found == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("said_at", "until"),
    [
        ("2026-11-27T18:00:00+00:00", "2027-11-27T18:00:00+00:00"),
        ("2027-03-01T00:00:01+00:00", "2028-03-01T00:00:01+00:00"),
        ("2028-02-29T12:00:00+00:00", "2029-02-28T12:00:00+00:00"),
    ],
    ids=["a year of 365 days", "one of 366", "a day that comes in four years"],
)
def test_a_mailbox_is_not_asked_for_twelve_months(said_at: str, until: str) -> None:
    assert blocked_until(datetime.fromisoformat(said_at)) == datetime.fromisoformat(until)
