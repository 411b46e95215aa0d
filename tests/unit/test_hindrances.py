"""Why mail waits: each reason from its facts, with a way out, and none while mail moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from delivery.errors import RelayAway
from delivery.waits import MOST, Waits
from gateway.flows.sending import occasion, pacing, quotas
from gateway.flows.sending.occasion import ToConfirm
from gateway.watch import held_up, hindrances
from gateway.watch.hindrances import Facts, Hindrance, decide
from gateway.watch.marketing import Period
from storage.bad_rows import Standing

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
WELL = Facts(now=NOW, waits=Waits(workers=1))
BUSY = Waits(due=3, due_since=LONG_AGO, workers=1)
REFUSED = RelayAway("it turned us away", 421, "too many")


def later(**reasons: int) -> Facts:
    return Facts(now=NOW, waits=Waits(workers=1, later=reasons))


@pytest.mark.parametrize(
    ("facts", "why", "said"),
    [
        pytest.param(Facts(NOW, away=["data"]), "store_away", "the database", id="no database"),
        pytest.param(Facts(NOW, away=["keys"]), "store_away", "the key store", id="no key store"),
        pytest.param(Facts(NOW, away=["guard"]), "store_away", "nobody can leave", id="no guard"),
        pytest.param(replace(WELL, stopped=True), "worker_stopped", "its journal", id="no journal"),
        pytest.param(Facts(NOW, waits=Waits(due=3)), "no_worker", "3 mails wait", id="no worker"),
        pytest.param(replace(WELL, relay=REFUSED), "relay_away", "421 too many", id="relay"),
        pytest.param(replace(WELL, waits=BUSY), "slow", "3 mails wait", id="slow"),
        pytest.param(replace(WELL, lacking=["index 2"]), "keys_missing", "index 2", id="keys"),
        pytest.param(replace(WELL, ahead=-timedelta(hours=1)), "clock", "3600 s", id="clock"),
        pytest.param(replace(WELL, held=Period(NOW, NOW)), "marketing_held", "is held", id="held"),
        pytest.param(
            replace(WELL, waits=Waits(workers=1, paused=1)),
            "campaign_paused",
            "1 campaign paused",
            id="campaign paused",
        ),
        pytest.param(
            replace(WELL, waits=Waits(workers=1, later={"": 2}, replies={"451 4.7.1": 2, "": 1})),
            "put_off",
            "(451 4.7.1, no reply)",
            id="put off",
        ),
        pytest.param(replace(WELL, unpublished=["s._domainkey.a"]), "dns", "s._domai", id="dns"),
        pytest.param(later(quota=1), "quota", "1 mail waits for their turn", id="quota"),
        pytest.param(later(frequency_cap=2), "frequency_cap", "2 mails", id="cap"),
        pytest.param(later(paused=2), "person_pauses", "2 mails", id="somebody's pause"),
        pytest.param(
            replace(WELL, waits=Waits(workers=1, asking=2)),
            "confirmations_wait",
            "2 confirmation mails wait",
            id="confirmations wait",
        ),
        pytest.param(
            replace(WELL, withheld=2), "confirmations_withheld", "2 mailboxes", id="withheld"
        ),
        pytest.param(
            replace(WELL, parked=[Standing("intake", "key_missing", 2, None)]),
            "parked",
            "2 of intake parked: key_missing",
            id="parked",
        ),
    ],
)
def test_each_reason_is_said_alone_with_a_way_out(facts: Facts, why: str, said: str) -> None:
    (told,) = decide(facts)

    assert told.why == why
    assert said in told.said
    assert told.way_out
    assert told.number >= 1


def test_every_reason_is_tried_above() -> None:
    (tried,) = test_each_reason_is_said_alone_with_a_way_out.pytestmark  # type: ignore[attr-defined]

    assert {one.values[1] for one in tried.args[1]} == set(Hindrance)


@pytest.mark.parametrize(
    "facts",
    [
        WELL,
        replace(WELL, waits=replace(BUSY, due_since=NOW)),
        replace(WELL, ahead=timedelta(seconds=2)),
        later(parked_altered=3),  # said with what is parked
    ],
    ids=["empty", "due just now", "clocks in step", "parked mails"],
)
def test_nothing_is_said_while_mail_moves(facts: Facts) -> None:
    assert decide(facts) == []


def test_of_what_keeps_all_mail_back_only_the_nearest_cause_is_said() -> None:
    alone = replace(BUSY, workers=0)

    assert [one.why for one in decide(Facts(NOW, waits=alone, relay=REFUSED))] == ["no_worker"]
    assert [one.why for one in decide(Facts(NOW, waits=BUSY, relay=REFUSED))] == ["relay_away"]


def test_its_words_are_those_that_flows_write() -> None:
    assert (hindrances.QUOTA, hindrances.PAUSED) == (quotas.QUOTA, pacing.PAUSED)
    assert occasion.columns(ToConfirm(b""))["occasion"] == held_up.CONFIRMATION


def test_of_more_than_are_looked_at_it_says_so() -> None:
    (one,) = hindrances.decide(Facts(now=NOW, waits=Waits(due=MOST)))

    assert "10000 mails or more wait" in one.said
