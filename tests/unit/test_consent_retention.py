"""What nothing needs any more: pure decisions, at their very moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from consent import retention
from consent.model import Evidence, State, SubjectState
from consent.retention import Periods, Person

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
PERIODS = Periods(unconfirmed=30 * DAY, evidence=1000 * DAY)
ADA = Person(SubjectState.LIVE, restricted=False, objected_at=None)


@dataclass(frozen=True)
class Row:
    id: str = "con_1"
    purpose: str = "newsletter"
    text_hash: str = "sha256:a"
    state: State = State.LAPSED
    evidence: Evidence = Evidence.PROVEN
    requested_at: datetime = NOW - 30 * DAY
    lapses_at: datetime = NOW - 27 * DAY
    decided_at: datetime | None = None
    ends_at: datetime | None = None
    unused_at: datetime | None = None
    honest: bool = True
    covers: frozenset[str] | None = None
    anew: bool = False


def whole(*rows: Row, person: Person = ADA, periods: Periods = PERIODS) -> bool:
    return retention.whole(person, rows, periods, NOW)


def ended(*rows: Row, person: Person = ADA) -> list[str]:
    return [one.id for one in retention.ended(person, rows, PERIODS, NOW)]


OVER = Row()
FRESH = Row("con_2", requested_at=NOW - 30 * DAY + INSTANT)
CONFIRMED = Row("con_3", state=State.CONFIRMED, decided_at=NOW - 2000 * DAY)
PROVEN_NO = Row("con_4", state=State.WITHDRAWN, decided_at=NOW - 1000 * DAY)


@pytest.mark.parametrize("state", [State.LAPSED, State.REJECTED])
def test_a_request_that_came_to_nothing_is_over_at_its_very_moment(state: State) -> None:
    assert whole(replace(OVER, state=state))
    assert not whole(replace(FRESH, state=state))


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.EXPIRED])
def test_a_proof_is_over_at_its_very_moment(state: State) -> None:
    assert whole(replace(PROVEN_NO, state=state))
    later = NOW - 1000 * DAY + INSTANT
    assert not whole(replace(PROVEN_NO, state=state, decided_at=later))


@pytest.mark.parametrize("state", [State.PENDING, State.CONFIRMED])
def test_what_stands_is_never_over(state: State) -> None:
    assert not whole(replace(OVER, state=state, decided_at=NOW - 5000 * DAY))


@pytest.mark.parametrize("kept", [FRESH, CONFIRMED], ids=["fresh request", "consent"])
def test_one_reason_keeps_the_person_and_the_request_goes_alone(kept: Row) -> None:
    assert not whole(OVER, kept)
    assert ended(OVER, kept) == ["con_1"]


@pytest.mark.parametrize("state", [State.LAPSED, State.REJECTED])
def test_a_question_asked_anew_stays_as_long_as_the_consent_that_it_is_about(state: State) -> None:
    about = replace(CONFIRMED, requested_at=OVER.requested_at - DAY)
    asked = replace(OVER, state=state, anew=True)

    assert ended(about, asked) == []
    assert ended(replace(about, state=State.WITHDRAWN, decided_at=NOW - 999 * DAY), asked) == []
    assert ended(replace(about, requested_at=NOW), asked) == ["con_1"]
    assert ended(replace(about, purpose="updates"), asked) == ["con_1"]
    assert whole(replace(PROVEN_NO, requested_at=about.requested_at), asked)


def test_of_a_person_who_goes_whole_no_request_goes_alone() -> None:
    assert ended(OVER) == []
    assert ended(CONFIRMED) == []


OTHERS = replace(CONFIRMED, purpose="updates")


def test_each_proof_ends_by_its_own_consents_end() -> None:
    later = replace(PROVEN_NO, decided_at=NOW - 1000 * DAY + INSTANT)

    assert ended(PROVEN_NO, OTHERS) == ["con_4"]
    assert ended(later, OTHERS) == []


def test_who_agreed_anew_is_not_asked_for_the_old_proof() -> None:
    anew = replace(CONFIRMED, decided_at=NOW - 900 * DAY)

    assert ended(PROVEN_NO, anew) == ["con_4"]


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.EXPIRED])
def test_what_ended_after_an_older_consent_of_its_purpose_stays_with_that(state: State) -> None:
    """Deleted alone, it would leave the older one as the last word."""
    assert ended(replace(PROVEN_NO, state=state), CONFIRMED) == []
    assert ended(replace(PROVEN_NO, state=state), replace(CONFIRMED, decided_at=None)) == []


@pytest.mark.parametrize(
    "person",
    [
        replace(ADA, restricted=True),
        replace(ADA, objected_at=NOW - 1000 * DAY + INSTANT),
        replace(ADA, state=SubjectState.ERASING),
    ],
    ids=["restricted", "objected", "being erased"],
)
def test_what_a_person_asked_for_keeps_them(person: Person) -> None:
    assert not whole(OVER, person=person)


def test_an_objection_is_kept_as_long_as_a_proof() -> None:
    assert whole(OVER, person=replace(ADA, objected_at=NOW - 1000 * DAY))


def test_a_person_of_whom_nothing_was_read_is_kept() -> None:
    assert not whole()


def test_an_altered_row_keeps_everything() -> None:
    altered = replace(PROVEN_NO, honest=False)

    assert not whole(OVER, altered)
    assert ended(OVER, altered, CONFIRMED) == []


def test_a_link_that_still_works_leads_somewhere_whatever_the_term() -> None:
    rejected = Row(state=State.REJECTED, requested_at=NOW - DAY, lapses_at=NOW + 2 * DAY)
    at_once = Periods(unconfirmed=timedelta(), evidence=timedelta())

    assert not whole(rejected, periods=at_once)
    assert whole(replace(rejected, lapses_at=NOW), periods=at_once)


def test_with_no_evidence_kept_a_withdrawal_ends_everything() -> None:
    just_now = replace(PROVEN_NO, decided_at=NOW)

    assert whole(just_now, periods=Periods(30 * DAY, timedelta()))


@pytest.mark.parametrize(
    "row", [OVER, FRESH, CONFIRMED, PROVEN_NO, replace(PROVEN_NO, decided_at=NOW)]
)
def test_people_are_told_of_the_moment_from_which_on_it_goes(row: Row) -> None:
    told = retention.over_at(row, PERIODS)

    assert (told is not None and told <= NOW) is whole(row)


@pytest.mark.parametrize("state", State)
def test_what_an_erasure_would_lock_is_told_before(state: State) -> None:
    row = replace(PROVEN_NO, state=state, decided_at=NOW - 10 * DAY)
    until = {
        State.CONFIRMED: NOW + 1000 * DAY,  # it is taken back first
        State.WITHDRAWN: NOW + 990 * DAY,
        State.EXPIRED: NOW + 990 * DAY,
    }

    assert retention.foreseen_lock(ADA, [row], PERIODS, NOW) == until.get(state)
    assert retention.foreseen_lock(ADA, [row], Periods(DAY, 0 * DAY), NOW) is None
    assert retention.foreseen_lock(ADA, [replace(row, honest=False)], PERIODS, NOW) is None


def test_what_ended_by_itself_is_not_kept_for_a_consent_that_outdoes_it() -> None:
    over = replace(PROVEN_NO, state=State.EXPIRED, requested_at=NOW - 3000 * DAY)
    standing = replace(CONFIRMED, requested_at=NOW - 2001 * DAY)

    assert ended(over, standing) == ["con_4"]
