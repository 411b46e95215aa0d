"""Which stores are older ones: every state that a start can meet, and what each means."""

from __future__ import annotations

import pytest

from audit.gaps import Cause
from gateway.flows.restoring.signs import Facts, Guard, Restored, judge, reaches

_FITS = Guard(14, 1, 14)


def _facts(guard: Guard | None, size: int = 14, published: int = 14, log: int = 1) -> Facts:
    return Facts(log, size, published, guard)


@pytest.mark.parametrize(
    ("facts", "stores"),
    [
        pytest.param(_facts(_FITS), "", id="all fit"),
        pytest.param(_facts(_FITS, size=20), "", id="entries wait to be published"),
        pytest.param(_facts(Guard(14, 1, 14), size=10, published=9), "data", id="data alone"),
        pytest.param(_facts(Guard(0, 1, 0), size=14), "guard", id="guard alone"),
        pytest.param(_facts(None), "guard", id="no guard"),
        pytest.param(_facts(Guard(10, 1, 10), size=12, published=12), "guard", id="guard oldest"),
        pytest.param(_facts(Guard(14, 2, 5)), "data", id="data from before a successor"),
        pytest.param(_facts(Guard(14, 3, 0)), "data", id="a restore that was broken off"),
        pytest.param(_facts(Guard(20, 2, 0)), "data", id="a restore of data that was broken off"),
        pytest.param(
            _facts(Guard(9, 2, 0)), "guard", id="a restore of a guard that was broken off"
        ),
        pytest.param(
            _facts(Guard(None, 1, 14), log=2), "guard", id="guard from before a successor"
        ),
        pytest.param(
            Facts(1, 14, 14, _FITS, keyless=True), "key store", id="who came last has no key"
        ),
        pytest.param(
            Facts(1, 14, 14, _FITS, unledgered=True), "key store", id="an erasure is in no ledger"
        ),
        pytest.param(
            Facts(1, 10, 9, _FITS, keyless=True), "data+key store", id="both, of two moments"
        ),
        pytest.param(
            Facts(1, 14, 14, Guard(9, 1, 9), keyless=True),
            "key store+guard",
            id="a key store with the guard in it",
        ),
        pytest.param(Facts(1, 14, 14, _FITS, seen=(1, 14)), "", id="as this machine saw it"),
        pytest.param(Facts(1, 14, 14, _FITS, seen=(1, 9)), "", id="this machine saw less"),
        pytest.param(
            Facts(1, 14, 14, _FITS, seen=(1, 15)), "data+guard", id="this machine saw more"
        ),
        pytest.param(
            Facts(1, 14, 14, _FITS, seen=(2, 3)), "data+guard", id="this machine saw a successor"
        ),
        pytest.param(
            Facts(2, 3, 3, Guard(3, 2, 3), seen=(1, 99)), "", id="this machine saw the log before"
        ),
        pytest.param(
            Facts(1, 20, 14, _FITS, seen=(1, 18)), "guard", id="the data have what this machine saw"
        ),
        pytest.param(
            Facts(1, 14, 14, Guard(14, 2, 0), seen=(1, 15)),
            "data+guard",
            id="a restore of both that was broken off",
        ),
        pytest.param(
            Facts(1, 14, 14, None, seen=(1, 15)), "data+guard", id="no guard, and older data"
        ),
        pytest.param(
            Facts(1, 14, 14, _FITS, declared=True),
            "data+key store+guard",
            id="all, as somebody says",
        ),
    ],
)
def test_a_handful_of_facts_tells_which_stores_are_older(facts: Facts, stores: str) -> None:
    assert "+".join(judge(facts).names) == stores


@pytest.mark.parametrize(
    ("restored", "reach", "known"),
    [
        pytest.param(Restored(data=True), True, True, id="the guard's store goes back so far"),
        pytest.param(Restored(data=True), False, False, id="it does not"),
        pytest.param(Restored(keys=True), False, True, id="the data are those of now"),
        pytest.param(Restored(guard=True), True, False, id="it was restored too"),
    ],
)
def test_marketing_waits_where_nobody_knows_who_left(
    restored: Restored, reach: bool, known: bool
) -> None:
    assert reaches(reach, restored) is known


def test_a_log_is_closed_where_entries_may_be_gone_and_only_there() -> None:
    assert Restored(data=True).closes and Restored(guard=True).closes
    assert not Restored(keys=True).closes
    assert Restored(data=True, guard=True).cause is Cause.GUARD_LOST
