"""Permission in the order of reasons, and every transition of a consent."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import policy
from consent.model import (
    Evidence,
    Granted,
    Ground,
    Reason,
    RefusalClass,
    Refused,
    State,
    SubjectState,
    Unneeded,
    class_of,
)
from consent.policy import Facts, New, Nothing

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Row:
    id: str = "con_1"
    text_hash: str = "sha256:a"
    state: State = State.PENDING
    evidence: Evidence = Evidence.PROVEN
    requested_at: datetime = NOW - HOUR
    lapses_at: datetime = NOW + 71 * HOUR
    decided_at: datetime | None = None
    ends_at: datetime | None = None
    unused_at: datetime | None = None
    honest: bool = True
    covers: frozenset[str] | None = frozenset({"acme"})


def row(state: State, id: str = "con_1", **changes: Any) -> Row:
    decided_at = NOW - HOUR / 2 if state.decided else None
    return replace(Row(id=id, state=state, decided_at=decided_at), **changes)


def facts(*consents: Row, **changes: Any) -> Facts:
    plain = Facts(
        subject_state=SubjectState.LIVE,
        restricted=False,
        objected=False,
        suppressed=None,
        consents=consents,
        sender="acme",
    )
    return replace(plain, **changes)


def reason(*consents: Row, **changes: Any) -> Reason | None:
    answer = policy.decide(facts(*consents, **changes), NOW)
    return None if isinstance(answer, Granted) else answer.reason


CONFIRMED = row(State.CONFIRMED)


def test_a_confirmed_consent_permits_and_is_named_as_the_ground() -> None:
    answer = policy.decide(facts(CONFIRMED), NOW)

    assert answer == Granted(Ground.consent("con_1"))


# Each change makes one reason apply; they stand in the order of `Reason`.
STOPS: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.UNKNOWN, {"subject_state": None}),
    (Reason.ERASED, {"subject_state": SubjectState.ERASED}),
    (Reason.RESTRICTED, {"restricted": True}),
    (Reason.OBJECTED, {"objected": True}),
    (Reason.SUPPRESSED_BOUNCE, {"suppressed": Reason.SUPPRESSED_BOUNCE}),
]


@pytest.mark.parametrize(("expected", "change"), STOPS, ids=[str(r) for r, _ in STOPS])
def test_what_concerns_the_person_stops_a_confirmed_consent(
    expected: Reason, change: dict[str, Any]
) -> None:
    assert reason(CONFIRMED, **change) is expected


@pytest.mark.parametrize(
    ("first", "second"),
    list(itertools.combinations(STOPS, 2)),
    ids=[f"{a[0]} before {b[0]}" for a, b in itertools.combinations(STOPS, 2)],
)
def test_of_two_stops_the_first_in_order_is_named(
    first: tuple[Reason, dict[str, Any]], second: tuple[Reason, dict[str, Any]]
) -> None:
    assert reason(CONFIRMED, **{**second[1], **first[1]}) is first[0]


def test_a_person_who_is_being_erased_is_erased() -> None:
    assert reason(CONFIRMED, subject_state=SubjectState.ERASING) is Reason.ERASED


def test_an_erased_person_of_whom_nothing_is_left_is_erased() -> None:
    assert reason(subject_state=SubjectState.ERASED) is Reason.ERASED


def test_never_asked_is_named_before_what_stops_the_person() -> None:
    assert reason(restricted=True, objected=True) is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("consents", "expected"),
    [
        pytest.param([row(State.PENDING)], Reason.PENDING, id="pending"),
        pytest.param([row(State.REJECTED)], Reason.REJECTED, id="rejected"),
        pytest.param([row(State.LAPSED)], Reason.LAPSED, id="lapsed"),
        pytest.param([row(State.WITHDRAWN)], Reason.WITHDRAWN, id="withdrawn"),
        pytest.param([row(State.EXPIRED)], Reason.EXPIRED, id="expired"),
        pytest.param(
            [replace(CONFIRMED, evidence=Evidence.ASSERTED)], Reason.UNPROVEN, id="asserted"
        ),
        pytest.param([replace(CONFIRMED, honest=False)], Reason.UNPROVEN, id="altered"),
        pytest.param([replace(CONFIRMED, decided_at=None)], Reason.UNPROVEN, id="undated"),
        pytest.param(
            [row(State.LAPSED), row(State.REJECTED, "con_2")],
            Reason.REJECTED,
            id="rejected before lapsed",
        ),
        pytest.param(
            [row(State.REJECTED), row(State.PENDING, "con_2")],
            Reason.PENDING,
            id="pending before rejected",
        ),
        pytest.param(
            [row(State.WITHDRAWN), row(State.PENDING, "con_2")],
            Reason.PENDING,
            id="asked again after a withdrawal",
        ),
        pytest.param(
            [row(State.WITHDRAWN), row(State.REJECTED, "con_2"), row(State.LAPSED, "con_3")],
            Reason.WITHDRAWN,
            id="rejected and lapsed do not count once something was decided",
        ),
        pytest.param(
            [replace(CONFIRMED, ends_at=NOW), row(State.PENDING, "con_2")],
            Reason.PENDING,
            id="what ended does not stand",
        ),
    ],
)
def test_the_consents_give_the_reason(consents: list[Row], expected: Reason) -> None:
    for order in itertools.permutations(consents):
        assert reason(*order) is expected


@pytest.mark.parametrize("state", [State.PENDING, State.REJECTED, State.LAPSED])
def test_nothing_that_is_requested_lowers_a_confirmed_consent(state: State) -> None:
    later = row(state, "con_2", requested_at=NOW)

    assert reason(CONFIRMED, later) is None


def test_the_newest_decision_counts_not_the_newest_request() -> None:
    withdrawn = row(State.WITHDRAWN, "con_2", requested_at=NOW - 9 * DAY, decided_at=NOW)

    assert reason(CONFIRMED, withdrawn) is Reason.WITHDRAWN
    assert reason(CONFIRMED, replace(withdrawn, decided_at=NOW - DAY)) is None


def test_what_ended_by_itself_outdoes_nothing_that_was_decided_of_a_later_request() -> None:
    ended = row(State.EXPIRED, "con_2", requested_at=NOW - 9 * DAY, decided_at=NOW)
    later = replace(ended, requested_at=NOW)
    no = row(State.WITHDRAWN, "con_3", decided_at=NOW - DAY)

    assert reason(ended, CONFIRMED) is None
    assert reason(later, CONFIRMED) is Reason.EXPIRED
    assert reason(ended, no) is Reason.WITHDRAWN
    assert reason(ended, row(State.REJECTED), row(State.LAPSED)) is Reason.EXPIRED


def test_of_two_decisions_at_one_moment_the_no_counts() -> None:
    withdrawn = row(State.WITHDRAWN, "con_0", decided_at=CONFIRMED.decided_at)

    assert reason(CONFIRMED, withdrawn) is Reason.WITHDRAWN
    assert reason(withdrawn, CONFIRMED) is Reason.WITHDRAWN


def test_a_withdrawal_that_was_altered_to_look_older_spoils_the_older_yes() -> None:
    withdrawn = row(State.WITHDRAWN, "con_2", decided_at=NOW - DAY, honest=False)

    assert reason(CONFIRMED, withdrawn) is Reason.UNPROVEN


def test_a_consent_ends_at_the_very_moment_it_names() -> None:
    tick = timedelta(microseconds=1)

    assert reason(replace(CONFIRMED, ends_at=NOW + tick)) is None
    assert reason(replace(CONFIRMED, ends_at=NOW)) is Reason.EXPIRED


def test_a_request_past_its_time_is_lapsed_before_the_duty_comes_by() -> None:
    assert reason(row(State.PENDING, lapses_at=NOW)) is Reason.LAPSED


def test_a_documented_consent_permits() -> None:
    assert reason(replace(CONFIRMED, evidence=Evidence.DOCUMENTED)) is None


rows = st.builds(
    Row,
    id=st.sampled_from(["con_1", "con_2", "con_3"]),
    state=st.sampled_from(State),
    evidence=st.sampled_from(Evidence),
    decided_at=st.sampled_from([None, NOW - DAY, NOW - HOUR, NOW]),
    lapses_at=st.sampled_from([NOW - HOUR, NOW, NOW + HOUR]),
    ends_at=st.sampled_from([None, NOW - HOUR, NOW, NOW + HOUR]),
    honest=st.booleans(),
)
all_facts = st.builds(
    Facts,
    subject_state=st.sampled_from([None, *SubjectState]),
    restricted=st.booleans(),
    objected=st.booleans(),
    suppressed=st.sampled_from([None, Reason.SUPPRESSED_COMPLAINT, Reason.SUPPRESSED_BOUNCE]),
    consents=st.lists(rows, max_size=4),
)


@given(all_facts)
def test_only_a_current_proven_yes_of_a_live_person_is_granted(known: Facts) -> None:
    answer = policy.decide(known, NOW)

    if isinstance(answer, Granted):
        assert known.subject_state is SubjectState.LIVE
        assert not (known.restricted or known.objected or known.suppressed)
        assert all(one.honest for one in known.consents)
        [ground, *_] = [
            one
            for one in known.consents
            if one.id == answer.ground.id and one.state is State.CONFIRMED
        ]
        assert any(
            one.evidence is not Evidence.ASSERTED and (one.ends_at is None or one.ends_at > NOW)
            for one in known.consents
            if one.id == ground.id
        )


@given(all_facts, st.sampled_from([{"restricted": True}, {"objected": True}]))
def test_no_stop_ever_turns_a_no_into_a_yes(known: Facts, change: dict[str, Any]) -> None:
    assert isinstance(policy.decide(replace(known, **change), NOW), Refused)


@given(st.lists(rows, max_size=4))
def test_withdrawing_everything_ends_every_permission(consents: list[Row]) -> None:
    after = []
    for one in consents:
        state = policy.withdraw(one.state)
        moved = replace(one, state=state, decided_at=NOW, honest=True) if state else one
        after.append(moved)

    assert isinstance(policy.decide(facts(*after), NOW), Refused)


def test_every_reason_has_a_class() -> None:
    classes = {one: class_of(one) for one in Reason}

    assert classes == {
        Reason.PURPOSE_UNKNOWN: RefusalClass.CONFIG,
        Reason.UNKNOWN: RefusalClass.ASK_FIRST,
        Reason.ERASED: RefusalClass.NEVER,
        Reason.RESTRICTED: RefusalClass.NEVER,
        Reason.OBJECTED: RefusalClass.NEVER,
        Reason.SUPPRESSED_COMPLAINT: RefusalClass.NEVER,
        Reason.SUPPRESSED_BOUNCE: RefusalClass.NEVER,
        Reason.NOT_COVERED: RefusalClass.ASK_FIRST,
        Reason.PENDING: RefusalClass.LATER,
        Reason.REJECTED: RefusalClass.ASK_FIRST,
        Reason.LAPSED: RefusalClass.ASK_FIRST,
        Reason.WITHDRAWN: RefusalClass.NEVER,
        Reason.EXPIRED: RefusalClass.ASK_FIRST,
        Reason.UNPROVEN: RefusalClass.ASK_FIRST,
        Reason.FREQUENCY_CAP: RefusalClass.LATER,
    }


# A confirmation mail


def wanted(*asked: Row, **changes: Any) -> Granted | Refused | Unneeded:
    return policy.confirmation_wanted(facts(*asked, **changes), asked, NOW, queued_at=NOW - HOUR)


def test_a_pending_request_is_the_ground_of_its_confirmation_mail() -> None:
    assert wanted(row(State.PENDING)) == Granted(Ground.confirmation("con_1"))


def test_one_pending_request_of_several_is_enough() -> None:
    answer = wanted(CONFIRMED, row(State.PENDING, "con_2"), row(State.REJECTED, "con_3"))

    assert answer == Granted(Ground.confirmation("con_2"))


@pytest.mark.parametrize("state", [s for s in State if s is not State.PENDING])
def test_a_confirmation_mail_with_nothing_left_to_ask_is_not_needed(state: State) -> None:
    assert wanted(row(state)) == Unneeded()


def test_a_confirmation_mail_for_a_request_past_its_time_is_not_needed() -> None:
    assert wanted(row(State.PENDING, lapses_at=NOW)) == Unneeded()


def test_a_confirmation_mail_that_names_nothing_is_not_needed() -> None:
    assert wanted() == Unneeded()


def test_an_altered_request_is_not_asked_for() -> None:
    assert wanted(row(State.PENDING, honest=False)) == Refused(Reason.UNPROVEN)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"subject_state": None}, Reason.UNKNOWN, id="unknown"),
        pytest.param({"subject_state": SubjectState.ERASING}, Reason.ERASED, id="erasing"),
        pytest.param({"restricted": True}, Reason.RESTRICTED, id="restricted"),
        pytest.param(
            {"suppressed": Reason.SUPPRESSED_COMPLAINT}, Reason.SUPPRESSED_COMPLAINT, id="complaint"
        ),
    ],
)
def test_what_stops_a_person_stops_the_question_too(
    change: dict[str, Any], expected: Reason
) -> None:
    assert wanted(row(State.PENDING), **change) == Refused(expected)


@pytest.mark.parametrize(
    ("after", "expected"),
    [(timedelta(), Granted), (HOUR, Unneeded), (2 * HOUR, Unneeded)],
    ids=["queued later", "at the same moment", "queued before"],
)
def test_not_me_ends_the_mails_that_were_queued_up_to_then(
    after: timedelta, expected: type
) -> None:
    blocked_at = NOW - 2 * HOUR + after

    assert isinstance(wanted(row(State.PENDING), asking_blocked_at=blocked_at), expected)


def test_whoever_objected_may_ask_again() -> None:
    assert isinstance(wanted(row(State.PENDING), objected=True), Granted)


# Transitions: every state with every declaration


def test_a_sign_up_makes_a_new_request_where_nothing_stands() -> None:
    ended = [row(s) for s in (State.LAPSED, State.REJECTED, State.WITHDRAWN, State.EXPIRED)]

    assert policy.sign_up([], NOW, NOW, "acme") == New()
    for one in ended:
        assert policy.sign_up([one], NOW, NOW, "acme") == New()
    assert policy.sign_up(ended, NOW, NOW, "acme") == New()


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.REJECTED])
def test_a_no_ends_the_sign_up_that_came_before_it(state: State) -> None:
    """It was acknowledged and not worked off yet: the mail that it asks for would come after."""
    said_no = row(state, decided_at=NOW)

    assert policy.sign_up([said_no], NOW - HOUR, NOW, "acme") == Nothing()
    assert policy.sign_up([said_no], NOW, NOW, "acme") == New()


def test_what_only_ran_out_ends_no_sign_up_that_came_before_it() -> None:
    for state in (State.LAPSED, State.EXPIRED):
        one = row(state, decided_at=NOW)
        assert policy.sign_up([one], NOW - HOUR, NOW, "acme") == New()


@pytest.mark.parametrize(
    "waiting",
    [
        pytest.param(row(State.PENDING), id="waiting"),
        pytest.param(row(State.PENDING, lapses_at=NOW), id="past its time"),
        pytest.param(row(State.PENDING, honest=False), id="altered"),
    ],
)
def test_a_sign_up_is_a_request_of_its_own_whatever_was_asked_before(waiting: Row) -> None:
    """Whoever asked first would else decide what the one who asks herself confirms."""
    assert policy.sign_up([waiting], NOW, NOW, "acme") == New()


def test_a_sign_up_of_someone_who_agreed_changes_nothing() -> None:
    pending = row(State.PENDING, "con_2")

    assert policy.sign_up([CONFIRMED], NOW, NOW, "acme") == Nothing()
    assert policy.sign_up([CONFIRMED, pending], NOW, NOW, "acme") == Nothing()


@pytest.mark.parametrize(
    "consent",
    [
        pytest.param(replace(CONFIRMED, evidence=Evidence.ASSERTED), id="asserted"),
        pytest.param(replace(CONFIRMED, ends_at=NOW), id="ended"),
        pytest.param(replace(CONFIRMED, honest=False), id="altered"),
    ],
)
def test_a_consent_that_permits_nothing_does_not_bar_a_better_one(consent: Row) -> None:
    assert policy.sign_up([consent], NOW, NOW, "acme") == New()


@pytest.mark.parametrize("state", State)
def test_only_a_pending_request_can_be_confirmed(state: State) -> None:
    expected = State.CONFIRMED if state is State.PENDING else None

    assert policy.confirm(row(state), NOW) is expected


def test_a_request_cannot_be_confirmed_past_its_time_nor_when_altered() -> None:
    assert policy.confirm(row(State.PENDING, lapses_at=NOW), NOW) is None
    assert policy.confirm(row(State.PENDING, honest=False), NOW) is None


def test_confirming_one_request_ends_the_other_pending_ones() -> None:
    others = [row(State.PENDING, "con_2"), row(State.PENDING, "con_3", lapses_at=NOW)]
    rest = [row(State.PENDING), CONFIRMED, row(State.REJECTED, "con_4")]

    assert policy.superseded([*others, *rest], "con_1") == others


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", [policy.reject, policy.withdraw], ids=["not me", "withdraw"])
def test_a_no_ends_what_was_asked_or_given(verb: Any, state: State) -> None:
    expected = {State.PENDING: State.REJECTED, State.CONFIRMED: State.WITHDRAWN}

    assert verb(state) is expected.get(state)


@pytest.mark.parametrize("state", State)
def test_only_pending_lapses_and_only_confirmed_expires(state: State) -> None:
    over = row(state, lapses_at=NOW, ends_at=NOW)

    assert policy.lapse(over, NOW) is (State.LAPSED if state is State.PENDING else None)
    assert policy.expire(over, NOW) is (State.EXPIRED if state is State.CONFIRMED else None)


def test_nothing_lapses_or_expires_early_or_without_an_end() -> None:
    tick = timedelta(microseconds=1)

    assert policy.lapse(row(State.PENDING, lapses_at=NOW + tick), NOW) is None
    assert policy.expire(replace(CONFIRMED, ends_at=NOW + tick), NOW) is None
    assert policy.expire(replace(CONFIRMED, ends_at=None), NOW) is None


@pytest.mark.parametrize(
    ("by_date", "by_use", "end"),
    [
        (None, NOW - HOUR, NOW - HOUR),
        (NOW - 2 * HOUR, NOW - HOUR, NOW - 2 * HOUR),
        (NOW + HOUR, NOW - HOUR, NOW - HOUR),
        (NOW - HOUR, None, NOW - HOUR),
    ],
    ids=["unused", "date first", "unused first", "date alone"],
)
def test_a_consent_ends_at_the_first_of_its_ends(
    by_date: datetime | None, by_use: datetime | None, end: datetime
) -> None:
    given = row(State.CONFIRMED, ends_at=by_date, unused_at=by_use)

    assert policy.expire(given, NOW) is State.EXPIRED
    assert policy.end_of(given) == end
    assert reason(given) is Reason.EXPIRED


def test_an_altered_row_is_not_written_anew_by_a_duty() -> None:
    assert policy.lapse(row(State.PENDING, lapses_at=NOW, honest=False), NOW) is None
    assert policy.expire(replace(CONFIRMED, ends_at=NOW, honest=False), NOW) is None
    assert policy.superseded([row(State.PENDING, honest=False)], "con_2") == []


ELSEWHERE = row(State.CONFIRMED, covers=frozenset({"other"}))


def test_a_consent_that_named_another_sender_does_not_cover() -> None:
    assert reason(ELSEWHERE) is Reason.NOT_COVERED
    assert reason(ELSEWHERE, sender="other") is None


def test_mails_of_nobody_who_is_known_are_not_covered() -> None:
    assert reason(CONFIRMED, sender=None) is Reason.NOT_COVERED


def test_a_consent_whose_wording_is_not_there_is_unproven() -> None:
    assert reason(row(State.CONFIRMED, covers=None)) is Reason.UNPROVEN


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.EXPIRED, State.REJECTED, State.LAPSED])
def test_what_does_not_stand_is_not_said_to_cover_nothing(state: State) -> None:
    """Whoever withdrew is not to be asked again because the brand has another name."""
    assert reason(row(state, covers=frozenset())) is Reason(state)


@pytest.mark.parametrize(("change", "expected"), STOPS[2:], ids=lambda one: str(one))
def test_a_stop_is_named_before_a_wording_that_does_not_cover(
    change: Reason, expected: dict[str, Any]
) -> None:
    assert reason(ELSEWHERE, **expected) is change


def test_not_covering_is_named_before_a_request_that_waits() -> None:
    waiting = row(State.PENDING, id="con_2")

    assert reason(ELSEWHERE, waiting) is Reason.NOT_COVERED


def test_not_covering_is_named_before_unproven() -> None:
    assert reason(replace(ELSEWHERE, evidence=Evidence.ASSERTED)) is Reason.NOT_COVERED


def test_only_the_newest_decided_consent_counts_for_what_is_covered() -> None:
    newer = replace(ELSEWHERE, id="con_2", decided_at=NOW - HOUR / 4)

    assert reason(CONFIRMED, newer) is Reason.NOT_COVERED


def test_who_agreed_to_another_sender_may_sign_up_for_this_one() -> None:
    assert policy.sign_up([ELSEWHERE], NOW, NOW, "acme") == New()
    assert policy.sign_up([ELSEWHERE], NOW, NOW, "other") == Nothing()


def test_a_missing_wording_is_waited_for_where_all_else_is_as_we_wrote_it() -> None:
    gone = row(State.CONFIRMED, covers=None)

    assert policy.misses_wording(facts(gone))
    assert not policy.misses_wording(facts(CONFIRMED))
    assert not policy.misses_wording(facts(gone, honest=False))
    assert not policy.misses_wording(facts(gone, replace(CONFIRMED, id="con_2", honest=False)))
    assert not policy.misses_wording(facts(row(State.WITHDRAWN, covers=None)))


def test_what_no_mail_is_covered_by_is_still_something_that_they_agreed_to() -> None:
    assert policy.stands(facts(ELSEWHERE), NOW)
    assert policy.stands(facts(CONFIRMED), NOW)
    assert not policy.stands(facts(row(State.WITHDRAWN)), NOW)
    assert not policy.stands(facts(ELSEWHERE, objected=True), NOW)


def test_confirming_what_covers_no_mail_is_said_to_let_none_go() -> None:
    asked = row(State.PENDING, covers=frozenset())

    assert policy.hindrance(facts(asked), asked) is Reason.NOT_COVERED
    assert policy.hindrance(facts(asked, objected=True), asked) is Reason.OBJECTED
    assert policy.hindrance(facts(asked), row(State.PENDING)) is None
    assert policy.hindrance(facts(asked), row(State.PENDING, covers=None)) is None
