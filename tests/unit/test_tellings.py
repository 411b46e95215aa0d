"""How long a receiver that did not acknowledge is left alone."""

from __future__ import annotations

from datetime import timedelta

from consent import tellings


def test_the_waits_are_those_of_the_contract_and_grow_to_hours() -> None:
    waits = [tellings.wait(tries) for tries in range(1, 40)]

    assert [one.total_seconds() for one in waits[:6]] == [1, 5, 15, 30, 60, 120]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=6)
